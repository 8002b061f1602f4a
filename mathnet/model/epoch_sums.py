"""EpochSums: what the steps of an epoch add up, in float64, for the figures at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT64
from mathnet.graph.op import FUNCTIONS
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.model.measured import Measured
from mathnet.model.ratio import Ratio
from mathnet.model.slots import slot
from mathnet.store import Variable, allocate

NO_EPOCH = -1  # of sums that belong to no epoch


class EpochSums:
    """Running sums as slots: numerators and denominators of losses, sums of metrics, penalties, steps.

    The shapes of a ``Metric``'s sums are known when a step is first traced; until then it has no slots.
    """

    def __init__(self, losses: int, metrics: Sequence[Measured]) -> None:
        self._losses = [(slot("loss sum"), slot("weight sum")) for _ in range(losses)]
        self._measured = metrics
        self._metrics: list[list[Variable] | None] = [
            [slot("metric sum"), slot("weight sum")] if m.averages else None for m in metrics
        ]
        self._penalty = slot("penalty sum")
        self._steps = slot("step count")

    @property
    def named(self) -> dict[str, Variable]:
        """Every slot by name, for checkpoints."""
        pairs: list[Variable] = [v for pair in self._losses for v in pair]
        pairs += [v for m, held in zip(self._measured, self._metrics) if m.averages for v in held or ()]
        named = {f"sum/{k}": v for k, v in enumerate([*pairs, self._penalty, self._steps])}
        return {**named, **self.of_metrics}

    @property
    def of_metrics(self) -> dict[str, Variable]:
        """The slots that only some steps made, by name: those of a ``Metric``."""
        return {
            f"metric/{m.name}/{k}": variable
            for m, held in zip(self._measured, self._metrics)
            if not m.averages
            for k, variable in enumerate(held or ())
        }

    def clear(self) -> None:
        for variable in self.named.values():
            variable.array[...] = 0.0

    def adopt(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Makes the slots that are named as in ``of_metrics`` and have not been made yet."""
        for index, metric in enumerate(self._measured):
            if self._metrics[index] is None:
                found = [
                    shapes[f"metric/{metric.name}/{k}"]
                    for k in range(len(shapes))
                    if f"metric/{metric.name}/{k}" in shapes
                ]
                if found:
                    self._place(index, found)

    def _place(self, index: int, shapes: Sequence[tuple[int, ...]]) -> list[Variable]:
        """The slots of a metric, made when they are first needed."""
        held = self._metrics[index]
        if held is None:
            held = self._metrics[index] = allocate(["metric sum"] * len(shapes), shapes, FLOAT64, "slot")
        if [v.shape for v in held] != [*shapes]:
            name, given = self._measured[index].name, ", ".join(map(show_shape, shapes))
            raise ShapeError(
                f"metric {name!r}: on these examples its sums have the shapes {given}, but before they had "
                f"{', '.join(show_shape(v.shape) for v in held)}, so they cannot be added; evaluate such data with model.evaluate"
            )
        return held

    def updates(
        self,
        trace: Trace,
        losses: Sequence[Ratio],
        metrics: Sequence[Sequence[Tensor | float]],
        penalty: Tensor | None,
    ) -> list[tuple[Variable, Tensor]]:
        """The sums after a step."""
        added: list[tuple[Variable, Tensor | float]] = []
        for pair, ratio in zip(self._losses, losses):
            added += zip(pair, ratio)
        for index, sums in enumerate(metrics):
            shapes = [part.shape if isinstance(part, Tensor) else () for part in sums]
            added += zip(self._place(index, shapes), sums)
        if penalty is not None:
            added.append((self._penalty, penalty))
        added.append((self._steps, 1.0))
        return [(variable, trace.read(variable) + _float64(value)) for variable, value in added]

    def numbers(self) -> tuple[list[tuple[float, float]], list[list[np.ndarray] | None], float]:
        """(loss sums, metric sums, mean penalty)."""
        losses = [(float(n.array), float(d.array)) for n, d in self._losses]
        metrics = [None if held is None else [v.array.copy() for v in held] for held in self._metrics]
        steps = float(self._steps.array)
        return losses, metrics, float(self._penalty.array) / steps if steps else 0.0


def without_value(figure: float | np.ndarray) -> float | np.ndarray:
    """What stands in a history in place of ``figure`` for an epoch that has none."""
    return math.nan if isinstance(figure, float) else np.full_like(figure, math.nan)


def _float64(value: Tensor | float) -> Tensor | float:
    return FUNCTIONS["cast"](value, np.dtype(np.float64)) if isinstance(value, Tensor) else value
