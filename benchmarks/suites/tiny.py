"""What the core promises, measured: each group yields the rows of one table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

import mathnet as mn
from benchmarks import footprint, peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, duration, ratio
from benchmarks.suites import elementwise, inference, training

STEPS = 1000


def xor(threads: int) -> Iterator[Row]:
    """One training step of the smallest network: what a call costs."""
    trainer = workloads.xor_trainer()
    x, y = workloads.xor_data()
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: trainer.step(x, y)}
    for module in ("pytorch", "numpy_by_hand", "jax"):
        library = peers.load(module, threads)
        if library:
            sides[peers.NAMES[module]] = library.xor_step()
    times = alternate(sides)
    for peer, bound in (("PyTorch", 300), ("NumPy by hand", 25), ("JAX", None)):
        yield ratio("XOR net, trainer.step", threads, times, peer, bound)
    sides = {
        "mathnet": lambda: trainer.steps(x, y, batch_size=4, count=STEPS),
        "trainer.step": lambda: [trainer.step(x, y) for _ in range(STEPS)],
    }
    each = {name: seconds / STEPS for name, seconds in alternate(sides).items()}
    yield ratio("XOR net, a step of trainer.steps", threads, each, "trainer.step", 1)


def agreement(threads: int) -> Iterator[Row]:
    """20 steps from the same weights on the same batches, for ten draws of the weights: the largest differences.

    Where a gradient lies near Adam's ε the step amplifies the rounding of float32, so weights of two right programs can differ by more
    than their losses do; one lucky draw would hide that.
    """
    names = [f"20 steps of 784-128-10, Adam: {what}, worst of 10 draws" for what in ("losses", "weights")]
    torch = peers.load("pytorch", threads)
    if torch is None:
        for name in names:
            yield Row(name, None, "≤", 1e-5, "", peer="PyTorch", threads=threads)
        return
    x, y = workloads.mlp_data()
    losses = weights = 0.0
    for seed in range(10):
        mn.seed(seed)
        model = workloads.mlp()
        reference = torch.mlp(model.parameters)
        trainer, step = workloads.mlp_trainer(model), torch.mlp_step(reference)
        losses = max(losses, *[abs(trainer.step(x, y) - step()) for _ in range(20)])
        for key, value in torch.mlp_parameters(reference).items():
            weights = max(weights, float(np.abs(model.parameters[key] - value).max()))
    for name, difference in zip(names, (losses, weights)):
        yield Row(name, difference, "≤", 1e-5, "", peer="PyTorch", threads=threads)


def digits(threads: int) -> Iterator[Row]:
    """``mathnet demo`` with seed 0."""
    from mathnet import demo

    with tempfile.TemporaryDirectory() as folder:
        result = demo.run(Path(folder), seed=0, progress=False)
    yield Row("mathnet demo, seed 0: held-out accuracy", result.accuracy, "≥", 0.98, "", threads=threads)
    yield Row("mathnet demo, seed 0: training time", result.seconds, "≤", 20, "s", threads=threads)


def memory(threads: int) -> Iterator[Row]:
    """A step allocates nothing."""
    trainer = workloads.xor_trainer()
    x, y = workloads.xor_data()
    traced, resident = footprint.kept_by_steps(lambda: trainer.step(x, y))
    yield Row("10⁵ steps: traced allocations kept", traced / 1024, "≤", 1, "KB", threads=threads)
    yield Row("10⁵ steps: resident memory added", resident / 1024, "≤", 256, "KB", threads=threads)


def import_time(threads: int) -> Iterator[Row]:
    numpy, bare, full = footprint.import_seconds()
    name, beyond = "import mathnet, beyond import numpy", (bare - numpy) * 1e3
    shown = f"mn.Trainer: {duration(full - numpy)}"
    yield Row(name, beyond, "≤", 60, "ms", shown, "NumPy", duration(numpy), threads)
    late = footprint.loaded_by_import()
    yield Row("modules that import loads too early", len(late), "≤", 0, "", ", ".join(late), threads=threads)


def size(threads: int) -> Iterator[Row]:
    yield Row("installed size", footprint.installed_bytes() / 1e6, "≤", 8, "MB", threads=threads)


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    "xor": xor,
    "mlp": training.GROUPS["mlp"],
    "inference": inference.mlp,
    "expression": elementwise.expression,
    "agreement": agreement,
    "digits": digits,
    "memory": memory,
    "import": import_time,
    "size": size,
}
