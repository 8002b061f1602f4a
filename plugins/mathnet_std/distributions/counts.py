"""Distributions of whole numbers: Bernoulli, binomial, Poisson."""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.base import (
    Distribution,
    argument,
    either,
    parameter,
    positive,
    probability,
    real,
    require,
    samples_and_weights,
    whole,
    within,
)
from mathnet_std.distributions.drawing import Source

JUMPS = "draws of whole numbers jump, so they have no derivative"


class _Chance(Distribution):
    """A probability of success, given as itself or as its logit; the one that was given is the parameter."""

    def _set(self, owner: str, probs: Any, logits: Any) -> str:
        either(owner, probs, logits)
        if probs is not None:
            self._probs, self._logits = probability(owner, "probs", probs), None
            return "probs"
        self._probs, self._logits = None, real(owner, "logits", logits)
        return "logits"

    @property
    def probs(self) -> Any:
        """The probability of success."""
        return self._probs if self._logits is None else mn.sigmoid(self._logits)

    @property
    def logits(self) -> Any:
        """log(p/(1 − p))."""
        return self._logits if self._logits is not None else mn.log(self._probs) - mn.log1p(-self._probs)

    def _log_chances(self, successes: Any, failures: Any) -> Any:
        """successes·log p + failures·log(1 − p), 0·log 0 = 0."""
        if self._logits is None:
            return mn.xlogy(successes, self._probs) + mn.xlog1py(failures, -self._probs)
        return -successes * mn.softplus(-self._logits) - failures * mn.softplus(self._logits)


@mn.distribution("bernoulli")
class Bernoulli(_Chance):
    """1 with probability p, 0 with 1 − p; give ``probs`` or ``logits`` = log(p/(1 − p)).

    Mean p, variance p·(1 − p), entropy −p·log p − (1 − p)·log(1 − p).

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Bernoulli(0.25).log_prob(1.0)), 6)
    -1.386294
    """

    no_reparameterisation = JUMPS

    def __init__(self, probs: Any = None, logits: Any = None) -> None:
        self.parameters = (self._set("Bernoulli", probs, logits),)  # type: ignore[misc]

    def log_prob(self, x: Any) -> Any:
        x = argument("Bernoulli", x)
        inside = mn.logical_or(mn.equal(x, 0.0), mn.equal(x, 1.0))
        safe = mn.where(inside, x, 0.0)
        return within(inside, x, self._log_chances(safe, 1.0 - safe))

    def cdf(self, x: Any) -> Any:
        x = argument("Bernoulli", x)
        return mn.where(x < 0.0, 0.0, mn.where(x < 1.0, 1.0 - self.probs, 1.0))

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def variance(self) -> Any:
        return self.probs * (1.0 - self.probs)

    def entropy(self) -> Any:
        return -self._log_chances(self.probs, 1.0 - self.probs)

    def _draw(self, source: Source, shape: tuple) -> Any:
        return mn.cast(source.uniform(shape) < self.probs, "float64")

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Bernoulli:
        """logits = scores."""
        return cls(logits=scores)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Bernoulli:
        """probs: the mean."""
        data, given = samples_and_weights("Bernoulli", samples, weights)
        require("Bernoulli", (data == 0) | (data == 1), "0 or 1")
        return cls._finish(cls(float(np.average(data, weights=given))), data, given)


@mn.distribution("binomial")
class Binomial(_Chance):
    """The number of successes among ``total_count`` trials: probability C(n, k)·pᵏ·(1 − p)ⁿ⁻ᵏ; give ``probs`` or ``logits``.

    Mean n·p, variance n·p·(1 − p); entropy: the sum of −P(k)·log P(k) over k = 0 … n.

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Binomial(4, 0.5).cdf(1.0)), 6)
    0.3125
    """

    no_reparameterisation = JUMPS

    def __init__(self, total_count: Any, probs: Any = None, logits: Any = None) -> None:
        if isinstance(total_count, mn.Tensor):
            raise mn.DTypeError("Binomial: total_count must be whole numbers that are known, not a tensor")
        self.total_count = parameter(
            "Binomial",
            "total_count",
            total_count,
            lambda a: (a >= 0) & (a == np.floor(a)),
            "whole numbers ≥ 0",
        )
        self.parameters = ("total_count", self._set("Binomial", probs, logits))  # type: ignore[misc]

    def log_prob(self, x: Any) -> Any:
        x, n = argument("Binomial", x), self.total_count
        inside = mn.logical_and(mn.logical_and(x >= 0.0, x <= n), whole(x))
        k = mn.where(inside, x, 0.0)
        choices = mn.lgamma(n + 1.0) - mn.lgamma(k + 1.0) - mn.lgamma(n - k + 1.0)
        return within(inside, x, choices + self._log_chances(k, n - k))

    def cdf(self, x: Any) -> Any:
        k, n = mn.floor(argument("Binomial", x)), self.total_count
        inside = mn.logical_and(k >= 0.0, k < n)
        safe = mn.where(inside, k, 0.0)
        room = mn.maximum(n - safe, 1.0)
        return mn.where(inside, mn.betainc(room, safe + 1.0, 1.0 - self.probs), mn.where(k < 0.0, 0.0, 1.0))

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1.0 - self.probs)

    def entropy(self) -> Any:
        """By summing over 0 … n."""
        most = int(np.max(self.total_count))
        at = np.arange(most + 1.0).reshape((-1,) + (1,) * len(self.batch_shape))
        lp = self.log_prob(at)
        return -mn.sum(
            mn.where(mn.isfinite(lp), mn.exp(lp) * mn.where(mn.isfinite(lp), lp, 0.0), 0.0), axis=0
        )

    def _draw(self, source: Source, shape: tuple) -> Any:
        return source.binomial(self.total_count, self.probs, shape)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None, total_count: int | None = None) -> Binomial:
        """probs: the mean over total_count.  Without total_count the number of trials is estimated too, from the largest sample upwards;
        samples whose variance reaches their mean have no best number."""
        data, given = samples_and_weights("Binomial", samples, weights)
        require("Binomial", (data >= 0) & (data == np.floor(data)), "whole numbers ≥ 0")
        mean = float(np.average(data, weights=given))
        if total_count is not None:
            require("Binomial", data <= total_count, f"at most total_count = {total_count}")
            return cls._finish(cls(total_count, mean / total_count), data, given, free=("probs",))
        variance = float(np.average((data - mean) ** 2, weights=given))
        require("Binomial", variance < mean, "less spread than their mean, or given with total_count")

        def likelihood(n: int) -> float:
            return float(np.sum(given * np.asarray(cls(n, mean / n).log_prob(data))))

        n = max(int(data.max()), 1)
        best, step = likelihood(n), max(n // 4, 1)
        while step:
            trial = likelihood(n + step)
            if trial > best:
                n, best = n + step, trial
            elif n - step >= max(data.max(), 1) and (lower := likelihood(n - step)) > best:
                n, best = n - step, lower
            else:
                step //= 2
        return cls._finish(cls(n, mean / n), data, given, free=("probs",))


@mn.distribution("poisson")
class Poisson(Distribution):
    """The Poisson distribution: probability rateᵏ·exp(−rate)/k!.

    Mean rate, variance rate; entropy: the sum of −P(k)·log P(k) over the k within twelve standard deviations.

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Poisson(2.0).cdf(1.0)), 6)
    0.406006
    """

    parameters = ("rate",)
    no_reparameterisation = JUMPS

    def __init__(self, rate: Any) -> None:
        self.rate = positive("Poisson", "rate", rate)

    def log_prob(self, x: Any) -> Any:
        x = argument("Poisson", x)
        inside = mn.logical_and(mn.logical_and(x >= 0.0, whole(x)), mn.isfinite(x))
        k = mn.where(inside, x, 0.0)
        return within(inside, x, k * mn.log(self.rate) - self.rate - mn.lgamma(k + 1.0))

    def cdf(self, x: Any) -> Any:
        k = mn.floor(argument("Poisson", x))
        return mn.where(k < 0.0, 0.0, mn.gammaincc(mn.maximum(k, 0.0) + 1.0, self.rate))

    @property
    def mean(self) -> Any:
        return self.rate

    @property
    def variance(self) -> Any:
        return self.rate

    def entropy(self) -> Any:
        """By summing over the numbers within twelve standard deviations."""
        if isinstance(self.rate, mn.Tensor):
            raise mn.MathnetError(
                "Poisson: the entropy is a sum whose length depends on the rate, which must be known"
            )
        rate = np.asarray(self.rate, np.float64)
        most = int(np.max(rate + 12 * np.sqrt(rate) + 40))
        at = np.arange(most + 1.0).reshape((-1,) + (1,) * rate.ndim)
        lp = np.asarray(self.log_prob(at))
        return -np.sum(np.exp(lp) * lp, axis=0)

    def _draw(self, source: Source, shape: tuple) -> Any:
        return source.poisson(self.rate, shape)

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Poisson:
        """rate = exp(scores)."""
        return cls(mn.exp(scores))

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Poisson:
        """rate: the mean."""
        data, given = samples_and_weights("Poisson", samples, weights)
        mean = float(np.average(data, weights=given))
        require(
            "Poisson", (data >= 0) & (data == np.floor(data)) & (mean > 0), "whole numbers ≥ 0, and not all 0"
        )
        return cls._finish(cls(mean), data, given)
