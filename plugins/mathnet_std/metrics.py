"""Metrics: one value per example; averaged over examples with their weights."""

from typing import Any

import mathnet as mn
from mathnet_std.losses import aligned, per_example


@mn.metric("accuracy")
def accuracy(y_pred: Any, y_true: Any) -> Any:
    """Share of right answers.

    Scores (N, C, …) with C > 1: the class of the highest score against class indices (N, …) or probabilities (N, C, …).
    Scores (N,) or (N, 1): logits of one class, positive for 1, against labels 0 and 1.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.Accuracy()(np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([1, 1]))
    array([1., 0.])
    """
    if len(y_pred.shape) > 1 and y_pred.shape[1] != 1:
        predicted = mn.argmax(y_pred, axis=1)
        one_hot = len(y_true.shape) == len(y_pred.shape)
        labels = mn.argmax(aligned("accuracy", y_pred, y_true), axis=1) if one_hot else y_true
        labels = aligned("accuracy", predicted, labels)
    else:
        predicted = y_pred > 0.0
        labels = aligned("accuracy", y_pred, y_true) > 0.5
    return per_example(mn.where(mn.equal(predicted, labels), 1.0, 0.0))


@mn.metric("mse", name="MSE")
def mse(y_pred: Any, y_true: Any) -> Any:
    """Mean squared error.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.MSE()(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    array([2.5, 0. ])
    """
    return per_example(mn.square(y_pred - aligned("mse", y_pred, y_true)))


@mn.metric("mae", name="MAE")
def mae(y_pred: Any, y_true: Any) -> Any:
    """Mean absolute error.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.MAE()(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    array([1.5, 0. ])
    """
    return per_example(mn.abs(y_pred - aligned("mae", y_pred, y_true)))
