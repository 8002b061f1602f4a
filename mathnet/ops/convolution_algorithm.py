"""Which kernel runs a convolution.

    3×3, stride 1, at least 16 channels in and out    winograd_…    tiles of 4×4 outputs for 36 products in place of 144
    everything else                                   conv2d_…      implicit matrix product

The choice follows from the shape of the layer alone: channels, kernel, stride, dilation, groups and the size of the picture.
The number of examples and of threads plays no part, so one example has the same bits alone and in any batch.  ``plan.explain()``
shows the name of the kernel.  Both element types and all instruction sets choose alike.
"""

from __future__ import annotations

from collections.abc import Mapping

WINOGRAD_CHANNELS = 16  # of a group, in and out; with fewer the transforms cost more than they save


def kernel_of(part: str, fields: Mapping[str, int]) -> str:
    """The kernel for ``part`` ("forward", "backward_input" or "backward_weight") of the convolution with these descriptor fields."""
    if _fits_winograd(fields):
        return f"winograd_{part}"
    return f"conv2d_{part}"


def _fits_winograd(f: Mapping[str, int]) -> bool:
    """3×3, stride 1, enough channels, and pictures whose tiles take at most half the products of direct arithmetic."""
    if (f["kh"], f["kw"], f["stride_h"], f["stride_w"], f["dilation_h"], f["dilation_w"]) != (
        3,
        3,
        1,
        1,
        1,
        1,
    ):
        return False
    if min(f["c"], f["o"]) < WINOGRAD_CHANNELS * f["groups"]:
        return False
    return 2 * _points(f["out_h"]) * _points(f["out_w"]) <= 9 * f["out_h"] * f["out_w"]


def _points(size: int) -> int:
    """Points of the tiles that cover ``size`` outputs along one axis: 6 for every 4 outputs, or 5 for 3."""
    return min(6 * -(-max(size - 3 * threes, 0) // 4) + 5 * threes for threes in range(4))


__all__ = ["kernel_of"]
