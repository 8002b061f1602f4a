"""Metrics that are averages of one value per example, with the weights of the examples."""

from typing import Any

import mathnet as mn
from mathnet_std.labels import class_axis, class_indices, cut_of, decisions
from mathnet_std.losses import aligned, per_example


@mn.metric("accuracy", direction="max")
def accuracy(y_pred: Any, y_true: Any) -> Any:
    """Share of right answers.

    Scores (N, …, C) with C > 1: the class of the highest score against class indices (N, …) or probabilities (N, …, C), as in the loss
    cross_entropy; (N, C, …) with indices (N, …) too.  Scores (N,) or (N, 1): logits of one class, positive for 1, against labels 0 and 1.
    NaN is no answer, hence never right.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.Accuracy()(np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([1, 1]))
    array([1., 0.])
    """
    predicted, right, answered, _ = decisions("accuracy", y_pred, y_true, 0.0)
    hits = mn.logical_and(mn.equal(predicted, right), answered)
    return per_example(mn.where(hits, 1.0, 0.0))


@mn.metric("binary_accuracy", direction="max")
def binary_accuracy(y_pred: Any, y_true: Any, threshold: float = 0.5, from_logits: bool = True) -> Any:
    """Share of labels, 0 or 1, on whose side of the threshold the score lies: each element is a question of its own.

    y_pred (N, …), y_true of the same shape, or (N,) for scores (N, 1) → (N,).  from_logits: scores are logits, as the loss
    binary_cross_entropy takes them, and their sigmoid is compared with threshold; False: the scores themselves are (Keras's way).

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.BinaryAccuracy()(np.array([[2.0, -1.0], [0.5, -3.0]]), np.array([[1, 1], [1, 0]]))
    array([0.5, 1. ])
    """
    predicted = y_pred > cut_of("binary_accuracy", threshold, from_logits)
    right = aligned("binary_accuracy", y_pred, y_true) > 0.5
    hits = mn.logical_and(mn.equal(predicted, right), mn.logical_not(mn.isnan(y_pred)))
    return per_example(mn.where(hits, 1.0, 0.0))


@mn.metric("top_k_accuracy", direction="max")
def top_k_accuracy(y_pred: Any, y_true: Any, k: int = 5) -> Any:
    """Share of examples whose class is among the k with the highest scores: fewer than k scores are higher than its own.

    Shapes as in accuracy with C > 1.  A class whose score is tied with others' counts as in, as in Keras; a score NaN does not.

    >>> import numpy as np, mathnet as mn
    >>> scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    >>> mn.metrics.TopKAccuracy(k=2)(scores, np.array([1, 2]))
    array([1., 0.])
    """
    if isinstance(k, bool) or not hasattr(k, "__index__") or k < 1:
        raise mn.ArgumentError(f"top_k_accuracy: k must be an integer from 1, not {k!r}")
    axis = class_axis("top_k_accuracy", y_pred, y_true)
    labels = mn.expand_dims(class_indices("top_k_accuracy", y_pred, y_true, axis), axis)
    own = mn.take_along_axis(y_pred, labels, axis)
    higher = mn.sum(mn.where(y_pred > own, 1.0, 0.0), axis=axis)
    own = mn.squeeze(own, axis)
    return per_example(mn.where(mn.equal(own, own), mn.where(higher < float(k), 1.0, 0.0), 0.0))


@mn.metric("mse", name="MSE", direction="min")
def mse(y_pred: Any, y_true: Any) -> Any:
    """Mean squared error.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.MSE()(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    array([2.5, 0. ])
    """
    return per_example(mn.square(y_pred - aligned("mse", y_pred, y_true)))


@mn.metric("mae", name="MAE", direction="min")
def mae(y_pred: Any, y_true: Any) -> Any:
    """Mean absolute error.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.MAE()(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    array([1.5, 0. ])
    """
    return per_example(mn.abs(y_pred - aligned("mae", y_pred, y_true)))
