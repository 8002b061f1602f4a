"""Checks of the numbers that optimizers are given."""

import math
from typing import Any

import numpy as np

import mathnet as mn


def number(optimizer: str, name: str, value: Any, below: float | None = None) -> float:
    """A float ≥ 0 (and < ``below``), or an error that names optimizer and setting."""
    good = (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and value >= 0.0
        and (below is None or value < below)
    )
    if not good:
        limit = "" if below is None else f" and below {below:g}"
        raise mn.ArgumentError(f"{optimizer}: {name} must be a number from 0{limit}, not {value!r}")
    return float(value)


def rate(optimizer: str, value: Any) -> Any:
    """A learning rate: a number from 0, or a schedule (key, object or function of the step)."""
    if isinstance(value, (int, float, np.integer, np.floating)):
        return number(optimizer, "learning_rate", value)
    return mn.schedules.get(value)


def count(optimizer: str, name: str, value: Any) -> int:
    """An integer from 1."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise mn.ArgumentError(f"{optimizer}: {name} must be an integer from 1, not {value!r}")
    return int(value)


def start_of(optimizer: str, evaluate: Any, theta: Any) -> tuple[float, Any]:
    """Loss and gradient at the weights as they are, which must be finite."""
    value, slope = evaluate(theta)
    if not math.isfinite(value) or not np.isfinite(slope).all():
        raise mn.DataError(
            f"{optimizer}: the loss is {value:g} at the present weights, or its gradient is not finite; nothing was changed"
        )
    return value, slope
