"""Dropout: random zeros in training."""

from typing import Any

import mathnet as mn


@mn.layer("dropout")
class Dropout(mn.Layer):
    """In training y = x · m / (1 − rate) with m = 0 with probability ``rate``, else 1; otherwise y = x.

    rate: 0 ≤ rate < 1.  The draws follow from the trainer's seed, the layer's place in the model and the step.
    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 2014.

    >>> import mathnet as mn
    >>> mn.layers.Dropout(0.25)(mn.Input((8,))).shape
    (batch, 8)
    """

    def __init__(self, rate: float, name: str | None = None) -> None:
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0.0 <= rate < 1.0:
            raise mn.ArgumentError(f"Dropout: rate must be a number from 0 to below 1, not {rate!r}")
        self.rate = float(rate)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        kept = 1.0 - self.rate
        return x * mn.random.bernoulli(x.shape, kept, like=x) * (1.0 / kept)
