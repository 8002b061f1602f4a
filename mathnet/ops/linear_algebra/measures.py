"""Numbers that describe a matrix, made of its singular values."""

from __future__ import annotations

from string import ascii_letters
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.ops.linear_algebra.matrices import matrix
from mathnet.ops.linear_algebra.solution import cut
from mathnet.ops.linear_algebra.spectrum import svdvals


def cond(x: Any) -> Tensor:
    """The condition number σ₁/σₖ of matrices (…, m, n), k = min(m, n); inf for a matrix without full rank.

    >>> import mathnet as mn
    >>> float(mn.linalg.cond([[2.0, 0.0], [0.0, 0.5]]))
    4.0
    """
    values = _singular_values(x, "cond")
    smallest = values[..., -1]
    singular = FUNCTIONS["equal"](smallest, 0.0)
    return FUNCTIONS["where"](singular, np.inf, values[..., 0] / FUNCTIONS["where"](singular, 1.0, smallest))


def matrix_rank(x: Any, rtol: float | None = None) -> Tensor:
    """How many singular values exceed ``rtol`` times the largest (None: max(m, n)·ε of the type), as int64.

    >>> import mathnet as mn
    >>> int(mn.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    x = matrix(x, "matrix_rank")
    values = svdvals(x)
    if rtol is not None:
        rtol = cut("matrix_rank", rtol, "rtol")
    else:
        sizes = [size for size in x.shape[-2:] if isinstance(size, int)]
        rtol = max(sizes, default=1) * float(np.finfo(x.dtype).eps)
    kept = FUNCTIONS["greater"](values, values[..., :1] * rtol)
    return FUNCTIONS["sum"](FUNCTIONS["cast"](kept, np.int64), axis=-1)


def spectral_norm(x: Any) -> Tensor:
    """The largest singular value of matrices (…, m, n).

    >>> import mathnet as mn
    >>> float(mn.linalg.spectral_norm([[3.0, 0.0], [0.0, -4.0]]))
    4.0
    """
    return _singular_values(x, "spectral_norm")[..., 0]


def effective_rank(x: Any) -> Tensor:
    """exp of the entropy of the singular values divided by their sum: between 1 and the rank (Roy & Vetterli, 2007).

    >>> import mathnet as mn
    >>> float(mn.linalg.effective_rank([[1.0, 0.0], [0.0, 1.0]]).round(12))
    2.0
    """
    values = svdvals(matrix(x, "effective_rank"))
    shares = values / FUNCTIONS["sum"](values, axis=-1, keepdims=True)
    # 0·log 0 = 0, with a slope that is finite: the logarithm is taken of 1 there.
    logs = FUNCTIONS["log"](FUNCTIONS["where"](FUNCTIONS["greater"](shares, 0), shares, 1.0))
    return FUNCTIONS["exp"](-FUNCTIONS["sum"](shares * logs, axis=-1))


def multi_dot(arrays: Any) -> Tensor:
    """The product of several matrices in the order of least work; the first and the last may be vectors.

    >>> import mathnet as mn
    >>> mn.linalg.multi_dot([[1.0, 2.0], [[1.0, 0.0], [0.0, 1.0]], [3.0, 4.0]])
    np.float64(11.0)
    """
    from mathnet.ops.einsum import einsum

    given = arrays if isinstance(arrays, (tuple, list, Tensor)) else ()
    factors = [as_tensor(a, "multi_dot") for a in given]
    if not 0 < len(factors) < len(ascii_letters):
        raise ArgumentError(
            f"multi_dot: a list of 1 to {len(ascii_letters) - 1} matrices is needed, not {arrays!r}"
        )
    for k, factor in enumerate(factors):
        if factor.ndim != 2 and (factor.ndim != 1 or 0 < k < len(factors) - 1):
            raise ShapeError(
                f"multi_dot: factor {k} has shape {show_shape(factor.shape)}, but a matrix is needed"
                f"{'; only the first and the last may be vectors' if factor.ndim == 1 else ''}"
            )
    if len(factors) == 1:
        return factors[0]
    parts, ends = [ascii_letters[k : k + 2] for k in range(len(factors))], ""
    for place, inner, outer in ((0, 1, 0), (-1, 0, 1)):  # a vector at an end has the inner axis alone
        ends += parts[place][outer] if factors[place].ndim == 2 else ""
        parts[place] = parts[place] if factors[place].ndim == 2 else parts[place][inner]
    return einsum(
        f"{','.join(parts)}->{ends}", *factors, optimize="optimal" if len(factors) < 8 else "greedy"
    )


def _singular_values(x: Any, name: str) -> Tensor:
    x = matrix(x, name)
    if 0 in x.shape[-2:]:
        raise ShapeError(f"{name}: a matrix of shape {show_shape(x.shape)} has no singular values")
    return svdvals(x)
