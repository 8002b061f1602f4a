"""Expectations by sampling, and their derivatives, each with the variance of the estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.derivatives import jacobian
from mathnet.errors import ArgumentError, ShapeError, require_function
from mathnet.graph.tree import map_leaves

METHODS = ("reparameterised", "score")


@dataclasses.dataclass(frozen=True)
class Estimate:
    """An estimate and its variance: nests of arrays alike, the variance that of the mean over the samples."""

    value: Any
    variance: Any

    @property
    def standard_error(self) -> Any:
        """√variance."""
        return map_leaves(np.sqrt, self.variance)


def expectation(
    f: Callable[[Any], Any], distribution: Any, samples: int = 1000, seed: int | None = None
) -> Estimate:
    """E[f(x)] under the distribution, by the mean of f over samples (Monte Carlo); f maps draws (n, …) to values (n, …).

    >>> import mathnet as mn
    >>> found = mn.expectation(lambda x: x * x, mn.distributions.Normal(0.0, 1.0), 10_000, seed=0)
    >>> bool(abs(found.value - 1.0) < 4 * found.standard_error)
    True
    """
    require_function("expectation: f", f)
    count = _count(samples)
    values = np.asarray(f(_drawn("expectation", distribution, count, seed)))
    if values.shape[:1] != (count,):
        raise ShapeError(
            f"expectation: f must return one value per draw, ({count}, …), not an array of shape {values.shape}"
        )
    return Estimate(values.mean(0), values.var(0, ddof=1) / count)


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
    name, count = "expectation_gradient", _count(samples)
    require_function(f"{name}: f", f)
    require_function(f"{name}: make", make)
    if method == "score":
        x = np.asarray(_drawn(name, make(parameters), count, seed))
        values = _numbers(np.asarray(f(x), np.float64), count, "f must return one number per draw")
        scale = values - ((values.sum() - values) / (count - 1) if baseline else 0.0)
        density = "the density must be one number per draw (sum log_prob over the others)"
        rows = jacobian(lambda p: scale * _numbers(make(p).log_prob(x), count, density))(parameters)
    else:
        rows = jacobian(
            lambda p: _numbers(
                f(_drawn(name, make(p), count, seed, "rsample")), count, "f must return one number per draw"
            )
        )(parameters)
    return Estimate(
        map_leaves(lambda r: r.mean(0), rows), map_leaves(lambda r: r.var(0, ddof=1) / count, rows)
    )


def _drawn(name: str, distribution: Any, count: int, seed: int | None, method: str = "sample") -> Any:
    if not callable(getattr(distribution, method, None)):
        raise ArgumentError(
            f"{name}: a distribution with {method}() is needed, such as mn.distributions.Normal(0.0, 1.0), not {distribution!r}"
        )
    return getattr(distribution, method)((count,), seed=seed)


def _count(samples: Any) -> int:
    if isinstance(samples, bool) or not isinstance(samples, (int, np.integer)) or samples < 2:
        raise ArgumentError(f"expectation: samples must be an integer of at least 2, not {samples!r}")
    return int(samples)


def _numbers(values: Any, count: int, wanted: str) -> Any:
    shape = tuple(getattr(values, "shape", ()))
    if shape != (count,):
        raise ShapeError(f"expectation_gradient: {wanted}, ({count},), not an array of shape {shape}")
    return values
