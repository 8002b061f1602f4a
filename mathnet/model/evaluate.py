"""Evaluation: loss and metrics on data in inference mode."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet._kernels import runner
from mathnet.errors import DataError
from mathnet.graph.graph import Graph
from mathnet.graph.op import CONSTANT, as_tensor, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.graph.trace import Trace
from mathnet.model.calls import BoundCall, Recent
from mathnet.model.inputs import match
from mathnet.model.objective import Objective
from mathnet.model.predict import check_batch_size, check_rows, fill, power_of_two
from mathnet.model.refusals import checks_of, refused

if TYPE_CHECKING:
    from mathnet.model.model import Model

PLANS = 8  # signatures whose plans an Evaluator keeps


class Evaluator:
    """Runs an objective over data; plans are kept for the next time."""

    def __init__(self, model: Model, objective: Objective) -> None:
        self.model, self.objective = model, objective
        self._bound: Recent[BoundCall] = Recent(PLANS)
        self._counts: list[int] = []  # how many sums each metric has

    def run(self, x: Any, y: Any, sample_weight: Any = None, batch_size: int = 256) -> dict[str, Any]:
        """{"loss": Σ w·l / Σ w + penalties, "penalty", each metric}."""
        check_batch_size(batch_size)
        return self.over(self.data(x, y, sample_weight), batch_size)

    def data(self, x: Any, y: Any, sample_weight: Any = None) -> list[np.ndarray]:
        """Inputs, targets and weights as checked arrays of the right types."""
        model = self.model
        inputs = model.arrays(x)
        match(model.inputs, inputs, model.input_names, model._owner)
        rows = check_rows(inputs, [f"input {name!r}" for name in model.input_names])
        targets = self.objective.targets(y, rows)
        self.objective.check(targets)
        weights = (
            np.ones(rows, model.dtype)
            if sample_weight is None
            else self.objective.weights(sample_weight, rows)
        )
        return [*inputs, *targets, weights]

    def over(self, data: list[np.ndarray], batch_size: int) -> dict[str, Any]:
        """The figures over what :meth:`data` gave: one batch at a time, sums in float64."""
        return self.over_all([data], batch_size)

    def over_all(self, parts: Iterable[list[np.ndarray]], batch_size: int) -> dict[str, Any]:
        """The figures over several such lists of arrays together."""
        sums: list[np.ndarray] | None = None
        total = 0.0
        for data in parts:
            sums = _added(sums, self._sums(data, batch_size))
            total += data[-1].sum(dtype=np.float64)
        if sums is None:
            raise DataError("there are no batches to evaluate on")
        rest = iter(sums)
        losses = [(float(next(rest)), float(next(rest))) for _ in self.objective.losses]
        metrics = [[next(rest) for _ in range(count)] for count in self._counts]
        penalty = float(next(rest) / total) if self._penalized and total else None
        return self.objective.report(losses, metrics, penalty)

    def _sums(self, data: list[np.ndarray], batch_size: int) -> list[np.ndarray]:
        """Numerators and denominators of losses, sums of metrics, and weights times penalty, over the rows.

        What remains after the full batches is filled up to a power of two with rows of weight zero.
        """
        rows = len(data[0])
        sums: list[np.ndarray] | None = None
        for start in range(0, rows, batch_size):
            stop = min(start + batch_size, rows)
            size = stop - start if stop - start == batch_size else min(power_of_two(stop - start), batch_size)
            batch = [fill(a[start:stop], size) for a in data]
            if size != stop - start:
                batch[-1][stop - start :] = 0.0
            bound = self._bound.get(
                (size, tuple((a.shape[1:], a.dtype) for a in batch)), partial(self._bind, batch)
            )
            try:
                values = [np.array(v, np.float64) for v in bound.call(*batch)]
            except runner.StatusError as error:
                raise refused(error, bound.plan, self._names, data, np.arange(start, stop)) from None
            values[-1] *= batch[-1].sum(dtype=np.float64)  # penalties of layers are averages over the batch
            sums = _added(sums, values)
        assert sums is not None
        return sums

    @property
    def _names(self) -> list[str]:
        return [
            *[f"input {n!r}" for n in self.model.input_names],
            *[f"targets of output {n!r}" for n in self.model.output_names],
            "sample_weight",
        ]

    def _bind(self, batch: list[np.ndarray]) -> BoundCall:
        model, objective = self.model, self.objective
        tensors = [input_tensor(Spec(a.shape, a.dtype), name) for a, name in zip(batch, self._names)]
        n_inputs, n_targets = len(model.inputs), len(model.outputs)
        x, y, weight = tensors[:n_inputs], tensors[n_inputs : n_inputs + n_targets], tensors[-1]
        with Trace(training=False) as trace:
            outputs = model.graph.bind(match(model.inputs, x, model.input_names, model._owner), x).outputs
            losses = objective.loss_terms(trace, outputs, y, weight, checked=False)
            metrics = objective.metric_sums(trace, outputs, y, weight)
            penalty = objective.penalty(trace, weight)
        self._penalized = penalty is not None
        self._counts = [len(sums) for sums in metrics]
        results = [as_tensor(part) for term in (*losses, *metrics) for part in term]
        results.append(penalty if penalty is not None else CONSTANT(spec=Spec((), model.dtype), value=0.0))
        graph = Graph(tensors, results, name=f"evaluation of {model.name or 'model'}(batch {len(batch[0])})")
        checks = checks_of(batch, n_inputs, n_targets)
        return BoundCall(model.constants.settle(graph), _unexpected, model.runtime, checks=checks)


def _added(sums: list[np.ndarray] | None, more: list[np.ndarray]) -> list[np.ndarray]:
    return more if sums is None else [a + b for a, b in zip(sums, more)]


def _unexpected(*args: Any) -> Any:
    raise AssertionError(f"an evaluation plan was called with {[getattr(a, 'shape', a) for a in args]}")
