"""Dropout: identity in inference, scaled zeros in training, draws that follow from the seed."""

import numpy as np
import pytest

import mathnet as mn


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
