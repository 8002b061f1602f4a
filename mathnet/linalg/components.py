"""Principal components of data."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import show_shape


@dataclasses.dataclass(frozen=True)
class PrincipalComponents:
    """Orthonormal directions (k, d) of data, the variance along each (k,), descending, and the mean (d,).

    ``share`` is what part of the whole variance each direction carries.
    """

    components: np.ndarray
    variances: np.ndarray
    share: np.ndarray
    mean: np.ndarray

    def transform(self, x: Any) -> np.ndarray:
        """Coordinates (…, k) of points (…, d) along the components."""
        return (np.asarray(x) - self.mean) @ self.components.T

    def inverse_transform(self, z: Any) -> np.ndarray:
        """The points (…, d) whose coordinates are z (…, k)."""
        return np.asarray(z) @ self.components + self.mean


def pca(x: Any, k: int | None = None) -> PrincipalComponents:
    """The k principal components of rows x (n, d), n ≥ 2; None: all min(n, d).

    The directions are the right singular vectors of the centred rows, signed so that the element of largest size is positive; variances
    are unbiased (divided by n − 1).

    >>> import mathnet as mn
    >>> found = mn.linalg.pca([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]], 1)
    >>> found.components.round(6), found.variances
    (array([[0.707107, 0.707107]]), array([8.]))
    """
    rows = np.asarray(x)
    rows = rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)
    if rows.ndim != 2 or len(rows) < 2 or not rows.shape[1]:
        raise ShapeError(
            f"pca: x must be a matrix of two rows or more, not of shape {show_shape(rows.shape)}"
        )
    most = min(rows.shape)
    k = most if k is None else k
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= most:
        raise ArgumentError(
            f"pca: k must be an integer from 1 to {most} for x of shape {show_shape(rows.shape)}, not {k!r}"
        )
    if not np.isfinite(rows).all():
        raise ArgumentError("pca: x has NaN or infinite elements; drop or fill those rows")
    mean = rows.mean(0)
    _, s, vh = np.linalg.svd(rows - mean, full_matrices=False)
    signs = np.sign(vh[np.arange(most), np.abs(vh).argmax(1)])
    variances = s**2 / (len(rows) - 1)
    total = variances.sum()
    share = variances / total if total > 0 else np.zeros_like(variances)
    return PrincipalComponents((vh * signs[:, None])[:k], variances[:k], share[:k], mean)
