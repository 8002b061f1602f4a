"""GradientNorms: how long the gradients of a training are, noted by the steps themselves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mathnet.graph.dtypes import FLOAT64
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.store import Variable, allocate

#: The name under which the norm of all gradients together stands.
GLOBAL = "global"


class GradientNorms:
    """The Euclidean norm of each parameter's gradient, and of all together, in float64 before clipping.

    ``latest`` is that of the last update; ``mean`` and ``largest`` are over the updates since :meth:`clear`: mappings of parameter names,
    and "global", to floats.  ``count`` is the number of these updates.
    """

    def __init__(self, parameters: Sequence[tuple[str, Variable]]) -> None:
        self.names = [*(name for name, _ in parameters), GLOBAL]
        shape = (len(self.names),)
        self._latest, self._total, self._largest = allocate(
            ["gradient norms", "sums of gradient norms", "largest gradient norms"],
            [shape] * 3,
            FLOAT64,
            "slot",
        )
        (self._count,) = allocate(["updates"], [()], FLOAT64, "slot")

    @property
    def count(self) -> int:
        return int(self._count.array)

    @property
    def latest(self) -> dict[str, float]:
        return self._named(self._latest.array)

    @property
    def mean(self) -> dict[str, float]:
        """NaN before the first update."""
        return self._named(self._total.array / self.count if self.count else np.full(len(self.names), np.nan))

    @property
    def largest(self) -> dict[str, float]:
        return self._named(self._largest.array)

    def clear(self) -> None:
        """Begins a new mean and maximum."""
        for variable in (self._total, self._largest, self._count):
            variable.array[...] = 0.0

    def state(self) -> dict[str, np.ndarray]:
        """What goes on after a checkpoint."""
        return {
            name: getattr(self, f"_{name}").array.copy() for name in ("latest", "total", "largest", "count")
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Takes back what :meth:`state` returned."""
        for name, array in state.items():
            getattr(self, f"_{name}").assign(array)

    def _named(self, values: np.ndarray) -> dict[str, float]:
        return dict(zip(self.names, values.tolist()))

    def trace(
        self, trace: Trace, gradients: Sequence[Tensor | None], due: Tensor | None
    ) -> list[tuple[Variable, Tensor]]:
        """What a step changes; due: whether it ends with an update, None for always."""
        squares = [as_tensor(0.0) if g is None else _square(g) for g in gradients]
        total = squares[0]
        for square in squares[1:]:
            total = total + square
        norms = FUNCTIONS["sqrt"](FUNCTIONS["stack"]([*squares, total]))
        updates = [
            (self._latest, norms),
            (self._total, trace.read(self._total) + norms),
            (self._largest, FUNCTIONS["maximum"](trace.read(self._largest), norms)),
            (self._count, trace.read(self._count) + 1.0),
        ]
        if due is None:
            return updates
        return [(variable, FUNCTIONS["where"](due, new, trace.read(variable))) for variable, new in updates]


def _square(gradient: Tensor) -> Tensor:
    wide = gradient if gradient.dtype == FLOAT64 else FUNCTIONS["cast"](gradient, FLOAT64)
    return FUNCTIONS["sum"](FUNCTIONS["square"](wide))
