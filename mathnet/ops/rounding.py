"""Rounding; the derivative is zero everywhere, also at the jumps."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.graph.dtypes import is_float
from mathnet.graph.op import OPS, as_tensor, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.elementwise import Elementwise


class Rounding(Elementwise):
    """An operation to whole numbers; its derivative is zero."""

    takes = "f"
    sample_range = (-4.0, 4.0)


class Floor(Rounding):
    name, opcode, formula, onnx = "floor", "floor", "⌊x⌋", "Floor"

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.floor(x)


class Ceil(Rounding):
    name, opcode, formula, onnx = "ceil", "ceil", "⌈x⌉", "Ceil"

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.ceil(x)


class Round(Rounding):
    name, opcode, formula, onnx = "round", "round", "nearest whole number, halves to even", "Round"

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.round(x)


for _op in (Floor(), Ceil(), Round()):
    register(_op)


def _rounded(name: str, x: Any) -> Tensor:
    x = as_tensor(x, name)
    return OPS[name](x) if is_float(x.dtype) else x


@graph_function
def floor(x: Any) -> Tensor:
    """⌊x⌋; integers stay as they are.

    >>> import mathnet as mn
    >>> mn.floor([1.5, -1.5])
    array([ 1., -2.])
    """
    return _rounded("floor", x)


@graph_function
def ceil(x: Any) -> Tensor:
    """⌈x⌉; integers stay as they are.

    >>> import mathnet as mn
    >>> mn.ceil([1.5, -1.5])
    array([ 2., -1.])
    """
    return _rounded("ceil", x)


@graph_function
def round_(x: Any) -> Tensor:
    """The nearest whole number, halves to even; integers stay as they are.

    >>> import mathnet as mn
    >>> mn.round([1.4, 2.5])
    array([1., 2.])
    """
    return _rounded("round", x)
