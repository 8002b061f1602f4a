"""Masking: which steps of padded sequences count."""

import math
from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import number


@mn.layer("masking")
class Masking(mn.Layer):
    """(y, mask): mask[n, t] says whether any feature of step t differs from ``mask_value``; y is x with the other steps set to 0.

    x (N, T, F) → y (N, T, F), mask (N, T) bool, which recurrent layers, Bidirectional and attention take as ``mask=``.  Keras hands
    the mask on unseen; here it is a value like any other.

    >>> import mathnet as mn
    >>> x = mn.Input((5, 2))
    >>> y, mask = mn.layers.Masking()(x)
    >>> mn.layers.LSTM(3)(y, mask=mask).shape
    (batch, 3)
    """

    def __init__(self, mask_value: float = 0.0, name: str | None = None) -> None:
        self.mask_value = number("Masking", "mask_value", mask_value, "a finite number", math.isfinite)

    def call(self, x: Any) -> Any:
        if len(x.shape) != 3:
            raise mn.ShapeError(
                f"the input must have the axes (batch, steps, features), not {len(x.shape)} axes"
            )
        different = mn.not_equal(x, self.mask_value)
        mask = mn.any(different, axis=-1)
        return mn.where(mn.expand_dims(mask, -1), x, 0.0), mask
