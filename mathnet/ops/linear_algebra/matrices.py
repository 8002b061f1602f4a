"""What the operations on matrices share: stacks of matrices, LAPACK through NumPy, and errors that name the matrix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.op import FUNCTIONS, OPS, Op, as_tensor, batched, count
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.matmul import MATMUL


class MatrixOp(Op):
    """An operation on the last two axes; leading axes are a stack.  NumPy's LAPACK computes it, in the caller's thread.

    A subclass gives ``compute(*arrays, **attrs)``: contiguous arrays of one float type → array, or a tuple of them.
    """

    domain = "finite matrices"
    #: Whether the stacks of several inputs broadcast against each other.
    stacks_broadcast: ClassVar[bool] = False

    def compute(self, *arrays: np.ndarray, **attrs: Any) -> Any:
        raise TypeError(f"operation {self.name!r} computes nothing")

    def lower(self, emit: Any, inputs: Any, outputs: Any, **attrs: Any) -> None:  # type: ignore[override]
        def run(arrays: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> None:
            with np.errstate(all="ignore"):
                made = self.compute(*arrays, **attrs)
            for target, value in zip(targets, made if isinstance(made, tuple) else (made,)):
                target[...] = value

        emit.host(run, inputs, outputs)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Any:  # type: ignore[override]
        rank = max(x.ndim - m for x, m in zip(inputs, mapped)) if self.stacks_broadcast else None
        return self(*[batched(x, n, m, rank) for x, m in zip(inputs, mapped)], **attrs)

    def oracle(self, *arrays: np.ndarray, **attrs: Any) -> Any:
        return self.compute(*arrays, **attrs)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        """About n³ for a matrix of n columns."""
        n = inputs[0].shape[-1]
        moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return count(inputs[0]) * (n if isinstance(n, int) else 1), moved


def matrix(x: Any, name: str, argument: str = "the matrix") -> Tensor:
    """x as a tensor of float matrices: integers become float64, fewer than two axes are refused."""
    x = as_tensor(x, f"{name}: {argument}")
    if x.ndim < 2:
        raise ShapeError(f"{name}: {argument} needs two axes or more, but has shape {show_shape(x.shape)}")
    return x if is_float(x.dtype) else OPS["cast"](x, dtype=FLOAT64)


def square_matrix(x: Any, name: str, argument: str = "the matrix") -> Tensor:
    x = matrix(x, name, argument)
    if x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name}: {argument} must be square, but has shape {show_shape(x.shape)}")
    return x


def swap(x: Tensor) -> Tensor:
    """The transposes of a stack of matrices."""
    return OPS["transpose"](x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def product(*factors: Tensor) -> Tensor:
    """The matrix product of several stacks, from the left."""
    result = factors[0]
    for factor in factors[1:]:
        result = MATMUL(result, factor)
    return result


def symmetric(x: Tensor) -> Tensor:
    return (x + swap(x)) * 0.5


def with_diagonal(x: Tensor) -> Tensor:
    """Matrices with the last axis of x on the diagonal, zero elsewhere."""
    n = x.shape[-1]
    return OPS["from_diagonal"](x, shape=(n, n), offset=0)


def columns(x: Tensor) -> Tensor:
    """A last axis of numbers as factors of the columns of matrices."""
    return FUNCTIONS["expand_dims"](x, -2)


def transposed(x: np.ndarray) -> np.ndarray:
    return np.swapaxes(x, -1, -2)


def refuse_nonfinite(name: str, x: np.ndarray) -> None:
    """LAPACK's iterations do not end on NaN, or end with numbers that mean nothing."""
    if not np.isfinite(x).all():
        raise np.linalg.LinAlgError(
            f"{name}: {which(x, lambda a: not np.isfinite(a).all())} has NaN or infinite elements"
        )


def which(x: np.ndarray, wrong: Callable[[np.ndarray], bool]) -> str:
    """Names the first matrix of the stack x that ``wrong`` is true for."""
    shape = show_shape(x.shape[-2:])
    if x.ndim == 2:
        return f"the matrix of shape {shape}"
    for index in np.ndindex(x.shape[:-2]):
        if wrong(x[index]):
            return f"matrix {index if len(index) > 1 else index[0]} of the stack, of shape {shape},"
    return f"a matrix of shape {shape}"


def fails(f: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], bool]:
    """Whether f refuses a matrix."""

    def check(a: np.ndarray) -> bool:
        try:
            f(a)
        except np.linalg.LinAlgError:
            return True
        return False

    return check
