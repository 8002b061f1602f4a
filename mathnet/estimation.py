"""Expectations by sampling, and their derivatives, each with the variance of the estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.derivatives import jacobian
from mathnet.errors import ArgumentError, ShapeError

METHODS = ("reparameterised", "score")


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An estimate and its variance: nests of arrays alike, the variance that of the mean over the samples."""

    value: Any
    variance: Any

    @property
    def standard_error(self) -> Any:
        """√variance."""
        return _each(np.sqrt, self.variance)


def expectation(
    f: Callable[[Any], Any], distribution: Any, samples: int = 1000, seed: int | None = None
) -> Estimate:
    """E[f(x)] under the distribution, by the mean of f over samples (Monte Carlo); f maps draws (n, …) to values (n, …).

    >>> import mathnet as mn
    >>> found = mn.expectation(lambda x: x * x, mn.distributions.Normal(0.0, 1.0), 10_000, seed=0)
    >>> bool(abs(found.value - 1.0) < 4 * found.standard_error)
    True
    """
    values = np.asarray(f(distribution.sample((_count(samples),), seed=seed)))
    return Estimate(values.mean(0), values.var(0, ddof=1) / len(values))


def expectation_gradient(
    f: Callable[[Any], Any],
    make: Callable[[Any], Any],
    parameters: Any,
    samples: int = 1000,
    method: str = "reparameterised",
    seed: int = 0,
    baseline: bool = True,
) -> Estimate:
    """d E[f(x)]/d parameters for x from ``make(parameters)``, with the variance of the estimate.

    f maps draws (n, …) to numbers (n,); parameters: an array, or nested dicts, lists and tuples of arrays.
    method "reparameterised": the mean of d f(x(θ))/dθ along differentiable draws (Kingma & Welling, 2014); f must be smooth.
    method "score": the mean of (f(x) − b)·d log p(x; θ)/dθ (Williams, 1992), for any f and any distribution with a density; baseline: b is
    the mean of f over the other samples, which leaves the estimate unbiased and lowers its variance.

    Raises ArgumentError for another method, GradientError for "reparameterised" draws that jump.

    >>> import mathnet as mn
    >>> found = mn.expectation_gradient(mn.square, lambda m: mn.distributions.Normal(m, 1.0), np.array(3.0), 10_000)
    >>> bool(abs(found.value - 6.0) < 4 * found.standard_error)
    True
    """
    if method not in METHODS:
        raise ArgumentError(
            f"expectation_gradient: method must be 'reparameterised' or 'score', not {method!r}"
        )
    count = _count(samples)
    if method == "score":
        x = np.asarray(make(parameters).sample((count,), seed=seed))
        values = np.asarray(f(x), np.float64)
        rest = (values.sum() - values) / (count - 1) if baseline else 0.0
        scale = _numbers(values, count) - rest
        rows = jacobian(lambda p: scale * make(p).log_prob(x))(parameters)
    else:
        rows = jacobian(lambda p: _numbers(f(make(p).rsample((count,), seed=seed)), count))(parameters)
    return Estimate(_each(lambda r: r.mean(0), rows), _each(lambda r: r.var(0, ddof=1) / count, rows))


def _count(samples: Any) -> int:
    if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < 2:
        raise ArgumentError(f"expectation: samples must be an integer of at least 2, not {samples!r}")
    return int(samples)


def _numbers(values: Any, count: int) -> Any:
    if tuple(values.shape) != (count,):
        raise ShapeError(
            f"expectation_gradient: f must return one number per draw, ({count},), not {tuple(values.shape)}"
        )
    return values


def _each(f: Callable[[np.ndarray], Any], nest: Any) -> Any:
    if isinstance(nest, dict):
        return {key: _each(f, value) for key, value in nest.items()}
    if isinstance(nest, (list, tuple)):
        return type(nest)(_each(f, value) for value in nest)
    return f(np.asarray(nest))
