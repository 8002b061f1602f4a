"""Reverse accumulation: the derivative of a graph is a graph.

Every node hands the cotangents of its outputs to its operation's ``vjp``, which builds the cotangents of its
inputs from visible values only.  The result is made of ordinary nodes, so it can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mathnet.errors import GradientError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.graph import walk
from mathnet.graph.op import FUNCTIONS, NoDerivative, Op, as_tensor
from mathnet.graph.tensor import Node, Tensor, site_of
from mathnet.ops.control import identity


def gradient(
    outputs: Sequence[Tensor], cotangents: Sequence[Tensor | None], wrt: Sequence[Tensor]
) -> list[Tensor | None]:
    """Cotangents of ``wrt``: for each w, Σᵢ cotangentᵢ · ∂outputᵢ/∂w, also through other members of ``wrt``.

    cotangents: one per output, of its shape; None stands for zero.  A None in the result says that no output
    depends on that tensor in a differentiable way.  Raises GradientError where a path has an operation
    without a derivative.
    """
    for position, (output, cotangent) in enumerate(zip(outputs, cotangents)):
        if cotangent is not None and cotangent.shape != output.shape:
            raise ShapeError(
                f"gradient: output {position} has shape {show_shape(output.shape)}, "
                f"but its cotangent has shape {show_shape(cotangent.shape)}"
            )
    return accumulate(walk(outputs), outputs, cotangents, wrt)


def accumulate(
    nodes: Sequence[Node],
    outputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    wrt: Sequence[Tensor],
) -> list[Tensor | None]:
    """:func:`gradient` over a given topological order, which may be a part of the graph."""
    active = dependents(nodes, wrt)
    total: dict[int, Tensor] = {}

    def contribute(tensor: Tensor, cotangent: Tensor) -> None:
        known = total.get(id(tensor))
        total[id(tensor)] = cotangent if known is None else FUNCTIONS["add"](known, cotangent)

    for output, cotangent in zip(outputs, cotangents):
        if cotangent is not None and id(output) in active:
            contribute(output, _of_type(cotangent, output))
    for node in reversed(nodes):
        if not any(id(t) in total for t in node.outputs) or not any(id(t) in active for t in node.inputs):
            continue
        arriving = tuple([total.get(id(t)) for t in node.outputs])
        with site_of(node.site):
            for position, (tensor, cotangent) in enumerate(zip(node.inputs, node_vjp(node, arriving))):
                if cotangent is not None and id(tensor) in active:
                    contribute(tensor, _checked(node, position, tensor, cotangent))
    return [total.get(id(t)) for t in wrt]


def dependents(nodes: Iterable[Node], wrt: Iterable[Tensor]) -> set[int]:
    """Ids of the float tensors that depend on ``wrt`` through float tensors, themselves included."""
    active = {id(t) for t in wrt if is_float(t.dtype)}
    for node in nodes:
        if any(id(t) in active for t in node.inputs):
            active.update(id(t) for t in node.outputs if is_float(t.dtype))
    return active


def node_vjp(node: Node, cotangents: tuple[Tensor | None, ...]) -> Sequence[Any]:
    """Cotangents of a node's inputs: by its operation's rule, else through the operation's expansion."""
    op = node.op
    if type(op).vjp is not Op.vjp:
        arriving = cotangents if len(cotangents) > 1 else cotangents[0]
        found = op.vjp(arriving, node.inputs, node.outputs, **node.attrs)
        if len(found) != len(node.inputs):
            raise GradientError(
                f"the derivative of {describe(node)} gives {len(found)} cotangents, not {len(node.inputs)}"
            )
        return found
    if op.expansion is not None:
        inputs, outputs = expand(node)
        return accumulate(walk(outputs, stop=inputs), outputs, cotangents, inputs)
    raise GradientError(f"{describe(node)} has no derivative; {op.without_derivative}")


def expand(node: Node) -> tuple[list[Tensor], list[Tensor]]:
    """A node written out in simpler operations: fresh stand-ins for its inputs, and the outputs over them."""
    inputs = [identity(t) for t in node.inputs]
    outputs = node.op.expansion(*inputs, **node.attrs)  # type: ignore[misc]
    return inputs, [outputs] if isinstance(outputs, Tensor) else list(outputs)


def describe(node: Node) -> str:
    """``operation 'floor' (model.py:12)``: an operation and the user's line that applied it."""
    name = node.attrs.get("name") or node.op.name
    return f"operation {name!r}" + (f" ({node.site[0]}:{node.site[1]})" if node.site else "")


def _checked(node: Node, position: int, tensor: Tensor, cotangent: Any) -> Tensor:
    """A cotangent of the input's shape and type; rules may be a plugin's, so nothing is taken on trust."""
    if isinstance(cotangent, NoDerivative):
        raise GradientError(
            f"the derivative of {describe(node)} for input {position} is missing: {cotangent.reason}"
        )
    cotangent = as_tensor(cotangent, f"derivative of {node.op.name}")
    if cotangent.shape != tensor.shape:
        raise GradientError(
            f"the derivative of {describe(node)} gives a cotangent of shape {show_shape(cotangent.shape)} "
            f"for input {position} of shape {show_shape(tensor.shape)}"
        )
    return _of_type(cotangent, tensor)


def _of_type(cotangent: Tensor, tensor: Tensor) -> Tensor:
    return cotangent if cotangent.dtype == tensor.dtype else FUNCTIONS["cast"](cotangent, tensor.dtype)
