"""Powers and logarithms of other bases, and logarithms within sums and products."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.graph.tensor import Tensor
from mathnet.ops.activation import sigmoid
from mathnet.ops.comparison import isfinite, logical_and, logical_not, where
from mathnet.ops.elementwise import Elementwise, define
from mathnet.ops.exponential import log, log1p

Partials = Sequence[Tensor | None]


class Exp2(Elementwise):
    """2ˣ.

    >>> import mathnet as mn
    >>> mn.exp2([0.0, 0.5, 10.0])
    array([1.00000000e+00, 1.41421356e+00, 1.02400000e+03])
    """

    name, opcode, result, formula = "exp2", "exp2", "float", "2^x"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (outputs[0] * math.log(2.0)),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.exp2(np.asarray(x, np.float64))


class Log2(Elementwise):
    """Logarithm to the base 2, exact at its powers; −∞ at 0, NaN below.

    >>> import mathnet as mn
    >>> mn.log2([1.0, 8.0])
    array([0., 3.])
    """

    name, opcode, result, formula, domain = "log2", "log2", "float", "log₂ x", "x > 0"
    sample_range = (0.1, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / (inputs[0] * math.log(2.0)),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.log2(x)


class Log10(Elementwise):
    """Logarithm to the base 10; −∞ at 0, NaN below.

    >>> import mathnet as mn
    >>> mn.log10([1.0, 1000.0])
    array([0., 3.])
    """

    name, opcode, result, formula, domain = "log10", "log10", "float", "log₁₀ x", "x > 0"
    sample_range = (0.1, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / (inputs[0] * math.log(10.0)),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.log10(x)


class Logaddexp(Elementwise):
    """log(eˣ + eʸ) without overflow, element by element with broadcasting.

    >>> import mathnet as mn
    >>> mn.logaddexp([0.0, 1000.0], [0.0, 1000.0])
    array([6.93147181e-01, 1.00069315e+03])
    """

    name, arity, result, formula = "logaddexp", 2, "float", "log(exp(x) + exp(y))"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        x, y = registers
        below = emit("neg", emit("abs", emit("sub", x, y)))
        below = emit("select", emit("eq", x, y), emit("constant"), below)  # ∞ − ∞ is no number
        return emit("add", emit("max", x, y), emit("softplus", below))

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        infinite = logical_and(x == y, logical_not(isfinite(x)))
        difference = where(infinite, 0.0, x - y)  # equal infinities share the derivative
        return dy * sigmoid(difference), dy * sigmoid(-difference)

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logaddexp(x, y)


class Xlogy(Elementwise):
    """x·log(y), and 0 where x = 0 unless y is NaN; broadcasting.

    The derivative for x is log(y), promised to be 0 where x = 0 and y ≤ 0.

    >>> import mathnet as mn
    >>> mn.xlogy([0.0, 2.0], [0.0, 1.0])
    array([0., 0.])
    """

    name, arity, result, formula, domain = "xlogy", 2, "float", "x·log(y)", "y > 0; y = 0 with x = 0"
    sample_range = (0.3, 3.0)

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        x, y = registers
        nothing = emit("logical_and", emit("eq_imm", x, immediate=0.0), emit("eq", y, y))
        return emit("select", nothing, emit("constant"), emit("mul", x, emit("log", y)))

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        inside = where(logical_and(x == 0, y <= 0), 1.0, y)
        return dy * log(inside), dy * (x / inside)

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log(y))


class Xlog1py(Elementwise):
    """x·log(1 + y), and 0 where x = 0 unless y is NaN; broadcasting.

    The derivative for x is log(1 + y), promised to be 0 where x = 0 and y ≤ −1.

    >>> import mathnet as mn
    >>> mn.xlog1py([0.0, 2.0], [-1.0, 0.0])
    array([0., 0.])
    """

    name, arity, result, formula = "xlog1py", 2, "float", "x·log(1 + y)"
    domain = "y > -1; y = -1 with x = 0"
    sample_range = (-0.7, 3.0)

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        x, y = registers
        nothing = emit("logical_and", emit("eq_imm", x, immediate=0.0), emit("eq", y, y))
        return emit("select", nothing, emit("constant"), emit("mul", x, emit("log1p", y)))

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        inside = where(logical_and(x == 0, y <= -1), 0.0, y)
        return dy * log1p(inside), dy * (x / (inside + 1.0))

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
        return np.where((x == 0) & ~np.isnan(y), 0.0, x * np.log1p(y))


exp2, log2, log10 = define(Exp2()), define(Log2()), define(Log10())
logaddexp, xlogy, xlog1py = define(Logaddexp()), define(Xlogy()), define(Xlog1py())
