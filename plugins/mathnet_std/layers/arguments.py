"""Checks of arguments that layers of every kind take."""

from typing import Any

import mathnet as mn


def positive(layer: str, argument: str, value: Any) -> int:
    """A positive integer."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise mn.ArgumentError(f"{layer}: {argument} must be a positive integer, not {value!r}")
    return value.__index__()


def fraction(layer: str, argument: str, value: Any) -> float:
    """A rate of dropout."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0.0 <= value < 1.0:
        raise mn.ArgumentError(f"{layer}: {argument} must be a number from 0 to below 1, not {value!r}")
    return float(value)
