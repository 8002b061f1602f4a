"""Numbers that describe a matrix, made of its singular values."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.ops.linear_algebra.matrices import matrix
from mathnet.ops.linear_algebra.spectrum import svdvals


def cond(x: Any) -> Tensor:
    """The condition number σ₁/σₖ of matrices (…, m, n), k = min(m, n); inf for a matrix without full rank.

    >>> import mathnet as mn
    >>> float(mn.linalg.cond([[2.0, 0.0], [0.0, 0.5]]))
    4.0
    """
    values = svdvals(matrix(x, "cond"))
    return values[..., 0] / values[..., -1]


def matrix_rank(x: Any, rtol: float | None = None) -> Tensor:
    """How many singular values exceed ``rtol`` times the largest (None: max(m, n)·ε of the type), as int64.

    >>> import mathnet as mn
    >>> int(mn.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]]))
    1
    """
    x = matrix(x, "matrix_rank")
    values = svdvals(x)
    if rtol is None:
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
    return svdvals(matrix(x, "spectral_norm"))[..., 0]


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
    """The product of several matrices in the order of least work; vectors may stand at the ends.

    >>> import mathnet as mn
    >>> mn.linalg.multi_dot([[1.0, 2.0], [[1.0, 0.0], [0.0, 1.0]], [3.0, 4.0]])
    np.float64(11.0)
    """
    from mathnet.ops.einsum import einsum

    factors = [as_tensor(a, "multi_dot") for a in arrays]
    letters = "abcdefghijklmnopqrstuvwxyz"
    parts, position = [], 0
    for factor in factors:
        if factor.ndim == 1:
            parts.append(letters[position])
        else:
            parts.append(letters[position : position + 2])
            position += 1
    ends = ("" if factors[0].ndim == 1 else parts[0][0]) + ("" if factors[-1].ndim == 1 else parts[-1][-1])
    return einsum(
        f"{','.join(parts)}->{ends}", *factors, optimize="optimal" if len(factors) < 8 else "greedy"
    )
