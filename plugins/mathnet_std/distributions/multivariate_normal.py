"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.distributions.base import (
    Distribution,
    argument,
    real,
    require,
    samples_and_weights,
    shape_of,
)
from mathnet_std.distributions.drawing import Source


@mn.distribution("multivariate_normal")
class MultivariateNormal(Distribution):
    """The normal distribution of vectors: density exp(−½·(x − loc)ᵀ·Σ⁻¹·(x − loc))/√((2π)ᵈ·det Σ).

    loc (…, d); give ``covariance`` Σ (…, d, d), symmetric positive definite, or ``scale_tril``, its Cholesky factor.

    Mean loc, covariance Σ (``variance`` is its diagonal), entropy ½·log((2πe)ᵈ·det Σ).

    >>> import numpy as np, mathnet as mn
    >>> d = mn.distributions.MultivariateNormal(np.zeros(2), np.eye(2))
    >>> round(float(d.log_prob(np.zeros(2))), 6)
    -1.837877
    """

    event_rank = 1

    def __init__(self, loc: Any, covariance: Any = None, scale_tril: Any = None) -> None:
        if (covariance is None) == (scale_tril is None):
            raise mn.ArgumentError("MultivariateNormal: give either covariance or scale_tril, and not both")
        self.loc = real("MultivariateNormal", "loc", loc)
        name, matrix = ("covariance", covariance) if scale_tril is None else ("scale_tril", scale_tril)
        matrix = real("MultivariateNormal", name, matrix)
        if (
            np.ndim(self.loc) < 1
            or np.ndim(matrix) < 2
            or tuple(matrix.shape[-2:]) != (self.loc.shape[-1],) * 2
        ):
            raise mn.ShapeError(
                f"MultivariateNormal: {name} must have the shape (…, d, d) for loc of shape (…, d), but they have "
                f"{shape_of(matrix)} and {shape_of(self.loc)}"
            )
        self.parameters = ("loc", name)  # type: ignore[misc]
        self.scale_tril = mn.linalg.cholesky(matrix) if scale_tril is None else matrix
        if scale_tril is None:
            self.covariance = matrix
        else:
            self.covariance = mn.matmul(matrix, mn.swapaxes(matrix, -1, -2))

    @property
    def batch_shape(self) -> tuple:
        return np.broadcast_shapes(tuple(self.loc.shape[:-1]), tuple(self.scale_tril.shape[:-2]))

    def _log_root_det(self) -> Any:
        return mn.sum(mn.log(mn.abs(mn.diagonal(self.scale_tril, 0, -2, -1))), axis=-1)

    def log_prob(self, x: Any) -> Any:
        deviation = mn.expand_dims(argument("MultivariateNormal", x) - self.loc, -1)
        z = mn.linalg.solve_triangular(self.scale_tril, deviation, lower=True)
        d = float(self.loc.shape[-1])
        return (
            -0.5 * mn.sum(mn.square(z), axis=(-2, -1))
            - self._log_root_det()
            - 0.5 * d * math.log(2 * math.pi)
        )

    @property
    def mean(self) -> Any:
        return mn.broadcast_to(self.loc, (*self.batch_shape, self.loc.shape[-1]))

    @property
    def variance(self) -> Any:
        """The diagonal of the covariance."""
        return mn.diagonal(self.covariance, 0, -2, -1) + 0.0 * self.loc

    def entropy(self) -> Any:
        d = float(self.loc.shape[-1])
        return self._log_root_det() + 0.5 * d * (1.0 + math.log(2 * math.pi))

    def _draw(self, source: Source, shape: tuple) -> Any:
        z = mn.expand_dims(source.normal((*shape, self.loc.shape[-1])), -1)
        return self.loc + mn.squeeze(mn.matmul(self.scale_tril, z), -1)

    @classmethod
    def fit(cls, samples: Any, weights: Any = None) -> MultivariateNormal:
        """loc: the mean, covariance: the mean outer product of deviations; more samples than dimensions are needed."""
        data, given = samples_and_weights("MultivariateNormal", samples, weights, 1)
        mean = np.average(data, axis=0, weights=given)
        deviation = data - mean
        covariance = (deviation * given[:, None]).T @ deviation / given.sum()
        require(
            "MultivariateNormal",
            np.linalg.matrix_rank(covariance) == len(mean),
            "more than dimensions, not in one plane",
        )
        made = cls._finish(cls(mean, covariance), data, given, free=())
        variance = np.diagonal(covariance)
        spread = np.sqrt((np.outer(variance, variance) + covariance**2) / given.sum())
        made.fitted = made.fitted.with_errors(loc=np.sqrt(variance / given.sum()), covariance=spread)
        return made
