"""Activations: derivatives at kinks, and the properties that they may promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.derivatives import grad
from mathnet.functions import function
from mathnet.graph.op import FUNCTIONS
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import RowTrial, trials

#: Where the pieces of activation functions usually meet.
POINTS = np.array([-6.0, -3.0, -2.5, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 2.5, 3.0, 6.0])


def _on_numbers(trial: RowTrial) -> Callable | None:
    """The activation as a function of single numbers; None when an element depends on its neighbours, or it has weights."""
    made = trial.callable("float64")
    if hasattr(made, "named_variables") or "narrows" in trial.subject.record.promises:
        return None
    with np.errstate(all="ignore"):
        together = np.asarray(made(POINTS[None, :]))
        apart = np.concatenate(
            [np.asarray(made(POINTS[None, k : k + 1])) for k in range(len(POINTS))], axis=-1
        )
    if together.shape != (1, len(POINTS)) or not np.allclose(together, apart, equal_nan=True):
        return None
    return lambda x: made(x)


@check("activation")
def shape_is_kept(subject: Subject) -> None:
    """An activation changes no shape; one that promises to narrow has fewer elements along one axis after the first."""
    narrows = "narrows" in subject.record.promises
    for trial in trials(subject):
        inputs = trial.inputs()
        for value in trial.run(inputs):
            given, found = inputs[0].shape, value.shape
            if narrows and len(found) == len(given):
                changed = [k for k in range(len(given)) if found[k] != given[k]]
                kept = len(changed) == 1 and changed[0] > 0 and found[changed[0]] < given[changed[0]]
            else:
                kept = found == given
            require(kept, f"x of shape {given} gives {found}{', but it promises to narrow' * narrows}")


@check("activation")
def kinks(subject: Subject) -> None:
    """At a kink the derivative lies between those of the two sides; kinks are noted."""
    if subject.record.gradient == "surrogate":
        return
    for trial in trials(subject):
        with subject.entered():
            f = _on_numbers(trial)
            if f is None:
                continue
            at = POINTS[np.isfinite(np.asarray(f(POINTS[None, :])))[0]][None, :]
            slope = np.asarray(function(grad(lambda x, f=f: FUNCTIONS["sum"](f(x))))(at))[0]
            h = 1e-6
            value, above, below = (np.asarray(f(at + t))[0] for t in (0.0, h, -h))
        right, left = (above - value) / h, (value - below) / h
        for x, d, lo, hi in zip(at[0], slope, np.minimum(left, right), np.maximum(left, right)):
            if not np.isfinite([lo, hi]).all() or hi - lo > 1e4:
                subject.note(f"jump at {x:g}: derivative {d:g} there")
                continue
            slack = 1e-4 * max(1.0, abs(lo), abs(hi))
            require(
                lo - slack <= d <= hi + slack,
                f"at {x:g} the derivative is {d:.6g}, but the slopes beside it are {lo:.6g} and {hi:.6g}",
            )
            if hi - lo > 1e-3:
                subject.note(f"kink at {x:g}: slopes {lo:.3g} and {hi:.3g}, derivative {d:.3g}")


@check("activation")
def promises(subject: Subject) -> None:
    """What the decorator promises holds: bounded, monotone, odd."""
    wanted = [promise for promise in subject.record.promises if promise != "narrows"]
    x = np.concatenate([np.linspace(-30.0, 30.0, 2001), [-1e6, 1e6]])
    for trial in trials(subject) if wanted else ():
        with subject.entered():
            f: Any = _on_numbers(trial)
            require(f is not None, f"{', '.join(wanted)} is promised, but an element depends on others")
            y = np.asarray(f(x[None, :]))[0]
            mirrored = np.asarray(f(-x[None, :]))[0]
        order = np.argsort(x)
        if "bounded" in wanted:
            require(
                np.abs(y).max() <= 1e3, f"it promises to be bounded, but reaches {y[np.abs(y).argmax()]:g}"
            )
        if "monotone" in wanted:
            steps = np.diff(y[order])
            require(
                (steps >= -1e-12).all(),
                f"it promises to be monotone, but falls near x = {x[order][steps.argmin()]:g}",
            )
        if "odd" in wanted:
            require(np.allclose(mirrored, -y, rtol=1e-9), "it promises f(−x) = −f(x), which does not hold")
