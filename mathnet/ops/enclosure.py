"""Bodies: what a loop or branch runs as a graph of its own, with everything that it takes from outside as an input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.graph import Rewriter, walk
from mathnet.graph.op import CONSTANT, FUNCTIONS, LEAVES, as_tensor, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import current_trace
from mathnet.graph.tree import Structure


def enclose(
    results: Sequence[Tensor],
    arguments: Sequence[Tensor],
    outer: Mapping[Tensor, Tensor] | None = None,
    since: int | None = None,
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """(stand-ins, values outside, results): ``results`` rewritten so that they use ``arguments`` and the stand-ins alone.

    What does not depend on ``arguments`` stays outside; with ``since`` what is older than the node of that number does.  ``outer``
    gives the values outside of other tensors that stand for constants.
    """
    own = {id(t) for t in arguments}
    if since is None:
        for node in walk(results, stop=arguments):
            if any(id(t) in own for t in node.inputs):
                own.update(id(t) for t in node.outputs)
    given = {id(t) for t in arguments}
    fixed: dict[int, Tensor] = {}
    seen: set[int] = set()
    pending = list(reversed(results))
    while pending:
        tensor = pending.pop()
        node = tensor.node
        if id(tensor) in given or node.op is CONSTANT:
            continue
        inside = id(tensor) in own if since is None else node.number >= since and node.op not in LEAVES
        if not inside:
            fixed[id(tensor)] = tensor
        elif id(node) not in seen:
            seen.add(id(node))
            pending.extend(reversed(node.inputs))
    outside = Rewriter(outer).run(list(fixed.values()))
    stand_ins = {t: input_tensor(t.spec, "constant") for t in fixed.values()}
    return list(stand_ins.values()), outside, Rewriter(stand_ins).run(results)


@contextmanager
def frozen_states(reason: str) -> Iterator[None]:
    """A body is traced: states cannot be assigned."""
    trace = current_trace()
    before = None if trace is None else trace.frozen_state
    if trace is not None:
        trace.frozen_state = reason
    try:
        yield
    finally:
        if trace is not None:
            trace.frozen_state = before


def zeros(spec: Spec) -> Tensor:
    return FUNCTIONS["zeros"](spec.shape, spec.dtype)


def total(parts: Sequence[Tensor | None], spec: Spec) -> Tensor:
    """The sum of what is not None; zeros when nothing is left."""
    present = [p for p in parts if p is not None]
    if not present:
        return zeros(spec)
    found = present[0]
    for part in present[1:]:
        found = FUNCTIONS["add"](found, part)
    return found if found.dtype == spec.dtype else FUNCTIONS["cast"](found, spec.dtype)


def matched(
    leaves: Sequence[Any], structure: Structure, like: Sequence[Spec], wanted: Structure, where: str
) -> list[Tensor]:
    """What a body returned as tensors of the structure, shapes and types that it must have; weak numbers take the type."""
    if kinds(structure) != kinds(wanted):
        raise ShapeError(f"{where} has the structure {shown(structure)}, but {shown(wanted)} is needed")
    found = [as_tensor(leaf, where) for leaf in leaves]
    for k, (tensor, spec) in enumerate(zip(found, like)):
        if tensor.shape != spec.shape:
            raise ShapeError(
                f"{where}: array {k} has shape {show_shape(tensor.shape)}, but {show_shape(spec.shape)} is needed"
            )
        if tensor.dtype == spec.dtype:
            continue
        order = "biuf"
        if not tensor.spec.weak or order.index(tensor.dtype.kind) > order.index(spec.dtype.kind):
            raise DTypeError(
                f"{where}: array {k} has element type {tensor.dtype}, but {spec.dtype} is needed; convert it with mn.cast"
            )
        found[k] = FUNCTIONS["cast"](tensor, spec.dtype)
    return found


def kinds(structure: Structure) -> tuple:
    return structure.kind, structure.keys, tuple([kinds(c) for c in structure.children])


def shown(structure: Structure) -> str:
    """``(*, {'a': *})``: a structure as text, with a star for each array."""
    if structure.kind == "leaf":
        return "*"
    if structure.kind == "none":
        return "None"
    inside = [shown(c) for c in structure.children]
    if structure.kind == "dict":
        return "{" + ", ".join(f"{k!r}: {c}" for k, c in zip(structure.keys, inside)) + "}"
    return "[" + ", ".join(inside) + "]" if structure.kind == "list" else "(" + ", ".join(inside) + ")"
