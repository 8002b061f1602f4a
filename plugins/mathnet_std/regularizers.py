"""Penalties on a weight tensor w, added to the loss."""

import math
from typing import Any

import numpy as np

import mathnet as mn


@mn.regularizer("l1")
def l1(w: Any, strength: float = 0.01) -> Any:
    """strength · Σ|w|; the derivative at 0 is 0.

    Source: Tibshirani, Regression Shrinkage and Selection via the Lasso, 1996.

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.L1(0.5)(np.array([1.0, -3.0])))
    2.0
    """
    return strength * mn.sum(mn.abs(w))


@mn.regularizer("l2")
def l2(w: Any, strength: float = 0.01) -> Any:
    """strength · Σw².

    Source: Hoerl and Kennard, Ridge Regression: Biased Estimation for Nonorthogonal Problems, 1970.

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.L2(0.5)(np.array([1.0, -3.0])))
    5.0
    """
    return strength * mn.sum(mn.square(w))


@mn.regularizer("l1_l2", name="L1L2")
def l1_l2(w: Any, l1: float = 0.01, l2: float = 0.01) -> Any:
    """l1 · Σ|w| + l2 · Σw²; the derivative at 0 is 0.

    Source: Zou and Hastie, Regularization and Variable Selection via the Elastic Net, 2005.

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.L1L2(0.5, 0.25)(np.array([1.0, -3.0])))
    4.5
    """
    return l1 * mn.sum(mn.abs(w)) + l2 * mn.sum(mn.square(w))


def _gram(w: Any) -> Any:
    """WᵀW or WWᵀ, whichever is smaller; W: w with the axes after the first as one, a vector as a row."""
    rows = w.shape[0] if len(w.shape) > 1 else 1
    columns = math.prod(w.shape[1:] if len(w.shape) > 1 else w.shape)
    matrix = mn.reshape(w, (rows, columns))
    across = mn.transpose(matrix)
    return matrix @ across if rows < columns else across @ matrix


@mn.regularizer("orthogonal")
def orthogonal(w: Any, strength: float = 0.01) -> Any:
    """strength · ‖WᵀW − 1‖², the sum of squares of all elements: 0 when the columns, or if W is wider than high the rows, are orthonormal.

    W: w with the axes after the first as one.  Keras's OrthogonalRegularizer compares directions only.
    Source: Bansal et al., Can We Gain More from Orthogonality Regularizations in Training Deep CNNs?, NeurIPS 2018.

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.Orthogonal(0.5)(np.array([[2.0, 0.0], [0.0, 1.0]])))
    4.5
    """
    gram = _gram(w)
    return strength * mn.sum(mn.square(gram - np.eye(gram.shape[0], dtype=w.dtype)))


def _largest_value(w: Any) -> Any:
    gram = _gram(w)
    return mn.sum(w) if gram.shape[0] == 0 else mn.linalg.eigh(gram)[0][-1]


def _derivative_of_largest(dy: Any, w: Any, out: Any) -> Any:
    """dy · 2·W·v·vᵀ for v that belongs to the largest eigenvalue of WᵀW, or the like for WWᵀ."""
    gram = _gram(w)
    if gram.shape[0] == 0:
        return dy * mn.ones_like(w)
    v = mn.linalg.eigh(gram)[1][:, -1:]
    matrix = mn.reshape(w, (w.shape[0], -1) if len(w.shape) > 1 else (1, -1))
    across = v @ mn.transpose(v)
    slope = across @ matrix if matrix.shape[0] < matrix.shape[1] else matrix @ across
    return 2.0 * dy * mn.reshape(slope, w.shape)


# eigh has no derivative where values coincide, as in orthogonal weights; the largest has one of each of its vectors
_largest = mn.custom_vjp(_largest_value, _derivative_of_largest)


@mn.regularizer("spectral")
def spectral(w: Any, strength: float = 0.01) -> Any:
    """strength · σ², σ the largest singular value of w with the axes after the first as one.

    Exact, from the eigenvalues of WᵀW; of singular values that coincide one vector pair is taken for the derivative.
    Source: Yoshida and Miyato, Spectral Norm Regularization, 2017 (strength is half their λ).

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.Spectral(0.5)(np.array([[2.0, 0.0], [0.0, 1.0]])))
    2.0
    """
    return strength * _largest(w)
