"""Activations with corners: leaky and exponential linear units, and the piecewise linear forms of smooth ones.

Elu and its slope are instructions of the machine, which run in one loop where both are wanted at once.  The others are
written in simpler operations, which the plan fuses into one pass.  The derivatives at the corners are those of torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.graph.dtypes import FLOAT64, is_float, promote
from mathnet.graph.op import OPS, Op, as_tensor, broadcast_shapes, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.activation import relu
from mathnet.ops.comparison import where
from mathnet.ops.elementwise import Elementwise, define
from mathnet.ops.exponential import exp, expm1

Partials = Sequence[Tensor | None]

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


class ActivationFunction(Op):
    """A function of each element that is written in simpler operations; integers and bools give float64.

    Inputs: x, then numbers that set the shape of the curve; all are broadcast and may be differentiated.
    """

    #: Values of the inputs beside x, and the attributes, for :meth:`samples`.
    settings: ClassVar[tuple[tuple[float, ...], ...]] = ((),)
    attributes: ClassVar[tuple[dict[str, Any], ...]] = ({},)

    def infer(self, *specs: Spec, **attrs: Any) -> Spec:
        dtype, weak = promote(specs)
        shape = broadcast_shapes(self.name, *[spec.shape for spec in specs])
        return Spec(shape, dtype if is_float(dtype) else FLOAT64, weak)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(len(self.name))
        arrays = [rng.uniform(-8.0, 8.0, shape) for shape in ((3, 5), (7,), (), (0, 3))]
        return [
            ((x, *values), dict(attrs))
            for values in self.settings
            for attrs in self.attributes
            for x in arrays
        ]


def floats(x: Tensor) -> Tensor:
    """``x``, integers and bools as float64."""
    return x if is_float(x.dtype) else OPS["cast"](x, dtype=FLOAT64, weak=x.spec.weak)


def _nonpositive(x: Tensor) -> Tensor:
    """x where it is ≤ 0 or NaN, else 0: the branch of an exponential that is not taken must not overflow."""
    return where(x > 0, 0.0, x)


class LeakyRelu(ActivationFunction):
    name, formula, onnx = "leaky_relu", "x > 0 ? x : negative_slope·x", "LeakyRelu"
    settings = ((0.01,), (-0.5,))

    def expansion(self, x: Tensor, negative_slope: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return where(x > 0, x, x * negative_slope)

    def oracle(self, x: np.ndarray, negative_slope: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.where(x > 0, x, negative_slope * x)


class Elu(Elementwise):
    name, opcode, formula, onnx = "elu", "elu", "x > 0 ? x : alpha·(exp(x) - 1)", "Elu"
    arity, result = 2, "float"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, alpha = inputs
        return dy * elu_slope(x, alpha), dy * expm1(_nonpositive(x))

    def oracle(self, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return np.where(x > 0, x, alpha * np.expm1(x))


class EluSlope(Elementwise):
    """x > 0 ? 1 : alpha·eˣ: the slope of elu."""

    name, opcode, formula = "elu_slope", "elu_slope", "x > 0 ? 1 : alpha·exp(x)"
    arity, result = 2, "float"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, alpha = inputs
        left = where(x > 0, 0.0, dy * exp(_nonpositive(x)))
        return left * alpha, left

    def oracle(self, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


elu_slope = define(EluSlope(), public=False)


class Celu(ActivationFunction):
    name, formula, onnx = "celu", "x > 0 ? x : alpha·(exp(x/alpha) - 1)", "Celu"
    settings = ((1.0,), (0.3,))

    def expansion(self, x: Tensor, alpha: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return where(x > 0, x, expm1(_nonpositive(x) / alpha) * alpha)

    def oracle(self, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.where(x > 0, x, alpha * np.expm1(x / alpha))


class Selu(ActivationFunction):
    name, formula, onnx = "selu", "1.0507·(x > 0 ? x : 1.6733·(exp(x) - 1))", "Selu"

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        return elu(floats(x), SELU_ALPHA) * SELU_SCALE

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))


class Relu6(ActivationFunction):
    name, formula = "relu6", "min(max(x, 0), 6)"
    kinks = {0.0: 0.0, 6.0: 0.0}

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return where(x >= 6, 6.0, relu(x))

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.clip(x, 0.0, 6.0)


class HardTanh(ActivationFunction):
    name, formula = "hard_tanh", "min(max(x, min_val), max_val)"
    settings = ((-1.0, 1.0), (-2.5, 0.5))
    kinks = {-1.0: 0.0, 1.0: 0.0}

    def expansion(self, x: Tensor, min_val: Tensor, max_val: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return where(x <= min_val, min_val, where(x >= max_val, max_val, x))

    def oracle(self, x: np.ndarray, min_val: np.ndarray, max_val: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.clip(x, min_val, max_val)


class HardSigmoid(ActivationFunction):
    # Near −3 the sum x + 3 is exact, x/6 + 1/2 has no digits left.
    name, formula, onnx = "hard_sigmoid", "min(max(x/6 + 1/2, 0), 1)", "HardSigmoid"
    kinks = {-3.0: 0.0, 3.0: 0.0}

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return where(x <= -3, 0.0, where(x >= 3, 1.0, (x + 3.0) * (1 / 6)))

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.clip((np.asarray(x) + 3.0) / 6.0, 0.0, 1.0)


class HardSwish(ActivationFunction):
    name, formula, onnx = "hard_swish", "x·min(max(x/6 + 1/2, 0), 1)", "HardSwish"
    kinks = {-3.0: 0.0, 3.0: 1.0}

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        x = floats(x)
        return where(x <= -3, 0.0, where(x >= 3, x, x * ((x + 3.0) * (1 / 6))))

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return x * np.clip((np.asarray(x) + 3.0) / 6.0, 0.0, 1.0)


_LEAKY_RELU, _ELU, _CELU, _SELU = (register(op()) for op in (LeakyRelu, Elu, Celu, Selu))
_RELU6, _HARD_TANH, _HARD_SIGMOID, _HARD_SWISH = (
    register(op()) for op in (Relu6, HardTanh, HardSigmoid, HardSwish)
)


@graph_function
def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Tensor:
    """x for x > 0, else negative_slope·x; the derivative at 0 is negative_slope.

    >>> import mathnet as mn
    >>> mn.leaky_relu([-1.0, 2.0])
    array([-0.01,  2.  ])
    """
    return _LEAKY_RELU(as_tensor(x, "leaky_relu: x"), as_tensor(negative_slope, "leaky_relu: negative_slope"))


@graph_function
def elu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x for x > 0, else α(eˣ − 1); the derivative at 0 is α.  Source: Clevert et al., 2016.

    >>> import mathnet as mn
    >>> mn.elu([-1.0, 2.0])
    array([-0.63212056,  2.        ])
    """
    return _ELU(as_tensor(x, "elu: x"), as_tensor(alpha, "elu: alpha"))


@graph_function
def celu(x: Any, alpha: Any = 1.0) -> Tensor:
    """x for x > 0, else α(exp(x/α) − 1), whose derivative is 1 on both sides of 0.  Source: Barron, 2017.

    >>> import mathnet as mn
    >>> mn.celu([-1.0, 2.0], alpha=0.5)
    array([-0.43233236,  2.        ])
    """
    return _CELU(as_tensor(x, "celu: x"), as_tensor(alpha, "celu: alpha"))


@graph_function
def selu(x: Any) -> Tensor:
    """λx for x > 0, else λα(eˣ − 1), with λ = 1.0507 and α = 1.6733; the derivative at 0 is λα.

    Source: Klambauer et al., 2017.

    >>> import mathnet as mn
    >>> mn.selu([-1.0, 2.0])
    array([-1.11133074,  2.10140197])
    """
    return _SELU(as_tensor(x, "selu"))


@graph_function
def relu6(x: Any) -> Tensor:
    """min(max(x, 0), 6); the derivative at 0 and at 6 is 0.

    >>> import mathnet as mn
    >>> mn.relu6([-1.0, 2.0, 9.0])
    array([0., 2., 6.])
    """
    return _RELU6(as_tensor(x, "relu6"))


@graph_function
def hard_tanh(x: Any, min_val: Any = -1.0, max_val: Any = 1.0) -> Tensor:
    """x limited to [min_val, max_val]; the derivative on the limits is 0 (that of mn.clip is 1).

    >>> import mathnet as mn
    >>> mn.hard_tanh([-2.0, 0.5])
    array([-1. ,  0.5])
    """
    low, high = as_tensor(min_val, "hard_tanh: min_val"), as_tensor(max_val, "hard_tanh: max_val")
    return _HARD_TANH(as_tensor(x, "hard_tanh: x"), low, high)


@graph_function
def hard_sigmoid(x: Any) -> Tensor:
    """x/6 + ½ limited to [0, 1]; the derivative at ±3 is 0.

    >>> import mathnet as mn
    >>> mn.hard_sigmoid([-4.0, 0.0, 1.5])
    array([0.  , 0.5 , 0.75])
    """
    return _HARD_SIGMOID(as_tensor(x, "hard_sigmoid"))


@graph_function
def hard_swish(x: Any) -> Tensor:
    """x·hard_sigmoid(x); the derivative is 0 at −3 and 1 at 3.  Source: Howard et al., 2019.

    >>> import mathnet as mn
    >>> mn.hard_swish([-4.0, 1.5, 4.0])
    array([0.   , 1.125, 4.   ])
    """
    return _HARD_SWISH(as_tensor(x, "hard_swish"))
