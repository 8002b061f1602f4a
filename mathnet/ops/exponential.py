"""Exponentials, logarithms, trigonometric functions, the error function and powers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.graph.dtypes import is_float
from mathnet.graph.op import CONSTANT, OPS, as_tensor, constant, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import reciprocal, sqrt, square
from mathnet.ops.comparison import where
from mathnet.ops.elementwise import Elementwise, define

Partials = Sequence[Tensor | None]


class Exp(Elementwise):
    """eˣ.

    >>> import mathnet as mn
    >>> mn.exp([0.0, 1.0])
    array([1.        , 2.71828183])
    """

    name, opcode, result, formula, onnx = "exp", "exp", "float", "exp(x)", "Exp"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * outputs[0],)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x)


class Expm1(Elementwise):
    """eˣ − 1, exact also near 0.

    >>> import mathnet as mn
    >>> mn.expm1([0.0, 1e-10])
    array([0.e+00, 1.e-10])
    """

    name, opcode, result, formula = "expm1", "expm1", "float", "exp(x) - 1"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (outputs[0] + 1.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.expm1(x)


class Log(Elementwise):
    """Natural logarithm; −∞ at 0, NaN below.

    >>> import mathnet as mn
    >>> mn.log([1.0, 2.0])
    array([0.        , 0.69314718])
    """

    name, opcode, result, formula, domain, onnx = "log", "log", "float", "log(x)", "x > 0", "Log"
    sample_range = (0.1, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / inputs[0],)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.log(x)


class Log1p(Elementwise):
    """log(1 + x), exact also near 0.

    >>> import mathnet as mn
    >>> mn.log1p([0.0, 1e-10])
    array([0.e+00, 1.e-10])
    """

    name, opcode, result, formula, domain = "log1p", "log1p", "float", "log(1 + x)", "x > -1"
    sample_range = (-0.8, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy / (inputs[0] + 1.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.log1p(x)


class Sin(Elementwise):
    """Sine of an angle in radians.

    >>> import mathnet as mn
    >>> mn.sin([0.0, 1.0])
    array([0.        , 0.84147098])
    """

    name, opcode, result, formula, onnx = "sin", "sin", "float", "sin(x)", "Sin"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * cos(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.sin(x)


class Cos(Elementwise):
    """Cosine of an angle in radians.

    >>> import mathnet as mn
    >>> mn.cos([0.0, 1.0])
    array([1.        , 0.54030231])
    """

    name, opcode, result, formula, onnx = "cos", "cos", "float", "cos(x)", "Cos"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (-(dy * sin(inputs[0])),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.cos(x)


class Erf(Elementwise):
    """Error function 2/√π · ∫₀ˣ exp(−t²) dt.

    >>> import mathnet as mn
    >>> mn.erf([0.0, 1.0])
    array([0.        , 0.84270079])
    """

    name, opcode, result, formula, onnx = "erf", "erf", "float", "2/√π · ∫₀ˣ exp(-t²) dt", "Erf"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (exp(-square(inputs[0])) * (2.0 / math.sqrt(math.pi))),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.vectorize(math.erf, otypes=[np.float64])(x)


exp, expm1, log, log1p = define(Exp()), define(Expm1()), define(Log()), define(Log1p())
sin, cos, erf = define(Sin()), define(Cos()), define(Erf())


class Power(Elementwise):
    name, arity, result, opcode, formula, onnx = "power", 2, "float", "pow", "x^y", "Pow"
    domain = "x > 0; x = 0 with y ≥ 0; x < 0 with a whole y"
    sample_range = (0.2, 3.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        if y.node.op is CONSTANT:
            exponent = y.node.attrs["value"]
            return (None if exponent == 0 else dy * (power(x, exponent - 1) * exponent)), None
        # x⁰ is constant even at x = 0, where y·x^(y−1) would be 0·∞.  0^y = 0 makes dy vanish there, whatever the logarithm.
        dx = where(y == 0, 0.0, dy * (y * _POWER(x, y - 1)))
        return dx, dy * (outputs[0] * log(where(x == 0, 1.0, x)))

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.power(np.asarray(x, np.float64), y)


_POWER = register(Power())
_WHOLE_CHAIN = 64  # integers to a whole power up to this one are products of integers
_CHEAPER: dict[float, Callable[[Tensor], Tensor]] = {
    0.5: sqrt,
    1.0: lambda x: x,
    2.0: square,
    3.0: lambda x: x * square(x),
    4.0: lambda x: square(square(x)),
    -1.0: reciprocal,
    -2.0: lambda x: reciprocal(square(x)),
}


@graph_function
def power(x: Any, y: Any) -> Tensor:
    """xʸ, element by element with broadcasting.

    Exponents ½, 1, 2, 3, 4, −1 and −2 given as Python numbers become roots, products and reciprocals.  Integers to a Python int
    between 0 and 64 stay integers; any other power of integers is float64.

    >>> import mathnet as mn
    >>> mn.power([1.0, 2.0], 3)
    array([1., 8.])
    """
    x, y = as_tensor(x, "power: base"), as_tensor(y, "power: exponent")
    if y.node.op is CONSTANT and y.spec.weak:
        exponent = y.node.attrs["value"]
        if not is_float(x.dtype) and isinstance(exponent, int) and 0 <= exponent <= _WHOLE_CHAIN:
            return _whole_power(x, exponent)
        if is_float(x.dtype) and exponent in _CHEAPER:
            return _CHEAPER[exponent](x)
    return _POWER(x, y)


def _whole_power(x: Tensor, exponent: int) -> Tensor:
    """Integer power by repeated squaring."""
    result: Tensor | None = None
    factor = OPS["cast"](x, dtype=np.dtype(np.int64), weak=x.spec.weak) if x.dtype == bool else x
    while exponent:
        if exponent & 1:
            result = factor if result is None else result * factor
        exponent >>= 1
        if exponent:
            factor = square(factor)
    return factor * constant(0) + 1 if result is None else result
