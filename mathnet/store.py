"""The store: variables in contiguous segments that never move or grow.

A layer's parameters, a trainer's moments and its scalar slots are each one segment.  ``Variable.array`` is a live NumPy view: writing
into it changes what the next call computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, GraphError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.op import VARIABLE
from mathnet.graph.tensor import Operators, Spec, Tensor
from mathnet.graph.trace import current_trace

ALIGNMENT = 64  # bytes: one cache line, the widest vector


class Variable(Operators):
    """A named array in a segment.

    kind: "parameter" (trained), "statistic" (running values), "slot" (a trainer's scalar or moment); trainable: whether
    gradients are taken; regularizer, constraint: callables or None.
    """

    __slots__ = (
        "__weakref__",
        "array",
        "constraint",
        "kind",
        "name",
        "offset",
        "regularizer",
        "segment",
        "spec",
        "trainable",
    )

    def __init__(
        self,
        name: str,
        array: np.ndarray,
        segment: Segment,
        offset: int,
        kind: str = "parameter",
        weak: bool = False,
    ) -> None:
        self.name, self.array, self.segment, self.offset, self.kind = name, array, segment, offset, kind
        self.spec = Spec(array.shape, array.dtype, weak)
        self.trainable = kind == "parameter"
        self.regularizer: Any = None
        self.constraint: Any = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        return self.array.dtype

    @property
    def ndim(self) -> int:
        return self.array.ndim

    @property
    def size(self) -> int:
        return self.array.size

    def assign(self, value: Any) -> None:
        """Copies ``value`` in after a shape and type check."""
        self.array[...] = self.checked(value)

    def checked(self, value: Any) -> np.ndarray:
        """``value`` as an array that may be assigned, or an error."""
        given = np.asarray(value)
        if given.shape != self.array.shape:
            raise ShapeError(
                f"{self.name!r} has shape {show_shape(self.array.shape)}, but a value of shape {show_shape(given.shape)} was given"
            )
        if given.dtype.kind not in "fiub":
            raise DTypeError(
                f"{self.name!r} holds {self.array.dtype}, but a value of type {given.dtype} was given"
            )
        if not self.array.flags.writeable:
            raise ArgumentError(
                f"{self.name!r} cannot be written: its model is frozen; change the model that it was made from"
            )
        return given

    def __getstate__(self) -> dict[str, Any]:
        kept = [name for name in self.__slots__ if name not in ("__weakref__", "array")]
        return {"shape": self.array.shape, **{name: getattr(self, name) for name in kept}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        shape = state.pop("shape")
        for name, value in state.items():
            setattr(self, name, value)
        # A view of the copied segment: a pickled view would become an array of its own.
        self.array = self.segment.view(self.offset, shape)

    def __mathnet_tensor__(self) -> Tensor:
        trace = current_trace()
        return trace.read(self) if trace is not None else VARIABLE(spec=self.spec, variable=self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if current_trace() is not None:
            raise GraphError(
                f"{self!r} was used as a NumPy array while a graph is traced, which would freeze its present values; use mathnet functions"
            )
        return np.array(self.array, dtype=dtype, copy=copy)

    def __repr__(self) -> str:
        return f"<Variable {self.name} {show_shape(self.array.shape)} {self.array.dtype}>"


class Segment:
    """Memory for several variables of one type, each aligned to a cache line; padding is zero."""

    def __init__(self, shapes: Sequence[tuple[int, ...]], dtype: np.dtype) -> None:
        dtype = np.dtype(dtype)
        self.offsets: list[int] = []  # in elements
        line = ALIGNMENT // dtype.itemsize
        total = 0
        for shape in shapes:
            self.offsets.append(total)
            size = int(np.prod(shape, dtype=np.int64))
            total += -(-max(size, 1) // line) * line
        raw = np.zeros(total * dtype.itemsize + ALIGNMENT, np.uint8)
        skip = -raw.ctypes.data % ALIGNMENT
        self.data = raw[skip : skip + total * dtype.itemsize].view(dtype)  # flat, aligned; keeps raw alive
        self.arrays = [self.view(o, s) for o, s in zip(self.offsets, shapes)]

    def view(self, offset: int, shape: tuple[int, ...]) -> np.ndarray:
        """The array of ``shape`` that starts at ``offset`` (in elements)."""
        return self.data[offset : offset + int(np.prod(shape, dtype=np.int64))].reshape(shape)

    def __reduce__(self) -> tuple:
        return _segment_of, ([a.shape for a in self.arrays], self.data.dtype, np.array(self.data))


def _segment_of(shapes: Sequence[tuple[int, ...]], dtype: np.dtype, data: np.ndarray) -> Segment:
    """A segment with given contents, aligned anew: what a pickled one becomes."""
    segment = Segment(shapes, dtype)
    segment.data[...] = data
    return segment


def allocate(
    names: Sequence[str],
    shapes: Sequence[tuple[int, ...]],
    dtype: Any,
    kind: str = "parameter",
    weak: bool = False,
) -> list[Variable]:
    """Variables of one type in one new segment, zero-filled."""
    segment = Segment(shapes, np.dtype(dtype))
    return [Variable(n, a, segment, o, kind, weak) for n, a, o in zip(names, segment.arrays, segment.offsets)]
