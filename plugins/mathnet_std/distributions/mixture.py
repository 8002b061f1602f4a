"""Mixtures, and their fit by expectation and maximisation."""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.base import Distribution, argument, probability, samples_and_weights, shape_of
from mathnet_std.distributions.continuous import Normal
from mathnet_std.distributions.drawing import Source

MAX_STEPS = 2000


@mn.distribution("mixture")
class Mixture(Distribution):
    """A draw from component k with probability weights[k]: density Σ weights[k]·p_k(x).

    weights (K,) add up to 1; components: a distribution whose parameters have K along the last axis of its batch.

    Mean Σ wₖ·mₖ and variance Σ wₖ·(vₖ + mₖ²) − mean², w the weights, m and v those of the components.  The entropy has no
    closed form.

    >>> import mathnet as mn
    >>> d = mn.distributions.Mixture([0.5, 0.5], mn.distributions.Normal([-1.0, 1.0], 1.0))
    >>> float(d.mean)
    0.0
    """

    def __init__(self, weights: Any, components: Any) -> None:
        self.weights, self.components = probability("Mixture", "weights", weights), components
        shape = shape_of(self.weights)
        if (
            len(shape) != 1
            or not getattr(components, "batch_shape", ())
            or components.batch_shape[-1] != shape[0]
        ):
            raise mn.ShapeError(
                f"Mixture: weights must have the shape (K,) and components a batch of K distributions, but they have {shape} and "
                f"{getattr(components, 'batch_shape', components)}"
            )
        if not isinstance(self.weights, mn.Tensor) and abs(float(np.sum(self.weights)) - 1) > 1e-6:
            raise mn.ArgumentError(
                f"Mixture: weights must add up to 1, but they add up to {np.sum(self.weights)}"
            )
        self.event_rank = components.event_rank  # type: ignore[misc]
        self.no_reparameterisation = "a draw jumps between the components"  # type: ignore[misc]

    @property
    def batch_shape(self) -> tuple:
        return self.components.batch_shape[:-1]

    def values(self) -> list[Any]:
        return [self.weights, *self.components.values()]

    def log_responsibilities(self, x: Any) -> Any:
        """log(weights[k]·p_k(x)) along a new last axis; its softmax is the probability that x came from component k."""
        wide = mn.expand_dims(argument("Mixture", x), -1 - self.event_rank)
        return mn.log(self.weights) + self.components.log_prob(wide)

    def log_prob(self, x: Any) -> Any:
        return mn.logsumexp(self.log_responsibilities(x), axis=-1)

    def cdf(self, x: Any) -> Any:
        return mn.sum(self.weights * self.components.cdf(mn.expand_dims(argument("Mixture", x), -1)), axis=-1)

    def _average(self, values: Any) -> Any:
        weights = mn.reshape(self.weights, (-1,) + (1,) * self.event_rank)
        return mn.sum(weights * values, axis=-1 - self.event_rank)

    @property
    def mean(self) -> Any:
        return self._average(self.components.mean)

    @property
    def variance(self) -> Any:
        between = self._average(mn.square(self.components.mean)) - mn.square(self.mean)
        return self._average(self.components.variance) + between

    def _draw(self, source: Source, shape: tuple) -> Any:
        every = self.components._draw(source, (*shape, self.components.batch_shape[-1]))
        edges = mn.cumsum(self.weights)[:-1]
        chosen = mn.sum(mn.cast(mn.expand_dims(source.uniform(shape), -1) >= edges, "int64"), axis=-1)
        hit = mn.equal(mn.expand_dims(chosen, -1), np.arange(self.components.batch_shape[-1]))
        hit = mn.reshape(hit, (*tuple(hit.shape), *(1,) * self.event_rank))
        return mn.sum(mn.where(hit, every, 0.0), axis=-1 - self.event_rank)

    @classmethod
    def fit(
        cls,
        samples: Any,
        weights: Any = None,
        components: int = 2,
        kind: type | None = None,
        restarts: int = 4,
        tolerance: float = 1e-9,
        seed: int = 0,
    ) -> Mixture:
        """By expectation and maximisation (Dempster, Laird & Rubin, 1977), from several starts; the likeliest is kept.

        kind: the class of the components (default: Normal), whose own ``fit`` with weights is the maximisation.  A component that would
        collapse onto a point ends that start.  Ends when a step adds less than ``tolerance`` per sample to the log-likelihood.
        """
        kind = Normal if kind is None else kind
        data, given = samples_and_weights("Mixture", samples, weights, kind.event_rank)  # type: ignore[attr-defined]
        rng = np.random.default_rng(seed)
        best: Any = None
        reason: Exception | None = None
        for _ in range(restarts):
            try:
                made = cls._climb(data, given, components, kind, tolerance, rng)
            except (mn.ArgumentError, np.linalg.LinAlgError) as error:
                reason = error
                continue
            if best is None or made.fitted.log_likelihood > best.fitted.log_likelihood:
                best = made
        if best is None:
            raise mn.ArgumentError(
                f"Mixture.fit: no start led to a maximum with {components} components: {reason}"
            )
        return best

    @classmethod
    def _climb(
        cls,
        data: np.ndarray,
        given: np.ndarray,
        count: int,
        kind: Any,
        tolerance: float,
        rng: np.random.Generator,
    ) -> Any:
        shares = _near_seeds(data, count, rng)
        last, steps = -np.inf, 0
        while steps < MAX_STEPS:
            steps += 1
            parts = [kind.fit(data, given * share) for share in shares.T]
            weight = given @ shares / given.sum()
            names = parts[0].parameters
            stacked = kind(
                **{name: np.stack([np.asarray(getattr(p, name)) for p in parts]) for name in names}
            )
            made = cls(weight, stacked)
            logs = np.asarray(made.log_responsibilities(data))
            total = np.logaddexp.reduce(logs, axis=-1)
            likelihood = float(np.sum(given * total))
            if likelihood - last <= tolerance * given.sum():
                break
            last, shares = likelihood, np.exp(logs - total[:, None])
        made.fitted = parts[0].fitted.of_whole(likelihood, float(given.sum()), steps)
        return made


def _near_seeds(data: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(n, count): which of ``count`` samples, drawn far from each other (k-means++), is nearest."""
    points = data.reshape(len(data), -1)
    seeds = [points[rng.integers(len(points))]]
    for _ in range(count - 1):
        distance = np.min([np.sum((points - seed) ** 2, 1) for seed in seeds], axis=0)
        total = distance.sum()
        seeds.append(points[rng.choice(len(points), p=distance / total if total > 0 else None)])
    distances = np.stack([np.sum((points - seed) ** 2, 1) for seed in seeds], 1)
    return np.where(np.arange(count) == distances.argmin(1)[:, None], 0.9, 0.1 / max(count - 1, 1))
