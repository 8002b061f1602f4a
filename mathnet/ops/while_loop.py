"""while_loop: a loop of unknown length as one instruction.

The carries stay in one place and every iteration overwrites them, so that the length needs no memory.  The way back does: the derivative
is that of a scan over ``limit`` iterations, each of which runs the body or does nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mathnet._kernels.runner import STATUS_CODES
from mathnet.errors import ArgumentError, DTypeError, GradientError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.graph import Graph, walk
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, batched, input_tensor, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.tree import flatten, unflatten
from mathnet.ops.branch import COND
from mathnet.ops.control import identity
from mathnet.ops.enclosure import enclose, matched, total
from mathnet.ops.scan import close, loop_body, position

NO_LIMIT = 2**62


class WhileLoop(Op):
    """The carries when the first of them, a bool of rank 0, has become false.

    Inputs: carries, constants.  Attributes: body (a Graph of carries, constants and, with ``index``, the number of the iteration as a
    float64 → new carries), n_carry, limit (None: none), index, name (for errors).
    """

    name = "while_loop"
    formula = "x ← f(x) while p(x)"

    def infer(  # type: ignore[override]
        self, *specs: Spec, body: Graph, n_carry: int, limit: int | None, index: bool, name: str
    ) -> tuple[Spec, ...]:
        for k, (given, tensor) in enumerate(zip(specs, body.inputs)):
            if given.shape != tensor.shape or given.dtype != tensor.dtype:
                raise ShapeError(
                    f"{name}: input {k} is {given!r}, but the body was traced for {tensor.spec!r}"
                )
        return tuple([Spec(t.shape, t.dtype) for t in body.outputs])

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        from mathnet.transform.gradient import accumulate

        if attrs["limit"] is None:
            raise GradientError(
                f"{attrs['name']}: the derivative in reverse mode needs max_steps, because it keeps every carry for the way back; "
                "give max_steps, or use forward mode (mn.jvp)"
            )
        arriving = dy if isinstance(dy, tuple) else (dy,)
        fresh = [identity(t) for t in inputs]
        made = as_scan(fresh, **attrs)
        ended = [
            None if d is None else ENDED(made[0], d, limit=attrs["limit"], name=attrs["name"])
            for d in arriving
        ]
        return accumulate(walk(made, stop=fresh), made, ended, fresh)

    def jvp(
        self,
        tangents: Sequence[Tensor | None],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        body: Graph,
        n_carry: int,
        limit: int | None,
        index: bool,
        name: str,
    ) -> Any:
        from mathnet.transform.forward_mode import tangents as forward

        constants = body.inputs[n_carry : len(body.inputs) - index]
        outer = dict(zip(constants, inputs[n_carry:]))
        floats = [k for k in range(n_carry) if is_float(body.inputs[k].dtype)]
        inside: dict[int, Tensor] = {}
        for k, (tensor, given) in enumerate(zip(body.inputs, tangents)):
            if k in floats or given is not None:
                inside[k] = input_tensor(tensor.spec, "tangent")
                if k >= n_carry:
                    outer[inside[k]] = given  # type: ignore[assignment]
        found = forward(body.outputs, [body.inputs[k] for k in inside], list(inside.values()))
        made = close_while(
            [*body.inputs[:n_carry], *[inside[k] for k in floats]],
            body.inputs[-1] if index else None,
            [*body.outputs, *[total([found[k]], body.inputs[k].spec) for k in floats]],
            [*inputs[:n_carry], *[total([tangents[k]], body.inputs[k].spec) for k in floats]],
            limit,
            name,
            outer,
        )
        result = dict(zip(floats, made[n_carry:]))
        tangent = [result.get(k) for k in range(n_carry)]
        return tangent if n_carry > 1 else tangent[0]

    def batch(  # type: ignore[override]
        self,
        n: Any,
        inputs: Sequence[Tensor],
        mapped: Sequence[bool],
        *,
        body: Graph,
        n_carry: int,
        limit: int | None,
        index: bool,
        name: str,
    ) -> Sequence[Tensor]:
        from mathnet.transform.batching import batch

        flags = [*mapped, *[False] * index]
        while True:
            if flags[0]:  # examples end at different times: all carries are each example's own
                flags[:n_carry] = [True] * n_carry
            wide = [
                input_tensor(Spec((n, *t.shape), t.dtype) if m else t.spec, t.name)
                for t, m in zip(body.inputs, flags)
            ]
            chosen = [k for k, m in enumerate(flags) if m]
            found = batch(body.outputs, [body.inputs[k] for k in chosen], [wide[k] for k in chosen], n)
            more = [f or (k < n_carry and found[k][1]) for k, f in enumerate(flags)]
            if more == flags:
                break
            flags = more
        inside = [w if m else t for t, w, m in zip(body.inputs, wide, flags)]
        carry_in = inside[:n_carry]
        carry_out = [batched(t, n, m) if flags[k] else t for k, (t, m) in enumerate(found)]
        inits = [
            batched(t, n, m) if flags[k] else t for k, (t, m) in enumerate(zip(inputs[:n_carry], mapped))
        ]
        outer = dict(zip(inside[n_carry : len(inside) - index], inputs[n_carry:]))
        last = body.inputs[-1] if index else None
        if not flags[0]:
            made = close_while(carry_in, last, carry_out, inits, limit, name, outer)
        else:
            going = carry_in[0]
            carry_out = [
                FUNCTIONS["where"](FUNCTIONS["reshape"](going, (n,) + (1,) * (old.ndim - 1)), new, old)
                for new, old in zip(carry_out, carry_in)
            ]
            some = input_tensor(Spec((), going.dtype), "some")
            anyone = FUNCTIONS["any"]
            made = close_while(
                [some, *carry_in],
                last,
                [anyone(carry_out[0]), *carry_out],
                [anyone(inits[0]), *inits],
                limit,
                name,
                outer,
            )[1:]
        return [batched(t, n, m) for t, m in zip(made, flags)]

    def bind_body(self, body: Graph, sizes: Mapping[Dim, Any], mode: dict[str, Any]) -> Graph:
        """The body with its sizes replaced and its layers traced into; its last input is the position."""
        index = position(body)
        with loop_body(index, _FROZEN):
            bound = body.bind(sizes, **mode)
        return bound if any(t is index for t in body.inputs) else Graph([*bound.inputs, index], bound.outputs)

    def trace(self, inputs: tuple[Tensor, ...], mode: dict[str, Any], **attrs: Any) -> tuple[Tensor, ...]:
        """The loop over a bound body: what layers in it read from outside becomes a constant of the loop."""
        body, n = attrs["body"], attrs["n_carry"]
        outer = dict(zip(body.inputs[n:-1], inputs[n:]))
        return close_while(
            body.inputs[:n], body.inputs[-1], body.outputs, inputs[:n], attrs["limit"], attrs["name"], outer
        )

    def lower(  # type: ignore[override]
        self,
        emit: Any,
        inputs: tuple[Any, ...],
        outputs: tuple[Any, ...],
        *,
        body: Graph,
        n_carry: int,
        limit: int | None,
        index: bool,
        name: str,
    ) -> None:
        limit = NO_LIMIT if limit is None else limit
        emit.loop_while(body, limit, inputs[:n_carry], inputs[n_carry:], outputs, index)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        """Of one iteration: how many there are depends on the data."""
        costs = [
            n.op.cost([t.spec for t in n.inputs], [t.spec for t in n.outputs], **n.attrs)
            for n in attrs["body"].nodes
        ]
        return sum(f for f, _ in costs), sum(b for _, b in costs)

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str | None:
        return _exhausted(code, attrs["name"], attrs["limit"])


class Ended(Op):
    """x, or an error when the flag says that the loop before it has not ended.  Inputs: flag, x.  Attributes: limit, name."""

    name = "ended"
    formula = "x"

    def infer(self, flag: Spec, x: Spec, limit: int, name: str) -> Spec:  # type: ignore[override]
        return x

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return None, self(inputs[0], dy, **attrs)

    def jvp(
        self, tangents: tuple, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Tensor | None:
        return None if tangents[1] is None else self(inputs[0], tangents[1], **attrs)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        flag = FUNCTIONS["any"](inputs[0]) if mapped[0] else inputs[0]
        return self(flag, batched(inputs[1], n, mapped[1]), **attrs)

    def lower(self, emit: Any, inputs: Any, outputs: Any, limit: int, name: str) -> None:  # type: ignore[override]
        emit.require_ended(inputs[0], Graph([], [], name="nothing"))
        emit.copy(inputs[1], outputs[0])

    def message(self, code: int, position: int, value: float, limit: int, name: str) -> str | None:  # type: ignore[override]
        return _exhausted(code, name, limit)


WHILE_LOOP, ENDED = register(WhileLoop()), register(Ended())
_FROZEN = "inside of a while_loop: carry it instead"


def _exhausted(code: int, name: str, limit: Any) -> str | None:
    if code != STATUS_CODES["steps_exhausted"]:
        return None
    if name == "while_loop":
        return f"while_loop: the condition is still true after max_steps={limit} iterations; give more, or let the condition end it"
    return (
        f"{name}: no convergence within max_steps={limit}; give more steps, a larger tolerance or a better start, "
        "and see that the problem has a solution"
    )


def close_while(
    carry_in: Sequence[Tensor],
    index_in: Tensor | None,
    carry_out: Sequence[Tensor],
    inits: Sequence[Tensor],
    limit: int | None,
    name: str,
    outer: Mapping[Tensor, Tensor],
) -> tuple[Tensor, ...]:
    """The node for a body given by its tensors; everything that does not depend on carries or index moves out of the loop."""
    arguments = [*carry_in, *([] if index_in is None else [index_in])]
    constants, outside, inside = enclose(carry_out, arguments, outer)
    index = [index_in] if index_in is not None and any(n is index_in.node for n in walk(inside)) else []
    body = Graph([*carry_in, *constants, *index], inside, name="while body")
    return WHILE_LOOP(
        *inits, *outside, body=body, n_carry=len(carry_in), limit=limit, index=bool(index), name=name
    )


def as_scan(
    inputs: Sequence[Tensor], *, body: Graph, n_carry: int, limit: int, index: bool, name: str
) -> tuple[Tensor, ...]:
    """The loop as a scan over ``limit`` iterations: those after the last do nothing."""
    carries = body.inputs[:n_carry]
    still = Graph(body.inputs, carries, name="else")
    step = COND(carries[0], *body.inputs, then=body, otherwise=still)
    constants = body.inputs[n_carry : len(body.inputs) - index]
    outer = dict(zip(constants, inputs[n_carry:]))
    last = body.inputs[-1] if index else None
    return close(carries, [], last, step, [], inputs[:n_carry], [], limit, False, outer)[:n_carry]


def while_loop(condition: Callable, body: Callable, init: Any, max_steps: int | None = None) -> Any:
    """Builds the node; see :func:`mathnet.while_loop`."""
    if max_steps is not None:
        if isinstance(max_steps, bool) or not hasattr(max_steps, "__index__"):
            raise ArgumentError(f"while_loop: max_steps must be an int or None, not {max_steps!r}")
        max_steps = max_steps.__index__()
        if max_steps < 0:
            raise ArgumentError(f"while_loop: max_steps is {max_steps}, but it must not be negative")
    leaves, structure = flatten(init)
    inits = [as_tensor(leaf, "while_loop: init") for leaf in leaves]
    if not inits:
        raise ShapeError("while_loop: init holds no arrays, so nothing could end the loop")
    for _ in range(3):
        carry_in = [input_tensor(Spec(t.shape, t.dtype, t.spec.weak), "carry") for t in inits]
        index = position()
        with loop_body(index, _FROZEN):
            made, made_structure = flatten(body(unflatten(structure, carry_in)))
            tensors = [as_tensor(t, "while_loop: result of the body") for t in made]
            stronger = [
                old.spec.weak
                and old.dtype != new.dtype
                and "biuf".index(old.dtype.kind) <= "biuf".index(new.dtype.kind)
                for old, new in zip(inits, tensors)
            ]
            if len(inits) == len(tensors) and any(
                stronger
            ):  # bare numbers take the type that the body gives them
                inits = [
                    FUNCTIONS["cast"](old, new.dtype) if s else old
                    for old, new, s in zip(inits, tensors, stronger)
                ]
                continue
            carry_out = matched(
                tensors,
                made_structure,
                [t.spec for t in carry_in],
                structure,
                "while_loop: what the body returns",
            )
            going = _condition(condition(unflatten(structure, carry_out)))
        break
    start = _condition(condition(unflatten(structure, inits)))
    flag = input_tensor(Spec((), going.dtype), "running")
    finals = close_while(
        [flag, *carry_in], index, [going, *carry_out], [start, *inits], max_steps, "while_loop", {}
    )
    return unflatten(structure, finals[1:])


def _condition(value: Any) -> Tensor:
    if isinstance(value, (tuple, list, dict)) or value is None:
        raise ShapeError(
            f"while_loop: the condition returned a {type(value).__name__}, but one bool is needed"
        )
    tensor = as_tensor(value, "while_loop: the condition")
    if tensor.dtype.kind != "b":
        raise DTypeError(
            f"while_loop: the condition returned element type {tensor.dtype}, but a bool is needed; compare it: x > 0"
        )
    if tensor.shape != ():
        raise ShapeError(
            f"while_loop: the condition returned shape {show_shape(tensor.shape)}, but one bool is needed; use mn.any or mn.all"
        )
    return tensor


__all__ = ["ENDED", "WHILE_LOOP", "close_while", "while_loop"]
