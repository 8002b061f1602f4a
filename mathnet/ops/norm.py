"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.op import OPS, as_tensor, graph_function, normalize_axes, normalize_axis
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import abs_, square
from mathnet.ops.comparison import not_equal, where
from mathnet.ops.exponential import power
from mathnet.ops.linear_algebra.spectrum import svdvals
from mathnet.ops.moments import root
from mathnet.ops.reduction import MAX, MIN, SUM, Axes, reduced_shape
from mathnet.ops.shape import moveaxis


@graph_function
def norm(x: Any, ord: float | str | None = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Norm of vectors along one axis, or of matrices along two; arguments as in ``numpy.linalg.norm``.

    axis None and ord None: √Σx² of all elements.  Vectors: ord None or 2 (Euclidean), inf (largest |x|), −inf (smallest), 0 (count of
    x ≠ 0), any other p: (Σ|x|ᵖ)^(1/p).  Matrices: ord None or "fro" (Frobenius), 1 and −1 (largest and smallest sum of a column's
    |x|), inf and −inf (of a row's), 2 and −2 (largest and smallest singular value), "nuc"
    (their sum).  The derivative where the norm is 0 is 0.  Integers give float64.

    Raises ShapeError when the axes do not make vectors or matrices, ArgumentError for an unknown ord.

    >>> import mathnet as mn
    >>> mn.norm([[3.0, 4.0], [6.0, 8.0]], axis=1)
    array([ 5., 10.])
    >>> float(mn.norm([[1.0, -2.0], [3.0, 4.0]], ord=1))
    6.0
    """
    x = as_tensor(x, "norm: x")
    if ord is not None and (isinstance(ord, bool) or not isinstance(ord, (int, float, str))):
        raise ArgumentError(f"norm: ord must be None, a number or 'fro', not {ord!r}")
    x = x if is_float(x.dtype) else OPS["cast"](x, dtype=FLOAT64)
    if axis is None and ord is None:
        return _keeping(root(SUM(square(x), axis=tuple(range(x.ndim)), keepdims=True)), x, None, keepdims)
    if axis is None and x.ndim not in (1, 2):
        raise ShapeError(
            f"norm: ord={ord!r} is for vectors or matrices, but the tensor has shape {show_shape(x.shape)}; name the axes"
        )
    given = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = tuple([normalize_axis("norm", a, x.ndim) for a in given])
    normalize_axes("norm", axes, x.ndim)  # refuses repeats
    if len(axes) == 1:
        return _keeping(_of_vectors(x, ord, axes), x, axes, keepdims)
    if len(axes) == 2:
        return _keeping(_of_matrices(x, ord, axes), x, axes, keepdims)
    raise ShapeError(
        f"norm: axis {axis!r} names {len(axes)} axes; one (vectors) or two (matrices) are needed"
    )


def _keeping(result: Tensor, x: Tensor, axes: Axes | None, keepdims: bool) -> Tensor:
    """``result``, which has size 1 along ``axes``, with or without those axes."""
    if keepdims:
        return result
    reduced = tuple(range(x.ndim)) if axes is None else axes
    return OPS["reshape"](result, shape=reduced_shape(x.shape, reduced, False))


def _of_vectors(x: Tensor, ord: Any, axes: Axes) -> Tensor:
    if ord is None or ord == 2:
        return root(SUM(square(x), axis=axes, keepdims=True))
    if isinstance(ord, str):
        raise ArgumentError(f"norm: ord={ord!r} is not a norm of vectors; use a number, or math.inf")
    if math.isinf(ord):
        return (MAX if ord > 0 else MIN)(abs_(x), axis=axes, keepdims=True)
    if ord == 0:
        return OPS["cast"](SUM(not_equal(x, 0), axis=axes, keepdims=True), dtype=x.dtype)
    if ord == 1:
        return SUM(abs_(x), axis=axes, keepdims=True)
    total = SUM(power(abs_(x), float(ord)), axis=axes, keepdims=True)
    zero = total == 0
    return where(zero, 0.0, power(where(zero, 1.0, total), 1.0 / ord))


def _of_matrices(x: Tensor, ord: Any, axes: Axes) -> Tensor:
    if ord is None or ord == "fro":
        return root(SUM(square(x), axis=tuple(sorted(axes)), keepdims=True))
    if ord in (2, -2, "nuc"):
        return _of_singular_values(x, ord, axes)
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError(
            f"norm: ord={ord!r} is not a norm of matrices; use 'fro', 'nuc', 1, -1, 2, -2, inf or -inf"
        )
    summed, compared = axes if abs(ord) == 1 else axes[::-1]
    sums = SUM(abs_(x), axis=(summed,), keepdims=True)
    return (MAX if ord > 0 else MIN)(sums, axis=(compared,), keepdims=True)


def _of_singular_values(x: Tensor, ord: Any, axes: Axes) -> Tensor:
    values = svdvals(moveaxis(x, axes, (-2, -1)))
    found = (
        SUM(values, axis=(values.ndim - 1,), keepdims=False)
        if ord == "nuc"
        else values[..., 0 if ord == 2 else -1]
    )
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    return OPS["reshape"](found, shape=shape)
