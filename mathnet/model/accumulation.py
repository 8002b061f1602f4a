"""Gradient accumulation: several batches make one update, as one large batch would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathnet.errors import ArgumentError
from mathnet.graph.op import FUNCTIONS
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.model.ratio import Ratio
from mathnet.model.slots import slot
from mathnet.model.updates import beside
from mathnet.store import Variable
from mathnet.transform.gradient import gradient


class Accumulation:
    """Sums over ``count`` steps: for each part Σ w·l / Σ w of the loss the gradient of its numerator, and its denominator.

    The update divides once, g = Σ ∇(Σ w·l) / Σ Σ w, which is the gradient of the batches taken together (to rounding); weights count
    as constants.  Every part costs a backward pass and memory like the parameters'.  Batch statistics are those of the single batches.
    """

    def __init__(self, count: int, parts: int, names: Sequence[str], parameters: Sequence[Variable]) -> None:
        self.count = count
        self._gradients = [beside(parameters, "accumulated") for _ in range(parts)]
        self._weights = [slot("accumulated weight") for _ in range(parts)]
        self.named = {f"{k}/weight": weight for k, weight in enumerate(self._weights)}
        for k, held in enumerate(self._gradients):
            self.named.update({f"{k}/{name}": variable for name, variable in zip(names, held)})

    def due(self, step: Tensor) -> Tensor:
        """Whether this step ends with an update: the last one of ``count``."""
        return FUNCTIONS["equal"](step + 1.0, (self.updates_before(step) + 1.0) * float(self.count))

    def updates_before(self, step: Tensor) -> Tensor:
        """⌊step / count⌋, the updates done before this step: what schedules see."""
        return FUNCTIONS["floor"](step / float(self.count))

    def trace(
        self, trace: Trace, parts: Sequence[Ratio], wrt: Sequence[Tensor], due: Tensor
    ) -> tuple[list[Tensor | None], list[tuple[Variable, Tensor]]]:
        """The gradient over the steps since the last update, and the updates of the sums."""
        where = FUNCTIONS["where"]
        total: list[Tensor | None] = [None] * len(wrt)
        updates: list[tuple[Variable, Tensor]] = []
        for part, gradients, weight in zip(parts, self._gradients, self._weights):
            denominator = trace.read(weight) + _constant(part.denominator)
            updates.append((weight, where(due, 0.0, denominator)))
            found = gradient([part.numerator], [FUNCTIONS["ones_like"](part.numerator)], wrt)
            for k, (new, held) in enumerate(zip(found, gradients)):
                if new is None:
                    continue
                summed = trace.read(held) + new
                updates.append((held, where(due, 0.0, summed)))
                mean = summed / denominator
                before = total[k]
                total[k] = mean if before is None else before + mean
        return total, updates


def folded(parts: Sequence[Ratio], penalty: Tensor | None) -> list[Ratio]:
    """Parts of the loss with the penalty as one more numerator of the first: P·Σw / Σw."""
    if penalty is None:
        return list(parts)
    first = parts[0]
    return [Ratio(first.numerator + penalty * _constant(first.denominator), first.denominator), *parts[1:]]


def _constant(value: Tensor | float) -> Tensor | float:
    return FUNCTIONS["stop_gradient"](value) if isinstance(value, Tensor) else value


def checked_count(value: Any) -> int:
    """The argument ``accumulate`` of a Trainer."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ArgumentError(f"Trainer: accumulate must be a positive integer, not {value!r}")
    return value.__index__()
