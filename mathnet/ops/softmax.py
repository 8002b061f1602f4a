"""Softmax and its logarithm along one axis, shifted by the largest element so that nothing overflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import product
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import OPS, Op, as_tensor, batched, count, graph_function, normalize_axis, register
from mathnet.graph.tensor import Spec, Tensor


class AlongAxis(Op):
    """An operation on whole lines along ``axis``; the lines do not mix."""

    kernel: ClassVar[str]

    def infer(self, *specs: Spec, axis: int) -> Spec:  # type: ignore[override]
        x = specs[-1]
        if not is_float(x.dtype):
            raise DTypeError(f"{self.name}: element type {x.dtype}; a float type is needed, use mn.cast")
        return Spec(x.shape, x.dtype, x.weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axis: int) -> Tensor:  # type: ignore[override]
        return self(*[batched(x, n, m) for x, m in zip(inputs, mapped)], axis=axis + 1)

    def lower(self, emit: Any, inputs: Any, outputs: Any, axis: int) -> None:  # type: ignore[override]
        x = inputs[-1]
        if x.size:
            outer, inner = product(x.shape[:axis]), product(x.shape[axis + 1 :])
            dense = [emit.dense(v) for v in inputs]
            emit.kernel(self.kernel, dense, outputs, outer=outer, axis=x.shape[axis], inner=inner)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        n = count(outputs[0])
        return 5 * n, (len(inputs) + 1) * n * outputs[0].dtype.itemsize

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(2).uniform(-3, 3, (3, 4, 5))
        return [((x,), {"axis": axis}) for axis in range(3)] + [
            ((np.array([[1000.0, 1000.0], [-1000.0, 0.0]]),), {"axis": 1})
        ]


class Softmax(AlongAxis):
    """exp(x) / Σ exp(x) along ``axis``."""

    name, kernel, formula, onnx = "softmax", "softmax_forward", "exp(xᵢ) / Σⱼ exp(xⱼ)", "Softmax"

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (SOFTMAX_BACKWARD(dy, outputs[0], axis=axis),)

    def oracle(self, x: np.ndarray, axis: int) -> np.ndarray:  # type: ignore[override]
        e = np.exp(x - np.max(x, axis, keepdims=True))
        return e / np.sum(e, axis, keepdims=True)


class LogSoftmax(AlongAxis):
    """x − log Σ exp(x) along ``axis``."""

    name, kernel, formula, onnx = "log_softmax", "log_softmax_forward", "xᵢ - log Σⱼ exp(xⱼ)", "LogSoftmax"

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (LOG_SOFTMAX_BACKWARD(dy, outputs[0], axis=axis),)

    def oracle(self, x: np.ndarray, axis: int) -> np.ndarray:  # type: ignore[override]
        shifted = x - np.max(x, axis, keepdims=True)
        return shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))


class Backward(AlongAxis):
    """The cotangent of x from that of y and from y itself."""

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(4)
        return [
            ((rng.uniform(-1, 1, (3, 4, 5)), rng.uniform(0.1, 1, (3, 4, 5))), {"axis": axis})
            for axis in range(3)
        ]


class SoftmaxBackward(Backward):
    __doc__ = Backward.__doc__
    name, kernel, formula = "softmax_backward", "softmax_backward", "y·(dy - Σ y·dy)"

    def expansion(self, dy: Tensor, y: Tensor, axis: int) -> Tensor:  # type: ignore[override]
        return y * (dy - OPS["sum"](y * dy, axis=(axis,), keepdims=True))

    def oracle(self, dy: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:  # type: ignore[override]
        return y * (dy - np.sum(y * dy, axis, keepdims=True))


class LogSoftmaxBackward(Backward):
    __doc__ = Backward.__doc__
    name, kernel, formula = "log_softmax_backward", "log_softmax_backward", "dy - exp(y)·Σ dy"

    def expansion(self, dy: Tensor, y: Tensor, axis: int) -> Tensor:  # type: ignore[override]
        return dy - OPS["exp"](y) * OPS["sum"](dy, axis=(axis,), keepdims=True)

    def oracle(self, dy: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:  # type: ignore[override]
        return dy - np.exp(y) * np.sum(dy, axis, keepdims=True)


SOFTMAX, LOG_SOFTMAX, SOFTMAX_BACKWARD, LOG_SOFTMAX_BACKWARD = (
    register(op()) for op in (Softmax, LogSoftmax, SoftmaxBackward, LogSoftmaxBackward)
)


def _along(op: Op, x: Any, axis: int) -> Tensor:
    x = as_tensor(x, op.name)
    if x.ndim == 0:
        raise ShapeError(f"{op.name}: a number has no axis")
    return op(x, axis=normalize_axis(op.name, axis, x.ndim))


@graph_function
def softmax(x: Any, axis: int = -1) -> Tensor:
    """exp(x) / Σ exp(x) along ``axis``.

    >>> import mathnet as mn
    >>> mn.softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return _along(SOFTMAX, x, axis)


@graph_function
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """x − log Σ exp(x) along ``axis``: the logarithm of softmax without its loss of digits.

    >>> import mathnet as mn
    >>> mn.log_softmax([1000.0, 1000.0])
    array([-0.69314718, -0.69314718])
    """
    return _along(LOG_SOFTMAX, x, axis)
