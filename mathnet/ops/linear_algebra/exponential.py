"""Powers and the exponential of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.op import FUNCTIONS, OPS, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.linear_algebra.matrices import MatrixOp, product, refuse_nonfinite, square_matrix, swap
from mathnet.ops.linear_algebra.solution import inv

#: Coefficients of the numerator of the Padé approximant of order 13, and the norm up to which it is exact to double rounding:
#: Higham, "The scaling and squaring method for the matrix exponential revisited" (2005), table 2.3 and algorithm 2.3.
PADE = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0,
    670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip
THETA = 5.371920351148152


class MatrixExponential(MatrixOp):
    """e^A = Σ Aᵏ/k!, by a Padé approximant of A/2ˢ and s squarings."""

    name, formula = "expm", "Σ Aᵏ/k!"

    def infer(self, a: Spec) -> Spec:  # type: ignore[override]
        return Spec(a.shape, a.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (_along(swap(inputs[0]), dy),)

    def jvp(self, tangents: tuple, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Tensor:  # type: ignore[override]
        return _along(inputs[0], tangents[0])

    def compute(self, a: np.ndarray) -> np.ndarray:  # type: ignore[override]
        refuse_nonfinite(self.name, a)
        wide = a.astype(np.float64)
        norm = np.abs(wide).sum(-2).max(-1, initial=0)
        with np.errstate(divide="ignore"):
            squarings = np.maximum(np.ceil(np.log2(norm / THETA)), 0).astype(np.int64)
        result = _pade(wide / np.exp2(squarings)[..., None, None])
        for step in range(int(squarings.max(initial=0))):
            result = np.where((squarings > step)[..., None, None], result @ result, result)
        return result.astype(a.dtype)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        a = np.random.default_rng(53).uniform(-1, 1, (2, 3, 3))
        return [((a,), {}), ((a[0] * 4,), {}), ((a[:0],), {}), ((a[:, :1, :1],), {})]


def _along(a: Tensor, direction: Tensor) -> Tensor:
    """The derivative of e^a along a direction E: the upper right corner of the exponential of [[a, E], [0, a]].

    The derivative at aᵀ is the transpose of that at a.
    """
    n = a.shape[-1]
    join = FUNCTIONS["concatenate"]
    block = join(
        [join([a, direction], axis=-1), join([FUNCTIONS["zeros_like"](a), a], axis=-1)],
        axis=-2,
    )
    return EXPM(block)[..., :n, n:]


def _pade(a: np.ndarray) -> np.ndarray:
    one = np.eye(a.shape[-1])
    a2 = a @ a
    a4 = a2 @ a2
    a6 = a4 @ a2
    b = PADE
    odd = a @ (a6 @ (b[13] * a6 + b[11] * a4 + b[9] * a2) + b[7] * a6 + b[5] * a4 + b[3] * a2 + b[1] * one)
    even = a6 @ (b[12] * a6 + b[10] * a4 + b[8] * a2) + b[6] * a6 + b[4] * a4 + b[2] * a2 + b[0] * one
    return np.linalg.solve(even - odd, even + odd)


EXPM = register(MatrixExponential())


def expm(x: Any) -> Tensor:
    """The matrix exponential of square matrices (…, n, n); computed in float64 for float32 too.

    >>> import mathnet as mn
    >>> mn.linalg.expm([[0.0, 1.0], [0.0, 0.0]])
    array([[1., 1.],
           [0., 1.]])
    """
    return EXPM(square_matrix(x, "expm"))


def matrix_power(x: Any, n: int) -> Tensor:
    """The n-th power of square matrices by repeated squaring; n = 0 gives the identity, n < 0 powers of the inverse.

    >>> import mathnet as mn
    >>> mn.linalg.matrix_power([[1.0, 1.0], [0.0, 1.0]], 5)
    array([[1., 5.],
           [0., 1.]])
    """
    x = square_matrix(x, "matrix_power")
    if isinstance(n, (bool, Tensor)) or not hasattr(n, "__index__"):
        raise ArgumentError(
            f"matrix_power: n must be an integer that is known when the graph is built, not {n!r}"
        )
    exponent = n.__index__()
    if exponent == 0:
        size = x.shape[-1]
        if isinstance(size, Dim):
            raise ShapeError(
                f"matrix_power: the size of the matrices {show_shape(x.shape)} must be known for n = 0"
            )
        return OPS["broadcast_to"](OPS["cast"](FUNCTIONS["eye"](size), dtype=x.dtype), shape=x.shape)
    base = inv(x) if exponent < 0 else x
    result, left = None, abs(exponent)
    while True:
        if left & 1:
            result = base if result is None else product(result, base)
        left >>= 1
        if not left:
            assert result is not None
            return result
        base = product(base, base)
