"""Optimizers: two classic problems, exact resuming, runs apart from each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.plugin.records import Sample
from mathnet.testing.small_models import Point
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require

#: Learning rates that are tried besides the optimizer's own.
RATES = (1e-3, 1e-2, 0.1, 0.5)
STEPS = 2000


def _quadratic(y_pred: Any, y_true: Any) -> Any:
    """½(θ₁ − 1)² + 5(θ₂ + 2)²; 20.5 at the start."""
    return mn.sum(mn.square(y_pred - np.array([1.0, -2.0])) * np.array([0.5, 5.0]), axis=1)


def _rosenbrock(y_pred: Any, y_true: Any) -> Any:
    """(1 − θ₁)² + 100(θ₂ − θ₁²)²; 24.2 at the start."""
    a, b = y_pred[:, 0], y_pred[:, 1]
    return mn.square(1.0 - a) + 100.0 * mn.square(b - mn.square(a))


def _flat(y_pred: Any, y_true: Any) -> Any:
    return mn.sum(0.0 * y_pred, axis=1)


class _Run:
    """A training of one point by the optimizer of a sample."""

    def __init__(
        self,
        subject: Subject,
        sample: Sample,
        loss: Callable,
        start: tuple[float, float] = (0.0, 0.0),
        rate: float | None = None,
        dtype: str = "float64",
    ) -> None:
        config = sample.config if rate is None else {**sample.config, "learning_rate": rate}
        x = mn.Input((1,), dtype=dtype)
        self.model = mn.Model(x, Point(start, name="point")(x))
        self.trainer = mn.Trainer(self.model, loss=loss, optimizer=subject.record.make(**config), seed=1)
        self.x, self.y = np.zeros((1, 1), dtype), np.zeros((1, 2), dtype)

    def steps(self, count: int) -> float:
        """The last loss."""
        return float(np.asarray(self.trainer.steps(self.x, self.y, batch_size=1, count=count))[-1])

    @property
    def point(self) -> np.ndarray:
        return np.array(self.model.parameters["point/point"])


def _rates(subject: Subject) -> list[float | None]:
    return [None, *RATES] if "learning_rate" in subject.record.settings else [None]


def _best(
    subject: Subject, loss: Callable, start: tuple[float, float], goal: float, dtype: str = "float64"
) -> None:
    """With one of the learning rates the loss falls to ``goal`` of its first value."""
    for sample in subject.samples:
        ends: dict[Any, float] = {}
        with subject.entered(), mn.registered(Point):
            first = _Run(subject, sample, loss, start, dtype=dtype).steps(1)
            for rate in _rates(subject):
                try:
                    end = _Run(subject, sample, loss, start, rate, dtype).steps(STEPS)
                except (mn.DataError, FloatingPointError):  # it diverged
                    end = np.inf
                ends["its own" if rate is None else rate] = end
                if end <= goal * first:
                    break
            else:
                shown = ", ".join(f"{end:.3g} (rate {rate})" for rate, end in ends.items())
                raise AssertionError(
                    f"after {STEPS} steps on {(loss.__doc__ or '').split(';')[0]} the loss is {shown}, from {first:.4g} at the start; "
                    f"{goal * first:.2g} was to be reached"
                )


@check("optimizer")
def quadratic(subject: Subject) -> None:
    """It minimises a quadratic with a condition number of 10, in both float types."""
    for dtype in ("float64", "float32"):
        _best(subject, _quadratic, (0.0, 0.0), 1e-3, dtype)


@check("optimizer")
def rosenbrock(subject: Subject) -> None:
    """It follows Rosenbrock's valley."""
    _best(subject, _rosenbrock, (-1.2, 1.0), 0.05)


@check("optimizer")
def exact_resume(subject: Subject) -> None:
    """A training that is stored and restored goes on bit by bit as if nothing had happened."""
    for sample in subject.samples:
        with subject.entered_in_folder() as folder, mn.registered(Point):
            path = Path(folder) / "run.ckpt"
            whole = _Run(subject, sample, _quadratic)
            whole.steps(7)
            whole.trainer.save(path)
            middle = whole.point
            whole.steps(7)
            other = _Run(subject, sample, _quadratic)
            other.steps(3)  # state of its own, which restoring must replace
            other.trainer.restore(path)
            require(np.array_equal(other.point, middle), "restoring brings back other weights")
            other.steps(7)
            require(
                np.array_equal(other.point, whole.point),
                f"7 steps after restoring lead to {other.point} instead of {whole.point}; keep all state in what init() returns",
            )


@check("optimizer")
def runs_are_apart(subject: Subject) -> None:
    """Two trainings side by side go as one alone does."""
    for sample in subject.samples:
        with subject.entered(), mn.registered(Point):
            alone = _Run(subject, sample, _quadratic)
            for _ in range(10):
                alone.steps(1)
            pair = [_Run(subject, sample, _quadratic), _Run(subject, sample, _rosenbrock, (-1.2, 1.0))]
            for _ in range(10):
                for run in pair:
                    run.steps(1)
            require(
                np.array_equal(pair[0].point, alone.point),
                "a second training beside it changes the first; keep no state in the class",
            )


@check("optimizer")
def zero_gradient(subject: Subject) -> None:
    """Where the gradient is zero the weights stay finite."""
    for sample in subject.samples:
        with subject.entered(), mn.registered(Point):
            run = _Run(subject, sample, _flat, (1.0, -1.0))
            run.steps(3)
            require(
                np.isfinite(run.point).all(),
                f"three steps with a gradient of zero lead to {run.point}; add ε to what is divided by",
            )
