"""Noise in training: identity in inference, moments as promised, draws that follow from the seed."""

import math

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


def test_dropout():
    x = np.ones((200, 50))
    layer = mn.layers.Dropout(0.25)
    np.testing.assert_array_equal(layer(x), x)
    with mn.Runtime(seed=3):
        y, z = layer(x, training=True), layer(x, training=True)
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.02)
    assert not np.array_equal(y, z)
    with mn.Runtime(seed=3):
        np.testing.assert_array_equal(layer(x, training=True), y)
    np.testing.assert_array_equal(mn.layers.Dropout(0.0)(x, training=True), x)


def test_spatial_dropout_drops_whole_channels():
    x = np.random.default_rng(0).uniform(1, 2, (100, 20, 3, 2))
    layer = L.SpatialDropout(0.25)
    np.testing.assert_array_equal(layer(x), x)
    with mn.Runtime(seed=1):
        y = layer(x, training=True)
    ratio = y / x
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :, :1, :1], x.shape), rtol=1e-12)
    assert (ratio == 0).mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(ratio[ratio > 0], 1 / 0.75, rtol=1e-12)


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).standard_normal((1000, 200))
    layer = L.AlphaDropout(0.2)
    np.testing.assert_array_equal(layer(x), x)
    with mn.Runtime(seed=1):
        y = layer(x, training=True)
    assert y.mean() == pytest.approx(0.0, abs=0.02)
    assert y.std() == pytest.approx(1.0, abs=0.02)
    floor = -1.7580993408473766
    a = (0.8 * (1 + 0.2 * floor**2)) ** -0.5
    dropped = np.isclose(y, a * floor - a * 0.2 * floor)
    assert dropped.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(y[~dropped], (a * x - a * 0.2 * floor)[~dropped], rtol=1e-10, atol=1e-12)


def test_gaussian_layers():
    x = np.full((1000, 100), 2.0)
    for layer, mean, deviation in [
        (L.GaussianNoise(0.5), 2.0, 0.5),
        (L.GaussianDropout(0.2), 2.0, 2 * math.sqrt(0.2 / 0.8)),
    ]:
        np.testing.assert_array_equal(layer(x), x)
        with mn.Runtime(seed=1):
            y, z = layer(x, training=True), layer(x, training=True)
        assert y.mean() == pytest.approx(mean, abs=0.02)
        assert y.std() == pytest.approx(deviation, rel=0.02)
        assert not np.array_equal(y, z)


@pytest.mark.parametrize(
    "layer", [L.SpatialDropout(0.0), L.AlphaDropout(0), L.GaussianDropout(0.0), L.GaussianNoise(0.0)]
)
def test_no_noise_is_the_identity(layer):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    np.testing.assert_array_equal(layer(x, training=True), x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: L.SpatialDropout(1.0),
            mn.ArgumentError,
            "SpatialDropout: rate must be a number from 0 to below 1",
        ),
        (lambda: L.AlphaDropout("0.5"), mn.ArgumentError, "AlphaDropout: rate"),
        (lambda: L.GaussianDropout(-0.1), mn.ArgumentError, "GaussianDropout: rate"),
        (lambda: L.GaussianNoise(-1.0), mn.ArgumentError, "GaussianNoise: stddev must be a number ≥ 0"),
        (lambda: L.SpatialDropout(0.5)(np.zeros((2, 3))), mn.ShapeError, "at least three axes"),
    ],
)
def test_bad_settings_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
