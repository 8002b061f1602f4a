"""Schedules: rates that are finite at every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.functions import function
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require

STEPS = (0.0, 1.0, 2.0, 10.0, 999.0, 1000.0, 1001.0, 1e5, 1e7)


@check("schedule")
def rate(subject: Subject) -> None:
    """At every step the rate is one finite number ≥ 0, the same whenever it is asked."""
    for sample in subject.samples:
        with subject.entered():
            made: Any = subject.make(sample)
            values = [np.asarray(made(step), float) for step in STEPS]
            again = [np.asarray(subject.make(sample)(step), float) for step in reversed(STEPS)][::-1]
        for step, value, other in zip(STEPS, values, again):
            require(value.shape == (), f"at step {step:g} it gives the shape {value.shape}")
            require(np.isfinite(value) and value >= 0.0, f"at step {step:g} the rate is {value}")
            require(
                value == other,
                f"at step {step:g} it gives {value} and then {other}; the rate must depend on the step alone",
            )


@check("schedule")
def rate_in_a_graph(subject: Subject) -> None:
    """Traced, as a trainer uses it, it gives the same rates as on numbers."""
    for sample in subject.samples:
        with subject.entered():
            made: Any = subject.make(sample)
            traced = function(lambda step, made=made: made(step) + 0.0 * step)
            for step in STEPS:
                direct, found = float(made(step)), float(traced(np.float64(step)))
                require(
                    np.isclose(direct, found, rtol=1e-9, atol=1e-15),
                    f"at step {step:g} a trainer gets {found:.9g} instead of {direct:.9g}; choose with mn.where instead of `if`",
                )
