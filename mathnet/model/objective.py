"""Objective: what training minimises and evaluation reports — losses, weights, penalties, metrics — as tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import ArgumentError, DataError, MathnetError, ShapeError, nearest
from mathnet.graph.dim import Dim, evaluate_shape, show_shape
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.op import as_tensor, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import Trace
from mathnet.model.inputs import arrange, convert
from mathnet.model.measured import Measured, check_sums
from mathnet.model.naming import unique
from mathnet.model.ratio import Ratio, aligned, per_example, ratio
from mathnet.model.slots import Adjustable, HyperParameters
from mathnet.plugin.metric import Metric, refuse_negative, sums_of
from mathnet.plugin.registry import resolve
from mathnet.store import Variable

if TYPE_CHECKING:
    from mathnet.model.model import Model


TRIAL = 6720  # batch size on which losses are tried: a multiple of 1 to 8, 10, 12, 14, 16, 32, 64


class Objective:
    """Losses and metrics of a model's outputs, and the penalties on its weights.

    loss: a key, function or configured loss; for several outputs a list or a mapping by output name.  metrics: a sequence, for
    several outputs also a mapping by output name.  hyper: where float settings become slots; None keeps them constants.
    """

    def __init__(
        self,
        model: Model,
        loss: Any,
        metrics: Any = (),
        loss_weights: Any = None,
        hyper: HyperParameters | None = None,
    ) -> None:
        self.model = model
        names = model.output_names
        several = len(names) > 1
        self.losses: list[Adjustable] = []
        for name, given in zip(names, _per_output(loss, names, "loss")):
            prefix = f"{name}.loss." if several else "loss."
            if given is None:
                raise ArgumentError(
                    f"output {name!r} has no loss; give a key such as 'mse' or a function (y_pred, y_true)"
                )
            self.losses.append(Adjustable(resolve("loss", given, "loss"), prefix, hyper))
        self.loss_weights = [1.0] * len(names)
        if loss_weights is not None:
            self.loss_weights = [_loss_weight(w) for w in arrange(loss_weights, names, "loss weight")]
        self.metrics = self._resolved_metrics(metrics)
        self.penalties = penalties_of(model, hyper)
        self._seen: set[tuple] = set()

    def _resolved_metrics(self, metrics: Any) -> list[Measured]:
        names = self.model.output_names
        if isinstance(metrics, str):
            raise ArgumentError(f"metrics must be a list: metrics=[{metrics!r}]")
        if isinstance(metrics, Mapping):
            for key in metrics:
                if key not in names:
                    raise ArgumentError(f"metrics: there is no output {key!r}{nearest(key, names)}")
            wanted = [(k, _as_list(metrics[name])) for k, name in enumerate(names) if name in metrics]
        else:
            wanted = [(k, list(metrics)) for k in range(len(names))]
        found = [
            (k, Adjustable(resolve("metric", m, "metrics"), "", None)) for k, listed in wanted for m in listed
        ]
        prefixes = [f"{name}_" if len(names) > 1 else "" for name in names]
        labels = unique([prefixes[k] + metric.label for k, metric in found], ("loss", "penalty"))
        return [Measured(label, k, metric) for label, (k, metric) in zip(labels, found)]

    # ---- data ----------------------------------------------------------------------------------------------------------
    def targets(self, y: Any, rows: int) -> list[np.ndarray]:
        """Targets as one array per output, of the type that its loss computes with.

        Floats and bools take the scores' type, and so do integers in the scores' shape; other integers are class indices (int64).
        (N,) is taken for scores (N, 1).
        """
        names = self.model.output_names
        arrays = []
        for name, scores, given in zip(names, self.model.outputs, arrange(y, names, "target of output")):
            where = f"targets of output {name!r}"
            array = np.asarray(given)
            shape = _at(scores.shape, rows)
            if array.dtype.kind in "iu" and array.shape not in (
                shape,
                shape[:-1] if shape[-1:] == (1,) else shape,
            ):
                array = convert(array, np.dtype(np.int64), where)
            else:
                array = convert(
                    array, scores.dtype if is_float(scores.dtype) else np.dtype(np.float32), where
                )
            if array.ndim == 0 or array.shape[0] != rows:
                raise ShapeError(
                    f"{where} have shape {show_shape(array.shape)}, but there are {rows} examples; axis 0 must run over the examples"
                )
            arrays.append(array)
        return arrays

    def weights(self, sample_weight: Any, rows: int) -> np.ndarray:
        """Weights of the examples as an array (rows,)."""
        array = convert(sample_weight, self.model.dtype, "sample_weight")
        if array.shape != (rows,):
            raise ShapeError(
                f"sample_weight has shape {show_shape(array.shape)}, but {rows} examples want ({rows},)"
            )
        if not np.isfinite(array).all():
            raise DataError(
                f"sample_weight of row {int(np.flatnonzero(~np.isfinite(array))[0])} is not finite"
            )
        for metric in self.metrics:
            if isinstance(metric.function.used, Metric):
                refuse_negative(array, f"metric {metric.name!r}")
        return array

    def check(self, targets: Sequence[np.ndarray]) -> None:
        """Tries losses and metrics on targets of these shapes, once for each kind of them.

        The trial uses a batch size that no other axis has, so that a broadcast across examples cannot pass unseen; it divides by
        small numbers, for losses over pairs or triples of examples.
        """
        kind = tuple((t.shape[1:], t.dtype) for t in targets)
        if kind in self._seen:
            return
        shapes: list[tuple] = [t.shape for t in targets] + [t.shape for t in self.model.outputs]
        taken = {size for shape in shapes for size in shape[1:] if not isinstance(size, Dim)}
        batch = next(size for size in range(TRIAL, 10**9, TRIAL) if size not in taken)
        for k, (scores, target) in enumerate(zip(self.model.outputs, targets)):
            if any(isinstance(s, Dim) for s in scores.shape[1:]):
                continue
            y_pred = input_tensor(Spec(_at(scores.shape, batch), scores.dtype), self.model.output_names[k])
            y_true = input_tensor(Spec((batch, *target.shape[1:]), target.dtype), "targets")
            tried = [(f"loss {self.losses[k].label!r}", self.losses[k].used)]
            tried += [
                (f"metric {m.function.label!r}", m.function.used) for m in self.metrics if m.output == k
            ]
            for what, used in tried:
                where = f"{what} of output {self.model.output_names[k]!r}"
                shown = f"scores {show_shape(('batch', *y_pred.shape[1:]))} and targets {show_shape(('batch', *y_true.shape[1:]))}"
                try:
                    with Trace():  # with the settings as numbers, so that the function can refuse them
                        if isinstance(used, Metric):
                            weight = input_tensor(Spec((batch,), FLOAT64), "weights")
                            sums = sums_of(used, y_pred, aligned(y_pred, y_true), weight)
                        else:
                            values = used(y_pred, aligned(y_pred, y_true))
                except ShapeError as error:
                    raise ShapeError(
                        f"{where}: {shown} do not fit ({error}; tried with a batch of {batch})"
                    ) from error
                except MathnetError as error:
                    error.args = (f"{where} on {shown}: {error}",)
                    raise
                if isinstance(used, Metric):
                    check_sums(sums, batch, where)
                else:
                    per_example(values, batch, where)
        self._seen.add(kind)

    # ---- tensors -------------------------------------------------------------------------------------------------------
    def loss_terms(
        self,
        trace: Trace,
        outputs: Sequence[Tensor],
        targets: Sequence[Tensor],
        weight: Tensor | None,
        checked: bool = True,
    ) -> list[Ratio]:
        """Σ w·l and Σ w of each output; ``checked``: Σ w = 0 is refused when the plan runs."""
        terms = []
        for name, loss, scores, target in zip(self.model.output_names, self.losses, outputs, targets):
            values = loss.within(trace)(scores, aligned(scores, target))
            where = f"loss {loss.label!r} of output {name!r}"
            terms.append(
                ratio(*per_example(values, scores.shape[0], where), weight, where if checked else None)
            )
        return terms

    def metric_sums(
        self, trace: Trace, outputs: Sequence[Tensor], targets: Sequence[Tensor], weight: Tensor | None
    ) -> list[list[Tensor | float]]:
        """The sums of each metric, such as Σ w·m and Σ w."""
        return [
            m.sums(trace, outputs[m.output], targets[m.output], weight, self.model.dtype)
            for m in self.metrics
        ]

    def penalty(self, trace: Trace, weight: Tensor | None = None) -> Tensor | None:
        """The sum of all penalties on weights, and of those that layers added in this trace.

        Of a layer's penalties one value for each example is averaged as the losses are, with the weights of the examples.
        """
        found = []
        for variable, regularizer in self.penalties:
            value = as_tensor(regularizer.within(trace)(trace.read(variable)))
            found.append(only_scalar(value, f"regularizer {regularizer.label!r} of {variable.name!r}"))
        for value in trace.losses:
            if value.ndim == 1:
                average = ratio(value, None, weight, None)
                value = average.numerator / average.denominator
            found.append(only_scalar(value, "a penalty of a layer"))
        return _sum(found)

    def total(self, terms: Iterable[Ratio], penalty: Tensor | None) -> Tensor:
        """The loss: weighted sum of the outputs' averages, plus the penalty."""
        parts = []
        for term, factor in zip(terms, self.loss_weights):
            value = term.numerator / term.denominator
            parts.append(value if factor == 1.0 else value * factor)
        if penalty is not None:
            parts.append(penalty)
        total = _sum(parts)
        assert total is not None
        return total

    def weighted(self, terms: Iterable[Ratio]) -> list[Ratio]:
        """The averages with the factors of their outputs in the numerators: their sum is the loss without penalties."""
        return [
            Ratio(term.numerator if factor == 1.0 else term.numerator * factor, term.denominator)
            for term, factor in zip(terms, self.loss_weights)
        ]

    # ---- numbers -------------------------------------------------------------------------------------------------------
    def report(
        self,
        losses: Sequence[tuple[float, float]],
        metrics: Sequence[Sequence[np.ndarray] | None],
        penalty: float | None,
    ) -> dict[str, Any]:
        """Sums as the figures that users see: floats, of some metrics arrays."""
        values = []
        for numerator, denominator in losses:
            if denominator == 0.0:
                raise DataError(
                    "the weights of all examples sum to zero, so the loss is not defined; give some example a weight"
                )
            values.append(numerator / denominator)
        logs: dict[str, Any] = {
            "loss": float(sum(f * v for f, v in zip(self.loss_weights, values)) + (penalty or 0.0))
        }
        if len(values) > 1:
            logs.update({f"{name}_loss": float(v) for name, v in zip(self.model.output_names, values)})
        if penalty is not None:
            logs["penalty"] = float(penalty)
        for metric, sums in zip(self.metrics, metrics):
            logs[metric.name] = metric.figure(sums)
        return logs

    def direction(self, name: str) -> str | None:
        """Which values of a figure in the logs are better: "min" for losses and penalty, what a metric says, or None."""
        name = name.removeprefix("val_")
        for metric in self.metrics:
            if metric.name == name:
                return metric.direction
        losses = ["loss", "penalty", *(f"{output}_loss" for output in self.model.output_names)]
        return "min" if name in losses else None


def penalties_of(model: Model, hyper: HyperParameters | None) -> list[tuple[Variable, Adjustable]]:
    """The weights of a model that have regularizers, with these."""
    return [
        (variable, Adjustable(variable.regularizer, f"{name}.", hyper))
        for name, variable in model.named_variables()
        if variable.regularizer is not None and variable.kind == "parameter"
    ]


def only_scalar(value: Tensor, where: str) -> Tensor:
    """``value``, which must be of rank 0."""
    if value.shape != ():
        raise ShapeError(
            f"{where} must give a single number, but gave shape {show_shape(value.shape)}; sum it up"
        )
    return value


def _sum(parts: Sequence[Tensor]) -> Tensor | None:
    total = None
    for part in parts:
        total = part if total is None else total + part
    return total


def _at(shape: tuple, batch: int) -> tuple:
    """``shape`` with the batch size in front, whatever stood there."""
    lead = shape[0]
    return (batch, *(evaluate_shape(shape[1:], {lead: batch}) if isinstance(lead, Dim) else shape[1:]))


def _loss_weight(value: Any) -> float:
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not np.isfinite(value):
        raise ArgumentError(f"loss_weights must be one number for each output, not {value!r}")
    return float(value)


def _per_output(value: Any, names: Sequence[str], what: str) -> list[Any]:
    if isinstance(value, (list, tuple, Mapping)):
        return arrange(value if len(names) > 1 or isinstance(value, Mapping) else value[0], names, what)
    return [value] * len(names)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
