"""Schedules: rates as functions of the step; the first update is step 0.  Steps beyond the last one keep its rate."""

import math
from typing import Any

import mathnet as mn


@mn.schedule("constant")
def constant(step: Any, initial: float = 0.1) -> Any:
    """rate = initial, at every step.

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


@mn.schedule("multi_step", static=("milestones",))
def multi_step(
    step: Any, initial: float = 0.1, milestones: Any = (1000.0, 2000.0), gamma: float = 0.1
) -> Any:
    """initial · gamma^(number of milestones ≤ step), as PyTorch's MultiStepLR.

    >>> import mathnet as mn
    >>> schedule = mn.schedules.MultiStep(0.1, milestones=(10, 30))
    >>> [round(float(schedule(t)), 6) for t in (0.0, 10.0, 29.0, 30.0)]
    [0.1, 0.01, 0.01, 0.001]
    """
    rate = initial
    for milestone in _ascending("multi_step", "milestones", milestones):
        rate = rate * mn.where(step >= milestone, gamma, 1.0)
    return rate


@mn.schedule("inverse_time")
def inverse_time(step: Any, initial: float = 0.1, decay: float = 1.0, steps: float = 1000.0) -> Any:
    """initial / (1 + decay · step/steps), as Keras's InverseTimeDecay.

    >>> import mathnet as mn
    >>> [round(float(mn.schedules.InverseTime(0.1, decay=1.0, steps=10)(t)), 6) for t in (0.0, 10.0, 30.0)]
    [0.1, 0.05, 0.025]
    """
    return initial / (1.0 + decay * step / steps)


@mn.schedule("polynomial")
def polynomial(
    step: Any, initial: float = 0.1, steps: float = 1000.0, minimum: float = 0.0, power: float = 1.0
) -> Any:
    """minimum + (initial − minimum)·(1 − min(step/steps, 1))^power; a straight line for power 1.

    >>> import mathnet as mn
    >>> [round(float(mn.schedules.Polynomial(0.1, steps=10, power=2.0)(t)), 6) for t in (0.0, 5.0, 10.0)]
    [0.1, 0.025, 0.0]
    """
    return minimum + (initial - minimum) * (1.0 - mn.minimum(step / steps, 1.0)) ** power


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


@mn.schedule("cosine_restarts", static=("growth",))
def cosine_restarts(
    step: Any, initial: float = 0.1, steps: float = 1000.0, growth: float = 1.0, minimum: float = 0.0
) -> Any:
    """Cosine curves from initial to minimum one after the other; the first takes ``steps``, each next one ``growth`` times as many.

    minimum + (initial − minimum)·(1 + cos(π·t/T))/2, t the steps since the curve k began, T = steps·growthᵏ.  Formula as PyTorch's
    CosineAnnealingWarmRestarts.  Source: Loshchilov and Hutter, SGDR, ICLR 2017.

    >>> import mathnet as mn
    >>> schedule = mn.schedules.CosineRestarts(0.1, steps=10, growth=2.0)
    >>> [round(float(schedule(t)), 6) for t in (0.0, 5.0, 10.0, 20.0, 30.0)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """
    if not growth >= 1.0:
        raise mn.ArgumentError(f"cosine_restarts: growth must be a number from 1, not {growth!r}")
    if growth == 1.0:
        part = step / steps - mn.floor(step / steps)
    else:
        curve = mn.floor(mn.log(1.0 + (growth - 1.0) * step / steps) / math.log(growth))
        # The quotient of logarithms may be off by a rounding at a restart.
        curve = curve + mn.where(step >= _start(curve + 1.0, steps, growth), 1.0, 0.0)
        curve = curve - mn.where(step < _start(curve, steps, growth), 1.0, 0.0)
        part = (step - _start(curve, steps, growth)) / (steps * growth**curve)
    return minimum + (initial - minimum) * 0.5 * (1.0 + mn.cos(math.pi * part))


def _start(curve: Any, steps: Any, growth: float) -> Any:
    """The step at which a curve begins: steps·(1 + growth + … + growth^(curve − 1))."""
    return steps * (growth**curve - 1.0) / (growth - 1.0)


@mn.schedule("one_cycle")
def one_cycle(
    step: Any,
    maximum: float = 0.1,
    steps: float = 1000.0,
    rising: float = 0.3,
    start_divisor: float = 25.0,
    end_divisor: float = 1e4,
) -> Any:
    """From maximum/start_divisor up to maximum over the share ``rising`` of the steps, then down to maximum/start_divisor/end_divisor.

    Both along half a cosine; defaults and formula as PyTorch's OneCycleLR: the top is at step rising·steps − 1, the end at steps − 1.
    Source: Smith and Topin, Super-Convergence, 2018.

    >>> import mathnet as mn
    >>> [round(float(mn.schedules.OneCycle(0.1, steps=100)(t)), 6) for t in (0.0, 29.0, 99.0)]
    [0.004, 0.1, 0.0]
    """
    first, last = maximum / start_divisor, maximum / start_divisor / end_divisor
    top, end = rising * steps - 1.0, steps - 1.0
    up = mn.minimum(step / mn.maximum(top, 1e-12), 1.0)
    down = mn.minimum(mn.maximum(step - top, 0.0) / mn.maximum(end - top, 1e-12), 1.0)
    raised = first + (maximum - first) * 0.5 * (1.0 - mn.cos(math.pi * up))
    lowered = last + (maximum - last) * 0.5 * (1.0 + mn.cos(math.pi * down))
    return mn.where(step < top, raised, lowered)


@mn.schedule("piecewise", static=("boundaries", "values"))
def piecewise(step: Any, boundaries: Any = (1000.0,), values: Any = (0.1, 0.01)) -> Any:
    """values[k] from boundaries[k − 1] on and before boundaries[k].  (Keras's PiecewiseConstantDecay goes over one step later.)

    >>> import mathnet as mn
    >>> schedule = mn.schedules.Piecewise(boundaries=(10, 20), values=(1.0, 0.5, 0.1))
    >>> [float(schedule(t)) for t in (0.0, 9.0, 10.0, 25.0)]
    [1.0, 1.0, 0.5, 0.1]
    """
    edges = _ascending("piecewise", "boundaries", boundaries)
    if len(values) != len(edges) + 1:
        raise mn.ArgumentError(
            f"piecewise: {len(edges)} boundaries want {len(edges) + 1} values, not {len(values)}"
        )
    rate = float(values[0]) + 0.0 * step
    for edge, value in zip(edges, values[1:]):
        rate = mn.where(step >= edge, float(value), rate)
    return rate


@mn.schedule("warmup")
def warmup(step: Any, schedule: Any = 0.1, steps: float = 100.0, start: float = 0.0) -> Any:
    """(start + (1 − start)·step/steps)·schedule(0) during the first ``steps`` steps, then schedule(step − steps).

    schedule: a number, a key, or a schedule such as ``mn.schedules.Cosine(0.1, steps=1000)``.

    >>> import mathnet as mn
    >>> schedule = mn.schedules.Warmup(mn.schedules.Exponential(0.1, gamma=0.5), steps=10)
    >>> [round(float(schedule(t)), 6) for t in (0.0, 5.0, 10.0, 11.0)]
    [0.0, 0.05, 0.1, 0.05]
    """
    share = mn.minimum(step / steps, 1.0)
    return (start + (1.0 - start) * share) * _rate(schedule, mn.maximum(step - steps, 0.0))


@mn.schedule("sequence", static=("milestones",))
def sequence(step: Any, schedules: Any = (0.1, 0.01), milestones: Any = (1000.0,)) -> Any:
    """One schedule after the other: schedules[k](step − milestones[k − 1]) from that milestone on, as PyTorch's SequentialLR.

    schedules: numbers, keys or schedules, one more than milestones.

    >>> import mathnet as mn
    >>> schedule = mn.schedules.Sequence([0.5, mn.schedules.Exponential(0.1, gamma=0.5)], milestones=[10])
    >>> [round(float(schedule(t)), 6) for t in (0.0, 9.0, 10.0, 11.0)]
    [0.5, 0.5, 0.1, 0.05]
    """
    edges = _ascending("sequence", "milestones", milestones)
    if len(schedules) != len(edges) + 1:
        raise mn.ArgumentError(
            f"sequence: {len(edges)} milestones want {len(edges) + 1} schedules, not {len(schedules)}"
        )
    rate = _rate(schedules[0], step)
    for edge, schedule in zip(edges, schedules[1:]):
        rate = mn.where(step >= edge, _rate(schedule, mn.maximum(step - edge, 0.0)), rate)
    return rate


def _rate(schedule: Any, step: Any) -> Any:
    """A number (a tensor where a trainer keeps it as a setting) as it is, or what a schedule gives at ``step``."""
    if isinstance(schedule, str) or callable(schedule):
        return mn.schedules.get(schedule)(step)
    return schedule + 0.0 * step


def _ascending(schedule: str, name: str, values: Any) -> list[float]:
    """Steps in ascending order, as floats."""
    listed = [float(value) for value in values]
    if listed != sorted(set(listed)):
        raise mn.ArgumentError(f"{schedule}: {name} must ascend, not {values!r}")
    return listed
