"""Kullback–Leibler divergences in closed form, by pairs of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.categories import Categorical, Multinomial
from mathnet_std.distributions.continuous import HALF_LOG_2PI, Exponential, Laplace, Normal, Uniform
from mathnet_std.distributions.counts import Bernoulli, Binomial, Poisson
from mathnet_std.distributions.gamma_family import Beta, Dirichlet, Gamma, log_beta
from mathnet_std.distributions.multivariate_normal import MultivariateNormal

PAIRS: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def pair(p: type, q: type) -> Callable[[Callable], Callable]:
    """Enters the divergence of a pair of classes into the table."""

    def enter(f: Callable) -> Callable:
        PAIRS[p, q] = f
        return f

    return enter


def kl_divergence(p: Any, q: Any) -> Any:
    """KL(p ‖ q) = E_p[log p(x) − log q(x)] ≥ 0; ∞ where p reaches beyond the support of q.

    Raises ArgumentError for a pair without a closed form.

    >>> from mathnet_std.distributions.continuous import Normal
    >>> round(float(kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))), 6)
    0.5
    """
    found = PAIRS.get((type(p), type(q)))
    if found is None:
        known = ", ".join(sorted(b.__name__ for a, b in PAIRS if a is type(p))) or "none"
        raise mn.ArgumentError(
            f"kl_divergence: no closed form for {type(p).__name__} against {type(q).__name__} (known against: {known}); estimate it by "
            "mn.expectation(lambda x: p.log_prob(x) - q.log_prob(x), p)"
        )
    return found(p, q)


@pair(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = p.scale / q.scale
    return 0.5 * (mn.square(ratio) + mn.square((p.loc - q.loc) / q.scale) - 1.0) - mn.log(ratio)


@pair(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Any:
    inner = mn.linalg.solve_triangular(q.scale_tril, p.scale_tril, lower=True)
    z = mn.linalg.solve_triangular(q.scale_tril, mn.expand_dims(p.loc - q.loc, -1), lower=True)
    squares = mn.sum(mn.square(inner), axis=(-2, -1)) + mn.sum(mn.square(z), axis=(-2, -1))
    return 0.5 * (squares - float(p.loc.shape[-1])) + q._log_root_det() - p._log_root_det()


@pair(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    inside = mn.logical_and(p.low >= q.low, p.high <= q.high)
    return mn.where(inside, mn.log((q.high - q.low) / (p.high - p.low)), np.inf)


@pair(Uniform, Normal)
def _uniform_normal(p: Any, q: Any) -> Any:
    squares = p.variance + mn.square(p.mean - q.loc)
    return 0.5 * squares / mn.square(q.scale) + mn.log(q.scale) + HALF_LOG_2PI - p.entropy()


@pair(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    distance = mn.abs(p.loc - q.loc)
    return mn.log(q.scale / p.scale) + (p.scale * mn.exp(-distance / p.scale) + distance) / q.scale - 1.0


@pair(Laplace, Normal)
def _laplace_normal(p: Any, q: Any) -> Any:
    squares = p.variance + mn.square(p.loc - q.loc)
    return 0.5 * squares / mn.square(q.scale) + mn.log(q.scale) + HALF_LOG_2PI - p.entropy()


@pair(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    return (
        (a - b) * mn.digamma(a)
        - mn.lgamma(a)
        + mn.lgamma(b)
        + b * mn.log(p.rate / q.rate)
        + a * (q.rate - p.rate) / p.rate
    )


@pair(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    return mn.log(p.rate / q.rate) + q.rate / p.rate - 1.0


@pair(Exponential, Gamma)
def _exponential_gamma(p: Any, q: Any) -> Any:
    return _gamma(Gamma(1.0, p.rate), q)


@pair(Gamma, Exponential)
def _gamma_exponential(p: Any, q: Any) -> Any:
    return _gamma(p, Gamma(1.0, q.rate))


@pair(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    a, b, c, d = p.concentration1, p.concentration0, q.concentration1, q.concentration0
    whole = (c - a + d - b) * mn.digamma(a + b)
    return log_beta(c, d) - log_beta(a, b) + (a - c) * mn.digamma(a) + (b - d) * mn.digamma(b) + whole


@pair(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    a, b = p.concentration, q.concentration
    total = mn.sum(a, axis=-1)
    norms = (
        mn.lgamma(total)
        - mn.sum(mn.lgamma(a), axis=-1)
        - mn.lgamma(mn.sum(b, axis=-1))
        + mn.sum(mn.lgamma(b), axis=-1)
    )
    return norms + mn.sum((a - b) * (mn.digamma(a) - mn.expand_dims(mn.digamma(total), -1)), axis=-1)


@pair(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    return -p.entropy() - q._log_chances(p.probs, 1.0 - p.probs)


@pair(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    if not np.array_equal(p.total_count, q.total_count):
        raise mn.ArgumentError(
            "kl_divergence: two Binomials have a closed form only for the same total_count"
        )
    chances = p._log_chances(p.probs, 1.0 - p.probs) - q._log_chances(p.probs, 1.0 - p.probs)
    return p.total_count * chances


@pair(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return p.rate * mn.log(p.rate / q.rate) - p.rate + q.rate


@pair(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    impossible = mn.logical_and(mn.equal(q.probs, 0.0), p.probs > 0.0)
    share = mn.where(p.probs > 0.0, p.probs, 1.0)
    other = mn.where(q.probs > 0.0, q.probs, 1.0)
    terms = mn.where(p.probs > 0.0, p.probs * (mn.log(share) - mn.log(other)), 0.0)
    return mn.sum(mn.where(impossible, np.inf, terms), axis=-1)


@pair(Multinomial, Multinomial)
def _multinomial(p: Any, q: Any) -> Any:
    if p.total_count != q.total_count:
        raise mn.ArgumentError(
            "kl_divergence: two Multinomials have a closed form only for the same total_count"
        )
    return p.total_count * _categorical(p, q)
