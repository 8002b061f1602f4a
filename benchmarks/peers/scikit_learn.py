"""The dense workloads in scikit-learn.  Importing this module without it raises ImportError."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier


def set_threads(threads: int) -> None:
    """scikit-learn computes through NumPy, whose threads the environment sets."""


def mlp(x: np.ndarray, y: np.ndarray) -> tuple[Callable[[], object], Callable[[], object]]:
    """A training step of 784-128-10 on a batch, and inference on its first example."""
    warnings.filterwarnings("ignore", module="sklearn")
    model = MLPClassifier((128,), batch_size=len(x))
    model.partial_fit(x, y, classes=list(range(10)))
    return lambda: model.partial_fit(x, y), lambda: model.predict_proba(x[:1])
