"""Checks of arguments that layers of every kind take."""

from typing import Any

import mathnet as mn


def positive(layer: str, argument: str, value: Any) -> int:
    """A positive integer."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise mn.ArgumentError(f"{layer}: {argument} must be a positive integer, not {value!r}")
    return value.__index__()
