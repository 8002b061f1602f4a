"""Diagonals and triangles of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import FLOAT64, graph_dtype
from mathnet.graph.op import FUNCTIONS, OPS, Op, as_tensor, constant, graph_function, normalize_axis, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.shape import Rearrangement, Shape, moveaxis


def diagonal_size(rows: Any, columns: Any, offset: int) -> Any:
    """Length of the diagonal ``offset`` of a matrix; of unknown sizes only a square's is known."""
    if isinstance(rows, Dim) and rows == columns:
        return rows - abs(offset)
    return max(min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns), 0)


class Diagonal(Rearrangement):
    """The diagonal of the last two axes, as a new last axis; ``offset`` counts to the right of the main one."""

    name, formula = "diagonal", "x[…, i, i + offset]"

    def infer(self, x: Spec, offset: int) -> Spec:  # type: ignore[override]
        return Spec((*x.shape[:-2], diagonal_size(x.shape[-2], x.shape[-1], offset)), x.dtype, x.weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], offset: int) -> Tensor:  # type: ignore[override]
        return self(inputs[0], offset=offset)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], offset: int
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (FROM_DIAGONAL(dy, shape=inputs[0].shape[-2:], offset=offset),)

    def view(self, view: Any, offset: int) -> Any:  # type: ignore[override]
        *lead, down, right = view.strides
        n = diagonal_size(view.shape[-2], view.shape[-1], offset)
        start = 0 if n == 0 else offset * right if offset >= 0 else -offset * down
        return view.with_shape((*view.shape[:-2], n), (*lead, down + right), start)

    def oracle(self, x: np.ndarray, offset: int) -> np.ndarray:  # type: ignore[override]
        return np.diagonal(x, offset, -2, -1)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(24.0).reshape(2, 3, 4)
        return [((x,), {"offset": offset}) for offset in (0, 1, -2, 4)] + [((x[0, :, :3],), {"offset": 0})]


class FromDiagonal(Op):
    """The transpose of :class:`Diagonal`: zeros with the last axis of dy on the diagonal of new last two axes of the given shape."""

    name, formula = "from_diagonal", "dy[…, i] at […, i, i + offset], else 0"

    def infer(self, dy: Spec, shape: Shape, offset: int) -> Spec:  # type: ignore[override]
        return Spec((*dy.shape[:-1], *shape), dy.dtype, dy.weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        return self(inputs[0], **attrs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], shape: Shape, offset: int
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (DIAGONAL(dy, offset=offset),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, shape: Shape, offset: int) -> None:  # type: ignore[override]
        emit.fill(outputs[0], 0)
        emit.copy(inputs[0], DIAGONAL.view(outputs[0], offset))  # type: ignore[misc]

    def oracle(self, dy: np.ndarray, shape: Shape, offset: int) -> np.ndarray:  # type: ignore[override]
        y = np.zeros((*dy.shape[:-1], *shape), dy.dtype)
        i = np.arange(dy.shape[-1])
        y[..., i + max(-offset, 0), i + max(offset, 0)] = dy
        return y

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(1.0, 7.0).reshape(2, 3)
        return [
            ((x,), {"shape": (3, 3), "offset": 0}),
            ((x,), {"shape": (3, 5), "offset": 2}),
            ((x[0],), {"shape": (4, 4), "offset": -1}),
            ((x[:, :0],), {"shape": (2, 2), "offset": 2}),
        ]


class Triangle(Op):
    """x where column − row ≤ k (lower) or ≥ k (upper) in the last two axes, zero elsewhere.  Attributes: k, upper."""

    name, formula = "triangle", "x if j − i ≤ k, else 0"

    def infer(self, x: Spec, k: int, upper: bool) -> Spec:  # type: ignore[override]
        return Spec(x.shape, x.dtype, x.weak)

    def expansion(self, x: Tensor, k: int, upper: bool) -> Tensor:  # type: ignore[override]
        lower = np.tri(*x.shape[-2:], k - 1 if upper else k, dtype=bool)  # type: ignore[call-overload]
        zero = constant(0, x.dtype)
        return OPS["where"](as_tensor(~lower if upper else lower), x, zero)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], k: int, upper: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (TRIANGLE(dy, k=k, upper=upper),)

    def oracle(self, x: np.ndarray, k: int, upper: bool) -> np.ndarray:  # type: ignore[override]
        return np.triu(x, k) if upper else np.tril(x, k)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(1.0, 25.0).reshape(2, 3, 4)
        return [((x,), {"k": k, "upper": upper}) for k in (0, 1, -2) for upper in (False, True)]


DIAGONAL, FROM_DIAGONAL, TRIANGLE = register(Diagonal()), register(FromDiagonal()), register(Triangle())


def _offset(name: str, value: Any, argument: str = "offset") -> int:
    if isinstance(value, (bool, Tensor)) or not hasattr(value, "__index__"):
        raise ArgumentError(
            f"{name}: {argument} must be an integer that is known when the graph is built, not {value!r}"
        )
    return value.__index__()


@graph_function
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonal of the axes ``axis1`` and ``axis2`` as the last axis of the result; ``offset`` counts to the right of the main one.

    >>> import mathnet as mn
    >>> mn.diagonal([[1.0, 2.0], [3.0, 4.0]])
    array([1., 4.])
    """
    x, k = as_tensor(x, "diagonal"), _offset("diagonal", offset)
    if x.ndim < 2:
        raise ShapeError(f"diagonal: shape {show_shape(x.shape)} has less than two axes")
    first, second = (normalize_axis("diagonal", axis, x.ndim) for axis in (axis1, axis2))
    if first == second:
        raise ShapeError(f"diagonal: axis1 and axis2 are both {first}")
    rows, columns = x.shape[first], x.shape[second]
    if (isinstance(rows, Dim) or isinstance(columns, Dim)) and not (offset == 0 and rows == columns):
        raise ShapeError(
            f"diagonal: the sizes {rows} and {columns} are not known yet; only a square's main diagonal can be taken"
        )
    return DIAGONAL(moveaxis(x, (first, second), (-2, -1)), offset=k)


@graph_function
def diag(x: Any, k: int = 0) -> Tensor:
    """A square matrix with the vector x on its diagonal k, or the diagonal k of the matrix x.

    >>> import mathnet as mn
    >>> mn.diag([1.0, 2.0])
    array([[1., 0.],
           [0., 2.]])
    """
    x, offset = as_tensor(x, "diag"), _offset("diag", k, "k")
    if x.ndim == 2:
        return diagonal(x, offset)
    if x.ndim != 1:
        raise ShapeError(
            f"diag: x must be a vector or a matrix, not of shape {show_shape(x.shape)}; use mn.diagonal for more axes"
        )
    n = x.shape[0] + abs(offset)
    return FROM_DIAGONAL(x, shape=(n, n), offset=offset)


@graph_function
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Sum of :func:`diagonal`.

    >>> import mathnet as mn
    >>> float(mn.trace([[1.0, 2.0], [3.0, 4.0]]))
    5.0
    """
    return FUNCTIONS["sum"](diagonal(as_tensor(x, "trace"), offset, axis1, axis2), axis=-1)


def _triangle(name: str, x: Any, k: Any, upper: bool) -> Tensor:
    x, offset = as_tensor(x, name), _offset(name, k, "k")
    if x.ndim == 0:
        raise ShapeError(f"{name}: a number has no rows and columns")
    if x.ndim == 1:  # as NumPy: the rows of a square, all equal
        x = OPS["broadcast_to"](x, shape=(*x.shape, *x.shape))
    return TRIANGLE(x, k=offset, upper=upper)


@graph_function
def tril(x: Any, k: int = 0) -> Tensor:
    """x with zeros above the diagonal k of its last two axes.

    >>> import mathnet as mn
    >>> mn.tril([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 0.],
           [3., 4.]])
    """
    return _triangle("tril", x, k, upper=False)


@graph_function
def triu(x: Any, k: int = 0) -> Tensor:
    """x with zeros below the diagonal k of its last two axes.

    >>> import mathnet as mn
    >>> mn.triu([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [0., 4.]])
    """
    return _triangle("triu", x, k, upper=True)


@graph_function
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = FLOAT64) -> Tensor:
    """An N×M matrix (M: N unless given) with ones on the diagonal k and zeros elsewhere.

    >>> import mathnet as mn
    >>> mn.eye(2)
    array([[1., 0.],
           [0., 1.]])
    """
    rows, columns = _offset("eye", N, "N"), _offset("eye", N if M is None else M, "M")
    if rows < 0 or columns < 0:
        raise ShapeError(f"eye: a matrix of shape {show_shape((rows, columns))} has a negative size")
    return as_tensor(np.eye(rows, columns, _offset("eye", k, "k"), graph_dtype(dtype, "eye: dtype")))
