"""Arithmetic on each element: sums, products, quotients, powers, extrema and rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import DTypeError
from mathnet.graph.dtypes import BOOL, INT64, promote
from mathnet.graph.op import OPS, as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import Elementwise, define

Partials = Sequence[Tensor | None]


def _pair(name: str, x: Any, y: Any) -> tuple[Tensor, Tensor]:
    return as_tensor(x, f"{name}: first operand"), as_tensor(y, f"{name}: second operand")


def _both_bool(x: Tensor, y: Tensor) -> bool:
    return x.dtype == y.dtype == BOOL


class Add(Elementwise):
    name, arity, opcode, formula, onnx = "add", 2, "add", "x + y", "Add"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return dy, dy

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.add(x, y)


class Subtract(Elementwise):
    name, arity, opcode, formula, onnx = "subtract", 2, "sub", "x - y", "Sub"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return dy, -dy

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.subtract(x, y)


class Multiply(Elementwise):
    name, arity, opcode, formula, onnx = "multiply", 2, "mul", "x·y", "Mul"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        return dy * y, dy * x

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.multiply(x, y)


_ADD, _SUBTRACT, _MULTIPLY = register(Add()), register(Subtract()), register(Multiply())


@graph_function
def add(x: Any, y: Any) -> Tensor:
    """x + y, element by element with broadcasting.  Two bools give their logical or, as in NumPy.

    >>> import mathnet as mn
    >>> mn.add([1.0, 2.0], 0.5)
    array([1.5, 2.5])
    """
    x, y = _pair("add", x, y)
    return OPS["logical_or"](x, y) if _both_bool(x, y) else _ADD(x, y)


@graph_function
def subtract(x: Any, y: Any) -> Tensor:
    """x − y, element by element with broadcasting.  Two bools are refused, as in NumPy.

    >>> import mathnet as mn
    >>> mn.subtract([1.0, 2.0], 0.5)
    array([0.5, 1.5])
    """
    x, y = _pair("subtract", x, y)
    if _both_bool(x, y):
        raise DTypeError("subtract: two bools have no difference; use mn.not_equal, or mn.cast them to int64")
    return _SUBTRACT(x, y)


@graph_function
def multiply(x: Any, y: Any) -> Tensor:
    """x·y, element by element with broadcasting.  Two bools give their logical and, as in NumPy.

    >>> import mathnet as mn
    >>> mn.multiply([1.0, 2.0], 0.5)
    array([0.5, 1. ])
    """
    x, y = _pair("multiply", x, y)
    return OPS["logical_and"](x, y) if _both_bool(x, y) else _MULTIPLY(x, y)


class Divide(Elementwise):
    """x/y, element by element with broadcasting.  Integers give float64.

    >>> import mathnet as mn
    >>> mn.divide([1.0, 2.0], 4.0)
    array([0.25, 0.5 ])
    """

    name, arity, result, opcode, formula, domain, onnx = "divide", 2, "float", "div", "x/y", "y ≠ 0", "Div"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        _, y = inputs
        quotient = dy / y
        return quotient, -(quotient * outputs[0])

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.true_divide(x, y)

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        values = super().sample(shape, seed)
        return values + np.copysign(0.5, values)


def _quotient_type(name: str, specs: Sequence[Spec]) -> tuple[np.dtype, bool]:
    dtype, weak = promote(specs)
    if dtype == BOOL:
        raise DTypeError(f"{name}: two bools have no quotient; mn.cast them to int64")
    return dtype, weak


def _quotient_and_remainder(emit: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Code for ⌊x/y⌋ and x − y·⌊x/y⌋ of floats, as NumPy computes them: from the exact rest of the truncated quotient."""
    rest = emit("fmod", x, y)
    crossed = emit("ne", emit("lt_imm", rest, immediate=0.0), emit("lt_imm", y, immediate=0.0))
    crossed = emit("logical_and", crossed, emit("ne_imm", rest, immediate=0.0))
    remainder = emit("select", rest, rest, emit("copysign", rest, y))
    quotient = emit("div", emit("sub", x, rest), y)  # a whole number but for its rounding
    whole = emit("round", emit("select", crossed, emit("add_imm", quotient, immediate=-1.0), quotient))
    ratio = emit("div", x, y)
    whole = emit("select", whole, whole, emit("copysign", whole, ratio))
    return emit("select", y, whole, ratio), emit("select", crossed, emit("add", rest, y), remainder)


class FloorDivide(Elementwise):
    """⌊x/y⌋, element by element with broadcasting; integers stay integers and their division by zero gives 0, as in NumPy.

    >>> import mathnet as mn
    >>> mn.floor_divide([-7.0, 7.0], 2.0)
    array([-4.,  3.])
    """

    name, arity, opcode, formula, domain = "floor_divide", 2, "floor_divide", "⌊x/y⌋", "y ≠ 0"

    def result_type(self, *specs: Spec, **attrs: Any) -> tuple[np.dtype, bool]:
        return _quotient_type(self.name, specs)

    def program(self, emit: Any, *registers: Any, **attrs: Any) -> Any:
        if emit.real == INT64:
            return emit(self.opcode, *registers)
        return _quotient_and_remainder(emit, *registers)[0]

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.floor_divide(x, y)


class Remainder(Elementwise):
    """x − y·⌊x/y⌋, which has the sign of y; element by element with broadcasting; integers stay integers.

    >>> import mathnet as mn
    >>> mn.remainder([-7.0, 7.0], 2.0)
    array([1., 1.])
    """

    name, arity, opcode, formula, domain, onnx = "remainder", 2, "remainder", "x - y·⌊x/y⌋", "y ≠ 0", "Mod"

    def result_type(self, *specs: Spec, **attrs: Any) -> tuple[np.dtype, bool]:
        return _quotient_type(self.name, specs)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return dy, -(dy * floor_divide(*inputs))

    def program(self, emit: Any, *registers: Any, **attrs: Any) -> Any:
        if emit.real == INT64:
            return emit(self.opcode, *registers)
        return _quotient_and_remainder(emit, *registers)[1]

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.remainder(x, y)


class Negative(Elementwise):
    """−x.

    >>> import mathnet as mn
    >>> mn.negative([1.0, -2.0])
    array([-1.,  2.])
    """

    name, opcode, takes, formula, onnx = "negative", "neg", "if", "-x", "Neg"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (-dy,)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.negative(x)


class Abs(Elementwise):
    """|x|; the derivative at 0 is 0.

    >>> import mathnet as mn
    >>> mn.abs([1.0, -2.0])
    array([1., 2.])
    """

    name, opcode, formula, onnx = "abs", "abs", "|x|", "Abs"
    kinks = {0.0: 0.0}

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * sign(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x)


class Sign(Elementwise):
    """−1, 0 or 1; the derivative is 0 everywhere, also at the jump.

    >>> import mathnet as mn
    >>> mn.sign([1.5, 0.0, -2.0])
    array([ 1.,  0., -1.])
    """

    name, opcode, takes, formula, onnx = "sign", "sign", "if", "sign(x)", "Sign"
    kinks = {0.0: 0.0}

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.sign(x)


class Square(Elementwise):
    """x².

    >>> import mathnet as mn
    >>> mn.square([1.0, -3.0])
    array([1., 9.])
    """

    name, takes, formula = "square", "if", "x²"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        return emit("mul", registers[0], registers[0])  # the integer machine has no square

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (inputs[0] * 2.0),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.square(x)


class Reciprocal(Elementwise):
    """1/x.  Integers give float64.

    >>> import mathnet as mn
    >>> mn.reciprocal([2.0, -4.0])
    array([ 0.5 , -0.25])
    """

    name, opcode, result, formula, domain, onnx = (
        "reciprocal",
        "reciprocal",
        "float",
        "1/x",
        "x ≠ 0",
        "Reciprocal",
    )
    sample_range = (0.3, 3.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (-(dy * square(outputs[0])),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.reciprocal(np.asarray(x, np.float64))


class Sqrt(Elementwise):
    """√x.  The derivative at 0 is infinite.

    >>> import mathnet as mn
    >>> mn.sqrt([4.0, 9.0])
    array([2., 3.])
    """

    name, opcode, result, formula, domain, onnx = "sqrt", "sqrt", "float", "√x", "x ≥ 0", "Sqrt"
    sample_range = (0.1, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * 0.5 / outputs[0],)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt(x)


divide, floor_divide, remainder = define(Divide()), define(FloorDivide()), define(Remainder())
negative, abs_, sign, square = define(Negative()), define(Abs()), define(Sign()), define(Square())
reciprocal, sqrt = define(Reciprocal()), define(Sqrt())


@graph_function
def positive(x: Any) -> Tensor:
    """+x: the operand itself.

    >>> import mathnet as mn
    >>> mn.positive([1.0, -2.0])
    array([ 1., -2.])
    """
    return as_tensor(x, "positive")
