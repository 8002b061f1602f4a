"""Losses of distances between the parts of an example: pairs and triplets of vectors, stacked along axis 1.

A model that embeds each part by the same layers puts them together with ``mn.stack([a, b], axis=1)``.
"""

from typing import Any

import mathnet as mn
from mathnet_std.losses import per_example

APART = 1e-6  # added to differences, as PyTorch does, so that the distance of equal vectors has a derivative


def _parts(name: str, y_pred: Any, count: int) -> list[Any]:
    shape = tuple(y_pred.shape)
    if len(shape) < 3 or shape[1] != count:
        raise mn.ShapeError(
            f"{name}: scores (N, {count}, …, D) are needed, the {count} vectors of an example along axis 1 (mn.stack(…, axis=1)), not "
            f"({', '.join(map(str, shape))})"
        )
    return [y_pred[:, k] for k in range(count)]


def _distance(a: Any, b: Any) -> Any:
    return mn.sqrt(mn.sum(mn.square(a - b + APART), axis=-1))


@mn.loss("triplet")
def triplet(y_pred: Any, y_true: Any, margin: float = 1.0) -> Any:
    """max(0, ‖a − p‖ − ‖a − n‖ + margin) for an anchor a, a positive p and a negative n; the derivative at the kink is 0.

    y_pred (N, 3, …, D): a, p, n along axis 1 → (N,); y_true is not read and may be anything of one row per example, such as zeros (N,).
    As PyTorch's TripletMarginLoss, differences plus 1e-6.  Source: Schroff et al., FaceNet, CVPR 2015 (there with squares).

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Triplet()(np.array([[[0.0, 0.0], [3.0, 4.0], [5.0, 0.0]]]), np.zeros(1)).round(4)
    array([1.])
    """
    anchor, positive, negative = _parts("triplet", y_pred, 3)
    return per_example(mn.relu(_distance(anchor, positive) - _distance(anchor, negative) + margin))


@mn.loss("contrastive")
def contrastive(y_pred: Any, y_true: Any, margin: float = 1.0) -> Any:
    """y·d² + (1 − y)·max(0, margin − d)² with d = ‖a − b‖; y is 1 for a pair of a kind and 0 for others.

    y_pred (N, 2, D): a, b along axis 1; y_true (N,) or (N, 1) → (N,).  As in Keras's add-ons: the paper has half of it, and 0 and 1
    exchanged; differences plus 1e-6.
    Source: Hadsell et al., Dimensionality Reduction by Learning an Invariant Mapping, CVPR 2006.

    >>> import numpy as np, mathnet as mn
    >>> pairs = np.array([[[0.0, 0.0], [0.3, 0.4]], [[0.0, 0.0], [0.3, 0.4]]])
    >>> mn.losses.Contrastive()(pairs, np.array([1.0, 0.0])).round(4)
    array([0.25, 0.25])
    """
    a, b = _parts("contrastive", y_pred, 2)
    if tuple(y_true.shape) not in (tuple(y_pred.shape[:1]), (*y_pred.shape[:1], 1)) or len(y_pred.shape) != 3:
        raise mn.ShapeError(
            f"contrastive: scores (N, 2, D) and one label per pair, (N,) or (N, 1), are needed, not ({', '.join(map(str, y_pred.shape))}) "
            f"and ({', '.join(map(str, y_true.shape))})"
        )
    y = mn.reshape(y_true, y_pred.shape[:1])
    d = _distance(a, b)
    return y * mn.square(d) + (1.0 - y) * mn.square(mn.relu(margin - d))
