"""Sequential: layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mathnet.errors import ArgumentError
from mathnet.graph.tensor import Tensor
from mathnet.model.inputs import Input
from mathnet.model.model import Model


class Sequential(Model):
    """Layers one after the other.

    layers: layers, models or functions of a tensor; input_shape: shape of one example, without the batch axis; dtype: of the
    input.  The first item may be an Input instead.

    >>> import mathnet as mn
    >>> mlp = mn.Sequential([mn.layers.Dense(16, activation="relu"), mn.layers.Dense(3)], input_shape=(8,))
    >>> mlp([[0.0] * 8]).shape
    (1, 3)
    """

    def __init__(
        self, layers: Sequence[Any], input_shape: Any = None, dtype: Any = "float32", name: str | None = None
    ) -> None:
        items = list(layers)
        if items and isinstance(items[0], Tensor):
            start = items.pop(0)
        elif input_shape is None:
            raise ArgumentError(
                "Sequential: give input_shape=, the shape of one example without the batch axis, or an mn.Input as the first item"
            )
        else:
            start = Input(input_shape, dtype)
        x = start
        for position, item in enumerate(items):
            if not callable(item):
                raise ArgumentError(
                    f"Sequential: item {position} is {item!r}, not a layer or a function of a tensor"
                )
            x = item(x)
        super().__init__(start, x, name)
