"""Elements moved around or repeated along axes: roll, tile, repeat."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.op import as_tensor, graph_function, normalize_axis
from mathnet.graph.tensor import Tensor
from mathnet.ops.indexing import TAKE
from mathnet.ops.shape import broadcast_to, concatenate, expand_dims, moveaxis, reshape
from mathnet.ops.splitting import part, ravel


def _integers(name: str, argument: str, value: Any) -> list[int]:
    """An int or a list of them, known when the graph is built."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if any(isinstance(v, (bool, Tensor)) or not hasattr(v, "__index__") or np.ndim(v) for v in values):
        raise ArgumentError(
            f"{name}: {argument} must be an integer or a list of integers that is known when the graph is built, not {value!r}"
        )
    return [v.__index__() for v in values]


@graph_function
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """x moved by ``shift`` places along ``axis`` (None: along the flattened array); what leaves at one end enters at the other.

    shift, axis: integers, or lists of them that are paired.

    >>> import mathnet as mn
    >>> mn.roll([1.0, 2.0, 3.0], 1)
    array([3., 1., 2.])
    """
    x, shifts = as_tensor(x, "roll"), _integers("roll", "shift", shift)
    if axis is None:
        if len(shifts) != 1:
            raise ArgumentError(f"roll: shifts {shift!r} need as many axes")
        return reshape(roll(ravel(x), shifts[0], 0), x.shape)
    axes = [normalize_axis("roll", a, x.ndim) for a in _integers("roll", "axis", axis)]
    count = max(len(shifts), len(axes))
    if len(shifts) not in (1, count) or len(axes) not in (1, count):
        raise ArgumentError(f"roll: {len(shifts)} shifts cannot be paired with {len(axes)} axes")
    for places, position in zip(shifts * (count // len(shifts)), axes * (count // len(axes))):
        n = x.shape[position]
        if places == 0 or n == 0:
            continue
        if isinstance(n, Dim):
            raise ShapeError(
                f"roll: axis {position} has the unknown size {n}, so its last elements are not known"
            )
        cut = -places % n
        if cut:
            x = concatenate([part(x, position, cut, n), part(x, position, 0, cut)], position)
    return x


@graph_function
def tile(x: Any, reps: Any) -> Tensor:
    """x laid side by side ``reps[k]`` times along each axis k; the shorter of shape and reps is filled with ones from the left.

    >>> import mathnet as mn
    >>> mn.tile([1.0, 2.0], (2, 2))
    array([[1., 2., 1., 2.],
           [1., 2., 1., 2.]])
    """
    x, counts = as_tensor(x, "tile"), _integers("tile", "reps", reps)
    if any(c < 0 for c in counts):
        raise ArgumentError(f"tile: reps {reps!r} must not be negative")
    rank = max(x.ndim, len(counts))
    counts = [1] * (rank - len(counts)) + counts
    sizes = (*[1] * (rank - x.ndim), *x.shape)
    apart = reshape(x, tuple([s for n in sizes for s in (1, n)]))
    apart = broadcast_to(apart, tuple([s for c, n in zip(counts, sizes) for s in (c, n)]))
    return reshape(apart, tuple([c * n for c, n in zip(counts, sizes)]))


@graph_function
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Every slice of x along ``axis`` (None: every element) ``repeats`` times in a row.

    repeats: an integer, or a list with one for each slice; the shape of the result follows from it, so it cannot be a tensor.

    >>> import mathnet as mn
    >>> mn.repeat([1.0, 2.0], 2)
    array([1., 1., 2., 2.])
    >>> mn.repeat([1.0, 2.0], [1, 2])
    array([1., 2., 2.])
    """
    x, counts = as_tensor(x, "repeat"), _integers("repeat", "repeats", repeats)
    if any(c < 0 for c in counts):
        raise ArgumentError(f"repeat: repeats {repeats!r} must not be negative")
    if axis is None:
        x, axis = ravel(x), 0
    position = normalize_axis("repeat", axis, x.ndim)
    n = x.shape[position]
    if len(counts) == 1:
        shape = (*x.shape[: position + 1], counts[0], *x.shape[position + 1 :])
        wide = broadcast_to(expand_dims(x, position + 1), shape)
        return reshape(wide, (*x.shape[:position], n * counts[0], *x.shape[position + 1 :]))
    if isinstance(n, Dim) or len(counts) != n:
        raise ShapeError(
            f"repeat: {len(counts)} repeats do not fit to axis {position} of size {n} of a tensor of shape {show_shape(x.shape)}"
        )
    places = as_tensor(np.repeat(np.arange(n), counts))
    return moveaxis(TAKE(moveaxis(x, position, 0), places, axis=position, size=n), 0, position)
