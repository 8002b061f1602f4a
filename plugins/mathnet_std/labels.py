"""Labels: how metrics of classification read scores and targets."""

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.losses import aligned


def is_binary(y_pred: Any, y_true: Any) -> bool:
    """Whether each score stands for one yes or no: (N,), (N, …, 1), or (N, 1, …) with targets of that shape."""
    scores, targets = tuple(y_pred.shape), tuple(y_true.shape)
    return len(scores) == 1 or scores[-1] == 1 or (scores[1] == 1 and targets != scores[:-1])


def class_axis(name: str, y_pred: Any, y_true: Any) -> int:
    """The axis of the scores that the classes are on.

    The last one for indices (N, …) or probabilities (N, …, C), as in the loss cross_entropy; 1 for indices that fit to
    (N, C, …) alone.
    """
    scores, targets = tuple(y_pred.shape), tuple(y_true.shape)
    if targets in (scores, scores[:-1]):
        return len(scores) - 1
    if targets == (scores[0], *scores[2:]):
        return 1
    raise mn.ShapeError(
        f"{name}: the targets have shape {targets}, but the scores have shape {scores}; class indices without the axis of the classes, "
        "or probabilities of the scores' shape, are needed"
    )


def class_indices(name: str, y_pred: Any, y_true: Any, axis: int) -> Any:
    """The right classes as int64 indices; one that is out of range, or no whole number, is a DataError."""
    if len(y_true.shape) == len(y_pred.shape):
        return mn.argmax(y_true, axis=axis)
    classes = y_pred.shape[axis]
    if y_true.dtype.kind == "f":
        whole = mn.logical_and(mn.equal(y_true, mn.floor(y_true)), mn.isfinite(y_true))
        y_true = mn.check_that(
            y_true,
            whole,
            f"{name}: y_true of shape {tuple(y_true.shape)} must be whole numbers, the indices of classes; probabilities have the "
            f"scores' shape {tuple(y_pred.shape)}",
        )
    return indices_in_range(name, mn.cast(y_true, "int64"), classes)


def indices_in_range(name: str, indices: Any, classes: int) -> Any:
    """Class indices; one out of range ends the run with an error in the name of the metric."""
    where = f"{name}: y_true (indices of the scores' {classes} classes; count them from 0, or give the model more outputs)"
    return mn.check_index(indices, classes, where)


def decisions(name: str, y_pred: Any, y_true: Any, cut: float) -> tuple[Any, Any, Any, int]:
    """Classes as predicted and as they are, int64 of one shape (N, …), where there is an answer, and the number of classes.

    A score that is NaN chooses nothing.  cut: of binary scores.
    """
    if is_binary(y_pred, y_true):
        right = aligned(name, y_pred, y_true) > 0.5
        found, highest, classes = mn.cast(y_pred > cut, "int64"), y_pred, 2
        true = mn.cast(right, "int64")
    else:
        axis = class_axis(name, y_pred, y_true)
        found, highest, classes = mn.argmax(y_pred, axis=axis), mn.max(y_pred, axis=axis), y_pred.shape[axis]
        true = class_indices(name, y_pred, y_true, axis)
    return found, true, mn.logical_not(mn.isnan(highest)), classes


def cut_of(name: str, threshold: Any, from_logits: bool) -> float:
    """The score above which the answer is yes: of logits the one whose sigmoid is the threshold."""
    if (
        isinstance(threshold, bool)
        or not isinstance(threshold, (int, float, np.integer, np.floating))
        or math.isnan(threshold)
    ):
        raise mn.ArgumentError(f"{name}: threshold must be a number, not {threshold!r}")
    if not from_logits:
        return float(threshold)
    if not 0.0 <= threshold <= 1.0:
        raise mn.ArgumentError(
            f"{name}: threshold is a probability from 0 to 1, not {threshold!r}; with from_logits=False it is compared with the scores "
            "as they are"
        )
    if threshold in (0, 1):
        return math.inf if threshold else -math.inf
    return math.log(threshold) - math.log1p(-threshold)


def spread(weight: Any, values: Any) -> Any:
    """The weights of the examples (N,) for each element of values (N, …), float64."""
    shape = (-1, *([1] * (len(values.shape) - 1)))
    return mn.reshape(weight, shape) * mn.ones(tuple(values.shape), "float64")
