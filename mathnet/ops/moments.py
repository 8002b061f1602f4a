"""Variance, standard deviation, range and count over axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.dtypes import FLOAT64, INT64, is_float
from mathnet.graph.op import OPS, Op, as_tensor, graph_function, normalize_axes, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.arithmetic import sqrt, square
from mathnet.ops.comparison import maximum, not_equal, where
from mathnet.ops.reduction import MEAN, SUM, Axes, Reduction, extent, max_, min_, spread


class Moment(Reduction):
    """A reduction with ``ddof``, the number of degrees of freedom that the mean has used up."""

    needs_elements = True

    def infer(self, x: Spec, axis: Axes, keepdims: bool, ddof: float) -> Spec:  # type: ignore[override]
        return super().infer(x, axis, keepdims)

    def result_type(self, dtype: np.dtype) -> np.dtype:
        return dtype if is_float(dtype) else FLOAT64

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [(arrays, {**attrs, "ddof": 0}) for arrays, attrs in super().samples() if attrs["axis"]] + [
            (arrays, {**attrs, "ddof": 1}) for arrays, attrs in super().samples() if attrs["axis"]
        ]


class Var(Moment):
    """Σ (x − mean)²/(n − ddof) over axes, in two passes: first the mean, then the squares."""

    name, formula = "var", "Σ (x - mean)²/(n - ddof)"

    def expansion(self, x: Tensor, axis: Axes, keepdims: bool, ddof: float) -> Tensor:  # type: ignore[override]
        return SUM(square(_centred(x, axis)), axis=axis, keepdims=keepdims) / _freedom(x, axis, ddof)

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        axis: Axes,
        keepdims: bool,
        ddof: float,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = inputs  # the mean's own derivative drops out, because Σ (x − mean) = 0
        return (_centred(x, axis) * (spread(dy, x, axis) * (2.0 / _freedom(x, axis, ddof))),)

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool, ddof: float) -> np.ndarray:  # type: ignore[override]
        return np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)


class Std(Moment):
    """√ of the variance; its derivative is promised to be 0 where all elements are equal."""

    name, formula = "std", "√(Σ (x - mean)²/(n - ddof))"

    def expansion(self, x: Tensor, axis: Axes, keepdims: bool, ddof: float) -> Tensor:  # type: ignore[override]
        return root(VAR(x, axis=axis, keepdims=keepdims, ddof=ddof))

    def oracle(self, x: np.ndarray, axis: Axes, keepdims: bool, ddof: float) -> np.ndarray:  # type: ignore[override]
        return np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)


def root(x: Tensor) -> Tensor:
    """√x with the derivative 0 at 0, for sums of squares."""
    zero = x == 0
    return where(zero, 0.0, sqrt(where(zero, 1.0, x)))


def _centred(x: Tensor, axis: Axes) -> Tensor:
    x = x if is_float(x.dtype) else OPS["cast"](x, dtype=FLOAT64)
    return x - MEAN(x, axis=axis, keepdims=True)


def _freedom(x: Tensor, axis: Axes, ddof: float) -> Tensor:
    """n − ddof, at least 0: too few elements give NaN, as in NumPy."""
    return maximum(extent(x, axis) - ddof, 0)


VAR, STD = register(Var()), register(Std())


def _moment(op: Op, x: Any, axis: Any, ddof: float, keepdims: bool) -> Tensor:
    x = as_tensor(x, op.name)
    if isinstance(ddof, bool) or not isinstance(ddof, (int, float, np.integer, np.floating)):
        raise ArgumentError(f"{op.name}: ddof must be a Python number, not {ddof!r}")
    return op(x, axis=normalize_axes(op.name, axis, x.ndim), keepdims=bool(keepdims), ddof=ddof)


@graph_function
def var(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Σ (x − mean)²/(n − ddof) over ``axis``; integers give float64, ddof elements or fewer NaN; none are an error.

    >>> import mathnet as mn
    >>> mn.var([[1.0, 3.0], [2.0, 6.0]], axis=1)
    array([1., 4.])
    """
    return _moment(VAR, x, axis, ddof, keepdims)


@graph_function
def std(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """√ of the variance over ``axis``; the derivative is 0 where all elements are equal.

    >>> import mathnet as mn
    >>> mn.std([[1.0, 3.0], [2.0, 6.0]], axis=1)
    array([1., 2.])
    """
    return _moment(STD, x, axis, ddof, keepdims)


@graph_function
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest minus the smallest element over ``axis``.

    >>> import mathnet as mn
    >>> mn.ptp([[1.0, 3.0], [2.0, 6.0]], axis=1)
    array([2., 4.])
    """
    return max_(x, axis, keepdims) - min_(x, axis, keepdims)


@graph_function
def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements over ``axis`` are not 0, as int64.

    >>> import mathnet as mn
    >>> mn.count_nonzero([[0.0, 3.0], [2.0, 6.0]], axis=1)
    array([1, 2])
    """
    x = as_tensor(x, "count_nonzero")
    counted = SUM(
        not_equal(x, 0), axis=normalize_axes("count_nonzero", axis, x.ndim), keepdims=bool(keepdims)
    )
    return OPS["cast"](counted, dtype=INT64)
