"""Layers of the standard plugin against float64 NumPy, and what they refuse."""

import itertools

import numpy as np
import pytest

import mathnet as mn


def rng():
    return np.random.default_rng(5)


def weights(layer):
    return {path: variable.array for path, variable in layer.named_variables()}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 3), (0, 3)])
def test_dense(dtype, shape):
    x = rng().standard_normal(shape).astype(dtype)
    layer = mn.layers.Dense(7, activation="tanh", bias_initializer="normal")
    y = layer(x)
    kernel, bias = weights(layer)["kernel"], weights(layer)["bias"]
    assert (y.dtype, kernel.shape, bias.shape, kernel.dtype) == (dtype, (3, 7), (7,), dtype)
    np.testing.assert_allclose(
        y, np.tanh(x.astype(float) @ kernel.astype(float) + bias), rtol=1e-5, atol=1e-6
    )


def test_dense_without_bias():
    layer = mn.layers.Dense(2, use_bias=False)
    assert layer(mn.Input((3,))).shape[1:] == (2,)
    assert list(weights(layer)) == ["kernel"]


def correlate(x, w, b, stride, pads, dilation, groups):
    """Convolution by its definition."""
    x = np.pad(x, ((0, 0), (0, 0), *pads))
    (n, _, height, width), (o, per_group, kh, kw) = x.shape, w.shape
    out_h = (height - (kh - 1) * dilation[0] - 1) // stride[0] + 1
    out_w = (width - (kw - 1) * dilation[1] - 1) // stride[1] + 1
    y = np.zeros((n, o, out_h, out_w))
    for j, p, q, u, v in itertools.product(range(o), range(out_h), range(out_w), range(kh), range(kw)):
        first = j // (o // groups) * per_group
        pixel = x[
            :, first : first + per_group, p * stride[0] + u * dilation[0], q * stride[1] + v * dilation[1]
        ]
        y[:, j, p, q] += pixel @ w[j, :, u, v]
    return y + b[:, None, None]


NONE = ((0, 0), (0, 0))


@pytest.mark.parametrize(
    ("settings", "pads"),
    [
        ({"kernel_size": 3}, NONE),
        ({"kernel_size": 3, "padding": "same"}, ((1, 1), (1, 1))),
        ({"kernel_size": (2, 4), "padding": "same"}, ((0, 1), (1, 2))),
        ({"kernel_size": 3, "padding": "same", "strides": 2}, ((1, 1), (0, 1))),
        ({"kernel_size": 3, "padding": 1, "strides": (2, 1)}, ((1, 1), (1, 1))),
        ({"kernel_size": 3, "padding": (0, 2)}, ((0, 0), (2, 2))),
        ({"kernel_size": 3, "padding": ((0, 1), (2, 1)), "dilation_rate": 2}, ((0, 1), (2, 1))),
        ({"kernel_size": 3, "padding": "same", "dilation_rate": (2, 1), "groups": 2}, ((2, 2), (1, 1))),
        ({"kernel_size": 1, "groups": 4}, NONE),
    ],
)
def test_conv2d(settings, pads):
    x = rng().standard_normal((2, 4, 7, 8))
    layer = mn.layers.Conv2D(4, bias_initializer="normal", **settings)
    y = layer(x)
    w, b = weights(layer)["kernel"], weights(layer)["bias"]
    expected = correlate(x, w, b, layer.strides, pads, layer.dilation_rate, layer.groups)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(layer(x.astype(np.float32)), expected, rtol=1e-3, atol=1e-4)
    assert layer(mn.Input((4, 7, 8), dtype="float64")).shape[1:] == expected.shape[1:]


def windows(x, size, stride, pads, fill):
    x = np.pad(x, ((0, 0), (0, 0), *pads), constant_values=fill)
    view = np.lib.stride_tricks.sliding_window_view(x, size, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1]]


@pytest.mark.parametrize(
    ("settings", "size", "stride", "pads"),
    [
        ({}, (2, 2), (2, 2), NONE),
        ({"pool_size": 3, "strides": 2}, (3, 3), (2, 2), NONE),
        ({"pool_size": (3, 2), "strides": 1, "padding": "same"}, (3, 2), (1, 1), ((1, 1), (0, 1))),
        ({"pool_size": 3, "strides": 2, "padding": 1}, (3, 3), (2, 2), ((1, 1), (1, 1))),
        ({"pool_size": 2, "padding": "same"}, (2, 2), (2, 2), ((0, 1), (0, 0))),
    ],
)
def test_pooling(settings, size, stride, pads):
    x = rng().standard_normal((2, 3, 7, 8))
    np.testing.assert_allclose(
        mn.layers.MaxPool2D(**settings)(x),
        windows(x, size, stride, pads, -np.inf).max(axis=(4, 5)),
        rtol=1e-12,
    )
    total = windows(x, size, stride, pads, 0.0).sum(axis=(4, 5))
    counted = windows(np.ones_like(x), size, stride, pads, 0.0).sum(axis=(4, 5))
    expected = total / (counted if settings.get("padding") == "same" else size[0] * size[1])
    np.testing.assert_allclose(mn.layers.AvgPool2D(**settings)(x), expected, rtol=1e-12, atol=1e-14)
    inside = mn.layers.AvgPool2D(**settings, count_include_pad=False)(x)
    np.testing.assert_allclose(inside, total / counted, rtol=1e-12, atol=1e-14)


def test_layers_that_rearrange():
    x = rng().standard_normal((3, 2, 4))
    np.testing.assert_array_equal(mn.layers.Flatten()(x), x.reshape(3, 8))
    np.testing.assert_array_equal(mn.layers.Reshape((4, -1))(x), x.reshape(3, 4, 2))
    np.testing.assert_array_equal(mn.layers.Reshape((2, 2, 2))(x), x.reshape(3, 2, 2, 2))
    np.testing.assert_array_equal(mn.layers.Identity()(x), x)
    np.testing.assert_allclose(mn.layers.Activation("relu")(x), np.maximum(x, 0))
    assert mn.layers.Flatten()(mn.Input((2, 4))).shape[1:] == (8,)


def test_layers_with_several_inputs():
    a, b, c = (rng().standard_normal((3, 4)) + k for k in range(3))
    np.testing.assert_allclose(mn.layers.Add()([a, b, c]), a + b + c)
    np.testing.assert_allclose(mn.layers.Multiply()([a, b, c]), a * b * c)
    np.testing.assert_array_equal(
        mn.layers.Concatenate()([a, b[:, :1]]), np.concatenate([a, b[:, :1]], axis=1)
    )
    with pytest.raises(mn.ShapeError, match=r"Add takes a list of at least two inputs: Add\(\)\(\[a, b\]\)"):
        mn.layers.Add()(a)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mn.layers.Dense(0), "Dense: units must be a positive integer, not 0"),
        (lambda: mn.layers.Dense(2.0), "Dense: units"),
        (lambda: mn.layers.Conv2D(3, 0), "Conv2D: kernel_size"),
        (lambda: mn.layers.Conv2D(3, (1, 2, 3)), "Conv2D: kernel_size"),
        (lambda: mn.layers.Conv2D(3, 2, groups=2), "filters=3 cannot be divided into groups=2"),
        (lambda: mn.layers.MaxPool2D(-1), "MaxPool2D: pool_size"),
        (lambda: mn.layers.Dropout(1.0), "Dropout: rate must be a number from 0 to below 1, not 1.0"),
        (lambda: mn.layers.Reshape((-1, -1)), "at most one -1"),
        (lambda: mn.layers.Concatenate(axis=0), "other than 0"),
        (lambda: mn.layers.Activation(None), "an activation must be given"),
        (lambda: mn.layers.Dense(3, name="a/b"), "name must be a non-empty string without '/'"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(mn.ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            lambda: mn.layers.Dense(3, name="out"),
            (5,),
            r"layer 'out' \(Dense\) on input of float64\(5,\): .*one tensor with at least two axes",
        ),
        (
            lambda: mn.layers.Conv2D(3, 2),
            (5, 4),
            r"layer 'conv2d' \(Conv2D\) on input of float64\(5, 4\): .*one tensor with four axes",
        ),
        (
            lambda: mn.layers.Conv2D(4, 2, groups=2),
            (1, 3, 5, 5),
            "3 channels cannot be divided into groups=2",
        ),
        (
            lambda: mn.layers.Conv2D(4, 2, padding="full"),
            (1, 3, 5, 5),
            "padding 'full' is unknown; use 'valid', 'same'",
        ),
        (lambda: mn.layers.MaxPool2D(), (5, 4), "four axes"),
        (lambda: mn.layers.Reshape((3, 3)), (2, 8), r"8 elements per example cannot be arranged as \(3, 3\)"),
        (lambda: mn.layers.Reshape((3, -1)), (2, 8), "8 elements per example cannot be arranged"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(layer, shape, message):
    with pytest.raises(mn.MathnetError, match=message) as caught:
        layer()(np.zeros(shape))
    assert __file__ in str(caught.value)


def test_a_dense_layer_refuses_another_width():
    layer = mn.layers.Dense(3, name="out")
    layer(np.zeros((2, 4)))
    with pytest.raises(
        mn.ShapeError,
        match=r"layer 'out' .*float64\(2, 5\).*kernel has shape \(4, 3\).* must have 4 elements, not 5",
    ):
        layer(np.zeros((2, 5)))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda i, f: mn.layers.Dropout(f(0.5)), (4,)),
        (lambda i, f: mn.layers.GaussianNoise(f(0.5)), (4,)),
        (lambda i, f: mn.layers.BatchNorm(axis=i(1), momentum=f(0.5), epsilon=f(0.5)), (4,)),
        (lambda i, f: mn.layers.LayerNorm(axis=i(-1), epsilon=f(0.5)), (4,)),
        (lambda i, f: mn.layers.Conv2D(i(4), i(3), strides=i(2), groups=i(2)), (4, 6, 6)),
        (lambda i, f: mn.layers.Reshape((i(2), i(2))), (4,)),
        (lambda i, f: mn.layers.Permute((i(2), i(1))), (4, 3)),
        (lambda i, f: mn.layers.PReLU(shared_axes=i(2)), (4, 3)),
        (lambda i, f: mn.layers.ActivityRegularization(l1=f(0.5)), (4,)),
        (lambda i, f: mn.layers.EinsumDense("ab,bc->ac", i(3)), (4,)),
    ],
)  # fmt: skip
def test_numbers_of_numpy_are_settings(make, shape, tmp_path):
    x = np.random.default_rng(3).standard_normal((2, *shape)).astype(np.float32)
    results = []
    for i, f in ((np.int64, np.float32), (int, float)):
        with mn.Runtime(autoload=False, seed=0):
            model = mn.Sequential([make(i, f)], input_shape=shape)
            model.save(tmp_path / "model.mathnet")
            results += [model(x), mn.load(tmp_path / "model.mathnet")(x)]
    for found in results[1:]:
        np.testing.assert_array_equal(found, results[0])
