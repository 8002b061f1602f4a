"""Roots and lengths: 1/√x, ∛x and √(x² + y²)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import square
from mathnet.ops.comparison import where
from mathnet.ops.elementwise import Elementwise, define

Partials = Sequence[Tensor | None]


class Rsqrt(Elementwise):
    """1/√x; ∞ at 0, NaN below.

    >>> import mathnet as mn
    >>> mn.rsqrt([4.0, 25.0])
    array([0.5, 0.2])
    """

    name, opcode, result, formula, domain = "rsqrt", "rsqrt", "float", "1/√x", "x > 0"
    sample_range = (0.2, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (outputs[0] / inputs[0] * -0.5),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return 1.0 / np.sqrt(x)


class Cbrt(Elementwise):
    """∛x, also of negative numbers.  The derivative at 0 is infinite.

    >>> import mathnet as mn
    >>> mn.cbrt([8.0, -27.0])
    array([ 2., -3.])
    """

    name, opcode, result, formula = "cbrt", "cbrt", "float", "∛x"
    sample_range = (0.2, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / (square(outputs[0]) * 3.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.cbrt(x)


class Hypot(Elementwise):
    """√(x² + y²) without overflow; broadcasting.  Both derivatives are promised to be 0 at the origin.

    >>> import mathnet as mn
    >>> mn.hypot([3.0, 5.0], [4.0, 12.0])
    array([ 5., 13.])
    """

    name, arity, opcode, result, formula = "hypot", 2, "hypot", "float", "√(x² + y²)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        length = where(outputs[0] == 0, 1.0, outputs[0])
        return dy * (x / length), dy * (y / length)

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.hypot(x, y)


rsqrt, cbrt, hypot = define(Rsqrt()), define(Cbrt()), define(Hypot())
