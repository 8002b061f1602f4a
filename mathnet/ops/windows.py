"""Arguments of operations with sliding windows: strides, padding, dilation and the sizes that follow."""

from __future__ import annotations

from typing import Any

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, show_shape

Pair = tuple[int, int]
Padding = tuple[Pair, Pair]


def pair(name: str, argument: str, value: Any, least: int = 1) -> Pair:
    """An int or a pair of ints ≥ ``least`` as a pair (vertical, horizontal)."""
    values = value if isinstance(value, (tuple, list)) else (value, value)
    whole = all(hasattr(v, "__index__") and not isinstance(v, bool) for v in values)
    if len(values) != 2 or not whole or any(v.__index__() < least for v in values):
        raise ArgumentError(f"{name}: {argument} must be an int ≥ {least} or a pair of them, not {value!r}")
    return values[0].__index__(), values[1].__index__()


def padding_of(name: str, padding: Any, size: tuple, window: Pair, stride: Pair, dilation: Pair) -> Padding:
    """((top, bottom), (left, right)) from an int, a pair, such a nest, "valid" or "same" (the odd zero at the end)."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        return _same(name, size[0], window[0], stride[0], dilation[0]), _same(
            name, size[1], window[1], stride[1], dilation[1]
        )
    if isinstance(padding, str):
        raise ArgumentError(
            f"{name}: padding {padding!r} is unknown; "
            "use 'valid', 'same', an int, a pair or ((top, bottom), (left, right))"
        )
    if (
        isinstance(padding, (tuple, list))
        and len(padding) == 2
        and all(isinstance(p, (tuple, list)) for p in padding)
    ):
        return pair(name, "padding", padding[0], 0), pair(name, "padding", padding[1], 0)
    vertical, horizontal = pair(name, "padding", padding, 0)
    return (vertical, vertical), (horizontal, horizontal)


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
    name: str, size: tuple, window: Pair, stride: Pair, padding: Padding, dilation: Pair = (1, 1)
) -> tuple:
    """Number of window positions along both axes."""
    result = []
    for n, k, s, (before, after), d in zip(size, window, stride, padding, dilation):
        span = d * (k - 1) + 1
        padded = n + before + after
        if not isinstance(padded, Dim) and padded < span:
            raise ShapeError(
                f"{name}: a window of {window} with dilation {dilation} does not fit into {show_shape(size)} with padding {padding}"
            )
        result.append((padded - span) // s + 1)
    return tuple(result)
