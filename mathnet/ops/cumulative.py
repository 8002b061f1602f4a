"""Running sums and products along an axis, and the linear recurrence that their derivatives are made of.

Nothing is divided, so derivatives of every order are right where factors are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.dtypes import BOOL, INT64, is_float
from mathnet.graph.op import OPS, Op, as_tensor, batched, graph_function, normalize_axis, register
from mathnet.graph.tensor import Spec, Tensor


class Cumulative(Op):
    """One chain along ``axis``, from its first element, or in ``reverse`` from its last."""

    #: The kernel's code: 0 sum, 1 product, 2 linear recurrence.
    kernel_kind: ClassVar[int]

    def infer(self, x: Spec, axis: int, reverse: bool) -> Spec:  # type: ignore[override]
        return x

    def batch(
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axis: int, reverse: bool
    ) -> Tensor:  # type: ignore[override]
        return self(*[batched(x, n, m) for x, m in zip(inputs, mapped)], axis=axis + 1, reverse=reverse)

    def lower(self, emit: Any, inputs: Any, outputs: Any, axis: int, reverse: bool) -> None:  # type: ignore[override]
        shape = outputs[0].shape
        emit.kernel(
            "cumulative",
            [emit.dense(x) for x in inputs],
            outputs,
            outer=product(shape[:axis]),
            n=shape[axis],
            inner=product(shape[axis + 1 :]),
            kind=self.kernel_kind,
            reverse=int(reverse),
            integer=int(not is_float(outputs[0].dtype)),
        )

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(11).uniform(-1.5, 1.5, (3, 4, 2))
        return [
            ((x[:, :, 0],), {"axis": 1, "reverse": False}),
            ((x,), {"axis": 1, "reverse": True}),
            ((x,), {"axis": 0, "reverse": False}),
            ((x[:0],), {"axis": 0, "reverse": False}),
            ((x[:, :1],), {"axis": 1, "reverse": True}),
        ]


class CumulativeSum(Cumulative):
    name, formula, kernel_kind, onnx = "cumulative_sum", "yₖ = x₀ + … + xₖ", 0, "CumSum"

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int, reverse: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (self(dy, axis=axis, reverse=not reverse),)

    def oracle(self, x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:  # type: ignore[override]
        return _along(np.cumsum, x, axis, reverse)


class CumulativeProduct(Cumulative):
    name, formula, kernel_kind = "cumulative_product", "yₖ = x₀·…·xₖ", 1

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int, reverse: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        # ∂yᵢ/∂xₖ is the product before k times that from k + 1 to i; the sum over i of the latter is a recurrence
        (x,) = inputs
        after = LINEAR_RECURRENCE(_following(x, axis, reverse, 0.0), dy, axis=axis, reverse=not reverse)
        return (after * _following(outputs[0], axis, not reverse, 1.0),)

    def oracle(self, x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:  # type: ignore[override]
        return _along(np.cumprod, x, axis, reverse)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        with_zeros = np.array([[0.5, 0.0, 2.0, -1.5], [0.0, 3.0, 0.0, 1.0], [1.0, 2.0, 3.0, 0.0]])
        return [*super().samples(), ((with_zeros,), {"axis": 1, "reverse": False})]


class LinearRecurrence(Cumulative):
    """yₖ = aₖ·yₖ₋₁ + bₖ along an axis, from y = 0."""

    name, formula, kernel_kind = "linear_recurrence", "yₖ = xₖ·yₖ₋₁ + bₖ", 2

    def infer(self, a: Spec, b: Spec, axis: int, reverse: bool) -> Spec:  # type: ignore[override]
        if a.shape != b.shape or a.dtype != b.dtype or not is_float(a.dtype):
            raise ShapeError(
                f"linear_recurrence: factors {a.dtype}{show_shape(a.shape)} and terms {b.dtype}{show_shape(b.shape)} "
                "must be floats of one type and shape"
            )
        return Spec(a.shape, a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int, reverse: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        slope = self(_following(inputs[0], axis, reverse, 0.0), dy, axis=axis, reverse=not reverse)
        return slope * _following(outputs[0], axis, not reverse, 0.0), slope

    def oracle(self, a: np.ndarray, b: np.ndarray, axis: int, reverse: bool) -> np.ndarray:  # type: ignore[override]
        a, b = (np.moveaxis(v[...], axis, 0)[:: -1 if reverse else 1] for v in (a, b))
        y, state = np.empty(b.shape), np.zeros(b.shape[1:])
        for k in range(len(a)):
            state = y[k] = a[k] * state + b[k]
        return np.moveaxis(y[:: -1 if reverse else 1], 0, axis)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((x, np.cos(x)), attrs) for (x,), attrs in super().samples()]


def _along(f: Any, x: np.ndarray, axis: int, reverse: bool) -> np.ndarray:
    return np.flip(f(np.flip(x, axis), axis=axis), axis) if reverse else f(x, axis=axis)


def _following(x: Tensor, axis: int, reverse: bool, last: float) -> Tensor:
    """At each place what comes next on the way along ``axis``, and ``last`` at its end."""
    border = tuple([((1, 0) if reverse else (0, 1)) if k == axis else (0, 0) for k in range(x.ndim)])
    starts = tuple([int(k == axis and not reverse) for k in range(x.ndim)])
    padded = OPS["pad"](x, width=border, value=last)
    return OPS["slice"](padded, starts=starts, steps=(1,) * x.ndim, sizes=x.shape)


CUMULATIVE_SUM, CUMULATIVE_PRODUCT = register(CumulativeSum()), register(CumulativeProduct())
LINEAR_RECURRENCE = register(LinearRecurrence())


def _cumulative(name: str, op: Op, x: Any, axis: Any) -> Tensor:
    x = as_tensor(x, name)
    if axis is None:
        x, axis = OPS["reshape"](x, shape=(product(x.shape),)), 0
    if x.dtype == BOOL:
        x = OPS["cast"](x, dtype=INT64)
    return op(x, axis=normalize_axis(name, axis, x.ndim), reverse=False)


@graph_function
def cumsum(x: Any, axis: Any = None) -> Tensor:
    """Running sum x₀ + … + xₖ along ``axis`` (None: of the flattened array), one addition after the other; bools are counted.

    >>> import mathnet as mn
    >>> mn.cumsum([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [3., 7.]])
    """
    return _cumulative("cumsum", CUMULATIVE_SUM, x, axis)


@graph_function
def cumprod(x: Any, axis: Any = None) -> Tensor:
    """Running product x₀·…·xₖ along ``axis`` (None: of the flattened array).

    The derivatives of every order are right also where factors are zero.

    >>> import mathnet as mn
    >>> mn.cumprod([1.0, 2.0, 3.0])
    array([1., 2., 6.])
    """
    return _cumulative("cumprod", CUMULATIVE_PRODUCT, x, axis)
