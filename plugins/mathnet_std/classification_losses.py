"""Losses of classes and directions: one value per example, the mean over the other axes."""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.losses import aligned, per_example

FAR = 1e30  # a score that much lower has no share in a softmax


@mn.loss("focal", yields=True)
def focal(y_pred: Any, y_true: Any, gamma: float = 2.0, alpha: float | None = None) -> Any:
    """−(1 − p)^gamma · log p, p the probability of the right answer: cross-entropy with less weight on what is right already.

    y_pred: scores (logits) (N, …, C) with class indices y_true (N, …), p by softmax; or (N, …) with labels y from 0 to 1 of the same
    shape, p by sigmoid: −y(1 − p)^gamma log p − (1 − y)p^gamma log(1 − p) → (N,).
    alpha: factor of class 1, with 1 − alpha of class 0, or one factor of all classes; None: none (as in Keras; torchvision: 0.25).
    Source: Lin et al., Focal Loss for Dense Object Detection, ICCV 2017.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Focal()(np.array([0.0, 1.0]), np.array([1.0, 1.0])).round(4)
    array([0.1733, 0.0227])
    """
    if isinstance(gamma, (int, float, np.integer, np.floating)) and not gamma >= 0:
        raise mn.ArgumentError(f"focal: gamma must be a number from 0, not {gamma!r}")
    shape = tuple(y_pred.shape)
    if y_true.dtype.kind in "iu" and tuple(y_true.shape) == shape[:-1] and shape[-1] != 1:
        right = mn.one_hot(y_true, shape[-1], dtype=y_pred.dtype)
        # log(1 − p) from the other classes' scores: 1 − p itself has no digits left where p is near 1
        others = mn.logsumexp(y_pred - FAR * right, axis=-1) - mn.logsumexp(y_pred, axis=-1)
        values = mn.exp(gamma * others) * mn.cross_entropy(y_pred, y_true)
        return per_example(values if alpha is None else alpha * values)
    y = aligned("focal", y_pred, y_true)
    ones = y * mn.exp(-gamma * mn.softplus(y_pred)) * mn.softplus(-y_pred)
    zeros = (1.0 - y) * mn.exp(-gamma * mn.softplus(-y_pred)) * mn.softplus(y_pred)
    return per_example(ones + zeros if alpha is None else alpha * ones + (1.0 - alpha) * zeros)


@mn.loss("kl_divergence", name="KLDivergence")
def kl_divergence(y_pred: Any, y_true: Any) -> Any:
    """Σ p·(log p − log softmax(y_pred)) along the last axis: the Kullback-Leibler divergence of the scores' law from p.

    y_pred: scores (logits) (N, …, C); y_true: probabilities p of the same shape, 0·log 0 = 0 → (N,).
    PyTorch takes log-probabilities: as scores they do the same, for softmax leaves them as they are.

    Source: Kullback and Leibler, On Information and Sufficiency, 1951.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.KLDivergence()(np.zeros((1, 2)), np.array([[1.0, 0.0]])).round(4)
    array([0.6931])
    """
    p = _same("kl_divergence", y_pred, y_true)
    return per_example(mn.sum(mn.xlogy(p, p) - p * mn.log_softmax(y_pred), axis=-1))


def _same(name: str, y_pred: Any, y_true: Any) -> Any:
    """Targets of the scores' shape, with a last axis to sum over."""
    if len(y_pred.shape) < 2:
        raise mn.ShapeError(f"{name}: scores (N, …, C) are needed, but they have {len(y_pred.shape)} axis")
    return aligned(name, y_pred, y_true)


@mn.loss("hinge")
def hinge(y_pred: Any, y_true: Any) -> Any:
    """Mean of max(0, 1 − y_true·y_pred); labels −1 and 1, shapes as in mse; the derivative at the kink is 0.

    Keras also takes labels 0 and 1: here they are ``2 * y - 1``.

    Source: Cortes and Vapnik, Support-Vector Networks, 1995.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Hinge()(np.array([0.5, 2.0]), np.array([1.0, -1.0]))
    array([0.5, 3. ])
    """
    return per_example(mn.relu(1.0 - aligned("hinge", y_pred, y_true) * y_pred))


@mn.loss("squared_hinge")
def squared_hinge(y_pred: Any, y_true: Any) -> Any:
    """Mean of max(0, 1 − y_true·y_pred)²; labels −1 and 1, shapes as in mse.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.SquaredHinge()(np.array([0.5, 2.0]), np.array([1.0, -1.0]))
    array([0.25, 9.  ])
    """
    return per_example(mn.square(mn.relu(1.0 - aligned("squared_hinge", y_pred, y_true) * y_pred)))


@mn.loss("cosine")
def cosine(y_pred: Any, y_true: Any, epsilon: float = 1e-8) -> Any:
    """1 − cos of the angle between y_pred and y_true along the last axis; from 0 to 2.

    (N, …, D), both → (N,).  Norms below epsilon count as epsilon, as in PyTorch's cosine_similarity.  Keras's CosineSimilarity is −cos.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Cosine()(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.0]]))
    array([0., 1.])
    """
    y = _same("cosine", y_pred, y_true)

    def inverse_norm(x: Any) -> Any:
        return mn.rsqrt(mn.maximum(mn.sum(mn.square(x), axis=-1), epsilon * epsilon))

    return per_example(1.0 - mn.sum(y_pred * y, axis=-1) * (inverse_norm(y_pred) * inverse_norm(y)))


@mn.loss("dice")
def dice(y_pred: Any, y_true: Any, smooth: float = 1.0) -> Any:
    """1 − (2Σ p·y + smooth)/(Σp + Σy + smooth) with p = σ(y_pred), sums over all axes but the first.

    y_pred: scores (logits) (N, …); y_true: labels 0 and 1 of the same shape → (N,): the overlap of each example's own mask.  Keras takes
    probabilities and adds over the whole batch.  Source: Milletari et al., V-Net, 2016 (there with squares).

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Dice()(np.array([[9.0, -9.0]]), np.array([[1.0, 0.0]])).round(3)
    array([0.])
    """
    y = _same("dice", y_pred, y_true)
    p = mn.sigmoid(y_pred)
    axes = tuple(range(1, len(y_pred.shape)))
    return 1.0 - (2.0 * mn.sum(p * y, axis=axes) + smooth) / (
        mn.sum(p, axis=axes) + mn.sum(y, axis=axes) + smooth
    )
