"""Checks of the settings that callbacks are given; NumPy's numbers are numbers too."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

import mathnet as mn


def file_path(owner: str, value: Any) -> str:
    """The name of a file, as text."""
    try:
        return os.fsdecode(value)
    except TypeError:
        raise mn.ArgumentError(
            f"{owner}: path must be the name of a file, a str or pathlib.Path, not {value!r}"
        ) from None


def whole(owner: str, name: str, value: Any, least: int) -> int:
    """An integer from ``least``."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise mn.ArgumentError(f"{owner}: {name} must be an integer from {least}, not {value!r}")
    return int(value)


def number(owner: str, name: str, value: Any, least: float = -math.inf) -> float:
    """A finite number from ``least``."""
    good = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or value < least:
        limit = "" if least == -math.inf else f" from {least:g}"
        raise mn.ArgumentError(f"{owner}: {name} must be a number{limit}, not {value!r}")
    return float(value)


def parameter_names(owner: str, value: Any) -> tuple[str, ...]:
    """One name of a hyper-parameter, or several."""
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not names or any(not isinstance(n, str) for n in names):
        raise mn.ArgumentError(
            f"{owner}: parameter must be a name in trainer.hyper such as 'learning_rate', or several, not {value!r}"
        )
    return tuple(names)
