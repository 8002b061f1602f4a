"""Losses of numbers, classes, directions and pairs against their definitions in float64 NumPy and SciPy."""

import numpy as np
import pytest
from scipy import special

import mathnet as mn

RNG = np.random.default_rng(11)
X, Y = 2.0 * RNG.standard_normal((6, 3, 2)), RNG.standard_normal((6, 3, 2))
COUNTS, RATES = RNG.poisson(2.0, (6, 3, 2)).astype(float), RNG.uniform(0.1, 4.0, (6, 3, 2))
LABELS = RNG.integers(0, 2, (6, 3, 2)).astype(float)
Z, CLASSES = 4.0 * RNG.standard_normal((6, 5, 4)), RNG.integers(0, 4, (6, 5))
P = RNG.dirichlet(np.ones(4), (6, 5))
P[0, 0] = [1.0, 0.0, 0.0, 0.0]
SIGNS = 2.0 * LABELS - 1.0
TRIPLES, PAIRS = RNG.standard_normal((6, 3, 4)), 0.4 * RNG.standard_normal((6, 2, 4))
WEIGHTS = np.array([[0.5, 2.0], [1.0, 0.0], [3.0, 0.25]])


def huber(delta):
    e = np.abs(X - Y)
    return np.where(e < delta, 0.5 * e * e, delta * (e - 0.5 * delta))


def gaussian(mean, log_variance, y, full):
    variance = np.maximum(np.exp(log_variance), 1e-6)
    return 0.5 * (np.log(variance) + (mean - y) ** 2 / variance) + (0.5 * np.log(2 * np.pi) if full else 0.0)


def logistic(z, y, weight):
    return weight * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)


def cosine(a, b):
    norms = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return 1 - (a * b).sum(-1) / norms


def triplet(margin):
    near, far = (np.linalg.norm(TRIPLES[:, 0] - TRIPLES[:, k] + 1e-6, axis=-1) for k in (1, 2))
    return np.maximum(near - far + margin, 0)


def mean(values):
    values = np.asarray(values)
    return values.reshape(len(values), -1).mean(axis=1)


def sigmoid_focal(z, y, gamma, alpha):
    p = special.expit(z)
    right = p * y + (1 - p) * (1 - y)
    factor = 1.0 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return factor * (1 - right) ** gamma * (np.logaddexp(0, z) - y * z)


def softmax_focal(gamma, alpha):
    p = np.take_along_axis(special.softmax(Z, axis=-1), CLASSES[..., None], -1)[..., 0]
    return -alpha * (1 - p) ** gamma * np.log(p)


def distances(parts):
    return np.linalg.norm(parts[:, 0] - parts[:, 1] + 1e-6, axis=-1)


def masks():
    p, axes = special.expit(X), (1, 2)
    return 1 - (2 * (p * LABELS).sum(axes) + 0.5) / (p.sum(axes) + LABELS.sum(axes) + 0.5)


CASES = [
    ("huber", {}, X, Y, lambda: huber(1.0)),
    ("huber", {"delta": 0.3}, X, Y, lambda: huber(0.3)),
    ("log_cosh", {}, X, Y, lambda: np.log(np.cosh(X - Y))),
    ("quantile", {"q": 0.8}, X, Y, lambda: np.maximum(0.8 * (Y - X), -0.2 * (Y - X))),
    ("quantile", {}, X, Y, lambda: np.abs(X - Y) / 2),
    ("poisson", {}, X, COUNTS, lambda: np.exp(X) - COUNTS * X),
    ("poisson", {"log_input": False}, RATES, COUNTS,
     lambda: RATES - COUNTS * np.log(RATES + 1e-8)),
    ("gaussian_nll", {}, X, Y[..., :1],
     lambda: gaussian(X[..., :1], X[..., 1:], Y[..., :1], False)),
    ("gaussian_nll", {"full": True}, X[:, 0], Y[:, 0, 0],
     lambda: gaussian(X[:, 0, 0], X[:, 0, 1], Y[:, 0, 0], True)),
    ("binary_cross_entropy", {"pos_weight": 3.0}, X, LABELS,
     lambda: logistic(X, LABELS, 3.0)),
    ("binary_cross_entropy", {"pos_weight": WEIGHTS}, 40.0 * X, LABELS,
     lambda: logistic(40.0 * X, LABELS, WEIGHTS)),
    ("focal", {}, X, LABELS, lambda: sigmoid_focal(X, LABELS, 2.0, None)),
    ("focal", {"gamma": 0.5, "alpha": 0.25}, X, LABELS, lambda: sigmoid_focal(X, LABELS, 0.5, 0.25)),
    ("focal", {"gamma": 0.0}, Z, CLASSES, lambda: softmax_focal(0.0, 1.0)),
    ("focal", {"gamma": 1.5, "alpha": 0.25}, Z, CLASSES, lambda: softmax_focal(1.5, 0.25)),
    ("kl_divergence", {}, Z, P, lambda: (special.xlogy(P, P) - P * special.log_softmax(Z, axis=-1)).sum(-1)),
    ("hinge", {}, X, SIGNS, lambda: np.maximum(1 - X * SIGNS, 0)),
    ("squared_hinge", {}, X, SIGNS, lambda: np.maximum(1 - X * SIGNS, 0) ** 2),
    ("cosine", {}, Z[:, 0], P[:, 1], lambda: cosine(Z[:, 0], P[:, 1])),
    ("cosine", {}, Z, P, lambda: cosine(Z, P)),
    ("dice", {"smooth": 0.5}, X, LABELS, masks),
    ("triplet", {"margin": 0.7}, TRIPLES, np.zeros(6),
     lambda: triplet(0.7)),
    ("contrastive", {}, PAIRS, LABELS[:, 0, 0],
     lambda: np.where(LABELS[:, 0, 0] > 0, distances(PAIRS) ** 2, np.maximum(1 - distances(PAIRS), 0) ** 2)),
]  # fmt: skip


@pytest.mark.parametrize(("key", "settings", "scores", "targets", "oracle"), CASES)
def test_losses(key, settings, scores, targets, oracle):
    loss = mn.losses.get(key, **settings)
    got = loss(scores, targets)
    assert got.shape == (6,)
    np.testing.assert_allclose(got, mean(oracle()), rtol=1e-9, atol=1e-12)
    single = loss(scores.astype("f4"), targets if targets.dtype.kind == "i" else targets.astype("f4"))
    np.testing.assert_allclose(single, got, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    "key", ["huber", "log_cosh", "quantile", "poisson", "hinge", "squared_hinge", "focal", "dice"]
)
def test_targets_never_broadcast(key):
    with pytest.raises(mn.ShapeError, match=key):
        mn.losses.get(key)(np.zeros((5, 3)), np.zeros((5, 1)))


def test_extremes_are_finite_with_their_derivatives():
    z = np.array([[-200.0, 200.0, 0.0], [200.0, -200.0, 0.0]])
    for key, targets in (
        ("focal", np.array([0, 0])),
        ("focal", (z > 0) * 1.0),
        ("log_cosh", np.zeros_like(z)),
        ("cosine", np.zeros_like(z)),
        ("dice", (z < 0) * 1.0),
    ):
        value, slope = mn.value_and_grad(lambda z, k=key, y=targets: mn.sum(mn.losses.get(k)(z, y)))(z)
        assert np.isfinite(value) and np.isfinite(slope).all(), key
    same = np.ones((1, 2, 3))
    assert np.isfinite(mn.grad(lambda x: mn.sum(mn.losses.get("contrastive")(x, np.ones(1))))(same)).all()


@pytest.mark.parametrize(
    ("key", "settings", "scores", "targets", "error", "message"),
    [
        ("huber", {"delta": 0.0}, (4, 1), (4, 1), mn.ArgumentError, "delta must be a number above 0"),
        ("quantile", {"q": 1.0}, (4, 1), (4, 1), mn.ArgumentError, "q must be a number between 0 and 1"),
        ("focal", {"gamma": -1.0}, (4, 1), (4, 1), mn.ArgumentError, "gamma must be a number from 0"),
        ("binary_cross_entropy", {"pos_weight": [1.0, 2.0]}, (4, 3), (4, 3), mn.ArgumentError, "pos_weight must be"),
        ("gaussian_nll", {}, (4, 1), (4, 1), mn.ShapeError, "a mean and a logarithm of the variance"),
        ("kl_divergence", {}, (4,), (4,), mn.ShapeError, r"scores \(N, …, C\)"),
        ("triplet", {}, (4, 2, 3), (4,), mn.ShapeError, r"scores \(N, 3, …, D\)"),
        ("contrastive", {}, (4, 2, 3), (4, 2), mn.ShapeError, "one label per pair"),
    ],
)  # fmt: skip
def test_bad_input(key, settings, scores, targets, error, message):
    with pytest.raises(error, match=message):
        mn.losses.get(key, **settings)(np.zeros(scores), np.zeros(targets))


def test_a_training_refuses_settings_out_of_range():
    """Float settings are slots of a step; their first values are looked at before."""
    x = mn.Input((2,))
    model = mn.Model(x, mn.layers.Dense(1)(x))
    with pytest.raises(mn.ArgumentError, match="delta must be a number above 0"):
        mn.Trainer(model, loss=mn.losses.Huber(-1.0), optimizer="sgd").step(np.ones((4, 2)), np.ones(4))
    trainer = mn.Trainer(model, loss=mn.losses.Huber(1.0), optimizer="sgd")
    trainer.step(np.ones((4, 2)), np.ones(4))
    assert trainer.hyper["loss.delta"] == 1.0
