"""Which kernel runs a convolution.

    3×3, stride 1, at least 16 channels in and out    winograd_…        tiles of 4×4 outputs for 36 products in place of 144,
                                                                        of 2×2 outputs, in the smallest pictures, for 16 of 36
    3×3, stride 2, at least 32 channels in and out    winograd_…        the same by phases of the stride, for 81 products
    5×5, stride 1, at least 16 channels in and out    winograd_…        tiles of 2×2 outputs for 36 products in place of 100
    one input channel for each group                  direct_…          no matrix: vectors along the rows of the picture
    wide kernels or few channels, forward             row_winograd_…    tiles of 4 outputs along the rows alone
    everything else                                   conv2d_…          implicit matrix product

A dilated kernel with stride 1 sees every d-th pixel alone, so the picture is d·d pictures; it is their size that tiles must fit.

The choice follows from the shape of the layer alone: channels, kernel, stride, dilation, groups and the size of the picture.
The number of examples and of threads plays no part, so one example has the same bits alone and in any batch.  ``plan.explain()``
shows the name of the kernel.  Both element types and all instruction sets choose alike.
"""

from __future__ import annotations

from collections.abc import Mapping

# The fewest channels of a group, in and out, with which the transforms cost less than they save, by stride.
WINOGRAD_CHANNELS = {1: 16, 2: 32}
LEAST_PIXELS = 16  # those of an image, which the implicit matrix product takes in panels of about so many
WINOGRAD_DILATION = 128  # along rows: their tiles are in the workspace, at least one for each of the pictures
DIRECT_FILTERS = 8  # of a group; with more, a matrix product reads each pixel less often
DIRECT_TAPS = 25  # backward: with more, and many filters, the sums leave the registers too often

# Of tiles along the rows alone: filters, tiles of a row, and the longest sums of products, beyond which rows outgrow the caches.
ROW_FILTERS, ROW_TILES, ROW_SUMS = 16, 4, 512
# Direct products of a tile of 4 outputs that its transforms and slower products, by this factor, must save.
ROW_SAVING, ROW_FACTOR = 45, 1.13

# Weights by input channels up to which a frozen model keeps them transformed, four times as large (5×5: 1.4 times): more are
# transformed in the cache faster than they are read from memory.
KEPT_WEIGHTS = 128 * 128
TRANSFORMED_PIXELS = (
    4096  # of all outputs from which others transform such weights once before, not in each block
)


def kernel_of(part: str, fields: Mapping[str, int], exact: bool = False) -> str:
    """The kernel for ``part`` ("forward", "backward_input" or "backward_weight") of the convolution with these descriptor fields.

    exact: only kernels that sum the products as they stand in the definition.
    """
    if not exact and _fits_winograd(fields):
        return f"winograd_{part}"
    if _fits_direct(part, fields):
        return f"direct_{part}"
    if part == "forward" and not exact and _fits_rows(fields):
        return f"row_winograd_{part}"
    return f"conv2d_{part}"


def _fits_direct(part: str, f: Mapping[str, int]) -> bool:
    """Depthwise: one input channel for each group, and filters (or, backward, taps) so few that a matrix does not pay."""
    if f["c"] != f["groups"]:
        return False
    if f["o"] <= DIRECT_FILTERS * f["groups"]:
        return True
    return part != "forward" and f["kh"] * f["kw"] <= DIRECT_TAPS and f["stride_h"] == f["stride_w"] == 1


def _fits_winograd(f: Mapping[str, int]) -> bool:
    """Enough channels, and pictures whose tiles take much less than the products of direct arithmetic, which come in panels of pixels.

    So the smallest pictures, of 2×2, 1×1 and 1×12, have tiles too: with 8 images and more these are 1.4 to 5 times as fast.  A
    single image, whose products are few beside its weights, would be faster without, but must have the bits that it has in a batch.
    """
    taps, stride, dilated = f["kh"], f["stride_h"], max(f["dilation_h"], f["dilation_w"]) > 1
    if (f["kw"], f["stride_w"]) != (taps, stride) or f["dilation_w"] > WINOGRAD_DILATION:
        return False
    if (taps, stride) not in {(3, 1), (5, 1)} and ((taps, stride) != (3, 2) or dilated):
        return False
    if min(f["c"], f["o"]) < WINOGRAD_CHANNELS[stride] * f["groups"]:
        return False
    products = _products(f["out_h"], taps, stride, f["dilation_h"]) * _products(
        f["out_w"], taps, stride, f["dilation_w"]
    )
    pixels = max(f["out_h"] * f["out_w"], LEAST_PIXELS)
    return products <= (0.5 if stride == 1 else 0.75) * taps * taps * pixels


def _products(size: int, taps: int, stride: int, dilation: int) -> int:
    """Products along one axis of the tiles that cover ``size`` outputs: of large tiles, of those with one output less, and perhaps
    one with two less."""
    outputs, size = 7 - taps, -(-size // dilation)
    large, small = (6, 5) if stride == 1 else (9, 7)
    smallest = 2 if (taps, stride) == (3, 1) else 1  # 0 or 1 of them, with 4 products
    counts = (
        large * -(-max(size - (outputs - 1) * n - (outputs - 2) * s, 0) // outputs) + small * n + 4 * s
        for n in range(outputs)
        for s in range(smallest)
    )
    return dilation * min(counts)


def _fits_rows(f: Mapping[str, int]) -> bool:
    """Tiles along the rows save enough products: of wide kernels, or of first layers with their few channels.

    One-dimensional convolutions, whose kernels have one row, stay direct: those over time must not mix what follows into what was.
    """
    filters, taps, tiles = f["o"] // f["groups"], f["c"] // f["groups"] * f["kh"], -(-f["out_w"] // 4)
    if f["kh"] == 1 or max(f["dilation_h"], f["dilation_w"]) > 1:
        return False
    if filters < ROW_FILTERS or tiles < ROW_TILES:
        return False
    # by taps of a part
    parts = {r: min(f["stride_w"], f["kw"]) * -(-f["kw"] // (f["stride_w"] * r)) for r in (3, 4)}
    if max(parts.values()) * taps > ROW_SUMS:
        return False
    products = min((r + 3) * count for r, count in parts.items()) * taps
    # tiles and panels end with zeros
    whole = 4 * tiles / f["out_w"] * ROW_FILTERS * -(-filters // ROW_FILTERS) / filters
    return 4 * taps * f["kw"] - ROW_FACTOR * whole * products >= ROW_SAVING


def keeps_transformed(kernel: str, fields: Mapping[str, int]) -> bool:
    """Whether a frozen model keeps the weights of this kernel transformed."""
    return kernel == "winograd_forward" and fields["o"] * fields["c"] <= KEPT_WEIGHTS * fields["groups"]


def transforms_first(fields: Mapping[str, int]) -> bool:
    """Whether weights that a frozen model would keep are transformed by an instruction of their own.  The bits are the same."""
    return fields["n"] * fields["out_h"] * fields["out_w"] >= TRANSFORMED_PIXELS


__all__ = ["keeps_transformed", "kernel_of", "transforms_first"]
