"""EinsumDense against numpy.einsum, and what it refuses."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


@pytest.mark.parametrize(
    ("equation", "shape", "output_shape", "bias_axes", "kernel", "bias"),
    [
        ("ab,bc->ac", (3,), 4, "c", (3, 4), (4,)),
        ("abc,cd->abd", (5, 3), (None, 4), "d", (3, 4), (4,)),
        ("abc,cde->abde", (5, 3), (5, 4, 2), "e", (3, 4, 2), (2,)),
        ("abc,cde->abde", (5, 3), (5, 4, 2), "d", (3, 4, 2), (4, 1)),
        ("abc,bd->adc", (5, 3), (4, None), "d", (5, 4), (4, 1)),
        ("...c,cd->...d", (5, 3), 4, "d", (3, 4), (4,)),
        ("abc,bcd->ad", (5, 3), (4,), None, (5, 3, 4), None),
    ],
)
def test_values(equation, shape, output_shape, bias_axes, kernel, bias):
    x = np.random.default_rng(0).standard_normal((2, *shape))
    layer = L.EinsumDense(
        equation, output_shape, activation="tanh", bias_axes=bias_axes, bias_initializer="normal"
    )
    y = layer(x)
    assert layer.kernel.shape == kernel and (layer.bias is None or layer.bias.shape == bias)
    wanted = np.einsum(equation, x, layer.kernel.array) + (0.0 if bias is None else layer.bias.array)
    np.testing.assert_allclose(y, np.tanh(wanted), rtol=1e-10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L.EinsumDense("ab->a", 3), mn.ArgumentError, "as in 'abc,cd->abd'"),
        (lambda: L.EinsumDense("...b,bc->ac", 3), mn.ArgumentError, "as in 'abc,cd->abd'"),
        (lambda: L.EinsumDense("aab,bc->ac", 3), mn.ArgumentError, "names an axis of 'aab' twice"),
        (lambda: L.EinsumDense("ab,bc->ac", 0), mn.ArgumentError, "positive integers or None"),
        (lambda: L.EinsumDense("ab,bc->ac", 3, bias_axes="b"), mn.ArgumentError, "letters among 'ac'"),
        (
            lambda: L.EinsumDense("ab,bc->ac", 3, bias_axes=1),
            mn.ArgumentError,
            "letters among 'ac', .* not 1",
        ),
        (
            lambda: L.EinsumDense("ab,bc->ac", 3)(np.zeros((2, 3, 4))),
            mn.ShapeError,
            "3 axes, which does not fit to 'ab'",
        ),
        (
            lambda: L.EinsumDense("ab,bc->ac", (3, 4))(np.zeros((2, 3))),
            mn.ShapeError,
            "one size for each axis of 'c'",
        ),
        (
            lambda: L.EinsumDense("...b,bc->...c", (3, 4))(np.zeros((2, 3))),
            mn.ShapeError,
            "one size for each axis of 'c'",
        ),
        (
            lambda: L.EinsumDense("abc,cd->abd", (4, 4))(np.zeros((2, 3, 5))),
            mn.ShapeError,
            "'b' has size 3 in the input, but 4",
        ),
        (
            lambda: L.EinsumDense("ab,bc->ac", None)(np.zeros((2, 3))),
            mn.ShapeError,
            "axis 'c' of the kernel follows from nothing",
        ),
    ],
)
def test_bad_settings_and_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
