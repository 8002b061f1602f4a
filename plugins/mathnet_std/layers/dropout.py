"""Noise in training: Dropout, SpatialDropout, AlphaDropout, GaussianDropout, GaussianNoise."""

import math
from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import fraction, number


def kept(rate: float, shape: tuple, like: Any, training: bool) -> Any:
    """Factors for what a layer drops within: 0 with probability ``rate``, else 1/(1 − rate); None for none."""
    if not training or rate == 0.0:
        return None
    return mn.random.bernoulli(shape, 1.0 - rate, like=like) * (1.0 / (1.0 - rate))


class _Dropout(mn.Layer):
    def __init__(self, rate: float, name: str | None = None) -> None:
        self.rate = fraction(type(self).__name__, "rate", rate)


@mn.layer("dropout")
class Dropout(_Dropout):
    """In training y = x · m / (1 − rate) with m = 0 with probability ``rate``, else 1; otherwise y = x.

    rate: 0 ≤ rate < 1.  The draws follow from the trainer's seed, the layer's place in the model and the step.
    Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, JMLR 2014.

    >>> import mathnet as mn
    >>> mn.layers.Dropout(0.25)(mn.Input((8,))).shape
    (batch, 8)
    """

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        kept = 1.0 - self.rate
        return x * mn.random.bernoulli(x.shape, kept, like=x) * (1.0 / kept)


@mn.layer("spatial_dropout")
class SpatialDropout(_Dropout):
    """Dropout of whole channels: one draw for each example and channel, for neighbours in a picture say nearly the same.

    x (N, C, …); rate as in Dropout.  Source: Tompson et al., Efficient Object Localization Using Convolutional Networks, 2015.

    >>> import mathnet as mn
    >>> mn.layers.SpatialDropout(0.25)(mn.Input((8, 28, 28))).shape
    (batch, 8, 28, 28)
    """

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) < 3:
            raise mn.ShapeError("the input must be one tensor with at least three axes, (batch, channels, …)")

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        kept = 1.0 - self.rate
        mask = mn.random.bernoulli((*x.shape[:2], *(1,) * (x.ndim - 2)), kept, like=x)
        return x * (mask * (1.0 / kept))


#: What selu tends to for x → −∞: −λα.
_SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772


@mn.layer("alpha_dropout")
class AlphaDropout(_Dropout):
    """Dropout for networks of selu: y = a · (x · m + f · (1 − m)) + b keeps mean 0 and variance 1.

    f = −λα is the value that selu tends to, a = ((1 − rate)(1 + rate · f²))^−½, b = −a · rate · f; m and rate as in Dropout.
    Source: Klambauer et al., Self-Normalizing Neural Networks, 2017.

    >>> import mathnet as mn
    >>> mn.layers.AlphaDropout(0.1)(mn.Input((8,))).shape
    (batch, 8)
    """

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        kept = 1.0 - self.rate
        a = (kept * (1.0 + self.rate * _SELU_FLOOR**2)) ** -0.5
        b = -a * self.rate * _SELU_FLOOR
        mask = mn.random.bernoulli(x.shape, kept, like=x)
        return (x * mask + (1.0 - mask) * _SELU_FLOOR) * a + b


@mn.layer("gaussian_dropout")
class GaussianDropout(_Dropout):
    """In training y = x · g with g normal of mean 1 and variance rate / (1 − rate); otherwise y = x.

    Source: Srivastava et al., Dropout, JMLR 2014, section 10.

    >>> import mathnet as mn
    >>> mn.layers.GaussianDropout(0.25)(mn.Input((8,))).shape
    (batch, 8)
    """

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.rate == 0.0:
            return x
        return x * mn.random.normal(x.shape, 1.0, math.sqrt(self.rate / (1.0 - self.rate)), like=x)


@mn.layer("gaussian_noise")
class GaussianNoise(mn.Layer):
    """In training y = x + e with e normal of mean 0 and standard deviation ``stddev``; otherwise y = x.

    >>> import mathnet as mn
    >>> mn.layers.GaussianNoise(0.1)(mn.Input((8,))).shape
    (batch, 8)
    """

    def __init__(self, stddev: float, name: str | None = None) -> None:
        self.stddev = number("GaussianNoise", "stddev", stddev, "a number ≥ 0", lambda x: x >= 0)

    def call(self, x: Any, training: bool = False) -> Any:
        if not training or self.stddev == 0.0:
            return x
        return x + mn.random.normal(x.shape, 0.0, self.stddev, like=x)
