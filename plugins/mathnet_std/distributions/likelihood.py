"""Maximum likelihood: Newton's method, and standard errors from the observed Fisher information."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet as mn

TOLERANCE = 1e-10  # of the gradient per observation
MAX_STEPS = 200


@dataclasses.dataclass(frozen=True)
class Fit:
    """What a fit found out.

    log_likelihood: Σ w·log p at the fitted parameters; standard_errors: by parameter, the square roots of the diagonal of the inverse of
    the observed Fisher information −∂² log-likelihood, NaN where it has none (a parameter on the border of its range); count: Σ w.
    """

    log_likelihood: float
    standard_errors: dict[str, np.ndarray]
    count: float
    steps: int = 0

    def with_errors(self, **errors: np.ndarray) -> Fit:
        """The same with standard errors of closed form."""
        return dataclasses.replace(self, standard_errors={**self.standard_errors, **errors})

    def of_whole(self, log_likelihood: float, count: float, steps: int) -> Fit:
        """The fit of a mixture, which has no standard errors here."""
        return Fit(log_likelihood, {}, count, steps)


def maximize(log_likelihood: Callable[[Any], Any], start: np.ndarray, owner: str) -> tuple[np.ndarray, int]:
    """(θ, steps): the maximum of a function of one vector, by Newton's method with damping (Levenberg, 1944).

    log_likelihood is per observation.  Raises ArgumentError when it does not converge, as for data whose likelihood has no maximum.
    """
    value_and_slope = mn.function(mn.value_and_grad(lambda t: -log_likelihood(t)))
    curvature = mn.function(mn.hessian(lambda t: -log_likelihood(t)))
    theta, damping = np.array(start, np.float64), 1e-3
    value, slope = value_and_slope(theta)
    for step in range(MAX_STEPS):
        if np.abs(slope).max() <= TOLERANCE * max(1.0, abs(float(value))):
            return theta, step
        h = np.asarray(curvature(theta))
        while True:
            try:
                np.linalg.cholesky(h + damping * np.eye(len(theta)))
                move = np.linalg.solve(h + damping * np.eye(len(theta)), -slope)
                moved, moved_slope = value_and_slope(theta + move)
                if np.isfinite(moved) and moved <= value + 1e-14 * abs(value):
                    break
            except np.linalg.LinAlgError:
                pass
            damping = max(4 * damping, 1e-12)
            if damping > 1e12:
                if np.abs(slope).max() <= 1e-6 * max(
                    1.0, abs(float(value))
                ):  # as near as rounding lets it come
                    return theta, step
                raise mn.ArgumentError(
                    f"{owner}.fit: the likelihood of these samples has no maximum that Newton's method finds"
                )
        theta, value, slope = theta + move, moved, moved_slope
        damping /= 10
    raise mn.ArgumentError(
        f"{owner}.fit: {MAX_STEPS} steps of Newton's method did not reach a maximum; the likelihood of these samples may have none"
    )


def standard_errors(
    made: Any, samples: np.ndarray, weights: np.ndarray, free: tuple[str, ...] | None = None, steps: int = 0
) -> Fit:
    """The likelihood of a fitted distribution and the errors of its ``free`` parameters (default: all)."""
    names = made.parameters if free is None else free
    kind = type(made)
    held = {name: getattr(made, name) for name in made.parameters if name not in names}
    likelihood = float(np.sum(weights * np.asarray(made.log_prob(samples))))
    arrays = [np.asarray(getattr(made, name), np.float64) for name in names]
    if not arrays:
        return Fit(likelihood, {}, float(weights.sum()), steps)

    def total(flat: Any) -> Any:
        start, parts = 0, dict(held)
        for name, array in zip(names, arrays):
            parts[name] = mn.reshape(flat[start : start + array.size], array.shape)
            start += array.size
        return mn.sum(weights * kind(**parts).log_prob(samples))

    information = -np.asarray(mn.hessian(total)(np.concatenate([a.ravel() for a in arrays])))
    errors = _errors(information)
    found, start = {}, 0
    for name, array in zip(names, arrays):
        found[name] = errors[start : start + array.size].reshape(array.shape)
        start += array.size
    return Fit(likelihood, found, float(weights.sum()), steps)


def _errors(information: np.ndarray) -> np.ndarray:
    if np.isfinite(information).all():
        try:
            np.linalg.cholesky(information)
            return np.sqrt(np.diagonal(np.linalg.inv(information)))
        except np.linalg.LinAlgError:
            pass
    return np.full(len(information), np.nan)
