"""Iterations for linear equations whose operator is a function: conjugate gradients, and their stabilised form for any operator.

Both work on the examples along leading axes side by side, each with numbers of its own, and leave alone those that have converged.
(Hestenes & Stiefel, 1952; van der Vorst, 1992.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mathnet.graph.op import FUNCTIONS, constant, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.while_loop import close_while

Apply = Callable[[Sequence[Tensor]], list[Tensor]]


class Vectors:
    """Arithmetic with vectors that are lists of arrays, for each example along the leading axes."""

    def __init__(self, examples: int) -> None:
        self.examples = examples

    def dot(self, a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
        parts = [self._sum(x * y) for x, y in zip(a, b)]
        found = parts[0]
        for part in parts[1:]:
            found = found + part
        return found

    def _sum(self, x: Tensor) -> Tensor:
        axes = tuple(range(self.examples, x.ndim))
        return FUNCTIONS["sum"](x, axis=axes) if axes else x

    def plus(self, a: Sequence[Tensor], factor: Tensor, b: Sequence[Tensor]) -> list[Tensor]:
        """a + factor·b."""
        return [x + self.spread(factor, y) * y for x, y in zip(a, b)]

    def spread(self, x: Tensor, like: Tensor) -> Tensor:
        return FUNCTIONS["reshape"](x, (*x.shape, *(1,) * (like.ndim - x.ndim)))

    def chosen(self, flag: Tensor, a: Sequence[Tensor], b: Sequence[Tensor]) -> list[Tensor]:
        """a where the flag of the example is true, else b."""
        return [FUNCTIONS["where"](self.spread(flag, x), x, y) for x, y in zip(a, b)]


def _far(squared: Tensor, limit: Tensor) -> Tensor:
    """Whether a squared residual is above its limit; a NaN is."""
    return FUNCTIONS["logical_not"](FUNCTIONS["less_equal"](squared, limit))


def _iterate(
    step: Callable[[list[list[Tensor]]], tuple[Tensor, list[list[Tensor]]]],
    b: Sequence[Tensor],
    directions: int,
    vectors: Vectors,
    tolerance: float,
    max_steps: int,
    name: str,
    outer: Mapping[Tensor, Tensor],
) -> list[Tensor]:
    """Runs ``step`` (state → |residual|², new state) until the residual of every example is at most tolerance·|b|; returns x.

    The state: x, which begins as 0, so many vectors that begin as b, and one number, first |b|².
    """
    squared = vectors.dot(b, b)
    limit = squared * constant(tolerance**2, squared.dtype)
    limit_in = input_tensor(limit.spec, "limit")
    going = _far(squared, limit)
    state = [[FUNCTIONS["zeros_like"](t) for t in b], *[list(b)] * directions, [squared]]
    flag, still = (input_tensor(Spec(s, np.dtype(bool)), "going") for s in ((), going.shape))
    inside = [[input_tensor(t.spec, "carry") for t in group] for group in state]
    left, new = step(inside)
    more = FUNCTIONS["logical_and"](still, _far(left, limit_in))
    kept = [vectors.chosen(still, a, b) for a, b in zip(new, inside)]
    made = close_while(
        [flag, still, *[t for group in inside for t in group]],
        None,
        [FUNCTIONS["any"](more), more, *[t for group in kept for t in group]],
        [FUNCTIONS["any"](going), going, *[t for group in state for t in group]],
        max_steps,
        name,
        {**outer, limit_in: limit},
    )
    return list(made[2 : 2 + len(b)])


def conjugate_gradients(
    apply: Apply,
    b: Sequence[Tensor],
    examples: int,
    tolerance: float,
    max_steps: int,
    name: str,
    outer: Mapping[Tensor, Tensor],
) -> list[Tensor]:
    """x with A(x) = b for a symmetric positive definite A, from x = 0."""
    v = Vectors(examples)

    def step(state: list[list[Tensor]]) -> tuple[Tensor, list[list[Tensor]]]:
        x, r, p, (rho,) = state
        q = apply(p)
        alpha = rho / v.dot(p, q)
        x, r = v.plus(x, alpha, p), v.plus(r, -alpha, q)
        new = v.dot(r, r)
        p = v.plus(r, new / rho, p)
        return new, [x, r, p, [new]]

    return _iterate(step, b, 2, v, tolerance, max_steps, name, outer)


def biconjugate_gradients(
    apply: Apply,
    b: Sequence[Tensor],
    examples: int,
    tolerance: float,
    max_steps: int,
    name: str,
    outer: Mapping[Tensor, Tensor],
) -> list[Tensor]:
    """x with A(x) = b for any invertible A, from x = 0; begins anew where the search direction has become useless."""
    v = Vectors(examples)
    small = constant(float(np.finfo(b[0].dtype).eps), b[0].dtype)

    def step(state: list[list[Tensor]]) -> tuple[Tensor, list[list[Tensor]]]:
        x, r, shadow, p, (rho,) = state
        q = apply(p)
        alpha = rho / v.dot(shadow, q)
        s = v.plus(r, -alpha, q)
        t = apply(s)
        tt = v.dot(t, t)
        zero = constant(0.0, tt.dtype)
        omega = FUNCTIONS["where"](FUNCTIONS["greater"](tt, zero), v.dot(t, s) / tt, zero)
        x = v.plus(v.plus(x, alpha, p), omega, s)
        r = v.plus(s, -omega, t)
        left = v.dot(r, r)
        new = v.dot(shadow, r)
        beta = (new / rho) * (alpha / omega)
        direction = v.plus(r, beta, v.plus(p, -omega, q))
        # (r̂, r) ≪ |r̂||r|, or no step along the residual: the next direction would be noise.
        bound = small * FUNCTIONS["sqrt"](left * v.dot(shadow, shadow))
        useless = FUNCTIONS["logical_or"](
            FUNCTIONS["less_equal"](FUNCTIONS["abs"](new), bound), FUNCTIONS["equal"](omega, zero)
        )
        shadow = v.chosen(useless, r, shadow)
        p = v.chosen(useless, r, direction)
        rho = FUNCTIONS["where"](useless, left, new)
        return left, [x, r, shadow, p, [rho]]

    return _iterate(step, b, 3, v, tolerance, max_steps, name, outer)
