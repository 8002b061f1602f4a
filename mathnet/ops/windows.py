"""Arguments of operations with sliding windows over one, two or three axes: strides, padding, dilation and the sizes that follow."""

from __future__ import annotations

from typing import Any

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.op import OPS
from mathnet.graph.tensor import Tensor

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]
#: One number for each axis that the window slides along; one pair (before, after) for each.
Numbers = tuple[int, ...]
Sides = tuple[Pair, ...]

_SEVERAL = {1: "a tuple of one", 2: "a pair of them", 3: "a triple of them"}
_PADDING_FORMS = {
    1: "'valid', 'same', an int or (before, after)",
    2: "'valid', 'same', an int, a pair or ((top, bottom), (left, right))",
    3: "'valid', 'same', an int, a triple or ((front, back), (top, bottom), (left, right))",
}


def numbers(name: str, argument: str, value: Any, axes: int, least: int = 1) -> Numbers:
    """An int for every axis, or one int for each; all ≥ ``least``."""
    values = value if isinstance(value, (tuple, list)) else (value,) * axes
    whole = all(hasattr(v, "__index__") and not isinstance(v, bool) for v in values)
    if len(values) != axes or not whole or any(v.__index__() < least for v in values):
        raise ArgumentError(f"{name}: {argument} must be an int ≥ {least} or {_SEVERAL[axes]}, not {value!r}")
    return tuple([v.__index__() for v in values])


def padding_of(
    name: str, padding: Any, size: tuple, window: Numbers, stride: Numbers, dilation: Numbers
) -> Sides:
    """(before, after) for each axis from an int, one int for each axis, such a nest, "valid" or "same" (the odd zero at the end).

    With one axis a pair of ints is (before, after).
    """
    axes = len(window)
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * axes
        if padding == "same":
            return tuple(
                [_same(name, n, k, s, d) for n, k, s, d in zip(size, window, stride, dilation)],
            )
        raise ArgumentError(f"{name}: padding {padding!r} is unknown; use {_PADDING_FORMS[axes]}")
    if isinstance(padding, (tuple, list)):
        if len(padding) == axes and all(isinstance(p, (tuple, list)) for p in padding):
            return tuple([_side(name, p, padding) for p in padding])
        if axes == 1 and len(padding) == 2:
            return (_side(name, padding, padding),)
    return tuple([(n, n) for n in numbers(name, "padding", padding, axes, 0)])


def _side(name: str, side: Any, padding: Any) -> Pair:
    whole = all(hasattr(n, "__index__") and not isinstance(n, bool) for n in side)
    if len(side) != 2 or not whole or any(n.__index__() < 0 for n in side):
        raise ArgumentError(f"{name}: padding holds pairs (before, after) of ints ≥ 0, not {padding!r}")
    return side[0].__index__(), side[1].__index__()


def _same(name: str, size: Any, window: int, stride: int, dilation: int) -> Pair:
    if isinstance(size, Dim):
        if stride != 1:
            raise ShapeError(
                f"{name}: padding 'same' with stride {stride} needs a known size, not {size}; give the padding as numbers"
            )
        total = dilation * (window - 1)
    else:
        total = max((-(-size // stride) - 1) * stride + dilation * (window - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def out_size(
    name: str, size: tuple, window: Numbers, stride: Numbers, padding: Sides, dilation: Numbers | None = None
) -> tuple:
    """Number of window positions along each axis."""
    result = []
    dilation = (1,) * len(window) if dilation is None else dilation
    for n, k, s, (before, after), d in zip(size, window, stride, padding, dilation):
        span = d * (k - 1) + 1
        padded = n + before + after
        if not isinstance(padded, Dim) and padded < span:
            raise ShapeError(
                f"{name}: a window of {window} with dilation {dilation} does not fit into {show_shape(size)} with padding {padding}"
            )
        result.append((padded - span) // s + 1)
    return tuple(result)


def folded(x: Tensor) -> Tensor:
    """(n, N, …) as (n·N, …): a batch of batches of images as one."""
    return OPS["reshape"](x, shape=(x.shape[0] * x.shape[1], *x.shape[2:]))


def unfolded(x: Tensor, n: Any) -> Tensor:
    """(n·N, …) as (n, N, …)."""
    return OPS["reshape"](x, shape=(n, x.shape[0] // n, *x.shape[1:]))
