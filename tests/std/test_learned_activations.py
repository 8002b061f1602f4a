"""Activations that narrow an axis, learn slopes or draw noise, and sparsemax against its definition."""

import numpy as np
import pytest
from scipy import special

import mathnet as mn

X = np.random.default_rng(14).standard_normal((4, 6, 8))


def halves(axis):
    return np.split(X, 2, axis=axis)


@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("key", ["glu", "swiglu", "geglu"])
def test_gates(key, axis):
    a, b = halves(axis)
    gates = {"glu": special.expit(b), "swiglu": b * special.expit(b), "geglu": b * special.ndtr(b)}
    wanted = a * gates[key]
    np.testing.assert_allclose(mn.activations.get(key, axis=axis)(X), wanted, rtol=1e-12)


def test_maxout():
    np.testing.assert_array_equal(mn.activations.Maxout(4)(X), X.reshape(4, 6, 2, 4).max(-1))
    np.testing.assert_array_equal(mn.activations.Maxout(3, axis=1)(X), X.reshape(4, 2, 3, 8).max(2))
    x = mn.Input((5,))
    assert mn.layers.Dense(6, activation="glu")(x).shape[1:] == (3,)


def test_softplus_beta_and_threshold():
    got = mn.activations.Softplus(3.0, 2.0)(X)
    np.testing.assert_allclose(got, np.where(3 * X > 2, X, np.logaddexp(0, 3 * X) / 3), rtol=1e-12)
    np.testing.assert_allclose(mn.activations.Softplus(0.5)(X), np.logaddexp(0, 0.5 * X) / 0.5, rtol=1e-12)


def test_squareplus_keeps_its_digits_on_the_left():
    np.testing.assert_allclose(mn.activations.Squareplus(2.0)(np.array([-1e8])), [0.5e-8], rtol=1e-12)


@pytest.mark.parametrize("axis", [-1, 1])
def test_sparsemax_is_the_nearest_point_of_the_simplex(axis):
    y = mn.activations.get("sparsemax", axis=axis)(X)
    np.testing.assert_allclose(y.sum(axis), 1.0, rtol=1e-12)
    assert y.min() == 0.0 and (y == 0).mean() > 0.2
    # the conditions of Karush, Kuhn and Tucker: x − y is one number on the support, and no more than it elsewhere
    gap = np.moveaxis(X - y, axis, -1).reshape(-1, X.shape[axis])
    inside = np.moveaxis(y, axis, -1).reshape(gap.shape) > 0
    tau = np.where(inside, gap, -np.inf).max(1, keepdims=True)
    np.testing.assert_allclose(np.where(inside, gap, tau), np.broadcast_to(tau, gap.shape), atol=1e-12)
    assert (gap <= tau + 1e-12).all()


@pytest.mark.parametrize(("shared", "shape"), [(None, (6, 8)), (2, (6, 1)), ((1, 2), (1, 1)), (-1, (6, 1))])
def test_prelu(shared, shape):
    layer = mn.layers.PReLU(shared_axes=shared)
    np.testing.assert_allclose(layer(X), np.where(X > 0, X, 0.25 * X))
    assert layer.alpha.shape == shape
    layer.alpha.assign(slopes := np.random.default_rng(0).standard_normal(shape))
    np.testing.assert_allclose(layer(X), np.where(X > 0, X, slopes * X), rtol=1e-12)


def test_prelu_as_an_activation_is_trained_saved_and_loaded(tmp_path):
    x = mn.Input((3,))
    model = mn.Model(x, mn.layers.Dense(2, activation=mn.layers.PReLU(), name="d")(x))
    (name,) = (n for n in model.parameters if n.endswith("alpha"))
    before = model.parameters[name].copy()
    data = X[:, 0, :3].astype("f4")
    model.fit(data, data[:, :2], loss="mse", optimizer=mn.optimizers.SGD(0.1), epochs=3, batch_size=2)
    assert (model.parameters[name] != before).any()
    model.save(tmp_path / "m.mathnet")
    np.testing.assert_array_equal(mn.load(tmp_path / "m.mathnet")(data), model(data))


def test_gumbel_softmax_chooses_with_the_probabilities_of_softmax():
    scores = np.log(np.array([0.1, 0.2, 0.7]))
    inputs = mn.Input((3,), dtype="float64")
    model = mn.Model(inputs, mn.layers.GumbelSoftmax(0.5, hard=True)(inputs))
    drawn = model(np.tile(scores, (20_000, 1)), training=True)
    np.testing.assert_allclose(drawn.sum(1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(drawn.mean(0), [0.1, 0.2, 0.7], atol=0.015)
    np.testing.assert_allclose(model(scores[None]), [[0.0, 0.0, 1.0]], atol=1e-15)
    soft = mn.layers.GumbelSoftmax(0.5)
    np.testing.assert_allclose(soft(scores[None]), special.softmax(scores[None] / 0.5, -1), rtol=1e-12)
    hard = mn.layers.GumbelSoftmax(0.5, hard=True)
    slope, same = (mn.grad(lambda x, f=f: mn.sum(f(x) * X[0, 0, :3]))(scores[None]) for f in (soft, hard))
    np.testing.assert_allclose(slope, same, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mn.activations.GLU()(X[..., :7]), mn.ShapeError, "their number must be even"),
        (lambda: mn.activations.Maxout(3)(X), mn.ShapeError, "multiple of pieces"),
        (lambda: mn.activations.Softplus(0.0)(X), mn.ArgumentError, "beta must be a number above 0"),
        (lambda: mn.activations.Squareplus(-1.0)(X), mn.ArgumentError, "b must be a number from 0"),
        (lambda: mn.layers.PReLU(shared_axes=3)(X), mn.ArgumentError, "shared_axes must be axes"),
        (lambda: mn.layers.PReLU(shared_axes=1.5)(X), mn.ArgumentError, "shared_axes must be axes"),
        (lambda: mn.layers.GumbelSoftmax("hot"), mn.ArgumentError, "temperature must be a number above 0"),
        (lambda: mn.layers.GumbelSoftmax(0.0), mn.ArgumentError, "temperature must be a number above 0"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
