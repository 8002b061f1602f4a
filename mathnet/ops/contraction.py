"""Sums of products over chosen axes: tensordot, outer, inner, vdot, kron, dot.  :mod:`mathnet.ops.einsum` has the general form."""

from __future__ import annotations

from typing import Any

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.op import OPS, as_tensor, graph_function, normalize_axis
from mathnet.graph.tensor import Tensor
from mathnet.ops.matmul import matmul
from mathnet.ops.shape import expand_dims, reshape, transpose
from mathnet.ops.splitting import ravel


def _pair(name: str, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    return as_tensor(x, f"{name}: first operand"), as_tensor(y, f"{name}: second operand")


@graph_function
def tensordot(x: Any, y: Any, axes: Any = 2) -> Tensor:
    """Σ of products over paired axes; the other axes of x, then those of y, are the axes of the result.

    axes: a number n, for the last n axes of x with the first n of y, or (axes of x, axes of y), each an int or a list.

    >>> import mathnet as mn
    >>> mn.tensordot([[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0], axes=1)
    array([21., 43.])
    """
    x, y = _pair("tensordot", x, y)
    if isinstance(axes, (tuple, list)):
        if len(axes) != 2:
            raise ArgumentError(
                f"tensordot: axes must be an integer or a pair (axes of x, axes of y), not {axes!r}"
            )
        given = [list(a) if isinstance(a, (tuple, list)) else [a] for a in axes]
    else:
        if isinstance(axes, (bool, Tensor)) or not hasattr(axes, "__index__") or axes.__index__() < 0:
            raise ArgumentError(
                f"tensordot: axes must be an integer ≥ 0 or a pair (axes of x, axes of y), not {axes!r}"
            )
        n = axes.__index__()
        if n > min(x.ndim, y.ndim):
            raise ShapeError(
                f"tensordot: shapes {show_shape(x.shape)} and {show_shape(y.shape)} do not both have {n} axes"
            )
        given = [list(range(x.ndim - n, x.ndim)), list(range(n))]
    if len(given[0]) != len(given[1]):
        raise ShapeError(
            f"tensordot: {len(given[0])} axes of x cannot be paired with {len(given[1])} axes of y"
        )
    xs = [normalize_axis("tensordot", a, x.ndim) for a in given[0]]
    ys = [normalize_axis("tensordot", a, y.ndim) for a in given[1]]
    if len(set(xs)) != len(xs) or len(set(ys)) != len(ys):
        raise ShapeError(f"tensordot: axes {axes!r} name an axis twice")
    for a, b in zip(xs, ys):
        if x.shape[a] != y.shape[b]:
            raise ShapeError(
                f"tensordot: axis {a} of x has size {x.shape[a]} and axis {b} of y has size {y.shape[b]}; "
                f"shapes {show_shape(x.shape)} and {show_shape(y.shape)}"
            )
    free_x = [k for k in range(x.ndim) if k not in xs]
    free_y = [k for k in range(y.ndim) if k not in ys]
    shape = (*[x.shape[k] for k in free_x], *[y.shape[k] for k in free_y])
    if not xs:
        return outer_product(x, y)
    inside = product(tuple([x.shape[k] for k in xs]))
    rows = reshape(transpose(x, (*free_x, *xs)), (product(tuple([x.shape[k] for k in free_x])), inside))
    columns = reshape(transpose(y, (*ys, *free_y)), (inside, product(tuple([y.shape[k] for k in free_y]))))
    return reshape(matmul(rows, columns), shape)


def outer_product(x: Tensor, y: Tensor) -> Tensor:
    """Every element of x times every element of y; the axes of x, then those of y."""
    return OPS["multiply"](reshape(x, (*x.shape, *[1] * y.ndim)), y)


@graph_function
def outer(x: Any, y: Any) -> Tensor:
    """Every element of x times every element of y, as a matrix of the two flattened.

    >>> import mathnet as mn
    >>> mn.outer([1.0, 2.0], [3.0, 4.0])
    array([[3., 4.],
           [6., 8.]])
    """
    x, y = _pair("outer", x, y)
    return outer_product(ravel(x), ravel(y))


@graph_function
def inner(x: Any, y: Any) -> Tensor:
    """Σ of products over the last axes of both; for a number, the product.

    >>> import mathnet as mn
    >>> float(mn.inner([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    x, y = _pair("inner", x, y)
    return OPS["multiply"](x, y) if x.ndim == 0 or y.ndim == 0 else tensordot(x, y, (-1, -1))


@graph_function
def vdot(x: Any, y: Any) -> Tensor:
    """Σ of products of the elements of both, flattened.

    >>> import mathnet as mn
    >>> float(mn.vdot([[1.0, 2.0]], [[3.0, 4.0]]))
    11.0
    """
    x, y = _pair("vdot", x, y)
    if product(x.shape) != product(y.shape):
        raise ShapeError(
            f"vdot: shapes {show_shape(x.shape)} and {show_shape(y.shape)} have different numbers of elements"
        )
    return matmul(ravel(x), ravel(y))


@graph_function
def dot(x: Any, y: Any) -> Tensor:
    """NumPy's ``dot``: Σ over the last axis of x and the last but one of y (the only one of a vector); with a number, the product.

    >>> import mathnet as mn
    >>> float(mn.dot([1.0, 2.0], [3.0, 4.0]))
    11.0
    """
    x, y = _pair("dot", x, y)
    if x.ndim == 0 or y.ndim == 0:
        return OPS["multiply"](x, y)
    if x.ndim <= 2 and y.ndim <= 2:
        return matmul(x, y)
    return tensordot(x, y, (-1, -2 if y.ndim > 1 else -1))


@graph_function
def kron(x: Any, y: Any) -> Tensor:
    """The Kronecker product: x with each of its elements replaced by that element times y.

    >>> import mathnet as mn
    >>> mn.kron([1.0, 10.0], [1.0, 2.0])
    array([ 1.,  2., 10., 20.])
    """
    x, y = _pair("kron", x, y)
    rank = max(x.ndim, y.ndim)
    x = expand_dims(x, tuple(range(rank - x.ndim))) if x.ndim < rank else x
    y = expand_dims(y, tuple(range(rank - y.ndim))) if y.ndim < rank else y
    apart = [
        reshape(t, tuple([s for n in t.shape for s in pair(n)])) for t, pair in ((x, _first), (y, _second))
    ]
    return reshape(OPS["multiply"](*apart), tuple([a * b for a, b in zip(x.shape, y.shape)]))


def _first(n: Any) -> tuple[Any, Any]:
    return n, 1


def _second(n: Any) -> tuple[Any, Any]:
    return 1, n
