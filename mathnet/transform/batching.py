"""Batching: a graph for one example becomes a graph for many, node by node.

A tensor that depends on the examples is *mapped*: it gets an axis of them in front.  Each operation knows how it runs on such tensors
(``Op.batch``), or is written out by its expansion first; one that knows neither is put into a loop over the examples, which
``explain()`` shows.  What does not depend on the examples is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathnet.graph.graph import walk
from mathnet.graph.op import FUNCTIONS, batched, input_tensor
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.ops.control import CUSTOM_VJP
from mathnet.ops.scan import SCAN, close
from mathnet.transform.gradient import expand


def batch(
    outputs: Sequence[Tensor], examples: Sequence[Tensor], values: Sequence[Tensor], n: Any
) -> list[tuple[Tensor, bool]]:
    """For each output (tensor, whether it is mapped), when ``examples`` (each of one example) take the ``values`` (n, …)."""
    new: dict[int, tuple[Tensor, bool]] = {id(t): (v, True) for t, v in zip(examples, values)}
    for node in walk(outputs, stop=list(examples)):
        given = [new.get(id(t), (t, False)) for t in node.inputs]
        if not any(mapped for _, mapped in given):
            continue
        for old, made in zip(node.outputs, _batched_node(node, given, n)):
            new.setdefault(id(old), (made, True))
    return [new.get(id(t), (t, False)) for t in outputs]


def vectorized(
    outputs: Sequence[Tensor], examples: Sequence[Tensor], values: Sequence[Tensor], n: Any
) -> list[Tensor]:
    """The outputs with a first axis of n; one that does not depend on the examples is repeated."""
    return [batched(t, n, mapped) for t, mapped in batch(outputs, examples, values, n)]


def _batched_node(node: Node, given: Sequence[tuple[Tensor, bool]], n: Any) -> Sequence[Tensor]:
    inputs, mapped = [t for t, _ in given], [m for _, m in given]
    op = node.op
    if op is CUSTOM_VJP:
        return _batched_rule(node, inputs, mapped, n)
    if op is SCAN:
        return _batched_scan(node, inputs, mapped, n)
    if op.batch is not None:
        made = op.batch(n, inputs, mapped, **node.attrs)
        if made is not None:
            return [made] if isinstance(made, Tensor) else made
    if op.expansion is not None:
        examples, outputs = expand(node)
        chosen = [k for k, m in enumerate(mapped) if m]
        return vectorized(outputs, [examples[k] for k in chosen], [inputs[k] for k in chosen], n)
    return _loop(node, inputs, mapped, n)


def _loop(node: Node, inputs: Sequence[Tensor], mapped: Sequence[bool], n: Any) -> Sequence[Tensor]:
    """The operation on one example after the other."""
    slices = [input_tensor(t.spec, "example") for t, m in zip(node.inputs, mapped) if m]
    stream = iter(slices)
    made = node.op(*[next(stream) if m else t for t, m in zip(inputs, mapped)], **node.attrs)
    ys = [made] if isinstance(made, Tensor) else list(made)
    stacks = [t for t, m in zip(inputs, mapped) if m]
    return close([], slices, None, [], ys, [], stacks, n, False, {})


def _batched_rule(node: Node, inputs: Sequence[Tensor], mapped: Sequence[bool], n: Any) -> Sequence[Tensor]:
    """A function with a derivative of its own: its rules stay those of one example, and are batched when they are used."""
    attrs = dict(node.attrs)
    rule, forward_rule = attrs["rule"], attrs["forward_rule"]
    whole = [batched(t, n, m) for t, m in zip(inputs, mapped)]

    def each(f: Any, groups: Sequence[Sequence[Tensor | None]]) -> list[Tensor | None]:
        """``f`` of one example's tensors, where the groups hold those of all."""
        examples = [[None if t is None else _example(t) for t in group] for group in groups]
        found = list(f(*examples))
        pairs = [(e, t) for es, ts in zip(examples, groups) for e, t in zip(es, ts) if e is not None]
        kept = [t for t in found if t is not None]
        made = iter(vectorized(kept, [e for e, _ in pairs], [t for _, t in pairs if t is not None], n))
        return [None if t is None else next(made) for t in found]

    def batched_rule(dy: Any, args: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor | None]:
        several = isinstance(dy, tuple)

        def one(dys: Sequence[Tensor | None], args: Sequence[Tensor], outs: Sequence[Tensor]) -> Any:
            return rule(tuple(dys) if several else dys[0], args, outs)

        return each(one, [list(dy) if several else [dy], args, outputs])

    def batched_forward(tangents: Sequence[Any], args: Sequence[Tensor], outputs: Sequence[Tensor]) -> Any:
        def one(ts: Sequence[Any], args: Sequence[Tensor], outs: Sequence[Tensor]) -> list[Tensor]:
            found = forward_rule(tuple(ts), args, outs)
            return [found] if isinstance(found, Tensor) else list(found)

        made = each(one, [tangents, args, outputs])
        return made if len(outputs) > 1 else made[0]

    attrs["rule"] = batched_rule
    attrs["forward_rule"] = None if forward_rule is None else batched_forward
    made = CUSTOM_VJP(*whole, **attrs)
    return [made] if isinstance(made, Tensor) else made


def _example(x: Tensor) -> Tensor:
    return input_tensor(Spec(x.shape[1:], x.dtype), "example")


def _batched_scan(node: Node, inputs: Sequence[Tensor], mapped: Sequence[bool], n: Any) -> Sequence[Tensor]:
    """A loop whose body is batched: carries become mapped as soon as the body makes them so."""
    attrs = node.attrs
    body, n_carry, n_xs, index = attrs["body"], attrs["n_carry"], attrs["n_xs"], attrs["index"]
    flags = [*mapped, *[False] * index]
    while True:
        wide = [
            input_tensor(Spec((n, *t.shape), t.dtype) if m else t.spec, t.name)
            for t, m in zip(body.inputs, flags)
        ]
        chosen = [k for k, m in enumerate(flags) if m]
        # Inputs that are not mapped stay the body's own tensors.
        found = batch(body.outputs, [body.inputs[k] for k in chosen], [wide[k] for k in chosen], n)
        more = [f or (k < n_carry and found[k][1]) for k, f in enumerate(flags)]
        if more == flags:
            break
        flags = more
    inside = [w if m else t for t, w, m in zip(body.inputs, wide, flags)]
    carry_out = [batched(t, n, m) if flags[k] else t for k, (t, m) in enumerate(found[:n_carry])]
    ys = [batched(t, n, m) for t, m in found[n_carry:]]
    inits = [batched(t, n, m) if flags[k] else t for k, (t, m) in enumerate(zip(inputs[:n_carry], mapped))]
    swap = FUNCTIONS["moveaxis"]
    slices = [
        swap(t, 0, 1) if m else t
        for t, m in zip(inputs[n_carry : n_carry + n_xs], mapped[n_carry : n_carry + n_xs])
    ]
    constants = dict(zip(inside[n_carry + n_xs : len(inside) - index], inputs[n_carry + n_xs :]))
    made = close(
        inside[:n_carry],
        inside[n_carry : n_carry + n_xs],
        body.inputs[-1] if index else None,
        carry_out,
        ys,
        inits,
        slices,
        attrs["length"],
        attrs["reverse"],
        constants,
    )
    finals = [batched(t, n, flags[k]) for k, t in enumerate(made[:n_carry])]
    stacked_ys = [swap(t, 1, 0) for t in made[n_carry : n_carry + len(ys)]]
    stacks = [
        swap(t, 1, 0) if flags[k] else batched(t, n, False)
        for k, t in enumerate(made[n_carry + len(ys) :])
        if attrs["stacked"][k]
    ]
    return [*finals, *stacked_ys, *stacks]
