"""Pictures in other sizes: nearest elements, linear interpolation, and channels laid out as pixels."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.indexing import take
from mathnet.ops.shape import SLICE, broadcast_to, concatenate, expand_dims, reshape, transpose
from mathnet.ops.windows import numbers


def _target(x: Tensor, size: Any, scale_factor: Any) -> tuple[int, ...]:
    axes = x.ndim - 2
    if (size is None) == (scale_factor is None):
        raise ArgumentError("interpolate: give either size or scale_factor")
    known = x.shape[2:]
    if size is not None:
        return numbers("interpolate", "size", size, axes)
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * axes
    wrong = [
        f
        for f in factors
        if isinstance(f, bool) or not isinstance(f, (int, float, np.integer, np.floating)) or not f > 0
    ]
    if len(factors) != axes or wrong:
        raise ArgumentError(
            f"interpolate: scale_factor must be a number > 0 or one for each axis, not {scale_factor!r}"
        )
    result = tuple([int(n * f) for n, f in zip(known, factors)])
    if any(n < 1 for n in result):
        raise ShapeError(
            f"interpolate: scale_factor {scale_factor!r} leaves nothing of x {show_shape(x.shape)}"
        )
    return result


@graph_function
def interpolate(
    x: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool = False
) -> Tensor:
    """x in another size along its last one, two or three axes, as in PyTorch.

    x (N, C, …) with known sizes after the channels; size: int or one for each axis; scale_factor: the same as factors, size ⌊n·f⌋.
    mode "nearest": y[i] = x[⌊i·n/m⌋] for n elements that become m; "linear" (also under the names "bilinear" and "trilinear"): between
    the two neighbours of (i + ½)·n/m − ½, or with align_corners of i·(n − 1)/(m − 1).

    >>> import numpy as np, mathnet as mn
    >>> mn.interpolate(np.array([[[1.0, 3.0]]]), scale_factor=2, mode="linear")
    array([[[1. , 1.5, 2.5, 3. ]]])
    """
    x = as_tensor(x, "interpolate: x")
    if not 3 <= x.ndim <= 5:
        raise ShapeError(
            f"interpolate: x must have three to five axes (N, C, …), but its shape is {show_shape(x.shape)}"
        )
    linear = {"linear": None, "bilinear": 4, "trilinear": 5}
    if mode != "nearest" and (mode not in linear or linear[mode] not in (None, x.ndim)):
        raise ArgumentError(
            f"interpolate: mode must be 'nearest' or 'linear' ('bilinear' with four axes, 'trilinear' with five), not {mode!r}"
        )
    if align_corners and mode == "nearest":
        raise ArgumentError("interpolate: align_corners has a meaning for mode 'linear' only")
    if not is_float(x.dtype) and mode != "nearest":
        raise DTypeError(f"interpolate: x has element type {x.dtype}; a float type is needed, use mn.cast")
    if any(isinstance(n, Dim) or n < 1 for n in x.shape[2:]):
        raise ShapeError(
            f"interpolate: x of shape {show_shape(x.shape)} must have known sizes ≥ 1 after the channels"
        )
    for axis, m in enumerate(_target(x, size, scale_factor), 2):
        n = x.shape[axis]
        if n == m:
            continue
        if mode == "nearest":
            x = _nearest(x, axis, n, m)
        else:
            x = _linear(x, axis, n, m, align_corners)
    return x


def _nearest(x: Tensor, axis: int, n: int, m: int) -> Tensor:
    if m % n == 0:  # every element repeated: one copy
        repeated = (*x.shape[: axis + 1], m // n, *x.shape[axis + 1 :])
        return reshape(
            broadcast_to(expand_dims(x, axis + 1), repeated), (*x.shape[:axis], m, *x.shape[axis + 1 :])
        )
    return take(x, np.arange(m) * n // m, axis=axis)


def _linear(x: Tensor, axis: int, n: int, m: int, align_corners: bool) -> Tensor:
    if m % n == 0 and not align_corners:
        return _between_neighbours(x, axis, m // n)
    if align_corners:
        place = np.arange(m) * ((n - 1) / max(m - 1, 1))
    else:
        place = np.clip((np.arange(m) + 0.5) * (n / m) - 0.5, 0.0, None)
    before = np.minimum(place.astype(np.int64), n - 1)
    after = np.minimum(before + 1, n - 1)
    share = as_tensor((place - before).astype(x.dtype).reshape(m, *(1,) * (x.ndim - axis - 1)))
    low = take(x, before, axis=axis)
    return low + (take(x, after, axis=axis) - low) * share


def _between_neighbours(x: Tensor, axis: int, factor: int) -> Tensor:
    """Linear interpolation to ``factor`` times the size: every element's successors have the same shares of it and of a neighbour."""

    def part(source: Tensor, start: int, size: int) -> Tensor:
        starts = tuple([start if k == axis else 0 for k in range(x.ndim)])
        sizes = tuple([size if k == axis else n for k, n in enumerate(source.shape)])
        return SLICE(source, starts=starts, steps=(1,) * x.ndim, sizes=sizes)

    n = x.shape[axis]
    edged = concatenate([part(x, 0, 1), x, part(x, n - 1, 1)], axis)
    phases = []
    for phase in range(factor):
        place = (phase + 0.5) / factor + 0.5  # counted from the neighbour before
        low = part(edged, int(place), n)
        share = place - int(place)
        if share:
            low = low + (part(edged, int(place) + 1, n) - low) * share
        phases.append(expand_dims(low, axis + 1))
    together = concatenate(phases, axis + 1)
    return reshape(together, (*x.shape[:axis], n * factor, *x.shape[axis + 1 :]))


def _blocks(name: str, argument: str, x: Any, factor: Any) -> tuple[Tensor, int]:
    x = as_tensor(x, f"{name}: x")
    if x.ndim != 4:
        raise ShapeError(
            f"{name}: x must have four axes (N, C, H, W), but its shape is {show_shape(x.shape)}"
        )
    return x, numbers(name, argument, factor, 1)[0]


@graph_function
def pixel_shuffle(x: Any, upscale_factor: int) -> Tensor:
    """(N, C·r², H, W) → (N, C, H·r, W·r): every r² channels laid out as r×r pixels, as in PyTorch.

    >>> import numpy as np, mathnet as mn
    >>> mn.pixel_shuffle(np.arange(4.0).reshape(1, 4, 1, 1), 2)
    array([[[[0., 1.],
             [2., 3.]]]])
    """
    x, r = _blocks("pixel_shuffle", "upscale_factor", x, upscale_factor)
    n, c, h, w = x.shape
    if isinstance(c, Dim) or c % (r * r):
        raise ShapeError(f"pixel_shuffle: {c} channels of x {show_shape(x.shape)} are no multiple of {r}²")
    blocks = reshape(x, (n, c // (r * r), r, r, h, w))
    return reshape(transpose(blocks, (0, 1, 4, 2, 5, 3)), (n, c // (r * r), h * r, w * r))


@graph_function
def pixel_unshuffle(x: Any, downscale_factor: int) -> Tensor:
    """(N, C, H·r, W·r) → (N, C·r², H, W): the inverse of :func:`pixel_shuffle`.

    >>> import numpy as np, mathnet as mn
    >>> mn.pixel_unshuffle(np.arange(4.0).reshape(1, 1, 2, 2), 2).shape
    (1, 4, 1, 1)
    """
    x, r = _blocks("pixel_unshuffle", "downscale_factor", x, downscale_factor)
    n, c, h, w = x.shape
    if any(isinstance(size, Dim) or size % r for size in (h, w)):
        raise ShapeError(
            f"pixel_unshuffle: height and width of x {show_shape(x.shape)} must be known multiples of {r}"
        )
    blocks = reshape(x, (n, c, h // r, r, w // r, r))
    return reshape(transpose(blocks, (0, 1, 3, 5, 2, 4)), (n, c * r * r, h // r, w // r))
