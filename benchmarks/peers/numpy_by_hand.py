"""The workloads written by hand in NumPy, as a careful user would."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.workloads import xor_data


def set_threads(threads: int) -> None:
    """NumPy's threads are those that the environment sets before it is imported."""


def xor_step() -> Callable[[], float]:
    rng = np.random.default_rng(0)
    w, b, v, c = (rng.standard_normal(shape, np.float32) for shape in ((2, 8), (8,), (8, 1), (1,)))
    x, y = xor_data()

    def step() -> float:
        h = np.tanh(x @ w + b)
        e = h @ v + c - y
        g = e * 0.5
        dh = (g @ v.T) * (1 - h * h)
        np.subtract(v, 0.1 * (h.T @ g), out=v)
        np.subtract(c, 0.1 * g.sum(0), out=c)
        np.subtract(w, 0.1 * (x.T @ dh), out=w)
        np.subtract(b, 0.1 * dh.sum(0), out=b)
        return float((e * e).mean())

    return step


def mlp_inference(parameters: Mapping[str, np.ndarray], x: np.ndarray) -> Callable[[], np.ndarray]:
    w, b, v, c = (
        np.array(parameters[f"{name}"])
        for name in ("hidden/kernel", "hidden/bias", "logits/kernel", "logits/bias")
    )
    return lambda: np.maximum(x @ w + b, 0) @ v + c
