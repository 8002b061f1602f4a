"""Signs, steps, and numbers in place of NaN and infinities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.graph.dtypes import is_float
from mathnet.graph.op import as_tensor, constant, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import sign
from mathnet.ops.comparison import isnan, where
from mathnet.ops.elementwise import Elementwise, define

Partials = Sequence[Tensor | None]


class Copysign(Elementwise):
    """|x| with the sign of y, that of −0 included; broadcasting.  The derivative for x at 0 is 0, that for y is 0 everywhere.

    >>> import mathnet as mn
    >>> mn.copysign([1.0, -2.0], [-0.0, 3.0])
    array([-1.,  2.])
    """

    name, arity, opcode, result, formula = "copysign", 2, "copysign", "float", "|x|·sign(y)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x, y = inputs
        return dy * (sign(x) * copysign(1.0, y)), None

    def oracle(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.copysign(x, y)


class Heaviside(Elementwise):
    """0 for x < 0, 1 for x > 0 and h at x = 0; NaN stays.  The derivative for x is 0 everywhere, that for h is 1 at x = 0.

    >>> import mathnet as mn
    >>> mn.heaviside([-1.0, 0.0, 2.0], 0.5)
    array([0. , 0.5, 1. ])
    """

    name, arity, result, formula = "heaviside", 2, "float", "x < 0 ? 0 : x > 0 ? 1 : y"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        x, h = registers
        step = emit("gt_imm", x, immediate=0.0)
        step = emit("select", emit("eq", x, x), step, x)
        return emit("select", emit("eq_imm", x, immediate=0.0), h, step)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return None, where(inputs[0] == 0, dy, 0.0)

    def oracle(self, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        return np.heaviside(x, h)


copysign, heaviside = define(Copysign()), define(Heaviside())


class NanToNum(Elementwise):
    name, arity, takes, formula = "nan_to_num", 4, "f", "x is NaN ? nan : x = ∞ ? high : x = -∞ ? low : x"

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        x, nan, high, low = registers
        limited = emit("select", emit("eq_imm", x, immediate=np.inf), high, x)
        limited = emit("select", emit("eq_imm", x, immediate=-np.inf), low, limited)
        return emit("select", emit("ne", x, x), nan, limited)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        x = inputs[0]
        masks = (x - x == 0, isnan(x), x == np.inf, x == -np.inf)
        return tuple([where(mask, dy, 0.0) for mask in masks])

    def oracle(self, x: np.ndarray, nan: np.ndarray, high: np.ndarray, low: np.ndarray) -> np.ndarray:
        limited = np.where(x == np.inf, high, np.where(x == -np.inf, low, x))
        return np.where(np.isnan(x), nan, limited)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.array([[0.5, np.nan, np.inf], [-np.inf, -2.0, 3.0]])
        return [((x, 0.0, 9.0, -9.0), {}), ((x[1, 1:], 1.0, 2.0, np.array([3.0, 4.0])), {})]


_NAN_TO_NUM = register(NanToNum())


@graph_function
def nan_to_num(x: Any, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Tensor:
    """x with numbers in place of NaN, ∞ and −∞ (None: the largest and the smallest finite number of the type).

    Integers stay as they are.  The derivative for x is 1 where x is finite, else 0.

    >>> import mathnet as mn
    >>> mn.nan_to_num([1.0, float("nan"), float("-inf")], neginf=-5.0)
    array([ 1.,  0., -5.])
    """
    x = as_tensor(x, "nan_to_num: x")
    if not is_float(x.dtype):
        return x
    limits = np.finfo(x.dtype)
    high = constant(float(limits.max)) if posinf is None else as_tensor(posinf, "nan_to_num: posinf")
    low = constant(float(limits.min)) if neginf is None else as_tensor(neginf, "nan_to_num: neginf")
    return _NAN_TO_NUM(x, as_tensor(nan, "nan_to_num: nan"), high, low)
