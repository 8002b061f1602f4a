"""The kit's own small models: it names no layer and no optimizer of a plugin."""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn


@mn.layer("conformance_affine")
class Affine(mn.Layer):
    """y = xW + b."""

    def build(self, input_shape: Any) -> None:
        self.kernel = self.param(
            "kernel", (input_shape[-1], 2), lambda shape, rng: rng.standard_normal(shape)
        )
        self.bias = self.param("bias", (2,), lambda shape, rng: np.ones(shape))

    def call(self, x: Any) -> Any:
        return x @ self.kernel + self.bias


def small_model() -> mn.Model:
    """Three inputs, two outputs."""
    x = mn.Input((3,))
    return mn.Model(x, Affine()(x))


@mn.layer("conformance_point")
class Point(mn.Layer):
    """A point θ of the plane, whatever the input."""

    def __init__(self, start: tuple = (0.0, 0.0), name: str | None = None) -> None:
        super().__init__(name=name)
        self.start = start

    def build(self, input_shape: Any) -> None:
        self.point = self.param("point", (2,), lambda shape, rng: np.array(self.start))

    def call(self, x: Any) -> Any:
        return 0.0 * x + self.point


def squares(y_pred: Any, y_true: Any) -> Any:
    """Mean squared error over all axes but the first."""
    squares = mn.square(y_pred - y_true)
    return mn.mean(squares, axis=tuple(range(1, len(squares.shape)))) if len(squares.shape) > 1 else squares


class Descent:
    """θ − η g."""

    def __init__(self, learning_rate: float = 0.01) -> None:
        self.learning_rate = learning_rate

    def init(self, param: Any) -> dict[str, Any]:
        return {}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        return param - learning_rate * grad, {}
