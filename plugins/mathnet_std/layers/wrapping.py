"""Layers around functions and other layers: Lambda, Residual, ActivityRegularization."""

from collections.abc import Callable
from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import number


@mn.layer("lambda", name="Lambda")
class Lambda(mn.Layer):
    """y = function(x), for a function of ``mn`` operations.

    function: takes the input (a list for several inputs); a registered activation or another object of a plugin can be saved with the
    model, any other function cannot: write a Layer then.

    >>> import mathnet as mn
    >>> mn.layers.Lambda(lambda x: mn.square(x) + 1.0)(mn.Input((8,))).shape
    (batch, 8)
    """

    def __init__(self, function: Callable, name: str | None = None) -> None:
        if not callable(function):
            raise mn.ArgumentError(f"Lambda: function must be callable, not {function!r}")
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


@mn.layer("residual")
class Residual(mn.Layer):
    """y = x + layers(x): what the inner layers compute is added to their input.

    layers: a layer, or a list of layers that follow one another; their result must have the shape of x.
    Source: He et al., Deep Residual Learning for Image Recognition, 2015.

    >>> import mathnet as mn
    >>> block = mn.layers.Residual([mn.layers.Dense(8, activation="relu"), mn.layers.Dense(8)])
    >>> block(mn.Input((8,))).shape
    (batch, 8)
    """

    def __init__(self, layers: Any, name: str | None = None) -> None:
        self.layers = list(layers) if isinstance(layers, (list, tuple)) else [layers]
        if not self.layers or not all(isinstance(layer, mn.Layer) for layer in self.layers):
            raise mn.ArgumentError(f"Residual: layers must be a layer or a list of layers, not {layers!r}")

    def call(self, x: Any, training: bool = False) -> Any:
        y = x
        for layer in self.layers:
            y = layer(y, training=training)
        if y.shape != x.shape:
            raise mn.ShapeError(
                f"the inner layers made {tuple(y.shape)} of {tuple(x.shape)}; the shapes must be the same to be added"
            )
        return x + y


@mn.layer("activity_regularization")
class ActivityRegularization(mn.Layer):
    """y = x, and l1 · Σ|x| + l2 · Σx², averaged over the examples, is added to the loss as a penalty.

    l1, l2: numbers ≥ 0.

    >>> import mathnet as mn
    >>> mn.layers.ActivityRegularization(l2=1e-3)(mn.Input((8,))).shape
    (batch, 8)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, name: str | None = None) -> None:
        self.l1, self.l2 = (
            number("ActivityRegularization", argument, value, "a number ≥ 0", lambda x: x >= 0)
            for argument, value in (("l1", l1), ("l2", l2))
        )

    def call(self, x: Any) -> Any:
        axes = tuple(range(1, x.ndim))  # one value for each example
        if self.l1:
            self.add_loss(mn.sum(mn.abs(x), axis=axes) * self.l1)
        if self.l2:
            self.add_loss(mn.sum(mn.square(x), axis=axes) * self.l2)
        return x
