"""The negative log-likelihood under a distribution as a loss."""

from typing import Any

import mathnet as mn
from mathnet_std.losses import per_example


@mn.loss("nll", name="NLL")
def nll(y_pred: Any, y_true: Any, distribution: Any = "normal") -> Any:
    """Negative log-likelihood −log p(y_true) under the distribution that the scores y_pred stand for, mean over the other axes.

    Scores (N, …), targets (N, …) → (N,).

    distribution: a key or class of ``mn.distributions``, whose ``from_scores`` says what the scores are, or a function of the
    scores that returns a distribution.  "normal" with as many scores as targets is half the squared error plus ½·log 2π;
    "categorical" is cross-entropy on class indices, "bernoulli" binary cross-entropy.

    Raises ArgumentError for a distribution that does not say what its scores are, UnknownKeyError for an unknown key.

    >>> import numpy as np, mathnet as mn
    >>> mn.losses.NLL("poisson")(np.array([[0.0]]), np.array([[1.0]]))
    array([1.])
    """
    made = mn.distributions.from_scores(distribution, y_pred, y_true)
    return per_example(-made.log_prob(y_true))
