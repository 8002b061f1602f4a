"""Trigonometric and hyperbolic functions and their inverses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.op import as_tensor, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import sqrt, square
from mathnet.ops.comparison import where
from mathnet.ops.elementwise import Elementwise, define
from mathnet.ops.powers import hypot

Partials = Sequence[Tensor | None]


class Tan(Elementwise):
    """Tangent of an angle in radians.

    >>> import mathnet as mn
    >>> mn.tan([0.0, 1.0])
    array([0.        , 1.55740772])
    """

    name, opcode, result, formula, onnx = "tan", "tan", "float", "tan(x)", "Tan"
    domain = "x not an odd multiple of π/2"
    sample_range = (-1.3, 1.3)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (square(outputs[0]) + 1.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.tan(x)


class Arcsin(Elementwise):
    """The angle in [−π/2, π/2] whose sine is x; NaN outside of [−1, 1].  The derivative at ±1 is infinite.

    >>> import mathnet as mn
    >>> mn.arcsin([0.0, 1.0])
    array([0.        , 1.57079633])
    """

    name, opcode, result, formula, domain, onnx = "arcsin", "arcsin", "float", "arcsin(x)", "|x| ≤ 1", "Asin"
    sample_range = (-0.9, 0.9)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / _leg(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.arcsin(x)


class Arccos(Elementwise):
    """The angle in [0, π] whose cosine is x; NaN outside of [−1, 1].  The derivative at ±1 is infinite.

    >>> import mathnet as mn
    >>> mn.arccos([0.0, 1.0])
    array([1.57079633, 0.        ])
    """

    name, opcode, result, formula, domain, onnx = "arccos", "arccos", "float", "arccos(x)", "|x| ≤ 1", "Acos"
    sample_range = (-0.9, 0.9)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (-(dy / _leg(inputs[0])),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.arccos(x)


class Arctan(Elementwise):
    """The angle in (−π/2, π/2) whose tangent is x.

    >>> import mathnet as mn
    >>> mn.arctan([0.0, 1.0])
    array([0.        , 0.78539816])
    """

    name, opcode, result, formula, onnx = "arctan", "arctan", "float", "arctan(x)", "Atan"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / (square(inputs[0]) + 1.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.arctan(x)


class Sinh(Elementwise):
    """Hyperbolic sine (eˣ − e⁻ˣ)/2.

    >>> import mathnet as mn
    >>> mn.sinh([0.0, 1.0])
    array([0.        , 1.17520119])
    """

    name, opcode, result, formula, onnx = "sinh", "sinh", "float", "(exp(x) - exp(-x))/2", "Sinh"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * cosh(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.sinh(x)


class Cosh(Elementwise):
    """Hyperbolic cosine (eˣ + e⁻ˣ)/2.

    >>> import mathnet as mn
    >>> mn.cosh([0.0, 1.0])
    array([1.        , 1.54308063])
    """

    name, opcode, result, formula, onnx = "cosh", "cosh", "float", "(exp(x) + exp(-x))/2", "Cosh"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * sinh(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.cosh(x)


class Arcsinh(Elementwise):
    """Inverse of sinh, log(x + √(x² + 1)).

    >>> import mathnet as mn
    >>> mn.arcsinh([0.0, 1.0])
    array([0.        , 0.88137359])
    """

    name, opcode, result, formula, onnx = "arcsinh", "arcsinh", "float", "log(x + √(x² + 1))", "Asinh"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / hypot(inputs[0], 1.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.arcsinh(x)


class Arccosh(Elementwise):
    """Inverse of cosh on x ≥ 1, log(x + √(x² − 1)); NaN below.  The derivative at 1 is infinite.

    >>> import mathnet as mn
    >>> mn.arccosh([1.0, 2.0])
    array([0.        , 1.3169579])
    """

    name, opcode, result, formula = "arccosh", "arccosh", "float", "log(x + √(x² - 1))"
    domain, onnx = "x ≥ 1", "Acosh"
    sample_range = (1.2, 5.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        (x,) = inputs
        return (dy / (sqrt(x - 1.0) * sqrt(x + 1.0)),)  # x² would overflow

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.arccosh(x)


class Arctanh(Elementwise):
    """Inverse of tanh, log((1 + x)/(1 − x))/2; ±∞ at ±1, NaN beyond.

    >>> import mathnet as mn
    >>> mn.arctanh([0.0, 0.5])
    array([0.        , 0.54930614])
    """

    name, opcode, result, formula = "arctanh", "arctanh", "float", "log((1 + x)/(1 - x))/2"
    domain, onnx = "|x| < 1", "Atanh"
    sample_range = (-0.9, 0.9)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / _square_of_leg(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.arctanh(x)


def _square_of_leg(x: Tensor) -> Tensor:
    """1 − x², with all its digits also near ±1."""
    return (1.0 - x) * (x + 1.0)


def _leg(x: Tensor) -> Tensor:
    """√(1 − x²)."""
    return sqrt(_square_of_leg(x))


tan, arcsin, arccos, arctan = define(Tan()), define(Arcsin()), define(Arccos()), define(Arctan())
sinh, cosh = define(Sinh()), define(Cosh())
arcsinh, arccosh, arctanh = define(Arcsinh()), define(Arccosh()), define(Arctanh())


class Arctan2(Elementwise):
    name, arity, opcode, result, formula = "arctan2", 2, "arctan2", "float", "the angle of the point (y, x)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs[1], inputs[0]
        radius = hypot(x, y)
        scaled = dy / where(radius == 0, 1.0, radius)  # x² + y² would overflow
        safe = where(radius == 0, 1.0, radius)
        return scaled * (x / safe), -(scaled * (y / safe))

    def oracle(self, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.arctan2(y, x)


_ARCTAN2 = register(Arctan2())


@graph_function
def arctan2(y: Any, x: Any) -> Tensor:
    """The angle in [−π, π] between the positive x axis and the point (x, y); broadcasting.

    Signed zeros and infinities choose the quadrant as in C.  Both derivatives are promised to be 0 at the origin.

    >>> import mathnet as mn
    >>> mn.arctan2([1.0, -1.0], [0.0, -1.0])
    array([ 1.57079633, -2.35619449])
    """
    return _ARCTAN2(as_tensor(y, "arctan2: y"), as_tensor(x, "arctan2: x"))
