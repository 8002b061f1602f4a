"""Functions that networks use between layers, and the slopes that their derivatives are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.dtypes import is_float
from mathnet.graph.op import as_tensor, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.comparison import maximum
from mathnet.ops.elementwise import Elementwise, define

Partials = Sequence[Tensor | None]


class Tanh(Elementwise):
    """Hyperbolic tangent.

    >>> import mathnet as mn
    >>> mn.tanh([0.0, 1.0])
    array([0.        , 0.76159416])
    """

    name, opcode, result, formula, onnx = "tanh", "tanh", "float", "tanh(x)", "Tanh"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * one_minus_square(outputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)


class OneMinusSquare(Elementwise):
    """1 − y²: the slope of tanh where its value is y."""

    name, opcode, formula = "one_minus_square", "one_minus_square", "1 - y²"
    takes = "f"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (inputs[0] * -2.0),)

    def oracle(self, y: np.ndarray) -> np.ndarray:
        return 1.0 - y * y


class Sigmoid(Elementwise):
    """Logistic function 1/(1 + exp(−x)).

    >>> import mathnet as mn
    >>> mn.sigmoid([0.0, 1.0])
    array([0.5       , 0.73105858])
    """

    name, opcode, result, formula, onnx = "sigmoid", "sigmoid", "float", "1/(1 + exp(-x))", "Sigmoid"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * sigmoid_slope(outputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        small = np.exp(-np.abs(x))
        return np.where(np.asarray(x) >= 0, 1.0, small) / (1.0 + small)


class SigmoidSlope(Elementwise):
    """y − y²: the slope of the logistic function where its value is y."""

    name, opcode, formula = "sigmoid_slope", "dsigmoid", "y - y²"
    takes = "f"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (1.0 - inputs[0] * 2.0),)

    def oracle(self, y: np.ndarray) -> np.ndarray:
        return y - y * y


class Softplus(Elementwise):
    """log(1 + exp(x)), without overflow.

    >>> import mathnet as mn
    >>> mn.softplus([0.0, 1000.0])
    array([6.93147181e-01, 1.00000000e+03])
    """

    name, opcode, result, formula, onnx = "softplus", "softplus", "float", "log(1 + exp(x))", "Softplus"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * sigmoid(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.logaddexp(x, 0.0)


class Relu(Elementwise):
    name, opcode, formula, onnx = "relu", "relu", "max(x, 0)", "Relu"
    takes = "f"
    kinks = {0.0: 0.0}

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (relu_mask(dy, outputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.maximum(x, 0.0)


class ReluMask(Elementwise):
    """x where y > 0, else 0: how relu passes its cotangent on."""

    name, arity, opcode, formula = "relu_mask", 2, "relu_mask", "y > 0 ? x : 0"
    takes = "f"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return relu_mask(dy, inputs[1]), None

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(y > 0, x, 0.0)


one_minus_square = define(OneMinusSquare(), public=False)
sigmoid_slope = define(SigmoidSlope(), public=False)
relu_mask = define(ReluMask(), public=False)
tanh, sigmoid, softplus = define(Tanh()), define(Sigmoid()), define(Softplus())
_RELU = register(Relu())


@graph_function
def relu(x: Any) -> Tensor:
    """max(x, 0); the derivative at 0 is 0.

    >>> import mathnet as mn
    >>> mn.relu([-1.0, 2.0])
    array([0., 2.])
    """
    x = as_tensor(x, "relu")
    return _RELU(x) if is_float(x.dtype) else maximum(x, 0)
