"""Losses of numbers: one value per example, the mean over the other axes."""

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.losses import aligned, per_example


def _above(name: str, setting: str, value: Any, low: float, high: float = math.inf) -> None:
    """low < value < high for settings that are numbers; those of a running training are tensors."""
    if isinstance(value, (int, float, np.integer, np.floating)) and not low < value < high:
        limits = f"above {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
        raise mn.ArgumentError(f"{name}: {setting} must be a number {limits}, not {value!r}")


@mn.loss("huber")
def huber(y_pred: Any, y_true: Any, delta: float = 1.0) -> Any:
    """With d = y_pred − y_true: d²/2 where |d| ≤ delta, else delta·(|d| − delta/2).

    Shapes as in mse → (N,); delta > 0.  Source: Huber, Robust Estimation of a Location Parameter, 1964.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Huber()(np.array([0.5, 3.0]), np.zeros(2))
    array([0.125, 2.5  ])
    """
    _above("huber", "delta", delta, 0.0)
    size = mn.abs(y_pred - aligned("huber", y_pred, y_true))
    inner = mn.minimum(size, delta)
    return per_example(inner * (size - 0.5 * inner))


@mn.loss("log_cosh")
def log_cosh(y_pred: Any, y_true: Any) -> Any:
    """Mean of log cosh(y_pred − y_true): squares when small, distances when large; shapes as in mse.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.LogCosh()(np.array([0.0, 1.0]), np.zeros(2)).round(4)
    array([0.    , 0.4338])
    """
    size = mn.abs(y_pred - aligned("log_cosh", y_pred, y_true))
    return per_example(size + mn.softplus(-2.0 * size) - math.log(2.0))


@mn.loss("quantile")
def quantile(y_pred: Any, y_true: Any, q: float = 0.5) -> Any:
    """With d = y_true − y_pred: q·d where d > 0, else (q − 1)·d.  Least at the quantile q of the targets.

    Shapes as in mse → (N,); 0 < q < 1; q = 0.5 is half of mae.  The derivative at d = 0 is ½ − q, midway.
    Source: Koenker and Bassett, Regression Quantiles, 1978.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Quantile(0.9)(np.zeros(2), np.array([1.0, -1.0])).round(4)
    array([0.9, 0.1])
    """
    _above("quantile", "q", q, 0.0, 1.0)
    d = aligned("quantile", y_pred, y_true) - y_pred
    return per_example(0.5 * mn.abs(d) + (q - 0.5) * d)


@mn.loss("poisson")
def poisson(y_pred: Any, y_true: Any, log_input: bool = True) -> Any:
    """exp(y_pred) − y_true·y_pred, −log of a Poisson probability without the term log(y_true!); y_pred: the logarithm of the rate.

    Shapes as in mse → (N,).  log_input=False, Keras's form: y_pred is the rate, y_pred − y_true·log(y_pred + 1e-8).  With the term
    left out: the loss "nll" with ``distribution="poisson"``.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.Poisson()(np.array([0.0, 1.0]), np.array([0.0, 2.0])).round(4)
    array([1.    , 0.7183])
    """
    targets = aligned("poisson", y_pred, y_true)
    if log_input:
        return per_example(mn.exp(y_pred) - targets * y_pred)
    return per_example(y_pred - targets * mn.log(y_pred + 1e-8))


@mn.loss("gaussian_nll", name="GaussianNLL")
def gaussian_nll(y_pred: Any, y_true: Any, full: bool = False) -> Any:
    """½(s + (y_true − m)²·e⁻ˢ), −log of a normal density of mean m and variance eˢ; y_pred holds m and s.

    y_pred (N, …, 2·d), m before s along the last axis, for y_true (N, …, d), or (N, 2) for (N,) → (N,).
    full: with the constant ½ log 2π.  PyTorch takes the variance itself, as a third argument.
    Source: Nix and Weigend, Estimating the Mean and Variance of the Target Probability Distribution, 1994.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.GaussianNLL()(np.array([[1.0, 0.0]]), np.array([3.0]))
    array([2.])
    """
    scores, targets = tuple(y_pred.shape), tuple(y_true.shape)
    if scores == (*targets, 2):
        mean, log_variance = y_pred[..., 0], y_pred[..., 1]
    elif targets and scores[:-1] == targets[:-1] and scores[-1] == 2 * targets[-1]:
        mean, log_variance = y_pred[..., : targets[-1]], y_pred[..., targets[-1] :]
    else:
        raise mn.ShapeError(
            "gaussian_nll: scores hold a mean and a logarithm of the variance for each target: shapes (…, 2·d) for targets (…, d), or "
            f"(N, 2) for (N,), not ({', '.join(map(str, scores))}) for ({', '.join(map(str, targets))})"
        )
    values = 0.5 * (log_variance + mn.square(y_true - mean) * mn.exp(-log_variance))
    return per_example(values + 0.5 * math.log(2.0 * math.pi) if full else values)
