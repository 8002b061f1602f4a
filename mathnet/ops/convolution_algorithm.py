"""Which kernel runs a convolution.

The choice follows from the shape of the layer alone: channels, kernel, stride, dilation, groups and the size of the picture.
The number of examples and of threads plays no part, so one example has the same bits alone and in any batch.  ``plan.explain()``
shows the name of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping


def kernel_of(part: str, fields: Mapping[str, int]) -> str:
    """The kernel for ``part`` ("forward", "backward_input" or "backward_weight") of the convolution with these descriptor fields."""
    return f"conv2d_{part}"


__all__ = ["kernel_of"]
