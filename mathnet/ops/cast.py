"""Conversion of element types, and arrays filled with one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.graph.dtypes import BOOL, FLOAT32, FLOAT64, INT64, graph_dtype, is_float
from mathnet.graph.op import as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import Elementwise


class Cast(Elementwise):
    """Conversion to ``dtype``; ``weak`` makes the result give way to the types that it meets."""

    name, formula, onnx = "cast", "x", "Cast"

    def result_type(
        self, *specs: Spec, dtype: np.dtype, weak: bool = False, **attrs: Any
    ) -> tuple[np.dtype, bool]:
        return dtype, weak

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        if attrs["dtype"] == BOOL:
            return emit("ne_imm", registers[0], immediate=0.0)
        return emit("copy", registers[0])

    def partials(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (dy if is_float(attrs["dtype"]) else None,)

    def oracle(self, x: np.ndarray, dtype: np.dtype, weak: bool = False) -> np.ndarray:
        return np.asarray(x).astype(FLOAT64 if is_float(dtype) else dtype)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        values = np.array([[-2.7, -0.4, 0.0], [0.6, 1.0, 300.9]])
        return [((values,), {"dtype": dtype}) for dtype in (FLOAT32, FLOAT64, INT64, BOOL)] + [
            ((values > 0,), {"dtype": FLOAT32})
        ]


_CAST = register(Cast())


@graph_function
def cast(x: Any, dtype: Any) -> Tensor:
    """x with elements of another type: float32, float64, int64 or bool.  Floats are cut towards 0 to integers; bool means ≠ 0.

    >>> import mathnet as mn
    >>> mn.cast([1.7, -1.7], "int64")
    array([ 1, -1])
    """
    x = as_tensor(x, "cast")
    dtype = graph_dtype(dtype, "cast: dtype")
    return x if x.dtype == dtype and not x.spec.weak else _CAST(x, dtype=dtype)
