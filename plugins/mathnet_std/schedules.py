"""Schedules: rates as functions of the step; the first update is step 0."""

import math
from typing import Any

import mathnet as mn


@mn.schedule("constant")
def constant(step: Any, initial: float = 0.1) -> Any:
    """initial, at every step."""
    return initial


@mn.schedule("step")
def step(step: Any, initial: float = 0.1, step_size: float = 1000.0, gamma: float = 0.1) -> Any:
    """initial · gamma^⌊step/step_size⌋."""
    return initial * gamma ** mn.floor(step / step_size)


@mn.schedule("exponential")
def exponential(step: Any, initial: float = 0.1, gamma: float = 0.999) -> Any:
    """initial · gamma^step."""
    return initial * gamma**step


@mn.schedule("cosine")
def cosine(step: Any, initial: float = 0.1, steps: float = 1000.0, minimum: float = 0.0) -> Any:
    """minimum + (initial − minimum)·(1 + cos(π·min(step/steps, 1)))/2.  Source: Loshchilov and Hutter, 2017."""
    return minimum + (initial - minimum) * 0.5 * (1.0 + mn.cos(math.pi * mn.minimum(step / steps, 1.0)))
