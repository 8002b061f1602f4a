"""Draws without an array: Bernoulli draws that elementwise programs make in the block that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mathnet.graph.tensor import Tensor
from mathnet.plan.elementwise import MAX_OPERANDS
from mathnet.transform.fuse import Unit


def find_draws(units: Sequence[Unit], results: Iterable[Tensor]) -> dict[int, Unit | None]:
    """Id of a draw that needs no instruction of its own → the unit that keeps its elements, or None.

    A draw that one unit reads is never stored.  Where several do, the gradient of dropout among them, the first one stores what it
    draws beside its outputs, for reading a mask costs less than drawing it again.  What is read otherwise is written by the
    operation's kernel.
    """
    readers: dict[int, list[Unit]] = {}
    for unit in units:
        for tensor in unit.inputs:
            readers.setdefault(id(tensor), []).append(unit)
    stored = {id(t) for t in results}
    found: dict[int, Unit | None] = {}
    operands: dict[int, int] = {}
    for unit in units:
        draw = unit.nodes[0].outputs[0]
        if not hasattr(unit.nodes[0].op, "drawn") or id(draw) in stored or not draw.size:
            continue
        users = readers.get(id(draw), [])
        if not users or not all(_is_program(user) for user in users):
            continue
        if len(users) == 1:
            found[id(draw)] = None
            continue
        first = users[0]
        count = operands.setdefault(id(first), len(first.inputs) + len(first.outputs))
        if _can_keep(first, draw) and count < MAX_OPERANDS:
            operands[id(first)] += 1
            found[id(draw)] = first
    return found


def _is_program(unit: Unit) -> bool:
    """Whether the unit is one elementwise program, with or without a reduction."""
    return unit.kind in ("elementwise", "reduce") or getattr(unit.nodes[0].op, "reduction", None) is not None


def _can_keep(unit: Unit, draw: Tensor) -> bool:
    """Whether the unit's program runs over the draw's shape, in its type."""
    if unit.kind != "elementwise" or unit.outputs[0].shape != draw.shape:
        return False
    node = unit.nodes[0]
    real = node.op.real([t.spec for t in node.inputs], node.outputs[0].spec)  # type: ignore[attr-defined]
    return bool(real == draw.dtype)
