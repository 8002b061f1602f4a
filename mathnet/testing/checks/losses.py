"""Losses and metrics: one value per example, and weights that count as repeats."""

from __future__ import annotations

import numpy as np

import mathnet as mn
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import ROWS, trials


@check("loss", "metric")
def one_value_per_example(subject: Subject) -> None:
    """The result has one entry for each example, or a pair (values, weights) for losses, each finite."""
    for trial in trials(subject):
        results = trial.run(trial.inputs())
        allowed = (1, 2) if subject.kind == "loss" else (1,)
        require(len(results) in allowed, f"it returned {len(results)} values")
        for value in results:
            require(
                value.ndim >= 1 and value.shape[0] == ROWS,
                f"{ROWS} examples give the shape {value.shape}; return one value per example, averaged over the other axes: averaging "
                "over examples is the trainer's",
            )
            require(np.isfinite(value).all(), f"it gives {value}")


@check("loss")
def weights_are_repeats(subject: Subject) -> None:
    """An example with the weight 3 counts like three of it."""
    counts = np.array([1, 3, 2, 0, 1])
    for trial in trials(subject):
        arrays = trial.inputs("float64")
        scores, targets = arrays[0], arrays[1]
        with subject.entered():
            x = mn.Input(scores.shape[1:], dtype="float64")
            model = mn.Model(x, x * 1.0)
            loss = subject.make(trial.sample)
            weighted = model.evaluate(scores, targets, loss=loss, sample_weight=counts)["loss"]
            repeated = model.evaluate(np.repeat(scores, counts, 0), np.repeat(targets, counts, 0), loss=loss)[
                "loss"
            ]
        require(
            np.isclose(weighted, repeated, rtol=1e-6),
            f"weights {counts} give {weighted:.8g}, repeats give {repeated:.8g}",
        )
