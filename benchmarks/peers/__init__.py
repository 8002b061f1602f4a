"""The workloads in other libraries, a module each; a library that is not installed is left out of the table, by name."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

#: Module of this package → what the table calls it.
NAMES = {
    "pytorch": "PyTorch",
    "jax": "JAX",
    "onnxruntime": "ONNX Runtime",
    "numpy_by_hand": "NumPy by hand",
    "scikit_learn": "scikit-learn",
    "thinc": "thinc",
}


def load(name: str, threads: int) -> ModuleType | None:
    """The peer's module, set to ``threads`` threads; None when the library is not installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module(f"benchmarks.peers.{name}")
    except ModuleNotFoundError:
        return None
    module.set_threads(threads)
    return module
