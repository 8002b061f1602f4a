"""conv1d, conv3d and the transposed convolutions against their definitions, written as loops, and finite differences."""

import itertools

import numpy as np
import pytest

import mathnet as mn


def rng():
    return np.random.default_rng(3)


def correlate(x, w, stride, pads, dilation, groups):
    """Cross-correlation over any number of axes by its definition."""
    x = np.pad(x, ((0, 0), (0, 0), *pads))
    n, o, window = x.shape[0], w.shape[0], w.shape[2:]
    out = [(s - d * (k - 1) - 1) // t + 1 for s, k, t, d in zip(x.shape[2:], window, stride, dilation)]
    y = np.zeros((n, o, *out))
    for f, at in itertools.product(range(o), itertools.product(*map(range, out))):
        first = f // (o // groups) * w.shape[1]
        for tap in itertools.product(*map(range, window)):
            place = tuple(i * t + a * d for i, t, a, d in zip(at, stride, tap, dilation))
            y[(slice(None), f, *at)] += (
                x[(slice(None), slice(first, first + w.shape[1]), *place)] @ w[(f, slice(None), *tap)]
            )
    return y


def spread_out(x, w, stride, pads, dilation, groups, extra):
    """The transpose of cross-correlation by its definition: every element of x times the kernel, added up."""
    axes, (n, c), per_group = x.ndim - 2, x.shape[:2], w.shape[1]
    full = [(s - 1) * t + d * (k - 1) + 1 for s, k, t, d in zip(x.shape[2:], w.shape[2:], stride, dilation)]
    y = np.zeros((n, per_group * groups, *[f + e for f, e in zip(full, extra)]))
    for i, at in itertools.product(range(c), itertools.product(*map(range, x.shape[2:]))):
        first = i // (c // groups) * per_group
        for tap in itertools.product(*map(range, w.shape[2:])):
            place = tuple(p * t + a * d for p, t, a, d in zip(at, stride, tap, dilation))
            y[(slice(None), slice(first, first + per_group), *place)] += np.outer(
                x[(slice(None), i, *at)], w[(i, slice(None), *tap)]
            )
    cut = [slice(p[0], f + e - p[1]) for p, f, e in zip(pads, full, extra)]
    assert len(cut) == axes
    return y[(slice(None), slice(None), *cut)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("settings", "pads"),
    [
        ({}, (0, 0)),
        ({"padding": 2, "stride": 2}, (2, 2)),
        ({"padding": (0, 3)}, (0, 3)),
        ({"padding": ((3, 1),), "dilation": 2}, (3, 1)),
        ({"padding": "same", "stride": 3}, (0, 1)),
        ({"padding": "same", "dilation": 2}, (2, 2)),
        ({"padding": "causal", "dilation": 3}, (6, 0)),
        ({"padding": "causal", "stride": 2, "groups": 2}, (2, 0)),
        ({"padding": "valid", "groups": 4}, (0, 0)),
    ],
)
def test_conv1d(settings, pads, dtype):
    x, groups = rng().standard_normal((2, 4, 11)), settings.get("groups", 1)
    w, b = rng().standard_normal((4, 4 // groups, 3)), rng().standard_normal(4)
    stride, dilation = (settings.get("stride", 1),), (settings.get("dilation", 1),)
    wanted = correlate(x, w, stride, (pads,), dilation, groups) + b[:, None]
    y = mn.conv1d(x.astype(dtype), w.astype(dtype), b.astype(dtype), **settings)
    assert y.dtype == dtype
    close = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(y, wanted, rtol=close, atol=5 * close)


@pytest.mark.parametrize(
    ("settings", "pads"),
    [
        ({}, ((0, 0),) * 3),
        ({"padding": 1, "stride": 2}, ((1, 1),) * 3),
        ({"padding": (0, 2, 1), "stride": (2, 1, 1)}, ((0, 0), (2, 2), (1, 1))),
        ({"padding": ((2, 0), (0, 1), (1, 0)), "dilation": (2, 1, 1)}, ((2, 0), (0, 1), (1, 0))),
        ({"padding": "same", "groups": 2}, ((0, 1), (1, 1), (0, 1))),
    ],
)
def test_conv3d(settings, pads):
    x, groups = rng().standard_normal((2, 4, 5, 4, 5)), settings.get("groups", 1)
    w, b = rng().standard_normal((6, 4 // groups, 2, 3, 2)), rng().standard_normal(6)
    stride, dilation = (np.broadcast_to(settings.get(k, 1), 3) for k in ("stride", "dilation"))
    wanted = correlate(x, w, stride, pads, dilation, groups) + b[:, None, None, None]
    np.testing.assert_allclose(mn.conv3d(x, w, b, **settings), wanted, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "pads", "extra"),
    [
        ({}, (0, 0), 0),
        ({"stride": 2, "padding": 1, "output_padding": 1}, (1, 1), 1),
        ({"stride": 3, "padding": (2, 1), "output_padding": 2}, (2, 1), 2),
        ({"stride": 1, "dilation": 3, "output_padding": 2}, (0, 0), 2),
        ({"stride": 2, "dilation": 2, "groups": 2, "padding": 1}, (1, 1), 0),
        ({"stride": 2, "padding": "same"}, (0, 1), 0),
        ({"stride": 5, "padding": "same"}, (0, 0), 2),
    ],
)
def test_transposed_convolutions(settings, pads, extra):
    groups = settings.get("groups", 1)
    x, w, b = (
        rng().standard_normal((2, 4, 5)),
        rng().standard_normal((4, 3, 3)),
        rng().standard_normal(3 * groups),
    )
    stride, dilation = settings.get("stride", 1), settings.get("dilation", 1)
    wanted = spread_out(x, w, (stride,), (pads,), (dilation,), groups, (extra,)) + b[:, None]
    np.testing.assert_allclose(mn.conv_transpose1d(x, w, b, **settings), wanted, rtol=1e-11, atol=1e-12)
    if settings.get("padding") == "same":
        assert wanted.shape[2] == 5 * stride

    x, w = rng().standard_normal((2, 4, 3, 4)), rng().standard_normal((4, 3, 3, 3))
    if isinstance(settings.get("padding"), tuple):
        settings = {**settings, "padding": (settings["padding"],) * 2}
    wanted = (
        spread_out(x, w, (stride,) * 2, (pads,) * 2, (dilation,) * 2, groups, (extra,) * 2) + b[:, None, None]
    )
    np.testing.assert_allclose(mn.conv_transpose2d(x, w, b, **settings), wanted, rtol=1e-11, atol=1e-12)


def test_a_transposed_convolution_is_the_transpose():
    x, y = rng().standard_normal((1, 2, 7, 9)), rng().standard_normal((1, 3, 3, 4))
    w, settings = rng().standard_normal((3, 2, 3, 3)), {"stride": 2, "padding": ((1, 0), (0, 1))}
    left = np.sum(mn.conv2d(x, w, **settings) * y)
    right = np.sum(mn.conv_transpose2d(y, w, output_padding=(1, 1), **settings)[:, :, :7, :9] * x)
    assert mn.conv2d(x, w, **settings).shape == y.shape
    np.testing.assert_allclose(left, right, rtol=1e-12)


@pytest.mark.parametrize(
    ("function", "x", "w", "settings"),
    [
        (mn.conv1d, (2, 2, 6), (4, 1, 3), {"padding": "causal", "groups": 2}),
        (
            mn.conv3d,
            (1, 2, 4, 3, 4),
            (2, 2, 2, 2, 2),
            {"padding": ((1, 0), (0, 1), (0, 0)), "stride": (2, 1, 1)},
        ),
        (mn.conv_transpose1d, (2, 2, 4), (2, 2, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
        (
            mn.conv_transpose2d,
            (1, 2, 3, 3),
            (2, 1, 2, 3),
            {"stride": 2, "groups": 2, "output_padding": (1, 0)},
        ),
    ],
)
def test_derivatives(function, x, w, settings):
    x, w = rng().standard_normal(x), rng().standard_normal(w)
    b = rng().standard_normal(
        w.shape[0] if "transpose" not in function.__name__ else w.shape[1] * settings.get("groups", 1)
    )

    def loss(x, w, b):
        return mn.sum(mn.tanh(function(x, w, b, **settings)))

    mn.check_gradient(loss, (x, w, b))
    mn.check_gradient(lambda x, w: mn.sum(mn.square(mn.grad(loss)(x, w, b))), (x, w))


def test_unknown_sizes():
    x = mn.Input((2, 7, 6, 5))
    assert mn.conv3d(x, np.zeros((3, 2, 3, 3, 3), np.float32), padding=1).shape[1:] == (3, 7, 6, 5)
    x = mn.Input((2, 7))
    assert mn.conv_transpose1d(x, np.zeros((2, 3, 4), np.float32), stride=2).shape[1:] == (3, 16)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3, 4)), np.zeros((1, 2, 3))),
            mn.ShapeError,
            r"conv1d: x must have three axes \(N, C, T\)",
        ),
        (
            lambda: mn.conv3d(np.zeros((1, 2, 3, 3, 3)), np.zeros((1, 2, 3))),
            mn.ShapeError,
            "conv3d: weight must have five axes, but",
        ),
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3)), np.zeros((1, 3, 3))),
            mn.ShapeError,
            "x has 2 channels, weight takes 3·1",
        ),
        (lambda: mn.conv1d(np.zeros((1, 2, 3)), np.zeros((1, 2, 5))), mn.ShapeError, "does not fit into"),
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3)), np.zeros((1, 2, 2)), padding="full"),
            mn.ArgumentError,
            "conv1d: padding 'full'",
        ),
        (
            lambda: mn.conv2d(np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 2, 2)), padding="causal"),
            mn.ArgumentError,
            "conv2d: padding 'causal'",
        ),
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3)), np.zeros((1, 2, 2)), padding=(-1, 0)),
            mn.ArgumentError,
            "pairs",
        ),
        (
            lambda: mn.conv3d(np.zeros((1, 2, 3, 3, 3)), np.zeros((1, 2, 2, 2, 2)), stride=(1, 2)),
            mn.ArgumentError,
            "triple",
        ),
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3), int), np.zeros((1, 2, 2))),
            mn.DTypeError,
            "conv1d: x has element type int64",
        ),
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3)), np.zeros((1, 2, 2)), groups=0),
            mn.ArgumentError,
            "groups must be a positive int",
        ),
        (
            lambda: mn.conv1d(np.zeros((1, 2, 3)), np.zeros((1, 2, 2)), np.zeros(2)),
            mn.ShapeError,
            r"bias must have shape \(1,\)",
        ),
        (
            lambda: mn.conv_transpose2d(np.zeros((1, 2, 3, 3)), np.zeros((1, 2, 2, 2))),
            mn.ShapeError,
            "axis 0 of weight must have the 2 channels of x",
        ),
        (
            lambda: mn.conv_transpose2d(np.zeros((1, 1, 3, 3)), np.zeros((1, 2, 2, 2)), output_padding=1),
            mn.ArgumentError,
            "output_padding",
        ),
        (
            lambda: mn.conv_transpose1d(np.zeros((1, 1, 1)), np.zeros((1, 1, 2)), padding=1),
            mn.ShapeError,
            "leaves an output of size",
        ),
    ],
)
def test_bad_operands_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
