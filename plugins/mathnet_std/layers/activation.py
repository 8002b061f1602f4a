"""Activation: an activation function as a layer."""

from typing import Any

import mathnet as mn


@mn.layer("activation")
class Activation(mn.Layer):
    """y = activation(x).

    activation: key, object or function.

    >>> import mathnet as mn
    >>> mn.layers.Activation("softmax")(mn.Input((10,))).shape
    (batch, 10)
    """

    def __init__(self, activation: Any, name: str | None = None) -> None:
        self.activation = mn.activations.get(activation)
        if self.activation is None:
            raise mn.ArgumentError(
                "Activation: an activation must be given; 'linear' is the one that does nothing"
            )

    def call(self, x: Any) -> Any:
        return self.activation(x)
