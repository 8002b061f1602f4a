"""Forward mode: the derivative of a graph along given tangents, built node by node.

An operation with a ``jvp`` rule uses it; one with an expansion is written out; for the others the tangent is the gradient of their
vjp in its cotangent: u ↦ Jᵀu is linear, and its transpose applied to the tangent is J·tangent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mathnet.errors import GradientError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.graph import walk
from mathnet.graph.op import FUNCTIONS, NoDerivative, Op, input_tensor
from mathnet.graph.tensor import Node, Tensor
from mathnet.transform.gradient import accumulate, dependents, describe, expand, node_vjp


def tangents(
    outputs: Sequence[Tensor],
    wrt: Sequence[Tensor],
    directions: Sequence[Tensor | None],
    stop: Iterable[Tensor] = (),
) -> list[Tensor | None]:
    """Tangents of ``outputs``: for each output, Σⱼ ∂output/∂wⱼ · directionⱼ.

    directions: one per member of ``wrt``, of its shape; None stands for zero, in the result too.  The graph behind ``wrt`` and
    ``stop`` is not entered.
    """
    tangent: dict[int, Tensor] = {}
    missing: dict[
        int, GradientError
    ] = {}  # of outputs whose tangent a rule cannot give: an error only if something needs it
    for position, (tensor, direction) in enumerate(zip(wrt, directions)):
        if direction is None:
            continue
        if direction.shape != tensor.shape:
            raise ShapeError(
                f"jvp: argument {position} has shape {show_shape(tensor.shape)}, but its tangent has shape {show_shape(direction.shape)}"
            )
        tangent[id(tensor)] = (
            direction if direction.dtype == tensor.dtype else FUNCTIONS["cast"](direction, tensor.dtype)
        )
    for node in walk(outputs, stop=[*wrt, *stop]):
        for t in node.inputs:
            if id(t) in missing:
                raise missing[id(t)]
        arriving = [tangent.get(id(t)) for t in node.inputs]
        if all(t is None for t in arriving):
            continue
        for output, found in zip(node.outputs, _node_jvp(node, arriving)):
            if isinstance(found, NoDerivative):
                missing[id(output)] = GradientError(
                    f"a derivative of {describe(node)} is missing: {found.reason}"
                )
            elif found is not None and is_float(output.dtype):
                tangent[id(output)] = (
                    found if found.dtype == output.dtype else FUNCTIONS["cast"](found, output.dtype)
                )
    for t in outputs:
        if id(t) in missing:
            raise missing[id(t)]
    return [tangent.get(id(t)) for t in outputs]


def _node_jvp(node: Node, arriving: Sequence[Tensor | None]) -> Sequence[Tensor | NoDerivative | None]:
    op = node.op
    if op.jvp is not None:
        found = op.jvp(tuple(arriving), node.inputs, node.outputs, **node.attrs)
        return found if len(node.outputs) > 1 else (found,)
    if not any(is_float(t.dtype) for t in node.outputs):
        return (None,) * len(node.outputs)
    if type(op).vjp is Op.vjp and op.expansion is not None:
        inputs, outputs = expand(node)
        return tangents(outputs, inputs, arriving)
    return _transposed_vjp(node, arriving)


def _transposed_vjp(node: Node, arriving: Sequence[Tensor | None]) -> list[Tensor | None]:
    probes = [input_tensor(t.spec, "cotangent") if is_float(t.dtype) else None for t in node.outputs]
    cotangents = node_vjp(node, tuple(probes))
    pairs = [(c, d) for c, d in zip(cotangents, arriving) if c is not None and d is not None]
    for c, _ in pairs:
        if isinstance(c, NoDerivative):
            raise GradientError(f"a derivative of {describe(node)} is missing: {c.reason}")
    unknown = [p for p in probes if p is not None]
    order = walk([c for c, _ in pairs], stop=[*node.inputs, *node.outputs, *unknown])
    found = accumulate(order, [c for c, _ in pairs], [d for _, d in pairs], unknown)
    # A vjp that is linear in its cotangent leaves no cotangent in its derivative.
    stop = [*node.inputs, *node.outputs, *[d for _, d in pairs]]
    left = dependents(walk([t for t in found if t is not None], stop=stop), unknown)
    if any(t is not None and id(t) in left for t in found):
        raise GradientError(
            f"{describe(node)} has a vjp that is not linear in its cotangent, so it needs a jvp of its own"
        )
    stream = iter(found)
    return [None if p is None else next(stream) for p in probes]
