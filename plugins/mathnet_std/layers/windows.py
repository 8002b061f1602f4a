"""Arguments of layers with sliding windows, and the number of axes of their inputs."""

from typing import Any

import mathnet as mn

_SEVERAL = {1: "", 2: " or a pair of them", 3: " or a triple of them"}
_AXES = {
    1: "three axes, (batch, channels, time)",
    2: "four axes, (batch, channels, height, width)",
    3: "five axes, (batch, channels, depth, height, width)",
}


def numbers(layer: str, argument: str, value: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """An int for all axes, or one for each; all ≥ ``least``."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    whole = all(hasattr(v, "__index__") and not isinstance(v, bool) for v in values)
    if len(values) != axes or not whole or any(v.__index__() < least for v in values):
        kind = "a positive integer" if least == 1 else f"an integer ≥ {least}"
        raise mn.ArgumentError(f"{layer}: {argument} must be {kind}{_SEVERAL[axes]}, not {value!r}")
    return tuple(v.__index__() for v in values)


def check_axes(input_shape: Any, axes: int) -> None:
    """Refuses an input that is no batch of channels over ``axes`` axes."""
    if isinstance(input_shape, list) or len(input_shape) != axes + 2:
        raise mn.ShapeError(f"the input must be one tensor with {_AXES[axes]}")
