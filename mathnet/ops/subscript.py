"""Subscripts: ``x[index]`` for everything that NumPy takes and whose shape is known beforehand, and writing to such places.

An index is read once (:class:`Subscript`): a slice of x, then, for index arrays, rows of what the slice leaves.  Reading, writing and
adding are built of these two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import INT64, is_float
from mathnet.graph.op import OPS, as_tensor, broadcast_shapes, constant, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.elementwise import match
from mathnet.ops.indexing import SCATTER_ADD, TAKE, WRAP_INDEX, index_tensor
from mathnet.ops.put import PUT_ROWS, PUT_SLICE
from mathnet.ops.shape import SLICE, UNSLICE, broadcast_to, moveaxis, reshape, transpose


class Subscript:
    """An index, read against the tensor that it is for.

    starts, steps, sizes: the slice, one entry per axis of x; arrays: (axis, index tensor) pairs; shape: that of ``x[index]``.
    """

    def __init__(self, x: Tensor, index: Any, name: str) -> None:
        self.x, self.name = x, name
        self.starts: list[int] = []
        self.steps: list[int] = []
        self.sizes: list[Any] = []
        self.arrays: list[tuple[int, Tensor]] = []
        rest: list[Any] = []  # sizes of the result that index arrays have no part in
        place: list[
            tuple[int, bool]
        ] = []  # for each entry: rest sizes before it, whether it is an integer or an array
        for entry in _entries(x, index, name):
            axis = len(self.starts)
            point = entry is not None and not isinstance(entry, slice) and entry is not Ellipsis
            place.append((len(rest), point))
            if entry is None:
                rest.append(1)
            elif entry is Ellipsis:
                for _ in range(x.ndim - _used(index)):
                    rest.append(x.shape[len(self.starts)])
                    self._add(0, 1, rest[-1])
            elif isinstance(entry, slice):
                self._add(*_slice(entry, axis, x, name))
                rest.append(self.sizes[-1])
            elif _is_integer(entry):
                self._add(_position(entry, axis, x, name), 1, 1)
            else:
                self.arrays.append((axis, _index_array(entry, axis, x, name)))
                self._add(0, 1, x.shape[axis])
        self.lead = broadcast_shapes(f"{name}: index arrays", *[t.shape for _, t in self.arrays])
        points = [k for k, (_, point) in enumerate(place) if point]
        together = bool(points) and points[-1] - points[0] == len(points) - 1
        self.at = place[points[0]][0] if together and self.arrays else 0
        self.rest = tuple(rest)
        self.shape = (*rest[: self.at], *self.lead, *rest[self.at :])

    def _add(self, start: int, step: int, size: Any) -> None:
        self.starts.append(start)
        self.steps.append(step)
        self.sizes.append(size)

    # ---- the slice ----
    @property
    def _bounds(self) -> dict[str, Any]:
        return {"starts": tuple(self.starts), "steps": tuple(self.steps)}

    @property
    def _whole(self) -> bool:
        return not any(self.starts) and all(s == 1 for s in self.steps) and tuple(self.sizes) == self.x.shape

    def _sliced(self, x: Tensor) -> Tensor:
        return x if self._whole else SLICE(x, **self._bounds, sizes=tuple(self.sizes))

    # ---- rows of the slice ----
    @property
    def _order(self) -> tuple[int, ...]:
        """Axes of the slice: those of index arrays first."""
        chosen = [axis for axis, _ in self.arrays]
        return (*chosen, *[k for k in range(self.x.ndim) if k not in chosen])

    def _rows(self, x: Tensor) -> Tensor:
        """The slice of x as rows: one for each choice of the axes of index arrays."""
        turned = transpose(self._sliced(x), self._order)
        k = len(self.arrays)
        return reshape(turned, (product(turned.shape[:k]), *turned.shape[k:]))

    def _unrowed(self, rows: Tensor) -> Tensor:
        """The slice that :meth:`_rows` made rows of."""
        order = self._order
        turned = reshape(rows, tuple([self.sizes[axis] for axis in order]))
        return transpose(turned, tuple([order.index(k) for k in range(len(order))]))

    @property
    def _row(self) -> Tensor:
        """Which row each element of the index arrays means."""
        flat: Any = None
        for axis, indices in self.arrays:
            n = self.sizes[axis]
            if flat is None:
                flat = indices
            else:
                flat = OPS["add"](OPS["multiply"](flat, constant(n, INT64)), indices)
        return broadcast_to(flat, self.lead)

    def _row_values(self, values: Tensor) -> Tensor:
        """Values in the shape of ``x[index]`` as one row for each element of the index arrays."""
        k = len(self.lead)
        front = moveaxis(values, tuple(range(self.at, self.at + k)), tuple(range(k)))
        return reshape(front, (*self.lead, *[self.sizes[axis] for axis in self._order[len(self.arrays) :]]))

    # ---- what is done with it ----
    def get(self) -> Tensor:
        if not self.arrays:
            return reshape(self._sliced(self.x), self.shape)
        found = reshape(TAKE(self._rows(self.x), self._row), (*self.lead, *self.rest))
        k = len(self.lead)
        return moveaxis(found, tuple(range(k)), tuple(range(self.at, self.at + k)))

    def put(self, values: Tensor) -> Tensor:
        if self.arrays:
            values = self._unrowed(PUT_ROWS(self._rows(self.x), self._row_values(values), self._row))
            if self._whole:
                return values
        return PUT_SLICE(self.x, reshape(values, tuple(self.sizes)), **self._bounds)

    def add(self, values: Tensor) -> Tensor:
        if self.arrays:
            rows = product(tuple([self.sizes[axis] for axis, _ in self.arrays]))
            values = self._unrowed(SCATTER_ADD(self._row_values(values), self._row, rows=rows))
        values = reshape(values, tuple(self.sizes))
        return OPS["add"](
            self.x, values if self._whole else UNSLICE(values, shape=self.x.shape, **self._bounds)
        )


def _is_integer(entry: Any) -> bool:
    return (
        hasattr(entry, "__index__") and not isinstance(entry, (Tensor, np.ndarray)) and not _symbolic(entry)
    )


def _symbolic(entry: Any) -> bool:
    return isinstance(entry, Tensor) or hasattr(entry, "__mathnet_tensor__")


def _as_entries(index: Any) -> list[Any]:
    return list(index) if isinstance(index, tuple) else [index]


def _used(index: Any) -> int:
    """Axes of x that the entries use up."""
    return sum(entry is not None and entry is not Ellipsis for entry in _as_entries(index))


def _entries(x: Tensor, index: Any, name: str) -> list[Any]:
    """The entries of an index, with one ``...`` among them when axes are left."""
    entries = _as_entries(index)
    if sum(entry is Ellipsis for entry in entries) > 1:
        raise ArgumentError(f"{name}: more than one '...'")
    used = _used(index)
    for entry in entries:
        if isinstance(entry, (bool, np.bool_)):
            index_tensor(name, entry)  # refuses masks
        allowed = entry is None or entry is Ellipsis or isinstance(entry, (slice, list, tuple, np.ndarray))
        if not allowed and not hasattr(entry, "__index__") and not _symbolic(entry):
            raise ArgumentError(
                f"{name}: {type(entry).__name__} is no integer, slice, None, '...' or array of integers"
            )
    if used > x.ndim:
        raise ShapeError(
            f"{name}: {used} indices for a tensor of rank {x.ndim} and shape {show_shape(x.shape)}"
        )
    if not any(entry is Ellipsis for entry in entries):
        entries.append(Ellipsis)
    return entries


def _known(axis: int, x: Tensor, name: str) -> int:
    n = x.shape[axis]
    if isinstance(n, Dim):
        raise ShapeError(
            f"{name}: axis {axis} has the unknown size {n}; only ':' and index arrays can be used there"
        )
    return n


def _slice(entry: slice, axis: int, x: Tensor, name: str) -> tuple[int, int, Any]:
    if entry == slice(None):
        return 0, 1, x.shape[axis]
    n = _known(axis, x, name)
    if entry.step == 0:
        raise ArgumentError(f"{name}: the step of {entry} on axis {axis} must not be 0")
    start, stop, step = entry.indices(n)
    return start, step, len(range(start, stop, step))


def _position(entry: Any, axis: int, x: Tensor, name: str) -> int:
    n, position = _known(axis, x, name), entry.__index__()
    if not -n <= position < n:
        raise ShapeError(f"{name}: index {position} is out of range for axis {axis} of size {n}")
    return position % n


def _index_array(entry: Any, axis: int, x: Tensor, name: str) -> Tensor:
    """An index array along ``axis``, counted from 0: written-out lists are checked now, arrays and tensors in every run."""
    indices, n = index_tensor(name, entry), x.shape[axis]
    if isinstance(entry, (list, tuple)) and not isinstance(n, Dim):
        written = indices.node.attrs.get("array")
        if isinstance(written, np.ndarray):
            wrong = np.flatnonzero((written < -n) | (written >= n))
            if wrong.size:
                raise ShapeError(
                    f"{name}: the index {written.flat[wrong[0]]} at position {wrong[0]} is out of range "
                    f"for axis {axis} of size {n}"
                )
            return as_tensor(np.where(written < 0, written + n, written))
    return WRAP_INDEX(indices, size=n, axis=axis, where=name)


@graph_function
def getitem(x: Any, index: Any) -> Tensor:
    """``x[index]`` by NumPy's rules, for integers, slices, None, ``...`` and arrays of integers (as arrays, tensors or lists).

    Index arrays along several axes are broadcast against each other.  Raises ShapeError for an integer out of range, DataError for an
    element of an index array that is, when the run finds it; boolean masks are refused, because the shape would depend on data.

    >>> import mathnet as mn
    >>> mn.getitem([[1.0, 2.0], [3.0, 4.0]], (slice(None), -1))
    array([2., 4.])
    >>> mn.getitem([[1.0, 2.0], [3.0, 4.0]], ([1, 0, 0], [0, 1, -1]))
    array([3., 2., 2.])
    """
    return Subscript(as_tensor(x, "indexing"), index, "indexing").get()


def _update(name: str, x: Any, index: Any, value: Any) -> tuple[Subscript, Tensor]:
    """The subscript, and the value in the shape of ``x[index]`` and the type of x."""
    x, value = as_tensor(x, f"{name}: x"), as_tensor(value, f"{name}: value")
    if is_float(value.dtype) and not is_float(x.dtype):
        raise DTypeError(
            f"{name}: a value of type {value.dtype} cannot stand among elements of type {x.dtype}; use mn.cast"
        )
    if x.spec.weak:
        x = OPS["cast"](x, dtype=x.dtype)
    where = Subscript(x, index, name)
    try:
        fits = broadcast_shapes(name, value.shape, where.shape) == where.shape
    except ShapeError:
        fits = False
    if not fits:
        raise ShapeError(
            f"{name}: a value of shape {show_shape(value.shape)} does not broadcast to x[index], which has shape "
            f"{show_shape(where.shape)}"
        )
    return where, broadcast_to(match(value, x), where.shape)


@graph_function
def index_update(x: Any, index: Any, value: Any) -> Tensor:
    """A copy of x with ``value`` at ``x[index]``: what ``x[index] = value`` would make of x, for any index that ``x[index]`` takes.

    value: broadcasts to the shape of ``x[index]``.  Where an index array names a place several times the last value stays, and it alone
    has a derivative.

    >>> import mathnet as mn
    >>> mn.index_update([1.0, 2.0, 3.0], [0, 2], [5.0, 7.0])
    array([5., 2., 7.])
    """
    where, values = _update("index_update", x, index, value)
    return where.put(values)


@graph_function
def index_add(x: Any, index: Any, value: Any) -> Tensor:
    """A copy of x with ``value`` added at ``x[index]``; where an index array names a place several times all of its values are added.

    value: broadcasts to the shape of ``x[index]``, for any index that ``x[index]`` takes.  NumPy's ``np.add.at``.

    >>> import mathnet as mn
    >>> mn.index_add([1.0, 2.0, 3.0], [0, 0, 2], 10.0)
    array([21.,  2., 13.])
    """
    where, values = _update("index_add", x, index, value)
    return where.add(values)
