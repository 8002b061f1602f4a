"""Losses and metrics: one value per example, or sums that add up, and weights that count as repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import ROWS, row_trials, trials


@check("loss", "metric")
def one_value_per_example(subject: Subject) -> None:
    """The result has one entry for each example, or a pair (values, weights) for losses, each finite."""
    for trial in row_trials(subject):
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


@check("loss", "metric")
def weights_are_repeats(subject: Subject) -> None:
    """An example with the weight 3 counts like three of it."""
    counts = np.array([1, 3, 2, 0, 1])
    for trial in trials(subject):
        scores, targets = trial.inputs("float64")
        with subject.entered():
            x = mn.Input(scores.shape[1:], dtype="float64")
            model = mn.Model(x, x * 1.0)
            made = subject.make(trial.sample)
            loss, metrics = (made, []) if subject.kind == "loss" else (nothing, [made])
            found = [
                model.evaluate(x, y, loss=loss, metrics=metrics, sample_weight=weight, batch_size=4)
                for x, y, weight in (
                    (scores, targets, counts),
                    (np.repeat(scores, counts, 0), np.repeat(targets, counts, 0), None),
                )
            ]
            weighted, repeated = [
                figures["loss"] if metrics == [] else [*figures.values()][-1] for figures in found
            ]
        require(
            np.allclose(weighted, repeated, rtol=1e-6, equal_nan=True),
            f"weights {counts} give {_shown(weighted)}, repeats give {_shown(repeated)}",
        )


@check("metric")
def sums_add_up(subject: Subject) -> None:
    """The sums of two parts of the examples add up to those of all, and give their figure; each is finite."""
    for trial in trials(subject):
        if trial.per_example:
            continue
        inputs = trial.inputs("float64", rows=9)
        whole = trial.run(inputs)
        for cut in (1, 4):
            first, second = trial.run([a[:cut] for a in inputs]), trial.run([a[cut:] for a in inputs])
            for position, (a, b, both) in enumerate(zip(first, second, whole)):
                require(
                    a.shape == b.shape == both.shape,
                    f"sum {position} has the shape {a.shape} for {cut} examples and {both.shape} for 9; it must not depend on their number",
                )
                require(np.isfinite(both).all(), f"sum {position} is {both}")
                require(
                    np.allclose(a + b, both, rtol=1e-9, atol=1e-12),
                    f"sum {position} of {cut} and {9 - cut} examples adds up to {_shown(a + b)}, but that of all is {_shown(both)}; "
                    "return sums, and divide in result()",
                )
            parts, figure = trial.figure([a + b for a, b in zip(first, second)]), trial.figure(whole)
            require(
                np.allclose(parts, figure, rtol=1e-6, equal_nan=True),
                f"in parts of {cut} and {9 - cut} examples it is {_shown(parts)}, of all together {_shown(figure)}",
            )


@check("metric")
def zero_weights(subject: Subject) -> None:
    """Examples of weight 0 leave all sums as they are: an evaluation fills its last batch up with such."""
    for trial in trials(subject):
        if trial.per_example:
            continue
        inputs = trial.inputs("float64", rows=8)
        kept = trial.run([a[:5] for a in inputs])
        filled = trial.run([*inputs, np.repeat([1.0, 0.0], [5, 3])])
        for position, (a, b) in enumerate(zip(kept, filled)):
            require(
                np.allclose(a, b, rtol=1e-9, atol=1e-12),
                f"sum {position} of 5 examples is {_shown(a)}, and with 3 more of weight 0 it is {_shown(b)}; multiply by the weights",
            )


def nothing(y_pred: Any, y_true: Any) -> Any:
    """0 for every example."""
    return mn.sum(mn.reshape(0.0 * y_pred, (y_pred.shape[0], -1)), axis=1)


def _shown(value: Any) -> str:
    return np.array2string(np.asarray(value), precision=8)
