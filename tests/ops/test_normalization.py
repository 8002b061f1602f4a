"""Normalisations against their definitions in NumPy, and finite differences."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.op import OPS, as_tensor


def rng():
    return np.random.default_rng(7)


def standardized(x, axes, eps):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def close(got, wanted, dtype):
    assert got.dtype == dtype
    rtol = 1e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=5 * rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values(dtype):
    x = rng().standard_normal((3, 4, 5, 2)) * 2 + 1
    w, b, c, d = (rng().standard_normal(n) for n in ((5, 2), (5, 2), 4, 4))
    given = [a.astype(dtype) for a in (x, w, b, c, d)]
    channels = (4, 1, 1)
    close(
        mn.layer_norm(*given[:1], (5, 2), *given[1:3], eps=1e-3), standardized(x, (2, 3), 1e-3) * w + b, dtype
    )
    root = np.sqrt((x**2).mean((2, 3), keepdims=True) + 1e-3)
    close(mn.rms_norm(given[0], (5, 2), given[1], eps=1e-3), x / root * w, dtype)
    groups = standardized(x.reshape(3, 2, 2, 5, 2), (2, 3, 4), 1e-5).reshape(x.shape)
    close(mn.group_norm(given[0], 2, *given[3:]), groups * c.reshape(channels) + d.reshape(channels), dtype)
    close(
        mn.instance_norm(given[0], *given[3:]),
        standardized(x, (2, 3), 1e-5) * c.reshape(channels) + d.reshape(channels),
        dtype,
    )


@pytest.mark.parametrize(("shape", "axis"), [((6, 4), 1), ((3, 4, 5), 1), ((3, 5, 4), -1), ((3, 4, 2, 2), 1)])
def test_batch_norm(shape, axis):
    x = rng().standard_normal(shape) * 3 - 1
    mean, weight, bias = rng().standard_normal((3, 4))
    variance = rng().uniform(0.5, 2, 4)
    laid = [1] * x.ndim
    laid[axis] = 4
    others = tuple(k for k in range(x.ndim) if k != axis % x.ndim)
    m, v, w, b = (a.reshape(laid) for a in (mean, variance, weight, bias))
    np.testing.assert_allclose(
        mn.batch_norm(x, weight=weight, bias=bias, axis=axis),
        standardized(x, others, 1e-5) * w + b,
        rtol=1e-11,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        mn.batch_norm(x, mean, variance, weight, bias, axis, eps=1e-3),
        (x - m) / np.sqrt(v + 1e-3) * w + b,
        rtol=1e-11,
        atol=1e-12,
    )


@pytest.mark.parametrize(("axis", "keepdims"), [(None, False), (1, True), ((0, 2), False)])
@pytest.mark.parametrize("correction", [0, 1])
def test_moments(axis, keepdims, correction):
    x = rng().standard_normal((3, 4, 5)) + 1e3
    mean, variance = mn.moments(x, axis, keepdims, correction)
    np.testing.assert_allclose(mean, x.mean(axis, keepdims=keepdims), rtol=1e-14)
    np.testing.assert_allclose(variance, x.var(axis, keepdims=keepdims, ddof=correction), rtol=1e-9)


def test_one_value_has_variance_zero():
    assert mn.moments(np.array([3.0]), correction=1)[1] == 0.0


def test_derivatives_of_statistics_and_results_together():
    """The mean and the variance are results too: what depends on them adds to the slope of y, in the second order as well."""
    x, w = rng().standard_normal((3, 4, 5)), rng().standard_normal(4)

    def batch(x, w):
        y, mean, variance = mn.batch_norm(x, weight=w, return_moments=True)
        return mn.sum(mn.tanh(y)) + mn.sum(mean**3) + mn.sum(mn.square(variance))

    mn.check_gradient(batch, (x, w), order=2)
    mn.check_gradient(lambda x: mn.batch_norm(x, return_moments=True)[2], (x,))
    for axis, centred in ((1, True), (2, False)):
        attrs = {"axis": axis, "centred": centred, "weight": False, "bias": False, "eps": 1e-3}

        def rows(x, attrs=attrs):
            y, *statistics = OPS["row_norm"](as_tensor(x), **attrs)
            return mn.sum(mn.tanh(y)) + sum(mn.sum(s**3) for s in statistics)

        mn.check_gradient(rows, (x,), order=2)


def test_moments_beside_the_batch_norm():
    x = rng().standard_normal((3, 4, 5)) + 2
    _, mean, variance = mn.batch_norm(x, return_moments=True, axis=-1)
    np.testing.assert_allclose(mean, x.mean((0, 1)), rtol=1e-13)
    np.testing.assert_allclose(variance, x.var((0, 1), ddof=1), rtol=1e-13)
    with pytest.raises(mn.ArgumentError, match="return_moments belongs to training"):
        mn.batch_norm(x, np.zeros(4), np.ones(4), return_moments=True)


@pytest.mark.parametrize("f", [mn.relu, mn.tanh, mn.sigmoid])
def test_an_activation_behind_the_batch_norm_is_fused_with_equal_bits(f):
    """Also where the statistics are read before the activation is."""
    x, w = rng().standard_normal((3, 4, 5)), rng().standard_normal(4)

    def whole(x, w):
        y, mean, variance = mn.batch_norm(x, weight=w, return_moments=True)
        return mn.exp(mean) + variance, f(y)

    plan = mn.function(whole)
    parts = mn.batch_norm(x, weight=w, return_moments=True)
    statistics, y = plan(x, w)
    np.testing.assert_array_equal(y, f(parts[0]))
    np.testing.assert_array_equal(statistics, np.asarray(mn.exp(parts[1]) + parts[2]))


def test_operands_of_mixed_types():
    x, w = rng().standard_normal((3, 4)).astype(np.float32), rng().standard_normal(4)
    got = mn.layer_norm(x, 4, w)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, standardized(x.astype(float), (1,), 1e-5) * w, rtol=1e-9)


def test_derivatives():
    x, w, b = rng().standard_normal((3, 4, 5)), rng().standard_normal(5), rng().standard_normal(4)
    mn.check_gradient(lambda x, w: mn.tanh(mn.layer_norm(x, 5, w)), (x, w), order=2)
    mn.check_gradient(lambda x, w: mn.tanh(mn.rms_norm(x, 5, w)), (x, w), order=2)
    mn.check_gradient(lambda x, b: mn.tanh(mn.group_norm(x, 2, None, b)), (x, b), order=2)
    mn.check_gradient(lambda x, b: mn.tanh(mn.instance_norm(x, b, b)), (x, b))
    mn.check_gradient(lambda x, b: mn.tanh(mn.batch_norm(x, weight=b, bias=b)), (x, b), order=2)
    mn.check_gradient(lambda x, m, v: mn.tanh(mn.batch_norm(x, m, v)), (x, b, np.abs(b) + 0.5))
    mn.check_gradient(lambda x: mn.moments(x, (0, 2), correction=1), (x,))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mn.layer_norm(np.zeros((2, 3)), 4),
            mn.ShapeError,
            r"normalized_shape=\(4,\), but x has shape \(2, 3\)",
        ),
        (lambda: mn.layer_norm(np.zeros((2, 3)), (1, 2, 3)), mn.ShapeError, "normalized_shape"),
        (
            lambda: mn.layer_norm(np.zeros((2, 3)), 3, np.ones(2)),
            mn.ShapeError,
            r"weight must have shape \(3,\)",
        ),
        (lambda: mn.rms_norm(np.zeros((2, 3), int), 3), mn.DTypeError, "rms_norm: x has element type int64"),
        (lambda: mn.group_norm(np.zeros((2, 3)), 2), mn.ShapeError, "3 channels .* 2 groups"),
        (lambda: mn.group_norm(np.zeros((2, 3)), 0), mn.ArgumentError, "num_groups must be a positive int"),
        (lambda: mn.instance_norm(np.zeros((2, 3))), mn.ShapeError, "at least 3 axes"),
        (lambda: mn.batch_norm(np.zeros((2, 3)), np.zeros(3)), mn.ArgumentError, "given together"),
        (lambda: mn.batch_norm(np.zeros((2, 3)), axis=2), mn.ShapeError, "axis 2 is out of range"),
        (lambda: mn.layer_norm(np.zeros((2, 3)), 3, eps=-1.0), mn.ArgumentError, "eps must be a number ≥ 0"),
        (lambda: mn.batch_norm(np.zeros((0, 3))), mn.ShapeError, "no elements beside axis 1"),
        (lambda: mn.layer_norm(np.zeros((2, 0)), 0), mn.ShapeError, "no elements from axis 1 on"),
        (lambda: mn.moments(np.zeros(3), correction=-1), mn.ArgumentError, "correction must be an int ≥ 0"),
    ],
)
def test_bad_operands_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
