"""Schedules: rates as functions of the step; the first update is step 0."""

import math
from typing import Any

import mathnet as mn


@mn.schedule("constant")
def constant(step: Any, initial: float = 0.1) -> Any:
    """initial, at every step.

    >>> import mathnet as mn
    >>> mn.schedules.Constant(0.1)(1000.0)
    0.1
    """
    return initial


@mn.schedule("step")
def step(step: Any, initial: float = 0.1, step_size: float = 1000.0, gamma: float = 0.1) -> Any:
    """initial · gamma^⌊step/step_size⌋.

    >>> import mathnet as mn
    >>> [round(float(mn.schedules.Step(0.1, step_size=10)(t)), 6) for t in (0.0, 9.0, 10.0, 25.0)]
    [0.1, 0.1, 0.01, 0.001]
    """
    return initial * gamma ** mn.floor(step / step_size)


@mn.schedule("exponential")
def exponential(step: Any, initial: float = 0.1, gamma: float = 0.999) -> Any:
    """initial · gamma^step.

    >>> import mathnet as mn
    >>> [round(float(mn.schedules.Exponential(0.1, gamma=0.5)(t)), 6) for t in (0.0, 1.0, 2.0)]
    [0.1, 0.05, 0.025]
    """
    return initial * gamma**step


@mn.schedule("cosine")
def cosine(step: Any, initial: float = 0.1, steps: float = 1000.0, minimum: float = 0.0) -> Any:
    """minimum + (initial − minimum)·(1 + cos(π·min(step/steps, 1)))/2.  Source: Loshchilov and Hutter, 2017.

    >>> import mathnet as mn
    >>> [round(float(mn.schedules.Cosine(0.1, steps=100)(t)), 6) for t in (0.0, 50.0, 100.0)]
    [0.1, 0.05, 0.0]
    """
    return minimum + (initial - minimum) * 0.5 * (1.0 + mn.cos(math.pi * mn.minimum(step / steps, 1.0)))
