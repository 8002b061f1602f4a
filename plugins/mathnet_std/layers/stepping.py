"""Steps of a sequence one after the other: what loops over a cell share."""

from collections.abc import Callable
from typing import Any

import mathnet as mn


def reversed_steps(x: Any) -> Any:
    """x (N, T, …) from its last step to its first; T may be unknown."""
    if isinstance(x.shape[1], int):
        return x[:, ::-1]
    return mn.take(x, mn.sequence_positions(x.shape[1], reverse=True), axis=1)


def sequence_of(x: Any) -> tuple[Any, list]:
    """(sequence (N, T, F), initial states) of what a recurrent layer is called on."""
    x, *states = x if isinstance(x, (list, tuple)) else [x]
    if x.ndim != 3:
        raise mn.ShapeError(
            f"the input must have the axes (batch, steps, features), but its shape is {tuple(x.shape)}"
        )
    return x, states


def counting(x: Any, mask: Any, lengths: Any) -> Any:
    """Which steps count, (N, T) bool, or None for all of them."""
    if lengths is None:
        return mask
    if mask is not None:
        raise mn.ArgumentError("give mask or lengths, not both")
    return mn.sequence_mask(lengths, x.shape[1])


def walk(
    step: Callable[[Any, list], tuple[Any, list]], x: Any, states: list, size: Any, mask: Any, reverse: bool
) -> tuple[Any, Any, list]:
    """(last output that counts, all outputs (N, T, size) where their inputs stand, last states).

    step: (x of one step, states) → (output, new states).  At steps that do not count the states stay, the output is 0, and what x holds
    there reaches neither results nor derivatives.
    """
    count = len(states)
    if mask is not None:
        x = mn.where(mn.expand_dims(mask, 2), x, 0.0)

    def body(carry: list, items: Any) -> Any:
        item, counts = items
        output, new = step(item, list(carry[:count]))
        new = [*new, output] if isinstance(new, (list, tuple)) else [new, output]
        if len(new) != count + 1:
            raise mn.ShapeError(f"the cell was given {count} states and returned {len(new) - 1}")
        if counts is not None:
            counts = mn.expand_dims(counts, 1)
            new = [mn.where(counts, after, before) for after, before in zip(new, carry)]
            output = mn.where(counts, output, 0.0)
        return new, output

    # The last output that counts is carried along: where it stands differs from example to example.
    start = [*states, mn.zeros((x.shape[0], size), x.dtype)]
    (*last, output), outputs = mn.scan(body, start, (x, mask), axis=1, reverse=reverse)
    return output, outputs, last
