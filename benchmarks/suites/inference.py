"""One example through a model: latency, against ONNX Runtime, NumPy, PyTorch and JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio

Step = Callable[[], object]
LIVE = "mathnet, not frozen"


def mlp(threads: int) -> Iterator[Row]:
    """784-128-10, its weights open to changes."""
    model = workloads.mlp()
    x = workloads.data("mlp", 1)[0]
    sides: dict[str, Step] = {"mathnet": lambda: model(x)}
    numpy, ort = peers.load("numpy_by_hand", threads), peers.load("onnxruntime", threads)
    if numpy:
        sides["NumPy by hand"] = numpy.mlp_inference(model.parameters, x)
    if ort:
        sides["ONNX Runtime"] = ort.mlp_inference(model.parameters, x)
    for name in ("scikit_learn", "thinc"):
        library = peers.load(name, threads)
        if library:
            sides[peers.NAMES[name]] = library.mlp(*workloads.data("mlp"))[1]
    yield from rows(
        "784-128-10, one example", threads, sides, "mlp", x, {"NumPy by hand": 2.0, "ONNX Runtime": 2.5}
    )


def cnn(threads: int) -> Iterator[Row]:
    """The CNN of the training suite, frozen."""
    model, x = workloads.network("cnn"), workloads.data("cnn", 1)[0]
    frozen = model.freeze()
    sides: dict[str, Step] = {"mathnet": lambda: frozen(x), LIVE: lambda: model(x)}
    ort = peers.load("onnxruntime", threads)
    if ort:
        sides["ONNX Runtime"] = ort.cnn_inference(x)
    yield from rows("CNN 28×28, one example", threads, sides, "cnn", x, {"ONNX Runtime": 1.6})


def lstm(threads: int) -> Iterator[Row]:
    """LSTM 16 → 32 over 50 steps, frozen."""
    model, x = workloads.lstm_inference(), workloads.lstm_inference_data()
    frozen = model.freeze()
    sides: dict[str, Step] = {"mathnet": lambda: frozen(x), LIVE: lambda: model(x)}
    ort = peers.load("onnxruntime", threads)
    if ort:
        sides["ONNX Runtime"] = ort.lstm_inference(x)
    yield from rows("LSTM 16 → 32, T 50, one example", threads, sides, "lstm", x, {"ONNX Runtime": 1.7})


def rows(
    title: str, threads: int, sides: dict[str, Step], name: str, x: np.ndarray, bounds: dict[str, float]
) -> Iterator[Row]:
    torch, jax = peers.load("pytorch", threads), peers.load("jax", threads)
    if torch:
        sides["PyTorch"] = torch.infer(name, x)
    step = jax.infer(name, x) if jax else None
    if step:
        sides["JAX"] = step
    times = alternate(sides)
    for peer in dict.fromkeys([*bounds, *sides]):
        if peer != "mathnet":
            yield ratio(title, threads, times, peer, bounds.get(peer))


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {"mlp": mlp, "cnn": cnn, "lstm": lstm}
