"""Products of matrices, vectors and stacks of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.dtypes import BOOL, is_float, promote
from mathnet.graph.op import (
    OPS,
    Op,
    as_tensor,
    batched,
    broadcast_shapes,
    count,
    graph_function,
    register,
    widened,
)
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import unbroadcast
from mathnet.ops.weight_strips import STRIP, keeps_strips, strips_of_weights

ACTIVATION_CODES = {None: 0, "relu": 1, "tanh": 2, "sigmoid": 3}
_BATCH_RANK = 3


class MatMul(Op):
    """C = A·B over the last two axes, with broadcasting of the leading ones; each element is one chain of fused multiply-adds over k."""

    name, formula, onnx = "matmul", "Σₖ x[i,k]·y[k,j]", "MatMul"
    absorbs = ("bias", "activation")
    bias_axis = -1

    def infer(self, a: Spec, b: Spec) -> Spec:  # type: ignore[override]
        if a.shape[-1] != b.shape[-2]:
            raise _unfit(a, b)
        dtype, _ = promote((a, b))
        lead = broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2])
        return Spec((*lead, a.shape[-2], b.shape[-1]), dtype)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool]) -> Tensor:  # type: ignore[override]
        if not mapped[1] and inputs[1].ndim == 2:  # one matrix for all: a tall product
            return self(*inputs)
        rank = max(x.ndim - m for x, m in zip(inputs, mapped))
        return self(
            *[batched(x, n, True, rank) if m else widened(x, rank + 1) for x, m in zip(inputs, mapped)]
        )

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        a, b = inputs
        da = unbroadcast(MATMUL(dy, _swap(b)), a)
        if b.ndim == 2 and a.ndim > 2:  # one tall product instead of a sum of products
            a, dy = _tall(a), _tall(dy)
        return da, unbroadcast(MATMUL(_swap(a), dy), b)

    def lower(
        self, emit: Any, inputs: Any, outputs: Any, bias: Any = None, activation: str | None = None
    ) -> None:  # type: ignore[override]
        (c,) = outputs
        a, b = (_nonnegative(emit, emit.cast(x, c.dtype)) for x in inputs)
        m, n, k = a.shape[-2], b.shape[-1], a.shape[-1]
        lead = c.shape[:-2]
        if 0 in c.shape:
            return
        if len(lead) > _BATCH_RANK:
            a, b = (emit.dense(x.broadcast((*lead, *x.shape[-2:]))) for x in (a, b))
            lead = (product(lead),)
            a, b, c = a.with_shape((*lead, m, k)), b.with_shape((*lead, k, n)), c.with_shape((*lead, m, n))
        batches = [x.broadcast((*lead, *x.shape[-2:])).strides[:-2] for x in (a, b, c)]
        lead, batches, rows = _as_rows(lead, m, a, b, batches)
        if rows == 1 and len(b.shape) == 2 and product(lead) == 1:
            strips = emit.prepare(b, ("strips",), strips_of_weights) if keeps_strips(k, n) else None
            if strips is not None:
                operands = [emit.dense(a), strips] if bias is None else [emit.dense(a), strips, bias]
                code = ACTIVATION_CODES[activation]
                emit.kernel(
                    "gemv_prepared",
                    operands,
                    [c],
                    k=k,
                    n=n,
                    width=STRIP,
                    bias=int(bias is not None),
                    activation=code,
                )
                return
        pad = (0,) * (_BATCH_RANK - len(lead))
        emit.kernel(
            "gemm",
            [a, b] if bias is None else [a, b, bias],
            [c],
            m=rows,
            n=n,
            k=k,
            a_row=a.strides[-2],
            a_col=a.strides[-1],
            b_row=b.strides[-2],
            b_col=b.strides[-1],
            c_row=n,
            batch=product(lead),
            batch_shape=(1,) * len(pad) + lead,
            a_batch=pad + batches[0],
            b_batch=pad + batches[1],
            c_batch=pad + batches[2],
            accumulate=0,
            bias=int(bias is not None),
            activation=ACTIVATION_CODES[activation],
        )

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        k = inputs[0].shape[-1]
        flops = 2 * count(outputs[0]) * (k if isinstance(k, int) else 1)
        return flops, sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))

    def oracle(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return np.matmul(a, b)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(7)
        shapes = [
            ((3, 4), (4, 5)),
            ((1, 7), (7, 3)),
            ((2, 3, 4), (2, 4, 5)),
            ((2, 1, 3, 4), (5, 4, 2)),
            ((0, 4), (4, 3)),
            ((3, 0), (0, 2)),
        ]
        return [((rng.uniform(-1, 1, a), rng.uniform(-1, 1, b)), {}) for a, b in shapes]


def _tall(x: Tensor) -> Tensor:
    """A stack of matrices as one matrix of all their rows."""
    return OPS["reshape"](x, shape=(product(x.shape[:-1]), x.shape[-1]))


def _swap(x: Tensor) -> Tensor:
    """The last two axes exchanged."""
    return OPS["transpose"](x, axes=(*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _nonnegative(emit: Any, x: Any) -> Any:
    """The kernel walks forward only: reversed views are copied."""
    return emit.dense(x) if any(s < 0 for s in x.strides) else x


def _as_rows(lead: tuple, m: int, a: Any, b: Any, batches: list[tuple]) -> tuple[tuple, list[tuple], int]:
    """A stack of matrices times one matrix is one tall product, when the rows of the stack follow each other."""
    if lead and len(b.shape) == 2 and all(s == 0 for s in batches[1]):
        expected = a.strides[-2] * m
        for size, stride in zip(reversed(lead), reversed(batches[0])):
            if size != 1 and stride != expected:
                return lead, batches, m
            expected *= size
        return (), [(), (), ()], m * int(product(lead))
    return lead, batches, m


MATMUL = register(MatMul())


def _integer_product(x: Tensor, y: Tensor) -> Tensor:
    """The product of integers as the integer machine multiplies and adds: exact, modulo 2⁶⁴ as NumPy's."""
    if x.shape[-1] != y.shape[-2]:
        raise _unfit(x.spec, y.spec)
    broadcast_shapes("matmul", x.shape[:-2], y.shape[:-2])
    left = OPS["reshape"](x, shape=(*x.shape[:-1], 1, x.shape[-1]))
    turned = _swap(y)
    right = OPS["reshape"](turned, shape=(*turned.shape[:-2], 1, *turned.shape[-2:]))
    products = OPS["multiply"](left, right)
    return OPS["sum"](products, axis=(products.ndim - 1,), keepdims=False)


def _unfit(x: Spec, y: Spec) -> ShapeError:
    return ShapeError(
        f"matmul: shapes {show_shape(x.shape)} and {show_shape(y.shape)} do not fit: "
        f"the inner sizes are {x.shape[-1]} and {y.shape[-2]}"
    )


@graph_function
def matmul(x: Any, y: Any) -> Tensor:
    """Matrix product x·y: vectors count as one row (left) or one column (right), leading axes are broadcast.
    Integers are multiplied exactly (modulo 2⁶⁴, as NumPy's), without the speed of floats.

    Raises ShapeError when the inner sizes differ, DTypeError for bools.

    >>> import mathnet as mn
    >>> mn.matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]])
    """
    x, y = as_tensor(x, "matmul: first operand"), as_tensor(y, "matmul: second operand")
    for operand in (x, y):
        if operand.ndim == 0:
            raise ShapeError("matmul: a number is no matrix; use * instead")
    if x.dtype == y.dtype == BOOL:
        raise DTypeError("matmul: bools have no sums of products; use mn.cast")
    rows, columns = x.ndim > 1, y.ndim > 1
    if not rows:
        x = OPS["reshape"](x, shape=(1, *x.shape))
    if not columns:
        y = OPS["reshape"](y, shape=(*y.shape, 1))
    result = MATMUL(x, y) if is_float(x.dtype) or is_float(y.dtype) else _integer_product(x, y)
    if rows and columns:
        return result
    shape = [
        *result.shape[:-2],
        *([result.shape[-2]] if rows else []),
        *([result.shape[-1]] if columns else []),
    ]
    return OPS["reshape"](result, shape=tuple(shape))
