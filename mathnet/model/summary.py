"""The table that ``model.summary()`` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mathnet.graph.dim import Dim
from mathnet.graph.op import CAPTURE, CONSTANT, INPUT
from mathnet.graph.tensor import Node
from mathnet.model.predict import shared_batch

if TYPE_CHECKING:
    from mathnet.model.model import Model


def summary(model: Model) -> str:
    """One line per input, layer call and operation: name, kind, output shape, number of weights, what it reads."""
    names = {id(layer): name for name, layer in model._layers.items()}
    called: dict[int, str] = {}
    counted: set[int] = set()
    rows = [("name", "kind", "output", "weights", "from")]
    inputs = {id(t.node): name for t, name in zip(model.inputs, model.input_names)}
    for node in model.graph.nodes:
        if node.op in (CONSTANT, CAPTURE):
            continue
        layer = node.attrs.get("layer")
        name = inputs.get(id(node)) or names.get(id(layer)) or node.op.name
        called[id(node)] = name
        weights = 0
        if layer is not None and id(layer) not in counted:
            counted.add(id(layer))
            weights = sum(v.array.size for _, v in layer.named_variables())
        kind = "Input" if node.op is INPUT else type(layer).__name__ if layer is not None else "operation"
        shapes = " ".join(_shown(t.shape) for t in node.outputs)
        rows.append((name, kind, shapes, f"{weights:,}" if weights else "", _sources(node, called)))
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    lines = [
        "  ".join(c.rjust(w) if k == 3 else c.ljust(w) for k, (c, w) in enumerate(zip(r, widths))).rstrip()
        for r in rows
    ]
    lines.insert(1, "─" * max(len(line) for line in lines))
    variables = [v for _, v in model.named_variables()]
    trained = sum(v.array.size for v in variables if v.kind == "parameter" and v.trainable)
    total = sum(v.array.size for v in variables)
    size = sum(v.array.nbytes for v in variables)
    lines.append(f"{total:,} weights, {trained:,} of them trained; {size:,} bytes; computes in {model.dtype}")
    lead = shared_batch(model)
    if lead is not None and not any(isinstance(s, Dim) for t in model.inputs for s in t.shape[1:]):
        plan = model.bound({lead: 1}).plan
        lines.append(f"one example: {plan.flops:,} FLOPs, {plan.nbytes:,} bytes of working memory")
    return "\n".join(lines)


def _shown(shape: tuple) -> str:
    """The batch size and other free ones as None, as Keras users expect."""
    inside = ", ".join("None" if isinstance(size, Dim) else str(size) for size in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"


def _sources(node: Node, called: dict[int, str]) -> str:
    return ", ".join(dict.fromkeys(called[id(t.node)] for t in node.inputs if id(t.node) in called))
