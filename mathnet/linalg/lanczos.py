"""Eigenvalues of symmetric operators that are known by their products with vectors only, such as Hessians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.tree import flatten, unflatten

#: Sides of the spectrum that can be asked for → what is sorted, descending.
WHICH: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "largest": lambda values: values,
    "smallest": lambda values: -values,
    "magnitude": np.abs,
}


def eigs(
    operator: Any,
    k: int = 6,
    *,
    like: Any = None,
    which: str = "largest",
    tolerance: float = 1e-10,
    max_iterations: int | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, Any]:
    """(values, vectors) of k eigenpairs of a symmetric operator, by the Lanczos iteration with full orthogonalisation.

    operator: vector → A·vector, of the same nesting and shapes; ``lambda v: mn.hvp(f)(w, v)`` is one.  like: an array, or nested
    dicts, lists and tuples of arrays, as the operator takes them.  A symmetric matrix can stand for its operator; it needs no like.
    which: "largest", "smallest" (by value) or "magnitude".
    Values are float64, in that order; vectors are nested like ``like`` with a first axis of k, of length 1 over the whole nest.

    When k pairs have converged, the search goes on among vectors orthogonal to them, so that a repeated eigenvalue is found as often
    as it occurs.  tolerance: of the residual ‖A·v − λ·v‖ relative to the largest |λ| seen.  max_iterations bounds the products
    (default: ten times the number of elements, at least 1000).

    Raises ArgumentError when k exceeds the number of elements, when the iterations do not suffice, or when the operator
    turns out not to be symmetric.

    Source: Golub & Van Loan, Matrix Computations (4th ed.), section 10.3.

    >>> import mathnet as mn
    >>> a = np.diag([1.0, 5.0, 3.0])
    >>> values, vectors = mn.linalg.eigs(lambda v: a @ v, 2, like=np.zeros(3))
    >>> values.round(9)
    array([5., 3.])
    """
    flat = _Flat(operator, like, "eigs")
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= flat.size:
        raise ArgumentError(
            f"eigs: k must be an integer from 1 to the {flat.size} elements of the vector, not {k!r}"
        )
    if not isinstance(which, str) or which not in WHICH:
        raise ArgumentError(f"eigs: which must be 'largest', 'smallest' or 'magnitude', not {which!r}")
    rank, budget = WHICH[which], max(1000, 10 * flat.size) if max_iterations is None else max_iterations
    rng = np.random.default_rng(seed)
    values, vectors = np.zeros(0), np.zeros((0, flat.size))
    while True:
        found, pairs, used = _lanczos(
            flat, vectors, min(k, flat.size - len(vectors)), rank, tolerance, budget, rng
        )
        budget -= used
        worst = np.sort(rank(values))[::-1][k - 1] if len(values) >= k else -np.inf
        scale = np.abs(np.concatenate([values, found])).max(initial=0)
        better = rank(found) > worst + tolerance * scale
        values, vectors = np.concatenate([values, found[better]]), np.concatenate([vectors, pairs[better]])
        if len(vectors) == flat.size or (len(values) >= k and not better.any()):
            break
    order = np.argsort(-rank(values), kind="stable")[:k]
    return values[order], flat.nested(vectors[order])


def _lanczos(
    flat: _Flat,
    found: np.ndarray,
    k: int,
    rank: Callable[[np.ndarray], np.ndarray],
    tolerance: float,
    budget: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray, int]:
    """(values, vectors, products used): the k first pairs of the operator on the space orthogonal to ``found``."""
    room = flat.size - len(found)
    basis: list[np.ndarray] = []
    products: list[np.ndarray] = []
    vector = _orthogonal(rng.standard_normal(flat.size), [*found], rng)
    while True:
        if len(basis) >= budget:
            raise ArgumentError(
                f"eigs: {len(basis)} products with the operator did not reach the tolerance {tolerance:g}; "
                "raise tolerance or max_iterations"
            )
        basis.append(vector)
        products.append(flat(vector))
        known = np.array(basis)
        if len(basis) >= k and (len(basis) % 4 == 0 or len(basis) == room):
            projected = known @ np.array(products).T
            scale = np.abs(projected).max()
            if np.abs(projected - projected.T).max() > 1e-4 * max(scale, np.finfo(np.float64).tiny):
                raise ArgumentError("eigs: the operator is not symmetric: u·A·v differs from v·A·u")
            values, turn = np.linalg.eigh((projected + projected.T) / 2)
            chosen = np.argsort(-rank(values), kind="stable")[:k]
            values, vectors = values[chosen], turn[:, chosen].T @ known
            images = turn[:, chosen].T @ np.array(products)
            images -= (images @ found.T) @ found
            residual = np.linalg.norm(images - values[:, None] * vectors, axis=1)
            if len(basis) == room or residual.max() <= max(tolerance, flat.precision) * max(scale, 1e-300):
                return values, vectors, len(basis)
        vector = _orthogonal(products[-1], [*found, *basis], rng)


def _orthogonal(vector: np.ndarray, basis: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """``vector`` without its part in the span of ``basis``, of length 1; a random one when nothing is left of it."""
    known = np.array(basis) if basis else np.zeros((0, len(vector)))
    length = np.linalg.norm(vector)
    for _ in range(3):
        vector = vector - known.T @ (known @ vector)
        vector = vector - known.T @ (known @ vector)
        left = np.linalg.norm(vector)
        if left > 1e-10 * length and left > 0:
            return vector / left
        vector = rng.standard_normal(len(vector))
        length = np.linalg.norm(vector)
    raise ArgumentError("eigs: the products of the operator are not finite")


def power_iteration(
    operator: Any,
    *,
    like: Any = None,
    iterations: int = 1000,
    tolerance: float = 1e-10,
    seed: int = 0,
) -> tuple[float, Any]:
    """(λ, v): the eigenvalue of largest size of a symmetric operator, and its vector, by repeated multiplication.

    operator and like as in :func:`eigs`.  Ends when ‖A·v − λ·v‖ ≤ tolerance·|λ|; raises ArgumentError when ``iterations`` do not suffice,
    as with two eigenvalues of nearly equal size: :func:`eigs` converges faster.

    >>> import mathnet as mn
    >>> value, vector = mn.linalg.power_iteration(lambda v: np.diag([1.0, -5.0]) @ v, like=np.zeros(2))
    >>> round(value, 9)
    -5.0
    """
    flat = _Flat(operator, like, "power_iteration")
    rng = np.random.default_rng(seed)
    vector = rng.standard_normal(flat.size)
    vector /= np.linalg.norm(vector)
    for _ in range(iterations):
        image = flat(vector)
        value, length = float(vector @ image), float(np.linalg.norm(image))
        if (
            np.linalg.norm(image - value * vector) <= max(tolerance, flat.precision) * max(abs(value), 1e-300)
            or length == 0
        ):
            return value, flat.nested(vector)
        vector = image / length
    raise ArgumentError(
        f"power_iteration: {iterations} iterations did not reach the tolerance {tolerance:g}: two eigenvalues of nearly the same "
        "size, or an operator that is not symmetric; use mn.linalg.eigs, or raise iterations"
    )


class _Flat:
    """The operator on flat float64 vectors."""

    def __init__(self, operator: Any, like: Any, name: str) -> None:
        if not callable(operator):
            operator, like = _of_matrix(operator, name)
        elif like is None:
            raise ArgumentError(
                f"{name}: give like=, an array or nest of arrays of the shapes that the operator takes"
            )
        leaves, self.structure = flatten(like)
        self.like = [np.asarray(leaf) for leaf in leaves]
        for leaf in self.like:
            if not is_float(leaf.dtype):
                raise DTypeError(f"{name}: like must hold arrays of float32 or float64, not {leaf.dtype}")
        self.operator, self.name = operator, name
        self.size = sum(leaf.size for leaf in self.like)
        if not self.size:
            raise ShapeError(f"{name}: like holds no elements")
        #: What rounding in the operator's own type leaves of a residual.
        self.precision = 64 * max(float(np.finfo(leaf.dtype).eps) for leaf in self.like)

    def __call__(self, vector: np.ndarray) -> np.ndarray:
        image, structure = flatten(self.operator(self.nested(vector)))
        shapes = [np.shape(part) for part in image]
        if structure != self.structure or shapes != [leaf.shape for leaf in self.like]:
            raise ShapeError(
                f"{self.name}: the operator returned shapes {shapes} for a vector of shapes {[leaf.shape for leaf in self.like]}; "
                "they must be nested alike"
            )
        made = np.concatenate([np.asarray(part, FLOAT64).ravel() for part in image])
        if not np.isfinite(made).all():
            raise ArgumentError(f"{self.name}: the operator returned NaN or infinite elements")
        return made

    def nested(self, flat: np.ndarray) -> Any:
        """Vectors (…, size) as nests, each leaf with the leading axes before its own."""
        parts, start = [], 0
        for leaf in self.like:
            part = flat[..., start : start + leaf.size]
            parts.append(part.reshape(*flat.shape[:-1], *leaf.shape).astype(leaf.dtype))
            start += leaf.size
        return unflatten(self.structure, parts)


def _of_matrix(matrix: Any, name: str) -> tuple[Callable[[np.ndarray], np.ndarray], np.ndarray]:
    """The operator of a square matrix, and a vector as it takes them."""
    a = np.asarray(matrix)
    if a.dtype.kind not in "fiub":
        raise DTypeError(f"{name}: operator must be a function or a matrix of numbers, not {matrix!r}")
    a = a if a.dtype in (np.float32, np.float64) else a.astype(np.float64)
    if a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ShapeError(f"{name}: a matrix must be square, not of shape {a.shape}")
    return lambda v: a @ v, np.zeros(len(a), a.dtype)
