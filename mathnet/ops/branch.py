"""cond: one of two graphs runs, as one instruction; its derivatives are conds again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.graph import Graph, Rewriter, walk
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, batched, input_tensor, register
from mathnet.graph.tensor import Node, Spec, Tensor, node_numbers
from mathnet.graph.tree import flatten, unflatten
from mathnet.ops.enclosure import enclose, frozen_states, kinds, shown, total


class Cond(Op):
    """The results of one of two graphs of the same inputs.

    Inputs: predicate (a bool of rank 0), operands.  Attributes: then and otherwise, Graphs of the operands.
    """

    name = "cond"
    formula = "f(x) if p else g(x)"

    def infer(self, predicate: Spec, *operands: Spec, then: Graph, otherwise: Graph) -> tuple[Spec, ...]:  # type: ignore[override]
        if predicate.dtype.kind != "b" or predicate.shape != ():
            raise ShapeError(f"cond: the predicate must be a bool of rank 0, not {predicate!r}")
        for position, (given, tensor) in enumerate(zip(operands, then.inputs)):
            if given.shape != tensor.shape or given.dtype != tensor.dtype:
                raise ShapeError(
                    f"cond: operand {position} is {given!r}, but the branches were traced for {tensor.spec!r}"
                )
        return tuple([Spec(t.shape, t.dtype) for t in then.outputs])

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        then: Graph,
        otherwise: Graph,
    ) -> Sequence[Tensor | None]:
        from mathnet.transform.gradient import gradient

        arriving = dy if isinstance(dy, tuple) else (dy,)
        ks = [k for k, d in enumerate(arriving) if d is not None]
        cotangents = [input_tensor(outputs[k].spec, "cotangent") for k in ks]
        arguments = [*then.inputs, *cotangents]
        floats = [k for k, t in enumerate(then.inputs) if is_float(t.dtype)]
        sides = []
        for body in _over_one_set(then, otherwise):
            wrt = [then.inputs[k] for k in floats]
            sides.append(gradient([body.outputs[k] for k in ks], cotangents, wrt))
        made = _sides(inputs[0], [*inputs[1:], *[arriving[k] for k in ks]], arguments, *sides)
        found: list[Tensor | None] = [None] * len(inputs)
        for k, d in zip(floats, made):
            found[1 + k] = d
        return found

    def jvp(
        self,
        tangents: Sequence[Tensor | None],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        then: Graph,
        otherwise: Graph,
    ) -> Any:
        from mathnet.transform.forward_mode import tangents as forward

        moving = [k for k, t in enumerate(tangents[1:]) if t is not None]
        inside = [input_tensor(then.inputs[k].spec, "tangent") for k in moving]
        sides = [
            forward(body.outputs, [then.inputs[k] for k in moving], inside)
            for body in _over_one_set(then, otherwise)
        ]
        directions = [tangents[1 + k] for k in moving]
        made = _sides(inputs[0], [*inputs[1:], *directions], [*then.inputs, *inside], *sides)  # type: ignore[list-item]
        return made if len(outputs) > 1 else made[0]

    def batch(  # type: ignore[override]
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], *, then: Graph, otherwise: Graph
    ) -> Sequence[Tensor]:
        from mathnet.transform.batching import batch

        chosen = [k for k, m in enumerate(mapped[1:]) if m]
        examples = [then.inputs[k] for k in chosen]
        wide = [input_tensor(Spec((n, *t.shape), t.dtype), "examples") for t in examples]
        sides = [
            [batched(t, n, m) for t, m in batch(body.outputs, examples, wide, n)]
            for body in _over_one_set(then, otherwise)
        ]
        arguments = list(then.inputs)
        for k, tensor in zip(chosen, wide):
            arguments[k] = tensor
        if not mapped[0]:
            return [t for t in _sides(inputs[0], inputs[1:], arguments, *sides) if t is not None]
        # Both sides run, and each example takes its own.
        both = Rewriter(dict(zip(arguments, inputs[1:]))).run([*sides[0], *sides[1]])
        chosen_by = inputs[0]
        made = []
        for yes, no in zip(both[: len(sides[0])], both[len(sides[0]) :]):
            predicate = FUNCTIONS["reshape"](chosen_by, (n,) + (1,) * (yes.ndim - 1))
            made.append(FUNCTIONS["where"](predicate, yes, no))
        return made

    def bind_body(self, body: Graph, sizes: Mapping[Dim, Any], mode: dict[str, Any]) -> Graph:
        """A side with its sizes replaced and its layers traced into."""
        with frozen_states(_FROZEN):
            return body.bind(sizes, **mode)

    def trace(
        self, inputs: tuple[Tensor, ...], mode: dict[str, Any], then: Graph, otherwise: Graph
    ) -> tuple[Tensor, ...]:
        """The branch over bound sides: what layers in them read from outside becomes an operand."""
        yes, no = _over_one_set(then, otherwise)
        return branch(inputs[0], inputs[1:], then.inputs, yes.outputs, no.outputs)

    def prune(self, node: Node, used: set[int]) -> tuple[list[int], Callable] | None:
        """See :mod:`mathnet.transform.prune`: drops results that nobody reads and operands that only these need."""
        then, otherwise = _over_one_set(node.attrs["then"], node.attrs["otherwise"])
        kept = sorted(used)
        results = [[body.outputs[k] for k in kept] for body in (then, otherwise)]
        seen = {id(n) for side in results for n in walk(side)}
        needed = [k for k, t in enumerate(then.inputs) if id(t.node) in seen]
        if len(kept) == len(node.outputs) and len(needed) == len(then.inputs):
            return None
        arguments = [then.inputs[k] for k in needed]

        def build(inputs: Sequence[Tensor]) -> list[Tensor | None]:
            made = _node(inputs[0], inputs[1:], arguments, *results)
            new = dict(zip(kept, made))
            return [new.get(k) for k in range(len(node.outputs))]

        return [0, *[1 + k for k in needed]], build

    def lower(
        self, emit: Any, inputs: tuple[Any, ...], outputs: tuple[Any, ...], *, then: Graph, otherwise: Graph
    ) -> None:
        emit.branch(inputs[0], then, otherwise, inputs[1:], outputs)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        sides = [
            [
                n.op.cost([t.spec for t in n.inputs], [t.spec for t in n.outputs], **n.attrs)
                for n in body.nodes
            ]
            for body in (attrs["then"], attrs["otherwise"])
        ]
        return max((sum(f for f, _ in side), sum(b for _, b in side)) for side in sides)


COND = register(Cond())
_FROZEN = "inside of a branch of cond: return the new value from both branches instead"


def _over_one_set(then: Graph, otherwise: Graph) -> tuple[Graph, Graph]:
    """Both sides over the inputs of the first."""
    if all(a is b for a, b in zip(then.inputs, otherwise.inputs)):
        return then, otherwise
    outputs = Rewriter(dict(zip(otherwise.inputs, then.inputs))).run(otherwise.outputs)
    return then, Graph(then.inputs, outputs, name=otherwise.name)


def _node(
    predicate: Tensor,
    operands: Sequence[Tensor],
    arguments: Sequence[Tensor],
    yes: Sequence[Tensor],
    no: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    then, otherwise = (Graph(arguments, side, name=name) for side, name in ((yes, "then"), (no, "else")))
    return COND(predicate, *operands, then=then, otherwise=otherwise)


def branch(
    predicate: Tensor,
    operands: Sequence[Tensor],
    arguments: Sequence[Tensor],
    yes: Sequence[Tensor],
    no: Sequence[Tensor],
    since: int | None = None,
) -> tuple[Tensor, ...]:
    """The node for two sides given by their tensors; see :func:`mathnet.ops.enclosure.enclose`."""
    constants, outside, inside = enclose([*yes, *no], arguments, None, since)
    made = inside[: len(yes)], inside[len(yes) :]
    return _node(predicate, [*operands, *outside], [*arguments, *constants], *made)


def _sides(
    predicate: Tensor,
    operands: Sequence[Tensor],
    arguments: Sequence[Tensor],
    yes: Sequence[Tensor | None],
    no: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """A branch for two sides in which None stands for zero; None where it does on both."""
    kept = [k for k, pair in enumerate(zip(yes, no)) if any(t is not None for t in pair)]
    found: list[Tensor | None] = [None] * len(yes)
    if not kept:
        return found
    filled: tuple[list[Tensor], list[Tensor]] = ([], [])
    for k in kept:
        like = yes[k] if yes[k] is not None else no[k]
        for side, tensor in zip(filled, (yes[k], no[k])):
            side.append(total([tensor], like.spec))  # type: ignore[union-attr]
    # Leaves that rules make inside (arrays) become operands; all else depends on the arguments or is cheap.
    for k, tensor in zip(kept, branch(predicate, operands, arguments, *filled, since=0)):
        found[k] = tensor
    return found


def cond(predicate: Any, true_function: Callable, false_function: Callable, operands: Sequence[Any]) -> Any:
    """Builds the node; see :func:`mathnet.cond`."""
    chosen = as_tensor(predicate, "cond: the predicate")
    if chosen.dtype.kind != "b":
        raise DTypeError(
            f"cond: the predicate has element type {chosen.dtype}, but a bool is needed; compare it: mn.cond(x > 0, …)"
        )
    if chosen.shape != ():
        raise ShapeError(
            f"cond: the predicate has shape {show_shape(chosen.shape)}, but one bool is needed; use mn.any, mn.all or mn.where"
        )
    leaves, structure = flatten(tuple(operands))
    symbolic = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    arguments = [input_tensor(leaves[k].spec, "operand") for k in symbolic]
    inside = list(leaves)
    for k, tensor in zip(symbolic, arguments):
        inside[k] = tensor
    given = unflatten(structure, inside)
    since = next(node_numbers)
    with frozen_states(_FROZEN):
        yes, yes_structure = flatten(true_function(*given))
        no, no_structure = flatten(false_function(*given))
    if kinds(yes_structure) != kinds(no_structure):
        raise ShapeError(
            f"cond: the branches return different structures: the true branch {shown(yes_structure)}, "
            f"the false branch {shown(no_structure)}"
        )
    yes, no = _agreeing(yes, no)
    if not yes:
        return unflatten(yes_structure, [])
    return unflatten(
        yes_structure, branch(chosen, [leaves[k] for k in symbolic], arguments, yes, no, since=since)
    )


def _agreeing(yes: Sequence[Any], no: Sequence[Any]) -> tuple[list[Tensor], list[Tensor]]:
    """The results of both branches with weak numbers in the type of the other side; an error where they differ."""
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    order = "biuf"
    for k, pair in enumerate(zip(yes, no)):
        a, b = (as_tensor(t, f"cond: result {k}") for t in pair)
        if a.shape != b.shape:
            raise ShapeError(
                f"cond: result {k} has shape {show_shape(a.shape)} in the true branch and {show_shape(b.shape)} in the false branch"
            )
        if a.dtype != b.dtype:
            low, high = sorted((a, b), key=lambda t: (not t.spec.weak, order.index(t.dtype.kind)))
            if not low.spec.weak or order.index(low.dtype.kind) > order.index(high.dtype.kind):
                raise DTypeError(
                    f"cond: result {k} is {a.dtype} in the true branch and {b.dtype} in the false branch; "
                    "convert one of them with mn.cast"
                )
            a, b = (t if t.dtype == high.dtype else FUNCTIONS["cast"](t, high.dtype) for t in (a, b))
        found[0].append(a)
        found[1].append(b)
    return found
