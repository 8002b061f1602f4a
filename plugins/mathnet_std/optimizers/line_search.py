"""A line search for the strong Wolfe conditions."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import mathnet as mn


class Trial(NamedTuple):
    """A step along the direction, with the value and the slope there, and the gradient."""

    step: float
    value: float
    slope: float
    gradient: Any


def strong_wolfe(
    along: Callable[[float], Trial], start: Trial, first: float, c1: float, c2: float, evaluations: int
) -> Trial | None:
    """A step with f(a) ≤ f(0) + c₁ a f′(0) and |f′(a)| ≤ c₂ |f′(0)|, by at most ``evaluations`` calls of ``along``.

    When they do not suffice: the best step found that fulfils the first condition, else None.  Values that are not finite count as too
    high.  Raises ArgumentError for a direction that does not descend.  Source: Nocedal and Wright, Numerical Optimization, 2006,
    algorithms 3.5 and 3.6.
    """
    if not start.slope < 0.0:
        raise mn.ArgumentError(f"line search: the direction does not descend, its slope is {start.slope:g}")

    def too_high(trial: Trial) -> bool:
        return not trial.value <= start.value + c1 * trial.step * start.slope or not math.isfinite(
            trial.slope
        )

    previous, step = start, first
    for used in range(1, evaluations + 1):
        trial = along(step)
        if too_high(trial) or (used > 1 and trial.value >= previous.value):
            return _zoom(along, start, previous, trial, c2, too_high, evaluations - used)
        if abs(trial.slope) <= -c2 * start.slope:
            return trial
        if trial.slope >= 0.0:
            return _zoom(along, start, trial, previous, c2, too_high, evaluations - used)
        step = min(max(_minimum(previous, trial), 1.5 * trial.step), 10.0 * trial.step)
        previous = trial
    return previous if previous.step > 0.0 else None


def _zoom(
    along: Callable[[float], Trial],
    start: Trial,
    low: Trial,
    high: Trial,
    c2: float,
    too_high: Callable[[Trial], bool],
    evaluations: int,
) -> Trial | None:
    """Narrows the interval between ``low``, the best step so far, and ``high``, which holds a good step."""
    for _ in range(evaluations):
        width = high.step - low.step
        if abs(width) <= 1e-14 * max(1.0, abs(low.step)):
            break
        share = (_minimum(low, high) - low.step) / width
        trial = along(low.step + min(max(share, 0.1), 0.9) * width)
        if too_high(trial) or trial.value >= low.value:
            high = trial
            continue
        if abs(trial.slope) <= -c2 * start.slope:
            return trial
        if trial.slope * width >= 0.0:
            high = low
        low = trial
    return low if low.step > 0.0 else None


def _minimum(a: Trial, b: Trial) -> float:
    """The minimum of the cubic through two trials; their middle where there is none (Nocedal and Wright, 3.59)."""
    if not (math.isfinite(a.value + a.slope) and math.isfinite(b.value + b.slope)):
        return 0.5 * (a.step + b.step)
    first = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.step - b.step)
    radicand = first * first - a.slope * b.slope
    if radicand < 0.0:
        return 0.5 * (a.step + b.step)
    second = math.copysign(math.sqrt(radicand), b.step - a.step)
    divisor = b.slope - a.slope + 2.0 * second
    if divisor == 0.0:
        return 0.5 * (a.step + b.step)
    return b.step - (b.step - a.step) * (b.slope + second - first) / divisor
