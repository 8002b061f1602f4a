"""What a graph must fulfil to be a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathnet.errors import ArgumentError, GraphError
from mathnet.graph.graph import Graph
from mathnet.graph.op import INPUT, VARIABLE
from mathnet.graph.tensor import Tensor


def check_inputs(given: Sequence[Any], owner: str) -> None:
    """Raises unless ``given`` are distinct results of :func:`Input`, at least one."""
    if not given:
        raise ArgumentError(f"{owner} has no inputs; start it with mn.Input(shape)")
    for tensor in given:
        if not isinstance(tensor, Tensor) or tensor.node.op is not INPUT:
            raise GraphError(f"{owner}: inputs must come from mn.Input(shape), not {tensor!r}")
    if len({id(t) for t in given}) != len(given):
        raise ArgumentError(f"{owner}: an Input is given twice among the inputs")


def check_reachable(graph: Graph, owner: str) -> None:
    """Raises when the graph needs an Input that is not among its inputs."""
    known = {id(t) for t in graph.inputs}
    for node in graph.nodes:
        if node.op is INPUT and id(node.outputs[0]) not in known:
            raise GraphError(
                f"{owner}: an output needs the Input {node.attrs['name'] or node.outputs[0]!r}, which is not among the inputs"
            )


def check_owned(graph: Graph, owned: set[int], owner: str) -> None:
    """A weight that is read outside of a layer's call must belong to a layer of the model: else it would never be trained."""
    for node in graph.all_nodes:
        variable: Any = node.attrs.get("variable")
        if node.op is VARIABLE and variable.kind == "parameter" and id(variable) not in owned:
            raise GraphError(
                f"{owner}: an output uses the weight {variable.name!r} of a layer whose call is no node of the model (it was called inside "
                "a transform of arrays), so it would not be trained; put the computation into the call of a Layer of your own"
            )
