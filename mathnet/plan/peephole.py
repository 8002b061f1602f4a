"""Pairs of opcodes that one opcode does in one pass over the block.

Each combination rounds where its parts round, so no bit of a result depends on what was combined.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mathnet.graph.dtypes import INT64
from mathnet.plan.program import Value, in_order

# (opcode, opcode of one argument, its position or None for either) → the combination of (argument, the other argument)
Rule = Callable[[Value, Value], Value]


def _of(opcode: str) -> Rule:
    """``opcode`` of the inner operation's arguments and the other argument; the immediate is the inner one's."""
    return lambda inner, other: Value(opcode, (*inner.args, other), inner.immediate)


_RULES: dict[tuple[str, str], tuple[int | None, Rule]] = {
    ("add", "mul"): (None, _of("mul_add")),
    ("add", "mul_imm"): (None, _of("mul_imm_add")),
    ("add", "square"): (None, lambda inner, other: Value("mul_add", (inner.args[0], inner.args[0], other))),
    ("sub", "mul"): (None, _of("mul_sub")),
    ("mul", "mul"): (None, _of("mul_mul")),
    ("mul", "square"): (None, lambda inner, other: Value("mul_mul", (inner.args[0], inner.args[0], other))),
    ("mul", "mul_imm"): (None, _of("mul_imm_mul")),
    ("mul", "sigmoid"): (None, _of("sigmoid_mul")),
    ("mul", "sigmoid_scaled"): (None, _of("sigmoid_scaled_mul")),
    ("div", "mul"): (0, _of("mul_div")),
    ("mul_imm", "mul"): (0, lambda inner, other: Value("mul3", inner.args, other.immediate)),
}


def combine(outputs: Sequence[Value], real: np.dtype) -> list[Value]:
    """The same outputs with combined opcodes; an inner value that is read elsewhere stays what it is."""
    if real == INT64:
        return list(outputs)
    order = in_order(outputs)
    uses = _uses(outputs, order)
    new: dict[int, Value] = {}
    for value in order:
        if value.op == "input":
            new[id(value)] = value
            continue
        args = tuple([new[id(a)] for a in value.args])
        made = _combined(value, args, uses)
        if made is None:
            made = (
                value
                if all(a is b for a, b in zip(args, value.args))
                else Value(value.op, args, value.immediate)
            )
        new[id(value)] = made
        uses[id(made)] = uses[id(value)]
    return [new[id(v)] for v in outputs]


def _combined(value: Value, args: tuple[Value, ...], uses: dict[int, int]) -> Value | None:
    if value.op == "mul_imm" and args[0].op == "mul" and uses[id(args[0])] == 1:
        return _RULES["mul_imm", "mul"][1](args[0], value)
    if len(args) != 2:
        return None
    if value.op == "sub" and args[1].op == "mul_div" and uses[id(args[1])] == 1:
        return Value("sub_mul_div", (*args[1].args, args[0]))
    for position, inner in enumerate(args):
        rule = _RULES.get((value.op, inner.op))
        if rule is None or uses[id(inner)] != 1 or rule[0] not in (None, position):
            continue
        other = args[1 - position]
        if value.op == "sub" and position == 1:
            return Value("sub_mul", (*inner.args, other))
        return _wider(rule[1](inner, other), uses)
    return None


def _wider(value: Value, uses: dict[int, int]) -> Value:
    """Combinations of three: what a pair was made of may take in one of its own arguments."""

    def taken(k: int, op: str) -> bool:
        return value.args[k].op == op and uses[id(value.args[k])] == 1

    if value.op == "mul_add":
        x, y, z = value.args
        if taken(0, "sqrt"):
            return Value("sqrt_mul_add", (x.args[0], y, z))
        if taken(2, "mul"):
            return Value("mul_add_mul", (x, y, *z.args))
        if taken(2, "mul_mul") and z.args[0] is z.args[1]:
            return Value("mul_add_square_mul", (x, y, *z.args[1:]))
    return value


def _uses(outputs: Sequence[Value], order: Sequence[Value]) -> dict[int, int]:
    """How often each value is read (an output counts as a reader)."""
    uses: dict[int, int] = {}
    for value in (*outputs, *[a for reader in order for a in reader.args]):
        uses[id(value)] = uses.get(id(value), 0) + 1
    return uses
