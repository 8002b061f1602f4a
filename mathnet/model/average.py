"""Averages of the weights over a training: exponential (EMA) or of equal parts (SWA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.op import FUNCTIONS
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.model.slots import HyperParameters
from mathnet.model.updates import beside
from mathnet.store import Variable


class Average:
    """ā ← ā + r (θ − ā) after every update u = 0, 1, …, θ being the new weights.

    ema=d: r = 1 − d, and 1 at u = 0, so that ā starts at the weights of the first update; d is the hyper-parameter "ema".
    swa=s: r = 1 / max(1, u − s + 1): the weights themselves before update s, then the mean of those of updates s, …, u.
    Source: Izmailov et al., Averaging Weights Leads to Wider Optima, UAI 2018.
    """

    def __init__(
        self, names: Sequence[str], parameters: Sequence[Variable], ema: Any, swa: Any, hyper: HyperParameters
    ) -> None:
        if ema is not None and swa is not None:
            raise ArgumentError("Trainer: give ema or swa, not both")
        self._decay: Variable | None = None
        self._start = 0.0
        if ema is not None:
            if (
                isinstance(ema, bool)
                or not isinstance(ema, (int, float, np.integer, np.floating))
                or not 0.0 <= ema < 1.0
            ):
                raise ArgumentError(f"Trainer: ema must be a number from 0 and below 1, not {ema!r}")
            self._decay = hyper.add("ema", float(ema))
        else:
            if isinstance(swa, bool) or not hasattr(swa, "__index__") or swa < 0:
                raise ArgumentError(
                    f"Trainer: swa must be the number of the update at which averaging begins, from 0, not {swa!r}"
                )
            self._start = float(swa)
        self._parameters = {id(v): held for v, held in zip(parameters, beside(parameters, "weight average"))}
        self.named = dict(zip(names, self._parameters.values()))
        for variable in parameters:
            self._parameters[id(variable)].array[...] = variable.array

    def trace(
        self, trace: Trace, new_values: Sequence[tuple[Variable, Tensor]], update: Tensor
    ) -> list[tuple[Variable, Tensor]]:
        """The averages after an update, whose new values of the parameters are among ``new_values``."""
        maximum = FUNCTIONS["maximum"]
        if self._decay is not None:
            rate = maximum(1.0 - trace.read(self._decay), 1.0 - FUNCTIONS["minimum"](update, 1.0))
        else:
            rate = 1.0 / maximum(update - (self._start - 1.0), 1.0)
        updates = []
        for variable, new in new_values:
            held = self._parameters.get(id(variable))
            if held is not None:
                old = trace.read(held)
                updates.append((held, old + rate * (new - old)))
        return updates

    def swap(self, parameters: dict[str, Variable]) -> None:
        """Exchanges the averages with the parameters of those names."""
        for name, held in self.named.items():
            array = parameters[name].array
            kept = np.array(array)
            array[...] = held.array
            held.array[...] = kept
