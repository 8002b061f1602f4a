"""Rounding, whose derivative is zero everywhere, also at the jumps; and the remainder that truncation leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import DTypeError
from mathnet.graph.dtypes import BOOL, is_float, promote
from mathnet.graph.op import OPS, as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import Elementwise, define


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


class Trunc(Rounding):
    name, opcode, formula = "trunc", "trunc", "x without its fraction"

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.trunc(x)


for _op in (Floor(), Ceil(), Round(), Trunc()):
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


@graph_function
def trunc(x: Any) -> Tensor:
    """The whole part of x, towards zero; integers stay as they are.

    >>> import mathnet as mn
    >>> mn.trunc([1.7, -1.7])
    array([ 1., -1.])
    """
    return _rounded("trunc", x)


class Fmod(Elementwise):
    """x − y·trunc(x/y), exactly; it has the sign of x; element by element with broadcasting.

    Integers stay integers, and their division by zero gives 0, as in NumPy.

    >>> import mathnet as mn
    >>> mn.fmod([-7.0, 7.0], 2.0)
    array([-1.,  1.])
    """

    name, arity, opcode, formula, domain = "fmod", 2, "fmod", "x - y·trunc(x/y)", "y ≠ 0"
    sample_range = (0.6, 5.0)

    def result_type(self, *specs: Spec, **attrs: Any) -> tuple[np.dtype, bool]:
        dtype, weak = promote(specs)
        if dtype == BOOL:
            raise DTypeError("fmod: two bools have no quotient; mn.cast them to int64")
        return dtype, weak

    def partials(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:
        x, y = inputs
        return dy, -(dy * round_((x - outputs[0]) / y))  # a whole number but for rounding errors

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.fmod(x, y)


fmod = define(Fmod())
