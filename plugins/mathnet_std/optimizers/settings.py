"""Checks of the numbers that optimizers are given."""

from typing import Any

import mathnet as mn


def number(optimizer: str, name: str, value: Any, below: float | None = None) -> float:
    """A float ≥ 0 (and < ``below``), or an error that names optimizer and setting."""
    good = (
        isinstance(value, (int, float))
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
    if isinstance(value, (int, float)):
        return number(optimizer, "learning_rate", value)
    return mn.schedules.get(value)
