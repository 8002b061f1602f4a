"""What the core promises, measured: each group yields the rows of one table."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np

import mathnet as mn
from benchmarks import footprint, numpy_side, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, duration, ratio

TORCH, ORT, NUMPY = "PyTorch", "ONNX Runtime", "NumPy by hand"
#: Times faster than PyTorch with fused Adam that the 784-128-10 step must be, by thread count.
MLP_BOUND = {1: 2.8, 2: 4.2}
STEPS = 1000


def peer(name: str) -> ModuleType | None:
    """The module of a peer's workloads; None when the peer is not installed."""
    try:
        return importlib.import_module(f"benchmarks.{name}_side")
    except ModuleNotFoundError:
        return None


def torch_side(threads: int) -> ModuleType | None:
    module = peer("torch")
    if module is not None:
        module.set_threads(threads)
    return module


def xor(threads: int) -> Iterator[Row]:
    """One training step of the smallest network: what a call costs."""
    torch = torch_side(threads)
    trainer = workloads.xor_trainer()
    x, y = workloads.xor_data()
    sides: dict[str, Callable[[], object]] = {
        "mathnet": lambda: trainer.step(x, y),
        NUMPY: numpy_side.xor_step(),
    }
    if torch is not None:
        sides[TORCH] = torch.xor_step()
    times = alternate(sides)
    yield ratio("XOR net, trainer.step", threads, times["mathnet"], TORCH, times.get(TORCH), 200)
    yield ratio("XOR net, trainer.step", threads, times["mathnet"], NUMPY, times[NUMPY], 20)
    many = alternate(
        {
            "steps": lambda: trainer.steps(x, y, batch_size=4, count=STEPS),
            "step": lambda: [trainer.step(x, y) for _ in range(STEPS)],
        }
    )
    yield ratio(
        "XOR net, a step of trainer.steps",
        threads,
        many["steps"] / STEPS,
        "trainer.step",
        many["step"] / STEPS,
        1,
    )


def mlp(threads: int) -> Iterator[Row]:
    """One training step of 784-128-10, batch 32, Adam."""
    torch = torch_side(threads)
    model = workloads.mlp()
    start = {name: np.array(value) for name, value in model.parameters.items()}
    trainer = workloads.mlp_trainer(model)
    x, y = workloads.mlp_data()
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: trainer.step(x, y)}
    if torch is not None:
        sides[TORCH] = torch.mlp_step(torch.mlp(start))
    times = alternate(sides, 2.0)
    bound = MLP_BOUND.get(threads, MLP_BOUND[2])
    yield ratio(
        "784-128-10, batch 32, Adam",
        threads,
        times["mathnet"],
        f"{TORCH}, fused Adam",
        times.get(TORCH),
        bound,
    )


def inference(threads: int) -> Iterator[Row]:
    """model(x) of 784-128-10 for one example."""
    ort = peer("onnxruntime")
    model = workloads.mlp()
    x = workloads.mlp_data(1)[0]
    sides: dict[str, Callable[[], object]] = {
        "mathnet": lambda: model(x),
        NUMPY: numpy_side.mlp_inference(model.parameters, x),
    }
    if ort is not None:
        sides[ORT] = ort.mlp_inference(model.parameters, x, threads)
    times = alternate(sides)
    yield ratio("784-128-10, model(x), batch 1", threads, times["mathnet"], ORT, times.get(ORT), 2.5)
    yield ratio("784-128-10, model(x), batch 1", threads, times["mathnet"], NUMPY, times[NUMPY], 1.7)


def expression(threads: int) -> Iterator[Row]:
    """An activation written in Python, as one fused instruction."""
    torch = torch_side(threads)
    f, x = workloads.expression(), workloads.expression_data()
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: f(x)}
    if torch is not None:
        sides[TORCH] = torch.expression()
    times = alternate(sides)
    yield ratio("x·σ(βx), 64K floats", threads, times["mathnet"], f"{TORCH} eager", times.get(TORCH), 2)


def agreement(threads: int) -> Iterator[Row]:
    """20 steps from the same weights on the same batches, for ten draws of the weights: the largest differences.

    Where a gradient lies near Adam's ε the step amplifies the rounding of float32, so weights of two right programs can differ by more
    than their losses do; one lucky draw would hide that.
    """
    names = [f"20 steps of 784-128-10, Adam: {what}, worst of 10 draws" for what in ("losses", "weights")]
    torch = torch_side(threads)
    if torch is None:
        for name in names:
            yield Row(name, None, "≤", 1e-5, "", peer=TORCH, threads=threads)
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
        yield Row(name, difference, "≤", 1e-5, "", peer=TORCH, threads=threads)


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
    "mlp": mlp,
    "inference": inference,
    "expression": expression,
    "agreement": agreement,
    "digits": digits,
    "memory": memory,
    "import": import_time,
    "size": size,
}
