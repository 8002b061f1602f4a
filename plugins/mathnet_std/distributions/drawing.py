"""Where random numbers come from: the plan's generator inside of traced functions, NumPy's under a seed otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn

#: Proposals per gamma draw: each is taken with a probability of 0.95 or more, so that all fail once in 10¹⁵ draws.
PROPOSALS = 12


class Source:
    """Standard normal and uniform draws in float64.

    seed: None takes them from the Runtime, or inside of a Trainer or traced function from its generator; else a whole number.
    """

    def __init__(self, seed: Any, traced: bool) -> None:
        self._generator = None
        if seed is not None:
            if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
                raise mn.ArgumentError(f"sample: seed must be None or an integer ≥ 0, not {seed!r}")
            self._generator = np.random.default_rng(int(seed))
        elif not traced:
            key = np.asarray(mn.random.uniform((4,), dtype="float64")) * 2.0**32
            self._generator = np.random.default_rng([int(word) for word in key])

    def normal(self, shape: tuple) -> Any:
        if self._generator is None:
            return mn.random.normal(shape, dtype="float64")
        return self._generator.standard_normal(shape)

    def uniform(self, shape: tuple) -> Any:
        """In (0, 1), both ends left out."""
        if self._generator is None:
            return mn.clip(mn.random.uniform(shape, dtype="float64"), 2.0**-54, 1.0 - 2.0**-53)
        return np.maximum(self._generator.random(shape), 2.0**-54)

    def gamma(self, concentration: Any, shape: tuple) -> Any:
        """Draws of Gamma(concentration, 1), without a derivative, by Marsaglia & Tsang's method (2000)."""
        below_one = concentration < 1.0
        a = mn.where(below_one, concentration + 1.0, concentration)
        d = a - 1.0 / 3.0
        x = self.normal((PROPOSALS, *shape))
        v = (1.0 + x / mn.sqrt(9.0 * d)) ** 3
        u = self.uniform((PROPOSALS, *shape))
        positive = mn.where(v > 0.0, v, 1.0)
        taken = mn.logical_and(v > 0.0, mn.log(u) < 0.5 * x * x + d * (1.0 - v + mn.log(positive)))
        first = mn.argmax(mn.cast(taken, "int64"), axis=0)
        chosen = mn.squeeze(mn.take_along_axis(positive, mn.expand_dims(first, 0), axis=0), 0)
        boost = mn.where(below_one, mn.log(self.uniform(shape)) / concentration, 0.0)
        return mn.maximum(d * chosen * mn.exp(boost), 1e-300)

    def binomial(self, total_count: Any, probs: Any, shape: tuple) -> Any:
        """Successes among trials."""
        if self._generator is not None and not isinstance(probs, mn.Tensor):
            count = np.asarray(total_count).astype(np.int64)
            return self._generator.binomial(count, np.asarray(probs, np.float64), shape).astype(np.float64)
        most = int(np.max(total_count))
        trial = np.arange(most).reshape((-1,) + (1,) * len(shape))
        success = mn.logical_and(self.uniform((most, *shape)) < probs, trial < np.asarray(total_count))
        return mn.sum(mn.cast(success, "float64"), axis=0)

    def poisson(self, rate: Any, shape: tuple) -> Any:
        if self._generator is not None and not isinstance(rate, mn.Tensor):
            return self._generator.poisson(np.asarray(rate, np.float64), shape).astype(np.float64)
        full = mn.broadcast_to(rate + 0.0, shape)
        return mn.where(full < 10.0, self._small_poisson(full, shape), self._large_poisson(full, shape))

    def _small_poisson(self, rate: Any, shape: tuple) -> Any:
        """How many cumulated probabilities a uniform draw exceeds; for rates below 10 the terms beyond 60 are under 10⁻²⁵."""
        k = np.arange(60.0).reshape((-1,) + (1,) * len(shape))
        low = mn.minimum(rate, 10.0)
        terms = mn.exp(k * mn.log(low) - low - mn.lgamma(k + 1.0))
        passed = self.uniform(shape) > mn.cumsum(terms, axis=0)
        return mn.sum(mn.cast(passed, "float64"), axis=0)

    def _large_poisson(self, rate: Any, shape: tuple) -> Any:
        """Hörmann's transformed rejection, algorithm PTRS (1993)."""
        high = mn.maximum(rate, 10.0)
        b = 0.931 + 2.53 * mn.sqrt(high)
        a = -0.059 + 0.02483 * b
        u, v = self.uniform((PROPOSALS, *shape)) - 0.5, self.uniform((PROPOSALS, *shape))
        us = 0.5 - mn.abs(u)
        k = mn.floor((2.0 * a / us + b) * u + high + 0.43)
        scale = mn.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / mn.square(us) + b))
        taken = scale <= k * mn.log(high) - high - mn.lgamma(mn.maximum(k, 0.0) + 1.0)
        taken = mn.logical_and(taken, k >= 0.0)
        first = mn.argmax(mn.cast(taken, "int64"), axis=0)
        return mn.squeeze(mn.take_along_axis(mn.maximum(k, 0.0), mn.expand_dims(first, 0), axis=0), 0)
