"""Losses: one value per example, the mean over the other axes.  Weighting and averaging over examples are the trainer's.

"loss" is Σ w·l / Σ w, so that a weight k equals k repeats of an example (Keras divides by their number instead).
"""

from typing import Any

import numpy as np

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

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.MSE()(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    array([2.5, 0. ])
    """
    return per_example(mn.square(y_pred - aligned("mse", y_pred, y_true)))


@mn.loss("mae", name="MAE")
def mae(y_pred: Any, y_true: Any) -> Any:
    """Mean absolute error, mean |y_pred − y_true|; shapes as in mse.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.MAE()(np.array([[1.0, 2.0], [0.0, 0.0]]), np.zeros((2, 2)))
    array([1.5, 0. ])
    """
    return per_example(mn.abs(y_pred - aligned("mae", y_pred, y_true)))


@mn.loss("cross_entropy", static=("label_smoothing",))
def cross_entropy(
    y_pred: Any,
    y_true: Any,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    class_weights: Any = None,
) -> Any:
    """−Σ_c w_c q_c log softmax(y_pred)_c.

    y_pred: scores (logits) (N, …, C); y_true: class indices (N, …) or probabilities (N, …, C) p → (N, …), or with ignore_index or with
    class_weights for indices the pair (values, weights), so that the loss is Σ values / Σ weights (as in PyTorch).

    label_smoothing: ε in q = (1 − ε) p + ε/C; ignore_index: an index whose places do not count; class_weights: w (C), 1 by default.
    Raises DataError for an index out of range, ArgumentError when the scores come from a softmax.

    Source: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.

    >>> import numpy as np, mathnet as mn
    >>> scores = np.array([[2.0, 0.0], [0.0, 2.0]])
    >>> mn.losses.CrossEntropy()(scores, np.array([0, 0])).round(4)
    array([0.1269, 2.1269])
    """
    if getattr(getattr(getattr(y_pred, "node", None), "op", None), "name", "") == "softmax":
        raise mn.ArgumentError(
            "cross_entropy takes scores (logits) and applies the softmax itself, but the scores that it was given are the output of a "
            "softmax; leave the softmax out of the model (and use mn.softmax on its predictions)"
        )
    if not 0.0 <= label_smoothing <= 1.0:
        raise mn.ArgumentError(
            f"cross_entropy: label_smoothing must be a number from 0 to 1, not {label_smoothing!r}"
        )
    indices = y_true.dtype.kind in "iu"
    if ignore_index is not None and not indices:
        raise mn.ArgumentError("cross_entropy: ignore_index has a meaning for class indices only")
    weights = None if class_weights is None else _class_weights(class_weights, y_pred)
    kept = None
    if ignore_index is not None:
        kept = mn.cast(mn.not_equal(y_true, ignore_index), y_pred.dtype)
        y_true = mn.where(mn.equal(y_true, ignore_index), 0, y_true)
    own = None  # the weight of each place: that of its class
    if weights is None or indices:
        values = mn.cross_entropy(y_pred, y_true)
        if weights is not None:
            own = mn.take(weights, y_true)
            values = values * own
    else:
        values = -mn.sum(mn.log_softmax(y_pred) * y_true * weights, axis=-1)
    if label_smoothing:
        even = -mn.log_softmax(y_pred)
        even = mn.mean(even if weights is None else even * weights, axis=-1)
        values = values * (1.0 - label_smoothing) + even * label_smoothing
    if kept is not None:
        values, own = values * kept, kept if own is None else own * kept
    return values if own is None else (values, own)


def _class_weights(given: Any, scores: Any) -> Any:
    weights = np.asarray(given)
    if (
        weights.dtype.kind not in "iuf"
        or weights.shape != tuple(scores.shape[-1:])
        or not (weights >= 0).all()
    ):
        raise mn.ArgumentError(
            f"cross_entropy: class_weights must be one number ≥ 0 for each of the {scores.shape[-1]} classes, not {given!r}"
        )
    return weights.astype(scores.dtype)


@mn.loss("ctc", name="CTC")
def ctc(y_pred: Any, y_true: Any, blank: int = 0) -> Any:
    """−log of the probability of every way to write the labels over time, with repeats and blanks in between.

    y_pred: scores (logits) (N, T, C); y_true: labels (N, S), integers ≥ 0 other than ``blank``, filled up with −1 → (N,).
    Source: Graves et al., Connectionist Temporal Classification, ICML 2006.

    >>> import numpy as np, mathnet as mn
    >>> scores = np.zeros((1, 2, 2))  # two steps, a blank and one label, all equally probable
    >>> mn.losses.CTC()(scores, np.array([[1]])).round(4)  # −log of 3/4: "1 1", "1 -", "- 1"
    array([0.2877])
    """
    if y_true.dtype.kind not in "iu" or y_true.ndim != 2 or y_pred.ndim != 3:
        raise mn.ShapeError(
            f"ctc: scores have the axes (N, T, C) and labels are integers with the axes (N, S), but their shapes are "
            f"{_shown(tuple(y_pred.shape))} and {_shown(tuple(y_true.shape))}"
        )
    lengths = mn.sum(mn.cast(mn.greater_equal(y_true, 0), np.int64), axis=1)
    return mn.ctc_loss(mn.log_softmax(y_pred), y_true, target_lengths=lengths, blank=blank)


@mn.loss("binary_cross_entropy")
def binary_cross_entropy(y_pred: Any, y_true: Any, pos_weight: Any = None) -> Any:
    """−w·p log σ(y_pred) − (1 − p) log(1 − σ(y_pred)), with w = 1 softplus(y_pred) − p·y_pred.

    y_pred: scores (logits) (N, …); y_true: probabilities or 0/1 labels p, shapes as in mse → (N,).
    pos_weight: w, a number or an array that is broadcast against the scores; by default 1.  Keras has it as class weights.

    Source: Goodfellow, Bengio and Courville, Deep Learning, 2016, section 6.2.2.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.BinaryCrossEntropy()(np.array([2.0, -2.0]), np.array([1.0, 1.0])).round(4)
    array([0.1269, 2.1269])
    """
    targets = aligned("binary_cross_entropy", y_pred, y_true)
    if pos_weight is None:
        return per_example(mn.softplus(y_pred) - targets * y_pred)
    if isinstance(pos_weight, (list, tuple, np.ndarray)):
        pos_weight = _broadcast("binary_cross_entropy", "pos_weight", pos_weight, y_pred)
    weights = 1.0 + (pos_weight - 1.0) * targets
    return per_example((1.0 - targets) * y_pred + weights * mn.softplus(-y_pred))


def _broadcast(name: str, setting: str, given: Any, scores: Any) -> Any:
    """An array setting in the scores' type; it must fit the axes after the first."""
    array = np.asarray(given)
    wanted = tuple(scores.shape)[1:]
    fits = array.ndim <= len(wanted) and all(
        size in (1, w) for size, w in zip(array.shape[::-1], wanted[::-1])
    )
    if array.dtype.kind not in "iuf" or not fits or not (array >= 0).all():
        raise mn.ArgumentError(
            f"{name}: {setting} must be numbers ≥ 0 that fit the axes {_shown(wanted)} of an example's scores, not {given!r}"
        )
    return array.astype(scores.dtype)
