"""Values written into an array at places: the functional counterparts of assignment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.dim import product
from mathnet.graph.dtypes import BOOL
from mathnet.graph.op import OPS, Op, constant, count, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.indexing import TAKE
from mathnet.ops.shape import SLICE, Shape


def zeros_as(x: Tensor) -> Tensor:
    """Zeros in shape and type of x."""
    number = constant(0, x.dtype)
    return OPS["broadcast_to"](number, shape=x.shape) if x.ndim else number


class PutSlice(Op):
    """x with ``values`` at ``starts[k] + i·steps[k]`` along each axis k; see :class:`mathnet.ops.shape.Slice`."""

    name, formula = "put_slice", "values at [start:stop:step], else x"

    def infer(self, x: Spec, values: Spec, starts: Shape, steps: Shape) -> Spec:  # type: ignore[override]
        return Spec(x.shape, x.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], starts: Shape, steps: Shape
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        values = inputs[1]
        kept = PUT_SLICE(dy, zeros_as(values), starts=starts, steps=steps)
        return kept, SLICE(dy, starts=starts, steps=steps, sizes=values.shape)

    def lower(self, emit: Any, inputs: Any, outputs: Any, starts: Shape, steps: Shape) -> None:  # type: ignore[override]
        (x, values), (y,) = inputs, outputs
        emit.copy(x, y)
        emit.copy(values, SLICE.view(y, starts, steps, values.shape))  # type: ignore[misc]

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 2 * sum(count(s) * s.dtype.itemsize for s in inputs)

    def oracle(self, x: np.ndarray, values: np.ndarray, starts: Shape, steps: Shape) -> np.ndarray:  # type: ignore[override]
        y = x.copy()
        y[np.ix_(*[start + step * np.arange(n) for start, step, n in zip(starts, steps, values.shape)])] = (
            values
        )
        return y

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(20.0).reshape(5, 4)
        cases = [((4, 0), (-2, 1), (2, 3)), ((0, 1), (1, 1), (5, 1)), ((2, 2), (1, 1), (0, 2))]
        return [((x, np.full(size, 0.5)), {"starts": a, "steps": b}) for a, b, size in cases]


class PutRows(Op):
    """x with ``values`` as its rows at the indices; the last one of equal indices stays.  Inputs: x (rows, …), values, int64 indices."""

    name, formula = "put_rows", "values at x[i], else x"

    def infer(self, x: Spec, values: Spec, indices: Spec) -> Spec:  # type: ignore[override]
        return Spec(x.shape, x.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        _, values, indices = inputs
        stays = LAST_OF_EQUAL(indices)
        stays = OPS["reshape"](stays, shape=(*indices.shape, *[1] * (values.ndim - indices.ndim)))
        return (
            PUT_ROWS(dy, zeros_as(values), indices),
            OPS["where"](stays, TAKE(dy, indices), constant(0.0)),
            None,
        )

    def lower(self, emit: Any, inputs: Any, outputs: Any) -> None:  # type: ignore[override]
        x, values, indices = (emit.dense(view) for view in inputs)
        (y,) = outputs
        if not y.size:
            return
        if not values.size:
            emit.copy(x, y)
            return
        width = product(x.shape[1:])
        emit.kernel(
            "put_rows",
            [x, values, indices],
            [y],
            rows=x.shape[0],
            width=width,
            n=indices.size,
            itemsize=x.dtype.itemsize,
        )

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str:
        return f"put_rows: the index {int(value)} at position {position} is out of range"

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 2 * sum(count(s) * s.dtype.itemsize for s in inputs[:2])

    def oracle(self, x: np.ndarray, values: np.ndarray, indices: np.ndarray) -> np.ndarray:  # type: ignore[override]
        y = x.copy()
        for place in np.ndindex(indices.shape):
            y[indices[place]] = values[place]
        return y

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(13)
        x, values = rng.uniform(-1, 1, (5, 3)), rng.uniform(2, 3, (4, 3))
        return [
            ((x, values, np.array([0, 4, 4, 1])), {}),
            ((x, values.reshape(2, 2, 3), np.array([[2, 0], [2, 2]])), {}),
            ((x[:, 0], values[:, 0], np.array([3, 3, 0, 1])), {}),
            ((x, values[:0], np.zeros(0, np.int64)), {}),
        ]


class KeepRows(PutRows):
    """PutRows for memory that only grows: as the update of a variable it writes those rows alone, and at once, so that what comes later in
    the call reads them there.  A call that fails leaves them behind: for variables of which nobody reads rows that were not counted.
    """

    name, formula, at_once = "keep_rows", "values at x[i], else x, in the memory of x", True


class LastOfEqual(Op):
    """For each index, whether no later one (in row-major order) is equal to it: which of several written values stays."""

    name, formula = "last_of_equal", "∀j > k: i[j] ≠ i[k]"

    def infer(self, indices: Spec) -> Spec:  # type: ignore[override]
        return Spec(indices.shape, BOOL)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (None,)

    def lower(self, emit: Any, inputs: Any, outputs: Any) -> None:  # type: ignore[override]
        if outputs[0].size:
            emit.host(_mark_last, inputs, outputs)

    def oracle(self, indices: np.ndarray) -> np.ndarray:  # type: ignore[override]
        flat = indices.reshape(-1).tolist()
        return np.array([i not in flat[k + 1 :] for k, i in enumerate(flat)], bool).reshape(indices.shape)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((np.array(i, np.int64),), {}) for i in ([3, 1, 3, 0, 1], [[2, 2], [2, 1]], 4, [])]


def _mark_last(arrays: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> None:
    flat = arrays[0].reshape(-1)
    _, first = np.unique(flat[::-1], return_index=True)
    stays = np.zeros(flat.size, bool)
    stays[flat.size - 1 - first] = True
    targets[0][...] = stays.reshape(targets[0].shape)


PUT_SLICE, PUT_ROWS = register(PutSlice()), register(PutRows())
KEEP_ROWS, LAST_OF_EQUAL = register(KeepRows()), register(LastOfEqual())
