"""mathnet's side of the workloads, and the arrays that all sides share.

Names and sizes: *xor* 2-8-1 with tanh, mean squared error, SGD 0.1, batch 4; *mlp* 784-128-10 with relu, cross-entropy, Adam 1e-3,
batch 32, and its inference with batch 1.  float32 throughout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import mathnet as mn

BETA = 1.5  # of the expression x·σ(βx)
EXPRESSION_SIZE = 64 * 1024


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def xor_data() -> tuple[np.ndarray, np.ndarray]:
    """x (4, 2), y (4, 1)."""
    rng = _rng()
    return rng.standard_normal((4, 2), np.float32), rng.standard_normal((4, 1), np.float32)


def mlp_data(batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """x (batch, 784), class indices (batch,)."""
    rng = _rng()
    return rng.standard_normal((batch, 784), np.float32), rng.integers(0, 10, batch)


def expression_data() -> np.ndarray:
    return _rng().standard_normal(EXPRESSION_SIZE, np.float32)


def xor_trainer() -> Any:
    model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(2,))
    return mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1), seed=0)


def mlp() -> Any:
    layers = [mn.layers.Dense(128, activation="relu", name="hidden"), mn.layers.Dense(10, name="logits")]
    return mn.Sequential(layers, input_shape=(784,))


def mlp_trainer(model: Any) -> Any:
    return mn.Trainer(model, loss="cross_entropy", optimizer=mn.optimizers.Adam(1e-3), seed=0)


def expression() -> Any:
    return mn.function(lambda x: x * mn.sigmoid(BETA * x))
