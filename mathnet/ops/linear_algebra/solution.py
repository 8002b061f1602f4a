"""Linear equations: exact, triangular, in the sense of least squares; inverses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import promote
from mathnet.graph.op import FUNCTIONS, OPS, as_tensor, broadcast_shapes, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import unbroadcast
from mathnet.ops.linear_algebra.matrices import (
    MatrixOp,
    fails,
    matrix,
    product,
    refuse_nonfinite,
    square_matrix,
    swap,
    transposed,
    which,
)

BLOCK = 32  # rows of a triangle that are solved by LAPACK at a time


def _singular(name: str, a: np.ndarray) -> np.linalg.LinAlgError:
    found = which(a, fails(np.linalg.inv))
    return np.linalg.LinAlgError(
        f"{name}: {found} is singular; mn.linalg.lstsq or mn.linalg.pinv take singular matrices"
    )


class Inverse(MatrixOp):
    """A⁻¹."""

    name, formula = "inv", "A·A⁻¹ = 1"
    domain = "regular matrices"

    def infer(self, a: Spec) -> Spec:  # type: ignore[override]
        return Spec(a.shape, a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        turned = swap(outputs[0])
        return (-product(turned, dy, turned),)

    def compute(self, a: np.ndarray) -> np.ndarray:  # type: ignore[override]
        try:
            return np.linalg.inv(a)
        except np.linalg.LinAlgError:
            raise _singular(self.name, a) from None

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        a = np.random.default_rng(42).uniform(-1, 1, (2, 3, 3)) + 3 * np.eye(3)
        return [((a,), {}), ((a[0],), {}), ((a[:0],), {}), ((a[:, :1, :1],), {})]


class Solve(MatrixOp):
    """X with A·X = B, by Gaussian elimination with row exchanges; the stacks of A and B broadcast."""

    name, formula = "solve", "A·X = B"
    stacks_broadcast = True
    domain = "regular matrices"

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        return _solution_spec(self.name, a, b)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        a, b = inputs
        slope = SOLVE(swap(a), dy)
        return unbroadcast(-product(slope, swap(outputs[0])), a), unbroadcast(slope, b)

    def compute(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:  # type: ignore[override]
        try:
            return np.linalg.solve(a, b)
        except np.linalg.LinAlgError:
            raise _singular(self.name, a) from None

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(43)
        a, b = rng.uniform(-1, 1, (2, 3, 3)) + 3 * np.eye(3), rng.uniform(-1, 1, (2, 3, 4))
        return [((a, b), {}), ((a[0], b), {}), ((a, b[0]), {}), ((a[:0], b[:0]), {}), ((a, b[..., :0]), {})]


class Triangular(MatrixOp):
    """X with T·X = B, or Tᵀ·X = B, where T is the lower or the upper triangle of A; the other triangle is not read.

    Attributes: lower, transpose.
    """

    name, formula = "solve_triangular", "T·X = B"
    stacks_broadcast = True
    domain = "triangles without a zero on the diagonal"

    def infer(self, a: Spec, b: Spec, lower: bool, transpose: bool) -> Spec:  # type: ignore[override]
        return _solution_spec(self.name, a, b)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], lower: bool, transpose: bool
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        a, b = inputs
        slope = TRIANGULAR(a, dy, lower=lower, transpose=not transpose)
        outer = product(outputs[0], swap(slope)) if transpose else product(slope, swap(outputs[0]))
        kept = FUNCTIONS["tril" if lower else "triu"](outer)
        return unbroadcast(-kept, a), unbroadcast(slope, b)

    def compute(self, a: np.ndarray, b: np.ndarray, lower: bool, transpose: bool) -> np.ndarray:  # type: ignore[override]
        t = np.tril(a) if lower else np.triu(a)
        zero = np.diagonal(t, 0, -2, -1) == 0
        if zero.any():
            row = int(np.argwhere(zero)[0][-1])
            found = which(a, lambda m: bool((np.diagonal(m) == 0).any()))
            raise np.linalg.LinAlgError(f"solve_triangular: {found} is singular: element ({row}, {row}) is 0")
        t = transposed(t) if transpose else t
        return _substitute(t, b, forward=lower != transpose)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(44)
        a, b = rng.uniform(-1, 1, (2, 3, 3)) + 3 * np.eye(3), rng.uniform(-1, 1, (2, 3, 2))
        found: list[tuple[tuple, dict[str, Any]]] = [
            ((a, b), {"lower": lower, "transpose": transpose})
            for lower in (False, True)
            for transpose in (False, True)
        ]
        return [*found, ((a[0], b), {"lower": True, "transpose": False})]


def _substitute(t: np.ndarray, b: np.ndarray, forward: bool) -> np.ndarray:
    """T·X = B for a triangle, block after block: a product with the blocks that are known, then a small triangle by LAPACK."""
    n = t.shape[-1]
    lead = np.broadcast_shapes(t.shape[:-2], b.shape[:-2])
    x = np.empty((*lead, *b.shape[-2:]), np.result_type(t, b))
    starts = list(range(0, n, BLOCK))
    for start in starts if forward else reversed(starts):
        block = slice(start, min(start + BLOCK, n))
        known = slice(0, start) if forward else slice(block.stop, n)
        rest = b[..., block, :] - t[..., block, known] @ x[..., known, :]
        x[..., block, :] = np.linalg.solve(t[..., block, block], rest)
    return x


class PseudoInverse(MatrixOp):
    """The Moore–Penrose inverse A⁺; singular values up to ``rcond`` times the largest count as 0."""

    name, formula = "pinv", "A·A⁺·A = A, A⁺·A·A⁺ = A⁺, both products symmetric"
    domain = "matrices; the derivative holds where the rank does not change nearby"

    def infer(self, a: Spec, rcond: Any) -> Spec:  # type: ignore[override]
        return Spec((*a.shape[:-2], a.shape[-1], a.shape[-2]), a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], rcond: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        # Golub & Pereyra, "The differentiation of pseudo-inverses" (1973), theorem 4.3, transposed.
        (a,), (p,) = inputs, outputs
        turned = swap(p)
        first = product(turned, dy, turned)
        second = product(p, turned, dy - product(dy, a, p))
        third = product(dy - product(p, a, dy), turned, p)
        return (swap(second + third) - first,)

    def compute(self, a: np.ndarray, rcond: Any) -> np.ndarray:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        return np.linalg.pinv(a, _rcond(a, rcond))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        a = np.random.default_rng(45).uniform(-1, 1, (2, 4, 3)) + np.eye(4, 3)
        return [
            ((a,), {"rcond": None}),
            ((transposed(a).copy(),), {"rcond": None}),
            ((a[0, :3],), {"rcond": 1e-6}),
        ]


class LeastSquares(MatrixOp):
    """The shortest X among those with the least ‖A·X − B‖; singular values up to ``rcond`` times the largest count as 0."""

    name, formula = "lstsq", "argmin ‖A·X − B‖²"
    stacks_broadcast = True
    domain = "matrices; the derivative holds where the rank does not change nearby"

    def infer(self, a: Spec, b: Spec, rcond: Any) -> Spec:  # type: ignore[override]
        lead = broadcast_shapes(self.name, a.shape[:-2], b.shape[:-2])
        return Spec((*lead, a.shape[-1], b.shape[-1]), promote((a, b))[0])

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], rcond: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        (a, b), (x,) = inputs, outputs
        p = PSEUDO_INVERSE(a, rcond=rcond)
        slope = product(swap(p), dy)
        left_over = b - product(a, x)
        beside = dy - product(p, a, dy)  # what changes X where A has no full column rank
        da = (
            product(left_over, swap(product(p, slope)))
            + product(swap(p), x, swap(beside))
            - product(slope, swap(x))
        )
        return unbroadcast(da, a), unbroadcast(slope, b)

    def compute(self, a: np.ndarray, b: np.ndarray, rcond: Any) -> np.ndarray:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        u, s, vh = np.linalg.svd(a, full_matrices=False)
        cut = _rcond(a, rcond) * s.max(-1, keepdims=True, initial=0)
        with np.errstate(divide="ignore"):
            scale = np.where(s > cut, 1 / s, 0).astype(a.dtype)
        return transposed(vh) @ (scale[..., None] * (transposed(u) @ b))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(46)
        a, b = rng.uniform(-1, 1, (2, 4, 3)) + np.eye(4, 3), rng.uniform(-1, 1, (2, 4, 2))
        return [
            ((a, b), {"rcond": None}),
            ((transposed(a).copy(), b[:, :3].copy()), {"rcond": None}),
            ((a[0], b), {"rcond": 1e-6}),
        ]


def _rcond(a: np.ndarray, rcond: float | None) -> float:
    return max(a.shape[-2:]) * float(np.finfo(a.dtype).eps) if rcond is None else rcond


INVERSE, SOLVE, TRIANGULAR = register(Inverse()), register(Solve()), register(Triangular())
PSEUDO_INVERSE, LEAST_SQUARES = register(PseudoInverse()), register(LeastSquares())


def _solution_spec(name: str, a: Spec, b: Spec) -> Spec:
    lead = broadcast_shapes(name, a.shape[:-2], b.shape[:-2])
    return Spec((*lead, *b.shape[-2:]), promote((a, b))[0])


def _right_side(name: str, a: Tensor, b: Any) -> tuple[Tensor, Tensor, bool]:
    """The two sides in one float type, the right one as columns, and whether it was a vector."""
    b = as_tensor(b, f"{name}: the right side")
    if b.ndim == 0:
        raise ShapeError(f"{name}: the right side must have one axis or more, but is a number")
    vector = b.ndim == 1
    b = FUNCTIONS["expand_dims"](b, -1) if vector else matrix(b, name, "the right side")
    if b.shape[-2] != a.shape[-2]:
        raise ShapeError(
            f"{name}: the matrix of shape {show_shape(a.shape)} has {a.shape[-2]} rows, but the right side has "
            f"{b.shape[-2]}{'' if vector else f' (shape {show_shape(b.shape)})'}"
        )
    dtype, _ = promote((a.spec, b.spec))
    a, b = (t if t.dtype == dtype else OPS["cast"](t, dtype=dtype) for t in (a, b))
    return a, b, vector


def _unframed(x: Tensor, vector: bool) -> Tensor:
    return OPS["reshape"](x, shape=x.shape[:-1]) if vector else x


def inv(x: Any) -> Tensor:
    """The inverse of square matrices (…, n, n).  Raises numpy.linalg.LinAlgError for a singular one.

    >>> import mathnet as mn
    >>> mn.linalg.inv([[2.0, 0.0], [0.0, 4.0]])
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    return INVERSE(square_matrix(x, "inv"))


def solve(a: Any, b: Any) -> Tensor:
    """X with a·X = b for square a (…, n, n) and b (n,) or (…, n, k); leading axes are broadcast.

    Raises numpy.linalg.LinAlgError for a singular matrix, ShapeError when the sides do not fit.

    >>> import mathnet as mn
    >>> mn.linalg.solve([[2.0, 0.0], [0.0, 4.0]], [2.0, 2.0])
    array([1. , 0.5])
    """
    a, b, vector = _right_side("solve", square_matrix(a, "solve"), b)
    return _unframed(SOLVE(a, b), vector)


def solve_triangular(a: Any, b: Any, lower: bool = False, transpose: bool = False) -> Tensor:
    """X with T·X = b, where T is the upper (``lower=True``: the lower) triangle of a; the rest of a is not read.

    transpose: solve Tᵀ·X = b.  Raises numpy.linalg.LinAlgError when the diagonal of a has a zero.

    >>> import mathnet as mn
    >>> mn.linalg.solve_triangular([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0], lower=True)
    array([1., 2.])
    """
    a, b, vector = _right_side("solve_triangular", square_matrix(a, "solve_triangular"), b)
    return _unframed(TRIANGULAR(a, b, lower=bool(lower), transpose=bool(transpose)), vector)


def pinv(x: Any, rcond: float | None = None) -> Tensor:
    """The Moore–Penrose inverse of matrices (…, m, n), of shape (…, n, m).

    rcond: singular values up to rcond times the largest count as 0; None: max(m, n)·ε of the type.

    >>> import mathnet as mn
    >>> mn.linalg.pinv([[2.0, 0.0], [0.0, 0.0]])
    array([[0.5, 0. ],
           [0. , 0. ]])
    """
    return PSEUDO_INVERSE(matrix(x, "pinv"), rcond=cut("pinv", rcond))


def lstsq(a: Any, b: Any, rcond: float | None = None) -> Tensor:
    """X with the least ‖a·X − b‖², the shortest one if there are several: a (…, m, n), b (m,) or (…, m, k), X (n,) or (…, n, k).

    rcond as in :func:`pinv`.  The derivative holds where the rank does not change nearby.

    >>> import mathnet as mn
    >>> mn.linalg.lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0]).round(12)
    array([1., 2.])
    """
    a, b, vector = _right_side("lstsq", matrix(a, "lstsq"), b)
    return _unframed(LEAST_SQUARES(a, b, rcond=cut("lstsq", rcond)), vector)


def cut(name: str, share: Any, argument: str = "rcond") -> float | None:
    """The share of the largest singular value up to which the others count as 0, checked."""
    if share is None:
        return None
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise ArgumentError(f"{name}: {argument} must be None or a number from 0 up to 1, not {share!r}")
    return float(share)
