"""Metrics of classes that come from counts of right and wrong answers: precision, recall, F1, the confusion matrix."""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.labels import cut_of, decisions, is_binary, spread
from mathnet_std.losses import aligned

AVERAGES = ("binary", "macro", "micro", "weighted", None)


class _ByClass(mn.Metric):
    """Weights of right answers, of predictions and of truths, class by class; a quotient of them, averaged over the classes."""

    direction = "max"

    def __init__(
        self,
        average: str | None = "binary",
        threshold: float = 0.5,
        from_logits: bool = True,
        zero_division: float = 0.0,
    ) -> None:
        name = type(self).__name__
        if average not in AVERAGES:
            raise mn.ArgumentError(
                f"{name}: average must be one of {', '.join(map(repr, AVERAGES))}, not {average!r}"
            )
        self.average, self.threshold, self.from_logits = average, threshold, bool(from_logits)
        self.zero_division = float(zero_division)
        self._cut = cut_of(name, threshold, self.from_logits)

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> tuple[Any, Any, Any]:
        name = type(self).__name__
        if self.average == "binary":
            if not is_binary(y_pred, y_true) and tuple(y_pred.shape) != tuple(y_true.shape):
                raise mn.ArgumentError(
                    f"{name}: the scores, of shape {tuple(y_pred.shape)}, choose among classes, for which average='binary' has no meaning; "
                    "give average='macro', 'micro', 'weighted' or None (one figure for each class)"
                )
            predicted, right = y_pred > self._cut, aligned(name, y_pred, y_true) > 0.5
            weight = spread(weight, y_pred)
            return tuple(
                mn.reshape(mn.sum(mn.where(chosen, weight, 0.0)), (1,))
                for chosen in (mn.logical_and(predicted, right), predicted, right)
            )
        found, true, answered, classes = decisions(name, y_pred, y_true, self._cut)
        weight = spread(weight, true)
        chosen = mn.where(answered, weight, 0.0)
        hits = mn.where(mn.equal(found, true), chosen, 0.0)
        flat = [mn.reshape(part, (-1,)) for part in (hits, true, chosen, found, weight, true)]
        return tuple(mn.scatter_add(w, classes_of, classes) for w, classes_of in zip(flat[::2], flat[1::2]))

    def quotient(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        """Numerator and denominator of the figure, from the three weights of a class."""
        raise NotImplementedError

    def result(self, hits: Any, predicted: Any, true: Any) -> Any:
        if self.average == "micro":
            return self._divided(np.sum(hits), np.sum(predicted), np.sum(true))
        figures = self._divided(hits, predicted, true)
        if self.average is None:
            return figures
        if self.average == "binary":
            return figures[0]
        share = true if self.average == "weighted" else (predicted + true > 0.0).astype(float)
        total = share.sum()
        return (share * figures).sum() / total if total > 0.0 else self.zero_division

    def _divided(self, hits: Any, predicted: Any, true: Any) -> Any:
        above, below = self.quotient(hits, predicted, true)
        return np.where(below > 0.0, above / np.where(below > 0.0, below, 1.0), self.zero_division)


@mn.metric("precision")
class Precision(_ByClass):
    """Share of the predictions of a class that are right, TP / (TP + FP).

    Scores (N, …, C) against class indices (N, …) or probabilities (N, …, C), the highest score counting; scores (N,) or (N, 1) against
    labels 0 and 1.

    average: over the classes, as in scikit-learn: "binary": of class 1, and of scores in the shape of the labels (N, …), each element a
    yes or no; "macro": the mean over the classes that occur among predictions or truths; "weighted": by the number of truths;
    "micro": of all answers together; None: an array (C,).
    A score that is NaN chooses no class: its example is one that is not found, and nobody's prediction.
    threshold: the probability above which a binary score means yes; from_logits: binary scores are logits, as the loss
    binary_cross_entropy takes them; False: the scores themselves are compared.  zero_division: the figure where nothing is divided by.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.Precision()(np.array([2.0, 1.0, -1.0, 0.5]), np.array([1, 0, 1, 1])).__round__(4)
    0.6667
    """

    def quotient(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        return hits, predicted


@mn.metric("recall")
class Recall(_ByClass):
    """Share of a class's examples that are found, TP / (TP + FN).

    Arguments and shapes as in Precision.

    >>> import numpy as np, mathnet as mn
    >>> scores = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    >>> mn.metrics.Recall(average=None)(scores, np.array([0, 1, 1]))
    array([1. , 0.5])
    """

    def quotient(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        return hits, true


@mn.metric("f1")
class F1(_ByClass):
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).

    Arguments and shapes as in Precision.

    >>> import numpy as np, mathnet as mn
    >>> scores = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    >>> mn.metrics.F1(average="macro")(scores, np.array([0, 1, 1])).__round__(4)
    0.6667
    """

    def quotient(self, hits: Any, predicted: Any, true: Any) -> tuple[Any, Any]:
        return 2.0 * hits, predicted + true


@mn.metric("confusion_matrix")
class ConfusionMatrix(mn.Metric):
    """Weights of examples by their class (row) and the class predicted (column), (C, C), as in scikit-learn.

    Scores (N, …, C) against class indices (N, …) or probabilities (N, …, C), the highest score counting; scores (N,) or (N, 1) against
    labels 0 and 1, C = 2, with threshold and from_logits as in Precision.
    normalize: None; "true": each row sums to 1; "pred": each column; "all": the whole.  Rows or columns without examples stay 0.
    A score that is NaN chooses no class, so its example is in no column; normalised rows, and the whole, sum to less than 1 by its share.
    The history holds one array per epoch, so it is no figure to monitor.

    >>> import numpy as np, mathnet as mn
    >>> scores = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    >>> mn.metrics.ConfusionMatrix()(scores, np.array([0, 1, 1]))
    array([[1., 0.],
           [1., 1.]])
    """

    def __init__(
        self, normalize: str | None = None, threshold: float = 0.5, from_logits: bool = True
    ) -> None:
        if normalize not in (None, "true", "pred", "all"):
            raise mn.ArgumentError(
                f"ConfusionMatrix: normalize must be None, 'true', 'pred' or 'all', not {normalize!r}"
            )
        self.normalize, self.threshold, self.from_logits = normalize, threshold, bool(from_logits)
        self._cut = cut_of("ConfusionMatrix", threshold, self.from_logits)

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> tuple[Any]:
        found, true, answered, classes = decisions("ConfusionMatrix", y_pred, y_true, self._cut)
        column = mn.where(answered, found, classes)  # one more for those without an answer
        cells = mn.reshape(true * (classes + 1) + column, (-1,))
        counts = mn.scatter_add(mn.reshape(spread(weight, true), (-1,)), cells, classes * (classes + 1))
        return (mn.reshape(counts, (classes, classes + 1)),)

    def result(self, counts: Any) -> Any:
        if self.normalize is not None:
            axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
            total = counts.sum(axis=axis, keepdims=True)
            counts = counts / np.where(total > 0.0, total, 1.0)
        return counts[:, :-1]
