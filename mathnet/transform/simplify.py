"""Graph → graph rewrites that keep every value: expansion, folding of numbers, common subexpressions, identities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import GraphError
from mathnet.graph.graph import Graph, _attr_key
from mathnet.graph.op import CAPTURE, CONSTANT, INPUT, LEAVES, OPS
from mathnet.graph.tensor import Node, Tensor
from mathnet.transform.prune import prune


def simplify(graph: Graph) -> Graph:
    """Every operation one that a plan can run; nothing computed twice; numbers folded."""
    return prune(expand(graph).replace(_Merge()))


def merge(graph: Graph) -> Graph:
    """Numbers folded and equal nodes merged, with every operation as it was written."""
    return graph.replace(_Merge())


def runnable(op: Any) -> bool:
    """Whether a plan has instructions for ``op`` (else its expansion is used)."""
    return (
        op in LEAVES
        or op.transparent
        or op.reduction is not None
        or op.lower is not None
        or op.view is not None
        or getattr(op, "program", None) is not None
    )


def _expandable(graph: Graph) -> bool:
    return any(not runnable(node.op) for node in graph.nodes)


def expand(graph: Graph) -> Graph:
    """Replaces operations without instructions by their expansions, until none is left."""

    def expanded(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if runnable(node.op):
            return None
        if node.op.expansion is None:
            raise GraphError(
                f"operation {node.op.name!r} has neither kernels nor an expansion, so it cannot be run"
            )
        made = node.op.expansion(*inputs, **node.attrs)
        made = (made,) if isinstance(made, Tensor) else tuple(made)
        for old, new in zip(node.outputs, made):
            if old.shape != new.shape or old.dtype != new.dtype:
                raise GraphError(
                    f"the expansion of operation {node.op.name!r} gives {new.spec!r}, but its shape rule says {old.spec!r}"
                )
        return made

    while _expandable(graph):
        graph = graph.replace(expanded)
    return graph


class _Merge:
    """One pass: identities removed, numbers folded, equal nodes merged."""

    def __init__(self) -> None:
        self._nodes: dict[tuple, Sequence[Tensor]] = {}

    def __call__(self, node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        op = node.op
        if op is INPUT or op is CAPTURE:  # each stands for a value of its own
            return None
        if op.transparent:
            return inputs[: len(node.outputs)]
        if op.name in _REWRITES:
            made = _REWRITES[op.name](node, inputs)
            if made is not None:
                return (made,)
        if getattr(op, "program", None) is not None and inputs and all(t.node.op is CONSTANT for t in inputs):
            folded = _fold(node, inputs)
            if folded is not None:
                node, inputs, op = folded.node, (), CONSTANT
        if op.effects:
            return None
        key = (op.name, id(op), tuple([id(t) for t in inputs]), _attr_key(node))
        found = self._nodes.get(key)
        if found is None:
            same = all(a is b for a, b in zip(inputs, node.inputs))
            found = self._nodes[key] = node.outputs if same else _over(node, inputs).outputs
        return found


def _over(node: Node, inputs: tuple[Tensor, ...]) -> Node:
    """The node over equal inputs: its shape rule need not run again."""
    return Node(node.op, inputs, node.attrs, tuple([t.spec for t in node.outputs]), node.site)


# Operations whose result is correctly rounded, so that NumPy gives the bits of the kernels in every type.
_EXACT = ("add", "subtract", "multiply", "divide", "negative", "sqrt", "square", "reciprocal")


def _fold(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """The number that an operation on numbers gives, where that is the number that the kernels would give."""
    spec = node.outputs[0].spec
    if len(node.outputs) != 1 or spec.shape != () or not (spec.weak or node.op.name in _EXACT):
        return None
    real = node.op.real([t.spec for t in inputs], spec)  # type: ignore[attr-defined]
    with np.errstate(all="ignore"):
        value = node.op.oracle(*[np.asarray(t.node.attrs["value"], real) for t in inputs], **node.attrs)
    return CONSTANT(spec=spec, value=np.asarray(value).astype(spec.dtype).item())


def _number(tensor: Tensor) -> Any:
    return tensor.node.attrs["value"] if tensor.node.op is CONSTANT else None


def _same(node: Node, tensor: Tensor) -> bool:
    return tensor.spec == node.outputs[0].spec


def _multiply(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    for a, b in (inputs, inputs[::-1]):
        if _number(b) == 1 and _same(node, a):
            return a
    return None


def _divide(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    return inputs[0] if _number(inputs[1]) == 1 and _same(node, inputs[0]) else None


def _subtract(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    number = _number(inputs[1])
    return inputs[0] if number == 0 and str(number) in ("0", "0.0") and _same(node, inputs[0]) else None


def _power(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """Exponents that a cheaper operation gives exactly."""
    base, exponent = inputs[0], _number(inputs[1])
    if base.dtype.kind != "f" or base.spec != node.outputs[0].spec or exponent is None:
        return None
    if exponent == 1:
        return base
    name = {2: "square", -1: "reciprocal"}.get(exponent)
    return OPS[name](base) if name in OPS else None


def _cast(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    number, spec = _number(inputs[0]), node.outputs[0].spec
    if number is None:
        return None
    return CONSTANT(spec=spec, value=np.asarray(number).astype(spec.dtype).item())


def _reduce_single(node: Node, inputs: tuple[Tensor, ...]) -> Tensor | None:
    """A reduction over axes of size 1 only: the elements themselves."""
    (x,), result = inputs, node.outputs[0]
    axes = node.op.axes(x.spec, **node.attrs)  # type: ignore[attr-defined]
    if x.dtype != result.dtype or any(x.shape[a] != 1 for a in axes):
        return None
    return x if x.shape == result.shape else OPS["reshape"](x, shape=result.shape)


_REWRITES = {
    "sum": _reduce_single,
    "prod": _reduce_single,
    "max": _reduce_single,
    "min": _reduce_single,
    "cast": _cast,
    "multiply": _multiply,
    "divide": _divide,
    "subtract": _subtract,
    "power": _power,
}
