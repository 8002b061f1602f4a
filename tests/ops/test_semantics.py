"""Values that NumPy or PyTorch users rely on: special values, element types, powers, rounding, division, padding."""

import itertools

import numpy as np
import pytest

import mathnet as mn

SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 1e-3, -1e30, 1e30, np.inf, -np.inf, np.nan]
)
PAIRS = np.array(list(itertools.product(SPECIAL, SPECIAL)))
REALS = [np.float32, np.float64]


def same(got, wanted, rtol):
    wanted = np.asarray(wanted)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))
    np.testing.assert_allclose(got, wanted, rtol=rtol, atol=0)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize(
    "name",
    "negative abs sign sqrt square reciprocal exp expm1 log log1p tanh sin cos floor ceil round isnan isfinite logical_not".split(),
)
def test_functions_of_special_values(name, real):
    x = SPECIAL.astype(real)
    x = x[np.abs(x) < 10] if name in ("sin", "cos") else x
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x.astype(np.float64)).astype(
            bool if name[:2] == "is" or (name[:3] == "log" and "_" in name) else real
        )
        got = getattr(mn, name)(x)
        same(got.astype(np.float64), wanted.astype(np.float64), 1e-5 if real == np.float32 else 1e-12)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", ["relu", "sigmoid", "softplus"])
def test_activations_of_special_values(name, real):
    x = SPECIAL.astype(real)
    with np.errstate(all="ignore"):
        wide = x.astype(np.float64)
        wanted = {
            "relu": np.maximum(wide, 0),
            "sigmoid": 1 / (1 + np.exp(-wide)),
            "softplus": np.logaddexp(wide, 0),
        }[name]
    same(getattr(mn, name)(x), wanted, 1e-5 if real == np.float32 else 1e-12)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize(
    "name",
    "add subtract multiply divide maximum minimum power floor_divide remainder less less_equal greater equal not_equal".split(),
)
def test_pairs_of_special_values(name, real):
    x, y = PAIRS.T.astype(real)
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x, y)
    got = getattr(mn, name)(x, y)
    same(got.astype(np.float64), wanted.astype(np.float64), 3e-5 if real == np.float32 else 1e-12)


@pytest.mark.parametrize("real", REALS)
def test_quotients_that_lie_next_to_whole_numbers(real):
    rng = np.random.default_rng(0)
    y = rng.uniform(0.01, 3, 4000).astype(real) * rng.choice([-1, 1], 4000).astype(real)
    x = (rng.integers(-40, 40, 4000) * y).astype(real)
    quotient, rest = mn.floor_divide(x, y), mn.remainder(x, y)
    np.testing.assert_array_equal(quotient, np.floor_divide(x, y))
    np.testing.assert_array_equal(rest, np.remainder(x, y))


@pytest.mark.parametrize("real", REALS)
def test_remainders_of_quotients_that_the_mantissa_cannot_hold(real):
    rng = np.random.default_rng(1)
    y = rng.uniform(1, 8, 2000).astype(real) * rng.choice([-1, 1], 2000).astype(real)
    x = (rng.uniform(-1, 1, 2000) * 10.0 ** rng.integers(0, 30, 2000)).astype(real)
    rest = mn.remainder(x, y)
    np.testing.assert_array_equal(rest, np.remainder(x, y))
    assert (np.abs(rest) < np.abs(y)).all()
    np.testing.assert_array_equal(mn.floor_divide(x, y), np.floor_divide(x, y))


@pytest.mark.parametrize("real", REALS)
def test_quotients_and_remainders_that_are_zero_have_numpys_sign(real):
    x, y = (
        a.ravel()
        for a in np.meshgrid(np.array([0.0, -0.0, 1, -1, 3, -3, 0.25], real), np.array([1, -1, 3, -3], real))
    )
    for name in ("floor_divide", "remainder"):
        got, wanted = getattr(mn, name)(x, y), getattr(np, name)(x, y)
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))


def test_integers_divide_as_in_numpy():
    x, y = np.array([7, -7, 7, -7, 5]), np.array([2, 2, -2, -2, 0])
    with np.errstate(all="ignore"):
        for name in ("floor_divide", "remainder"):
            got = getattr(mn, name)(x, y)
            assert got.dtype == np.int64
            np.testing.assert_array_equal(got, getattr(np, name)(x, y))


# ---- powers ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, 5, -1, -2, -3, 0.5, 1.5, -0.5, 2.0, 0.0])
@pytest.mark.parametrize("real", REALS)
def test_numbers_as_exponents(exponent, real):
    x = np.array([0.0, 0.3, 1.0, 2.5, 7.0, np.inf, np.nan], real)
    with np.errstate(all="ignore"):
        same(
            mn.power(x, exponent),
            np.power(x.astype(np.float64), exponent),
            2e-6 if real == np.float32 else 1e-14,
        )


@pytest.mark.parametrize("exponent", [0, 1, 2, 5, 13])
def test_integer_powers_of_integers_stay_integers(exponent):
    x = np.array([-3, -1, 0, 1, 2, 11])
    got = mn.power(x, exponent)
    assert got.dtype == np.int64
    np.testing.assert_array_equal(got, x**exponent)


def test_other_powers_of_integers_are_floats():
    np.testing.assert_allclose(mn.power(np.array([1, 2, 4]), -1), [1.0, 0.5, 0.25])
    np.testing.assert_allclose(mn.power(np.array([2, 3]), np.array([3, 2])), [8.0, 9.0])


@pytest.mark.parametrize("exponent", [0, 0.0, 1, 2, 3, 0.5, -1, 2.5])
def test_slopes_of_powers(exponent):
    x = np.array([0.4, 1.0, 2.5])
    slope = mn.grad(lambda t: mn.sum(mn.power(t, exponent)) + 0.0 * mn.sum(t))(x)
    np.testing.assert_allclose(slope, exponent * x ** (exponent - 1.0), rtol=1e-12)
    bend = mn.grad(lambda t: mn.sum(mn.grad(lambda u: mn.sum(mn.power(u, exponent)) + mn.sum(u * u))(t)))(x)
    np.testing.assert_allclose(bend, exponent * (exponent - 1.0) * x ** (exponent - 2.0) + 2, rtol=1e-12)


def test_slopes_of_powers_at_zero_are_not_nan():
    x, y = np.array([0.0, 0.0, 0.0]), np.array([0.0, 1.0, 2.0])
    dx, dy = mn.grad(lambda a, b: mn.sum(mn.power(a, b)), argnums=(0, 1))(x, y)
    np.testing.assert_array_equal(dx, [0.0, 1.0, 0.0])
    np.testing.assert_array_equal(dy, [0.0, 0.0, 0.0])


# ---- element types ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x, y, wanted",
    [
        (np.float32(1).reshape(1), 2.0, "float32"),
        (np.float32(1).reshape(1), np.float64(2.0), "float32"),
        (np.zeros(1, np.float32), np.zeros(1), "float64"),
        (np.zeros(1, np.int64), np.zeros(1, np.float32), "float32"),
        (np.zeros(1, bool), np.zeros(1, np.float32), "float32"),
        (np.zeros(1, np.int64), 2, "int64"),
        (np.zeros(1, np.int64), 2.0, "float64"),
        (np.zeros(1, bool), 2, "int64"),
        (np.zeros(1, bool), True, "bool"),
    ],
)
def test_common_types(x, y, wanted):
    assert mn.multiply(x, y).dtype == wanted
    assert mn.maximum(x, y).dtype == wanted


def test_types_of_reductions():
    assert mn.sum(np.ones(3, np.int64)).dtype == np.int64
    assert mn.sum(np.array([True, True])) == 2 and mn.sum(np.array([True, True])).dtype == np.int64
    assert mn.mean(np.array([1, 2])).dtype == np.float64
    assert mn.mean(np.ones(3, np.float32)).dtype == np.float32
    assert mn.max(np.array([1, 5], np.int64)).dtype == np.int64
    assert mn.max(np.array([2**60, 2**60 + 1])) == 2**60 + 1  # not by way of floats
    assert mn.sum(np.array([2**60, 1])) == 2**60 + 1


def test_functions_of_integers_are_float64():
    for name in ("exp", "tanh", "sqrt", "reciprocal", "sigmoid", "log1p"):
        assert getattr(mn, name)(np.array([1, 2])).dtype == np.float64
    assert mn.relu(np.array([-1, 2])).dtype == np.int64
    assert mn.floor(np.array([-1, 2])).dtype == np.int64


def test_bools_add_and_multiply_as_logic():
    a, b = np.array([True, True, False]), np.array([True, False, False])
    np.testing.assert_array_equal(mn.add(a, b), a + b)
    np.testing.assert_array_equal(mn.multiply(a, b), a * b)


def test_casts():
    x = np.array([-2.7, -0.4, 0.0, 0.6, 300.9])
    np.testing.assert_array_equal(mn.cast(x, "int64"), x.astype(np.int64))
    np.testing.assert_array_equal(mn.cast(x, bool), x.astype(bool))
    np.testing.assert_array_equal(mn.cast(x, np.float32), x.astype(np.float32))
    np.testing.assert_array_equal(mn.cast(np.array([0, 3, -1]), bool), [False, True, True])
    assert mn.grad(lambda t: mn.sum(mn.cast(t, np.float32)))(x).dtype == np.float64


# ---- windows -----------------------------------------------------------------------------------------------------------------


def test_same_padding_covers_and_puts_the_odd_zero_at_the_end():
    x = np.arange(1.0, 6.0).reshape(1, 1, 1, 5)
    w = np.ones((1, 1, 1, 2))
    np.testing.assert_array_equal(mn.conv2d(x, w, padding="same")[0, 0, 0], [3, 5, 7, 9, 5])
    assert mn.conv2d(np.ones((1, 1, 7, 8)), np.ones((2, 1, 3, 3)), stride=3, padding="same").shape == (
        1,
        2,
        3,
        3,
    )


def test_average_pooling_counts_padding_only_when_asked():
    x = np.ones((1, 1, 2, 2))
    np.testing.assert_allclose(mn.avg_pool2d(x, 2, 1, padding=1)[0, 0, 0], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(mn.avg_pool2d(x, 2, 1, padding=1, count_include_pad=False)[0, 0, 0], [1, 1, 1])
    np.testing.assert_allclose(mn.avg_pool2d(x, 3, 1, padding="same"), x)  # as Keras


def test_max_pooling_never_takes_padding_and_lets_nan_win():
    x = -np.ones((1, 1, 3, 3))
    assert (mn.max_pool2d(x, 3, 1, padding=1) == -1).all()
    x[0, 0, 1, 1] = np.nan
    assert np.isnan(mn.max_pool2d(x, 3, 1, padding=1)).all()


def test_grouped_convolution_equals_convolutions_of_the_groups():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(2, 4, 5, 5)), rng.normal(size=(6, 2, 3, 3)), rng.normal(size=6)
    parts = [mn.conv2d(x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3], b[3 * g : 3 * g + 3]) for g in range(2)]
    np.testing.assert_allclose(mn.conv2d(x, w, b, groups=2), np.concatenate(parts, 1), rtol=1e-12)


def test_padding_with_infinities_and_between_large_and_small():
    x = np.array([1e-12, 1.0])
    np.testing.assert_array_equal(mn.pad(x, (1, 1), constant_values=-np.inf), [-np.inf, 1e-12, 1.0, -np.inf])
    np.testing.assert_array_equal(mn.pad(x, (1, 0), constant_values=1e12), [1e12, 1e-12, 1.0])
    np.testing.assert_array_equal(mn.pad(np.array([1, 2]), 1, constant_values=7), [7, 1, 2, 7])
    np.testing.assert_array_equal(mn.pad(np.array([True]), 1), [False, True, False])


# ---- softmax and losses ----------------------------------------------------------------------------------------------------


def test_scores_of_any_size_neither_overflow_nor_lose_the_answer():
    z = np.array([[1e4, 0.0], [-1e4, -1e4], [3e38, -3e38]])
    np.testing.assert_allclose(mn.softmax(z), [[1, 0], [0.5, 0.5], [1, 0]], atol=1e-12)
    np.testing.assert_allclose(mn.cross_entropy(z[:2], [1, 0]), [1e4, np.log(2)], rtol=1e-12)
    np.testing.assert_allclose(mn.logsumexp(z[:2], axis=1), [1e4, -1e4 + np.log(2)], rtol=1e-12)
    assert mn.logsumexp(np.array([-np.inf, -np.inf])) == -np.inf


def test_cross_entropy_of_indices_equals_that_of_their_probabilities():
    z, labels = np.random.default_rng(0).normal(size=(4, 3)), np.array([0, 2, 1, 1])
    np.testing.assert_allclose(
        mn.cross_entropy(z, labels), mn.cross_entropy(z, np.eye(3)[labels]), rtol=1e-12
    )
    np.testing.assert_allclose(
        mn.cross_entropy(z[None], labels[None]), mn.cross_entropy(z, labels)[None], rtol=1e-12
    )
