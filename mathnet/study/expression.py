"""Expressions in one unknown: sums and products in a normal form, so that what cancels is not written.

An expression is a nested tuple: ``("x",)``, ``("number", c)``, ``("call", name, *arguments)``, ``("sum", ((base, coefficient), …))`` or
``("product", ((base, exponent), …))``.  Only the functions below make sums and products.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Expression = tuple[Any, ...]
X: Expression = ("x",)
ONE: Expression = ("number", 1.0)
ZERO: Expression = ("number", 0.0)

_VALUES: dict[str, Any] = {
    "exp": math.exp,
    "log": math.log,
    "sigmoid": lambda x: 1.0 / (1.0 + math.exp(-x)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "normal_cdf": lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0)),
    "abs": abs,
    "sign": lambda x: float((x > 0) - (x < 0)),
    **{
        name: getattr(math, name)
        for name in ("tanh", "sin", "cos", "tan", "sinh", "cosh", "erf", "erfc", "lgamma")
    },
    **{name: getattr(math, name) for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")},
}


def number(value: float) -> Expression:
    return ("number", float(value))


def terms(e: Expression) -> tuple[tuple[Expression, float], ...]:
    """(base, coefficient) of each term."""
    if e[0] == "number":
        return ((ONE, e[1]),)
    return e[1] if e[0] == "sum" else ((e, 1.0),)


def _of_terms(found: Iterable[tuple[Expression, float]]) -> Expression:
    merged: dict[Expression, float] = {}
    for base, coefficient in found:
        merged[base] = merged.get(base, 0.0) + coefficient
    kept = tuple((base, c) for base, c in merged.items() if abs(c) > 1e-15)
    if not kept:
        return ZERO
    if len(kept) == 1 and kept[0][0] == ONE:
        return number(kept[0][1])
    return kept[0][0] if len(kept) == 1 and kept[0][1] == 1.0 else ("sum", kept)


def add(*summands: Expression) -> Expression:
    return _of_terms(term for e in summands for term in terms(e))


def scale(e: Expression, factor: float) -> Expression:
    """factor · e; a sum of several terms stays together unless only its sign changes."""
    found = terms(e)
    if len(found) > 1 and abs(factor) != 1.0:
        return _of_terms([(e, factor)])
    return _of_terms((base, factor * c) for base, c in found)


def _factors(e: Expression) -> tuple[float, tuple[tuple[Expression, float], ...]]:
    """The number in front, and (base, exponent) of each other factor."""
    if e[0] == "number":
        return e[1], ()
    if e[0] == "sum" and len(e[1]) == 1:
        ((base, coefficient),) = e[1]
        inner, found = _factors(base)
        return coefficient * inner, found
    return 1.0, e[1] if e[0] == "product" else ((e, 1.0),)


def multiply(*parts: Expression) -> Expression:
    front = 1.0
    merged: dict[Expression, float] = {}
    for part in parts:
        coefficient, found = _factors(part)
        front *= coefficient
        for base, exponent in found:
            merged[base] = merged.get(base, 0.0) + exponent
    kept = tuple((base, p) for base, p in merged.items() if p != 0.0)
    if not kept or front == 0.0:
        return number(front)
    alone = len(kept) == 1 and kept[0][1] == 1.0
    return scale(kept[0][0] if alone else ("product", kept), front)


def power(e: Expression, exponent: float) -> Expression:
    if e[0] == "number" and (e[1] > 0 or (exponent == int(exponent) and e[1] != 0)):
        return number(e[1] ** exponent)
    front, found = _factors(e)
    if exponent == int(exponent) or (front > 0 and len(found) == 1 and found[0][1] == 1.0):
        raised = tuple((base, p * exponent) for base, p in found)
        return multiply(number(front**exponent), *[("product", (pair,)) for pair in raised])
    return ("product", ((e, exponent),))


def call(name: str, *arguments: Expression) -> Expression:
    """A function of expressions; of numbers the value, of sums of one term written out where that is shorter."""
    if name == "expm1":
        return add(call("exp", *arguments), number(-1.0))
    if name == "log1p":
        return call("log", add(ONE, *arguments))
    if len(arguments) == 1 and arguments[0][0] == "number" and name in ("exp", "abs", "sign", "tanh"):
        return number(_VALUES[name](arguments[0][1]))
    return ("call", name, *arguments)


def value(e: Expression, x: float) -> float:
    """The number that an expression is at x; NaN where it has none."""
    try:
        return _value(e, x)
    except (ValueError, ZeroDivisionError, OverflowError, KeyError, TypeError):
        return math.nan


def _value(e: Expression, x: float) -> float:
    if e[0] == "x":
        return x
    if e[0] == "number":
        return e[1]
    if e[0] == "sum":
        return sum(c * _value(base, x) for base, c in e[1])
    if e[0] == "product":
        return math.prod(_value(base, x) ** p for base, p in e[1])
    return float(_VALUES[e[1]](*[_value(a, x) for a in e[2:]]))


def root(e: Expression) -> float | None:
    """Where a·x + b is 0; None for a constant; raises ValueError for what is not linear."""
    found = dict(terms(e))
    slope = found.pop(X, 0.0)
    constant = found.pop(ONE, 0.0)
    if found:
        raise ValueError("not linear")
    return -constant / slope if slope else None
