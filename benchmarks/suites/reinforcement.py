"""Reinforcement learning: steps of the cart-pole, each with a choice and an update of networks 4-32-1, in examples/cart_pole.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import mathnet as mn
from benchmarks import peers
from benchmarks.measure import alternate
from benchmarks.report import Row, ratio
from examples.cart_pole import agent, play

STEPS = 10_000_000  # over which the rate falls to zero: more than are measured
CHUNK = 50  # steps of a call


def pieces(choose: Callable, learn: Callable) -> Callable[[], None]:
    """A game in pieces of CHUNK steps: simulation, choice, update."""
    game = play(choose, learn)

    def run() -> None:
        for _ in range(CHUNK):
            next(game)

    return run


def steps(threads: int) -> Iterator[Row]:
    """The same loop in Python around the two libraries' choices and updates."""
    choose, learn = agent(STEPS)
    sides = {"mathnet": pieces(choose, learn)}
    torch = peers.load("pytorch", threads)
    if torch:
        sides["PyTorch"] = pieces(*torch.cart_pole(learn.__self__.model.parameters, STEPS)[:2])
    times = {name: seconds / CHUNK for name, seconds in alternate(sides, 2.0).items()}
    yield ratio("cart-pole, a step with choice and update", threads, times, "PyTorch", 20)


def agreement(threads: int) -> Iterator[Row]:
    """That the two learn alike: the weights after the same 200 steps from the same weights."""
    name = "cart-pole, 200 updates: largest difference of weights"
    torch = peers.load("pytorch", threads)
    if torch is None:
        yield Row(name, None, "≤", 1e-5, "", peer="PyTorch", threads=threads)
        return
    mn.seed(0)
    choose, learn = agent(STEPS)
    parameters = learn.__self__.model.parameters
    _, follow, weights = torch.cart_pole(parameters, STEPS)

    def both(step: np.ndarray) -> None:
        learn(step)
        follow(step)

    game = play(choose, both)
    for _ in range(200):
        next(game)
    pairs = zip(parameters.values(), weights, strict=True)
    difference = max(float(np.abs(ours - theirs.detach().numpy().T).max()) for ours, theirs in pairs)
    yield Row(name, difference, "≤", 1e-5, "", peer="PyTorch", threads=threads)


GROUPS: dict[str, Callable[[int], Iterator[Row]]] = {"steps": steps, "agreement": agreement}
