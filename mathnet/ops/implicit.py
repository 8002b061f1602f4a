"""Solutions of equations that an iteration finds: fixed points and linear equations given by an operator.

Their derivatives do not go through the iteration.  With x = f(x, θ) the implicit function theorem gives
(I − ∂f/∂x) dx = ∂f/∂θ dθ, which is a fixed point again; with A(θ)x = b it is A dx = db − dA x.  So every derivative is an operation
of this module, and has derivatives itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mathnet.errors import GradientError, ShapeError
from mathnet.graph.dim import Dim
from mathnet.graph.graph import Graph, Rewriter, walk
from mathnet.graph.op import FUNCTIONS, Op, batched, constant, input_tensor, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.enclosure import enclose, frozen_states, total
from mathnet.ops.krylov import biconjugate_gradients, conjugate_gradients
from mathnet.ops.while_loop import close_while


class Implicit(Op):
    """What fixed points and linear equations share.

    Inputs: n tensors (the start, or the right side), constants.  Attributes: body (a Graph of n unknowns and the constants → n tensors),
    count (that n), examples (how many leading axes are examples, each solved on its own), max_steps and those of the subclass.
    """

    def infer(self, *specs: Spec, body: Graph, **attrs: Any) -> tuple[Spec, ...]:
        for k, (given, tensor) in enumerate(zip(specs, body.inputs)):
            if given.shape != tensor.shape or given.dtype != tensor.dtype:
                raise ShapeError(
                    f"{self.name}: input {k} is {given!r}, but the function was traced for {tensor.spec!r}"
                )
        return tuple([Spec(t.shape, t.dtype) for t in body.outputs])

    def batch(  # type: ignore[override]
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any
    ) -> tuple[Tensor, ...]:
        from mathnet.transform.batching import batch

        body, count = attrs["body"], attrs["count"]
        flags = [k < count or m for k, m in enumerate(mapped)]
        wide = [
            input_tensor(Spec((n, *t.shape), t.dtype), "examples") if m else t
            for t, m in zip(body.inputs, flags)
        ]
        chosen = [k for k, m in enumerate(flags) if m]
        found = batch(body.outputs, [body.inputs[k] for k in chosen], [wide[k] for k in chosen], n)
        values = [batched(t, n, mapped[k]) if k < count else t for k, t in enumerate(inputs)]
        changed = {**attrs, "examples": attrs["examples"] + 1}
        results = [batched(t, n, m) for t, m in found]
        return self.close(
            wide[:count], results, values[:count], dict(zip(wide[count:], values[count:])), changed
        )

    def close(
        self,
        unknowns: Sequence[Tensor],
        results: Sequence[Tensor],
        given: Sequence[Tensor],
        outer: Mapping[Tensor, Tensor],
        attrs: Mapping[str, Any],
    ) -> tuple[Tensor, ...]:
        """The node for a body given by its tensors; what does not depend on the unknowns moves out of it."""
        constants, outside, inside = enclose(results, unknowns, outer)
        body = Graph([*unknowns, *constants], inside, name=f"{self.name} body")
        return self(*given, *outside, **{**attrs, "body": body, "count": len(unknowns)})

    def bind_body(self, body: Graph, sizes: Mapping[Dim, Any], mode: dict[str, Any]) -> Graph:
        """The body with its sizes replaced and its layers traced into."""
        with frozen_states(FROZEN.format(self.name)):
            return body.bind(sizes, **mode)

    def trace(self, inputs: tuple[Tensor, ...], mode: dict[str, Any], **attrs: Any) -> tuple[Tensor, ...]:
        """The equation over a bound body: what layers in it read from outside becomes a constant."""
        body, n = attrs["body"], attrs["count"]
        return self.close(
            body.inputs[:n], body.outputs, inputs[:n], dict(zip(body.inputs[n:], inputs[n:])), attrs
        )

    def by_constants(
        self,
        body: Graph,
        n: int,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        cotangents: Sequence[Tensor],
    ) -> list[Tensor | None]:
        """Cotangents of the constants when those of the body's results at the solution are given."""
        from mathnet.transform.gradient import gradient

        stand_ins = [input_tensor(t.spec, "cotangent") for t in cotangents]
        found = gradient(body.outputs, stand_ins, body.inputs[n:])
        known = dict(zip([*body.inputs, *stand_ins], [*outputs, *inputs[n:], *cotangents]))
        made = iter(Rewriter(known).run([t for t in found if t is not None]))
        return [None if t is None else next(made) for t in found]

    def along_constants(
        self,
        body: Graph,
        n: int,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        tangents: Sequence[Tensor | None],
    ) -> list[Tensor]:
        """Tangents of the body's results at the solution when those of the constants are given."""
        from mathnet.transform.forward_mode import tangents as forward

        stand_ins = [None if t is None else input_tensor(t.spec, "tangent") for t in tangents]
        found = forward(body.outputs, body.inputs[n:], stand_ins)
        known = dict(zip(body.inputs, [*outputs, *inputs[n:]]))
        known.update({s: t for s, t in zip(stand_ins, tangents) if s is not None and t is not None})
        return Rewriter(known).run([total([t], out.spec) for t, out in zip(found, outputs)])


class FixedPoint(Implicit):
    """x with x = f(x).  Inputs: the start, constants.

    Attributes beside those of all: tolerance (None: by element type), unit (whether changes are measured against max(1, |x|), else
    against max(|start|, |x|), as linear equations need).
    """

    name = "fixed_point"
    formula = "x = f(x)"

    def expansion(self, *inputs: Tensor, **attrs: Any) -> tuple[Tensor, ...]:  # type: ignore[override]
        body, n, examples = attrs["body"], attrs["count"], attrs["examples"]
        starts = inputs[:n]
        lead = starts[0].shape[:examples]
        scales = [_largest(t, examples) for t in starts]
        scale_in = [input_tensor(t.spec, "scale") for t in scales]
        flag, going = (input_tensor(Spec(s, np.dtype(bool)), "going") for s in ((), lead))
        unknowns = body.inputs[:n]
        far: Tensor | None = None
        for old, new, scale in zip(unknowns, body.outputs, scale_in):
            size = constant(1.0, old.dtype) if attrs["unit"] else scale
            size = FUNCTIONS["maximum"](_largest(new, examples), size)
            limit = size * constant(default_tolerance(attrs["tolerance"], old.dtype), old.dtype)
            near = FUNCTIONS["less_equal"](_largest(new - old, examples), limit)
            # Written so that a NaN and an infinity count as far.
            this = FUNCTIONS["logical_not"](FUNCTIONS["logical_and"](near, FUNCTIONS["less"](limit, np.inf)))
            far = this if far is None else FUNCTIONS["logical_or"](far, this)
        assert far is not None
        far = FUNCTIONS["logical_and"](going, far)
        moved = [FUNCTIONS["where"](spread(going, t.ndim), t, old) for t, old in zip(body.outputs, unknowns)]
        yes = FUNCTIONS["broadcast_to"](constant(True, bool), lead)
        made = close_while(
            [flag, going, *unknowns],
            None,
            [FUNCTIONS["any"](far), far, *moved],
            [constant(True, bool), yes, *starts],
            attrs["max_steps"],
            self.name,
            dict(zip([*body.inputs[n:], *scale_in], [*inputs[n:], *scales])),
        )
        return made[2:]

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        from mathnet.transform.gradient import gradient

        body, n = attrs["body"], attrs["count"]
        arriving = [total([d], t.spec) for d, t in zip(dy if isinstance(dy, tuple) else (dy,), outputs)]
        unknowns = [input_tensor(t.spec, "adjoint") for t in outputs]
        right = [input_tensor(t.spec, "cotangent") for t in outputs]
        found = gradient(body.outputs, unknowns, body.inputs[:n])
        results = [total([v, d], t.spec) for v, d, t in zip(right, found, outputs)]
        outer = dict(zip([*body.inputs, *right], [*outputs, *inputs[n:], *arriving]))
        adjoint = self.close(unknowns, results, arriving, outer, {**attrs, "unit": False})
        return [*[None] * n, *self.by_constants(body, n, inputs, outputs, adjoint)]

    def jvp(
        self,
        tangents: Sequence[Tensor | None],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        **attrs: Any,
    ) -> Any:
        from mathnet.transform.forward_mode import tangents as forward

        body, n = attrs["body"], attrs["count"]
        if all(t is None for t in tangents[n:]):
            return [None] * len(outputs) if len(outputs) > 1 else None
        along = self.along_constants(body, n, inputs, outputs, tangents[n:])
        unknowns = [input_tensor(t.spec, "tangent") for t in outputs]
        right = [input_tensor(t.spec, "right") for t in outputs]
        found = forward(body.outputs, body.inputs[:n], unknowns)
        results = [total([v, d], t.spec) for v, d, t in zip(right, found, outputs)]
        outer = dict(zip([*body.inputs, *right], [*outputs, *inputs[n:], *along]))
        made = self.close(unknowns, results, along, outer, {**attrs, "unit": False})
        return made if len(outputs) > 1 else made[0]


class LinearSolve(Implicit):
    """x with A(x) = b.  Inputs: b, constants.  Attributes beside those of all: method ("cg", "bicgstab" or "normal"), tolerance."""

    name = "linear_solve"
    formula = "A(x) = b"

    def expansion(self, *inputs: Tensor, **attrs: Any) -> tuple[Tensor, ...]:  # type: ignore[override]
        body, n, examples = attrs["body"], attrs["count"], attrs["examples"]
        solve = biconjugate_gradients if attrs["method"] == "bicgstab" else conjugate_gradients

        def apply(x: Sequence[Tensor]) -> list[Tensor]:
            return Rewriter(dict(zip(body.inputs[:n], x))).run(body.outputs)

        outer = dict(zip(body.inputs[n:], inputs[n:]))
        b = inputs[:n]
        if attrs["method"] == "normal":
            adjoint, results = transposed(body, n)

            def normal(x: Sequence[Tensor]) -> list[Tensor]:
                return Rewriter(dict(zip(adjoint, apply(x)))).run(results)

            b = tuple(Rewriter({**dict(zip(adjoint, b)), **outer}).run(results))
        operator = normal if attrs["method"] == "normal" else apply
        # Of size 1, so that squares neither overflow nor vanish.
        sizes = [_largest(t, examples) for t in b]
        size = sizes[0]
        for other in sizes[1:]:
            size = FUNCTIONS["maximum"](size, other)
        size = FUNCTIONS["where"](FUNCTIONS["equal"](size, 0.0), constant(1.0, size.dtype), size)
        scaled = [t / spread(size, t.ndim) for t in b]
        tolerance = default_tolerance(attrs["tolerance"], b[0].dtype)
        found = solve(operator, scaled, examples, tolerance, attrs["max_steps"], self.name, outer)
        return tuple([t * spread(size, t.ndim) for t in found])

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        body, n = attrs["body"], attrs["count"]
        arriving = [total([d], t.spec) for d, t in zip(dy if isinstance(dy, tuple) else (dy,), outputs)]
        unknowns, results = body.inputs[:n], body.outputs
        if attrs["method"] != "cg":  # cg: a symmetric operator is its own transpose
            unknowns, results = transposed(body, n)
        outer = dict(zip(body.inputs[n:], inputs[n:]))
        adjoint = self.close(unknowns, results, arriving, outer, attrs)
        negative = [-t for t in adjoint]
        return [*adjoint, *self.by_constants(body, n, inputs, outputs, negative)]

    def jvp(
        self,
        tangents: Sequence[Tensor | None],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        **attrs: Any,
    ) -> Any:
        body, n = attrs["body"], attrs["count"]
        along = self.along_constants(body, n, inputs, outputs, tangents[n:])
        right = [total([given, -t], t.spec) for given, t in zip(tangents[:n], along)]
        made = self.close(body.inputs[:n], body.outputs, right, dict(zip(body.inputs[n:], inputs[n:])), attrs)
        return made if len(outputs) > 1 else made[0]


FIXED_POINT, LINEAR_SOLVE = register(FixedPoint()), register(LinearSolve())
FROZEN = "inside of the function of {}: its iterations are not counted"


def transposed(body: Graph, n: int) -> tuple[list[Tensor], list[Tensor]]:
    """(unknowns, results) of the transpose of a linear operator."""
    from mathnet.transform.gradient import gradient

    unknowns = [input_tensor(t.spec, "adjoint") for t in body.outputs]
    found = gradient(body.outputs, unknowns, body.inputs[:n])
    return unknowns, [total([d], t.spec) for d, t in zip(found, body.inputs)]


def require_linear(body: Graph, n: int) -> None:
    """An error when the derivative of the operator depends on where it is taken."""
    from mathnet.transform.gradient import dependents

    try:
        _, results = transposed(body, n)
    except GradientError:
        return  # an operation without a derivative, which only the derivative of the solution needs
    unknowns = body.inputs[:n]
    moving = dependents(walk(results), unknowns)
    if any(id(t) in moving for t in results):
        raise GradientError(
            "linear_solve: the operator is not linear in its argument; solve nonlinear equations with mn.fixed_point"
        )


def default_tolerance(tolerance: float | None, dtype: Any) -> float:
    if tolerance is not None:
        return tolerance
    return 1e-12 if dtype == np.float64 else 1e-6


def spread(x: Tensor, rank: int) -> Tensor:
    """Values of the examples against arrays of them of this rank."""
    return FUNCTIONS["reshape"](x, (*x.shape, *(1,) * (rank - x.ndim)))


def _largest(x: Tensor, examples: int) -> Tensor:
    """The largest absolute value of each example; 0 of an empty one."""
    axes = tuple(range(examples, x.ndim))
    if not axes:
        return FUNCTIONS["abs"](x)
    if any(x.shape[a] == 0 for a in axes):
        return FUNCTIONS["zeros"](x.shape[:examples], x.dtype)
    return FUNCTIONS["max"](FUNCTIONS["abs"](x), axis=axes)


__all__ = ["FIXED_POINT", "FROZEN", "LINEAR_SOLVE", "require_linear"]
