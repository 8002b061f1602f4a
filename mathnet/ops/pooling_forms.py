"""The poolings that users call: over one, two or three axes and adaptive; they run on the two-dimensional operations.

Maxima and means of boxes are taken one after the other along the axes, so three axes are two poolings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.padding import PAD
from mathnet.ops.pooling import AVG_POOL2D, LARGEST_WINDOW, MAX_POOL2D
from mathnet.ops.reduction import max_, mean
from mathnet.ops.shape import SLICE, concatenate, expand_dims, reshape
from mathnet.ops.windows import Numbers, Sides, numbers, padding_of

_AXES = {1: "three axes (N, C, T)", 2: "four axes (N, C, H, W)", 3: "five axes (N, C, D, H, W)"}


def _input(name: str, axes: int, x: Any) -> Tensor:
    x = as_tensor(x, f"{name}: x")
    if x.ndim != axes + 2:
        raise ShapeError(f"{name}: x must have {_AXES[axes]}, but its shape is {show_shape(x.shape)}")
    if not is_float(x.dtype):
        raise DTypeError(f"{name}: x has element type {x.dtype}; a float type is needed, use mn.cast")
    return x


def _arguments(
    name: str, axes: int, x: Any, kernel_size: Any, stride: Any, padding: Any
) -> tuple[Tensor, Numbers, Numbers, Sides]:
    x = _input(name, axes, x)
    kernel = numbers(name, "kernel_size", kernel_size, axes)
    strides = kernel if stride is None else numbers(name, "stride", stride, axes)
    sides = padding_of(name, padding, x.shape[2:], kernel, strides, (1,) * axes)
    for side, k in zip(sides, kernel):
        if max(side) >= k:
            raise ArgumentError(
                f"{name}: padding {sides} must be smaller than the window {kernel}, or windows would lie outside of x"
            )
    return x, kernel, strides, sides


def _rounded_up(name: str, size: tuple, kernel: Numbers, stride: Numbers, padding: Sides) -> Sides:
    """The padding with which the last window of each axis counts although it is not whole (``ceil_mode``)."""
    sides = []
    for n, k, s, (before, after) in zip(size, kernel, stride, padding):
        if s > 1 and isinstance(n, Dim):
            raise ShapeError(f"{name}: ceil_mode with stride {s} needs a known size, not {n}")
        if s > 1:
            # As many windows as start inside of x or the padding before it.
            steps = min(-(-(n + before + after - k) // s), (n + before - 1) // s)
            after = max(after, steps * s + k - n - before)
        sides.append((before, after))
    return tuple(sides)


def _slide(op: Any, x: Tensor, kernel: Numbers, stride: Numbers, padding: Sides, **attrs: Any) -> Tensor:
    """The two-dimensional ``op`` over the last one, two or three axes of x (N, C, …)."""
    if len(kernel) == 1:
        y = op(
            expand_dims(x, 2), kernel=(1, *kernel), stride=(1, *stride), padding=((0, 0), *padding), **attrs
        )
        return reshape(y, (*y.shape[:2], y.shape[3]))
    if len(kernel) == 2:
        return op(x, kernel=kernel, stride=stride, padding=padding, **attrs)
    n, c, d, h, w = x.shape
    y = reshape(x, (n, c * d, h, w))
    y = op(y, kernel=kernel[1:], stride=stride[1:], padding=padding[1:], **attrs)
    h, w = y.shape[2:]
    y = reshape(y, (n, c, d, h * w))
    y = op(y, kernel=(kernel[0], 1), stride=(stride[0], 1), padding=(padding[0], (0, 0)), **attrs)
    return reshape(y, (n, c, y.shape[2], h, w))


def _max_pool(
    name: str, axes: int, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool
) -> Tensor:
    x, kernel, strides, sides = _arguments(name, axes, x, kernel_size, stride, padding)
    if max(kernel) > LARGEST_WINDOW:
        raise ArgumentError(
            f"{name}: a window of {kernel} has more than {LARGEST_WINDOW} elements along an axis; "
            "pool in two steps, or use mn.max over axes"
        )
    if ceil_mode:
        sides = _rounded_up(name, x.shape[2:], kernel, strides, sides)
    if int(np.prod(kernel[-2:])) <= LARGEST_WINDOW:
        return _slide(MAX_POOL2D, x, kernel, strides, sides)
    # Along one axis after the other, the last one first: of equal elements the first in row order stays the one that is found.
    for axis in reversed(range(axes)):
        window = tuple([n if k == axis else 1 for k, n in enumerate(kernel)])
        steps = tuple([n if k == axis else 1 for k, n in enumerate(strides)])
        edges = tuple([side if k == axis else (0, 0) for k, side in enumerate(sides)])
        x = _slide(MAX_POOL2D, x, window, steps, edges)
    return x


def _avg_pool(
    name: str,
    axes: int,
    x: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Tensor:
    x, kernel, strides, sides = _arguments(name, axes, x, kernel_size, stride, padding)
    counted = bool(count_include_pad) and padding != "same"
    if ceil_mode:
        wider = _rounded_up(name, x.shape[2:], kernel, strides, sides)
        if counted and wider != sides:
            # Padding counts, what the last window lacks beyond it does not: so the padding becomes part of x.
            if any(any(side) for side in sides):
                x = PAD(x, width=((0, 0), (0, 0), *sides), value=0.0)
            wider = tuple([(0, after - given[1]) for (_, after), given in zip(wider, sides)])
            counted = False
        sides = wider
    return _slide(AVG_POOL2D, x, kernel, strides, sides, count_include_pad=counted)


@graph_function
def max_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False
) -> Tensor:
    """The largest element of each window along one axis, as in PyTorch.

    x (N, C, T) → (N, C, T'); padding: int, (before, after), "valid" or "same"; other arguments as in :func:`max_pool2d`.

    >>> import numpy as np, mathnet as mn
    >>> mn.max_pool1d(np.arange(5.0).reshape(1, 1, 5), 2, ceil_mode=True)
    array([[[1., 3., 4.]]])
    """
    return _max_pool("max_pool1d", 1, x, kernel_size, stride, padding, ceil_mode)


@graph_function
def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False
) -> Tensor:
    """The largest element of each window, as in PyTorch.

    x (N, C, H, W) → (N, C, H', W'); kernel_size, stride (default: kernel_size): int or pair; padding: int, pair, nest, "valid" or
    "same"; ceil_mode: whether a last window that reaches beyond the end counts.  Of equal elements the first in row order gets the
    derivative.  Raises ArgumentError for windows of more than 255 elements along an axis (use mn.max over axes for those).

    >>> import numpy as np, mathnet as mn
    >>> mn.max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    """
    return _max_pool("max_pool2d", 2, x, kernel_size, stride, padding, ceil_mode)


@graph_function
def max_pool3d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False
) -> Tensor:
    """The largest element of each box, as in PyTorch.

    x (N, C, D, H, W) → (N, C, D', H', W'); kernel_size, stride: int or triple; other arguments as in :func:`max_pool2d`.

    >>> import numpy as np, mathnet as mn
    >>> mn.max_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    array([[[[[7.]]]]])
    """
    return _max_pool("max_pool3d", 3, x, kernel_size, stride, padding, ceil_mode)


@graph_function
def avg_pool1d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window along one axis, as in PyTorch.  x (N, C, T) → (N, C, T'); arguments as in :func:`avg_pool2d`.

    >>> import numpy as np, mathnet as mn
    >>> mn.avg_pool1d(np.arange(4.0).reshape(1, 1, 4), 2)
    array([[[0.5, 2.5]]])
    """
    return _avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@graph_function
def avg_pool2d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window, as in PyTorch.  Arguments as in :func:`max_pool2d`.

    count_include_pad: whether padding counts as zeros; with padding "same" it never does, nor does what the last window of ceil_mode
    lacks.

    >>> import numpy as np, mathnet as mn
    >>> mn.avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)[0, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    return _avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@graph_function
def avg_pool3d(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each box, as in PyTorch.  x (N, C, D, H, W) → (N, C, D', H', W'); arguments as in :func:`avg_pool2d`.

    >>> import numpy as np, mathnet as mn
    >>> mn.avg_pool3d(np.arange(8.0).reshape(1, 1, 2, 2, 2), 2)
    array([[[[[3.5]]]]])
    """
    return _avg_pool("avg_pool3d", 3, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


# ---- adaptive: the number of windows is given, and they share the axis as evenly as whole elements allow ----


def _shares(size: int, windows: int) -> list[tuple[int, int]]:
    """(first, end) of each window: ⌊i·size/windows⌋ to ⌈(i + 1)·size/windows⌉."""
    return [(i * size // windows, -(-(i + 1) * size // windows)) for i in range(windows)]


def _adaptive(name: str, x: Any, output_size: Any) -> tuple[Tensor, Numbers]:
    x = _input(name, 2, x)
    given = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(given) == 2:
        given = tuple([n if wanted is None else wanted for wanted, n in zip(given, x.shape[2:])])
    if any(isinstance(n, Dim) for n in x.shape[2:]):
        raise ShapeError(f"{name}: x of shape {show_shape(x.shape)} must have a known height and width")
    if 0 in x.shape[2:]:
        raise ShapeError(f"{name}: x of shape {show_shape(x.shape)} has no elements to pool")
    return x, numbers(name, "output_size", given, 2)


@graph_function
def adaptive_avg_pool2d(x: Any, output_size: Any) -> Tensor:
    """Means of output_size windows that share the picture evenly, as in PyTorch.

    x (N, C, H, W) → (N, C, H', W'); window i covers rows ⌊i·H/H'⌋ to ⌈(i+1)·H/H'⌉ − 1.  output_size: int or pair, None in it keeps a
    size.  Height and width of x must be known.

    >>> import numpy as np, mathnet as mn
    >>> mn.adaptive_avg_pool2d(np.arange(6.0).reshape(1, 1, 2, 3), (1, 2))
    array([[[[2., 3.]]]])
    """
    x, out = _adaptive("adaptive_avg_pool2d", x, output_size)
    if all(n % k == 0 for n, k in zip(x.shape[2:], out)):
        kernel = tuple([n // k for n, k in zip(x.shape[2:], out)])
        return _slide(AVG_POOL2D, x, kernel, kernel, ((0, 0), (0, 0)), count_include_pad=False)
    return _window_by_window(mean, x, out)


def _largest(window: Tensor, axis: int, keepdims: bool) -> Tensor:
    """Maxima along an axis; of equal elements the first gets the derivative, as in every pooling."""
    size = window.shape[axis]
    if size > LARGEST_WINDOW:
        return max_(window, axis=axis, keepdims=keepdims)
    kernel = (size, 1) if axis == 2 else (1, size)
    return MAX_POOL2D(window, kernel=kernel, stride=kernel, padding=((0, 0), (0, 0)))


def _window_by_window(reduce: Callable[..., Tensor], x: Tensor, out: Numbers) -> Tensor:
    """``reduce`` over every window, along the rows and then across them."""
    for axis, windows in zip((3, 2), reversed(out)):
        parts = []
        for first, end in _shares(x.shape[axis], windows):
            starts = tuple([first if k == axis else 0 for k in range(4)])
            sizes = tuple([end - first if k == axis else n for k, n in enumerate(x.shape)])
            window = SLICE(x, starts=starts, steps=(1,) * 4, sizes=sizes)
            parts.append(reduce(window, axis=axis, keepdims=True))
        x = concatenate(parts, axis)
    return x


@graph_function
def adaptive_max_pool2d(x: Any, output_size: Any) -> Tensor:
    """Maxima of output_size windows that share the picture evenly; windows as in :func:`adaptive_avg_pool2d`.

    Of equal elements the first in row order gets the derivative, as in :func:`max_pool2d` (of windows up to 255 elements along an axis).

    >>> import numpy as np, mathnet as mn
    >>> mn.adaptive_max_pool2d(np.arange(6.0).reshape(1, 1, 2, 3), (1, 2))
    array([[[[4., 5.]]]])
    """
    x, out = _adaptive("adaptive_max_pool2d", x, output_size)
    return _window_by_window(_largest, x, out)
