"""Folding for frozen models: constant parts, and constant factors that go into the weights of the product before them."""

from __future__ import annotations

import numpy as np

from mathnet.graph.graph import Graph
from mathnet.graph.op import CAPTURE, CONSTANT, FUNCTIONS, VARIABLE
from mathnet.graph.tensor import Node, Tensor

_SOURCES = (VARIABLE, CAPTURE, CONSTANT)


def constant_parts(graph: Graph) -> list[Tensor]:
    """Results that depend on variables and constants alone and that others, which depend on more, or nobody use.

    Operations with effects (draws, code of the host) and those that make more elements than they read are left in the plan.
    """
    constant: set[int] = set()
    for node in graph.nodes:
        if node.op in _SOURCES:
            constant.add(id(node))
        elif (
            node.inputs
            and len(node.outputs) == 1
            and not node.op.effects
            and all(id(t.node) in constant for t in node.inputs)
        ):
            largest = max(_count(t) for t in node.inputs)
            if _count(node.outputs[0]) <= largest and node.outputs[0].spec.dtype.kind == "f":
                constant.add(id(node))
    used = [t for node in graph.nodes if id(node) not in constant for t in node.inputs]
    found: dict[int, Tensor] = {}
    for tensor in (*used, *graph.outputs):
        if id(tensor.node) in constant and tensor.node.op not in _SOURCES:
            found[id(tensor)] = tensor
    return list(found.values())


def scaled_weights(graph: Graph) -> Graph:
    """The graph with (x W + b) · s rewritten as x (W s) + b s, for constant W, b and s with one factor per channel.

    Constants that are added one after the other become one.  A batch normalisation after a dense or convolutional layer vanishes
    so.  The product must have no other use.  Results change by rounding only.
    """
    uses: dict[int, int] = {}
    for node in graph.nodes:
        for tensor in node.inputs:
            uses[id(tensor)] = uses.get(id(tensor), 0) + 1
    for tensor in graph.outputs:
        uses[id(tensor)] = uses.get(id(tensor), 0) + 1
    known: dict[
        int, tuple[Tensor, bool]
    ] = {}  # whether tensors are constant; holds them, so that ids stay theirs
    alone: dict[int, bool] = {}  # whether a tensor of the graph and the chain below it have one use each

    def constant(tensor: Tensor) -> bool:
        found = known.get(id(tensor))
        if found is None:
            node = tensor.node
            inner = node.inputs and not node.op.effects and all(constant(t) for t in node.inputs)
            found = known[id(tensor)] = (tensor, node.op in _SOURCES or bool(inner))
        return found[1]

    def scaled(tensor: Tensor, factor: Tensor) -> Tensor | None:
        """``tensor · factor`` with the factor moved into the weights; None where that cannot be."""
        node = tensor.node
        weights = _factor_of_weights(node, factor)
        if weights is not None and constant(node.inputs[1]):
            return _single(node.op(node.inputs[0], node.inputs[1] * weights, **node.attrs))
        if node.op.name in ("add", "subtract") and node.inputs[0].shape == tensor.shape:
            inside, shift = node.inputs
            moved = scaled(inside, factor) if constant(shift) and not constant(inside) else None
            return None if moved is None else FUNCTIONS[node.op.name](moved, shift * factor)
        return None

    def shifted(inside: Tensor, shift: Tensor) -> tuple[Tensor, ...] | None:
        """``(x W + b) + c`` with b and c in one sum."""
        if inside.node.op.name != "add" or not constant(shift) or not constant(inside.node.inputs[1]):
            return None
        start, first = inside.node.inputs
        total = first + shift
        if start.shape != inside.shape or _count(total) > max(_count(first), _count(shift)):
            return None
        return (start + total,)

    def rewritten(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        for tensor in inputs:
            constant(tensor)  # from the bottom up, so that no walk is deep
        alone[id(node.outputs[0])] = uses.get(id(node.outputs[0])) == 1 and (
            node.op.name in _LINEAR or alone.get(id(node.inputs[0]) if node.inputs else 0, False)
        )
        if node.op.name not in ("multiply", "add") or not alone.get(id(node.inputs[0])):
            return None
        if node.op.name == "add":
            return shifted(*inputs)
        inside, factor = inputs
        if inside.shape != node.outputs[0].shape or not constant(factor):
            return None
        moved = scaled(inside, factor)
        return None if moved is None else (moved,)

    return graph.replace(rewritten)


_LINEAR = ("matmul", "conv2d")


def _factor_of_weights(node: Node, factor: Tensor) -> Tensor | None:
    """``factor`` in a shape that multiplies the weights of a product, when it has one number per channel of the result."""
    if node.op.name not in _LINEAR or node.inputs[1].ndim < 2:
        return None
    result, weights = node.outputs[0].shape, node.inputs[1].shape
    axis = len(result) - 1 if node.op.name == "matmul" else 1
    if node.op.name == "matmul" and len(weights) != 2:
        return None
    channels = result[axis]
    aligned = (1,) * (len(result) - factor.ndim) + tuple(factor.shape)
    if any(size != (channels if k == axis else 1) for k, size in enumerate(aligned)):
        return None
    shape = (channels,) if node.op.name == "matmul" else (channels,) + (1,) * (len(weights) - 1)
    return FUNCTIONS["reshape"](factor, shape)


def _single(result: Tensor | tuple[Tensor, ...]) -> Tensor:
    return result[0] if isinstance(result, tuple) else result


def _count(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64))
