"""Derivatives of higher order and of single examples, against torch.func."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import mathnet as mn
from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio


def hessian(threads: int) -> Iterator[Row]:
    """∇² of Σ tanh²(A·w) + Σ exp(sin(w)) for 100 numbers w, in float64."""
    rng = np.random.default_rng(0)
    a, w = rng.standard_normal((40, 100)), rng.standard_normal(100)
    f = mn.function(mn.hessian(lambda w: mn.sum(mn.tanh(a @ w) ** 2) + mn.sum(mn.exp(mn.sin(w)))))
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: f(w)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.hessian(a, w)
    yield ratio("Hessian of a function of 100 numbers", threads, alternate(sides), "PyTorch", 10)


def hessian_product(threads: int) -> Iterator[Row]:
    """∇²f·v of the mean cross-entropy of 784-128-10 over 32 examples."""
    parameters, directions = mlp_parameters(0), mlp_parameters(1)
    x, y = workloads.mlp_data()

    def loss(p: dict) -> object:
        h = mn.relu(x @ p["w"] + p["b"])
        return mn.mean(mn.cross_entropy(h @ p["v"] + p["c"], y))

    f = mn.function(mn.hvp(loss))
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: f(parameters, directions)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.hessian_product(parameters, directions, x, y)
    yield ratio("784-128-10, Hessian times vector", threads, alternate(sides), "PyTorch", 3)


def example_gradients(threads: int) -> Iterator[Row]:
    """The gradient of each of 128 examples' cross-entropy by all parameters of 784-128-10."""
    parameters = mlp_parameters(0)
    x, y = workloads.mlp_data(128)

    def loss(p: dict, x: object, y: object) -> object:
        h = mn.relu(x @ p["w"] + p["b"])  # type: ignore[operator]
        return mn.cross_entropy((h @ p["v"] + p["c"])[None], y[None])[0]  # type: ignore[index]

    f = mn.function(mn.vmap(mn.grad(loss), (None, 0, 0)))
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: f(parameters, x, y)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.example_gradients(parameters, x, y)
    yield ratio("784-128-10, gradient of each of 128 examples", threads, alternate(sides, 1.5), "PyTorch", 2)


def mlp_parameters(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"w": (784, 128), "b": (128,), "v": (128, 10), "c": (10,)}
    return {name: rng.standard_normal(shape, np.float32) * np.float32(0.05) for name, shape in shapes.items()}


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    "hessian": hessian,
    "hessian-product": hessian_product,
    "example-gradients": example_gradients,
}
