"""Smooth activations: x times a gate between 0 and 1, and their kin.

The commonest, x·Φ(x) and x·σ(x), are instructions of the machine, and so are their slopes: a slope needs x alone, so training
keeps nothing else, and it runs in one loop with its function where both are wanted at once.  The others are written in
simpler operations, which the plan fuses into one pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.op import as_tensor, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.activation import sigmoid, sigmoid_slope, softplus, tanh
from mathnet.ops.arithmetic import abs_, reciprocal, square
from mathnet.ops.elementwise import Elementwise, define
from mathnet.ops.rectifiers import ActivationFunction, floats
from mathnet.ops.special import gaussian

_TANH_SCALE = math.sqrt(2.0 / math.pi)
_TANH_CUBIC = 0.044715
_DENSITY_AT_0 = 1.0 / math.sqrt(2.0 * math.pi)

Partials = Sequence[Tensor | None]


class NormalGate(Elementwise):
    """x·Φ(x), with all digits where Φ is tiny."""

    name, opcode, result, formula = "normal_gate", "gelu", "float", "x·Φ(x)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * normal_gate_slope(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return x * _normal_cdf(x)


class NormalGateSlope(Elementwise):
    """Φ(x) + x·φ(x): the slope of x·Φ(x)."""

    name, opcode, result, formula = "normal_gate_slope", "gelu_slope", "float", "Φ(x) + x·φ(x)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x = inputs[0]
        return (dy * (gaussian(x) * (2.0 - square(x)) * _DENSITY_AT_0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return _normal_cdf(x) + x * np.exp(-0.5 * np.square(x, dtype=np.float64)) * _DENSITY_AT_0


class SiluSlope(Elementwise):
    """σ(x)·(1 + x·(1 − σ(x))): the slope of x·σ(x)."""

    name, opcode, result, formula = "silu_slope", "silu_slope", "float", "σ(x)·(1 + x·(1 - σ(x)))"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        gate = sigmoid(inputs[0])
        return (dy * (sigmoid_slope(gate) * (2.0 + inputs[0] * (1.0 - gate * 2.0))),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        gate = 1 / (1 + np.exp(-x))
        return gate * (1 + x * (1 - gate))


normal_gate, normal_gate_slope = (define(op, public=False) for op in (NormalGate(), NormalGateSlope()))
silu_slope = define(SiluSlope(), public=False)


def _normal_cdf(x: np.ndarray) -> np.ndarray:
    return np.vectorize(math.erfc, otypes=[float])(-np.asarray(x) / math.sqrt(2)) / 2


class Gelu(ActivationFunction):
    name, formula, onnx = "gelu", "x·Φ(x), or x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³)))", "Gelu"
    domain = "finite numbers and ∞"
    attributes = ({"approximate": "none"}, {"approximate": "tanh"})

    def expansion(self, x: Tensor, approximate: str) -> Tensor:  # type: ignore[override]
        if approximate == "tanh":  # (1 + tanh u)/2 = σ(2u)
            x = floats(x)
            return x * sigmoid((x + x * square(x) * _TANH_CUBIC) * (2 * _TANH_SCALE))
        return normal_gate(x)

    def oracle(self, x: np.ndarray, approximate: str) -> np.ndarray:  # type: ignore[override]
        if approximate == "tanh":
            return 0.5 * x * (1 + np.tanh(_TANH_SCALE * (x + _TANH_CUBIC * x**3)))
        return x * _normal_cdf(x)


class Silu(Elementwise):
    name, opcode, result, formula = "silu", "silu", "float", "x/(1 + exp(-x))"
    domain = "finite numbers and ∞"
    sample_range = (-8.0, 8.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * silu_slope(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return x / (1 + np.exp(-x))


class Mish(ActivationFunction):
    name, formula, domain, onnx = "mish", "x·tanh(log(1 + exp(x)))", "finite numbers and ∞", "Mish"

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return x * tanh(softplus(x))

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return x * np.tanh(np.logaddexp(x, 0.0))


class Softsign(ActivationFunction):
    name, formula, domain, onnx = "softsign", "x/(1 + |x|)", "finite numbers", "Softsign"

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return x / (abs_(x) + 1.0)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        # the quotient rule would subtract nearly equal numbers for large x
        return (dy * square(reciprocal(abs_(floats(inputs[0])) + 1.0)),)

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return x / (1 + np.abs(x))


class LogSigmoid(ActivationFunction):
    name, formula = "log_sigmoid", "-log(1 + exp(-x))"

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return -softplus(-floats(x))

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return -np.logaddexp(-np.asarray(x), 0.0)


class TanhShrink(ActivationFunction):
    name, formula = "tanh_shrink", "x - tanh(x)"

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return x - tanh(x)

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return x - np.tanh(x)


_GELU, _SILU, _MISH, _SOFTSIGN, _LOG_SIGMOID, _TANH_SHRINK = (
    register(op()) for op in (Gelu, Silu, Mish, Softsign, LogSigmoid, TanhShrink)
)


@graph_function
def gelu(x: Any, approximate: str = "none") -> Tensor:
    """x·Φ(x), Φ the normal distribution function; approximate="tanh": x/2·(1 + tanh(√(2/π)(x + 0.044715x³))).

    The exact form keeps its digits where Φ is tiny and is 0 at −∞, where the other is NaN, as in torch.
    Source: Hendrycks and Gimpel, 2016.

    >>> import mathnet as mn
    >>> mn.gelu([-1.0, 2.0])
    array([-0.15865525,  1.95449974])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return _GELU(as_tensor(x, "gelu"), approximate=approximate)


@graph_function
def silu(x: Any) -> Tensor:
    """x·σ(x).  NaN at −∞, as in torch.  Source: Elfwing et al., 2018.

    >>> import mathnet as mn
    >>> mn.silu([-1.0, 2.0])
    array([-0.26894142,  1.76159416])
    """
    return _SILU(as_tensor(x, "silu"))


@graph_function
def mish(x: Any) -> Tensor:
    """x·tanh(softplus(x)).  NaN at −∞, as in torch.  Source: Misra, 2019.

    >>> import mathnet as mn
    >>> mn.mish([-1.0, 2.0])
    array([-0.30340146,  1.94395896])
    """
    return _MISH(as_tensor(x, "mish"))


@graph_function
def softsign(x: Any) -> Tensor:
    """x/(1 + |x|).  NaN at ±∞, as in torch.

    >>> import mathnet as mn
    >>> mn.softsign([-1.0, 3.0])
    array([-0.5 ,  0.75])
    """
    return _SOFTSIGN(as_tensor(x, "softsign"))


@graph_function
def log_sigmoid(x: Any) -> Tensor:
    """log σ(x) = −log(1 + e⁻ˣ), without overflow.

    >>> import mathnet as mn
    >>> mn.log_sigmoid([0.0, -1000.0])
    array([-6.93147181e-01, -1.00000000e+03])
    """
    return _LOG_SIGMOID(as_tensor(x, "log_sigmoid"))


@graph_function
def tanh_shrink(x: Any) -> Tensor:
    """x − tanh(x).  Near 0 exact to the last place of x, not of the difference.

    >>> import mathnet as mn
    >>> mn.tanh_shrink([0.0, 1.0])
    array([0.        , 0.23840584])
    """
    return _TANH_SHRINK(as_tensor(x, "tanh_shrink"))
