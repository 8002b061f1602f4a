"""Weights of examples by their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import show_shape


def class_weights(given: Any) -> dict[int, float]:
    """``class_weight`` as a mapping from class numbers to weights, checked."""
    items = given if isinstance(given, Mapping) else dict(enumerate(np.asarray(given).reshape(-1).tolist()))
    found: dict[int, float] = {}
    for number, weight in items.items():
        if isinstance(number, bool) or not hasattr(number, "__index__") or number < 0:
            raise ArgumentError(f"class_weight: classes are numbers from 0, not {number!r}")
        if (
            isinstance(weight, bool)
            or not isinstance(weight, (int, float, np.number))
            or not 0 <= weight < np.inf
        ):
            raise ArgumentError(
                f"class_weight: the weight of class {number} must be a number from 0, not {weight!r}"
            )
        found[int(number)] = float(weight)
    return found


def example_weights(weights: Mapping[int, float], targets: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The weight of each example (N,): that of its class, 1 for classes that are not named.

    targets: class indices (N,), one-hot or probabilities (N, classes), or numbers 0 and 1, (N,) or (N, 1).
    """
    if targets.ndim == 2 and targets.shape[1] > 1:
        classes = targets.argmax(axis=1)
    elif targets.size == len(targets):
        classes = np.rint(targets.reshape(-1)).astype(np.int64)
    else:
        raise ShapeError(
            f"class_weight needs one class per example, but the targets have shape {show_shape(targets.shape)}; use sample_weight"
        )
    found = np.ones(len(targets), dtype)
    for number, weight in weights.items():
        found[classes == number] = weight
    return found
