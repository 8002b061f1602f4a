"""Operations that steer derivatives: identity, stop_gradient and functions with a derivative of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import GradientError
from mathnet.graph.op import Op, as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor


class Identity(Op):
    """y = x.  Marks the argument of a transform: a fresh node is a variable of its own."""

    name = "identity"
    formula = "x"
    #: Output i is input i: the plan drops the node once all derivatives are taken.
    transparent = True

    def infer(self, x: Spec, **attrs: Any) -> Spec:
        return x

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        return self(inputs[0], **attrs)

    def vjp(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (dy,)

    def jvp(
        self, tangents: tuple, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Tensor | None:
        return tangents[0]

    def view(self, view: Any, **attrs: Any) -> Any:
        return view

    def oracle(self, x: np.ndarray, **attrs: Any) -> np.ndarray:  # type: ignore[override]
        return x

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((np.array([[0.5, -2.0, 3.0]]),), {}), ((np.array(1.5),), {})]

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 0


class StopGradient(Identity):
    """y = x, with derivative zero."""

    name = "stop_gradient"
    formula = "x, held constant"

    def vjp(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (None,)

    def jvp(
        self, tangents: tuple, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Tensor | None:
        return None


class Barrier(Identity):
    """y = x, as another value: what is computed from it is computed again and never found equal to what is computed from x."""

    name = "barrier"
    transparent = False


class CustomVjp(Op):
    """A function whose derivative the user wrote.

    Inputs: the function's results (as plain nodes), then its arguments.  The results pass through unchanged;
    their cotangents go to ``rule`` and never into the function.
    Attributes: results (how many), rule, forward_rule, name.
    """

    name = "custom_vjp"
    transparent = True

    def infer(self, *specs: Spec, results: int, **attrs: Any) -> Spec | tuple[Spec, ...]:
        return specs[0] if results == 1 else specs[:results]

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        results: int,
        rule: Callable,
        **attrs: Any,
    ) -> Sequence[Tensor | None]:
        return (*[None] * results, *rule(dy, inputs[results:], outputs))

    def jvp(
        self,
        tangents: tuple,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        *,
        results: int,
        forward_rule: Callable | None,
        name: str,
        **attrs: Any,
    ) -> Any:
        if forward_rule is None:
            raise GradientError(
                f"{name!r} has a derivative of its own (custom_vjp) but none in forward mode; "
                "give it one: mn.custom_vjp(f, vjp, jvp=…)"
            )
        return forward_rule(tangents[results:], inputs[results:], outputs)


IDENTITY, STOP_GRADIENT, CUSTOM_VJP = register(Identity()), register(StopGradient()), register(CustomVjp())
BARRIER = register(Barrier())


def identity(x: Any) -> Tensor:
    """``x`` as a fresh node."""
    return IDENTITY(as_tensor(x, "identity"))


@graph_function
def stop_gradient(x: Any) -> Tensor:
    """``x``, held constant by every derivative.

    >>> import mathnet as mn
    >>> float(mn.grad(lambda x: x * mn.stop_gradient(x))(3.0))
    3.0
    """
    return STOP_GRADIENT(as_tensor(x, "stop_gradient"))
