"""Comparisons, logic, tests for NaN and infinity, selection and extrema of two operands.  Truth values have no derivative."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.dtypes import BOOL, is_float, promote
from mathnet.graph.op import as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import Elementwise, define

Partials = Sequence[Tensor | None]


class _Comparison(Elementwise):
    arity, result = 2, "bool"

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        return np.round(super().sample(shape, seed))  # whole numbers, so that equal ones occur


class Less(_Comparison):
    """x < y, element by element with broadcasting; false where one is NaN.

    >>> import mathnet as mn
    >>> mn.less([1.0, 2.0], 2.0)
    array([ True, False])
    """

    name, opcode, formula, onnx = "less", "lt", "x < y", "Less"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.less(x, y)


class LessEqual(_Comparison):
    """x ≤ y, element by element with broadcasting; false where one is NaN.

    >>> import mathnet as mn
    >>> mn.less_equal([1.0, 2.0], 1.0)
    array([ True, False])
    """

    name, opcode, formula, onnx = "less_equal", "le", "x ≤ y", "LessOrEqual"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.less_equal(x, y)


class Greater(_Comparison):
    """x > y, element by element with broadcasting; false where one is NaN.

    >>> import mathnet as mn
    >>> mn.greater([1.0, 2.0], 1.0)
    array([False,  True])
    """

    name, opcode, formula, onnx = "greater", "gt", "x > y", "Greater"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.greater(x, y)


class GreaterEqual(_Comparison):
    """x ≥ y, element by element with broadcasting; false where one is NaN.

    >>> import mathnet as mn
    >>> mn.greater_equal([1.0, 2.0], 2.0)
    array([False,  True])
    """

    name, opcode, formula, onnx = "greater_equal", "ge", "x ≥ y", "GreaterOrEqual"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.greater_equal(x, y)


class Equal(_Comparison):
    """x = y, element by element with broadcasting; false where one is NaN.

    >>> import mathnet as mn
    >>> mn.equal([1.0, 2.0], 2.0)
    array([False,  True])
    """

    name, opcode, formula, onnx = "equal", "eq", "x = y", "Equal"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.equal(x, y)


class NotEqual(_Comparison):
    """x ≠ y, element by element with broadcasting; true where one is NaN.

    >>> import mathnet as mn
    >>> mn.not_equal([1.0, 2.0], 2.0)
    array([ True, False])
    """

    name, opcode, formula = "not_equal", "ne", "x ≠ y"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.not_equal(x, y)


less, less_equal = define(Less()), define(LessEqual())
greater, greater_equal = define(Greater()), define(GreaterEqual())
equal, not_equal = define(Equal()), define(NotEqual())


class LogicalAnd(_Comparison):
    """Whether both are true (not 0), element by element with broadcasting.

    >>> import mathnet as mn
    >>> mn.logical_and([True, False], True)
    array([ True, False])
    """

    name, opcode, formula, onnx = "logical_and", "logical_and", "x ∧ y", "And"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_and(x, y)


class LogicalOr(_Comparison):
    """Whether at least one is true (not 0), element by element with broadcasting.

    >>> import mathnet as mn
    >>> mn.logical_or([True, False], False)
    array([ True, False])
    """

    name, opcode, formula, onnx = "logical_or", "logical_or", "x ∨ y", "Or"

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_or(x, y)


class LogicalNot(_Comparison):
    """Whether the operand is false (0).

    >>> import mathnet as mn
    >>> mn.logical_not([True, False])
    array([False,  True])
    """

    name, arity, opcode, formula, onnx = "logical_not", 1, "logical_not", "¬x", "Not"

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.logical_not(x)


class IsNaN(_Comparison):
    """Whether the operand is NaN.

    >>> import mathnet as mn
    >>> mn.isnan([1.0, float("nan")])
    array([False,  True])
    """

    name, arity, formula, onnx = "isnan", 1, "x is NaN", "IsNaN"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        return emit("ne", registers[0], registers[0])  # also in the integer machine, where it is false

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.isnan(x)


class IsFinite(_Comparison):
    """Whether the operand is neither infinite nor NaN.

    >>> import mathnet as mn
    >>> mn.isfinite([1.0, float("inf")])
    array([ True, False])
    """

    name, arity, formula = "isfinite", 1, "|x| < ∞"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        difference = emit("sub", registers[0], registers[0])  # NaN for an infinity; 0 for every integer
        return emit("eq", difference, difference)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.isfinite(x)


class IsInf(_Comparison):
    """Whether the operand is infinite.

    >>> import mathnet as mn
    >>> mn.isinf([1.0, float("-inf")])
    array([False,  True])
    """

    name, arity, formula, onnx = "isinf", 1, "|x| = ∞", "IsInf"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        (x,) = registers
        difference = emit("sub", x, x)  # NaN for an infinity and for NaN; 0 for every integer
        return emit("logical_and", emit("ne", difference, difference), emit("eq", x, x))

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.isinf(x)

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        values = super().sample(shape, seed)
        return np.where(values > 1, np.copysign(np.inf, values), values)


class LogicalXor(_Comparison):
    """Whether exactly one is true (not 0), element by element with broadcasting.

    >>> import mathnet as mn
    >>> mn.logical_xor([True, False], True)
    array([False,  True])
    """

    name, formula, onnx = "logical_xor", "x ≠ y as truth values", "Xor"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        return emit("ne", *[emit("logical_not", register) for register in registers])

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.logical_xor(x, y)


logical_and, logical_or, logical_not = define(LogicalAnd()), define(LogicalOr()), define(LogicalNot())
logical_xor = define(LogicalXor())
isnan, isfinite, isinf = define(IsNaN()), define(IsFinite()), define(IsInf())


class Where(Elementwise):
    name, arity, opcode, formula, onnx = "where", 3, "select", "condition ? x : y", "Where"

    def result_type(self, *specs: Spec, **attrs: Any) -> tuple[np.dtype, bool]:
        dtype, weak = promote(specs[1:])
        return dtype, weak and specs[0].weak

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        condition = inputs[0]
        return None, where(condition, dy, 0.0), where(condition, 0.0, dy)

    def oracle(self, condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where(condition, x, y)

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        values = super().sample(shape, seed)
        return values > 0 if seed == 0 else values


_WHERE = register(Where())


@graph_function
def where(condition: Any, x: Any = None, y: Any = None) -> Tensor:
    """x where the condition is true (not 0), else y; broadcasting over all three.

    NumPy's form with the condition alone is refused: how many places it finds depends on the data, and a graph has fixed shapes.

    Both branches are computed; a NaN in the branch that is not taken does not reach the result, but can reach derivatives as 0·NaN:
    replace bad operands before the function that cannot take them.

    >>> import mathnet as mn
    >>> mn.where([True, False], 1.0, [5.0, 6.0])
    array([1., 6.])
    """
    if x is None or y is None:
        raise ArgumentError(
            "where: x and y are both needed; the places where a condition is true are so many as the data say, "
            "find them outside of the graph with np.flatnonzero(condition) or np.nonzero(condition)"
        )
    condition = as_tensor(condition, "where: condition")
    if condition.dtype != BOOL:
        condition = not_equal(condition, 0)
    return _WHERE(condition, as_tensor(x, "where: x"), as_tensor(y, "where: y"))


class Maximum(Elementwise):
    """The larger of x and y, NaN where one is NaN; broadcasting.  Where they are equal each gets half of the derivative.

    >>> import mathnet as mn
    >>> mn.maximum([1.0, 3.0], 2.0)
    array([2., 3.])
    """

    name, arity, opcode, formula, onnx = "maximum", 2, "max", "max(x, y)", "Max"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return _shared(dy, inputs[0] > inputs[1], inputs[0] < inputs[1])

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.maximum(x, y)


class Minimum(Elementwise):
    """The smaller of x and y, NaN where one is NaN; broadcasting.  Where they are equal each gets half of the derivative.

    >>> import mathnet as mn
    >>> mn.minimum([1.0, 3.0], 2.0)
    array([1., 2.])
    """

    name, arity, opcode, formula, onnx = "minimum", 2, "min", "min(x, y)", "Min"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return _shared(dy, inputs[0] < inputs[1], inputs[0] > inputs[1])

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.minimum(x, y)


def _shared(dy: Tensor, first: Tensor, second: Tensor) -> Partials:
    """``dy`` to whichever operand was chosen, half to each where neither was."""
    half = dy * 0.5
    return where(first, dy, where(second, 0.0, half)), where(second, dy, where(first, 0.0, half))


maximum, minimum = define(Maximum()), define(Minimum())


class Clip(Elementwise):
    name, arity, formula, onnx = "clip", 3, "min(max(x, low), high)", "Clip"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        x, low, high = registers
        return emit("min", emit("max", x, low), high)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, low, high = inputs
        below, above = less(x, low), greater(maximum(x, low), high)
        inside = logical_not(logical_or(below, above))
        return (
            where(inside, dy, 0.0),
            where(logical_and(below, logical_not(above)), dy, 0.0),
            where(above, dy, 0.0),
        )

    def oracle(self, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(x, low), high)

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        return super().sample(shape, seed) * (1.0, 0.2, 0.2)[seed] + (0.0, -1.0, 1.0)[seed]


_CLIP = register(Clip())


@graph_function
def clip(x: Any, low: Any = None, high: Any = None) -> Tensor:
    """x limited to [low, high]; None leaves that side open.  The derivative for x is 1 inside and on the limits, 0 outside.

    >>> import mathnet as mn
    >>> mn.clip([-2.0, 0.5, 2.0], -1.0, 1.0)
    array([-1. ,  0.5,  1. ])
    """
    x = as_tensor(x, "clip: x")
    if low is None and high is None:
        return x
    if is_float(x.dtype) or (low is not None and high is not None):
        low = float("-inf") if low is None else low
        high = float("inf") if high is None else high
        return _CLIP(x, as_tensor(low, "clip: low"), as_tensor(high, "clip: high"))
    return minimum(x, high) if low is None else maximum(x, low)
