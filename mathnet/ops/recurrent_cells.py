"""Recurrences as loops over a cell: any activation, derivatives of any order.

The product with the inputs is one matrix product for all steps, before the loop; a step is one product with the state for all gates
and one pass of elementwise operations over the gates.  :mod:`mathnet.ops.recurrence` has the cells that kernels know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mathnet.graph.tensor import Tensor
from mathnet.ops.comparison import where
from mathnet.ops.matmul import matmul
from mathnet.ops.scan import scan
from mathnet.ops.shape import expand_dims

States = tuple[Tensor, ...]
Nonlinearity = Callable[[Tensor], Tensor]
#: (slice of the inputs' products, states) → new states, products of states with weights
Step = Callable[[Tensor, States], tuple[States, States]]


def loop(
    step: Step,
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    states: Sequence[Tensor],
    mask: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, ...]:
    """(outputs (N, T, units), last states…): ``step`` makes new states of a slice of x·kernel + bias; the first one is the output.

    At a place that does not count (mask (N, T) false) the states stay and the output is 0.  The products of the states with the
    recurrent kernel are handed out of the loop for its derivative, which then need not compute them again; without one they are not
    kept.
    """
    counts = None if mask is None else expand_dims(mask, 2)
    if counts is not None:  # so that not even a NaN of the padding reaches a result or a derivative
        x = where(counts, x, 0.0)
    inputs = matmul(x, kernel)
    if bias is not None:
        inputs = inputs + bias

    def body(states: States, items: tuple[Tensor, Tensor | None]) -> Any:
        item, counts = items
        new, products = step(item, states)
        if counts is None:
            return new, (new[0], products)
        kept = tuple([where(counts, after, before) for after, before in zip(new, states)])
        return kept, (where(counts, new[0], 0.0), products)

    last, (outputs, _) = scan(body, tuple(states), (inputs, counts), axis=1, reverse=reverse)
    return (outputs, *last)


def _gate(product: Tensor, position: int, units: Any) -> Tensor:
    """The columns of one gate."""
    return product[:, position * units : (position + 1) * units]


def rnn_step(recurrent: Tensor, activation: Nonlinearity) -> Step:
    def step(x: Tensor, states: States) -> tuple[States, States]:
        product = matmul(states[0], recurrent)
        return (activation(x + product),), (product,)

    return step


def lstm_step(recurrent: Tensor, activation: Nonlinearity, squash: Nonlinearity) -> Step:
    units = recurrent.shape[0]

    def step(x: Tensor, states: States) -> tuple[States, States]:
        h, c = states
        product = matmul(h, recurrent)
        i, forget, g, o = (_gate(x, k, units) + _gate(product, k, units) for k in range(4))
        c = squash(forget) * c + squash(i) * activation(g)
        return (squash(o) * activation(c), c), (product,)

    return step


def gru_step(
    recurrent: Tensor,
    recurrent_bias: Tensor | None,
    reset_after: bool,
    activation: Nonlinearity,
    squash: Nonlinearity,
) -> Step:
    units = recurrent.shape[0]
    cut = 2 * units

    def after(x: Tensor, states: States) -> tuple[States, States]:
        (h,) = states
        product = matmul(h, recurrent)
        if recurrent_bias is not None:
            product = product + recurrent_bias
        r, z = (squash(_gate(x, k, units) + _gate(product, k, units)) for k in range(2))
        n = activation(_gate(x, 2, units) + r * _gate(product, 2, units))
        return (n + z * (h - n),), (product,)

    def before(x: Tensor, states: States) -> tuple[States, States]:
        (h,) = states
        product = matmul(h, recurrent[:, :cut])
        r, z = (squash(_gate(x, k, units) + _gate(product, k, units)) for k in range(2))
        inner = matmul(r * h, recurrent[:, cut:])
        n = activation(_gate(x, 2, units) + inner)
        return (n + z * (h - n),), (product, inner)

    return after if reset_after else before
