"""Factorizations into triangles: Cholesky and QR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.op import FUNCTIONS, OPS, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.linear_algebra.matrices import (
    MatrixOp,
    fails,
    matrix,
    product,
    refuse_nonfinite,
    square_matrix,
    swap,
    symmetric,
    transposed,
    which,
)
from mathnet.ops.linear_algebra.solution import TRIANGULAR


class Cholesky(MatrixOp):
    """The lower triangle L with L·Lᵀ = (A + Aᵀ)/2."""

    name, formula = "cholesky", "L·Lᵀ = A, L lower triangular with a positive diagonal"
    domain = "symmetric positive definite matrices"

    def infer(self, a: Spec) -> Spec:  # type: ignore[override]
        return Spec(a.shape, a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (lower,) = outputs
        # Murray, "Differentiation of the Cholesky decomposition" (2016), equation 10.
        middle = FUNCTIONS["tril"](product(swap(lower), dy))
        middle = middle - OPS["from_diagonal"](
            OPS["diagonal"](middle, offset=0) * 0.5, shape=middle.shape[-2:], offset=0
        )
        half = TRIANGULAR(lower, middle, lower=True, transpose=True)  # L⁻ᵀ·Φ
        return (symmetric(swap(TRIANGULAR(lower, swap(half), lower=True, transpose=True))),)

    def compute(self, a: np.ndarray) -> np.ndarray:  # type: ignore[override]
        a = (a + transposed(a)) / 2
        refuse_nonfinite(self.name, a)
        try:
            return np.linalg.cholesky(a)
        except np.linalg.LinAlgError:
            found = which(a, fails(np.linalg.cholesky))
            raise np.linalg.LinAlgError(
                f"cholesky: {found} is not positive definite; add a multiple of the identity, "
                "or use mn.linalg.eigh for indefinite matrices"
            ) from None

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        b = np.random.default_rng(40).uniform(-1, 1, (2, 3, 3))
        a = b @ transposed(b) + 2 * np.eye(3)
        return [((a,), {}), ((a[0],), {}), ((a[:0],), {}), ((a[:, :1, :1],), {})]


class QR(MatrixOp):
    """A = Q·R of a matrix with at least as many rows as columns; the diagonal of R is not negative, which makes the pair unique."""

    name, formula = "qr", "Q·R = A, QᵀQ = 1, R upper triangular with a positive diagonal"
    domain = "matrices of full column rank, where a derivative is taken"

    def infer(self, a: Spec) -> tuple[Spec, Spec]:  # type: ignore[override]
        n = a.shape[-1]
        return Spec(a.shape, a.dtype), Spec((*a.shape[:-2], n, n), a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        q, r = outputs
        dq, dr = dy
        # Roberts & Roberts, "QR and LQ decomposition matrix backpropagation" (2020), equation 6.
        middle = product(r, swap(dr)) if dr is not None else None
        if dq is not None:
            turned = product(swap(dq), q)
            middle = -turned if middle is None else middle - turned
        lower = FUNCTIONS["tril"](middle)
        mirrored = lower + swap(FUNCTIONS["tril"](middle, -1))
        inner = product(q, mirrored)
        inner = inner if dq is None else dq + inner
        return (swap(TRIANGULAR(r, swap(inner), lower=False, transpose=False)),)

    def compute(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        q, r = np.linalg.qr(a)
        signs = np.where(np.diagonal(r, 0, -2, -1) < 0, -1, 1).astype(a.dtype)
        return q * signs[..., None, :], r * signs[..., :, None]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        a = np.random.default_rng(41).uniform(-1, 1, (2, 4, 3)) + 2 * np.eye(4, 3)
        return [((a,), {}), ((a[0, :3],), {}), ((a[:0],), {}), ((a[:, :, :1],), {})]


CHOLESKY, FULL_RANK_QR = register(Cholesky()), register(QR())


def cholesky(x: Any) -> Tensor:
    """The lower triangle L, diagonal positive, with L·Lᵀ = x for symmetric positive definite x (…, n, n).

    Of a matrix that is not symmetric the symmetric part is taken; the derivative is symmetric.  Raises
    numpy.linalg.LinAlgError for a matrix that is not positive definite.

    >>> import mathnet as mn
    >>> mn.linalg.cholesky([[4.0, 2.0], [2.0, 5.0]])
    array([[2., 0.],
           [1., 2.]])
    """
    return CHOLESKY(square_matrix(x, "cholesky"))


def qr(x: Any) -> tuple[Tensor, Tensor]:
    """(Q, R) with Q·R = x (…, m, n), k = min(m, n): Q (…, m, k) with orthonormal columns, R (…, k, n) upper triangular.

    The diagonal of R is not negative, so the pair is unique for a matrix of full rank and has a derivative there.  A derivative at
    a matrix without full rank raises numpy.linalg.LinAlgError.

    >>> import mathnet as mn
    >>> q, r = mn.linalg.qr([[3.0, 1.0], [4.0, 2.0]])
    >>> r.round(12)
    array([[5. , 2.2],
           [0. , 0.4]])
    """
    x = matrix(x, "qr")
    m, n = x.shape[-2:]
    if m != n and (isinstance(m, Dim) or isinstance(n, Dim)):
        raise ShapeError(
            f"qr: the sizes in {show_shape(x.shape)} of a matrix must be known; only a stack's may be open"
        )
    if m == n or n < m:
        return FULL_RANK_QR(x)
    q, left = FULL_RANK_QR(x[..., :m])
    return q, FUNCTIONS["concatenate"]([left, product(swap(q), x[..., m:])], axis=-1)
