"""Pictures with more or fewer pixels: UpSampling2D, ZeroPad2D, Cropping2D."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import number
from mathnet_std.layers.windows import check_axes, numbers

Sides = tuple[tuple[int, int], tuple[int, int]]


def _sides(layer: str, argument: str, value: Any) -> Sides:
    """((top, bottom), (left, right)) from an int, a pair or such a nest."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    pairs = [tuple(v) if isinstance(v, (tuple, list)) else (v, v) for v in values]
    flat = [n for pair in pairs for n in pair]
    whole = all(hasattr(n, "__index__") and not isinstance(n, bool) for n in flat)
    if len(pairs) != 2 or len(flat) != 4 or not whole or any(n.__index__() < 0 for n in flat):
        raise mn.ArgumentError(
            f"{layer}: {argument} must be an integer ≥ 0, a pair or ((top, bottom), (left, right)), not {value!r}"
        )
    top, bottom, left, right = (n.__index__() for n in flat)
    return (top, bottom), (left, right)


@mn.layer("up_sampling2d")
class UpSampling2D(mn.Layer):
    """Every pixel ``size`` times along both axes (nearest), or values between the pixels (bilinear).

    x (N, C, H, W) → y (N, C, H·size, W·size).  size: int or pair; interpolation: "nearest" or "bilinear".

    >>> import mathnet as mn
    >>> mn.layers.UpSampling2D(2)(mn.Input((8, 7, 7))).shape
    (batch, 8, 14, 14)
    """

    def __init__(self, size: Any = 2, interpolation: str = "nearest", name: str | None = None) -> None:
        self.size = numbers("UpSampling2D", "size", size, 2)
        if interpolation not in ("nearest", "bilinear"):
            raise mn.ArgumentError(
                f"UpSampling2D: interpolation must be 'nearest' or 'bilinear', not {interpolation!r}"
            )
        self.interpolation = interpolation

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)

    def call(self, x: Any) -> Any:
        return mn.interpolate(x, scale_factor=self.size, mode=self.interpolation)


#: The names of NumPy's modes of padding.
_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


@mn.layer("zero_pad2d")
class ZeroPad2D(mn.Layer):
    """A border around pictures: zeros or another number, or pixels of the picture itself.

    x (N, C, H, W) → y (N, C, H + top + bottom, W + left + right).

    Parameters
    ----------
    padding: int, pair (vertical, horizontal) or ((top, bottom), (left, right)).
    mode: "constant"; "reflect" (mirrored at the outermost pixel), "replicate" (the outermost pixel), "circular" (from the other side).
    value: the number of mode "constant".

    >>> import mathnet as mn
    >>> mn.layers.ZeroPad2D(((0, 1), (2, 2)))(mn.Input((8, 7, 7))).shape
    (batch, 8, 8, 11)
    """

    def __init__(
        self, padding: Any = 1, mode: str = "constant", value: float = 0.0, name: str | None = None
    ) -> None:
        self.padding = _sides("ZeroPad2D", "padding", padding)
        if mode not in ("constant", *_MODES):
            raise mn.ArgumentError(
                f"ZeroPad2D: mode must be 'constant', 'reflect', 'replicate' or 'circular', not {mode!r}"
            )
        self.mode = mode
        self.value = number("ZeroPad2D", "value", value, "a number", lambda x: True)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)

    def call(self, x: Any) -> Any:
        if self.mode == "constant":
            return mn.pad(x, ((0, 0), (0, 0), *self.padding), constant_values=self.value)
        return mn.pad(x, ((0, 0), (0, 0), *self.padding), _MODES[self.mode])


@mn.layer("cropping2d")
class Cropping2D(mn.Layer):
    """Pictures without their border.

    x (N, C, H, W) → y (N, C, H − top − bottom, W − left − right).  cropping: int, pair (vertical, horizontal) or
    ((top, bottom), (left, right)).

    >>> import mathnet as mn
    >>> mn.layers.Cropping2D(((0, 1), (2, 2)))(mn.Input((8, 7, 7))).shape
    (batch, 8, 6, 3)
    """

    def __init__(self, cropping: Any = 1, name: str | None = None) -> None:
        self.cropping = _sides("Cropping2D", "cropping", cropping)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)

    def call(self, x: Any) -> Any:
        parts: list[Any] = [slice(None), slice(None)]
        for size, (before, after) in zip(x.shape[2:], self.cropping):
            if before + after and not isinstance(size, int):
                raise mn.ShapeError(f"the size of the picture must be known, not {size}")
            if isinstance(size, int) and before + after >= size:
                raise mn.ShapeError(f"cropping {self.cropping} leaves nothing of an axis of {size} pixels")
            parts.append(slice(before, size - after) if before + after else slice(None))
        return x[tuple(parts)]
