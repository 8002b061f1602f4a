"""mathnet's side of the workloads, and the arrays that all sides share.  float32 throughout.

*xor*: 2-8-1 with tanh, mean squared error, SGD 0.1, batch 4.  The other networks are trained with cross-entropy and Adam 1e-3
(vgg: SGD 0.01 with momentum 0.9); their layers stand in ``network``, their batches in ``data``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

import mathnet as mn

BETA = 1.5  # of the expression x·σ(βx)
EXPRESSION_SIZE = 64 * 1024


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolution with bias: x (n, c, size, size), w (o, c/groups, kernel, kernel)."""

    n: int
    c: int
    size: int
    o: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    dilation: int = 1
    groups: int = 1

    @property
    def name(self) -> str:
        parts = [f"{self.kernel}×{self.kernel}"]
        parts += [f"stride {self.stride}"] * (self.stride > 1) + [f"dilation {self.dilation}"] * (
            self.dilation > 1
        )
        if self.groups > 1:
            parts.append("depthwise" if self.groups == self.c else f"groups {self.groups}")
        return f"conv {', '.join(parts)}: ({self.n}, {self.c}, {self.size}²) → {self.o}"

    @property
    def out(self) -> int:
        return (self.size + 2 * self.padding - self.dilation * (self.kernel - 1) - 1) // self.stride + 1

    @property
    def flops(self) -> float:
        """Of the forward pass by direct arithmetic; each gradient takes as many."""
        return 2.0 * self.n * self.o * self.out**2 * (self.c // self.groups) * self.kernel**2

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rng = _rng()
        shapes = (
            (self.n, self.c, self.size, self.size),
            (self.o, self.c // self.groups, self.kernel, self.kernel),
            (self.o,),
        )
        x, w, b = (rng.standard_normal(shape, np.float32) for shape in shapes)
        return x, w, b

    def apply(self, x: Any, w: Any, b: Any) -> Any:
        return mn.conv2d(
            x, w, b, stride=self.stride, padding=self.padding, dilation=self.dilation, groups=self.groups
        )


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def xor_data() -> tuple[np.ndarray, np.ndarray]:
    """x (4, 2), y (4, 1)."""
    rng = _rng()
    return rng.standard_normal((4, 2), np.float32), rng.standard_normal((4, 1), np.float32)


def data(name: str, batch: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and labels of one batch; ``batch`` overrides the workload's own size."""
    rng = _rng()
    size, *shape = INPUTS[name]
    size = batch or size
    if name == "transformer":
        return rng.integers(0, 64, (size, *shape)), rng.integers(0, 64, (size, *shape))
    return rng.standard_normal((size, *shape), np.float32), rng.integers(0, 10, size)


#: (batch, …one example) of each training workload.
INPUTS = {
    "mlp": (32, 784),
    "mlp-big": (128, 784),
    "cnn": (64, 1, 28, 28),
    "vgg": (32, 3, 32, 32),
    "rnn": (32, 100, 64),
    "lstm": (32, 100, 64),
    "gru": (32, 100, 64),
    "transformer": (8, 64),
}


def mlp_data(batch: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """x (batch, 784), class indices (batch,)."""
    return data("mlp", batch)


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


def network(name: str) -> Any:
    """The model of a training workload."""
    layers = mn.layers
    if name == "mlp":
        return mlp()
    if name == "mlp-big":
        hidden = [layers.Dense(512, activation="relu") for _ in range(2)]
        return mn.Sequential([*hidden, layers.Dense(10)], input_shape=(784,))
    if name == "cnn":
        return mn.Sequential(_cnn_layers(), input_shape=(1, 28, 28))
    if name == "vgg":
        return mn.Sequential(_vgg_layers(), input_shape=(3, 32, 32))
    if name == "transformer":
        tokens = mn.Input((64,), dtype="int64")
        h = layers.Embedding(64, 128)(tokens)
        h = layers.TransformerEncoderBlock(512, 4, activation="gelu", normalize_first=True)(h)
        return mn.Model(tokens, layers.Dense(64)(h))
    kind = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}[name]
    return mn.Sequential([kind(128), layers.Dense(10)], input_shape=(100, 64))


def _cnn_layers() -> list[Any]:
    layers = mn.layers
    blocks = [
        block
        for filters in (32, 64)
        for block in (
            layers.Conv2D(filters, 3, padding="same", activation="relu"),
            layers.MaxPool2D(2),
        )
    ]
    return [*blocks, layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10)]


def _vgg_layers() -> list[Any]:
    layers = mn.layers
    found: list[Any] = []
    for filters in (64, 128, 256):
        for _ in range(2):
            found += [
                layers.Conv2D(filters, 3, padding=1, use_bias=False),
                layers.BatchNorm(),
                layers.Activation("relu"),
            ]
        found.append(layers.MaxPool2D(2))
    return [*found, layers.GlobalAvgPool(), layers.Dense(10)]


def trainer(name: str, model: Any) -> Any:
    optimizer = mn.optimizers.SGD(0.01, momentum=0.9) if name == "vgg" else mn.optimizers.Adam(1e-3)
    return mn.Trainer(model, loss="cross_entropy", optimizer=optimizer, seed=0)


def lstm_inference() -> Any:
    """LSTM 16 → 32 over 50 steps, the last state through a dense layer of 4."""
    return mn.Sequential([mn.layers.LSTM(32), mn.layers.Dense(4)], input_shape=(50, 16))


def lstm_inference_data() -> np.ndarray:
    return _rng().standard_normal((1, 50, 16), np.float32)


def expression() -> Any:
    return mn.function(lambda x: x * mn.sigmoid(BETA * x))


def swish_trainer(activation: Any) -> Any:
    layers = [mn.layers.Dense(512, activation=activation) for _ in range(2)]
    model = mn.Sequential([*layers, mn.layers.Dense(10)], input_shape=(784,))
    return mn.Trainer(model, loss="cross_entropy", optimizer=mn.optimizers.SGD(0.01), seed=0)


def forward_and_gradients(f: Any) -> Any:
    """A compiled function (*arrays, cotangent) → (f(*arrays), gradient of each array): what a framework's backward pass does."""

    def both(*arguments: Any) -> tuple[Any, ...]:
        *arrays, cotangent = arguments
        value, pullback = mn.vjp(f, *arrays)
        gradients = pullback(cotangent)
        return (value, *gradients) if isinstance(gradients, tuple) else (value, gradients)

    return mn.function(both)
