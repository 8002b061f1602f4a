"""Values that must fulfil something: operations that pass them on, or stop the run before anything has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import BOOL, INT64, is_float
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, batched, broadcast_shapes, graph_function, register
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


class CheckIndex(Op):
    """x, or an error when an element of x is not in 0 … size − 1.  Attributes of nodes: size, and where, what the error names."""

    name, formula, domain = "check_index", "x", "0 ≤ x < size"

    def infer(self, x: Spec, size: Any, where: str) -> Spec:  # type: ignore[override]
        return x

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        return self(inputs[0], **attrs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (None,)

    def lower(self, emit: Any, inputs: Any, outputs: Any, size: int, where: str) -> None:  # type: ignore[override]
        x = emit.dense(inputs[0])
        if x.size:
            emit.kernel("check_index", [x], [], n=x.size, limit=size, allow_negative=0)
            emit.copy(x, outputs[0])

    def message(self, code: int, position: int, value: float, size: Any, where: str) -> str:  # type: ignore[override]
        return f"{where}: element {position} (in row-major order) is {int(value)}, not one of 0 … {size - 1}"

    def oracle(self, x: np.ndarray, size: int, where: str) -> np.ndarray:  # type: ignore[override]
        return np.asarray(x)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.array([[2, 0], [1, 4]])
        return [((i,), {"size": 5, "where": "x"}) for i in (x, x[0, 1], x[:0])]


class CheckThat(Op):
    """x, or an error where the second input is not 0.  Attribute of nodes: what must hold, as text."""

    name, formula, domain = "check_that", "x", "where the condition holds"

    def infer(self, x: Spec, faults: Spec, what: str) -> Spec:  # type: ignore[override]
        return x

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], what: str) -> Tensor:  # type: ignore[override]
        x, faults = (batched(t, n, m) for t, m in zip(inputs, mapped))
        return self(x, faults, what=what)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return dy, None

    def lower(self, emit: Any, inputs: Any, outputs: Any, what: str) -> None:  # type: ignore[override]
        x, faults = inputs[0], emit.dense(inputs[1])
        if faults.size:
            emit.kernel("check_index", [faults], [], n=faults.size, limit=1, allow_negative=0)
            emit.copy(x, outputs[0])

    def message(self, code: int, position: int, value: float, what: str) -> str:  # type: ignore[override]
        return f"{what}, but element {position} (in row-major order) is not"

    def oracle(self, x: np.ndarray, faults: np.ndarray, what: str) -> np.ndarray:  # type: ignore[override]
        return np.asarray(x)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.linspace(-1.0, 1.0, 6).reshape(2, 3)
        return [((part, np.zeros(part.shape, np.int64)), {"what": "x"}) for part in (x, x[0, 0], x[:0])]


CHECK_FINITE, CHECK_INDEX, CHECK_THAT = register(CheckFinite()), register(CheckIndex()), register(CheckThat())


@graph_function
def check_finite(x: Any, where: str = "check_finite") -> Tensor:
    """x itself; a run in which an element of it is infinite or NaN ends with a DataError that begins with ``where``.

    >>> import mathnet as mn
    >>> mn.check_finite([1.0, 2.0])
    array([1., 2.])
    """
    x = as_tensor(x, "check_finite")
    return CHECK_FINITE(x, where=str(where)) if is_float(x.dtype) else x


@graph_function
def check_index(x: Any, size: Any, where: str = "check_index") -> Tensor:
    """Integers x themselves; a run in which one of them is not in 0 … size − 1 ends with a DataError that begins with ``where``.

    >>> import mathnet as mn
    >>> mn.check_index([2, 0], 3)
    array([2, 0])
    """
    x = as_tensor(x, "check_index: x")
    if x.dtype != INT64:
        raise DTypeError(f"check_index: x must hold integers, not {x.dtype}; use mn.cast")
    if not isinstance(size, Dim) and (isinstance(size, bool) or not hasattr(size, "__index__")):
        raise ArgumentError(f"check_index: size must be an integer, not {size!r}")
    return CHECK_INDEX(x, size=size if isinstance(size, Dim) else size.__index__(), where=str(where))


@graph_function
def check_that(x: Any, condition: Any, what: str = "check_that: the condition must hold") -> Tensor:
    """x itself; a run in which the condition is false for an element of x ends with a DataError that begins with ``what``.

    condition: of bools, of the shape of x or broadcast to it.

    >>> import numpy as np, mathnet as mn
    >>> share = np.array([0.25, 0.75])
    >>> mn.check_that(share, share <= 1.0, "shares must be at most 1")
    array([0.25, 0.75])
    """
    x, condition = as_tensor(x, "check_that: x"), as_tensor(condition, "check_that: condition")
    if condition.dtype != BOOL:
        raise DTypeError(f"check_that: the condition must be of bools, not {condition.dtype}")
    if broadcast_shapes("check_that", x.shape, condition.shape) != x.shape:
        raise ShapeError(
            f"check_that: a condition of shape {show_shape(condition.shape)} does not fit to x of shape {show_shape(x.shape)}"
        )
    faults = FUNCTIONS["cast"](FUNCTIONS["logical_not"](condition), INT64)
    return CHECK_THAT(x, FUNCTIONS["broadcast_to"](faults, x.shape), what=str(what))
