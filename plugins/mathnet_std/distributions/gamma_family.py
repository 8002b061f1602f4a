"""Distributions made of gamma draws: gamma, beta, Dirichlet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.base import (
    TINY,
    TINY_SCALE,
    Distribution,
    argument,
    halves,
    positive,
    require,
    samples_and_weights,
    shape_of,
    within,
)
from mathnet_std.distributions.drawing import Source
from mathnet_std.distributions.likelihood import maximize

#: Step of the difference quotient, relative to the scale on which the distribution function changes with its shape.
STEP = 1e-3


def gamma_draw(source: Source, concentration: Any, shape: tuple) -> Any:
    """Draws of Gamma(concentration, 1) that are differentiable in the concentration.

    The draw x solves F(x; a) = u for a fixed u, so dx/da = −(∂F/∂a)/(∂F/∂x), the implicit reparameterisation of Figurnov et al. (2018);
    ∂F/∂a is a difference quotient of fourth order.  First derivatives only.
    """
    full = mn.broadcast_to(concentration + 0.0, shape)
    return _GAMMA_PATH(mn.stop_gradient(source.gamma(full, shape)), full)


def _slope(x: Any, a: Any) -> Any:
    """dx/da along F(x; a) = constant."""
    h = STEP * mn.minimum(a, mn.sqrt(a))
    upper = x > a  # the smaller tail keeps its digits

    def tail(shift: float) -> Any:
        at = a + shift * h
        return mn.where(upper, -mn.gammaincc(at, x), mn.gammainc(at, x))

    change = (tail(-2.0) - 8.0 * tail(-1.0) + 8.0 * tail(1.0) - tail(2.0)) / (12.0 * h)
    density = mn.exp((a - 1.0) * mn.log(x) - x - mn.lgamma(a))
    return -change / mn.maximum(density, TINY)


_GAMMA_PATH = mn.custom_vjp(
    lambda x, a: x + 0.0 * a,
    lambda dy, x, a, out: (dy, dy * _slope(x, a)),
    jvp=lambda tangents, x, a, out: tangents[0] + tangents[1] * _slope(x, a),
)


@mn.distribution("gamma")
class Gamma(Distribution):
    """The gamma distribution: density rate^a·x^(a−1)·exp(−rate·x)/Γ(a) for x ≥ 0, a = concentration.

    Mean a/rate, variance a/rate², entropy a − log rate + log Γ(a) + (1 − a)·ψ(a).

    >>> import mathnet as mn
    >>> d = mn.distributions.Gamma(3.0, 2.0)
    >>> float(d.mean), float(d.variance)
    (1.5, 0.75)
    """

    parameters = ("concentration", "rate")

    def __init__(self, concentration: Any, rate: Any = 1.0) -> None:
        self.concentration = positive("Gamma", "concentration", concentration)
        self.rate = positive("Gamma", "rate", rate)

    def log_prob(self, x: Any) -> Any:
        x = argument("Gamma", x)
        a, inside = self.concentration, x >= 0.0
        safe = mn.where(inside, x, 1.0)
        value = a * mn.log(self.rate) - mn.lgamma(a) + mn.xlogy(a - 1.0, safe) - self.rate * safe
        return within(inside, x, value)

    def cdf(self, x: Any) -> Any:
        return mn.gammainc(self.concentration, mn.maximum(argument("Gamma", x), 0.0) * self.rate)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def variance(self) -> Any:
        return self.concentration / mn.square(self.rate)

    def entropy(self) -> Any:
        a = self.concentration
        return a - mn.log(self.rate) + mn.lgamma(a) + (1.0 - a) * mn.digamma(a)

    def _draw(self, source: Source, shape: tuple) -> Any:
        return gamma_draw(source, self.concentration, shape) / self.rate

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Gamma:
        """concentration and rate: the softplus of the halves."""
        one, other = halves("Gamma", scores, targets)
        return cls(mn.softplus(one) + TINY_SCALE, mn.softplus(other) + TINY_SCALE)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Gamma:
        """By Newton's method over the logarithms of both parameters, from the mean and the mean logarithm."""
        data, given = samples_and_weights("Gamma", samples, weights)
        require("Gamma", data > 0, "positive")
        mean, log_mean = (float(np.average(v, weights=given)) for v in (data, np.log(data)))
        gap = math.log(mean) - log_mean
        require("Gamma", gap > 1e-14, "two different numbers or more")

        def likelihood(t: Any) -> Any:
            a, rate = mn.exp(t[0]), mn.exp(t[1])
            return a * t[1] - mn.lgamma(a) + (a - 1.0) * log_mean - rate * mean

        a = (3 - gap + math.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)  # Minka (2002)
        best, steps = maximize(likelihood, np.log([a, a / mean]), "Gamma")
        return cls._finish(cls(*np.exp(best)), data, given, steps=steps)


@mn.distribution("beta")
class Beta(Distribution):
    """The beta distribution: density x^(a−1)·(1 − x)^(b−1)/B(a, b) for 0 ≤ x ≤ 1, a = concentration1, b = concentration0.

    Mean a/(a + b), variance a·b/((a + b)²·(a + b + 1)), entropy log B(a, b) − (a − 1)·ψ(a) − (b − 1)·ψ(b) + (a + b − 2)·ψ(a + b).

    >>> import mathnet as mn
    >>> float(mn.distributions.Beta(2.0, 2.0).mean)
    0.5
    """

    parameters = ("concentration1", "concentration0")

    def __init__(self, concentration1: Any, concentration0: Any) -> None:
        self.concentration1 = positive("Beta", "concentration1", concentration1)
        self.concentration0 = positive("Beta", "concentration0", concentration0)

    def log_prob(self, x: Any) -> Any:
        x = argument("Beta", x)
        inside = mn.logical_and(x >= 0.0, x <= 1.0)
        safe = mn.where(inside, x, 0.5)
        a, b = self.concentration1, self.concentration0
        return within(inside, x, mn.xlogy(a - 1.0, safe) + mn.xlog1py(b - 1.0, -safe) - log_beta(a, b))

    def cdf(self, x: Any) -> Any:
        return mn.betainc(self.concentration1, self.concentration0, mn.clip(argument("Beta", x), 0.0, 1.0))

    @property
    def mean(self) -> Any:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Any:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total * total * (total + 1.0))

    def entropy(self) -> Any:
        a, b = self.concentration1, self.concentration0
        parts = (a - 1.0) * mn.digamma(a) + (b - 1.0) * mn.digamma(b)
        return log_beta(a, b) - parts + (a + b - 2.0) * mn.digamma(a + b)

    def _draw(self, source: Source, shape: tuple) -> Any:
        one, other = (gamma_draw(source, c, shape) for c in (self.concentration1, self.concentration0))
        return mn.clip(one / (one + other), TINY, 1.0 - 2.0**-53)

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Beta:
        """concentration1 and concentration0: the softplus of the halves."""
        one, other = halves("Beta", scores, targets)
        return cls(mn.softplus(one) + TINY_SCALE, mn.softplus(other) + TINY_SCALE)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Beta:
        """By Newton's method over the logarithms of both parameters, from the mean logarithms of x and of 1 − x."""
        data, given = samples_and_weights("Beta", samples, weights)
        require("Beta", (data > 0) & (data < 1), "between 0 and 1, and neither")
        log_x, log_rest = (float(np.average(v, weights=given)) for v in (np.log(data), np.log1p(-data)))
        mean = float(np.average(data, weights=given))
        variance = float(np.average((data - mean) ** 2, weights=given))
        require("Beta", variance > 0, "two different numbers or more")

        def likelihood(t: Any) -> Any:
            a, b = mn.exp(t[0]), mn.exp(t[1])
            return (a - 1.0) * log_x + (b - 1.0) * log_rest - log_beta(a, b)

        total = max(mean * (1 - mean) / variance - 1, 1e-2)
        best, steps = maximize(likelihood, np.log([mean * total, (1 - mean) * total]), "Beta")
        return cls._finish(cls(*np.exp(best)), data, given, steps=steps)


def log_beta(a: Any, b: Any) -> Any:
    """log B(a, b)."""
    return mn.lgamma(a) + mn.lgamma(b) - mn.lgamma(a + b)


@mn.distribution("dirichlet")
class Dirichlet(Distribution):
    """The Dirichlet distribution of probability vectors: density Γ(Σa)/∏Γ(aᵢ)·∏xᵢ^(aᵢ−1); concentration (…, k).

    The support is the simplex: xᵢ ≥ 0 with a sum of 1 (to 10⁻⁶).

    With s = Σa: mean m = a/s, variance m·(1 − m)/(s + 1), entropy Σ log Γ(aᵢ) − log Γ(s) + (s − k)·ψ(s) − Σ (aᵢ − 1)·ψ(aᵢ).

    >>> import mathnet as mn
    >>> mn.distributions.Dirichlet([1.0, 3.0]).mean
    array([0.25, 0.75])
    """

    parameters = ("concentration",)
    event_rank = 1

    def __init__(self, concentration: Any) -> None:
        self.concentration = positive("Dirichlet", "concentration", concentration)
        if not shape_of(self.concentration):
            raise mn.ShapeError(
                "Dirichlet: concentration must have one axis or more, the last one for the parts"
            )

    @property
    def _total(self) -> Any:
        return mn.sum(self.concentration, axis=-1, keepdims=True)

    def log_prob(self, x: Any) -> Any:
        x = argument("Dirichlet", x)
        total = mn.sum(x, axis=-1)
        inside = mn.logical_and(mn.min(x, axis=-1) >= 0.0, mn.abs(total - 1.0) <= 1e-6)
        safe = mn.where(mn.expand_dims(inside, -1), x, 0.5)
        a = self.concentration
        front = mn.lgamma(mn.sum(a, axis=-1)) - mn.sum(mn.lgamma(a), axis=-1)
        return within(inside, total, front + mn.sum(mn.xlogy(a - 1.0, safe), axis=-1))

    @property
    def mean(self) -> Any:
        return self.concentration / self._total

    @property
    def variance(self) -> Any:
        return self.mean * (1.0 - self.mean) / (self._total + 1.0)

    def entropy(self) -> Any:
        a = self.concentration
        total, k = mn.sum(a, axis=-1), float(a.shape[-1])
        log_norm = mn.sum(mn.lgamma(a), axis=-1) - mn.lgamma(total)
        return log_norm + (total - k) * mn.digamma(total) - mn.sum((a - 1.0) * mn.digamma(a), axis=-1)

    def _draw(self, source: Source, shape: tuple) -> Any:
        parts = gamma_draw(source, self.concentration, (*shape, self.concentration.shape[-1]))
        return parts / mn.sum(parts, axis=-1, keepdims=True)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> Dirichlet:
        """By Newton's method over the logarithms of the concentrations, from the mean logarithms (Minka, 2000)."""
        data, given = samples_and_weights("Dirichlet", samples, weights, 1)
        require(
            "Dirichlet",
            (data > 0) & (np.abs(data.sum(1, keepdims=True) - 1) <= 1e-6),
            "positive, with a sum of 1",
        )
        logs, mean = (np.average(v, axis=0, weights=given) for v in (np.log(data), data))
        square = np.average(data**2, axis=0, weights=given)
        require("Dirichlet", square[0] > mean[0] ** 2, "two different vectors or more")

        def likelihood(t: Any) -> Any:
            a = mn.exp(t)
            return mn.lgamma(mn.sum(a)) - mn.sum(mn.lgamma(a)) + mn.sum((a - 1.0) * logs)

        total = max((mean[0] - square[0]) / (square[0] - mean[0] ** 2), 1e-2)
        best, steps = maximize(likelihood, np.log(mean * total), "Dirichlet")
        return cls._finish(cls(np.exp(best)), data, given, steps=steps)
