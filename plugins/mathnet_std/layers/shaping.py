"""Layers that only rearrange: Flatten, Reshape, Permute, RepeatVector, Identity."""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.layers.arguments import positive


def product(sizes: tuple) -> Any:
    """The number of elements; sizes may be unknown ones."""
    total: Any = 1
    for size in sizes:
        total = total * size
    return total


@mn.layer("flatten")
class Flatten(mn.Layer):
    """(N, a, b, …) → (N, a·b·…), in C order.

    >>> import mathnet as mn
    >>> mn.layers.Flatten()(mn.Input((8, 4, 4))).shape
    (batch, 128)
    """

    def call(self, x: Any) -> Any:
        if x.ndim < 1:
            raise mn.ShapeError("the input must have a batch axis")
        return mn.reshape(x, (x.shape[0], product(x.shape[1:])))


@mn.layer("reshape")
class Reshape(mn.Layer):
    """(N, …) → (N, *target_shape), in C order; one size may be -1.

    >>> import mathnet as mn
    >>> mn.layers.Reshape((4, -1))(mn.Input((8,))).shape
    (batch, 4, 2)
    """

    def __init__(self, target_shape: tuple[int, ...], name: str | None = None) -> None:
        self.target_shape = (
            tuple(target_shape) if isinstance(target_shape, (tuple, list)) else (target_shape,)
        )
        if (
            any(
                isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < -1
                for n in self.target_shape
            )
            or self.target_shape.count(-1) > 1
        ):
            raise mn.ArgumentError(
                f"Reshape: target_shape must be a tuple of sizes with at most one -1, not {target_shape!r}"
            )

    def call(self, x: Any) -> Any:
        given = product(x.shape[1:])
        target = self.target_shape
        if -1 in target:
            known = product(tuple(n for n in target if n != -1))
            if not isinstance(given, int) or known == 0 or given % known:
                raise mn.ShapeError(f"{given} elements per example cannot be arranged as {target}")
            target = tuple(given // known if n == -1 else n for n in target)
        elif product(target) != given:
            raise mn.ShapeError(
                f"{given} elements per example cannot be arranged as {target}, which has {product(target)}"
            )
        return mn.reshape(x, (x.shape[0], *target))


@mn.layer("permute")
class Permute(mn.Layer):
    """The axes after the batch in another order: axis k of the result is axis dims[k] of the input, counted from 1 (as in Keras).

    >>> import mathnet as mn
    >>> mn.layers.Permute((2, 1))(mn.Input((8, 100))).shape
    (batch, 100, 8)
    """

    def __init__(self, dims: tuple[int, ...], name: str | None = None) -> None:
        self.dims = tuple(dims) if isinstance(dims, (tuple, list)) else (dims,)
        if any(isinstance(d, bool) or not isinstance(d, (int, np.integer)) for d in self.dims) or sorted(
            self.dims
        ) != list(range(1, len(self.dims) + 1)):
            raise mn.ArgumentError(
                f"Permute: dims must name the axes 1, 2, … after the batch once each, not {dims!r}"
            )

    def call(self, x: Any) -> Any:
        if x.ndim != len(self.dims) + 1:
            raise mn.ShapeError(
                f"dims={self.dims} orders {len(self.dims)} axes after the batch, but there are {x.ndim - 1}"
            )
        return mn.transpose(x, (0, *self.dims))


@mn.layer("repeat_vector")
class RepeatVector(mn.Layer):
    """(N, F) → (N, n, F): the same vector n times.

    >>> import mathnet as mn
    >>> mn.layers.RepeatVector(3)(mn.Input((8,))).shape
    (batch, 3, 8)
    """

    def __init__(self, n: int, name: str | None = None) -> None:
        self.n = positive("RepeatVector", "n", n)

    def call(self, x: Any) -> Any:
        if x.ndim != 2:
            raise mn.ShapeError("the input must have two axes, (batch, features)")
        return mn.broadcast_to(mn.expand_dims(x, 1), (x.shape[0], self.n, x.shape[1]))


@mn.layer("identity")
class Identity(mn.Layer):
    """y = x.

    >>> import mathnet as mn
    >>> mn.layers.Identity()(mn.Input((8,))).shape
    (batch, 8)
    """

    def call(self, x: Any) -> Any:
        return x
