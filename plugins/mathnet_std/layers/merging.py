"""Layers with several inputs: Add, Multiply, Concatenate."""

from typing import Any

import mathnet as mn


class _Merge(mn.Layer):
    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, list) or len(input_shape) < 2:
            raise mn.ShapeError(
                f"{type(self).__name__} takes a list of at least two inputs: {type(self).__name__}()([a, b])"
            )


@mn.layer("add")
class Add(_Merge):
    """y = x₁ + x₂ + …; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Add()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        total = x[0]
        for item in x[1:]:
            total = total + item
        return total


@mn.layer("multiply")
class Multiply(_Merge):
    """y = x₁ · x₂ · …; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Multiply()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        product = x[0]
        for item in x[1:]:
            product = product * item
        return product


@mn.layer("concatenate")
class Concatenate(_Merge):
    """The inputs one after the other along ``axis`` (default: the last).

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((4,))
    >>> mn.layers.Concatenate()([a, b]).shape
    (batch, 12)
    """

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0:
            raise mn.ArgumentError(
                f"Concatenate: axis must be an integer other than 0 (the batch axis), not {axis!r}"
            )
        self.axis = axis

    def call(self, x: list) -> Any:
        return mn.concatenate(x, axis=self.axis)
