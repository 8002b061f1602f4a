"""Rows by integer index: taking them, adding them up, and reading indices as Python does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DataError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import BOOL, INT64, is_float
from mathnet.graph.op import OPS, Op, as_tensor, batched, count, graph_function, normalize_axis, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.shape import moveaxis


def _offset(indices: Tensor, n: Any, rows: Any) -> Tensor:
    """Row numbers (n, …) into n tables of ``rows`` rows, as row numbers into the tables put below each other."""
    first = as_tensor(np.arange(n)) * rows
    return indices + OPS["reshape"](first, shape=(n, *(1,) * (indices.ndim - 1)))


class Take(Op):
    """x[indices] along axis 0.  Inputs: x (rows, …), int64 indices of any shape; an index outside of 0 … rows−1 is an error.

    Attributes, for the error only: axis and size, what the caller calls the axis that has the rows.
    """

    name, formula, onnx = "take", "x[i]", "Gather"

    def infer(self, x: Spec, indices: Spec, axis: int = 0, size: Any = None) -> Spec:  # type: ignore[override]
        return Spec((*indices.shape, *x.shape[1:]), x.dtype, x.weak)

    def batch(  # type: ignore[override]
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axis: int = 0, size: Any = None
    ) -> Tensor:
        x, indices = inputs
        if not mapped[0]:
            return self(x, indices, axis=axis, size=size)
        indices = batched(indices, n, mapped[1])
        rows = OPS["reshape"](x, shape=(x.shape[0] * x.shape[1], *x.shape[2:]))
        size = x.shape[1] if size is None else size
        safe = OPS["wrap_index"](indices, size=x.shape[1], axis=axis, where="take")
        return self(rows, _offset(safe, n, x.shape[1]), axis=axis, size=size)

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        axis: int = 0,
        size: Any = None,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, indices = inputs
        return SCATTER_ADD(dy, indices, rows=x.shape[0]), None

    def lower(self, emit: Any, inputs: Any, outputs: Any, axis: int = 0, size: Any = None) -> None:  # type: ignore[override]
        x, indices = emit.dense(inputs[0]), emit.dense(inputs[1])
        if outputs[0].size:
            emit.kernel(
                "gather_rows",
                [x, indices],
                outputs,
                rows=x.shape[0],
                width=product(x.shape[1:]),
                n=indices.size,
                itemsize=x.dtype.itemsize,
            )

    def message(self, code: int, position: int, value: float, axis: int = 0, size: Any = None) -> str:  # type: ignore[override]
        sizes = "" if size is None else f" for axis {axis} of size {size}"
        return f"take: the index {int(value)} at position {position} is out of range{sizes}"

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 2 * count(outputs[0]) * outputs[0].dtype.itemsize

    def oracle(self, x: np.ndarray, indices: np.ndarray, **attrs: Any) -> np.ndarray:  # type: ignore[override]
        return x[indices]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(11).uniform(-1, 1, (5, 3))
        return [
            ((x, np.array([0, 4, 4, 1])), {}),
            ((x, np.array([[2, 0], [1, 1]])), {"axis": 1, "size": 5}),
            ((x, np.zeros((0,), np.int64)), {}),
        ]


class ScatterAdd(Op):
    """The transpose of take: rows of dy added up at their indices, in order.  Attribute rows: the number of rows of the result."""

    name, formula = "scatter_add", "Σ dy over equal indices"

    def infer(self, dy: Spec, indices: Spec, rows: Any) -> Spec:  # type: ignore[override]
        return Spec((rows, *dy.shape[indices.ndim :]), dy.dtype)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], rows: Any) -> Tensor:  # type: ignore[override]
        dy, indices = (batched(x, n, m) for x, m in zip(inputs, mapped))
        safe = OPS["wrap_index"](indices, size=rows, axis=0, where="scatter_add")
        made = self(dy, _offset(safe, n, rows), rows=n * rows)
        return OPS["reshape"](made, shape=(n, rows, *made.shape[1:]))

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], rows: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return TAKE(dy, inputs[1]), None

    def lower(self, emit: Any, inputs: Any, outputs: Any, rows: int) -> None:  # type: ignore[override]
        dy, indices = emit.dense(inputs[0]), emit.dense(inputs[1])
        width = product(outputs[0].shape[1:])
        if not outputs[0].size:
            return
        if not dy.size:
            emit.fill(outputs[0], 0)
        elif is_float(dy.dtype):
            emit.kernel("scatter_add_rows", [dy, indices], outputs, rows=rows, width=width, n=indices.size)
        else:
            emit.host(self._add_integers, [dy, indices], outputs)

    def _add_integers(self, arrays: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> None:
        """Integers and bools, on the host."""
        (dy, indices), (target,) = arrays, targets
        rows = len(target)
        wrong = np.flatnonzero((indices < 0) | (indices >= rows))
        if wrong.size:
            raise DataError(
                self.message(1, int(wrong[0]), indices.flat[wrong[0]], rows) + "; nothing was changed"
            )
        target[...] = 0
        np.add.at(target, indices, dy)

    def message(self, code: int, position: int, value: float, rows: Any) -> str:  # type: ignore[override]
        return f"scatter_add: the index {int(value)} at position {position} is out of range for {rows} rows"

    def oracle(self, dy: np.ndarray, indices: np.ndarray, rows: int) -> np.ndarray:  # type: ignore[override]
        out = np.zeros((rows, *dy.shape[indices.ndim :]), dy.dtype)
        np.add.at(out, indices, dy)
        return out

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        dy = np.random.default_rng(12).uniform(-1, 1, (4, 3))
        return [
            ((dy, np.array([0, 4, 4, 1])), {"rows": 5}),
            ((np.arange(12).reshape(4, 3), np.array([0, 4, 4, 1])), {"rows": 5}),
            ((dy[:0], np.zeros((0,), np.int64)), {"rows": 2}),
        ]


class WrapIndex(Op):
    """Indices along an axis, negative ones counted from its end; one outside of −size … size−1 is an error.

    Attributes: size and axis of what is indexed, and where, the words that the error begins with.
    """

    name, formula, domain = "wrap_index", "i + n·(i < 0)", "−n ≤ i < n"

    def infer(self, indices: Spec, size: Any, axis: int, where: str) -> Spec:  # type: ignore[override]
        return Spec(indices.shape, INT64)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        return self(inputs[0], **attrs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (None,)

    def lower(self, emit: Any, inputs: Any, outputs: Any, size: int, axis: int, where: str) -> None:  # type: ignore[override]
        indices = emit.dense(inputs[0])
        if indices.size:
            emit.kernel("wrap_index", [indices], outputs, size=size, n=indices.size)

    def message(self, code: int, position: int, value: float, size: Any, axis: int, where: str) -> str:  # type: ignore[override]
        return f"{where}: the index {int(value)} at position {position} is out of range for axis {axis} of size {size}"

    def oracle(self, indices: np.ndarray, size: int, axis: int, where: str) -> np.ndarray:  # type: ignore[override]
        return np.where(indices < 0, indices + size, indices)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        indices = np.array([[0, -1, 4], [-5, 2, -3]])
        return [
            ((i,), {"size": 5, "axis": 0, "where": "x"}) for i in (indices, indices[0, 1], indices[:, :0])
        ]


TAKE, SCATTER_ADD, WRAP_INDEX = register(Take()), register(ScatterAdd()), register(WrapIndex())


def index_tensor(name: str, value: Any) -> Tensor:
    """Integer indices as an int64 tensor; an empty list holds no index of the wrong type."""
    if isinstance(value, (list, tuple)) and np.size(np.asarray(value, object)) == 0:
        value = np.zeros(np.shape(value), np.int64)
    indices = as_tensor(value, f"{name}: indices")
    if indices.dtype == BOOL:
        raise ArgumentError(
            f"{name}: a boolean mask chooses a number of elements that only the data know; "
            "use mn.where(mask, x, y) to choose element by element, or np.flatnonzero(mask) to make indices outside of the graph"
        )
    if indices.dtype != INT64:
        raise DTypeError(f"{name}: indices must be integers, not {indices.dtype}; use mn.cast")
    return indices


@graph_function
def take(x: Any, indices: Any, axis: int | None = 0) -> Tensor:
    """Slices of x at integer indices along ``axis``, which the axes of ``indices`` replace; axis None: elements of the flattened x.

    Raises DataError for an index outside of 0 … n−1 (negative ones too: they are mistakes more often than wishes; ``x[indices]`` takes
    them).

    >>> import mathnet as mn
    >>> mn.take([[1.0, 2.0], [3.0, 4.0]], [1, 1, 0])
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    x, indices = as_tensor(x, "take: x"), index_tensor("take", indices)
    if axis is None:
        x, axis = OPS["reshape"](x, shape=(product(x.shape),)), 0
    if x.ndim == 0:
        raise ShapeError("take: a number has no axis to take from")
    position = normalize_axis("take", axis, x.ndim)
    result = TAKE(moveaxis(x, position, 0), indices, axis=position, size=x.shape[position])
    return moveaxis(result, tuple(range(indices.ndim)), tuple(range(position, position + indices.ndim)))


@graph_function
def scatter_add(x: Any, indices: Any, size: Any, axis: int = 0) -> Tensor:
    """Zeros with ``size`` slices along ``axis``, to which slice k of x is added at index ``indices[k]``: the transpose of :func:`take`.

    The axes of ``indices`` are axes ``axis``, ``axis + 1``, … of x.  Equal indices add up, in order.  Raises DataError for an index
    outside of 0 … size−1.

    >>> import mathnet as mn
    >>> mn.scatter_add([1.0, 2.0, 4.0], [0, 2, 2], 3)
    array([1., 0., 6.])
    """
    x, indices = as_tensor(x, "scatter_add: x"), index_tensor("scatter_add", indices)
    if not isinstance(size, Dim) and (
        isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 0
    ):
        raise ArgumentError(f"scatter_add: size must be the number of slices of the result, not {size!r}")
    position = normalize_axis("scatter_add", axis, x.ndim + (indices.ndim == 0))
    own = x.shape[position : position + indices.ndim]
    if own != indices.shape:
        raise ShapeError(
            f"scatter_add: indices of shape {show_shape(indices.shape)} do not fit to axis {position} of x of shape "
            f"{show_shape(x.shape)}; the axes of x that start there must be those of the indices"
        )
    front = moveaxis(x, tuple(range(position, position + indices.ndim)), tuple(range(indices.ndim)))
    rows = size if isinstance(size, Dim) else size.__index__()
    return moveaxis(SCATTER_ADD(front, indices, rows=rows), 0, position)


@graph_function
def embedding(indices: Any, weight: Any) -> Tensor:
    """Rows of ``weight`` at integer indices, as PyTorch's function of that name.

    indices int64 of any shape, weight (rows, width) → (…, width).  Raises DataError for an index outside of 0 … rows−1.

    >>> import mathnet as mn
    >>> mn.embedding([[1, 0]], [[1.0, 2.0], [3.0, 4.0]])
    array([[[3., 4.],
            [1., 2.]]])
    """
    weight = as_tensor(weight, "embedding: weight")
    if weight.ndim != 2:
        raise ShapeError(
            f"embedding: weight must have two axes (rows, width), but its shape is {show_shape(weight.shape)}"
        )
    return take(weight, indices)
