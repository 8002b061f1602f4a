"""Pictures of records that draw at random: initializers and distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

import mathnet as mn
from mathnet.plugin.records import Record
from reference_pages.curves import LINES
from reference_pages.samples import made, subject

FILL = "#9dbfe3"


def initializer(record: Record, axes: Axes) -> str:
    fill = made(record)
    try:
        weights = np.asarray(fill((256, 128), np.random.default_rng(0)))
    except mn.ShapeError:  # for windows only
        weights = np.asarray(fill((6, 6, 5), np.random.default_rng(0)))[:, :, 2]
    if len(np.unique(weights)) <= 2:
        shown = weights[:6, :6]
        axes.grid(False)
        axes.imshow(shown, cmap="Blues", vmin=0.0, vmax=1.5)
        axes.set_xticks([])
        axes.set_yticks([])
        for i, j in np.ndindex(shown.shape):
            axes.text(j, i, f"{shown[i, j]:g}", ha="center", va="center", fontsize=8)
        return f"{record.key}: the first 6 × 6 weights" + (
            ", in the middle of the window" if weights.shape[0] == 6 else ""
        )
    axes.hist(weights.ravel(), bins=60, color=FILL, density=True)
    axes.set_xlabel("weight")
    axes.set_ylabel("density")
    deviation = f"{weights.std():.3f}"
    return f"{record.key}: weights of 256 inputs and 128 outputs, standard deviation {deviation}"


def example(record: Record) -> tuple[Any, dict[str, Any]]:
    """A distribution to show, and its parameters."""
    used = subject(record)
    sample = used.samples[0]
    return used.make(sample), sample.config


def shown_config(config: dict[str, Any]) -> str:
    """Settings as they are written in a call."""

    def value(given: Any) -> str:
        return repr(given.tolist()) if isinstance(given, np.ndarray) else repr(given)

    return ", ".join(f"{name}={value(given)}" for name, given in config.items())


def distribution(record: Record, axes: Axes) -> str:
    law, config = example(record)
    draws = np.asarray(law.sample((800,), seed=0), np.float64)
    of = f"{record.object.__name__}({shown_config(config)})"
    if draws.ndim == 2:
        jitter = np.random.default_rng(0).normal(0.0, 0.05, draws.shape) * bool(
            np.all(draws == np.round(draws))
        )
        axes.scatter(*(draws + jitter)[:, :2].T, s=5, alpha=0.5, color=LINES[0]["color"])
        axes.set_xlabel("x₁")
        axes.set_ylabel("x₂")
        return f"800 draws of {of}, the first two coordinates" + (
            ", apart for the eye" if np.any(jitter) else ""
        )
    if np.all(draws == np.round(draws)):
        k = np.arange(max(draws.min() - 1, 0), draws.max() + 2)
        k = k[np.isfinite(_log_probability(law, k))]
        chance = np.exp(_log_probability(law, k))
        axes.vlines(k, 0.0, chance, color=LINES[0]["color"])
        axes.plot(k, chance, "o", markersize=4, color=LINES[0]["color"])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("k")
        axes.set_ylabel("probability")
        axes.set_ylim(bottom=0.0)
        return f"probabilities of {of}"
    middle, spread = np.median(draws), draws.std()
    x = np.linspace(
        max(draws.min() - 0.3 * spread, middle - 4 * spread),
        min(draws.max() + 0.3 * spread, middle + 4 * spread),
        600,
    )
    density = np.exp(_log_probability(law, x))
    axes.plot(x, density, **LINES[0])
    axes.fill_between(x, density, color=FILL, alpha=0.3, linewidth=0)
    axes.set_xlabel("x")
    axes.set_ylabel("density")
    axes.set_ylim(0.0, 1.08 * np.max(density[np.isfinite(density)]))
    return f"density of {of}"


def _log_probability(law: Any, x: np.ndarray) -> np.ndarray:
    """log p at each x, −∞ where x is no value that can be drawn."""
    found = []
    for one in x:
        try:
            found.append(float(law.log_prob(one)))
        except mn.MathnetError:
            found.append(-np.inf)
    return np.array(found)
