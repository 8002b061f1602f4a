"""Determinants: plain, and as sign and logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.op import FUNCTIONS, OPS, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.linear_algebra.matrices import MatrixOp, product, refuse_nonfinite, square_matrix, swap
from mathnet.ops.linear_algebra.solution import INVERSE


def _spread(x: Tensor) -> Tensor:
    """One number per matrix, to be multiplied with matrices."""
    return OPS["reshape"](x, shape=(*x.shape, 1, 1))


class Determinant(MatrixOp):
    """det A.  Its derivative, the matrix of cofactors, exists for singular matrices too."""

    name, formula = "det", "det A"

    def infer(self, a: Spec) -> Spec:  # type: ignore[override]
        return Spec(a.shape[:-2], a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (_spread(dy) * COFACTORS(inputs[0]),)

    def compute(self, a: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.linalg.det(a)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        a = np.random.default_rng(47).uniform(-1, 1, (2, 3, 3)) + np.eye(3)
        return [((a,), {}), ((a[0],), {}), ((a[:0],), {}), ((a[:, :1, :1],), {})]


class Cofactors(MatrixOp):
    """∂ det A / ∂A: det(A)·A⁻ᵀ for regular matrices, and its limit for singular ones, by singular values.

    Its own derivative is that of det(A)·A⁻ᵀ and needs a regular matrix.
    """

    name, formula = "cofactors", "det A·A⁻ᵀ"

    def infer(self, a: Spec) -> Spec:  # type: ignore[override]
        return Spec(a.shape, a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        turned = swap(INVERSE(inputs[0]))
        (cofactors,) = outputs
        inner = _spread(FUNCTIONS["sum"](dy * cofactors, axis=(-2, -1)))
        return (inner * turned - product(turned, swap(dy), cofactors),)

    def compute(self, a: np.ndarray) -> np.ndarray:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        u, s, vh = np.linalg.svd(a)
        sign = np.linalg.det(u) * np.linalg.det(vh)
        ones = np.ones((*s.shape[:-1], 1), s.dtype)
        before = np.concatenate([ones, np.cumprod(s, -1)[..., :-1]], -1)
        after = np.concatenate([np.cumprod(s[..., ::-1], -1)[..., ::-1][..., 1:], ones], -1)
        others = np.round(sign)[..., None] * before * after if s.shape[-1] else s
        return (u * others[..., None, :]) @ vh

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return DETERMINANT.samples()


class SignLogDeterminant(MatrixOp):
    """(sign of det A, log |det A|); a singular matrix gives (0, −inf)."""

    name, formula = "slogdet", "sign(det A), log |det A|"
    domain = "matrices; regular ones, where a derivative is taken"

    def infer(self, a: Spec) -> tuple[Spec, Spec]:  # type: ignore[override]
        spec = Spec(a.shape[:-2], a.dtype)
        return spec, spec

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        if dy[1] is None:
            return (None,)
        return (_spread(dy[1]) * swap(INVERSE(inputs[0])),)

    def compute(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        return tuple(np.linalg.slogdet(a))  # type: ignore[return-value]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return DETERMINANT.samples()


DETERMINANT, COFACTORS, SIGN_LOG = (
    register(Determinant()),
    register(Cofactors()),
    register(SignLogDeterminant()),
)


def det(x: Any) -> Tensor:
    """The determinant of square matrices (…, n, n).

    The first derivative is right for singular matrices too; the second needs regular ones, else numpy.linalg.LinAlgError.

    >>> import mathnet as mn
    >>> round(float(mn.linalg.det([[1.0, 2.0], [3.0, 4.0]])), 12)
    -2.0
    """
    return DETERMINANT(square_matrix(x, "det"))


def slogdet(x: Any) -> tuple[Tensor, Tensor]:
    """(sign, log|det|) of square matrices, which neither over- nor underflows; (0, −inf) for a singular one.

    A derivative at a singular matrix raises numpy.linalg.LinAlgError.

    >>> import mathnet as mn
    >>> sign, log = mn.linalg.slogdet([[1.0, 2.0], [3.0, 4.0]])
    >>> float(sign), round(float(log), 6)
    (-1.0, 0.693147)
    """
    return SIGN_LOG(square_matrix(x, "slogdet"))
