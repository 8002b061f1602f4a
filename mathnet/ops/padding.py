"""Arrays inside of a border: of a number, or of their own elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError, nearest
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import Op, as_tensor, count, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.shape import SLICE, broadcast_to, concatenate

MODES = ("constant", "edge", "reflect", "symmetric", "wrap")


class Pad(Op):
    """x inside a border of ``value``; ``width`` holds (before, after) of each axis."""

    name, formula, onnx = "pad", "x, with value around it", "Pad"

    def infer(self, x: Spec, width: tuple, value: float) -> Spec:  # type: ignore[override]
        return Spec(
            tuple([before + n + after for n, (before, after) in zip(x.shape, width)]), x.dtype, x.weak
        )

    def batch(
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], width: tuple, value: float
    ) -> Tensor:  # type: ignore[override]
        return self(inputs[0], width=((0, 0), *width), value=value)

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


PAD = register(Pad())


@graph_function
def pad(
    x: Any, pad_width: Any, mode: str = "constant", constant_values: float | Sequence[Any] = 0.0
) -> Tensor:
    """x inside of a border, as NumPy pads.

    pad_width: (before, after) for each axis, or an int or a pair for all.  mode: ``"constant"`` (the numbers ``constant_values``, one
    for all, or for each axis or side as in ``pad_width``), ``"edge"`` (the outermost elements), ``"reflect"`` (mirrored, the outermost
    element once), ``"symmetric"`` (mirrored, the outermost element twice) or ``"wrap"`` (x from its other end).

    >>> import mathnet as mn
    >>> mn.pad([1.0, 2.0], (1, 2))
    array([0., 1., 2., 0., 0.])
    >>> mn.pad([1.0, 2.0, 3.0], 2, mode="reflect")
    array([3., 2., 1., 2., 3., 2., 1.])
    """
    x = as_tensor(x, "pad")
    width = _widths(x, pad_width)
    if not isinstance(mode, str):
        raise ArgumentError(
            f"pad: mode must be a name, not {mode!r}; a number for the border is constant_values={mode!r}"
        )
    if mode not in MODES:
        raise ArgumentError(
            f"pad: mode {mode!r} is not one of {', '.join(map(repr, MODES))}{nearest(mode, MODES)}"
        )
    if mode != "constant":
        return _with_own_elements(x, width, mode)
    numbers = _numbers(x, constant_values)
    if not any(n for pair in width for n in pair):
        return x
    if len(set(map(str, numbers.flat))) == 1:
        return PAD(x, width=width, value=numbers.flat[0])
    for axis, pair in enumerate(width):  # a later axis has the corners, as in NumPy
        for side, n in enumerate(pair):
            if n:
                alone = [(0, 0)] * x.ndim
                alone[axis] = (n, 0) if side == 0 else (0, n)
                x = PAD(x, width=tuple(alone), value=numbers[axis, side])
    return x


def _widths(x: Tensor, pad_width: Any) -> tuple[tuple[int, int], ...]:
    try:
        width = np.broadcast_to(np.asarray(pad_width), (x.ndim, 2)).tolist()
    except ValueError:
        width = [[-1, -1]]
    if any(not isinstance(n, int) or n < 0 for pair in width for n in pair):
        raise ArgumentError(
            f"pad: pad_width must be an int ≥ 0, a pair or one pair for each axis, not {pad_width!r}; x has shape {show_shape(x.shape)}"
        )
    return tuple([(before, after) for before, after in width])


def _numbers(x: Tensor, constant_values: Any) -> np.ndarray:
    """The numbers of the border as floats, (axes, 2)."""
    try:
        given = np.asarray(constant_values)
        numbers = np.broadcast_to(given, (max(x.ndim, 1), 2))
    except ValueError:
        given = numbers = np.asarray("")
    if given.dtype.kind not in "fiu":
        raise ArgumentError(
            f"pad: constant_values must be a number, a pair or one pair for each axis, not {constant_values!r}"
        )
    numbers = numbers.astype(float)
    if not is_float(x.dtype) and not np.all(numbers == np.floor(numbers)):
        raise ArgumentError(
            f"pad: constant_values {constant_values} cannot stand among elements of type {x.dtype}; use mn.cast"
        )
    return numbers


def _with_own_elements(x: Tensor, width: tuple[tuple[int, int], ...], mode: str) -> Tensor:
    """Axis by axis: which elements stand along the padded axis, as joined runs of neighbours."""
    for axis, pair in enumerate(width):
        n = x.shape[axis]
        if not any(pair):
            continue
        if isinstance(n, Dim):
            raise ShapeError(
                f"pad: axis {axis} has the unknown size {n}; only mode 'constant' can be used there"
            )
        if n == 0:
            raise ShapeError(
                f"pad: axis {axis} of shape {show_shape(x.shape)} has no elements to pad with; use mode 'constant'"
            )
        places = np.pad(np.arange(n), pair, mode=mode)  # type: ignore[call-overload]
        x = concatenate([_run(x, axis, *run) for run in runs(places)], axis)
    return x


def runs(places: np.ndarray) -> list[tuple[int, int, int]]:
    """Places along an axis as runs (first, step, length) with steps 1, −1 and 0, as long as they can be."""
    found: list[tuple[int, int, int]] = []
    at = 0
    while at < len(places):
        step = int(places[at + 1] - places[at]) if at + 1 < len(places) else 1
        step = step if abs(step) <= 1 else 1
        length = 1
        while at + length < len(places) and places[at + length] == places[at] + step * length:
            length += 1
        found.append((int(places[at]), step, length))
        at += length
    return found


def _run(x: Tensor, axis: int, first: int, step: int, length: int) -> Tensor:
    if (first, step, length) == (0, 1, x.shape[axis]):
        return x
    sizes = (*x.shape[:axis], length if step else 1, *x.shape[axis + 1 :])
    part = SLICE(
        x,
        starts=tuple([first if k == axis else 0 for k in range(x.ndim)]),
        steps=tuple([step or 1 if k == axis else 1 for k in range(x.ndim)]),
        sizes=sizes,
    )
    return part if step else broadcast_to(part, (*x.shape[:axis], length, *x.shape[axis + 1 :]))
