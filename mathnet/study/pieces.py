"""A graph of one number as expressions: one for each interval between the places where a condition changes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from mathnet.graph.op import CONSTANT, INPUT
from mathnet.graph.tensor import Node, Tensor
from mathnet.study.expression import (
    ONE,
    ZERO,
    Expression,
    X,
    add,
    call,
    multiply,
    number,
    power,
    root,
    scale,
    value,
)  # fmt: skip


class Piece(NamedTuple):
    """An expression that holds from the piece before up to ``end`` (∞ for the last)."""

    expression: Expression
    end: float


class NotPiecewise(Exception):
    """A condition changes at places that are not known in closed form."""


def pieces(tensor: Tensor) -> list[Piece]:
    """The expressions of ``tensor``, in the order of their intervals; one that holds its conditions where these cannot be resolved."""
    try:
        return _resolved(tensor)
    except NotPiecewise:
        return [Piece(_Reader(None).read(tensor), math.inf)]


def _resolved(tensor: Tensor) -> list[Piece]:
    ends: set[float] = set()
    for _ in range(8):
        borders = [-math.inf, *sorted(ends), math.inf]
        readers = [_Reader(_inside(low, high)) for low, high in pairwise(borders)]
        found = [Piece(reader.read(tensor), high) for reader, high in zip(readers, borders[1:])]
        new = {place for reader in readers for place in reader.places} - ends
        if not new:
            return _joined(found)
        ends |= new
    raise NotPiecewise


def _inside(low: float, high: float) -> float:
    """A point inside of an interval, no special number of any formula."""
    if math.isinf(low):
        return 0.2718 if math.isinf(high) else high - 0.7345
    return low + 0.7345 if math.isinf(high) else low + 0.4342 * (high - low)


def _joined(found: list[Piece]) -> list[Piece]:
    """Neighbours with the same expression as one."""
    kept: list[Piece] = []
    for piece in found:
        if kept and kept[-1].expression == piece.expression:
            kept.pop()
        kept.append(piece)
    return kept


class _Reader:
    """Reads a graph as it is around one point; ``places`` collects where a condition that was met changes.

    at: None leaves conditions as they are.
    """

    def __init__(self, at: float | None) -> None:
        self.at = at
        self.places: set[float] = set()
        self._seen: dict[Any, Any] = {}

    def read(self, tensor: Tensor) -> Expression:
        key = (tensor.node, tensor.index)
        if key not in self._seen:
            self._seen[key] = self._read(tensor.node)
        return self._seen[key]

    def _read(self, node: Node) -> Any:
        if node.op is INPUT:
            return X
        if node.op is CONSTANT:
            return number(float(node.attrs["value"]))
        arguments = [self.read(t) for t in node.inputs]
        name = node.op.name
        if name in _COMPARE and self.at is not None:
            return number(float(_COMPARE[name](self._sign(*arguments), 0.0)))
        if name in _LOGICAL and self.at is not None:
            return number(float(_LOGICAL[name](*[a[1] for a in arguments])))
        if name == "where":
            return self._chosen(*arguments)
        if name == "relu_mask":
            return self.positive(arguments[1], arguments[0], ZERO)
        if name in ("maximum", "minimum") and self.at is not None:
            first = self._sign(*arguments) * (1 if name == "maximum" else -1) >= 0
            return arguments[0] if first else arguments[1]
        if name in _BY_CASES:
            return _BY_CASES[name](self, *arguments)
        if name in _OF_ONE and all(t.size == 1 for t in (*node.inputs, *node.outputs)):
            return arguments[0]
        if node.attrs.get("approximate") == "tanh":
            return _gelu_by_tanh(*arguments)
        rule = _RULES.get(name)
        if rule is not None:
            return rule(*arguments)
        settings = [
            number(v) for v in node.attrs.values() if isinstance(v, (int, float))
        ]  # such as n of polygamma
        return call(name, *settings, *arguments)

    def _chosen(self, condition: Expression, a: Expression, b: Expression) -> Expression:
        if condition[0] != "number":
            if self.at is not None:
                raise NotPiecewise
            return call("where", condition, a, b)
        return a if condition[1] else b

    def _sign(self, a: Expression, b: Expression = ZERO) -> float:
        """The sign of a − b here."""
        difference = add(a, scale(b, -1.0))
        try:
            place = root(difference)
        except ValueError:
            raise NotPiecewise from None
        if place is not None:
            self.places.add(place + 0.0)  # no negative zero
        assert self.at is not None
        return float(np.sign(value(difference, self.at)))

    def positive(self, x: Expression, above: Expression, below: Expression) -> Expression:
        if self.at is None:
            return call("where", call("greater", x, ZERO), above, below)
        return above if self._sign(x) > 0 else below

    def clipped(self, x: Expression, low: Expression, high: Expression) -> Expression:
        if self.at is None:
            return call("minimum", call("maximum", x, low), high)
        if self._sign(x, low) <= 0:
            return low
        return high if self._sign(x, high) >= 0 else x


def _exp_minus_one(x: Expression) -> Expression:
    return call("expm1", x)


def _gelu_by_tanh(x: Expression) -> Expression:
    """x/2·(1 + tanh u) = x·σ(2u)."""
    u = scale(add(x, scale(power(x, 3.0), 0.044715)), math.sqrt(8.0 / math.pi))
    return multiply(x, call("sigmoid", u))


def _normal_density(x: Expression) -> Expression:
    return scale(call("exp", scale(power(x, 2.0), -0.5)), 1.0 / math.sqrt(2.0 * math.pi))


def _sixth(x: Expression) -> Expression:
    return add(scale(x, 1.0 / 6.0), number(0.5))


_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "greater": lambda a, b: a > b,
    "greater_equal": lambda a, b: a >= b,
    "less": lambda a, b: a < b,
    "less_equal": lambda a, b: a <= b,
    "equal": lambda a, b: a == b,
    "not_equal": lambda a, b: a != b,
}
#: Operations that leave a single element as it is.
_OF_ONE = frozenset(
    ("reshape", "squeeze", "expand_dims", "broadcast_to", "transpose", "sum", "mean", "max", "min")
)
_LOGICAL: dict[str, Callable[..., bool]] = {
    "logical_and": lambda a, b: bool(a and b),
    "logical_or": lambda a, b: bool(a or b),
    "logical_not": lambda a: not a,
}
#: Operations that are other expressions on each side of a kink.
_BY_CASES: dict[str, Callable[..., Expression]] = {
    "relu": lambda r, x: r.positive(x, x, ZERO),
    "relu6": lambda r, x: r.clipped(x, ZERO, number(6.0)),
    "leaky_relu": lambda r, x, slope: r.positive(x, x, multiply(slope, x)),
    "elu": lambda r, x, alpha: r.positive(x, x, multiply(alpha, _exp_minus_one(x))),
    "elu_slope": lambda r, x, alpha: r.positive(x, ONE, multiply(alpha, call("exp", x))),
    "celu": lambda r, x, alpha: r.positive(
        x, x, multiply(alpha, _exp_minus_one(multiply(x, power(alpha, -1.0))))
    ),
    "selu": lambda r, x: scale(
        r.positive(x, x, scale(_exp_minus_one(x), 1.6732632423543772)), 1.0507009873554805
    ),
    "clip": lambda r, x, low, high: r.clipped(x, low, high),
    "hard_tanh": lambda r, x, low, high: r.clipped(x, low, high),
    "hard_sigmoid": lambda r, x: r.clipped(_sixth(x), ZERO, ONE),
    "hard_swish": lambda r, x: multiply(x, r.clipped(_sixth(x), ZERO, ONE)),
}
#: Operations as expressions of others.
_RULES: dict[str, Callable[..., Expression]] = {
    "add": add,
    "subtract": lambda a, b: add(a, scale(b, -1.0)),
    "multiply": multiply,
    "divide": lambda a, b: multiply(a, power(b, -1.0)),
    "reciprocal": lambda a: power(a, -1.0),
    "negative": lambda a: scale(a, -1.0),
    "square": lambda a: power(a, 2.0),
    "sqrt": lambda a: power(a, 0.5),
    "rsqrt": lambda a: power(a, -0.5),
    "power": lambda a, b: power(a, b[1]) if b[0] == "number" else call("power", a, b),
    "cast": lambda a: a,
    "identity": lambda a: a,
    "one_minus_square": lambda y: add(ONE, scale(power(y, 2.0), -1.0)),
    "sigmoid_slope": lambda y: multiply(y, add(ONE, scale(y, -1.0))),
    "gaussian": lambda x: call("exp", scale(power(x, 2.0), -0.5)),
    "gelu": lambda x: multiply(x, call("normal_cdf", x)),
    "normal_gate": lambda x: multiply(x, call("normal_cdf", x)),
    "normal_gate_slope": lambda x: add(call("normal_cdf", x), multiply(x, _normal_density(x))),
    "silu": lambda x: multiply(x, call("sigmoid", x)),
    "silu_slope": lambda x: add(
        call("sigmoid", x), multiply(x, call("sigmoid", x), add(ONE, scale(call("sigmoid", x), -1.0)))
    ),
    "mish": lambda x: multiply(x, call("tanh", call("softplus", x))),
    "softsign": lambda x: multiply(x, power(add(ONE, call("abs", x)), -1.0)),
    "tanh_shrink": lambda x: add(x, scale(call("tanh", x), -1.0)),
    "log_sigmoid": lambda x: scale(call("softplus", scale(x, -1.0)), -1.0),
}
