"""Layers that only rearrange: Flatten, Reshape, Identity."""

from typing import Any

import mathnet as mn


def _product(sizes: tuple) -> Any:
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
        return mn.reshape(x, (x.shape[0], _product(x.shape[1:])))


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
            any(isinstance(n, bool) or not isinstance(n, int) or n < -1 for n in self.target_shape)
            or self.target_shape.count(-1) > 1
        ):
            raise mn.ArgumentError(
                f"Reshape: target_shape must be a tuple of sizes with at most one -1, not {target_shape!r}"
            )

    def call(self, x: Any) -> Any:
        given = _product(x.shape[1:])
        target = self.target_shape
        if -1 in target:
            known = _product(tuple(n for n in target if n != -1))
            if not isinstance(given, int) or known == 0 or given % known:
                raise mn.ShapeError(f"{given} elements per example cannot be arranged as {target}")
            target = tuple(given // known if n == -1 else n for n in target)
        elif _product(target) != given:
            raise mn.ShapeError(
                f"{given} elements per example cannot be arranged as {target}, which has {_product(target)}"
            )
        return mn.reshape(x, (x.shape[0], *target))


@mn.layer("identity")
class Identity(mn.Layer):
    """y = x.

    >>> import mathnet as mn
    >>> mn.layers.Identity()(mn.Input((8,))).shape
    (batch, 8)
    """

    def call(self, x: Any) -> Any:
        return x
