"""Rows by integer index, and padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.dtypes import INT64, is_float
from mathnet.graph.op import OPS, Op, as_tensor, count, graph_function, normalize_axis, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.shape import SLICE, moveaxis


class Take(Op):
    """x[indices] along axis 0.  Inputs: x (rows, …), int64 indices of any shape; an index outside of 0 … rows−1 is an error."""

    name, formula, onnx = "take", "x[i]", "Gather"

    def infer(self, x: Spec, indices: Spec) -> Spec:  # type: ignore[override]
        return Spec((*indices.shape, *x.shape[1:]), x.dtype, x.weak)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, indices = inputs
        return SCATTER_ADD(dy, indices, rows=x.shape[0]), None

    def lower(self, emit: Any, inputs: Any, outputs: Any) -> None:  # type: ignore[override]
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

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str | None:
        return f"take: the index {int(value)} at position {position} is out of range"

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 2 * count(outputs[0]) * outputs[0].dtype.itemsize

    def oracle(self, x: np.ndarray, indices: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return x[indices]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(11).uniform(-1, 1, (5, 3))
        return [
            ((x, np.array([0, 4, 4, 1])), {}),
            ((x, np.array([[2, 0], [1, 1]])), {}),
            ((x, np.zeros((0,), np.int64)), {}),
        ]


class ScatterAdd(Op):
    """The transpose of take: rows of dy added up at their indices, in order.  Attribute rows: the number of rows of the result."""

    name, formula = "scatter_add", "Σ dy over equal indices"

    def infer(self, dy: Spec, indices: Spec, rows: Any) -> Spec:  # type: ignore[override]
        return Spec((rows, *dy.shape[indices.ndim :]), dy.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], rows: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return TAKE(dy, inputs[1]), None

    def lower(self, emit: Any, inputs: Any, outputs: Any, rows: int) -> None:  # type: ignore[override]
        dy, indices = emit.dense(inputs[0]), emit.dense(inputs[1])
        width = product(outputs[0].shape[1:])
        if not dy.size:
            emit.fill(outputs[0], 0)
        else:
            emit.kernel("scatter_add_rows", [dy, indices], outputs, rows=rows, width=width, n=indices.size)

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str | None:
        return TAKE.message(code, position, value)

    def oracle(self, dy: np.ndarray, indices: np.ndarray, rows: int) -> np.ndarray:  # type: ignore[override]
        out = np.zeros((rows, *dy.shape[indices.ndim :]), dy.dtype)
        np.add.at(out, indices, dy)
        return out

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        dy = np.random.default_rng(12).uniform(-1, 1, (4, 3))
        return [
            ((dy, np.array([0, 4, 4, 1])), {"rows": 5}),
            ((dy[:0], np.zeros((0,), np.int64)), {"rows": 2}),
        ]


class Pad(Op):
    """x inside a border of ``value``; ``width`` holds (before, after) of each axis."""

    name, formula, onnx = "pad", "x, with value around it", "Pad"

    def infer(self, x: Spec, width: tuple, value: float) -> Spec:  # type: ignore[override]
        return Spec(
            tuple([before + n + after for n, (before, after) in zip(x.shape, width)]), x.dtype, x.weak
        )

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], width: tuple, value: float
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (x,) = inputs
        starts = tuple([before for before, _ in width])
        return (SLICE(dy, starts=starts, steps=(1,) * x.ndim, sizes=x.shape),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, width: tuple, value: float) -> None:  # type: ignore[override]
        (x,), (y,) = inputs, outputs
        emit.fill(y, value)
        starts = tuple([before for before, _ in width])
        emit.copy(x, SLICE.view(y, starts, (1,) * len(width), x.shape))  # type: ignore[misc]

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, (count(inputs[0]) + count(outputs[0])) * inputs[0].dtype.itemsize

    def oracle(self, x: np.ndarray, width: tuple, value: float) -> np.ndarray:  # type: ignore[override]
        return np.pad(x, width, constant_values=value)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(1.0, 7.0).reshape(2, 3)
        return [
            ((x,), {"width": ((1, 2), (0, 1)), "value": -0.5}),
            ((x,), {"width": ((0, 0), (3, 0)), "value": float("-inf")}),
            ((x[:0],), {"width": ((1, 1), (0, 0)), "value": 2.0}),
        ]


TAKE, SCATTER_ADD, PAD = register(Take()), register(ScatterAdd()), register(Pad())


def _indices(name: str, value: Any) -> Tensor:
    indices = as_tensor(value, f"{name}: indices")
    if indices.dtype.kind not in "ib":
        raise DTypeError(f"{name}: indices must be integers, not {indices.dtype}")
    return indices if indices.dtype == INT64 else OPS["cast"](indices, dtype=INT64)


@graph_function
def take(x: Any, indices: Any, axis: int = 0) -> Tensor:
    """Slices of x at integer indices along ``axis``, which the axes of ``indices`` replace.

    Raises DataError for an index outside of 0 … n−1 (negative ones too: they are mistakes more often than wishes).

    >>> import mathnet as mn
    >>> mn.take([[1.0, 2.0], [3.0, 4.0]], [1, 1, 0])
    array([[3., 4.],
           [3., 4.],
           [1., 2.]])
    """
    x, indices = as_tensor(x, "take: x"), _indices("take", indices)
    if x.ndim == 0:
        raise ShapeError("take: a number has no axis to take from")
    position = normalize_axis("take", axis, x.ndim)
    result = TAKE(moveaxis(x, position, 0), indices)
    return moveaxis(result, tuple(range(indices.ndim)), tuple(range(position, position + indices.ndim)))


@graph_function
def pad(x: Any, pad_width: Any, constant_values: float = 0.0) -> Tensor:
    """x with the number ``constant_values`` around it; pad_width: (before, after) for each axis, or an int or pair for all.

    >>> import mathnet as mn
    >>> mn.pad([1.0, 2.0], (1, 2))
    array([0., 1., 2., 0., 0.])
    """
    x = as_tensor(x, "pad")
    try:
        width = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    except ValueError:
        width = [[-1, -1]]
    if any(not isinstance(n, int) or n < 0 for before_after in width for n in before_after):
        raise ArgumentError(
            f"pad: pad_width must be an int ≥ 0, a pair or one pair for each axis, not {pad_width!r}; x has shape {show_shape(x.shape)}"
        )
    if isinstance(constant_values, bool) or not isinstance(constant_values, (int, float, np.number)):
        raise ArgumentError(f"pad: constant_values must be a number, not {constant_values!r}")
    value = float(constant_values)
    if not is_float(x.dtype) and not value.is_integer():
        raise ArgumentError(
            f"pad: constant_values {value} cannot stand among elements of type {x.dtype}; use mn.cast"
        )
    if not any(n for before_after in width for n in before_after):
        return x
    return PAD(x, width=tuple([(before, after) for before, after in width]), value=value)
