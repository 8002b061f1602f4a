"""Distributions over categories: categorical, multinomial."""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.base import (
    Distribution,
    argument,
    either,
    probability,
    real,
    require,
    samples_and_weights,
    shape_of,
    whole,
    within,
)
from mathnet_std.distributions.counts import JUMPS
from mathnet_std.distributions.drawing import Source


class _Shares(Distribution):
    """Probabilities of categories along the last axis, given as themselves or as logits (log-probabilities up to a constant)."""

    no_reparameterisation = JUMPS

    def _set(self, owner: str, probs: Any, logits: Any) -> str:
        either(owner, probs, logits)
        name, given = ("probs", probs) if logits is None else ("logits", logits)
        check = probability if logits is None else real
        setattr(self, f"_{name}", check(owner, name, given))
        setattr(self, "_logits" if logits is None else "_probs", None)
        if not shape_of(given):
            raise mn.ShapeError(
                f"{owner}: {name} must have one axis or more, the last one for the categories"
            )
        if logits is None and not isinstance(probs, mn.Tensor):
            total = np.sum(self._probs, axis=-1)
            if not np.allclose(total, 1.0, rtol=0, atol=1e-6):
                raise mn.ArgumentError(
                    f"{owner}: probs must add up to 1 along the last axis, but they add up to {total}"
                )
        return name

    _probs: Any
    _logits: Any

    @property
    def probs(self) -> Any:
        """The probability of each category."""
        return self._probs if self._logits is None else mn.softmax(self._logits, axis=-1)

    @property
    def logits(self) -> Any:
        """log of the probabilities."""
        return mn.log(self._probs) if self._logits is None else mn.log_softmax(self._logits, axis=-1)

    @property
    def batch_shape(self) -> tuple:
        given = self._probs if self._logits is None else self._logits
        return tuple(given.shape[:-1])

    def _class(self, source: Source, shape: tuple) -> Any:
        """Category numbers: as many cumulated probabilities as a uniform draw exceeds."""
        edges = mn.cumsum(self.probs, axis=-1)[..., :-1]
        passed = mn.expand_dims(source.uniform(shape), -1) >= edges
        return mn.sum(mn.cast(passed, "int64"), axis=-1)


@mn.distribution("categorical")
class Categorical(_Shares):
    """Category k ∈ {0, …, K−1} with probability probs[k]; give ``probs`` (…, K), which add up to 1, or ``logits`` (…, K).

    mean, variance and cdf are those of the category's number: Σ k·pₖ and Σ k²·pₖ − (Σ k·pₖ)².  Entropy −Σ pₖ·log pₖ.

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Categorical([0.2, 0.8]).log_prob(1)), 6)
    -0.223144
    """

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        self.parameters = (self._set("Categorical", probs, logits),)  # type: ignore[misc]

    def _numbers(self) -> np.ndarray:
        return np.arange(float(self.probs.shape[-1]))

    def log_prob(self, x: Any) -> Any:
        x = argument("Categorical", x)
        count = float(self.probs.shape[-1])
        inside = mn.logical_and(mn.logical_and(x >= 0.0, x < count), whole(x))
        index = mn.cast(mn.where(inside, x, 0.0), "int64")
        chosen = mn.equal(mn.expand_dims(index, -1), np.arange(int(count)))
        value = mn.sum(mn.where(chosen, self.logits, 0.0), axis=-1)
        return within(inside, x, value)

    def cdf(self, x: Any) -> Any:
        below = mn.expand_dims(argument("Categorical", x), -1) >= self._numbers()
        return mn.sum(mn.where(below, self.probs, 0.0), axis=-1)

    @property
    def mean(self) -> Any:
        return mn.sum(self.probs * self._numbers(), axis=-1)

    @property
    def variance(self) -> Any:
        deviation = self._numbers() - mn.expand_dims(self.mean, -1)
        return mn.sum(self.probs * mn.square(deviation), axis=-1)

    def entropy(self) -> Any:
        return -mn.sum(mn.xlogy(self.probs, self.probs), axis=-1)

    def _draw(self, source: Source, shape: tuple) -> Any:
        return self._class(source, shape)

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Categorical:
        """logits = scores (…, K)."""
        return cls(logits=scores)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None, categories: int | None = None) -> Categorical:
        """probs: the (weighted) shares; categories: how many there are, by default the largest sample plus one."""
        data, given = samples_and_weights("Categorical", samples, weights)
        require("Categorical", (data >= 0) & (data == np.floor(data)), "category numbers 0, 1, …")
        shares = np.bincount(data.astype(np.int64), given, categories or 0) / given.sum()
        if categories is not None:
            require("Categorical", len(shares) == categories, f"below categories = {categories}")
        # Shares add up to 1, so the information is that of the multinomial and not of free numbers.
        made = cls._finish(cls(shares), data, given, free=())
        return _with_errors(made, np.sqrt(shares * (1 - shares) / given.sum()))


@mn.distribution("multinomial")
class Multinomial(_Shares):
    """How often each of K categories came up in ``total_count`` trials: probability n!/∏kᵢ!·∏pᵢ^kᵢ; draws have the shape (…, K).

    Give ``probs`` p or ``logits``.  Mean n·p, variance n·p·(1 − p) of each count; the entropy has no closed form.

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Multinomial(2, [0.5, 0.5]).log_prob([1.0, 1.0])), 6)
    -0.693147
    """

    event_rank = 1

    def __init__(self, total_count: int, probs: Any = None, logits: Any = None) -> None:
        if isinstance(total_count, bool) or not hasattr(total_count, "__index__") or total_count < 0:
            raise mn.ArgumentError(f"Multinomial: total_count must be an integer ≥ 0, not {total_count!r}")
        self.total_count = int(total_count)
        self.parameters = ("total_count", self._set("Multinomial", probs, logits))  # type: ignore[misc]

    def log_prob(self, x: Any) -> Any:
        x = argument("Multinomial", x)
        total = mn.sum(x, axis=-1)
        inside = mn.logical_and(mn.equal(total, float(self.total_count)), mn.min(x, axis=-1) >= 0.0)
        inside = mn.logical_and(inside, mn.all(whole(x), axis=-1))
        counts = mn.where(mn.expand_dims(inside, -1), x, 0.0)
        choices = mn.lgamma(self.total_count + 1.0) - mn.sum(mn.lgamma(counts + 1.0), axis=-1)
        return within(inside, total, choices + mn.sum(self._log_shares(counts), axis=-1))

    def _log_shares(self, counts: Any) -> Any:
        return mn.xlogy(counts, self._probs) if self._logits is None else counts * self.logits

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1.0 - self.probs)

    def _draw(self, source: Source, shape: tuple) -> Any:
        classes = self._class(source, (self.total_count, *shape))
        return mn.sum(
            mn.cast(mn.equal(mn.expand_dims(classes, -1), np.arange(self.probs.shape[-1])), "float64"), axis=0
        )

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Multinomial:
        """probs: the shares of all counts; every sample must have the same total."""
        data, given = samples_and_weights("Multinomial", samples, weights, 1)
        total = data.sum(1)
        require(
            "Multinomial",
            (data >= 0) & (data == np.floor(data)) & (total[:, None] == total[0]),
            "counts of the same total",
        )
        shares = np.average(data, axis=0, weights=given) / total[0]
        made = cls._finish(cls(int(total[0]), shares), data, given, free=())
        return _with_errors(made, np.sqrt(shares * (1 - shares) / (total[0] * given.sum())))


def _with_errors(made: Any, errors: np.ndarray) -> Any:
    made.fitted = made.fitted.with_errors(probs=errors)
    return made
