"""Probability distributions: ``mn.distributions.Normal(0.0, 1.0).log_prob(x)``."""

from __future__ import annotations

from typing import Any

from mathnet.errors import ArgumentError
from mathnet.plugin.host import current_runtime
from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("distribution", "from_scores", "kl_divergence")


def kl_divergence(p: Any, q: Any) -> Any:
    """KL(p ‖ q) = E_p[log p(x) − log q(x)] in closed form.

    Raises ArgumentError for a pair that has none; :func:`mathnet.expectation` estimates it.

    >>> import mathnet as mn
    >>> p, q = mn.distributions.Normal(0.0, 1.0), mn.distributions.Normal(1.0, 1.0)
    >>> float(mn.distributions.kl_divergence(p, q))
    0.5
    """
    if not hasattr(p, "kl_divergence"):
        raise ArgumentError(
            f"kl_divergence: {type(p).__name__} knows no divergences; estimate it by mn.expectation"
        )
    return p.kl_divergence(q)


def from_scores(distribution: Any, scores: Any, targets: Any) -> Any:
    """The distribution of ``targets`` that a network's ``scores`` stand for, as the loss ``nll`` takes them.

    distribution: a key or class with a class method ``from_scores(scores, targets)``, or a function of the scores.

    >>> import numpy as np, mathnet as mn
    >>> mn.distributions.from_scores("poisson", np.zeros(1), np.ones(1)).mean
    array([1.])
    """
    if isinstance(distribution, str):
        distribution = current_runtime().registry.find("distribution", distribution).object
    if not callable(distribution):
        raise ArgumentError(
            f"nll: distribution must be a key, a class or a function of the scores, not {distribution!r}"
        )
    make = getattr(distribution, "from_scores", None)
    if make is None and isinstance(distribution, type):
        raise ArgumentError(
            f"nll: {distribution.__name__} does not say which scores are its parameters; give a function of the scores"
        )
    return distribution(scores) if make is None else make(scores, targets)
