"""Distributions of real numbers: uniform, normal, Laplace, Student's t, exponential."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.base import (
    TINY_SCALE,
    Distribution,
    argument,
    halves,
    positive,
    real,
    require,
    samples_and_weights,
    shape_of,
    within,
)
from mathnet_std.distributions.drawing import Source
from mathnet_std.distributions.likelihood import maximize

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@mn.distribution("uniform")
class Uniform(Distribution):
    """The uniform distribution on [low, high]: density 1/(high − low).

    ``fit`` takes the smallest and the largest sample; it is not regular, so it has no standard errors.

    Mean (low + high)/2, variance (high − low)²/12, entropy log(high − low).

    >>> import mathnet as mn
    >>> d = mn.distributions.Uniform(0.0, 4.0)
    >>> float(d.mean), round(float(d.log_prob(1.0)), 6)
    (2.0, -1.386294)
    """

    parameters = ("low", "high")

    def __init__(self, low: Any = 0.0, high: Any = 1.0) -> None:
        self.low, self.high = real("Uniform", "low", low), real("Uniform", "high", high)
        if not any(isinstance(v, mn.Tensor) for v in (self.low, self.high)) and not np.all(
            np.less(self.low, self.high)
        ):
            raise mn.ArgumentError(
                f"Uniform: low must lie below high, but they are {self.low} and {self.high}"
            )

    def log_prob(self, x: Any) -> Any:
        x = argument("Uniform", x)
        inside = mn.logical_and(x >= self.low, x <= self.high)
        return within(inside, x, -mn.log(self.high - self.low) + 0.0 * x)

    def cdf(self, x: Any) -> Any:
        return mn.clip((argument("Uniform", x) - self.low) / (self.high - self.low), 0.0, 1.0)

    @property
    def mean(self) -> Any:
        return (self.low + self.high) / 2.0

    @property
    def variance(self) -> Any:
        return mn.square(self.high - self.low) / 12.0

    def entropy(self) -> Any:
        return mn.log(self.high - self.low)

    def _draw(self, source: Source, shape: tuple) -> Any:
        return self.low + (self.high - self.low) * source.uniform(shape)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Uniform:
        data, given = samples_and_weights("Uniform", samples, weights)
        require("Uniform", np.ptp(data) > 0, "two different numbers or more")
        return cls._finish(cls(data.min(), data.max()), data, given, free=())


@mn.distribution("normal")
class Normal(Distribution):
    """The normal distribution: density exp(−(x − loc)²/(2·scale²))/(scale·√(2π)).

    Mean loc, variance scale², entropy ½·log(2πe·scale²).

    >>> import mathnet as mn
    >>> d = mn.distributions.Normal(1.0, 2.0)
    >>> round(float(d.log_prob(1.0)), 6), round(float(d.cdf(1.0)), 6)
    (-1.612086, 0.5)
    """

    parameters = ("loc", "scale")

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0) -> None:
        self.loc, self.scale = real("Normal", "loc", loc), positive("Normal", "scale", scale)

    def log_prob(self, x: Any) -> Any:
        z = (argument("Normal", x) - self.loc) / self.scale
        return -0.5 * z * z - mn.log(self.scale) - HALF_LOG_2PI

    def cdf(self, x: Any) -> Any:
        return 0.5 * mn.erfc((self.loc - argument("Normal", x)) / (self.scale * math.sqrt(2.0)))

    @property
    def mean(self) -> Any:
        return self.loc + 0.0 * self.scale

    @property
    def variance(self) -> Any:
        return mn.square(self.scale) + 0.0 * self.loc

    def entropy(self) -> Any:
        return 0.5 + HALF_LOG_2PI + mn.log(self.scale) + 0.0 * self.loc

    def _draw(self, source: Source, shape: tuple) -> Any:
        return self.loc + self.scale * source.normal(shape)

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Normal:
        """Scores like the targets are loc, with scale 1; twice as many are loc and the softplus of which is scale."""
        if shape_of(scores) == shape_of(targets):
            return cls(scores, 1.0)
        loc, raw = halves("Normal", scores, targets)
        return cls(loc, mn.softplus(raw) + TINY_SCALE)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Normal:
        """loc: the mean, scale: the square root of the mean squared deviation."""
        data, given = samples_and_weights("Normal", samples, weights)
        mean = np.average(data, weights=given)
        scale = math.sqrt(np.average((data - mean) ** 2, weights=given))
        require("Normal", scale > 0, "two different numbers or more")
        return cls._finish(cls(mean, scale), data, given)


@mn.distribution("laplace")
class Laplace(Distribution):
    """The Laplace distribution: density exp(−|x − loc|/scale)/(2·scale).

    Mean loc, variance 2·scale², entropy 1 + log(2·scale).

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Laplace(0.0, 1.0).cdf(-1.0)), 6)
    0.18394
    """

    parameters = ("loc", "scale")

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0) -> None:
        self.loc, self.scale = real("Laplace", "loc", loc), positive("Laplace", "scale", scale)

    def log_prob(self, x: Any) -> Any:
        return -mn.abs(argument("Laplace", x) - self.loc) / self.scale - mn.log(2.0 * self.scale)

    def cdf(self, x: Any) -> Any:
        z = (argument("Laplace", x) - self.loc) / self.scale
        tail = 0.5 * mn.exp(-mn.abs(z))
        return mn.where(z < 0.0, tail, 1.0 - tail)

    @property
    def mean(self) -> Any:
        return self.loc + 0.0 * self.scale

    @property
    def variance(self) -> Any:
        return 2.0 * mn.square(self.scale) + 0.0 * self.loc

    def entropy(self) -> Any:
        return 1.0 + mn.log(2.0 * self.scale) + 0.0 * self.loc

    def _draw(self, source: Source, shape: tuple) -> Any:
        u = source.uniform(shape) - 0.5
        return self.loc - self.scale * mn.sign(u) * mn.log1p(-2.0 * mn.abs(u))

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Laplace:
        """Scores like the targets are loc, with scale 1; twice as many are loc and the softplus of which is scale."""
        if shape_of(scores) == shape_of(targets):
            return cls(scores, 1.0)
        loc, raw = halves("Laplace", scores, targets)
        return cls(loc, mn.softplus(raw) + TINY_SCALE)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Laplace:
        """loc: the (weighted) median, scale: the mean absolute deviation from it.  The likelihood has a kink at the median, so that
        only the scale has a standard error."""
        data, given = samples_and_weights("Laplace", samples, weights)
        order = np.argsort(data, kind="stable")
        reached = np.cumsum(given[order])
        middle = int(np.searchsorted(reached, reached[-1] / 2))
        loc = data[order][middle]
        if reached[middle] == reached[-1] / 2 and middle + 1 < len(data):
            loc = (loc + data[order][middle + 1]) / 2
        scale = np.average(np.abs(data - loc), weights=given)
        require("Laplace", scale > 0, "two different numbers or more")
        return cls._finish(cls(loc, scale), data, given, free=("scale",))


@mn.distribution("student_t")
class StudentT(Distribution):
    """Student's t distribution with df degrees of freedom, shifted and scaled.

    density Γ((df+1)/2)/(Γ(df/2)·√(df·π)·scale)·(1 + z²/df)^(−(df+1)/2), z = (x − loc)/scale.

    Mean loc for df > 1 (NaN else), variance scale²·df/(df − 2) for df > 2 (∞ for 1 < df ≤ 2, NaN below), entropy
    (df + 1)/2·(ψ((df + 1)/2) − ψ(df/2)) + log(√df·B(df/2, ½)·scale).

    >>> import mathnet as mn
    >>> round(float(mn.distributions.StudentT(1.0).cdf(1.0)), 6)
    0.75
    """

    parameters = ("df", "loc", "scale")

    def __init__(self, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> None:
        self.df = positive("StudentT", "df", df)
        self.loc, self.scale = real("StudentT", "loc", loc), positive("StudentT", "scale", scale)

    def log_prob(self, x: Any) -> Any:
        z, df = (argument("StudentT", x) - self.loc) / self.scale, self.df
        front = _half_gamma_ratio(df) - 0.5 * mn.log(df * math.pi) - mn.log(self.scale)
        return front - 0.5 * (df + 1.0) * mn.log1p(z * z / df)

    def cdf(self, x: Any) -> Any:
        z, df = (argument("StudentT", x) - self.loc) / self.scale, self.df
        far = 0.5 * mn.betainc(0.5 * df, 0.5, df / (df + z * z))  # the tail beyond |z|
        near = 0.5 * mn.betainc(0.5, 0.5 * df, z * z / (df + z * z))  # between 0 and |z|
        tail = mn.where(z * z < df, 0.5 - near, far)
        return mn.where(z < 0.0, tail, 1.0 - tail)

    @property
    def mean(self) -> Any:
        return mn.where(self.df + 0.0 * self.scale > 1.0, self.loc, math.nan)

    @property
    def variance(self) -> Any:
        above = mn.where(self.df > 2.0, self.df, 3.0)
        finite = mn.square(self.scale) * above / (above - 2.0) + 0.0 * self.loc
        return mn.where(self.df > 2.0, finite, mn.where(self.df > 1.0, math.inf, math.nan))

    def entropy(self) -> Any:
        df = self.df
        half = 0.5 * (df + 1.0)
        shape = half * (mn.digamma(half) - mn.digamma(0.5 * df))
        return (
            shape + 0.5 * mn.log(df * math.pi) - _half_gamma_ratio(df) + mn.log(self.scale) + 0.0 * self.loc
        )

    def _draw(self, source: Source, shape: tuple) -> Any:
        from mathnet_std.distributions.gamma_family import gamma_draw

        z = source.normal(shape)
        chi = 2.0 * gamma_draw(source, 0.5 * self.df, shape)
        return self.loc + self.scale * z * mn.sqrt(self.df / chi)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> StudentT:
        """By Newton's method over loc, log scale and log df.  Samples with tails no heavier than the normal's have no best df: an error."""
        data, given = samples_and_weights("StudentT", samples, weights)
        median = float(np.median(data))
        spread = 1.4826 * float(np.median(np.abs(data - median))) or float(np.std(data))
        require("StudentT", spread > 0, "two different numbers or more")
        share = given / given.sum()

        def likelihood(t: Any) -> Any:
            return mn.sum(share * cls(mn.exp(t[2]), t[0], mn.exp(t[1])).log_prob(data))

        best, steps = maximize(likelihood, np.array([median, math.log(spread), math.log(5.0)]), "StudentT")
        require(
            "StudentT",
            best[2] < math.log(1e5),
            "of heavier tails than the normal distribution's, which fits these",
        )
        return cls._finish(cls(math.exp(best[2]), best[0], math.exp(best[1])), data, given, steps=steps)


def _half_gamma_ratio(df: Any) -> Any:
    """log Γ((df + 1)/2) − log Γ(df/2)."""
    return mn.lgamma(0.5 * (df + 1.0)) - mn.lgamma(0.5 * df)


@mn.distribution("exponential")
class Exponential(Distribution):
    """The exponential distribution: density rate·exp(−rate·x) for x ≥ 0.

    Mean 1/rate, variance 1/rate², entropy 1 − log rate.

    >>> import mathnet as mn
    >>> round(float(mn.distributions.Exponential(2.0).cdf(0.5)), 6)
    0.632121
    """

    parameters = ("rate",)

    def __init__(self, rate: Any = 1.0) -> None:
        self.rate = positive("Exponential", "rate", rate)

    def log_prob(self, x: Any) -> Any:
        x = argument("Exponential", x)
        return within(x >= 0.0, x, mn.log(self.rate) - self.rate * x)

    def cdf(self, x: Any) -> Any:
        return -mn.expm1(-self.rate * mn.maximum(argument("Exponential", x), 0.0))

    @property
    def mean(self) -> Any:
        return 1.0 / self.rate

    @property
    def variance(self) -> Any:
        return 1.0 / (self.rate * self.rate)

    def entropy(self) -> Any:
        return 1.0 - mn.log(self.rate)

    def _draw(self, source: Source, shape: tuple) -> Any:
        return -mn.log(source.uniform(shape)) / self.rate

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Exponential:
        """rate = exp(scores)."""
        return cls(mn.exp(scores))

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Exponential:
        """rate: one over the mean."""
        data, given = samples_and_weights("Exponential", samples, weights)
        mean = np.average(data, weights=given)
        require("Exponential", (data >= 0) & (mean > 0), "not negative, and not all 0")
        return cls._finish(cls(1.0 / mean), data, given)
