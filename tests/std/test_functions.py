"""Activations, losses, metrics, regularizers, schedules and initializers against float64 NumPy and SciPy."""

import math

import numpy as np
import pytest
from scipy import special

import mathnet as mn

X = np.concatenate([np.linspace(-6.0, 6.0, 45), [-40.0, 40.0, 0.0]]).reshape(4, 12)

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "swish": lambda x: x * special.expit(x),
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "softplus": lambda x: np.logaddexp(x, 0),
    "softmax": lambda x: special.softmax(x, axis=-1),
    "log_softmax": lambda x: special.log_softmax(x, axis=-1),
    "relu6": lambda x: np.clip(x, 0, 6),
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "selu": lambda x: (
        1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    ),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "log_sigmoid": special.log_expit,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "exponential": np.exp,
    "softmin": lambda x: special.softmax(-x, axis=-1),
    "sparsemax": lambda x: np.maximum(x - sparsemax_edge(x), 0),
    "glu": lambda x: x[:, :6] * special.expit(x[:, 6:]),
    "swiglu": lambda x: x[:, :6] * x[:, 6:] * special.expit(x[:, 6:]),
    "geglu": lambda x: x[:, :6] * x[:, 6:] * special.ndtr(x[:, 6:]),
    "maxout": lambda x: np.maximum(x[:, ::2], x[:, 1::2]),
}


def sparsemax_edge(x):
    """τ with Σ max(x − τ, 0) = 1 for each row, by bisection."""
    low, high = x.max(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(60):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(-1, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return low


@pytest.mark.parametrize("key", mn.plugins.keys("activation"))
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_activations(key, dtype, tolerance):
    y = mn.activations.get(key)(X.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(y, ACTIVATIONS[key](X), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("key", mn.plugins.keys("activation"))
def test_derivatives_of_activations(key):
    f, x, h = mn.activations.get(key), X[:2] + 0.013, 1e-6
    weight = np.random.default_rng(0).standard_normal(ACTIVATIONS[key](x).shape)
    got = mn.grad(lambda x: mn.sum(f(x) * weight))(x)
    direction = np.random.default_rng(1).standard_normal(x.shape)
    plus, minus = (np.sum(ACTIVATIONS[key](x + s * h * direction) * weight) for s in (1, -1))
    np.testing.assert_allclose(np.sum(got * direction), (plus - minus) / (2 * h), rtol=1e-6)


def test_settings_of_activations():
    np.testing.assert_allclose(mn.activations.LeakyReLU(0.2)(X), np.where(X > 0, X, 0.2 * X))
    np.testing.assert_allclose(
        mn.activations.ELU(alpha=2.0)(X), np.where(X > 0, X, 2 * np.expm1(np.minimum(X, 0)))
    )
    tanh_form = 0.5 * X * (1 + np.tanh(math.sqrt(2 / math.pi) * (X + 0.044715 * X**3)))
    np.testing.assert_allclose(mn.activations.GELU("tanh")(X), tanh_form, atol=1e-14)
    np.testing.assert_allclose(mn.activations.Softmax(axis=0)(X), special.softmax(X, axis=0))
    with pytest.raises(mn.ArgumentError, match="approximate must be 'none' or 'tanh'"):
        mn.activations.GELU("exact")(X)


RNG = np.random.default_rng(2)
SCORES, TARGETS = RNG.standard_normal((5, 3, 2)), RNG.standard_normal((5, 3, 2))
LOGITS, LABELS = RNG.standard_normal((6, 4)), np.array([0, 3, 1, 2, 2, 0])
PROBABILITIES = special.softmax(RNG.standard_normal((6, 4)), axis=1)


@pytest.mark.parametrize(
    ("key", "y_pred", "y_true", "expected"),
    [
        ("mse", SCORES, TARGETS, ((SCORES - TARGETS) ** 2).mean(axis=(1, 2))),
        ("mse", SCORES[:, :1, 0], TARGETS[:, 0, 0], (SCORES[:, 0, 0] - TARGETS[:, 0, 0]) ** 2),
        ("mse", SCORES[:, 0, 0], TARGETS[:, 0, 0], (SCORES[:, 0, 0] - TARGETS[:, 0, 0]) ** 2),
        ("mae", SCORES, TARGETS, np.abs(SCORES - TARGETS).mean(axis=(1, 2))),
        ("cross_entropy", LOGITS, LABELS, -special.log_softmax(LOGITS, axis=1)[np.arange(6), LABELS]),
        ("cross_entropy", LOGITS, PROBABILITIES, -(PROBABILITIES * special.log_softmax(LOGITS, axis=1)).sum(axis=1)),
        ("binary_cross_entropy", LOGITS[:, :1], LABELS % 2,
         -np.log(np.where(LABELS % 2, special.expit(LOGITS[:, 0]), special.expit(-LOGITS[:, 0])))),
        ("binary_cross_entropy", 50.0 * LOGITS, (LOGITS > 0) * 1.0, np.logaddexp(0, -np.abs(50.0 * LOGITS)).mean(axis=1)),
    ],
)  # fmt: skip
def test_losses(key, y_pred, y_true, expected):
    got = mn.losses.get(key)(y_pred, y_true)
    assert got.shape == (len(y_pred),)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("key", ["mse", "mae", "binary_cross_entropy"])
@pytest.mark.parametrize(
    ("scores", "targets"), [((5, 3), (5,)), ((5,), (5, 1)), ((5, 1), (5, 5)), ((5, 3), (5, 2))]
)
def test_losses_never_broadcast(key, scores, targets):
    with pytest.raises(
        mn.ShapeError,
        match=rf"{key}: the targets have shape \({targets[0]}.* scores have shape \({scores[0]}",
    ):
        mn.losses.get(key)(np.zeros(scores), np.zeros(targets))


def test_cross_entropy_refuses_the_output_of_a_softmax():
    scores = mn.softmax(mn.Input((4,)))
    with pytest.raises(mn.ArgumentError, match="leave the softmax out of the model"):
        mn.losses.CrossEntropy()(scores, mn.Input((), dtype="int64"))


@pytest.mark.parametrize(
    ("y_pred", "y_true", "expected"),
    [
        (LOGITS, LABELS, LOGITS.argmax(axis=1) == LABELS),
        (LOGITS, PROBABILITIES, LOGITS.argmax(axis=1) == PROBABILITIES.argmax(axis=1)),
        (LOGITS[:, :1], LABELS % 2, (LOGITS[:, 0] > 0) == LABELS % 2),
        (LOGITS[:, 0], LABELS % 2, (LOGITS[:, 0] > 0) == LABELS % 2),
        (np.stack([LOGITS, -LOGITS], axis=1), LOGITS.argsort(axis=1) % 2,
         ((LOGITS < 0) == LOGITS.argsort(axis=1) % 2).mean(axis=1)),
    ],
)  # fmt: skip
def test_accuracy(y_pred, y_true, expected):
    np.testing.assert_allclose(mn.metrics.Accuracy()(y_pred, y_true), expected)


def test_accuracy_refuses_labels_of_another_shape():
    with pytest.raises(mn.ShapeError, match="accuracy"):
        mn.metrics.Accuracy()(LOGITS, np.zeros((6, 3)))


def test_error_metrics():
    np.testing.assert_allclose(mn.metrics.MSE()(SCORES, TARGETS), ((SCORES - TARGETS) ** 2).mean(axis=(1, 2)))
    np.testing.assert_allclose(mn.metrics.MAE()(SCORES, TARGETS), np.abs(SCORES - TARGETS).mean(axis=(1, 2)))


def test_regularizers():
    w = np.random.default_rng(3).standard_normal((4, 5))
    np.testing.assert_allclose(mn.regularizers.L1(0.3)(w), 0.3 * np.abs(w).sum())
    np.testing.assert_allclose(mn.regularizers.L2(0.3)(w), 0.3 * (w**2).sum())
    np.testing.assert_allclose(mn.grad(mn.regularizers.L2(0.3))(w), 0.6 * w)
    np.testing.assert_array_equal(
        mn.grad(mn.regularizers.L1(0.3))(np.array([-2.0, 0.0, 2.0])), [-0.3, 0.0, 0.3]
    )


@pytest.mark.parametrize(
    ("schedule", "oracle"),
    [
        (lambda: mn.schedules.Constant(0.3), lambda t: 0.3),
        (lambda: mn.schedules.Step(0.3, step_size=4, gamma=0.5), lambda t: 0.3 * 0.5 ** (t // 4)),
        (lambda: mn.schedules.Exponential(0.3, gamma=0.9), lambda t: 0.3 * 0.9**t),
        (
            lambda: mn.schedules.Cosine(0.3, steps=10, minimum=0.1),
            lambda t: 0.1 + 0.2 * (1 + math.cos(math.pi * min(t / 10, 1))) / 2,
        ),
    ],
)
def test_schedules(schedule, oracle):
    for step in range(15):
        assert float(schedule()(float(step))) == pytest.approx(oracle(step), rel=1e-13)
        assert float(schedule()(np.float64(step))) == pytest.approx(oracle(step), rel=1e-13)


LARGE = (400, 500)
CONV = (64, 48, 5, 5)


@pytest.mark.parametrize(
    ("key", "shape", "variance"),
    [
        ("glorot_uniform", LARGE, 2 / 900),
        ("glorot_normal", LARGE, 2 / 900),
        ("he_uniform", LARGE, 2 / 400),
        ("he_normal", CONV, 2 / (48 * 25)),
        ("lecun_uniform", CONV, 1 / (48 * 25)),
        ("lecun_normal", LARGE, 1 / 400),
        ("glorot_uniform", CONV, 2 / ((48 + 64) * 25)),
        ("normal", LARGE, 0.05**2),
        ("uniform", LARGE, 0.1**2 / 12),
    ],
)
def test_random_initializers(key, shape, variance):
    w = mn.initializers.get(key)(shape, np.random.default_rng(0))
    assert w.shape == shape
    assert w.var() == pytest.approx(variance, rel=0.03)
    assert abs(w.mean()) < 4 * math.sqrt(variance / w.size)
    if "uniform" in key:
        assert np.abs(w).max() <= math.sqrt(3 * variance) * (1 + 1e-12)
    np.testing.assert_array_equal(w, mn.initializers.get(key)(shape, np.random.default_rng(0)))


@pytest.mark.parametrize("key", sorted({*mn.plugins.keys("initializer")} - {"identity", "dirac"}))
@pytest.mark.parametrize("shape", [(), (3,), (3, 4), (2, 3, 4), (0, 3)])
def test_initializers_give_every_shape(key, shape):
    assert mn.initializers.get(key)(shape, np.random.default_rng(0)).shape == shape


def test_fixed_initializers():
    np.testing.assert_array_equal(mn.initializers.Zeros()((2, 3), None), np.zeros((2, 3)))
    np.testing.assert_array_equal(mn.initializers.Ones()((2, 3), None), np.ones((2, 3)))
    np.testing.assert_array_equal(mn.initializers.Constant(2.5)((2,), None), [2.5, 2.5])
    np.testing.assert_array_equal(mn.initializers.Constant([1.0, 2.0])((2,), None), [1.0, 2.0])
