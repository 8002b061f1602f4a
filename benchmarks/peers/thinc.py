"""The dense workloads in thinc.  Importing this module without it raises ImportError."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from thinc.api import Adam, Relu, Softmax, chain


def set_threads(threads: int) -> None:
    """thinc computes through NumPy and BLIS, whose threads the environment sets."""


def mlp(x: np.ndarray, y: np.ndarray) -> tuple[Callable[[], object], Callable[[], object]]:
    """A training step of 784-128-10 on a batch, and inference on its first example."""
    model = chain(Relu(128), Softmax(10))
    targets = np.eye(10, dtype=np.float32)[y]
    model.initialize(X=x, Y=targets)
    optimizer = Adam(1e-3)

    def step() -> None:
        scores, backward = model.begin_update(x)
        backward((scores - targets) / len(x))
        model.finish_update(optimizer)

    return step, lambda: model.predict(x[:1])
