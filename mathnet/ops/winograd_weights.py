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


def transformed_weights(weight: np.ndarray, groups: int, stride: int) -> np.ndarray:
    """What ``winograd_forward_prepared`` reads: weight (O, C/groups, taps, taps) → (groups · panels, 36, C/groups, width)."""
    filters, channels, taps = weight.shape[:3]
    width = panel_width(str(weight.dtype))
    panels = groups * -(-(filters // groups) // width)
    kernel = _kernels.kernel("winograd_weights", str(weight.dtype))
    result = np.empty((panels, 36, channels, width), weight.dtype)
    fields = kernel.pack(groups=groups, o=filters, c=channels, taps=taps, stride=stride, width=width)
    operands: list[Any] = [np.ascontiguousarray(weight), result]
    kernel.run(fields, operands)
    return result


__all__ = ["panel_width", "transformed_weights"]
