"""Losses of numbers, classes, directions and pairs against PyTorch in float64, or NumPy where it has none."""

import numpy as np
import pytest
import torch
from scipy import special
from torch.nn import functional as F

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


def t(a):
    return torch.tensor(a, dtype=torch.float64)


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
    ("huber", {}, X, Y, lambda: F.huber_loss(t(X), t(Y), reduction="none")),
    ("huber", {"delta": 0.3}, X, Y, lambda: F.huber_loss(t(X), t(Y), reduction="none", delta=0.3)),
    ("log_cosh", {}, X, Y, lambda: np.log(np.cosh(X - Y))),
    ("quantile", {"q": 0.8}, X, Y, lambda: np.maximum(0.8 * (Y - X), -0.2 * (Y - X))),
    ("quantile", {}, X, Y, lambda: np.abs(X - Y) / 2),
    ("poisson", {}, X, COUNTS, lambda: F.poisson_nll_loss(t(X), t(COUNTS), reduction="none")),
    ("poisson", {"log_input": False}, RATES, COUNTS,
     lambda: F.poisson_nll_loss(t(RATES), t(COUNTS), log_input=False, reduction="none")),
    ("gaussian_nll", {}, X, Y[..., :1],
     lambda: F.gaussian_nll_loss(t(X[..., :1]), t(Y[..., :1]), t(np.exp(X[..., 1:])), reduction="none")),
    ("gaussian_nll", {"full": True}, X[:, 0], Y[:, 0, 0],
     lambda: F.gaussian_nll_loss(t(X[:, 0, 0]), t(Y[:, 0, 0]), t(np.exp(X[:, 0, 1])), full=True, reduction="none")),
    ("binary_cross_entropy", {"pos_weight": 3.0}, X, LABELS,
     lambda: F.binary_cross_entropy_with_logits(t(X), t(LABELS), pos_weight=t(3.0), reduction="none")),
    ("binary_cross_entropy", {"pos_weight": WEIGHTS}, 40.0 * X, LABELS,
     lambda: F.binary_cross_entropy_with_logits(t(40.0 * X), t(LABELS), pos_weight=t(WEIGHTS), reduction="none")),
    ("focal", {}, X, LABELS, lambda: sigmoid_focal(X, LABELS, 2.0, None)),
    ("focal", {"gamma": 0.5, "alpha": 0.25}, X, LABELS, lambda: sigmoid_focal(X, LABELS, 0.5, 0.25)),
    ("focal", {"gamma": 0.0}, Z, CLASSES, lambda: F.cross_entropy(t(Z).mT, torch.tensor(CLASSES), reduction="none")),
    ("focal", {"gamma": 1.5, "alpha": 0.25}, Z, CLASSES, lambda: softmax_focal(1.5, 0.25)),
    ("kl_divergence", {}, Z, P, lambda: F.kl_div(F.log_softmax(t(Z), -1), t(P), reduction="none").sum(-1)),
    ("hinge", {}, X, SIGNS, lambda: np.maximum(1 - X * SIGNS, 0)),
    ("squared_hinge", {}, X, SIGNS, lambda: np.maximum(1 - X * SIGNS, 0) ** 2),
    ("cosine", {}, Z[:, 0], P[:, 1], lambda: F.cosine_embedding_loss(t(Z[:, 0]), t(P[:, 1]), t(np.ones(6)), reduction="none")),
    ("cosine", {}, Z, P, lambda: 1 - F.cosine_similarity(t(Z), t(P), dim=-1)),
    ("dice", {"smooth": 0.5}, X, LABELS, masks),
    ("triplet", {"margin": 0.7}, TRIPLES, np.zeros(6),
     lambda: F.triplet_margin_loss(*(t(TRIPLES[:, k]) for k in range(3)), margin=0.7, reduction="none")),
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
