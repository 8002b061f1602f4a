"""Arrays taken apart and put together: split, array_split, hstack, vstack, column_stack, and axes that these need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.op import as_tensor, broadcast_shapes, graph_function, normalize_axis
from mathnet.graph.tensor import Tensor
from mathnet.ops.shape import SLICE, broadcast_to, concatenate, expand_dims, flip, reshape, transpose


def part(x: Tensor, axis: int, start: int, stop: Any) -> Tensor:
    """x from ``start`` to ``stop`` along an axis."""
    if start == 0 and stop == x.shape[axis]:
        return x
    starts = tuple([start if k == axis else 0 for k in range(x.ndim)])
    sizes = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
    return SLICE(x, starts=starts, steps=(1,) * x.ndim, sizes=sizes)


def _split(name: str, x: Any, sections: Any, axis: Any, even: bool) -> list[Tensor]:
    x = as_tensor(x, name)
    if x.ndim == 0:
        raise ShapeError(f"{name}: a number has no axis to be split along")
    position = normalize_axis(name, axis, x.ndim)
    n = x.shape[position]
    if isinstance(n, Dim):
        raise ShapeError(
            f"{name}: axis {position} has the unknown size {n}, so where its parts end is not known"
        )
    listed = isinstance(sections, (list, tuple))
    values = list(sections) if listed else [sections]
    if any(isinstance(v, (bool, Tensor)) or not hasattr(v, "__index__") for v in values):
        raise ArgumentError(
            f"{name}: indices_or_sections must be an integer or a list of integers known when the graph is built, not {sections!r}"
        )
    if listed:
        bounds = [slice(None, v.__index__()).indices(n)[1] for v in values]
        starts, stops = [0, *bounds], [*bounds, n]
        return [part(x, position, a, max(a, b)) for a, b in zip(starts, stops)]
    count = values[0].__index__()
    if count < 1:
        raise ArgumentError(f"{name}: the number of parts must be positive, not {count}")
    if even and n % count:
        raise ShapeError(
            f"{name}: axis {position} of size {n} has no {count} equal parts; mn.array_split makes parts that differ by one"
        )
    small, longer = divmod(n, count)
    stops = np.cumsum([small + (k < longer) for k in range(count)]).tolist()
    return [part(x, position, a, b) for a, b in zip([0, *stops], stops)]


@graph_function
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """A list of parts of x along ``axis``: so many equal ones, or those that end before each of the listed indices.

    Raises ShapeError when the axis cannot be divided equally.

    >>> import mathnet as mn
    >>> mn.split([1.0, 2.0, 3.0, 4.0], 2)
    [array([1., 2.]), array([3., 4.])]
    >>> [len(p) for p in mn.split([1.0, 2.0, 3.0, 4.0], [1, 3])]
    [1, 2, 1]
    """
    return _split("split", x, indices_or_sections, axis, even=True)


@graph_function
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """As :func:`split`, but the parts may differ by one element, the longer ones first.

    >>> import mathnet as mn
    >>> mn.array_split([1.0, 2.0, 3.0], 2)
    [array([1., 2.]), array([3.])]
    """
    return _split("array_split", x, indices_or_sections, axis, even=False)


def _operands(name: str, xs: Any) -> list[Tensor]:
    if isinstance(xs, Tensor):
        xs = [xs[k] for k in range(len(xs))]
    tensors = [as_tensor(x, f"{name}: operand {k}") for k, x in enumerate(xs)]
    if not tensors:
        raise ArgumentError(f"{name}: at least one operand is needed")
    return tensors


@graph_function
def atleast_1d(x: Any) -> Tensor:
    """x, a number as an array of one element.

    >>> import mathnet as mn
    >>> mn.atleast_1d(2.0)
    array([2.])
    """
    x = as_tensor(x, "atleast_1d")
    return x if x.ndim else reshape(x, (1,))


@graph_function
def atleast_2d(x: Any) -> Tensor:
    """x, a number or vector as a matrix of one row.

    >>> import mathnet as mn
    >>> mn.atleast_2d([1.0, 2.0])
    array([[1., 2.]])
    """
    x = atleast_1d(x)
    return x if x.ndim > 1 else expand_dims(x, 0)


@graph_function
def atleast_3d(x: Any) -> Tensor:
    """x with three axes or more: (n,) becomes (1, n, 1), (m, n) becomes (m, n, 1).

    >>> import mathnet as mn
    >>> mn.atleast_3d([1.0, 2.0]).shape
    (1, 2, 1)
    """
    x = atleast_2d(x)
    return x if x.ndim > 2 else expand_dims(x, 2)


@graph_function
def hstack(xs: Any) -> Tensor:
    """Tensors joined along the second axis, vectors along their only one.

    >>> import mathnet as mn
    >>> mn.hstack([[1.0], [2.0, 3.0]])
    array([1., 2., 3.])
    """
    tensors = [atleast_1d(x) for x in _operands("hstack", xs)]
    return concatenate(tensors, 0 if tensors[0].ndim == 1 else 1)


@graph_function
def vstack(xs: Any) -> Tensor:
    """Tensors joined along the first axis; vectors are rows.

    >>> import mathnet as mn
    >>> mn.vstack([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]])
    """
    return concatenate([atleast_2d(x) for x in _operands("vstack", xs)], 0)


@graph_function
def column_stack(xs: Any) -> Tensor:
    """Vectors as the columns of a matrix; matrices are joined along their second axis.

    >>> import mathnet as mn
    >>> mn.column_stack([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 3.],
           [2., 4.]])
    """
    tensors = [atleast_1d(x) for x in _operands("column_stack", xs)]
    return concatenate([expand_dims(x, 1) if x.ndim == 1 else x for x in tensors], 1)


@graph_function
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """x with two axes exchanged.

    >>> import mathnet as mn
    >>> mn.swapaxes([[1.0, 2.0]], 0, 1)
    array([[1.],
           [2.]])
    """
    x = as_tensor(x, "swapaxes")
    a, b = (normalize_axis("swapaxes", axis, x.ndim) for axis in (axis1, axis2))
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return transpose(x, tuple(order))


@graph_function
def ravel(x: Any) -> Tensor:
    """The elements of x in row-major order, along one axis.

    >>> import mathnet as mn
    >>> mn.ravel([[1.0, 2.0], [3.0, 4.0]])
    array([1., 2., 3., 4.])
    """
    x = as_tensor(x, "ravel")
    return reshape(x, (product(x.shape),))


@graph_function
def broadcast_arrays(*xs: Any) -> tuple[Tensor, ...]:
    """All operands repeated to their common shape.

    >>> import mathnet as mn
    >>> [a.shape for a in mn.broadcast_arrays([[1.0], [2.0]], [3.0, 4.0, 5.0])]
    [(2, 3), (2, 3)]
    """
    tensors = [as_tensor(x, f"broadcast_arrays: operand {k}") for k, x in enumerate(xs)]
    shape = broadcast_shapes("broadcast_arrays", *[t.shape for t in tensors])
    return tuple([broadcast_to(t, shape) for t in tensors])


@graph_function
def meshgrid(*xs: Any, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Coordinates of a grid over vectors: one array for each, of all their sizes.

    indexing: ``"ij"`` for axes in the order of the vectors, ``"xy"`` for the first two exchanged, as in a picture.

    >>> import mathnet as mn
    >>> mn.meshgrid([1.0, 2.0], [3.0, 4.0, 5.0])[0]
    array([[1., 2.],
           [1., 2.],
           [1., 2.]])
    """
    if indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid: indexing must be 'xy' or 'ij', not {indexing!r}")
    vectors = [atleast_1d(as_tensor(x, f"meshgrid: operand {k}")) for k, x in enumerate(xs)]
    for k, v in enumerate(vectors):
        if v.ndim != 1:
            raise ShapeError(f"meshgrid: operand {k} has shape {show_shape(v.shape)}, but one axis is needed")
    sizes = tuple([v.shape[0] for v in vectors])
    grids = [
        broadcast_to(reshape(v, (*[1] * k, v.shape[0], *[1] * (len(vectors) - k - 1))), sizes)
        for k, v in enumerate(vectors)
    ]
    return tuple([swapaxes(g, 0, 1) if indexing == "xy" and len(vectors) > 1 else g for g in grids])


@graph_function
def rot90(x: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """x turned k times by a quarter, from the first of ``axes`` towards the second.

    >>> import mathnet as mn
    >>> mn.rot90([[1.0, 2.0], [3.0, 4.0]])
    array([[2., 4.],
           [1., 3.]])
    """
    x = as_tensor(x, "rot90")
    if len(tuple(axes)) != 2:
        raise ArgumentError(f"rot90: axes must be two, not {axes!r}")
    first, second = (normalize_axis("rot90", axis, x.ndim) for axis in axes)
    if first == second:
        raise ShapeError(f"rot90: axes {tuple(axes)} name one axis twice")
    turns = k % 4
    if turns == 2:
        return flip(x, (first, second))
    if turns == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second) if turns else x
