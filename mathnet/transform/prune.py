"""Pruning: results of an operation that nobody reads are not computed.

An operation with several outputs may offer ``prune(node, used) -> (needed, build)``: the positions of the inputs that the outputs in
``used`` need, and a function that makes the reduced node from those inputs and returns one tensor, or None, for each old output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mathnet.graph.graph import Graph
from mathnet.graph.tensor import Node, Tensor


def prune(graph: Graph) -> Graph:
    """The graph without outputs that nobody reads, where the operations can leave them out."""
    if all(node.op.prune is None for node in graph.nodes):
        return graph
    used = {id(t) for t in graph.results}
    builders: dict[int, tuple[Sequence[int], Callable]] = {}
    for node in reversed(graph.nodes):
        if not any(id(t) in used for t in node.outputs):
            continue
        reduce = node.op.prune
        found = (
            reduce(node, {k for k, t in enumerate(node.outputs) if id(t) in used})
            if reduce is not None
            else None
        )
        if found is None:
            used.update(id(t) for t in node.inputs)
        else:
            builders[id(node)] = found
            used.update(id(node.inputs[k]) for k in found[0])

    def reduced(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
        if id(node) not in builders:
            return None
        needed, build = builders[id(node)]
        made = build([inputs[k] for k in needed])
        return [old if new is None else new for old, new in zip(node.outputs, made)]

    return graph.replace(reduced)
