"""Convolving and pooling layers of the standard plugin against loops in float64."""

import itertools

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


def rng():
    return np.random.default_rng(11)


def correlate(x, w, stride=1, pads=0, dilation=1, groups=1):
    """Cross-correlation over any number of axes by its definition; numbers or one for each axis."""
    axes = x.ndim - 2
    stride, dilation = (np.broadcast_to(v, axes) for v in (stride, dilation))
    pads = [(p, p) if np.ndim(p) == 0 else p for p in (pads if np.ndim(pads) else [pads] * axes)]
    x = np.pad(x, ((0, 0), (0, 0), *pads))
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    y = np.zeros((x.shape[0], w.shape[0], *out))
    for f, at in itertools.product(range(w.shape[0]), itertools.product(*map(range, out))):
        first = f // (w.shape[0] // groups) * w.shape[1]
        for tap in itertools.product(*map(range, w.shape[2:])):
            place = tuple(i * s + a * d for i, s, a, d in zip(at, stride, tap, dilation))
            y[(slice(None), f, *at)] += (
                x[(slice(None), slice(first, first + w.shape[1]), *place)] @ w[(f, slice(None), *tap)]
            )
    return y


def close(got, wanted):
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


def test_conv1d():
    x = rng().standard_normal((2, 4, 9))
    layer = L.Conv1D(
        6, 3, strides=2, padding="causal", groups=2, activation="tanh", bias_initializer="normal"
    )
    y = layer(x)
    assert layer.kernel.shape == (6, 2, 3)
    close(y, np.tanh(correlate(x, layer.kernel.array, 2, [(2, 0)], groups=2) + layer.bias.array[:, None]))
    layer = L.Conv1D(3, 2, padding=(1, 2), dilation_rate=3, use_bias=False)
    y = layer(x)
    close(y, correlate(x, layer.kernel.array, 1, [(1, 2)], 3))


def test_conv3d():
    x = rng().standard_normal((2, 2, 4, 5, 4))
    layer = L.Conv3D(3, (2, 3, 1), strides=(1, 2, 1), padding="same", bias_initializer="normal")
    y = layer(x)
    close(
        y,
        correlate(x, layer.kernel.array, (1, 2, 1), [(0, 1), (1, 1), (0, 0)])
        + layer.bias.array[:, None, None, None],
    )


def test_depthwise_and_separable():
    x = rng().standard_normal((2, 3, 6, 5))
    layer = L.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding=1, bias_initializer="normal")
    y = layer(x)
    close(y, correlate(x, layer.kernel.array, 2, 1, groups=3) + layer.bias.array[:, None, None])
    layer = L.SeparableConv2D(4, (2, 3), depth_multiplier=2, dilation_rate=2, bias_initializer="normal")
    y = layer(x)
    inner = correlate(x, layer.depthwise_kernel.array, dilation=2, groups=3)
    close(y, correlate(inner, layer.pointwise_kernel.array) + layer.bias.array[:, None, None])
    assert [name for name, _ in layer.named_variables()] == ["depthwise_kernel", "pointwise_kernel", "bias"]


@pytest.mark.parametrize("padding", ["valid", "same", 1, ((0, 1), (1, 0))])
def test_conv2d_transpose_is_the_transpose_of_conv2d(padding):
    x, y = rng().standard_normal((2, 4, 4, 5)), rng().standard_normal((2, 3, 8, 10))
    up = L.Conv2DTranspose(3, 3, strides=2, padding=padding, output_padding=0, use_bias=False)
    enlarged = up(x)
    y = y[:, :, : enlarged.shape[2], : enlarged.shape[3]]
    y = np.pad(y, ((0, 0), (0, 0), *[(0, a - b) for a, b in zip(enlarged.shape[2:], y.shape[2:])]))
    reduced = mn.conv2d(y, up.kernel.array, stride=2, padding=padding)
    assert reduced.shape == x.shape
    np.testing.assert_allclose(np.sum(enlarged * y), np.sum(reduced * x), rtol=1e-11)
    if padding == "same":
        assert enlarged.shape[2:] == (8, 10)


def test_conv2d_transpose_adds_bias_and_activation():
    x = rng().standard_normal((1, 2, 3, 3))
    layer = L.Conv2DTranspose(4, 2, groups=2, activation="tanh", bias_initializer="normal", output_padding=0)
    y = layer(x)
    plain = mn.conv_transpose2d(x, layer.kernel.array, groups=2)
    close(y, np.tanh(plain + layer.bias.array[:, None, None]))


def test_pooling_of_sequences_volumes_and_everything():
    x = rng().standard_normal((2, 3, 8))
    windows = x.reshape(2, 3, 4, 2)
    close(L.MaxPool1D(2)(x), windows.max(-1))
    close(L.AvgPool1D(2)(x), windows.mean(-1))
    assert L.MaxPool1D(3)(x).shape == (2, 3, 2)
    close(L.MaxPool1D(3, ceil_mode=True)(x)[:, :, -1], x[:, :, 6:].max(-1))
    boxes = rng().standard_normal((2, 3, 4, 6, 2))
    split = boxes.reshape(2, 3, 2, 2, 3, 2, 1, 2).transpose(0, 1, 2, 4, 6, 3, 5, 7).reshape(2, 3, 2, 3, 1, 8)
    close(L.MaxPool3D(2)(boxes), split.max(-1))
    close(L.AvgPool3D(2)(boxes), split.mean(-1))
    close(L.GlobalAvgPool()(boxes), boxes.mean((2, 3, 4)))
    close(L.GlobalMaxPool(keepdims=True)(boxes), boxes.max((2, 3, 4), keepdims=True))
    close(L.AdaptiveAvgPool2D((1, 3))(boxes[..., 0])[..., 0, 1], boxes[:, :, :, 2:4, 0].mean((2, 3)))
    close(L.AdaptiveMaxPool2D(2)(boxes[..., 0])[..., 1, 0], boxes[:, :, 2:, :3, 0].max((2, 3)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L.Conv1D(0, 3), mn.ArgumentError, "Conv1D: filters must be a positive integer, not 0"),
        (
            lambda: L.Conv1D(2, (3, 3)),
            mn.ArgumentError,
            "Conv1D: kernel_size must be a positive integer, not",
        ),
        (
            lambda: L.Conv3D(2, (3, 3)),
            mn.ArgumentError,
            "Conv3D: kernel_size must be a positive integer or a triple",
        ),
        (lambda: L.Conv1D(3, 3, groups=2), mn.ArgumentError, "filters=3 cannot be divided into groups=2"),
        (lambda: L.Conv2DTranspose(3, 3, groups=2), mn.ArgumentError, "filters=3 cannot be divided"),
        (
            lambda: L.Conv2DTranspose(3, 3, output_padding=-1),
            mn.ArgumentError,
            "output_padding must be an integer ≥ 0",
        ),
        (lambda: L.DepthwiseConv2D(3, depth_multiplier=0), mn.ArgumentError, "depth_multiplier"),
        (lambda: L.SeparableConv2D(0, 3), mn.ArgumentError, "SeparableConv2D: filters"),
        (lambda: L.MaxPool1D(0), mn.ArgumentError, "MaxPool1D: pool_size"),
        (lambda: L.AdaptiveAvgPool2D(0), mn.ArgumentError, "AdaptiveAvgPool2D: output_size"),
        (
            lambda: L.Conv1D(2, 3)(np.zeros((2, 3))),
            mn.ShapeError,
            r"layer 'conv1d' .*three axes, \(batch, channels, time\)",
        ),
        (lambda: L.Conv3D(2, 3)(np.zeros((2, 3, 4, 4))), mn.ShapeError, "five axes"),
        (
            lambda: L.Conv2DTranspose(2, 3, groups=2)(np.zeros((2, 3, 4, 4))),
            mn.ShapeError,
            "3 channels cannot be divided",
        ),
        (lambda: L.MaxPool3D()(np.zeros((2, 3, 4, 4))), mn.ShapeError, "five axes"),
        (lambda: L.GlobalAvgPool()(np.zeros((2, 3))), mn.ShapeError, "at least three axes"),
        (lambda: L.DepthwiseConv2D(3)(np.zeros((2, 3))), mn.ShapeError, "four axes"),
    ],
)
def test_bad_settings_and_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
