"""A model's graph as a flat list of nodes: what pickles (with live objects) and files (as JSON) store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mathnet.errors import ArgumentError, FileFormatError
from mathnet.graph.graph import Graph
from mathnet.graph.op import OPS, VARIABLE
from mathnet.graph.tensor import Tensor

if TYPE_CHECKING:
    from mathnet.model.model import Model
    from mathnet.model.values import Decoder, Encoder


def freeze_graph(graph: Graph) -> dict[str, Any]:
    """Nodes in order, each as (operation, inputs as (node, output) numbers, attributes); no recursion, so depth does not matter."""
    nodes = list(graph.nodes)
    known = {id(node) for node in nodes}
    nodes += [t.node for t in graph.inputs if id(t.node) not in known]  # inputs that no output needs
    number = {id(node): index for index, node in enumerate(nodes)}

    def place(tensor: Tensor) -> tuple[int, int]:
        return number[id(tensor.node)], tensor.index

    return {
        "nodes": [(_named(node.op), [place(t) for t in node.inputs], dict(node.attrs)) for node in nodes],
        "inputs": [place(t) for t in graph.inputs],
        "outputs": [place(t) for t in graph.outputs],
    }


def _named(op: Any) -> Any:
    """The name of an operation in the table; the operation itself when it stands in none."""
    name = op.name
    return name if OPS.get(name) is op else op


def thaw_graph(frozen: dict[str, Any], name: str) -> Graph:
    """The graph of :func:`freeze_graph` again; every shape rule runs anew."""
    made: list[tuple[Tensor, ...]] = []

    def at(place: Any) -> Tensor:
        node, output = place
        if not 0 <= node < len(made):
            raise FileFormatError(f"the description refers to node {node}, which does not come before")
        return made[node][output]

    for op, inputs, attrs in frozen["nodes"]:
        found = OPS.get(op) if isinstance(op, str) else op
        if found is None:
            raise FileFormatError(
                f"there is no operation {op!r} here; it comes from a newer mathnet or from a plugin that is not installed"
            )
        outputs = found(*[at(place) for place in inputs], **attrs)
        made.append(outputs if isinstance(outputs, tuple) else (outputs,))
    return Graph([at(p) for p in frozen["inputs"]], [at(p) for p in frozen["outputs"]], name=name)


def describe(model: Model, encoder: Encoder) -> dict[str, Any]:
    """A model as JSON; its layers and arrays go to the tables of ``encoder``."""
    frozen = freeze_graph(model.graph)
    nodes = []
    for op, inputs, attrs in frozen["nodes"]:
        if not isinstance(op, str):
            plugin = getattr(op, "plugin", None)
            if plugin is None:
                raise ArgumentError(
                    f"{encoder.owner} cannot be saved: operation {op.name!r} is not registered"
                )
            op = encoder.encode(plugin, f"operation {plugin.key!r}")
        if op == VARIABLE.name:
            raise ArgumentError(
                f"{encoder.owner} cannot be saved: its graph uses the weight {attrs['variable'].name!r} outside of a layer's call"
            )
        if any(isinstance(value, Graph) for value in attrs.values()):
            raise ArgumentError(
                f"{encoder.owner} cannot be saved: it holds a loop ({op!r}) outside of its layers; put the loop into the call of a Layer"
            )
        where = f"operation {op!r}"
        nodes.append(
            {
                "op": op,
                "inputs": [list(p) for p in inputs],
                "attrs": {k: encoder.encode(v, f"{k} of {where}") for k, v in attrs.items()},
            }
        )
    return {
        "nodes": nodes,
        "inputs": [list(p) for p in frozen["inputs"]],
        "outputs": [list(p) for p in frozen["outputs"]],
        "input_names": model.input_names,
        "input_structure": encoder.encode(model._input_structure, "inputs"),
        "output_structure": encoder.encode(model._output_structure, "outputs"),
    }


def _operation(coded: Any, decoder: Decoder) -> Any:
    """An operation of the table by name; one of a plugin made anew."""
    return coded if isinstance(coded, str) else decoder.decode(coded).operation()


def build(coded: dict[str, Any], decoder: Decoder, name: str | None) -> Model:
    """The model that :func:`describe` described, with new layers."""
    from mathnet.model.model import Model

    decode: Callable[[Any], Any] = decoder.decode
    frozen = {
        "nodes": [
            (_operation(n["op"], decoder), n["inputs"], {k: decode(v) for k, v in n["attrs"].items()})
            for n in coded["nodes"]
        ],
        "inputs": coded["inputs"],
        "outputs": coded["outputs"],
    }
    model = Model.__new__(Model)
    model.__setstate__(
        {
            "name": name, "config": {"name": name}, "nodes": frozen, "input_names": list(coded["input_names"]),
            "inputs": decode(coded["input_structure"]), "outputs": decode(coded["output_structure"]),
        }
    )  # fmt: skip
    return model
