"""Whole training steps of the networks that mathnet is for, against PyTorch with fused Adam and JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.memory import training_peak_bytes
from benchmarks.report import Row, ratio

#: name → (what the table says, bound by thread count)
WORKS = {
    "mlp": ("784-128-10, batch 32", {1: 3.0, 2: 4.5}),
    "mlp-big": ("784-512-512-10, batch 128", {1: 1.3, 2: 1.3}),
    "cnn": ("CNN 28×28, 32 and 64 channels, batch 64", {1: 2.3, 2: 2.3}),
    "vgg": ("VGG-like 32×32 with batch norm, batch 32", {1: 2.2, 2: 2.2}),
    "rnn": ("RNN 64 → 128, T 100, batch 32", {1: 3.0, 2: 4.0}),
    "lstm": ("LSTM 64 → 128, T 100, batch 32", {1: 1.45, 2: 1.6}),
    "gru": ("GRU 64 → 128, T 100, batch 32", {1: 2.3, 2: 3.5}),
    "transformer": ("transformer block, T 64, width 128, batch 8", {1: 1.6, 2: 1.8}),
}
SLOW = ("vgg", "rnn", "lstm", "gru")


def train(name: str, threads: int) -> Iterator[Row]:
    """One step on one batch, the loss read."""
    title, bounds = WORKS[name]
    x, y = workloads.data(name)
    trainer = workloads.trainer(name, workloads.network(name))
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: trainer.step(x, y)}
    for module in ("pytorch", "jax"):
        library = peers.load(module, threads)
        step = library.train(name, x, y) if library else None
        if step:
            sides[peers.NAMES[module]] = step
    if name == "mlp":
        for module in ("scikit_learn", "thinc"):
            library = peers.load(module, threads)
            if library:
                sides[peers.NAMES[module]] = library.mlp(x, y)[0]
    times = alternate(sides, 3.0 if name in SLOW else 1.5)
    flops = trainer.plan(batch=len(x)).flops
    yield ratio(f"{title}: training step", threads, times, "PyTorch", bounds.get(threads, bounds[2]), flops)
    for peer in times.keys() - {"mathnet", "PyTorch"}:
        yield ratio(f"{title}: training step", threads, times, peer)


def memory(threads: int) -> Iterator[Row]:
    """Peak memory of the VGG-like step beyond library, weights and data, as a part of PyTorch's."""
    name = "VGG-like training step: peak memory, part of PyTorch's"
    try:
        ours, theirs = (training_peak_bytes(side, "vgg", threads) for side in ("mathnet", "pytorch"))
    except (ImportError, OSError):
        yield Row(name, None, "≤", 0.85, "", peer="PyTorch", threads=threads)
        return
    shown = [f"{size / 1e6:.1f} MB" for size in (ours, theirs)]
    yield Row(name, ours / theirs, "≤", 0.85, "", shown[0], "PyTorch", shown[1], threads)


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    **{name: partial(train, name) for name in WORKS},
    "memory": memory,
}
