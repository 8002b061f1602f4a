"""Sizes of sliding windows: pairs, and the padding that "valid" and "same" stand for."""

from typing import Any

import mathnet as mn

Sides = tuple[tuple[int, int], tuple[int, int]]


def pair(layer: str, argument: str, value: Any) -> tuple[int, int]:
    """An int for both axes, or one for each; all positive."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2 or any(
        isinstance(v, bool) or not hasattr(v, "__index__") or v.__index__() < 1 for v in values
    ):
        raise mn.ArgumentError(
            f"{layer}: {argument} must be a positive integer or a pair of them, not {value!r}"
        )
    return values[0].__index__(), values[1].__index__()


def window_padding(
    shape: tuple,
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: Any,
    dilation: tuple[int, int] = (1, 1),
) -> Sides:
    """((top, bottom), (left, right)) for an input of ``shape`` (N, C, H, W)."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        height, width = (_same(n, k, s, d) for n, k, s, d in zip(shape[2:], size, stride, dilation))
        return height, width
    if isinstance(padding, str):
        raise mn.ArgumentError(
            f"padding must be 'valid', 'same', an integer, a pair or ((top, bottom), (left, right)), not {padding!r}"
        )
    values = tuple(padding) if isinstance(padding, (tuple, list)) else (padding, padding)
    sides = [tuple(value) if isinstance(value, (tuple, list)) else (value, value) for value in values]
    flat = [number for side in sides for number in side]
    if (
        len(sides) != 2
        or len(flat) != 4
        or any(isinstance(n, bool) or not hasattr(n, "__index__") or n.__index__() < 0 for n in flat)
    ):
        raise mn.ArgumentError(
            f"padding must be 'valid', 'same', an integer ≥ 0, a pair or ((top, bottom), (left, right)), not {padding!r}"
        )
    top, bottom, left, right = (number.__index__() for number in flat)
    return (top, bottom), (left, right)


def _same(length: Any, size: int, stride: int, dilation: int) -> tuple[int, int]:
    """Zeros before and after so that the output has ⌈length/stride⌉ elements; the odd one stands after."""
    reach = (size - 1) * dilation
    if stride == 1:
        total = reach
    elif isinstance(length, int):
        total = max((-(-length // stride) - 1) * stride + reach + 1 - length, 0)
    else:
        raise mn.ShapeError(
            f"padding='same' with strides above 1 needs a known size of the image, but {length} is not known; give Input that size"
        )
    return total // 2, total - total // 2
