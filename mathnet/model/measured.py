"""Measured: one reported figure of an output, as sums that a step adds up and the figure that comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT64
from mathnet.graph.graph import walk
from mathnet.graph.op import FUNCTIONS
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.model.ratio import aligned, per_example, ratio
from mathnet.model.slots import Adjustable
from mathnet.plugin.metric import Metric, figure_of, sums_of
from mathnet.plugin.records import direction_of


class Measured(NamedTuple):
    """A metric in use: its name in logs and history, the position of the output that it looks at, and the object.

    A function of one value m per example has the sums Σ w·m and Σ w; a ``Metric`` has sums of its own.
    """

    name: str
    output: int
    function: Adjustable

    @property
    def averages(self) -> bool:
        """Whether it is the average of one value per example."""
        return not isinstance(self.function.used, Metric)

    @property
    def direction(self) -> str | None:
        """Which values are better, "max" or "min", where the metric says so."""
        return direction_of(self.function.used)

    def sums(
        self, trace: Trace, scores: Tensor, target: Tensor, weight: Tensor | None, dtype: np.dtype
    ) -> list[Tensor | float]:
        """The sums over a batch; dtype: of values that are no floats."""
        where, batch = f"metric {self.name!r}", scores.shape[0]
        target = aligned(scores, target)
        if self.averages:
            values = self.function.within(trace)(scores, target)
            return list(ratio(*per_example(values, batch, where, dtype), weight, None))
        if weight is None:
            weight = FUNCTIONS["ones"]((batch,), FLOAT64)
        elif weight.dtype != FLOAT64:
            weight = FUNCTIONS["cast"](weight, FLOAT64)
        return list(sums_of(self.function.used, scores, target, weight))

    def figure(self, sums: Sequence[np.ndarray] | None) -> Any:
        """The figure from sums over all examples; NaN without any."""
        if sums is None:
            return float("nan")
        if not self.averages:
            return figure_of(self.function.used, sums)
        numerator, denominator = (float(part) for part in sums)
        return numerator / denominator if denominator else float("nan")


def check_sums(sums: Sequence[Tensor], batch: int, where: str) -> None:
    """Sums of a trial batch, whose size no other axis has: none may have an axis of it, and nothing on their way two."""
    for position, part in enumerate(sums):
        if batch in part.shape:
            raise ShapeError(
                f"{where}: sum {position} has shape {show_shape(part.shape)} for a batch of {batch}; sums(y_pred, y_true, weight) must "
                "add up over the examples"
            )
    for node in walk(sums):
        for tensor in node.outputs:
            if tensor.shape.count(batch) > 1:
                raise ShapeError(
                    f"{where}: {node.op.name} gives shape {show_shape(tensor.shape)} for a batch of {batch}, one value for each pair of "
                    "examples; scores and targets are (N, 1) here perhaps, and weight is (N,): reshape it, or use weight @ values"
                )
