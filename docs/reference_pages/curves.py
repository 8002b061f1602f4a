"""Curves of records that are functions of a number: activations, losses, penalties, schedules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

import mathnet as mn
from mathnet.plugin.records import Record
from mathnet.testing.trial import RowTrial
from reference_pages.samples import made, subject

#: Colour and dash of a function and of its derivatives: told apart without colour too.
LINES: tuple[dict[str, Any], ...] = (
    {"color": "#1f5fa8", "linestyle": "-", "linewidth": 1.8},
    {"color": "#c2571a", "linestyle": "--", "linewidth": 1.4},
    {"color": "#6b6b6b", "linestyle": ":", "linewidth": 1.4},
)


def with_derivatives(f: Callable[[Any], Any], t: np.ndarray) -> list[np.ndarray]:
    """f, f′ and f″ at each t, for a function of elements."""
    slope = mn.grad(lambda x: mn.sum(f(x)))
    second = mn.grad(lambda x: mn.sum(slope(x)))
    return [np.asarray(g(t), np.float64) for g in (f, slope, second)]


def gapped(y: np.ndarray) -> np.ndarray:
    """y with a gap instead of a steep line where it jumps: where a difference is far greater than those two places off.

    A jump takes two differences where one of the points lies in its middle.
    """
    steps = np.abs(np.diff(y))
    beside = np.maximum(np.append(steps[2:], [0.0, 0.0]), np.append([0.0, 0.0], steps[:-2]))
    shown = y.astype(float).copy()
    shown[:-1][(steps > 4.0 * beside) & (steps > 0.01 * np.ptp(y))] = np.nan
    return shown


def plot(axes: Axes, t: np.ndarray, values: Sequence[np.ndarray], names: Sequence[str], label: str) -> None:
    for y, name, line in zip(values, names, LINES):
        axes.plot(t, y, label=name, **line)
    axes.set_xlabel(label)
    axes.legend(loc="best", fontsize=8)


def of_one_number(record: Record) -> tuple[Callable[[Any], Any], str]:
    """An activation as a function of one of its elements, and what the others are ("" when there are none)."""
    f = made(record)
    if "narrows" in record.promises:
        return lambda t: f(mn.stack([t * 0.0 + 1.0, t], axis=-1))[..., 0], "y for x = (1, t)"
    if "axis" in record.settings:
        return lambda t: f(mn.stack([t, t * 0.0, t * 0.0 + 1.0], axis=-1))[..., 0], "y₁ for x = (t, 0, 1)"
    return f, ""


def activation(record: Record, axes: Axes) -> str:
    f, where = of_one_number(record)
    reach = 8.0 if record.key == "relu6" else 4.0
    t = np.linspace(-reach, reach, 401)
    values = with_derivatives(f, t)
    flat = not np.any(values[2])
    values = values[: 2 if flat else 3]
    plot(axes, t, [values[0], *map(gapped, values[1:])], ("f", "f′", "f″"), "t" if where else "x")
    low, high = min(map(np.min, values)), max(map(np.max, values))
    axes.set_ylim(max(low, -4.2) - 0.2, min(high, reach * 0.8) + 0.2)
    names = "f and f′; f″ is 0 where it exists" if flat else "f, f′ and f″"
    return f"{record.key}: {names}" + (f", of {where}" if where else "")


class Case(NamedTuple):
    """How one example of a loss varies: y_pred = fixed + t · moving for a target."""

    fixed: Any
    moving: Any
    target: Any
    words: str


CASES = {
    **dict.fromkeys(("mse", "mae", "huber", "log_cosh", "nll"), Case(0.0, 1.0, 0.0, "for y = 0")),
    "hinge": Case(0.0, 1.0, 1.0, "for the label y = 1"),
    "squared_hinge": Case(0.0, 1.0, 1.0, "for the label y = 1"),
    "binary_cross_entropy": Case(0.0, 1.0, 1.0, "for the label y = 1"),
    "focal": Case(0.0, 1.0, 1.0, "for the label y = 1"),
    "poisson": Case(0.0, 1.0, 2.0, "for the count y = 2"),
    "quantile": Case(0.0, 1.0, 0.0, "for y = 0 and q = 0.5"),
    "dice": Case([0.0, -2.0], [1.0, 0.0], [1.0, 0.0], "for the scores (t, −2) and the mask y = (1, 0)"),
    "cross_entropy": Case([0.0, 0.0, 1.0], [1.0, 0.0, 0.0], 0, "for the scores (t, 0, 1) and the class y = 0"),
    "kl_divergence": Case([0.0, 0.0], [1.0, 0.0], [0.7, 0.3], "for the scores (t, 0) and y = (0.7, 0.3)"),
    "cosine": Case([0.0, 1.0], [1.0, 0.0], [1.0, 0.0], "for ŷ = (t, 1) and y = (1, 0)"),
    "gaussian_nll": Case([0.0, 0.0], [1.0, 0.0], 0.0, "for the mean t, log variance 0 and y = 0"),
    "triplet": Case(
        [[0.0], [0.0], [1.0]], [[0.0], [1.0], [0.0]], 0.0, "for the anchor 0, the positive t and the negative 1"
    ),
    "contrastive": Case([[0.0], [0.0]], [[0.0], [1.0]], 0.0, "for the pair (0, t) and y = 0, two of different kinds"),
    "ctc": Case(
        [[0.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]], [1], "for the label 1, its score t at the first of two steps"
    ),
}  # fmt: skip


def loss_of_one_number(record: Record) -> tuple[Callable[[Any], Any], str]:
    """A loss as a function of one number of each example's prediction, and which."""
    measure, case = made(record), CASES.get(record.key)
    if case is None:
        used = subject(record)
        pred, true = RowTrial(used, used.samples[0]).inputs("float64")[:2]
        fixed, moving = np.array(pred[0]), np.zeros_like(pred[0])
        fixed.flat[0], moving.flat[0] = 0.0, 1.0
        case = Case(fixed, moving, true[0], "as the first number t of y_pred varies")
    fixed, moving = np.asarray(case.fixed, float), np.asarray(case.moving, float)

    def of(t: Any) -> Any:
        column = mn.reshape(t, (-1, *(1,) * fixed.ndim))
        rows = column * moving + fixed
        target = np.broadcast_to(np.asarray(case.target), (t.shape[0], *np.shape(case.target)))
        found = measure(rows, target)
        return found[0] if isinstance(found, tuple) else found

    return of, case.words


def loss(record: Record, axes: Axes) -> str:
    of, words = loss_of_one_number(record)
    t = np.linspace(-3.0, 3.0, 301)
    value, slope, _ = with_derivatives(of, t)
    plot(axes, t, [value, gapped(slope)], ("l", "∂l/∂ŷ"), "t" if "t" in re.findall(r"\w+", words) else "ŷ")
    return f"{record.key} and its derivative {words}"


def regularizer(record: Record, axes: Axes) -> str:
    penalty = made(record)
    t = np.linspace(-2.0, 2.0, 201)
    one = mn.value_and_grad(lambda w: mn.sum(penalty(mn.reshape(w, (1, 1)))))
    found = [one(w) for w in t]
    value, slope = (np.array([float(pair[k]) for pair in found]) for k in range(2))
    plot(axes, t, [value, gapped(slope)], ("penalty", "derivative"), "w")
    return f"{record.key} of a single weight, with the default settings, and its derivative"


def constraint(record: Record, axes: Axes) -> str:
    nearest = made(record)
    t = np.linspace(-3.0, 3.0, 301)
    values = np.array([float(np.ravel(nearest(np.array([[w]])))[0]) for w in t])
    axes.plot(t, gapped(values), **LINES[0])
    axes.set_xlabel("w before")
    axes.set_ylabel("w after")
    return f"{record.key} of a single weight, with the default settings"


def schedule(record: Record, axes: Axes) -> str:
    rate = made(record)
    last = 2.5 * float(record.settings.get("steps", 1000.0) or 1000.0)
    t = np.linspace(0.0, last, 751)
    values = np.array([float(rate(step)) for step in t])
    axes.plot(t, gapped(values), **LINES[0])
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    axes.set_ylim(bottom=0.0)
    return f"{record.key} with its default settings"
