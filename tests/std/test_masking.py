"""Masking: steps that hold nothing but the mask value do not influence what follows."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)


def padded(value):
    x = RNG.standard_normal((3, 5, 2)).astype(np.float32)
    x[0, 3:], x[2, 1:] = value, value
    return x


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_values_and_mask(value):
    x = padded(value)
    y, mask = mn.layers.Masking(value)(x)
    np.testing.assert_array_equal(mask, [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1], [1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(y, np.where(mask[..., None], x, 0))


def test_padding_does_not_reach_the_result():
    x = mn.Input((5, 2))
    y, mask = mn.layers.Masking()(x)
    model = mn.Model(x, mn.layers.LSTM(4)(y, mask=mask))
    data = padded(0.0)
    np.testing.assert_allclose(
        model(data)[2], model(np.pad(data[2:, :1], ((0, 0), (0, 4), (0, 0))))[0], rtol=1e-6
    )
    alone = mn.Model(x, mn.layers.LSTM(4)(x))
    assert not np.allclose(alone(data)[2], model(data)[2])


def test_the_model_is_saved_and_loaded(tmp_path):
    x = mn.Input((5, 2))
    y, mask = mn.layers.Masking(-1.0)(x)
    model = mn.Model(x, mn.layers.GRU(3)(y, mask=mask))
    model.save(tmp_path / "m.mathnet")
    data = padded(-1.0)
    np.testing.assert_array_equal(mn.load(tmp_path / "m.mathnet")(data), model(data))


def test_bad_input():
    with pytest.raises(mn.ArgumentError, match="mask_value"):
        mn.layers.Masking("zero")
    with pytest.raises(mn.ArgumentError, match="mask_value must be a finite number, not nan"):
        mn.layers.Masking(float("nan"))
    with pytest.raises(mn.ShapeError, match="steps"):
        mn.layers.Masking()(np.zeros((2, 3), np.float32))
