"""Metrics of regression that are no averages: the root of one, and the share of the variance that is explained."""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.labels import indices_in_range, spread
from mathnet_std.losses import aligned, per_example

#: Of the mean square: a smaller variance is rounding of the sums.
SPREADLESS = 1e-13


@mn.metric("rmse", name="RMSE")
class RMSE(mn.Metric):
    """Root of the mean squared error, √(Σ w·mean (y_pred − y_true)² / Σ w).

    Shapes as in mse.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.RMSE()(np.array([1.0, 2.0, 2.0]), np.array([1.0, 4.0, 0.0])).__round__(4)
    1.633
    """

    direction = "min"

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> tuple[Any, Any]:
        errors = per_example(mn.square(y_pred - aligned("RMSE", y_pred, y_true)))
        return mn.sum(weight * errors), mn.sum(weight)

    def result(self, squares: Any, total: Any) -> float:
        return float(np.sqrt(squares / total)) if total > 0.0 else float("nan")


@mn.metric("r2", name="R2")
class R2(mn.Metric):
    """Share of the variance that is explained, 1 − Σ w(y_pred − y_true)² / Σ w(y_true − ȳ)², with ȳ the weighted mean of y_true.

    y_pred (N, …), y_true of the same shape, or (N,) for scores (N, 1).  multioutput: what becomes of the figures of several columns, as
    in scikit-learn: "uniform_average", "variance_weighted" (each by its variance), "raw_values" (an array of the columns' shape).
    A column whose targets are all the same has 1 when it is predicted exactly, else 0.  The variance comes from Σ w y² − (Σ w y)²/Σ w in
    float64, which holds 6 digits of it as long as the mean is below 10⁵ standard deviations.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.R2()(np.array([2.5, 0.0, 2.0, 8.0]), np.array([3.0, -0.5, 2.0, 7.0])).__round__(4)
    0.9486
    """

    direction = "max"

    def __init__(self, multioutput: str = "uniform_average") -> None:
        if multioutput not in ("uniform_average", "variance_weighted", "raw_values"):
            raise mn.ArgumentError(
                "R2: multioutput must be 'uniform_average', 'variance_weighted' or 'raw_values', "
                f"not {multioutput!r}"
            )
        self.multioutput = multioutput

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> tuple[Any, ...]:
        y = mn.cast(aligned("R2", y_pred, y_true), "float64")
        w = spread(weight, y)
        terms = (w * mn.square(mn.cast(y_pred, "float64") - y), w * y, w * mn.square(y), w)
        return tuple(mn.sum(term, axis=0) for term in terms)

    def result(self, errors: Any, first: Any, second: Any, total: Any) -> Any:
        if not np.all(total > 0.0):
            return np.full(errors.shape, np.nan) if self.multioutput == "raw_values" else float("nan")
        spread_out = second - first * first / total
        constant = spread_out <= SPREADLESS * second
        figures = 1.0 - errors / np.where(constant, 1.0, spread_out)
        figures = np.where(constant, np.where(errors > 0.0, 0.0, 1.0), figures)
        if self.multioutput == "raw_values":
            return figures
        if self.multioutput == "variance_weighted" and not constant.all():
            return np.average(figures, weights=np.where(constant, 0.0, spread_out))
        return figures.mean()


@mn.metric("perplexity")
class Perplexity(mn.Metric):
    """exp of the mean cross-entropy of the right classes, exp(Σ w·(−log softmax(y_pred)_y) / Σ w), over all tokens.

    y_pred: scores (logits) (N, …, C); y_true: class indices (N, …) or probabilities (N, …, C); every token counts with the weight of its
    example.  ignore_index: an index whose places do not count, such as padding.  C for scores that know nothing, 1 at best.

    >>> import numpy as np, mathnet as mn
    >>> mn.metrics.Perplexity()(np.zeros((2, 3, 4)), np.array([[0, 1, 2], [3, 0, 1]])).__round__(6)
    4.0
    """

    direction = "min"

    def __init__(self, ignore_index: int | None = None) -> None:
        self.ignore_index = ignore_index
        self._loss = mn.losses.get("cross_entropy", ignore_index=ignore_index)

    def sums(self, y_pred: Any, y_true: Any, weight: Any) -> tuple[Any, Any]:
        if y_true.dtype.kind in "iu":
            y_true = self._checked(y_true, y_pred.shape[-1])
        values = self._loss(y_pred, y_true)
        values, own = values if isinstance(values, tuple) else (values, 1.0)
        weight = spread(weight, values)
        return mn.sum(weight * values), mn.sum(weight * own)

    def _checked(self, indices: Any, classes: int) -> Any:
        """The indices, of which those that are not ignored must be classes."""
        if self.ignore_index is None:
            return indices_in_range("Perplexity", indices, classes)
        ignored = mn.equal(indices, self.ignore_index)
        return mn.where(
            ignored, self.ignore_index, indices_in_range("Perplexity", mn.where(ignored, 0, indices), classes)
        )

    def result(self, total: Any, count: Any) -> float:
        return float(np.exp(total / count)) if count > 0.0 else float("nan")
