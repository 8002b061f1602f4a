"""Eigenvalues and singular values, with their vectors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import GradientError
from mathnet.graph.dim import Dim
from mathnet.graph.op import FUNCTIONS, NoDerivative, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.linear_algebra.gaps import QUOTIENT, SAME_WHERE_REPEATED, negligible, repeated
from mathnet.ops.linear_algebra.matrices import (
    MatrixOp,
    columns,
    matrix,
    product,
    refuse_nonfinite,
    square_matrix,
    swap,
    transposed,
    with_diagonal,
)


def _signs(vectors: np.ndarray) -> np.ndarray:
    """±1 per column: its element of largest size is made positive, the first of equals."""
    if not vectors.size:
        return np.ones((*vectors.shape[:-2], 1, vectors.shape[-1]), vectors.dtype)
    place = np.abs(vectors).argmax(-2)[..., None, :]
    return np.where(np.take_along_axis(vectors, place, -2) < 0, -1, 1).astype(vectors.dtype)


class Eigh(MatrixOp):
    """Eigenvalues, ascending, and orthonormal eigenvectors (columns) of (A + Aᵀ)/2; the largest element of a vector is positive."""

    name, formula = "eigh", "A·V = V·diag(λ), VᵀV = 1"
    domain = "symmetric matrices"

    def infer(self, a: Spec) -> tuple[Spec, Spec]:  # type: ignore[override]
        return Spec(a.shape[:-1], a.dtype), Spec(a.shape, a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        # Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation" (2008), 3.1.
        values, vectors = outputs
        inner = None
        if dy[0] is not None:
            inner = with_diagonal(SAME_WHERE_REPEATED(values, dy[0]))
        if dy[1] is not None:
            turning = QUOTIENT(values, product(swap(vectors), dy[1])) * 0.5
            inner = turning if inner is None else inner + turning
        assert inner is not None
        return (product(vectors, inner, swap(vectors)),)

    def jvp(
        self, tangents: tuple, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        values, vectors = outputs
        (tangent,) = tangents
        turned = product(swap(vectors), (tangent + swap(tangent)) * 0.5, vectors)
        halves = QUOTIENT(values, FUNCTIONS["triu"](turned, 1))
        turning = FUNCTIONS["triu"](halves, 1) - FUNCTIONS["tril"](halves, -1)  # antisymmetric
        return SPLITTING(values, turned), product(vectors, turning)

    def compute(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        values, vectors = np.linalg.eigh((a + transposed(a)) / 2)
        return values, vectors * _signs(vectors)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        b = np.random.default_rng(49).uniform(-1, 1, (2, 3, 3))
        a = b + transposed(b) + np.diag([-3.0, 0.0, 4.0])
        return [((a,), {}), ((a[0],), {}), ((a[:0],), {}), ((a[:, :1, :1],), {})]


class Splitting(MatrixOp):
    """How ascending eigenvalues move along a tangent T = Vᵀ·dA·V: the diagonal of T, and where eigenvalues repeat the ascending
    eigenvalues of T's block, which is what the repeated one splits into."""

    name, formula = "eigenvalue_splitting", "Tᵢᵢ"

    def infer(self, values: Spec, t: Spec) -> Spec:  # type: ignore[override]
        return Spec(values.shape, values.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return None, with_diagonal(SAME_WHERE_REPEATED(inputs[0], dy))

    def compute(self, values: np.ndarray, t: np.ndarray) -> np.ndarray:  # type: ignore[override]
        moved = np.array(np.diagonal(t, 0, -2, -1))
        follows = np.diagonal(repeated(values), 1, -2, -1)  # whether the next eigenvalue is the same
        for index in np.ndindex(values.shape[:-1]):
            ends = [0, *(np.flatnonzero(~follows[index]) + 1), values.shape[-1]]
            for start, stop in itertools.pairwise(ends):
                if stop - start > 1:
                    block = slice(start, stop)
                    moved[index][block] = np.linalg.eigvalsh(t[index][block, block])
        return moved

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        b = np.random.default_rng(50).uniform(-1, 1, (2, 3, 3))
        values, t = np.array([[-1.0, 0.5, 2.0], [0.3, 1.0, 4.0]]), b + transposed(b)
        return [((values, t), {}), ((values[0], t[0]), {})]


class SVD(MatrixOp):
    """(U, σ, Vᵀ), σ descending; the element of largest size of a column of U is positive.

    Attribute full: U and V square, the additional columns any orthonormal basis of the rest.
    """

    name, formula = "svd", "A = U·diag(σ)·Vᵀ"

    def infer(self, a: Spec, full: bool) -> tuple[Spec, Spec, Spec]:  # type: ignore[override]
        *lead, m, n = a.shape
        k = _smaller(m, n)
        return (
            Spec((*lead, m, m if full else k), a.dtype),
            Spec((*lead, k), a.dtype),
            Spec((*lead, n if full else k, n), a.dtype),
        )

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], full: bool
    ) -> Sequence[Tensor | NoDerivative | None]:  # type: ignore[override]
        u, s, vh = outputs
        du, ds, dvh = dy
        if full and (du is not None or dvh is not None):
            return (
                NoDerivative("the vectors of full_matrices=True are not determined; use full_matrices=False"),
            )
        if full:  # the determined vectors alone, which have derivatives
            u, s, vh = SVD_OP(inputs[0], full=False)
        v = swap(vh)
        inner = None if ds is None else with_diagonal(SAME_WHERE_REPEATED(s, ds))
        if du is not None or dvh is not None:
            zero = FUNCTIONS["zeros_like"](with_diagonal(s))
            left = zero if du is None else product(swap(u), du)
            right = zero if dvh is None else product(vh, swap(dvh))
            turning = rotation(s, left, right)
            inner = turning if inner is None else inner + turning
        assert inner is not None
        found = product(u, inner, vh)
        if du is not None and u.shape[-2] != u.shape[-1]:
            found = found + product(OVER(s, du - product(u, left)), vh)
        if dvh is not None and v.shape[-2] != v.shape[-1]:
            found = found + product(u, swap(OVER(s, swap(dvh) - product(v, right))))
        return (found,)

    def compute(self, a: np.ndarray, full: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        u, s, vh = np.linalg.svd(a, full_matrices=full)
        signs = _signs(u)
        k = s.shape[-1]
        vh = np.array(vh)
        vh[..., :k, :] *= transposed(signs[..., :k])
        return u * signs, s, vh

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        a = np.random.default_rng(51).uniform(-1, 1, (2, 4, 3)) + np.vstack(
            [np.diag([5.0, 3.0, 1.5]), np.zeros((1, 3))]
        )
        return [
            ((a,), {"full": False}),
            ((transposed(a).copy(),), {"full": False}),
            ((a[0, :3],), {"full": False}),
            ((a[:0],), {"full": False}),
        ]


def _smaller(m: Any, n: Any) -> Any:
    if m == n:
        return m
    if isinstance(m, Dim) or isinstance(n, Dim):
        from mathnet.errors import ShapeError

        raise ShapeError(f"svd: the sizes {m} and {n} of a matrix must be known; only a stack's may be open")
    return min(m, n)


def rotation(s: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """How singular vectors turn: (aᵢⱼ·σⱼ + σᵢ·bᵢⱼ)/(σⱼ² − σᵢ²) off the diagonal, with a = X − Xᵀ and b = Y − Yᵀ.

    Written as ½·((a + b)/(σⱼ − σᵢ) + (a − b)/(σⱼ + σᵢ)), where a numerator over 0 must vanish on its own.
    """
    return (QUOTIENT(s, x + y) + SUMS(s, x - y)) * 0.5


class Sums(MatrixOp):
    """Zᵢⱼ = (Kᵢⱼ − Kⱼᵢ)/(σⱼ + σᵢ); where both singular values are 0 the numerator must vanish, and gives 0."""

    name, formula = "singular_sums", "(Kᵢⱼ − Kⱼᵢ)/(σⱼ + σᵢ)"

    def infer(self, s: Spec, k: Spec) -> Spec:  # type: ignore[override]
        return Spec(k.shape, k.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        s = inputs[0]
        antisymmetric = dy - swap(dy)
        slope = -(dy * outputs[0])
        by_sum = BY_SUM(s, slope)
        return FUNCTIONS["sum"](by_sum, axis=-1) + FUNCTIONS["sum"](by_sum, axis=-2), BY_SUM(s, antisymmetric)

    def compute(self, s: np.ndarray, k: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return _over_sums(s, k - transposed(k), k)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        s, x = (
            np.array([[5.0, 3.0, 1.0], [4.0, 1.5, 0.5]]),
            np.random.default_rng(52).uniform(-1, 1, (2, 3, 3)),
        )
        return [((s, x), {}), ((s[0], x[0]), {})]


class BySum(MatrixOp):
    """Zᵢⱼ = Sᵢⱼ/(σⱼ + σᵢ); where both singular values are 0 the numerator must vanish, and gives 0."""

    name, formula = "singular_by_sum", "Sᵢⱼ/(σⱼ + σᵢ)"

    def infer(self, s: Spec, k: Spec) -> Spec:  # type: ignore[override]
        return Spec(k.shape, k.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        s, _ = inputs
        by_sum = BY_SUM(s, -(dy * outputs[0]))
        return FUNCTIONS["sum"](by_sum, axis=-1) + FUNCTIONS["sum"](by_sum, axis=-2), BY_SUM(s, dy)

    def compute(self, s: np.ndarray, k: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return _over_sums(s, k, k)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return SUMS.samples()


class Over(MatrixOp):
    """Column j of X over σⱼ; over a singular value of 0 the column must vanish, and gives 0."""

    name, formula = "over_singular", "Xᵢⱼ/σⱼ"

    def infer(self, s: Spec, x: Spec) -> Spec:  # type: ignore[override]
        return Spec(x.shape, x.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        s, _ = inputs
        return -FUNCTIONS["sum"](OVER(s, dy * outputs[0]), axis=-2), OVER(s, dy)

    def compute(self, s: np.ndarray, x: np.ndarray) -> np.ndarray:  # type: ignore[override]
        zero = (s <= _tiny(s))[..., None, :]
        if np.any(zero & ~negligible(x, x)):
            raise _undetermined()
        return np.where(zero, 0, x / np.where(zero, 1, s[..., None, :]))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        s, x = SUMS.samples()[0][0]
        return [((s, x), {}), ((s[0], x[0, :2]), {})]


def _tiny(s: np.ndarray) -> np.ndarray:
    return 16 * s.shape[-1] * np.finfo(s.dtype).eps * s.max(-1, keepdims=True, initial=0)


def _over_sums(s: np.ndarray, numerator: np.ndarray, parts: np.ndarray) -> np.ndarray:
    zero = (s[..., :, None] + s[..., None, :]) <= 2 * _tiny(s)[..., None]
    off_diagonal = ~np.eye(s.shape[-1], dtype=bool)
    if np.any(zero & off_diagonal & ~negligible(numerator, parts)):
        raise _undetermined()
    total = s[..., :, None] + s[..., None, :]
    return np.where(zero, 0, numerator / np.where(zero, 1, total))


def _undetermined() -> GradientError:
    return GradientError(
        "singular vectors of singular values that are 0 have no derivative; only functions that do not depend on their choice have one"
    )


_VECTORS = NoDerivative(
    "eigenvectors of a matrix that is not symmetric are not differentiated, so eig and eigvals have first derivatives of the eigenvalues "
    "only; use mn.linalg.eigh if the matrix is symmetric"
)


class Eigvals(MatrixOp):
    """Real and imaginary parts of the eigenvalues of any square matrix, and of the right and left eigenvectors that belong to them.

    Ordered by real part, then by imaginary part.  Left vectors W are scaled so that Wᴴ·V = 1.
    """

    name, formula = "eigvals", "det(A − λ·1) = 0"
    domain = "square matrices; a derivative needs eigenvalues without repetition"

    def infer(self, a: Spec) -> tuple[Spec, ...]:  # type: ignore[override]
        line = Spec(a.shape[:-1], a.dtype)
        square = Spec(a.shape, a.dtype)
        return line, line, square, square, square, square

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | NoDerivative | None]:  # type: ignore[override]
        if any(d is not None for d in dy[2:]):
            return (_VECTORS,)
        # dλ = wᴴ·dA·v: its real part is Σ (Wr·Vr + Wi·Vi)·dA, its imaginary part Σ (Wr·Vi − Wi·Vr)·dA.
        real, imaginary, vr, vi, wr, wi = outputs
        found = None
        for cotangent, parts in ((dy[0], ((wr, vr, 1), (wi, vi, 1))), (dy[1], ((wr, vi, 1), (wi, vr, -1)))):
            if cotangent is None:
                continue
            cotangent = SIMPLE(real, imaginary, wr, wi, cotangent)
            for w, v, sign in parts:
                term = product(w * columns(cotangent) * float(sign), swap(v))
                found = term if found is None else found + term
        return (found,)

    def jvp(
        self, tangents: tuple, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | NoDerivative | None]:  # type: ignore[override]
        real, imaginary, vr, vi, wr, wi = outputs
        moved_r, moved_i = (product(tangents[0], v) for v in (vr, vi))
        parts = (wr * moved_r + wi * moved_i, wr * moved_i - wi * moved_r)
        moved = [SIMPLE(real, imaginary, wr, wi, FUNCTIONS["sum"](part, axis=-2)) for part in parts]
        return (*moved, _VECTORS, _VECTORS, _VECTORS, _VECTORS)

    def compute(self, a: np.ndarray) -> tuple[np.ndarray, ...]:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        values, vectors = np.linalg.eig(a)
        order = np.lexsort((values.imag, values.real), axis=-1)
        values = np.take_along_axis(values, order, -1)
        vectors = np.take_along_axis(vectors, order[..., None, :], -1)
        try:
            left = np.conj(transposed(np.linalg.inv(vectors)))
        except (
            np.linalg.LinAlgError
        ):  # a defective matrix: its eigenvalues are right, their derivative is infinite
            left = np.full_like(vectors, np.nan)
        return values.real, values.imag, vectors.real, vectors.imag, left.real, left.imag


class SimpleSpectrum(MatrixOp):
    """The cotangents of eigenvalues, unchanged; an error when two eigenvalues are equal, or so close that their vectors nearly are."""

    name, formula = "simple_spectrum", "c"

    def infer(self, real: Spec, imaginary: Spec, wr: Spec, wi: Spec, cotangent: Spec) -> Spec:  # type: ignore[override]
        return Spec(cotangent.shape, cotangent.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return None, None, None, None, dy

    def compute(  # type: ignore[override]
        self, real: np.ndarray, imaginary: np.ndarray, wr: np.ndarray, wi: np.ndarray, cotangent: np.ndarray
    ) -> np.ndarray:
        same = repeated(real) & repeated(imaginary) & ~np.eye(real.shape[-1], dtype=bool)
        largest = 0.1 / np.sqrt(np.finfo(real.dtype).eps)  # of a left vector, when right ones have length 1
        if same.any() or not np.all(np.hypot(wr, wi) < largest):
            raise GradientError(
                "eigvals: eigenvalues that repeat have no derivative one by one; use mn.linalg.eigh if the matrix is symmetric"
            )
        return cotangent

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        made = EIGVALS.compute(np.array([[1.0, -2.0], [2.0, 3.0]]))  # type: ignore[attr-defined]
        real, imaginary, _, _, wr, wi = (np.ascontiguousarray(part) for part in made)
        return [((real, imaginary, wr, wi, np.array([0.5, 2.0])), {})]


EIGH, SPLITTING, SVD_OP = register(Eigh()), register(Splitting()), register(SVD())
SUMS, BY_SUM, OVER = register(Sums()), register(BySum()), register(Over())
EIGVALS, SIMPLE = register(Eigvals()), register(SimpleSpectrum())


def eigh(x: Any) -> tuple[Tensor, Tensor]:
    """(values, vectors) of symmetric matrices (…, n, n): eigenvalues ascending (…, n), eigenvectors as columns (…, n, n).

    The vectors are orthonormal, and the element of largest size in each is positive.  Of a matrix that is not symmetric the
    symmetric part is taken; the derivative is symmetric.  Where eigenvalues repeat, a function of the space that their
    vectors span, or one that treats the equal values alike, has the right first derivative; any other raises GradientError.

    >>> import mathnet as mn
    >>> values, vectors = mn.linalg.eigh([[2.0, 1.0], [1.0, 2.0]])
    >>> values.round(12)
    array([1., 3.])
    """
    return EIGH(square_matrix(x, "eigh"))


def eigvalsh(x: Any) -> Tensor:
    """The eigenvalues of :func:`eigh` alone.

    >>> import mathnet as mn
    >>> mn.linalg.eigvalsh([[2.0, 1.0], [1.0, 2.0]]).round(12)
    array([1., 3.])
    """
    return eigh(x)[0]


def eigvals(x: Any) -> tuple[Tensor, Tensor]:
    """(real parts, imaginary parts) of the eigenvalues of any square matrices (…, n, n), by real, then by imaginary part.

    First derivatives only; they need eigenvalues that do not repeat.  There is no complex element type, hence the pair.

    >>> import mathnet as mn
    >>> real, imaginary = mn.linalg.eigvals([[0.0, -2.0], [2.0, 0.0]])
    >>> imaginary
    array([-2.,  2.])
    """
    return EIGVALS(square_matrix(x, "eigvals"))[:2]


def eig(x: Any) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(values, vectors) of any square matrices (…, n, n), each as a pair of real parts and imaginary parts.

    The values (…, n) are those of :func:`eigvals`; the vectors (…, n, n) are columns of length 1, A·v = λ·v, as in NumPy.  First
    derivatives of the values only.  A matrix that is not diagonalisable has vectors that are parallel.

    >>> import mathnet as mn
    >>> (real, imaginary), (v, w) = mn.linalg.eig([[0.0, -2.0], [2.0, 0.0]])
    >>> real, imaginary
    (array([0., 0.]), array([-2.,  2.]))
    >>> (v**2 + w**2).sum(0).round(12)
    array([1., 1.])
    """
    real, imaginary, vr, vi, *_ = EIGVALS(square_matrix(x, "eig"))
    return (real, imaginary), (vr, vi)


def svd(x: Any, full_matrices: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """(U, σ, Vᵀ) with x = U·diag(σ)·Vᵀ for matrices (…, m, n), k = min(m, n): U (…, m, k), σ (…, k) descending, Vᵀ (…, k, n).

    The element of largest size in each column of U is positive.  full_matrices=True: U (…, m, m) and Vᵀ (…, n, n), without
    a derivative of the vectors.  Repeated singular values as in :func:`eigh`.

    >>> import mathnet as mn
    >>> u, s, vh = mn.linalg.svd([[3.0, 0.0], [0.0, -4.0]])
    >>> s, vh
    (array([4., 3.]), array([[-0., -1.],
           [ 1.,  0.]]))
    """
    return SVD_OP(matrix(x, "svd"), full=bool(full_matrices))


def svdvals(x: Any) -> Tensor:
    """The singular values of :func:`svd` alone.

    >>> import mathnet as mn
    >>> mn.linalg.svdvals([[3.0, 0.0], [0.0, -4.0]])
    array([4., 3.])
    """
    return svd(x)[1]
