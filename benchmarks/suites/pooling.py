"""Pooling over (32, 64, 56, 56), forward and backward, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import mathnet as mn
from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio

#: name → (function, bound by thread count)
CASES = {
    "max 2": (lambda x: mn.max_pool2d(x, 2), {1: 8.0, 2: 6.0}),
    "max 3, stride 2": (lambda x: mn.max_pool2d(x, 3, 2, 1), {1: 7.0, 2: 6.0}),
    "average 2": (lambda x: mn.avg_pool2d(x, 2), {1: 6.0, 2: 4.5}),
}
SHAPE = (32, 64, 56, 56)


def case(name: str, threads: int) -> Iterator[Row]:
    function, bounds = CASES[name]
    x = np.random.default_rng(0).standard_normal(SHAPE, np.float32)
    both = workloads.forward_and_gradients(function)
    dy = np.ones_like(function(x))
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: both(x, dy)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = torch.pooling(name, x)
    times = alternate(sides, 1.5)
    yield ratio(
        f"pooling {name}, forward + backward", threads, times, "PyTorch", bounds.get(threads, bounds[2])
    )


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {
    name.replace(",", "").replace(" ", "-"): partial(case, name) for name in CASES
}
