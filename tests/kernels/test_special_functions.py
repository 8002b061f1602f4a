"""The functions that the elementwise machine computes one number at a time: accuracy, special values, ranges."""

import numpy as np
import pytest
from elementwise_machine import ISAS, apply
from scipy import special

REALS = ["float32", "float64"]
pytestmark = [pytest.mark.parametrize("isa", ISAS), pytest.mark.parametrize("real", REALS)]
POSITIVE = np.exp(np.random.default_rng(0).uniform(np.log(1e-5), np.log(1e5), 4000))
NEGATIVE = -np.random.default_rng(1).uniform(0, 40, 4000)


def compare(got, expected, rtol=1e-12, atol=1e-300):
    """Values of the table's type against scipy's double; a float is only as exact as its last place."""
    eps = np.finfo(got.dtype).eps
    with np.errstate(all="ignore"):
        expected = np.asarray(expected).astype(got.dtype)
    tiny = np.finfo(got.dtype).smallest_subnormal
    np.testing.assert_allclose(got, expected, rtol=max(rtol, 4 * eps), atol=max(atol, 4 * tiny))


def test_hypot_neither_overflows_nor_underflows(isa, real):
    x, y = (sign * POSITIVE.astype(real) for sign in (1, -1))
    y = y[::-1].copy()
    compare(apply(isa, real, "hypot", x, y), np.hypot(x.astype(np.longdouble), y), 0)
    large = np.array([np.finfo(real).max / 2, np.finfo(real).tiny], real)
    compare(apply(isa, real, "hypot", large, large), large * np.sqrt(2), 0)


def test_arctan2_in_all_quadrants_and_for_all_pairs_of_special_values(isa, real):
    values = np.array([0.0, -0.0, 1.0, -1.0, 1e-30, -1e30, np.inf, -np.inf, np.nan], real)
    y, x = (grid.ravel() for grid in np.meshgrid(values, values))
    got = apply(isa, real, "arctan2", y, x)
    compare(got, np.arctan2(y.astype(float), x), 0)
    assert np.array_equal(
        np.signbit(got), np.signbit(np.arctan2(y, x)) & ~np.isnan(got) | np.isnan(got) & np.signbit(got)
    )


def test_lgamma(isa, real):
    for x in (POSITIVE.astype(real), NEGATIVE.astype(real)):
        compare(apply(isa, real, "lgamma", x), special.gammaln(x.astype(float)), 1e-11, 1e-13)
    x = np.array([0.0, -0.0, -1.0, -7.0, np.inf, 1.0, 2.0, np.nan], real)
    assert apply(isa, real, "lgamma", x).tolist()[:7] == [np.inf] * 5 + [0, 0]
    assert np.isnan(apply(isa, real, "lgamma", x)[7])


def test_erfinv_to_the_ends(isa, real):
    rng = np.random.default_rng(2)
    near_one = 1 - np.exp(rng.uniform(np.log(np.finfo(real).eps), 0, 2000))
    near_zero = np.exp(rng.uniform(-80, 0, 2000))
    x = np.concatenate([near_one, -near_one, near_zero, rng.uniform(-1, 1, 2000)]).astype(real)
    compare(apply(isa, real, "erfinv", x), special.erfinv(x.astype(float)), 2e-15)
    x = np.array([0.0, -0.0, 1.0, -1.0, 1.5, -np.inf, np.nan], real)
    got = apply(isa, real, "erfinv", x)
    np.testing.assert_array_equal(got, [0, 0, np.inf, -np.inf, np.nan, np.nan, np.nan])
    assert np.signbit(got[1])


@pytest.mark.parametrize("order", [0, 1, 2, 3, 8])
def test_polygamma(isa, real, order):
    x = POSITIVE[POSITIVE > 1e-2].astype(real)
    got, exact = apply(isa, real, "polygamma", x, imm=order), special.polygamma(order, x.astype(float))
    compare(got, exact, 1e-12, 1e-14)
    # the identity ψₙ(x + 1) = ψₙ(x) + (-1)ⁿ n!/x^(n+1) leads from positive to negative numbers
    x = NEGATIVE[(np.abs(NEGATIVE - np.round(NEGATIVE)) > 0.05)].astype(real)
    shift = np.ceil(-x.astype(float))
    exact = special.polygamma(order, x.astype(float) + shift)
    for k in range(int(shift.max())):
        used = k < shift
        exact[used] -= (-1) ** order * special.factorial(order) / (x.astype(float)[used] + k) ** (order + 1)
    scale = np.abs(exact) + special.factorial(order)
    error = np.abs(apply(isa, real, "polygamma", x, imm=order) - exact) / scale
    assert error.max() < max(1e-11, 4 * np.finfo(real).eps)


def test_polygamma_at_poles_and_at_infinity(isa, real):
    x = np.array([0.0, -0.0, -1.0, -3.0, np.inf, -np.inf, np.nan], real)
    digamma = apply(isa, real, "polygamma", x, imm=0)
    np.testing.assert_array_equal(digamma, [-np.inf, np.inf, np.nan, np.nan, np.inf, np.nan, np.nan])
    trigamma = apply(isa, real, "polygamma", x, imm=1)
    np.testing.assert_array_equal(trigamma, [np.inf, np.inf, np.inf, np.inf, 0, np.nan, np.nan])


@pytest.mark.parametrize("order", range(6))
def test_sinc_and_its_derivatives(isa, real, order):
    """Against (-1)^(n/2)… ∫₀¹ (πt)ⁿ cos(πtx + nπ/2) dt, the transform of a box, by Gauss's rule."""
    x = np.concatenate([np.linspace(-9, 9, 501), [0.0, 1e-30, 1e-8, 1e-3, 1.0, 5.0]]).astype(real)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = np.pi * (nodes + 1) / 2
    exact = (weights / 2 * t**order * np.cos(np.outer(x.astype(float), t) + order * np.pi / 2)).sum(1)
    compare(apply(isa, real, "sinc", x, imm=order), exact, 4 * np.finfo(real).eps, 1e-12 * np.pi**order)
    far = np.array([1e3 + 0.25, -1e5 - 0.5], real)
    if order == 0:
        compare(apply(isa, real, "sinc", far, imm=0), np.sinc(far.astype(float)), 1e-10)
        assert np.isnan(apply(isa, real, "sinc", np.array([np.inf, np.nan], real))).all()


def pairs(real, count=3000):
    rng = np.random.default_rng(3)
    a = np.exp(rng.uniform(np.log(1e-3), np.log(1e5), count)).astype(real)
    spread = rng.uniform(-4, 4, count)  # scipy 1.17 itself is wrong beyond 4.5 deviations
    x = np.maximum(a + spread * np.sqrt(a), 1e-4 * a * rng.uniform(0, 1, count)).astype(real)
    return a, x


def test_gammainc(isa, real):
    a, x = pairs(real)
    compare(apply(isa, real, "gammainc", a, x), special.gammainc(a.astype(float), x.astype(float)), 2e-12)
    a = np.array([0, 0, 1, 1, np.inf, 2, -1, 1, np.nan, 1e-3, 5], real)
    x = np.array([0, 1, 0, np.inf, 3, 800, 1, -1, 1, 50, 1e-30], real)
    compare(apply(isa, real, "gammainc", a, x), special.gammainc(a.astype(float), x.astype(float)), 1e-12)


def test_gammainc_for_very_large_parameters(isa, real):
    a = np.repeat(np.array([1.1e6, 1e8, 1e12], real), 41)
    x = (a + np.tile(np.linspace(-4.4, 4.4, 41), 3).astype(real) * np.sqrt(a)).astype(real)
    compare(
        apply(isa, real, "gammainc", a, x), special.gammainc(a.astype(float), x.astype(float)), 1e-7, 1e-11
    )


def test_betainc(isa, real):
    rng = np.random.default_rng(4)
    a, b = (np.exp(rng.uniform(np.log(1e-2), np.log(1e4), 3000)).astype(real) for _ in range(2))
    mean = a.astype(float) / (a + b)
    deviation = np.sqrt(mean * (1 - mean) / (a + b.astype(float) + 1))
    x = np.clip(mean + rng.normal(0, 2, 3000) * deviation, 1e-6, 1 - 1e-6).astype(real)
    exact = special.betainc(*(v.astype(float) for v in (a, b, x)))
    compare(apply(isa, real, "betainc", a, b, x), exact, 1e-11, 1e-14)
    a = np.array([1, 2, 2, 2, 0.5, np.nan, -1, 2, 3], real)
    b = np.array([1, 3, 3, 3, 0.5, 1, 1, 1, 4], real)
    x = np.array([0.25, 0, 1, 1e-30, 1e-12, 0.5, 0.5, 1.5, np.nan], real)
    exact = special.betainc(*(v.astype(float) for v in (a, b, x)))
    compare(apply(isa, real, "betainc", a, b, x), exact, 1e-12)
