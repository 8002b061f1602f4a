"""Metric: a figure that is computed from sums over all examples, such as an F1 score or a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DataError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT64
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.plugin.examples import examples

DIRECTIONS = ("max", "min")


class Metric:
    """A figure with sums of its own; the base of metrics that are no average of one value per example.

    A subclass gives two methods:

    ``sums(y_pred, y_true, weight)`` → a tuple of tensors of any shapes that do not depend on the number of examples.  weight: (N,),
    float64.  Each is a sum over the examples in which an example of weight w counts w times, so that the sums of two batches add up to
    those of both together, and rows of weight 0 count nothing.  It is traced into the step of a training, and into evaluation, where
    the sums of all batches are kept in float64.

    ``result(*sums)`` → the figure, a number or an array, from the sums as float64 arrays; NumPy code.

    direction: ``"max"`` when larger is better, ``"min"``, or None: what callbacks with mode "auto" go by.

    An instance is also used by itself: called on arrays it gives the figure; ``update``, ``compute`` and ``reset`` go through batches.

    >>> import numpy as np, mathnet as mn
    >>> class Bias(mn.Metric):
    ...     def sums(self, y_pred, y_true, weight):
    ...         return mn.sum(weight * (y_pred - y_true)), mn.sum(weight)
    ...     def result(self, difference, count):
    ...         return difference / count
    >>> bias = Bias()
    >>> bias(np.array([1.0, 2.0]), np.array([0.0, 4.0]))
    -0.5
    >>> bias.update(np.array([1.0]), np.array([0.0]))
    >>> bias.update(np.array([2.0]), np.array([4.0]))
    >>> bias.compute()
    -0.5
    """

    direction: str | None = None
    _held: list[np.ndarray] | None = None  # sums of the batches since the last reset

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> Any:
        """Sums over the examples, as a tuple of tensors."""
        raise ArgumentError(f"metric {type(self).__name__} has no method sums(y_pred, y_true, weight)")

    def result(self, *sums: np.ndarray) -> Any:
        """The figure from the sums."""
        raise ArgumentError(f"metric {type(self).__name__} has no method result(*sums)")

    def __call__(self, y_pred: Any, y_true: Any, sample_weight: Any = None) -> Any:
        """The figure of these examples: a float, or a float64 array.  sample_weight: (N,)."""
        return figure_of(self, self._summed(y_pred, y_true, sample_weight))

    def update(self, y_pred: Any, y_true: Any, sample_weight: Any = None) -> None:
        """Adds a batch to those since the last :meth:`reset`."""
        found = self._summed(y_pred, y_true, sample_weight)
        held = self._held
        if held is not None and [h.shape for h in held] != [f.shape for f in found]:
            raise ShapeError(
                f"{type(self).__name__}: this batch has sums of shapes {_shapes(found)}, but those before it had {_shapes(held)}; "
                "call reset() before batches of another kind"
            )
        self._held = found if held is None else [h + f for h, f in zip(held, found)]

    def compute(self) -> Any:
        """The figure of all batches since the last :meth:`reset`."""
        if self._held is None:
            raise DataError(f"{type(self).__name__}: there is no batch yet; call update(y_pred, y_true)")
        return figure_of(self, self._held)

    def reset(self) -> None:
        """Forgets the batches."""
        self._held = None

    def _summed(self, y_pred: Any, y_true: Any, sample_weight: Any) -> list[np.ndarray]:
        name = type(self).__name__
        scores, targets = examples(y_pred, f"{name}: y_pred"), examples(y_true, f"{name}: y_true")
        if scores.ndim == 0 or targets.shape[:1] != scores.shape[:1]:
            raise ShapeError(
                f"{name}: y_pred has shape {show_shape(scores.shape)} and y_true {show_shape(targets.shape)}; axis 0 of both must run "
                "over the same examples"
            )
        weight = (
            np.ones(len(scores))
            if sample_weight is None
            else examples(sample_weight, f"{name}: sample_weight")
        )
        if weight.shape != scores.shape[:1]:
            raise ShapeError(
                f"{name}: sample_weight has shape {show_shape(weight.shape)}, but {len(scores)} examples want ({len(scores)},)"
            )
        if not np.isfinite(weight).all():
            raise DataError(f"{name}: a sample weight is not finite")
        refuse_negative(weight, name)
        found = sums_of(self, scores, targets, weight.astype(np.float64))
        return [np.asarray(part, np.float64) for part in found]


def refuse_negative(weight: np.ndarray, metric: str) -> None:
    """Raises a DataError for a weight below 0: a metric's sums count examples."""
    if (weight < 0.0).any():
        row = int(np.argmax(weight < 0.0))
        raise DataError(
            f"{metric}: sample_weight of row {row} is {weight[row]:g}, but a weight is how often an example counts; give weights ≥ 0"
        )


def sums_of(metric: Metric, y_pred: Any, y_true: Any, weight: Any) -> list[Any]:
    """What ``metric.sums`` gives, as a list, of tensors when it was given tensors."""
    returned = metric.sums(y_pred, y_true, weight)
    found = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    if not found:
        raise ArgumentError(f"metric {type(metric).__name__}: sums returned nothing; it must return a tuple")
    if not isinstance(weight, Tensor):
        return found
    tensors = [as_tensor(part, f"a sum of metric {type(metric).__name__}") for part in found]
    return [t if t.dtype == FLOAT64 else FUNCTIONS["cast"](t, FLOAT64) for t in tensors]


def figure_of(metric: Metric, sums: Sequence[np.ndarray]) -> Any:
    """What ``metric.result`` makes of sums: a float, or an array of float64."""
    figure = np.asarray(metric.result(*[np.asarray(part, np.float64) for part in sums]), np.float64)
    return figure if figure.ndim else float(figure)


def _shapes(arrays: Sequence[np.ndarray]) -> str:
    return ", ".join(show_shape(a.shape) for a in arrays)
