"""Reinforcement learning: two networks learn to balance a pole on a cart, with an update after each step of the simulation.

The cart of Barto, Sutton & Anderson (IEEE Trans. SMC 13, 1983) runs on a track, hinged to it is a pole. State: position x [m] and speed
v [m/s] of the cart, angle a [rad] from the upright and angular speed w [rad/s] of the pole. Every 0.02 s it is pushed with F = ±10 N.
With the masses M = 1 kg and m = 0.1 kg, half the pole's length l = 0.5 m, g = 9.8 m/s² and no friction:
  t = (F + m·l·w²·sin a)/(M + m),  dw/dt = (g·sin a − t·cos a)/(l·(4/3 − m·cos² a/(M + m))),  dv/dt = t − m·l·dw/dt·cos a/(M + m).
usage: python examples/cart_pole.py [--small] [--out DIR]
"""

import argparse
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn


def play(choose: Callable, learn: Callable) -> Iterator[int]:
    """After each step the length of the episode that it ended, else 0; choose: a state → how likely it is pushed to the right."""
    chance, length = random.Random(0), 0
    state, step = np.zeros((1, 4), np.float32), np.zeros((1, 10), np.float32)
    while True:
        if length == 0:
            x, v, a, w = (chance.uniform(-0.05, 0.05) for _ in range(4))
        state[0] = before = x / 2.4, v / 3, a / 0.2095, w / 3  # numbers near 1
        right = chance.random() < choose(state)
        sine, cosine = math.sin(a), math.cos(a)
        t = ((10 if right else -10) + 0.05 * w * w * sine) / 1.1
        dw = (9.8 * sine - t * cosine) / (0.5 * (4 / 3 - 0.1 * cosine * cosine / 1.1))
        x, v, a, w = x + 0.02 * v, v + 0.02 * (t - 0.05 * dw * cosine / 1.1), a + 0.02 * w, w + 0.02 * dw
        failed, length = abs(x) > 2.4 or abs(a) > 0.2095, length + 1  # beyond the track, or 12 degrees
        step[0] = *before, x / 2.4, v / 3, a / 0.2095, w / 3, 1 if right else -1, -failed
        learn(step)  # both states, the push, the reward
        yield (ended := length if failed or length == 500 else 0)
        length -= ended


def agent(steps: int) -> tuple[Callable, Callable]:
    """choose and learn: an actor, and a critic V(s) that guesses the return, minus the discounted chance of a failure."""
    state = mn.Input((4,))
    score, value = (mn.layers.Dense(1)(mn.layers.Dense(32, activation="relu")(state)) for _ in range(2))
    actor, critic = mn.Model(state, mn.sigmoid(score)), mn.Model(state, value)

    def loss(both: mn.Model, step: mn.Tensor) -> mn.Tensor:
        """Its gradient is −δ·∇(V(s) + log p(push)), δ = r + γ·V(s') − V(s): what went better than expected becomes more likely."""
        (score, now), after = both(step[:, :4]), critic(step[:, 4:8])
        push, reward = step[:, 8:9], step[:, 9:]
        surprise = mn.stop_gradient(reward + 0.99 * (1 + reward) * after - now)
        return -mn.sum(surprise * (now + mn.log_sigmoid(push * score)))

    adam = mn.optimizers.Adam(mn.schedules.Polynomial(3e-4, steps))
    trainer = mn.Trainer(mn.Model(state, [score, value]), None, adam).define(loss)
    return lambda state: actor(state).item(), trainer.step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer steps")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings, figure = parser.parse_args(), Figure(figsize=(8, 4), layout="constrained")
    mn.seed(0)
    steps = 60_000 if settings.small else 100_000
    learned = np.fromiter(play(*agent(steps)), int, steps)
    rule = np.fromiter(play(lambda s: s[0, 3] > 0, lambda step: None), int, steps)
    axes, ended = figure.subplots(), np.flatnonzero(learned)
    axes.plot(ended, learned[ended], ".-")
    axes.set(xlabel="steps, each with an update", ylabel="steps until the pole fell, 500 at most")
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "cart_pole.png")
    balanced, simple = (found[found > 0][-20:].mean() for found in (learned, rule))
    print(f"balanced {balanced:.0f} > {simple:.0f} steps of the rule to push where the pole turns")


if __name__ == "__main__":
    main()
