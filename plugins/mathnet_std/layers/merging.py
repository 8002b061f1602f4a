"""Layers with several inputs: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot."""

from functools import reduce
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.layers.shaping import product


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
        return reduce(mn.add, x)


@mn.layer("multiply")
class Multiply(_Merge):
    """y = x₁ · x₂ · …; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Multiply()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        return reduce(mn.multiply, x)


@mn.layer("subtract")
class Subtract(_Merge):
    """y = x₁ − x₂; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Subtract()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        if len(x) != 2:
            raise mn.ShapeError(f"Subtract takes two inputs, not {len(x)}")
        return x[0] - x[1]


@mn.layer("average")
class Average(_Merge):
    """y = (x₁ + x₂ + …) / n; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Average()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        return reduce(mn.add, x) * (1.0 / len(x))


@mn.layer("maximum")
class Maximum(_Merge):
    """y = the largest of x₁, x₂, … at each place; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Maximum()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        return reduce(mn.maximum, x)


@mn.layer("minimum")
class Minimum(_Merge):
    """y = the smallest of x₁, x₂, … at each place; the inputs broadcast.

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((8,))
    >>> mn.layers.Minimum()([a, b]).shape
    (batch, 8)
    """

    def call(self, x: list) -> Any:
        return reduce(mn.minimum, x)


@mn.layer("concatenate")
class Concatenate(_Merge):
    """The inputs one after the other along ``axis`` (default: the last): (N, …, a, …), (N, …, b, …) → (N, …, a + b, …).

    >>> import mathnet as mn
    >>> a, b = mn.Input((8,)), mn.Input((4,))
    >>> mn.layers.Concatenate()([a, b]).shape
    (batch, 12)
    """

    def __init__(self, axis: int = -1, name: str | None = None) -> None:
        if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or axis == 0:
            raise mn.ArgumentError(
                f"Concatenate: axis must be an integer other than 0 (the batch axis), not {axis!r}"
            )
        self.axis = axis

    def call(self, x: list) -> Any:
        return mn.concatenate(x, axis=self.axis)


@mn.layer("dot")
class Dot(_Merge):
    """Inner products of the vectors along one axis of each of two inputs, example by example.

    a (N, …, K, …), b (N, …, K, …) → (N, axes of a without K, axes of b without K), or (N, 1) when none are left.

    Parameters
    ----------
    axes: the axis of K in both inputs, or one for each.
    normalize: whether the vectors are brought to length 1 first, so that the result is the cosine between them.

    >>> import mathnet as mn
    >>> a, b = mn.Input((5, 8)), mn.Input((3, 8))
    >>> mn.layers.Dot(axes=2)([a, b]).shape
    (batch, 5, 3)
    """

    def __init__(self, axes: Any = -1, normalize: bool = False, name: str | None = None) -> None:
        pair = tuple(axes) if isinstance(axes, (tuple, list)) else (axes, axes)
        if len(pair) != 2 or any(
            isinstance(a, bool) or not isinstance(a, (int, np.integer)) or a == 0 for a in pair
        ):
            raise mn.ArgumentError(
                f"Dot: axes must be an integer other than 0 (the batch axis) or a pair of them, not {axes!r}"
            )
        self.axes, self.normalize = pair, bool(normalize)

    def call(self, x: list) -> Any:
        if len(x) != 2:
            raise mn.ShapeError(f"Dot takes two inputs, not {len(x)}")
        for item, axis in zip(x, self.axes):
            if not -item.ndim <= axis < item.ndim or axis % item.ndim == 0:
                raise mn.ShapeError(f"axes={self.axes} name no axis after the batch of {tuple(item.shape)}")
        a, b = (mn.moveaxis(item, axis, -1) for item, axis in zip(x, self.axes))
        if a.shape[-1] != b.shape[-1]:
            raise mn.ShapeError(
                f"the vectors along axes={self.axes} have {a.shape[-1]} and {b.shape[-1]} elements; they must have the same"
            )
        if self.normalize:
            a, b = (v * (1.0 / mn.sqrt(mn.sum(mn.square(v), axis=-1, keepdims=True) + 1e-12)) for v in (a, b))
        left, right = a.shape[1:-1], b.shape[1:-1]
        a = mn.reshape(a, (a.shape[0], product(left), a.shape[-1]))
        b = mn.reshape(b, (b.shape[0], product(right), b.shape[-1]))
        y = mn.matmul(a, mn.transpose(b, (0, 2, 1)))
        return mn.reshape(y, (y.shape[0], *left, *right) if left or right else (y.shape[0], 1))
