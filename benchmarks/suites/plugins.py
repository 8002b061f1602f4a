"""Plugins: an activation written as an expression in training, look-ups, opening a Runtime, listing what is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import numpy as np

import mathnet as mn
from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio
from mathnet.plugin.host import current_runtime

LOOK_UPS, OPENED, LISTED = 200_000, 50, 10


@mn.activation("measured_swish")
def swish(x, beta=1.0):  # type: ignore[no-untyped-def]
    """x·σ(βx), as a plugin writes it."""
    return x * mn.sigmoid(beta * x)


def expression(threads: int) -> Iterator[Row]:
    """The expression with its gradient, and a training step of a network that uses it, against eager PyTorch."""
    torch = peers.load("pytorch", threads)
    with mn.registered(swish):
        activation = mn.activations.get("measured_swish", beta=workloads.BETA)
        both, x = workloads.forward_and_gradients(activation), workloads.expression_data()
        dy = np.ones_like(x)
        sides: dict[str, Callable[[], object]] = {"mathnet": lambda: both(x, dy)}
        if torch:
            sides["PyTorch"] = torch.expression_and_gradient()
        yield ratio(
            "x·σ(βx) by a plugin, 64K floats, forward + gradient", threads, alternate(sides), "PyTorch", 2.0
        )
        trainer, (images, labels) = workloads.swish_trainer(activation), workloads.mlp_data(128)
        sides = {"mathnet": lambda: trainer.step(images, labels)}
        if torch:
            sides["PyTorch"] = torch.swish_step(images, labels)
        times = alternate(sides, 1.5)
        yield ratio("784-512-512-10 with it, batch 128, trainer.step", threads, times, "PyTorch")


def look_up(threads: int) -> Iterator[Row]:
    with mn.registered(swish):
        registry, get = current_runtime().registry, mn.activations.get
        for name, call in (
            ("look-ups of a key", lambda: registry.find("activation", "measured_swish")),
            ("mn.activations.get(key)", lambda: get("measured_swish")),
        ):
            call()
            taken = []
            for _ in range(5):
                start = time.perf_counter()
                for _ in range(LOOK_UPS // 5):
                    call()
                taken.append(time.perf_counter() - start)
            rate = LOOK_UPS / 5 / median(taken)
            yield Row(name, rate, "≥", 200_000, "/s", threads=threads)


def opening(threads: int) -> Iterator[Row]:
    """A Runtime with its own plugin, ready for look-ups."""
    taken = []
    for _ in range(OPENED):
        start = time.perf_counter()
        with mn.Runtime([swish], autoload=False):
            mn.activations.get("measured_swish")
        taken.append(time.perf_counter() - start)
    yield Row("opening a Runtime with a plugin", median(taken) * 1e3, "≤", 5, "ms", threads=threads)


SOURCE = """
import mathnet as mn

@mn.activation("listed_{k}")
def f(x):
    return x

@mn.hookimpl
def mathnet_activations():
    return [f]
"""


def listing(threads: int) -> Iterator[Row]:
    """Ten installed plugins, one of which cannot be imported: keys and errors, from importing mathnet on."""
    program = (
        "import numpy, time, warnings; warnings.simplefilter('ignore'); start = time.perf_counter(); import mathnet as mn; "
        "n = sum(len(p.keys.get('activation', ())) + bool(p.error) for p in mn.plugins.list() if p.distribution.startswith('listed')); "
        f"assert n == {LISTED}, n; print(time.perf_counter() - start)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for k in range(LISTED):
            source = "raise OSError('broken')" if k == 3 else SOURCE.format(k=k)
            Path(folder, f"listed_{k}.py").write_text(source)
            metadata = Path(folder, f"listed_{k}-1.0.dist-info")
            metadata.mkdir()
            (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: listed-{k}\nVersion: 1.0\n")
            (metadata / "entry_points.txt").write_text(f"[mathnet]\nlisted_{k} = listed_{k}\n")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *filter(None, sys.path)])}
        taken = [
            float(
                subprocess.run(
                    [sys.executable, "-c", program],
                    capture_output=True,
                    text=True,
                    check=True,
                    env=environment,
                ).stdout
            )
            for _ in range(6)
        ]
    yield Row(
        f"import mathnet and list {LISTED} plugins", median(taken[1:]) * 1e3, "≤", 300, "ms", threads=threads
    )


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    "expression": expression,
    "look-ups": look_up,
    "opening": opening,
    "listing": listing,
}
