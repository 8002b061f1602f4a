"""The path of an optimizer through a curved valley.

The loss is Rosenbrock's function as a sum of squares, ((3(b − a²))² + (1 − a)²)/2, so that the methods for least squares have their
form too.  The rate is the one of a few that comes lowest.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

import mathnet as mn
from mathnet.plugin.records import Record
from reference_pages.curves import LINES

START = (-1.2, 1.0)
STEPS = 150
RATES = (0.01, 0.03, 0.1, 0.3, 10.0)


class Point(mn.Layer):
    """Two weights a, b and the residuals 3(b − a²), 1 − a, whatever the input."""

    def build(self, input_shape: Any) -> None:
        self.point = self.param("point", (2,), lambda shape, rng: np.array(START))

    def call(self, x: Any) -> Any:
        a, b = self.point[0], self.point[1]
        return x * 0.0 + mn.stack([3.0 * (b - a * a), 1.0 - a])


class Path(NamedTuple):
    """Where an optimizer went: its points, the last loss, and the rate (None when it has none)."""

    points: np.ndarray
    loss: float
    rate: float | None


def path(record: Record) -> Path:
    """The best path over the rates."""
    rates = RATES if "learning_rate" in record.settings else (None,)
    with np.errstate(over="ignore", invalid="ignore"):  # too great a rate runs away
        found = [_path(record, rate) for rate in rates]
    finite = [one for one in found if np.isfinite(one.points).all()]
    return min(finite, key=lambda one: one.loss)


def _path(record: Record, rate: float | None) -> Path:
    model = mn.Sequential([Point(name="valley")], input_shape=(2,))
    optimizer = record.make() if rate is None else record.make(learning_rate=rate)
    trainer = mn.Trainer(model, loss="mse", optimizer=optimizer, seed=0)
    nothing = np.zeros((1, 2), np.float32)
    points = [START]
    for _ in range(STEPS):
        trainer.step(nothing, nothing)
        points.append(tuple(model.parameters["valley/point"]))
    a, b = points[-1]
    return Path(np.array(points), float(((3.0 * (b - a * a)) ** 2 + (1.0 - a) ** 2) / 2.0), rate)


def optimizer(record: Record, axes: Axes) -> str:
    found = path(record)
    a, b = np.meshgrid(np.linspace(-1.8, 1.8, 121), np.linspace(-0.8, 2.2, 101))
    loss = ((3.0 * (b - a * a)) ** 2 + (1.0 - a) ** 2) / 2.0
    axes.grid(False)
    axes.contour(a, b, np.log(loss + 0.02), levels=9, linestyles="solid", colors="#c9c9c9", linewidths=0.7)
    axes.plot(*found.points.T, marker=".", markersize=3, linewidth=1.0, color=LINES[0]["color"])
    axes.plot(1.0, 1.0, "+", markersize=10, color=LINES[1]["color"])
    axes.set_xlim(-1.8, 1.8)
    axes.set_ylim(-0.8, 2.2)
    axes.set_xlabel("a")
    axes.set_ylabel("b")
    rate = "" if found.rate is None else f" with the learning rate {found.rate:g}"
    return f"{STEPS} steps of {record.key}{rate} in Rosenbrock's valley, from (−1.2, 1) towards the minimum at (1, 1)"
