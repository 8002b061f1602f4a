"""Losses: one value per example, the mean over the other axes.  Weighting and averaging over examples are the trainer's.

"loss" is Σ w·l / Σ w, so that a weight k equals k repeats of an example (Keras divides by their number instead).
"""

from typing import Any

import mathnet as mn


def aligned(name: str, y_pred: Any, y_true: Any) -> Any:
    """``y_true`` in the shape of the scores: (N,) is taken for (N, 1); any other difference is an error."""
    scores, targets = tuple(y_pred.shape), tuple(y_true.shape)
    if scores == targets:
        return y_true
    if len(scores) == len(targets) + 1 and scores[-1] == 1 and scores[:-1] == targets:
        return mn.reshape(y_true, scores)
    raise mn.ShapeError(
        f"{name}: the targets have shape {_shown(targets)}, but the scores have shape {_shown(scores)}; they must be the same"
    )


def per_example(values: Any) -> Any:
    """The mean over every axis but the first."""
    return mn.mean(values, axis=tuple(range(1, len(values.shape)))) if len(values.shape) > 1 else values


def _shown(shape: tuple) -> str:
    return "(" + ", ".join(map(str, shape)) + (",)" if len(shape) == 1 else ")")


@mn.loss("mse", name="MSE")
def mse(y_pred: Any, y_true: Any) -> Any:
    """Mean squared error, mean (y_pred − y_true)².

    y_pred (N, …), y_true of the same shape, or (N,) for scores (N, 1) → (N,).
    """
    return per_example(mn.square(y_pred - aligned("mse", y_pred, y_true)))


@mn.loss("mae", name="MAE")
def mae(y_pred: Any, y_true: Any) -> Any:
    """Mean absolute error, mean |y_pred − y_true|; shapes as in mse."""
    return per_example(mn.abs(y_pred - aligned("mae", y_pred, y_true)))


@mn.loss("cross_entropy")
def cross_entropy(y_pred: Any, y_true: Any) -> Any:
    """−Σ_c p_c log softmax(y_pred)_c.

    y_pred: scores (logits) (N, C); y_true: class indices (N,) or probabilities p (N, C) → (N,).
    Raises DataError for an index out of range, ArgumentError when the scores come from a softmax.
    """
    if getattr(getattr(getattr(y_pred, "node", None), "op", None), "name", "") == "softmax":
        raise mn.ArgumentError(
            "cross_entropy takes scores (logits) and applies the softmax itself, but the scores that it was given are the output of a "
            "softmax; leave the softmax out of the model (and use mn.softmax on its predictions)"
        )
    return mn.cross_entropy(y_pred, y_true)


@mn.loss("binary_cross_entropy")
def binary_cross_entropy(y_pred: Any, y_true: Any) -> Any:
    """−p log σ(y_pred) − (1 − p) log(1 − σ(y_pred)) = softplus(y_pred) − p·y_pred.

    y_pred: scores (logits) (N, …); y_true: probabilities or 0/1 labels p, shapes as in mse → (N,).
    """
    targets = aligned("binary_cross_entropy", y_pred, y_true)
    return per_example(mn.softplus(y_pred) - targets * y_pred)
