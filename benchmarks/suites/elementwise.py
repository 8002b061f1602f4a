"""Activations over a million numbers, an expression in Python, matrix products, and the optimizers' passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import mathnet as mn
from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio

#: activation → (bound of the forward pass, bound of forward and backward)
ACTIVATIONS = {
    "sigmoid": (1.8, 1.8),
    "tanh": (4.0, 4.0),
    "gelu": (1.0, 1.7),
    "silu": (1.8, 2.0),
    "softplus": (2.5, 2.5),
    "elu": (2.0, 2.0),
    "relu": (0.95, 1.2),
}
SIZE = 1 << 20


def activation(name: str, threads: int) -> Iterator[Row]:
    forward_bound, both_bound = ACTIVATIONS[name]
    x = np.random.default_rng(0).standard_normal(SIZE, np.float32)
    function = getattr(mn, name)
    forward, both = mn.function(function), workloads.forward_and_gradients(function)
    dy = np.ones_like(x)
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: forward(x)}
    sides_both: dict[str, Callable[[], object]] = {"mathnet": lambda: both(x, dy)}
    torch, jax = peers.load("pytorch", threads), peers.load("jax", threads)
    if torch:
        sides["PyTorch"], sides_both["PyTorch"] = torch.activation(name, x)
    if jax:
        sides["JAX"] = jax.activation(name, x)
    times = alternate(sides)
    yield ratio(f"{name} of 1M, forward", threads, times, "PyTorch", forward_bound)
    if jax:
        yield ratio(f"{name} of 1M, forward", threads, times, "JAX")
    times = alternate(sides_both)
    yield ratio(f"{name} of 1M, forward + backward", threads, times, "PyTorch", both_bound)


def dropout(threads: int) -> Iterator[Row]:
    """A mask drawn, applied to the values and to the gradients."""
    x = np.random.default_rng(0).standard_normal(SIZE, np.float32)
    both = workloads.forward_and_gradients(lambda x: x * mn.random.bernoulli(x.shape, 0.5, like=x) * 2.0)
    dy = np.ones_like(x)
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: both(x, dy)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.dropout(0.5, x)
    yield ratio("dropout of 1M, forward + backward", threads, alternate(sides), "PyTorch", None)


def expression(threads: int) -> Iterator[Row]:
    """An activation written in Python, as one fused instruction."""
    f, x = workloads.expression(), workloads.expression_data()
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: f(x)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.expression()
    yield ratio("x·σ(βx) in Python, 64K", threads, alternate(sides), "PyTorch", 2.5)


def optimizer(name: str, bound: float | None, threads: int) -> Iterator[Row]:
    """One update of a million parameters whose gradient is at hand."""
    rng = np.random.default_rng(0)
    parameter, gradient = (rng.standard_normal(1_000_000, np.float32) for _ in range(2))
    update = _update(name, parameter, gradient)
    sides: dict[str, Callable[[], object]] = {"mathnet": update}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.optimizer_pass(name, parameter, gradient)
    yield ratio(f"{name} over 1M parameters", threads, alternate(sides), "PyTorch", bound)


def _update(name: str, parameter: np.ndarray, gradient: np.ndarray) -> Callable[[], object]:
    """A training step that is nothing but the update: a loss of 0 whose gradient is declared to be what is given."""
    given = mn.custom_vjp(lambda w, g: mn.sum(w[:1]) * 0.0, lambda dy, w, g, out: (g * dy, None))

    class Given(mn.Layer):
        def build(self, input_shape: Any) -> None:
            self.parameter = self.param("parameter", parameter.shape, "zeros")
            self.gradient = self.param("gradient", gradient.shape, "zeros", trainable=False)

        def call(self, x: Any, training: bool = False) -> Any:
            return x * given(self.parameter, self.gradient)

    model = mn.Sequential([Given(name="given")], input_shape=(1,))
    model.parameters["given/gradient"] = gradient
    optimizer = mn.optimizers.Adam(1e-3) if name == "adam" else mn.optimizers.SGD(0.01, momentum=0.9)
    trainer = mn.Trainer(model, loss="mae", optimizer=optimizer, seed=0)
    x = y = np.ones((1, 1), np.float32)
    return lambda: trainer.step(x, y)


def product(m: int, k: int, n: int, threads: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
    f = mn.function(lambda a, b: a @ b)
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: f(a, b)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.product(a, b)
    times = alternate(sides)
    yield ratio(f"({m}, {k}) @ ({k}, {n})", threads, times, "PyTorch", None, 2.0 * m * k * n)


PRODUCTS = [
    (64, 64, 64),
    (256, 256, 256),
    (512, 512, 512),
    (1024, 1024, 1024),
    (32, 784, 128),
    (1, 4096, 4096),
]
GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    **{name: partial(activation, name) for name in ACTIVATIONS},
    "dropout": dropout,
    "expression": expression,
    "adam": partial(optimizer, "adam", 1.3),
    "sgd": partial(optimizer, "sgd", None),
    **{f"product-{m}x{k}x{n}": partial(product, m, k, n) for m, k, n in PRODUCTS},
}
