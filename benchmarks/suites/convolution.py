"""Single convolutions, forward and with their gradients, against PyTorch; forward against JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

import mathnet as mn
from benchmarks import peers, workloads
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio
from benchmarks.workloads import Convolution

#: case → (bound of the forward pass, bound of forward and backward)
CASES = {
    "wide": (Convolution(8, 64, 56, 64), 2.6, 2.6),
    "middle": (Convolution(8, 128, 28, 128), 2.8, 2.8),
    "deep": (Convolution(8, 256, 14, 256), 2.5, 2.5),
    "deepest": (Convolution(8, 512, 7, 512), 2.3, 2.3),
    "small": (Convolution(32, 32, 14, 64), 2.0, 2.0),
    "stride": (Convolution(8, 64, 56, 128, stride=2), 1.6, 1.6),
    "pointwise": (Convolution(8, 256, 56, 64, kernel=1, padding=0), 1.15, 1.15),
    "first": (Convolution(8, 3, 224, 64, kernel=7, stride=2, padding=3), 1.3, 1.6),
    "depthwise": (Convolution(8, 128, 28, 128, groups=128), 1.7, 1.7),
    "five": (Convolution(8, 96, 27, 160, kernel=5, padding=2), 1.0, 1.0),
    "dilated": (Convolution(4, 48, 33, 80, padding=2, dilation=2), 1.0, 1.0),
    "grouped": (Convolution(8, 64, 28, 96, groups=4), 1.0, 1.0),
}


def case(name: str, threads: int) -> Iterator[Row]:
    convolution, forward_bound, both_bound = CASES[name]
    x, w, b = convolution.arrays()
    forward = mn.function(convolution.apply)
    both = workloads.forward_and_gradients(convolution.apply)
    dy = np.ones_like(forward(x, w, b))
    sides: dict[str, Callable[[], object]] = {"mathnet": lambda: forward(x, w, b)}
    sides_both: dict[str, Callable[[], object]] = {"mathnet": lambda: both(x, w, b, dy)}
    torch, jax = peers.load("pytorch", threads), peers.load("jax", threads)
    if torch:
        sides["PyTorch"], sides_both["PyTorch"] = torch.convolution(convolution, x, w, b)
    if jax:
        sides["JAX"] = jax.convolution(convolution, x, w)
    times = alternate(sides, 1.0)
    yield ratio(f"{convolution.name}, forward", threads, times, "PyTorch", forward_bound, convolution.flops)
    if jax:
        yield ratio(f"{convolution.name}, forward", threads, times, "JAX")
    times = alternate(sides_both, 1.5)
    flops = 3 * convolution.flops
    yield ratio(f"{convolution.name}, forward + backward", threads, times, "PyTorch", both_bound, flops)


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {name: partial(case, name) for name in CASES}
