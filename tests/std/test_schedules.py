"""Schedules against values computed by hand, or by their formulas in NumPy; what they refuse."""

import math

import numpy as np
import pytest

import mathnet as mn

S = mn.schedules
STEPS = np.arange(0.0, 130.0)


def multi_step(t):
    return 0.1 * 0.5 ** (int(t >= 10) + int(t >= 30))


def cosine_restarts(t, growth):
    start, length = 0.0, 10.0
    while t >= start + length:
        start, length = start + length, length * growth
    return 0.01 + 0.09 * 0.5 * (1 + math.cos(math.pi * (t - start) / length))


def one_cycle(t):
    first, last = 0.1 / 25, 0.1 / 25 / 1e4
    if t < 29:
        return first + (0.1 - first) * (1 - math.cos(math.pi * t / 29)) / 2
    return last + (0.1 - last) * (1 + math.cos(math.pi * min((t - 29) / 70, 1))) / 2


def warmed(t):
    return 0.1 * (0.5 + 0.5 * t / 20) if t < 20 else 0.1 * 0.9 ** (t - 20)


def in_turn(t):
    return 0.2 if t < 5 else 0.1 * 0.9 ** (t - 5) if t < 50 else 0.01


CASES = [
    (S.MultiStep(0.1, milestones=(10, 30), gamma=0.5), multi_step),
    (S.InverseTime(0.1, decay=2.0, steps=10), lambda t: 0.1 / (1 + 2 * t / 10)),
    (S.Polynomial(0.1, steps=50, minimum=0.01, power=1.5), lambda t: 0.01 + 0.09 * (1 - min(t / 50, 1)) ** 1.5),
    (S.CosineRestarts(0.1, steps=10, minimum=0.01), lambda t: cosine_restarts(t, 1.0)),
    (S.CosineRestarts(0.1, steps=10, growth=1.5, minimum=0.01), lambda t: cosine_restarts(t, 1.5)),
    (S.CosineRestarts(0.1, steps=10, growth=3.0, minimum=0.01), lambda t: cosine_restarts(t, 3.0)),
    (S.OneCycle(0.1, steps=100), one_cycle),
    (S.Piecewise(boundaries=(10, 20), values=(1.0, 0.5, 0.1)), lambda t: 1.0 if t < 10 else 0.5 if t < 20 else 0.1),
    (S.Warmup(S.Exponential(0.1, gamma=0.9), steps=20, start=0.5), warmed),
    (S.Warmup(0.3, steps=10), lambda t: 0.3 * min(t / 10, 1)),
    (S.Sequence([0.2, S.Exponential(0.1, gamma=0.9), 0.01], milestones=[5, 50]), in_turn),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "expected"), CASES, ids=[s.key for s, _ in CASES])
def test_rates(schedule, expected):
    wanted = [expected(t) for t in STEPS]
    np.testing.assert_allclose([float(schedule(t)) for t in STEPS], wanted, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("schedule", [case[0] for case in CASES], ids=[s.key for s, _ in CASES])
def test_a_trainer_follows_them(schedule):
    inputs = mn.Input((1,), dtype="float64")
    model = mn.Model(inputs, mn.layers.Dense(1, use_bias=False, name="out")(inputs))
    trainer = mn.Trainer(model, lambda y_pred, y_true: y_pred, mn.optimizers.SGD(schedule))
    kernel = model.parameters["out/kernel"]
    for t in range(12):
        before = float(np.asarray(kernel).item())
        trainer.step(np.ones((1, 1)), np.zeros((1, 1)))
        kernel = model.parameters["out/kernel"]
        assert before - kernel.item() == pytest.approx(float(schedule(float(t))), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (S.MultiStep(0.1, milestones=(30, 10)), "multi_step: milestones must ascend"),
        (S.Piecewise(boundaries=(10,), values=(1.0,)), "piecewise: 1 boundaries want 2 values, not 1"),
        (S.Sequence([0.1], milestones=[5]), "sequence: 1 milestones want 2 schedules, not 1"),
        (S.CosineRestarts(0.1, growth=0.5), "cosine_restarts: growth must be a number from 1"),
    ],
)
def test_bad_settings_are_refused(schedule, message):
    with pytest.raises(mn.ArgumentError, match=message):
        schedule(1.0)
