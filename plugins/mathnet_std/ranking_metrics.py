"""AUC: how well scores rank positives above negatives."""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.labels import spread
from mathnet_std.losses import aligned


@mn.metric("auc", name="AUC")
class AUC(mn.Metric):
    """Area under the ROC curve, or under the precision-recall curve, of binary scores.

    Streaming needs sums of fixed size, so the scores go into a histogram with num_thresholds − 1 equal intervals of probability, one for
    positives and one for negatives, as in Keras: the curve has num_thresholds points.  Pairs of a positive and a negative in one interval
    count ½ each, so the error is at most half the share of such pairs, Σᵢ PᵢNᵢ / 2PN; scores that are multiples of
    1/(num_thresholds − 1) have none.

    curve: "roc", by the trapezoidal rule, which is the probability that a positive is ranked above a negative; "pr": the average
    precision Σ (Rᵢ − Rᵢ₋₁) Pᵢ as in scikit-learn, because straight lines between points are too optimistic there.
    y_pred (N, …), y_true 0 or 1 of the same shape, or (N,) for scores (N, 1); from_logits: scores are logits, whose sigmoid is the
    probability; False: they are probabilities, and one outside of 0 … 1 is a DataError, as is a score that is NaN, for it has no rank.
    The figure is NaN without positives, or for "roc" negatives.
    Source: Davis and Goadrich, The Relationship Between Precision-Recall and ROC Curves, ICML 2006.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.AUC()(np.array([-2.0, 0.5, -1.0, 2.0]), np.array([0, 0, 1, 1]))
    0.75
    """

    direction = "max"

    def __init__(self, curve: str = "roc", num_thresholds: int = 200, from_logits: bool = True) -> None:
        if curve not in ("roc", "pr"):
            raise mn.ArgumentError(f"AUC: curve must be 'roc' or 'pr', not {curve!r}")
        if isinstance(num_thresholds, bool) or not hasattr(num_thresholds, "__index__") or num_thresholds < 3:
            raise mn.ArgumentError(f"AUC: num_thresholds must be an integer from 3, not {num_thresholds!r}")
        self.curve, self.num_thresholds, self.from_logits = curve, int(num_thresholds), bool(from_logits)

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> tuple[Any, Any]:
        count = self.num_thresholds - 1
        right = mn.reshape(aligned("AUC", y_pred, y_true) > 0.5, (-1,))
        weight = mn.reshape(spread(weight, y_pred), (-1,))
        scores = mn.reshape(y_pred, (-1,))
        if self.from_logits:
            what = "AUC: y_pred must be logits that are not NaN, for NaN has no rank (mn.callbacks.TerminateOnNaN ends such a training)"
            place = mn.sigmoid(mn.check_that(scores, mn.logical_not(mn.isnan(scores)), what)) * float(count)
        else:
            what = (
                "AUC: y_pred must be probabilities from 0 to 1 (scores that are logits want from_logits=True)"
            )
            inside = mn.logical_and(scores >= 0.0, scores <= 1.0)
            place = mn.check_that(scores, inside, what) * float(count)
        interval = mn.cast(mn.where(mn.equal(place, 0.0), 0.0, mn.ceil(place) - 1.0), "int64")
        return (
            mn.scatter_add(mn.where(right, weight, 0.0), interval, count),
            mn.scatter_add(mn.where(right, 0.0, weight), interval, count),
        )

    def result(self, positives: Any, negatives: Any) -> float:
        total, against = positives.sum(), negatives.sum()
        if total <= 0.0 or (against <= 0.0 and self.curve == "roc"):
            return float("nan")
        found, wrong = (
            np.cumsum(positives[::-1]),
            np.cumsum(negatives[::-1]),
        )  # from the highest threshold down
        if self.curve == "pr":
            answers = found + wrong
            precision = found / np.where(answers > 0.0, answers, 1.0)
            return float(np.sum(positives[::-1] * precision) / total)
        above = found - 0.5 * positives[::-1]
        return float(np.sum(negatives[::-1] * above) / (total * against))
