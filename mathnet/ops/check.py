"""Values that must be finite: an operation that passes them on, or stops the run before anything has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import DTypeError
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import Op, as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor


class CheckFinite(Op):
    """x, or an error when an element of x is infinite or NaN.  Attribute of nodes: where, what the error names."""

    name, formula, domain = "check_finite", "x", "finite numbers"

    def infer(self, x: Spec, where: str) -> Spec:  # type: ignore[override]
        if not is_float(x.dtype):
            raise DTypeError(
                f"check_finite: {where} has element type {x.dtype}; only floats can be infinite or NaN"
            )
        return x

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        return self(inputs[0], **attrs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (dy,)

    def lower(self, emit: Any, inputs: Any, outputs: Any, where: str) -> None:  # type: ignore[override]
        x = emit.dense(inputs[0])
        if x.size:
            emit.kernel("check_finite", [x], [], n=x.size)
            emit.copy(x, outputs[0])

    def message(self, code: int, position: int, value: float, where: str) -> str:  # type: ignore[override]
        return f"{where}: element {position} (in row-major order) is {value}, which is not finite"

    def oracle(self, x: np.ndarray, where: str) -> np.ndarray:  # type: ignore[override]
        return np.asarray(x)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
        return [((x,), {"where": "x"}), ((x[0, 0],), {"where": "x"}), ((x[:0],), {"where": "x"})]


CHECK_FINITE = register(CheckFinite())


@graph_function
def check_finite(x: Any, where: str = "check_finite") -> Tensor:
    """x itself; a run in which an element of it is infinite or NaN ends with a DataError that begins with ``where``.

    >>> import mathnet as mn
    >>> mn.check_finite([1.0, 2.0])
    array([1., 2.])
    """
    x = as_tensor(x, "check_finite")
    return CHECK_FINITE(x, where=str(where)) if is_float(x.dtype) else x
