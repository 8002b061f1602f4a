"""The workloads in JAX, jit-compiled.  Importing this module without JAX raises ImportError.

XLA sizes its thread pool once in a process; each thread count is measured in a process of its own.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.workloads import Convolution, xor_data

Step = Callable[[], object]


def set_threads(threads: int) -> None:
    """The thread pool of XLA is sized when the first program is compiled, from XLA_FLAGS, which ``__main__`` sets."""


def _weights(rng: np.random.Generator, *shapes: tuple[int, ...]) -> list[jax.Array]:
    return [jnp.asarray(rng.standard_normal(shape, np.float32) * 0.05) for shape in shapes]


def _dense_weights(*sizes: int) -> list[tuple[jax.Array, jax.Array]]:
    rng = np.random.default_rng(0)
    return [tuple(_weights(rng, (i, o), (o,))) for i, o in itertools.pairwise(sizes)]  # type: ignore[misc]


def _dense(layers: Any, x: jax.Array) -> jax.Array:
    for w, b in layers[:-1]:
        x = jax.nn.relu(x @ w + b)
    w, b = layers[-1]
    return x @ w + b


def _cnn_weights() -> Any:
    rng = np.random.default_rng(0)
    filters = _weights(rng, (3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,))
    return (filters, _dense_weights(64 * 49, 128, 10))


def _cnn(parameters: Any, x: jax.Array) -> jax.Array:
    (k, b, k2, b2), layers = parameters
    for kernel, bias in ((k, b), (k2, b2)):
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = lax.reduce_window(jax.nn.relu(x + bias), -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    return _dense(layers, x.reshape(x.shape[0], -1))


def _lstm_weights() -> Any:
    rng = np.random.default_rng(0)
    return _weights(rng, (64, 512), (128, 512), (512,), (128, 10), (10,))


def _lstm(parameters: Any, x: jax.Array) -> jax.Array:
    wx, wh, b, wo, bo = parameters
    start = jnp.zeros((x.shape[0], wh.shape[0]), x.dtype)

    def step(carry: Any, xt: jax.Array) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(xt @ wx + h @ wh + b, 4, 1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    (h, _), _ = lax.scan(step, (start, start), jnp.swapaxes(x, 0, 1))
    return h @ wo + bo


#: name → (weights, network); the image networks take channels last, which is the faster layout for XLA.
NETWORKS: dict[str, tuple[Callable[[], Any], Callable[[Any, jax.Array], jax.Array]]] = {
    "mlp": (lambda: _dense_weights(784, 128, 10), _dense),
    "mlp-big": (lambda: _dense_weights(784, 512, 512, 10), _dense),
    "cnn": (_cnn_weights, _cnn),
    "lstm": (_lstm_weights, _lstm),
}


def _input(name: str, x: np.ndarray) -> jax.Array:
    return jnp.asarray(np.moveaxis(x, 1, -1) if name == "cnn" else x)


def _adam_step(loss: Callable[..., jax.Array], parameters: Any, *data: jax.Array) -> Step:
    """A jitted step of Adam that takes over the memory of its state."""
    zeros = jax.tree.map(jnp.zeros_like, parameters)

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def update(p: Any, m: Any, v: Any, t: float, *data: jax.Array) -> Any:
        value, g = jax.value_and_grad(loss)(p, *data)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        a, b = 1 - 0.9**t, 1 - 0.999**t
        p = jax.tree.map(lambda p, m, v: p - 1e-3 * (m / a) / (jnp.sqrt(v / b) + 1e-8), p, m, v)
        return p, m, v, value

    state = [parameters, zeros, jax.tree.map(jnp.copy, zeros), 0.0]

    def step() -> float:
        state[3] += 1.0
        *state[:3], value = update(*state, *data)
        return float(value)

    return step


def train(name: str, x: np.ndarray, y: np.ndarray) -> Step | None:
    """A training step, or None for a network that is not written in JAX here."""
    if name not in NETWORKS:
        return None
    weights, network = NETWORKS[name]

    def loss(p: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(network(p, x)), y[:, None], 1))

    return _adam_step(loss, weights(), _input(name, x), jnp.asarray(y))


def xor_step() -> Step:
    def loss(p: Any, x: jax.Array, y: jax.Array) -> jax.Array:
        (w, b), (v, c) = p
        return jnp.mean((jnp.tanh(x @ w + b) @ v + c - y) ** 2)

    @functools.partial(jax.jit, donate_argnums=0)
    def update(p: Any, x: jax.Array, y: jax.Array) -> Any:
        value, g = jax.value_and_grad(loss)(p, x, y)
        return jax.tree.map(lambda p, g: p - 0.1 * g, p, g), value

    x, y = map(jnp.asarray, xor_data())
    state = [_dense_weights(2, 8, 1)]

    def step() -> float:
        state[0], value = update(state[0], x, y)
        return float(value)

    return step


def infer(name: str, x: np.ndarray) -> Step | None:
    if name not in ("mlp", "cnn"):
        return None
    weights, network = NETWORKS[name]
    parameters, f, data = weights(), jax.jit(network), _input(name, x)
    return lambda: f(parameters, data).block_until_ready()


def convolution(case: Convolution, x: np.ndarray, w: np.ndarray) -> Step:
    """Forward only, channels last."""

    @jax.jit
    def f(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x,
            w,
            (case.stride, case.stride),
            [(case.padding, case.padding)] * 2,
            rhs_dilation=(case.dilation, case.dilation),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=case.groups,
        )

    image, kernel = jnp.asarray(np.moveaxis(x, 1, -1)), jnp.asarray(w.transpose(2, 3, 1, 0))
    return lambda: f(image, kernel).block_until_ready()


def activation(name: str, x: np.ndarray) -> Step:
    f, data = jax.jit(getattr(jax.nn, name)), jnp.asarray(x)
    return lambda: f(data).block_until_ready()
