"""Reductions over axes: sums, products, extrema, means, and what follows from them.

The elementwise machine sums in fixed blocks from index 0, so the bits of a sum do not depend on what is computed beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import GradientError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import BOOL, FLOAT64, INT64, is_float
from mathnet.graph.op import (
    OPS,
    Op,
    as_tensor,
    constant,
    count,
    graph_function,
    normalize_axes,
    normalize_axis,
    register,
)
from mathnet.graph.tensor import Spec, Tensor

Axes = tuple[int, ...]


def reduced_shape(shape: tuple, axes: Sequence[int], keepdims: bool) -> tuple:
    """``shape`` without ``axes``, or with size 1 there."""
    if keepdims:
        return tuple([1 if axis in axes else size for axis, size in enumerate(shape)])
    return tuple([size for axis, size in enumerate(shape) if axis not in axes])


def spread(reduced: Tensor, like: Tensor, axes: Sequence[int]) -> Tensor:
    """A reduced tensor with its reduced axes put back as axes of size 1."""
    shape = reduced_shape(like.shape, axes, keepdims=True)
    return reduced if reduced.shape == shape else OPS["reshape"](reduced, shape=shape)


def extent(x: Tensor, axes: Sequence[int]) -> Tensor:
    """How many elements each result is made of, as a number; an unknown size becomes one when the graph is bound."""
    return constant(product(tuple([x.shape[a] for a in axes])))  # type: ignore[arg-type]


class Reduction(Op):
    """A reduction over ``axis``, a sorted tuple of axes counted from 0."""

    #: Whether a reduction over no elements is an error (it has no value to give).
    needs_elements: ClassVar[bool] = False

    def axes(self, x: Spec, axis: Axes, keepdims: bool) -> Axes:
        """The reduced axes, for the plan."""
        return axis

    def result_type(self, dtype: np.dtype) -> np.dtype:
        return dtype

    def infer(self, x: Spec, axis: Axes, keepdims: bool) -> Spec:  # type: ignore[override]
        if self.needs_elements and any(x.shape[a] == 0 for a in axis):
            raise ShapeError(
                f"{self.name}: a tensor of shape {show_shape(x.shape)} has no elements along axis {axis}"
            )
        return Spec(reduced_shape(x.shape, axis, keepdims), self.result_type(x.dtype), x.weak)

    def batch(  # type: ignore[override]
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axis: Axes, **attrs: Any
    ) -> Tensor:
        return self(inputs[0], axis=tuple([a + 1 for a in axis]), **attrs)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        n = count(inputs[0])
        return n, n * inputs[0].dtype.itemsize

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(len(self.name)).uniform(-2.0, 2.0, (3, 4, 5))
        cases = [
            ((0, 1, 2), False),
            ((0,), True),
            ((1, 2), False),
            ((2,), False),
            ((0, 2), True),
            ((), False),
        ]
        return [((x,), {"axis": axis, "keepdims": keepdims}) for axis, keepdims in cases]


class Sum(Reduction):
    """Sum over axes."""

    name, reduction, formula, onnx = "sum", "sum", "Σ x", "ReduceSum"

    def result_type(self, dtype: np.dtype) -> np.dtype:
        return INT64 if dtype == BOOL else dtype

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: Axes, keepdims: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = inputs
        return (OPS["broadcast_to"](spread(dy, x, axis), shape=x.shape),)

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.sum(x, axis=axis, keepdims=keepdims)


class Prod(Reduction):
    """Product over axes.  The derivatives of every order are right also where factors are zero."""

    name, reduction, formula, onnx = "prod", "prod", "Π x", "ReduceProd"

    def result_type(self, dtype: np.dtype) -> np.dtype:
        return INT64 if dtype == BOOL else dtype

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: Axes, keepdims: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = inputs
        order = (*[k for k in range(x.ndim) if k not in axis], *axis)
        turned = OPS["transpose"](x, axes=order)
        lines = (*turned.shape[: x.ndim - len(axis)], product(turned.shape[x.ndim - len(axis) :]))
        others = PROD_OF_OTHERS(OPS["reshape"](turned, shape=lines))
        back = tuple([order.index(k) for k in range(x.ndim)])
        others = OPS["transpose"](OPS["reshape"](others, shape=turned.shape), axes=back)
        return (spread(dy, x, axis) * others,)

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.prod(x, axis=axis, keepdims=keepdims)


class ProdOfOthers(Op):
    """yᵢ = Π_{j≠i} xⱼ along the last axis: the slope of the product, which no division by zero can spoil."""

    name, formula = "prod_of_others", "Π_{j≠i} xⱼ"

    def infer(self, x: Spec) -> Spec:  # type: ignore[override]
        return x

    def expansion(self, x: Tensor) -> Tensor:  # type: ignore[override]
        axis = (x.ndim - 1,)
        zero = OPS["equal"](x, as_tensor(0.0))
        nonzero = OPS["where"](zero, as_tensor(1.0), x)
        rest = PROD(nonzero, axis=axis, keepdims=True)  # of all factors that are not zero
        zeros = SUM(OPS["cast"](zero, dtype=x.dtype), axis=axis, keepdims=True)
        only = OPS["logical_and"](zero, OPS["equal"](zeros, as_tensor(1.0)))
        beside = OPS["where"](only, rest, as_tensor(0.0))
        return OPS["where"](OPS["equal"](zeros, as_tensor(0.0)), rest / nonzero, beside)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        # Row i of the table holds the factors of yᵢ, with a one in place of xᵢ; the table's products have this same derivative.
        (x,) = inputs
        n = x.shape[-1]
        if isinstance(n, Dim):
            raise GradientError(
                f"prod: a second derivative along an axis of unknown size {n} cannot be built; bind the size first"
            )
        itself = as_tensor(np.eye(n, dtype=bool))
        column = OPS["reshape"](dy, shape=(*dy.shape, 1))
        factors = OPS["where"](itself, as_tensor(1.0), OPS["reshape"](x, shape=(*x.shape[:-1], 1, n)))
        slopes = OPS["where"](itself, as_tensor(0.0), column * PROD_OF_OTHERS(factors))
        return (SUM(slopes, axis=(x.ndim - 1,), keepdims=False),)

    def oracle(self, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        columns = [np.prod(np.delete(x, i, -1), -1) for i in range(x.shape[-1])]
        return np.stack(columns, -1) if columns else np.zeros(x.shape)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(3).uniform(0.5, 2.0, (3, 4))
        one, two = x.copy(), x.copy()
        one[0, 1] = two[1, 0] = two[1, 3] = 0.0
        return [((x,), {}), ((one,), {}), ((two,), {}), ((x[0],), {}), ((x[:, :1],), {}), ((x[:, :0],), {})]


class Extremum(Reduction):
    """Maximum or minimum over axes; a NaN wins.  Where several elements are extreme they share the derivative equally."""

    needs_elements = True
    kinks: ClassVar[dict[float, float]] = {}

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: Axes, keepdims: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = inputs
        chosen = OPS["cast"](OPS["equal"](x, spread(outputs[0], x, axis)), dtype=x.dtype)
        return (chosen * (spread(dy, x, axis) / SUM(chosen, axis=axis, keepdims=True)),)


class Max(Extremum):
    __doc__ = Extremum.__doc__
    name, reduction, formula, onnx = "max", "max", "max x", "ReduceMax"

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.max(x, axis=axis, keepdims=keepdims)


class Min(Extremum):
    __doc__ = Extremum.__doc__
    name, reduction, formula, onnx = "min", "min", "min x", "ReduceMin"

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.min(x, axis=axis, keepdims=keepdims)


class Mean(Reduction):
    """Arithmetic mean over axes; integers and bools give float64."""

    name, formula, onnx = "mean", "Σ x / n", "ReduceMean"
    needs_elements = True

    def result_type(self, dtype: np.dtype) -> np.dtype:
        return dtype if is_float(dtype) else FLOAT64

    def expansion(self, x: Tensor, axis: Axes, keepdims: bool) -> Tensor:  # type: ignore[override]
        x = x if is_float(x.dtype) else OPS["cast"](x, dtype=FLOAT64)
        return SUM(x, axis=axis, keepdims=keepdims) / extent(x, axis)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: Axes, keepdims: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = inputs
        return (OPS["broadcast_to"](spread(dy / extent(x, axis), x, axis), shape=x.shape),)

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.mean(x, axis=axis, keepdims=keepdims)


class ArgReduction(Op):
    """Index of the first extreme element along one axis; a NaN counts as extreme.  It has no derivative."""

    #: The kernel's code: 0 the largest, 1 the smallest.
    kernel_kind: ClassVar[int]

    def infer(self, x: Spec, axis: int, keepdims: bool) -> Spec:  # type: ignore[override]
        if x.shape[axis] == 0:
            raise ShapeError(
                f"{self.name}: a tensor of shape {show_shape(x.shape)} has no elements along axis {axis}"
            )
        return Spec(reduced_shape(x.shape, (axis,), keepdims), INT64)

    def batch(
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axis: int, keepdims: bool
    ) -> Tensor:  # type: ignore[override]
        return self(inputs[0], axis=axis + 1, keepdims=keepdims)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (None,)

    def lower(self, emit: Any, inputs: Any, outputs: Any, axis: int, keepdims: bool) -> None:  # type: ignore[override]
        x = emit.dense(inputs[0])
        if not is_float(x.dtype):
            x = emit.cast(x, FLOAT64)
        outer, inner = product(x.shape[:axis]), product(x.shape[axis + 1 :])
        emit.kernel(
            "arg_reduce",
            [x],
            outputs,
            outer=outer,
            reduced=x.shape[axis],
            inner=inner,
            kind=self.kernel_kind,
        )

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(5).integers(-3, 4, (3, 4, 5)).astype(float)
        return [
            ((x,), {"axis": axis, "keepdims": keepdims}) for axis in range(3) for keepdims in (False, True)
        ]


class ArgMax(ArgReduction):
    __doc__ = ArgReduction.__doc__
    name, formula, kernel_kind, onnx = "argmax", "argmax x", 0, "ArgMax"

    def oracle(self, x: np.ndarray, axis: int, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.argmax(x, axis=axis, keepdims=keepdims)


class ArgMin(ArgReduction):
    __doc__ = ArgReduction.__doc__
    name, formula, kernel_kind, onnx = "argmin", "argmin x", 1, "ArgMin"

    def oracle(self, x: np.ndarray, axis: int, keepdims: bool) -> np.ndarray:  # type: ignore[override]
        return np.argmin(x, axis=axis, keepdims=keepdims)


SUM, PROD, MAX, MIN, MEAN = (register(op()) for op in (Sum, Prod, Max, Min, Mean))
PROD_OF_OTHERS = register(ProdOfOthers())
ARGMAX, ARGMIN = register(ArgMax()), register(ArgMin())


def _reduce(op: Op, x: Any, axis: Any, keepdims: bool) -> Tensor:
    x = as_tensor(x, op.name)
    return op(x, axis=normalize_axes(op.name, axis, x.ndim), keepdims=bool(keepdims))


@graph_function
def sum_(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Σ x over ``axis`` (None: all axes; an int or a tuple); bools are counted.

    >>> import mathnet as mn
    >>> mn.sum([[1.0, 2.0], [3.0, 4.0]], axis=0)
    array([4., 6.])
    """
    return _reduce(SUM, x, axis, keepdims)


@graph_function
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Π x over ``axis``.

    >>> import mathnet as mn
    >>> mn.prod([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([ 2., 12.])
    """
    return _reduce(PROD, x, axis, keepdims)


@graph_function
def max_(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest element over ``axis``; equal largest elements share the derivative.

    >>> import mathnet as mn
    >>> mn.max([[1.0, 2.0], [3.0, 0.0]], axis=0)
    array([3., 2.])
    """
    return _reduce(MAX, x, axis, keepdims)


@graph_function
def min_(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element over ``axis``; equal smallest elements share the derivative.

    >>> import mathnet as mn
    >>> mn.min([[1.0, 2.0], [3.0, 0.0]], axis=0)
    array([1., 0.])
    """
    return _reduce(MIN, x, axis, keepdims)


@graph_function
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Σ x / n over ``axis``; integers give float64.

    >>> import mathnet as mn
    >>> mn.mean([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([1.5, 3.5])
    """
    return _reduce(MEAN, x, axis, keepdims)


@graph_function
def any_(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether an element over ``axis`` is not zero.

    >>> import mathnet as mn
    >>> mn.any([[True, False], [False, False]], axis=1)
    array([ True, False])
    """
    x = as_tensor(x, "any")
    return _reduce(SUM, OPS["not_equal"](x, as_tensor(0)), axis, keepdims) > 0


@graph_function
def all_(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether every element over ``axis`` is not zero.

    >>> import mathnet as mn
    >>> mn.all([[True, True], [False, True]], axis=1)
    array([ True, False])
    """
    x = as_tensor(x, "all")
    return OPS["equal"](_reduce(SUM, OPS["equal"](x, as_tensor(0)), axis, keepdims), as_tensor(0))


@graph_function
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """log Σ exp(x) over ``axis``, shifted by the largest element so that it neither overflows nor loses digits.

    >>> import mathnet as mn
    >>> float(mn.logsumexp([1000.0, 1000.0]))
    1000.6931471805599
    """
    x = as_tensor(x, "logsumexp")
    axes = normalize_axes("logsumexp", axis, x.ndim)
    largest = OPS["stop_gradient"](MAX(x, axis=axes, keepdims=True))
    finite = OPS["where"](OPS["isfinite"](largest), largest, as_tensor(0.0))
    result = OPS["log"](SUM(OPS["exp"](x - finite), axis=axes, keepdims=True)) + finite
    return result if keepdims else OPS["reshape"](result, shape=reduced_shape(x.shape, axes, False))


def _arg_reduce(op: Op, x: Any, axis: Any, keepdims: bool) -> Tensor:
    x = as_tensor(x, op.name)
    if axis is None:
        x, axis = OPS["reshape"](x, shape=(product(x.shape),)), 0
    return op(x, axis=normalize_axis(op.name, axis, x.ndim), keepdims=bool(keepdims))


@graph_function
def argmax(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Index of the first largest element along ``axis`` (None: of the flattened array).

    >>> import mathnet as mn
    >>> mn.argmax([[1.0, 2.0], [3.0, 0.0]], axis=1)
    array([1, 0])
    """
    return _arg_reduce(ARGMAX, x, axis, keepdims)


@graph_function
def argmin(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Index of the first smallest element along ``axis`` (None: of the flattened array).

    >>> import mathnet as mn
    >>> mn.argmin([[1.0, 2.0], [3.0, 0.0]], axis=1)
    array([0, 1])
    """
    return _arg_reduce(ARGMIN, x, axis, keepdims)
