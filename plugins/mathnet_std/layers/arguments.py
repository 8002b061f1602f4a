"""Checks of arguments that layers of every kind take."""

from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet as mn


def positive(layer: str, argument: str, value: Any) -> int:
    """A positive integer."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise mn.ArgumentError(f"{layer}: {argument} must be a positive integer, not {value!r}")
    return value.__index__()


def fraction(layer: str, argument: str, value: Any) -> float:
    """A rate of dropout."""
    return number(layer, argument, value, "a number from 0 to below 1", lambda x: 0.0 <= x < 1.0)


def number(layer: str, argument: str, value: Any, wanted: str, holds: Callable[[float], bool]) -> float:
    """A number for which ``holds``; ``wanted`` says so in words."""
    real = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not real or not holds(float(value)):
        raise mn.ArgumentError(f"{layer}: {argument} must be {wanted}, not {value!r}")
    return float(value)
