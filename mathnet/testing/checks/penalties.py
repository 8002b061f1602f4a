"""Regularizers and constraints: functions of a weight."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.derivatives import grad
from mathnet.functions import function
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import trials


@check("regularizer")
def penalty_is_a_number(subject: Subject) -> None:
    """The penalty is one finite number, of weights that are zero or large too."""
    for trial in trials(subject):
        for scale in (1.0, 0.0, 1e3):
            (value,) = trial.run([scale * trial.inputs("float64")[0]])
            require(value.shape == (), f"it returned the shape {value.shape}; sum over the weight's elements")
            require(np.isfinite(value), f"the penalty of a weight scaled by {scale:g} is {value}")


@check("regularizer")
def derivative_at_zero(subject: Subject) -> None:
    """The derivative at a weight of zeros is finite."""
    for trial in trials(subject):
        with subject.entered():
            made: Any = trial.callable("float64")
            slope = np.asarray(
                function(grad(lambda w, made=made: made(w)))(np.zeros_like(trial.inputs("float64")[0]))
            )
        require(
            np.isfinite(slope).all(),
            "the derivative of zero weights is not finite; is there a root of a sum of squares?",
        )


@check("regularizer")
def penalty_promises(subject: Subject) -> None:
    """What the decorator promises holds: zero_at_zero, non_negative."""
    for trial in trials(subject):
        weight = trial.inputs("float64")[0]
        if "zero_at_zero" in subject.record.promises:
            (value,) = trial.run([np.zeros_like(weight)])
            require(value == 0.0, f"it promises to be zero for zero weights, but is {value}")
        if "non_negative" in subject.record.promises:
            values = [float(trial.run([s * weight])[0]) for s in (1.0, -1.0, 0.1, 0.0)]
            require(min(values) >= 0.0, f"it promises not to be negative, but is {min(values)}")


@check("constraint")
def projection(subject: Subject) -> None:
    """An admissible weight stays as it is: applying the constraint twice is applying it once; zero weights stay finite."""
    for trial in trials(subject):
        (weight,) = trial.inputs("float64")
        for given in (weight, 10.0 * weight, np.zeros_like(weight)):
            (once,) = trial.run([given])
            require(
                once.shape == given.shape,
                f"a weight of shape {given.shape} becomes one of shape {once.shape}",
            )
            require(
                np.isfinite(once).all(), f"a weight {'of zeros ' if not given.any() else ''}becomes {once}"
            )
            (twice,) = trial.run([once])
            require(
                np.allclose(once, twice, rtol=1e-5, atol=1e-6),
                f"applied twice it differs from once by {np.abs(once - twice).max():.3g}",
            )
