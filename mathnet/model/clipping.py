"""Clipping of gradients: by value, by the norm of each parameter's gradient, by the norm of all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.op import FUNCTIONS
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.model.slots import HyperParameters
from mathnet.store import Variable


class Clipping:
    """Limits of the gradient as slots of ``hyper``; those that are None are left out.

    value: every element is brought into [−value, value]; parameter_norm: each parameter's gradient g becomes
    g · c / max(‖g‖, c); norm: the same with the norm of all gradients together.  They act in this order.
    """

    def __init__(self, value: Any, parameter_norm: Any, norm: Any, hyper: HyperParameters) -> None:
        self.value = _limit("clip_value", value, hyper)
        self.parameter_norm = _limit("clip_parameter_norm", parameter_norm, hyper)
        self.norm = _limit("clip_norm", norm, hyper)

    def clipped(self, trace: Trace, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The gradients within the limits; None stays None."""
        found = list(gradients)
        if self.value is not None:
            limit = trace.read(self.value)
            found = [
                None if g is None else FUNCTIONS["maximum"](FUNCTIONS["minimum"](g, limit), -limit)
                for g in found
            ]
        if self.parameter_norm is not None:
            limit = trace.read(self.parameter_norm)
            found = [None if g is None else g * _scale([g], limit) for g in found]
        if self.norm is not None:
            scale = _scale([g for g in found if g is not None], trace.read(self.norm))
            found = [None if g is None else g * scale for g in found]
        return found


def _scale(gradients: Sequence[Tensor], limit: Tensor) -> Tensor:
    """limit / max(norm, limit): 1 for short gradients, and never a division by zero."""
    squares = [FUNCTIONS["sum"](FUNCTIONS["square"](g)) for g in gradients]
    total = squares[0]
    for square in squares[1:]:
        total = total + square
    return limit / FUNCTIONS["maximum"](FUNCTIONS["sqrt"](total), limit)


def _limit(name: str, value: Any, hyper: HyperParameters) -> Variable | None:
    if value is None:
        return None
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float, np.integer, np.floating))
        or not value > 0
    ):
        raise ArgumentError(f"Trainer: {name} must be a positive number or None, not {value!r}")
    return hyper.add(name, float(value))
