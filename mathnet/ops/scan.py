"""scan: a loop over an axis as one node, differentiable to any order.

The body is a Graph of its own.  What it computes without its carries and slices is computed once, before the loop, and handed in as
a constant.  The stacked carries are the operation's internal outputs: its derivative is a scan in the other direction that
recomputes the body from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.graph import Graph, Rewriter, walk
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, count, input_tensor, normalize_axis, register
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.graph.trace import loop_position
from mathnet.graph.tree import Structure, flatten, unflatten
from mathnet.ops.enclosure import enclose, frozen_states, kinds, shown, total, zeros


class Scan(Op):
    """(final carries…, stacked ys…, stacked carries…) of a loop.

    Inputs: initial carries, xs (stacked along axis 0), constants.  Attributes: body (a Graph of carries, slices, constants and, when
    ``index`` is set, the position as a float64 number → new carries, ys), length, reverse, n_carry, n_xs, index, and ``stacked``,
    which says of each carry whether its stack is an output.  A stack has ``length + 1`` entries in the order of the axis: forward,
    entry j is the carry before slice j and the last entry the final carry; in reverse, entry j + 1 is the carry before slice j and
    entry 0 the final carry.
    """

    name = "scan"
    formula = "cₜ₊₁, yₜ = f(cₜ, xₜ)"

    def infer(
        self,
        *specs: Spec,
        body: Graph,
        length: Any,
        reverse: bool,
        n_carry: int,
        n_xs: int,
        index: bool,
        stacked: tuple[bool, ...],
    ) -> tuple[Spec, ...]:
        wanted = [t.spec for t in body.inputs[: len(body.inputs) - index]]
        for position, (given, inside) in enumerate(zip(specs, wanted)):
            expected = (length, *inside.shape) if n_carry <= position < n_carry + n_xs else inside.shape
            if given.shape != expected or given.dtype != inside.dtype:
                raise ShapeError(
                    f"scan: input {position} is {given!r}, but the body was traced for {inside.dtype}{show_shape(expected)}"
                )
        carries = [t.spec for t in body.outputs[:n_carry]]
        ys = [Spec((length, *t.shape), t.dtype) for t in body.outputs[n_carry:]]
        stacks = [Spec((length + 1, *s.shape), s.dtype) for s, keep in zip(carries, stacked) if keep]
        return (*[Spec(s.shape, s.dtype) for s in carries], *ys, *stacks)

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        body: Graph,
        length: int,
        reverse: bool,
        n_carry: int,
        n_xs: int,
        index: bool,
        stacked: tuple[bool, ...],
    ) -> Sequence[Tensor | None]:
        from mathnet.transform.gradient import gradient

        dy = dy if isinstance(dy, tuple) else (dy,)
        n_ys = len(body.outputs) - n_carry
        d_finals, d_ys, d_stacks = dy[:n_carry], dy[n_carry : n_carry + n_ys], dy[n_carry + n_ys :]
        before = (
            slice(1, None) if reverse else slice(0, length)
        )  # entries of a stack that stand before a slice
        last = 0 if reverse else length

        arguments = list(body.inputs[: n_carry + n_xs])
        constants = body.inputs[n_carry + n_xs : len(body.inputs) - index]
        outer = dict(zip(constants, inputs[n_carry + n_xs :]))
        floats = [k for k in range(n_carry) if is_float(body.inputs[k].dtype)]
        xs_floats = [k for k in range(n_carry, n_carry + n_xs) if is_float(body.inputs[k].dtype)]
        const_floats = [t for t in constants if is_float(t.dtype)]

        d_carry = {k: input_tensor(body.outputs[k].spec, "dcarry") for k in floats}
        ys_in = [
            (k, d, input_tensor(body.outputs[n_carry + k].spec, "dy"))
            for k, d in enumerate(d_ys)
            if d is not None
        ]
        stacks_in = [
            (k, d_stacks[k], input_tensor(body.inputs[k].spec, "dstack"))
            for k in floats
            if d_stacks[k] is not None
        ]
        wrt = [*[body.inputs[k] for k in floats], *[body.inputs[k] for k in xs_floats], *const_floats]
        found = gradient(
            [*[body.outputs[k] for k in floats], *[body.outputs[n_carry + k] for k, _, _ in ys_in]],
            [*d_carry.values(), *[t for _, _, t in ys_in]],
            wrt,
        )
        # What the loop has handed out is read again, not computed again.
        after = slice(0, length) if reverse else slice(1, None)
        given = {id(t) for t in body.inputs}
        handed: dict[Tensor, tuple[Tensor, Tensor]] = {}  # of the body → stand-in, stack
        for k, tensor in enumerate(body.outputs):
            if id(tensor) not in given:
                given.add(id(tensor))
                stack = outputs[n_carry + n_ys + k][after] if k < n_carry else outputs[k]
                handed[tensor] = input_tensor(tensor.spec, "computed"), stack
        rewriter = Rewriter({tensor: inside for tensor, (inside, _) in handed.items()})
        replaced = iter(rewriter.run([t for t in found if t is not None]))
        found = [None if t is None else next(replaced) for t in found]
        arguments += [inside for inside, _ in handed.values()]
        d_c, d_x, d_k = (
            found[: len(floats)],
            found[len(floats) : len(floats) + len(xs_floats)],
            found[len(floats) + len(xs_floats) :],
        )

        carry_out, inits = [], []
        for k, new in zip(floats, d_c):
            extra = [t for j, _, t in stacks_in if j == k]
            carry_out.append(total([new, *extra], body.inputs[k].spec))
            start = d_stacks[k][last] if d_stacks[k] is not None else None
            inits.append(total([d_finals[k], start], body.inputs[k].spec))
        sums_in, sums_out, sums_of = [], [], []
        products: list[tuple[Tensor, list[tuple[Tensor, Tensor]]]] = []
        for tensor, contribution in zip(const_floats, d_k):
            factors = None if contribution is None else _factors(contribution)
            if factors is not None:
                products.append((tensor, factors))
            elif contribution is not None:
                sums_in.append(input_tensor(tensor.spec, "dconstant"))
                sums_out.append(FUNCTIONS["add"](sums_in[-1], contribution))
                sums_of.append(tensor)
                inits.append(zeros(tensor.spec))
        xs_out = [(k, d) for k, d in zip(xs_floats, d_x) if d is not None]
        befores = [outputs[n_carry + n_ys + k][before] for k in range(n_carry)]
        slices = [*befores, *inputs[n_carry : n_carry + n_xs], *[stack for _, stack in handed.values()]]
        at_hand = dict(zip(map(id, arguments), slices))
        stacked_out = {id(d): d for _, d in xs_out}  # what the loop hands out, each tensor once
        for _, factors in products:
            stacked_out.update({id(t): t for pair in factors for t in pair if id(t) not in at_hand})
        made = close(
            [*d_carry.values(), *sums_in],
            [*arguments, *[t for _, _, t in ys_in], *[t for _, _, t in stacks_in]],
            body.inputs[-1] if index else None,
            [*carry_out, *sums_out],
            list(stacked_out.values()),
            inits,
            [
                *slices,
                *[d for _, d, _ in ys_in],
                *[d[before] for _, d, _ in stacks_in],
            ],
            length,
            not reverse,
            outer,
        )
        result: dict[int, Tensor] = dict(zip(floats, made))
        at_hand.update(zip(stacked_out, made[len(inits) :]))
        result.update({k: at_hand[id(d)] for k, d in xs_out})
        position = {id(t): n_carry + n_xs + k for k, t in enumerate(constants)}
        result.update(zip([position[id(t)] for t in sums_of], made[len(floats) :]))
        for tensor, factors in products:
            sums = [_sum_of_products(at_hand[id(a)], at_hand[id(b)]) for a, b in factors]
            result[position[id(tensor)]] = total(sums, tensor.spec)
        return [result.get(k) for k in range(len(inputs))]

    def jvp(
        self,
        tangents: Sequence[Tensor | None],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        body: Graph,
        length: int,
        reverse: bool,
        n_carry: int,
        n_xs: int,
        index: bool,
        stacked: tuple[bool, ...],
    ) -> Sequence[Tensor | None]:
        from mathnet.transform.forward_mode import tangents as forward

        n_ys = len(body.outputs) - n_carry
        constants = body.inputs[n_carry + n_xs : len(body.inputs) - index]
        outer = dict(zip(constants, inputs[n_carry + n_xs :]))
        floats = [k for k in range(n_carry) if is_float(body.inputs[k].dtype)]
        inside: dict[int, Tensor] = {}  # tangents of the body's inputs
        for k, (tensor, given) in enumerate(zip(body.inputs, tangents)):
            if k in floats or given is not None:
                inside[k] = input_tensor(tensor.spec, "tangent")
                if k >= n_carry + n_xs:
                    outer[inside[k]] = given  # type: ignore[assignment]
        found = forward(body.outputs, [body.inputs[k] for k in inside], list(inside.values()))
        carry_out = [total([found[k]], body.inputs[k].spec) for k in floats]
        ys_out = [(k, t) for k, t in enumerate(found[n_carry:]) if t is not None]
        moving = [k for k in inside if n_carry <= k < n_carry + n_xs]
        n = n_carry + len(floats)
        made = close(
            [*body.inputs[:n_carry], *[inside[k] for k in floats]],
            [*body.inputs[n_carry : n_carry + n_xs], *[inside[k] for k in moving]],
            body.inputs[-1] if index else None,
            [*body.outputs[:n_carry], *carry_out],
            [t for _, t in ys_out],
            [*inputs[:n_carry], *[total([tangents[k]], body.inputs[k].spec) for k in floats]],
            [*inputs[n_carry : n_carry + n_xs], *[tangents[k] for k in moving]],  # type: ignore[list-item]
            length,
            reverse,
            outer,
        )
        result: dict[int, Tensor] = dict(zip(floats, made[n_carry:n]))
        result.update({n_carry + k: t for (k, _), t in zip(ys_out, made[n:])})
        stacks = made[n + len(ys_out) + n_carry :]
        result.update({n_carry + n_ys + k: t for k, t in zip(floats, stacks)})
        return [result.get(k) for k in range(len(outputs))]

    def bind_body(self, body: Graph, sizes: Mapping[Dim, Any], mode: dict[str, Any]) -> Graph:
        """The body with its sizes replaced and its layers traced into; its last input is the position."""
        index = position(body)
        with loop_body(index, _FROZEN):
            bound = body.bind(sizes, **mode)
        return (
            bound
            if any(t is index for t in body.inputs)
            else Graph([*bound.inputs, index], bound.outputs, name=body.name)
        )

    def trace(self, inputs: tuple[Tensor, ...], mode: dict[str, Any], **attrs: Any) -> tuple[Tensor, ...]:
        """The loop over a bound body: what layers in it read from outside becomes a constant of the loop."""
        body, n_carry, n_xs = attrs["body"], attrs["n_carry"], attrs["n_xs"]
        n = n_carry + n_xs
        return close(
            body.inputs[:n_carry],
            body.inputs[n_carry:n],
            body.inputs[-1],
            body.outputs[:n_carry],
            body.outputs[n_carry:],
            inputs[:n_carry],
            inputs[n_carry:n],
            attrs["length"],
            attrs["reverse"],
            dict(zip(body.inputs[n:-1], inputs[n:])),
        )

    def prune(self, node: Node, used: set[int]) -> tuple[list[int], Callable] | None:
        """See :mod:`mathnet.transform.prune`: drops carries, ys, stacks, slices and constants that no used output needs."""
        attrs = node.attrs
        body, n_carry, n_xs, index = attrs["body"], attrs["n_carry"], attrs["n_xs"], attrs["index"]
        stack_of = [k for k in range(n_carry) if attrs["stacked"][k]]
        n_ys = len(body.outputs) - n_carry
        stacks = {stack_of[k - n_carry - n_ys] for k in used if k >= n_carry + n_ys}
        ys = [k for k in range(n_carry, n_carry + n_ys) if k in used]
        carries = {k for k in used if k < n_carry} | stacks
        while True:  # carries that used results read
            seen = {
                id(n.outputs[0]) for n in walk([body.outputs[k] for k in (*carries, *ys)]) if not n.inputs
            }
            more = {k for k in range(n_carry) if id(body.inputs[k]) in seen} | carries
            if more == carries:
                break
            carries = more
        kept = sorted(carries)
        needed = [
            k
            for k in range(len(node.inputs))
            if (k in carries if k < n_carry else id(body.inputs[k]) in seen)
        ]
        keep_index = index and id(body.inputs[-1]) in seen
        stacked = tuple([k in stacks for k in kept])
        if (
            len(needed) == len(node.inputs)
            and len(ys) == n_ys
            and all(s == t for s, t in zip(stacked, attrs["stacked"]))
        ):
            return None
        inner = [body.inputs[k] for k in needed] + ([body.inputs[-1]] if keep_index else [])
        smaller = Graph(inner, [body.outputs[k] for k in (*kept, *ys)], name=body.name)
        n_xs_kept = sum(n_carry <= k < n_carry + n_xs for k in needed)

        def build(inputs: Sequence[Tensor]) -> list[Tensor | None]:
            made = self(
                *inputs,
                body=smaller,
                length=attrs["length"],
                reverse=attrs["reverse"],
                n_carry=len(kept),
                n_xs=n_xs_kept,
                index=keep_index,
                stacked=stacked,
            )
            new = dict(
                zip((*kept, *ys, *[n_carry + n_ys + stack_of.index(k) for k in kept if k in stacks]), made)
            )
            return [new.get(k) for k in range(len(node.outputs))]

        return needed, build

    def lower(
        self,
        emit: Any,
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...],
        *,
        body: Graph,
        length: int,
        reverse: bool,
        n_carry: int,
        n_xs: int,
        index: bool,
        stacked: tuple[bool, ...],
    ) -> None:
        n_ys = len(body.outputs) - n_carry
        stacks = iter(outputs[n_carry + n_ys :])
        emit.loop(
            body,
            length,
            reverse,
            [(init, next(stacks) if keep else None) for init, keep in zip(inputs, stacked)],
            inputs[n_carry : n_carry + n_xs],
            inputs[n_carry + n_xs :],
            outputs[n_carry : n_carry + n_ys],
            outputs[:n_carry],
            index,
        )

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        flops = sum(
            n.op.cost([t.spec for t in n.inputs], [t.spec for t in n.outputs], **n.attrs)[0]
            for n in attrs["body"].nodes
        )
        moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return flops * count(Spec((attrs["length"],), FLOAT64)), moved


SCAN = register(Scan())
_POSITION = "position"  # name of the body's last input, the number of the slice
_FROZEN = "inside the body of a scan: carry it instead"
_LONGEST_INNER_LOOP = 2.0**26  # positions of nested loops become one exact number


def close(
    carry_in: Sequence[Tensor],
    xs_in: Sequence[Tensor],
    index_in: Tensor | None,
    carry_out: Sequence[Tensor],
    ys_out: Sequence[Tensor],
    inits: Sequence[Tensor],
    xs: Sequence[Tensor],
    length: Any,
    reverse: bool,
    outer: Mapping[Tensor, Tensor],
) -> tuple[Tensor, ...]:
    """A scan node for a body given by its tensors.

    Everything that does not depend on ``carry_in``, ``xs_in`` or ``index_in`` moves out of the loop; ``outer`` gives the values
    outside of other tensors that stand for constants.
    """
    arguments = [*carry_in, *xs_in, *([] if index_in is None else [index_in])]
    constants, outside, inside = enclose([*carry_out, *ys_out], arguments, outer)
    used = index_in is not None and any(n is index_in.node for n in walk(inside))
    index = [index_in] if index_in is not None and used else []
    body = Graph([*carry_in, *xs_in, *constants, *index], inside, name="scan body")
    return SCAN(
        *inits,
        *xs,
        *outside,
        body=body,
        length=length,
        reverse=reverse,
        n_carry=len(carry_in),
        n_xs=len(xs_in),
        index=used,
        stacked=(True,) * len(carry_in),
    )


def _factors(contribution: Tensor) -> list[tuple[Tensor, Tensor]] | None:
    """Pairs (A, B) of matrices with contribution = Σ AᵀB, or None where it has another form.

    What a matrix in the body of a loop receives from one iteration is such a sum.  Over all iterations it is one product of the
    stacked factors, which is several times faster than adding up a product for each iteration.
    """
    node = contribution.node
    if node.op.name == "add" and all(t.shape == contribution.shape for t in node.inputs):
        parts = [_factors(t) for t in node.inputs]
        return None if None in parts else [pair for part in parts for pair in part]  # type: ignore[union-attr]
    if node.op.name != "matmul" or any(t.ndim != 2 for t in node.inputs):
        return None
    left, right = node.inputs
    if left.node.op.name == "transpose":  # of two axes: they are exchanged
        return [(left.node.inputs[0], right)]
    return [(FUNCTIONS["transpose"](left), right)]


def _sum_of_products(a: Tensor, b: Tensor) -> Tensor:
    """Σₜ Aₜᵀ Bₜ for stacks (T, M, K) and (T, M, N) of matrices."""
    a, b = (FUNCTIONS["reshape"](t, (t.shape[0] * t.shape[1], t.shape[2])) for t in (a, b))
    return FUNCTIONS["matmul"](FUNCTIONS["transpose"](a), b)


# ---- the function ------------------------------------------------------------------------------------------------------


def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    axis: int = 0,
    length: int | Dim | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Builds ``carry, y = f(carry, x)`` over the slices of ``xs`` along ``axis``; see :func:`mathnet.scan`."""
    leaves, structure = flatten(init)
    carries = [as_tensor(leaf, "scan: initial carry") for leaf in leaves]
    slices, xs_structure = flatten(xs)
    stacks = [as_tensor(leaf, "scan: xs") for leaf in slices]
    steps, axes = _length(stacks, axis, length)
    stacks = [t if a == 0 else FUNCTIONS["moveaxis"](t, a, 0) for t, a in zip(stacks, axes)]
    x_in = [input_tensor(Spec(t.shape[1:], t.dtype), "x") for t in stacks]
    c_in, c_out, y_out, y_structure, index = _trace_body(f, carries, structure, x_in, xs_structure)
    inits = [t if t.dtype == c.dtype else FUNCTIONS["cast"](t, c.dtype) for t, c in zip(carries, c_in)]
    made = close(c_in, x_in, index, c_out, y_out, inits, stacks, steps, reverse, {})
    n = len(carries)
    ys = [
        t if axis == 0 else FUNCTIONS["moveaxis"](t, 0, normalize_axis("scan: stacked ys", axis, t.ndim))
        for t in made[n : n + len(y_out)]
    ]
    return unflatten(structure, made[:n]), unflatten(y_structure, ys)


def _length(stacks: Sequence[Tensor], axis: int, length: int | Dim | None) -> tuple[Any, list[int]]:
    """The number of iterations, and the axis of each member of xs counted from 0."""
    if not stacks and length is None:
        raise ShapeError(
            "scan: without xs the number of iterations must be given: scan(f, init, None, length=n)"
        )
    if length is not None and not isinstance(length, Dim):
        try:
            length = length.__index__()
        except AttributeError:
            raise ShapeError(f"scan: length must be an integer, not {length!r}") from None
        if length < 0:
            raise ShapeError(f"scan: length is {length}, but it must not be negative")
    axes = [normalize_axis("scan", axis, t.ndim) for t in stacks]
    sizes = [t.shape[a] for t, a in zip(stacks, axes)]
    steps = sizes[0] if length is None else length
    for position, size in enumerate(sizes):
        if size != steps:
            expected = f"xs 0 has {steps}" if length is None else f"length={steps}"
            raise ShapeError(f"scan: xs {position} has {size} slices along axis {axis}, but {expected}")
    return steps, axes


def _trace_body(
    f: Callable,
    carries: Sequence[Tensor],
    structure: Structure,
    x_in: Sequence[Tensor],
    xs_structure: Structure,
) -> tuple[list[Tensor], list[Tensor], list[Tensor], Structure, Tensor]:
    """Runs ``f`` once on tensors.  Initial carries that are bare numbers take the type that the body gives them."""
    c_in = [input_tensor(Spec(t.shape, t.dtype, t.spec.weak), "carry") for t in carries]
    for _ in range(3):
        index = position()
        with loop_body(index, _FROZEN):
            result = f(unflatten(structure, c_in), unflatten(xs_structure, x_in))
        if not isinstance(result, tuple) or len(result) != 2:
            raise ShapeError(
                f"scan: the body must return (carry, y), but it returned {type(result).__name__}; use None for no y"
            )
        new, made = flatten(result[0])
        if kinds(made) != kinds(structure):
            raise ShapeError(
                f"scan: the body returned a carry of another structure than init: {shown(made)}, not {shown(structure)}"
            )
        c_out = [as_tensor(t, "scan: carry of the body") for t in new]
        again = False
        for k, (old, t) in enumerate(zip(c_in, c_out)):
            if t.shape != old.shape:
                raise ShapeError(
                    f"scan: carry {k} enters the body with shape {show_shape(old.shape)} and leaves it with {show_shape(t.shape)}; "
                    "give init the shape that the body returns"
                )
            if t.dtype != old.dtype and old.spec.weak and not t.spec.weak:
                c_in[k] = input_tensor(Spec(old.shape, t.dtype), "carry")
                again = True
            elif (
                t.dtype != old.dtype
                and t.spec.weak
                and "biuf".index(t.dtype.kind) <= "biuf".index(old.dtype.kind)
            ):
                c_out[k] = FUNCTIONS["cast"](t, old.dtype)
            elif t.dtype != old.dtype:
                raise DTypeError(
                    f"scan: carry {k} enters the body as {old.dtype} and leaves it as {t.dtype}; "
                    "convert init or the result of the body with mn.cast"
                )
        if not again:
            break
    ys, y_structure = flatten(result[1])
    y_out = [as_tensor(t, "scan: y of the body") for t in ys]
    return c_in, c_out, y_out, y_structure, index


@contextmanager
def loop_body(index: Tensor, frozen: str) -> Iterator[None]:
    """A body is traced: draws depend on ``index``, and states cannot be assigned, for the reason ``frozen``."""
    outer = loop_position.get()
    token = loop_position.set(index if outer is None else outer * _LONGEST_INNER_LOOP + index)
    try:
        with frozen_states(frozen):
            yield
    finally:
        loop_position.reset(token)


def position(body: Graph | None = None) -> Tensor:
    """The number of the iteration among the inputs of a body; a new input where there is none."""
    given = [] if body is None else [t for t in body.inputs if t.name == _POSITION]
    return given[0] if given else input_tensor(Spec((), FLOAT64), _POSITION)


__all__ = ["SCAN", "Scan", "close", "loop_body", "position", "scan"]
