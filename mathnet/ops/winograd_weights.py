"""Weights of Winograd convolution, transformed once for models whose weights never change."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mathnet import _kernels

_WIDTHS = (2, 4, 8, 16, 32, 64)


@cache
def panel_width(real: str) -> int:
    """Outputs of a panel of transformed weights: the one width that the kernels of this processor take."""
    kernel = _kernels.kernel("winograd_weights", real)
    for width in _WIDTHS:
        try:
            kernel.sizes(kernel.pack(groups=1, o=1, c=1, taps=3, stride=1, width=width))
        except ValueError:
            continue
        return width
    raise RuntimeError(f"winograd_weights for {real} takes none of the widths {_WIDTHS}")


def transformation(
    weight: tuple[int, ...], real: str, groups: int, stride: int
) -> tuple[dict[str, int], tuple[int, ...]]:
    """Fields of the kernel ``winograd_weights`` for weights (O, C/groups, taps, taps), and the shape of its result
    (groups · panels, 36, C/groups, width), which ``winograd_forward_prepared`` reads."""
    filters, channels, taps = weight[:3]
    width = panel_width(real)
    fields = {"groups": groups, "o": filters, "c": channels, "taps": taps, "stride": stride, "width": width}
    return fields, (groups * -(-(filters // groups) // width), 36, channels, width)


def transformed_weights(weight: np.ndarray, groups: int, stride: int) -> np.ndarray:
    """The result of the kernel ``winograd_weights``."""
    kernel = _kernels.kernel("winograd_weights", str(weight.dtype))
    fields, shape = transformation(weight.shape, str(weight.dtype), groups, stride)
    result = np.empty(shape, weight.dtype)
    operands: list[Any] = [np.ascontiguousarray(weight), result]
    kernel.run(kernel.pack(b"", **fields), operands)
    return result


__all__ = ["panel_width", "transformation", "transformed_weights"]
