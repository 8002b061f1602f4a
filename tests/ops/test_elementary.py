"""Elementary and special functions and activations: wide ranges, tails, special values, types, and derivatives that are refused."""

import math

import numpy as np
import pytest
from scipy import special

import mathnet as mn
from mathnet.errors import ArgumentError, DTypeError, GradientError

WIDE = np.concatenate([-np.geomspace(1e-12, 700, 60)[::-1], [-0.0, 0.0], np.geomspace(1e-12, 700, 60)])
SPECIALS = np.array([0.0, -0.0, 1.0, -1.0, 3.5, np.inf, -np.inf, np.nan])
X, Y = (grid.ravel() for grid in np.meshgrid(SPECIALS, SPECIALS))


def close(got, wanted, real=np.float64):
    eps = 8 * np.finfo(real).eps
    assert got.dtype == real
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(got, np.asarray(wanted).astype(real), rtol=eps, atol=np.finfo(real).tiny)


UNARY = {
    **{
        name: getattr(np, name)
        for name in "tan arcsin arccos arctan sinh cosh arcsinh arccosh arctanh exp2 log2 log10 cbrt trunc".split()
    },
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "erfc": np.vectorize(math.erfc, otypes=[float]),  # scipy's loses digits in the tail
    "lgamma": special.gammaln,
    "log_sigmoid": special.log_expit,
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: np.where(x <= -3, 0, np.where(x >= 3, x, x * (x / 6 + 0.5))),
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNARY)
def test_wide_ranges_and_special_values(name, real):
    for x in (WIDE.astype(real), SPECIALS.astype(real)):
        with np.errstate(all="ignore"):
            wanted = UNARY[name](x.astype(np.float64))
        if name == "lgamma":  # scipy follows another convention at -inf
            x, wanted = x[x != -np.inf], wanted[x != -np.inf]
        if name == "leaky_relu":  # the slope is a number of the type of x
            wanted = np.where(x > 0, x, x * real(0.01))
        close(getattr(mn, name)(x), wanted, real)


GATES = {
    "gelu": lambda x: x * special.ndtr(x),
    "silu": lambda x: x * special.expit(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", GATES)
def test_gates_keep_their_digits_in_the_tails(name, real):
    x = np.linspace(-14, 14, 561).astype(real)
    got, wanted = getattr(mn, name)(x), GATES[name](x.astype(float))
    limit = (
        60 if name == "gelu" else 8
    )  # what rounding x/√2 costs: an error of 2^-24 in x moves Φ by |x|·2^-24
    np.testing.assert_allclose(
        got, wanted, rtol=limit * np.finfo(real).eps * 4, atol=np.finfo(real).tiny * 100
    )


def test_the_tanh_form_of_gelu():
    x = np.linspace(-6, 6, 101)
    wanted = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(mn.gelu(x, "tanh"), wanted, rtol=1e-12, atol=1e-14)
    with pytest.raises(ArgumentError, match="approximate must be 'none' or 'tanh', not 'erf'"):
        mn.gelu(x, "erf")


BINARY = {
    "arctan2": np.arctan2,
    "hypot": np.hypot,
    "logaddexp": np.logaddexp,
    "copysign": np.copysign,
    "heaviside": np.heaviside,
    "xlogy": special.xlogy,
    "xlog1py": special.xlog1py,
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", BINARY)
def test_pairs_of_special_values(name, real):
    with np.errstate(all="ignore"):
        wanted = BINARY[name](X, Y)
    got = getattr(mn, name)(X.astype(real), Y.astype(real))
    close(got, wanted, real)
    if name in ("arctan2", "copysign"):
        number = ~np.isnan(wanted)
        assert np.array_equal(np.signbit(got[number]), np.signbit(wanted[number]))


def test_fmod_of_floats_and_of_integers():
    x, y = np.array([7.5, -7.5, 5.0, 1e300, 3.0]), np.array([2.0, 2.0, -3.0, 7.0, np.inf])
    np.testing.assert_array_equal(mn.fmod(x, y), np.fmod(x, y))
    i, j = np.array([7, -7, 7, -7, 5, np.iinfo(np.int64).min]), np.array([3, 3, -3, -3, 0, -1])
    np.testing.assert_array_equal(mn.fmod(i, j), [1, -1, 1, -1, 0, 0])
    assert mn.fmod(i, 2).dtype == np.int64
    with pytest.raises(DTypeError, match="two bools have no quotient"):
        mn.fmod([True], [True])


def test_logic_and_tests_of_every_type():
    x = np.array([0.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(mn.isinf(x), np.isinf(x))
    assert mn.isinf(np.array([1, 2])).tolist() == [False, False]
    np.testing.assert_array_equal(mn.logical_xor([0.5, 0.0, 2.0], [True, False, False]), [False, False, True])
    np.testing.assert_array_equal(
        mn.logical_xor(np.array([0, 3, 4]), np.array([1, 0, 5])), [True, True, False]
    )
    assert mn.trunc(np.array([1, -2])).tolist() == [1, -2]


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_nan_to_num_as_numpy(real):
    x = SPECIALS.astype(real)
    np.testing.assert_array_equal(mn.nan_to_num(x), np.nan_to_num(x))
    np.testing.assert_array_equal(
        mn.nan_to_num(x, 2.0, posinf=5.0, neginf=-6.0), np.nan_to_num(x, nan=2.0, posinf=5.0, neginf=-6.0)
    )
    assert mn.nan_to_num(np.array([1, 2])).dtype == np.int64
    np.testing.assert_array_equal(mn.grad(lambda x: mn.sum(mn.nan_to_num(x)))(x), np.isfinite(x).astype(real))


def test_derivatives_at_special_places():
    def slopes(f, *at):
        return mn.grad(f, argnums=tuple(range(len(at))))(*[np.float64(a) for a in at])

    assert slopes(mn.hypot, 0.0, 0.0) == (0, 0)
    assert slopes(mn.arctan2, 0.0, 0.0) == (0, 0)
    assert slopes(mn.arctan2, 1e200, 1e200) == pytest.approx((0.5e-200, -0.5e-200))
    assert slopes(mn.logaddexp, 3.0, 3.0) == (0.5, 0.5)
    assert slopes(mn.logaddexp, np.inf, np.inf) == (0.5, 0.5)
    assert slopes(mn.xlogy, 0.0, 0.0) == (0, 0)
    assert slopes(mn.xlogy, 2.0, 4.0) == (math.log(4), 0.5)
    assert slopes(mn.copysign, -2.0, 3.0) == (-1, 0)
    assert slopes(mn.heaviside, 0.0, 0.5) == (0, 1)
    assert slopes(mn.softsign, 1e9)[0] == pytest.approx(1e-18, rel=1e-6)
    for f, slope in (
        (mn.elu, 1),
        (mn.celu, 1),
        (mn.leaky_relu, 0.01),
        (mn.selu, 1.0507009873554805 * 1.6732632423543772),
    ):
        assert slopes(f, 0.0)[0] == pytest.approx(slope, rel=1e-15)
    assert mn.grad(mn.grad(mn.logaddexp))(np.float64(1), 1.0) == pytest.approx(0.25)
    assert mn.grad(mn.grad(mn.sinc))(np.float64(0)) == pytest.approx(-(math.pi**2) / 3)


def test_settings_of_activations_may_be_differentiated():
    x = np.array([-2.0, 3.0])
    slope = mn.grad(lambda a: mn.sum(mn.leaky_relu(x, a)))(np.float64(0.1))
    assert slope == -2.0
    assert mn.grad(lambda a: mn.sum(mn.elu(x, a)))(np.float64(1.0)) == pytest.approx(np.expm1(-2.0))


def test_the_gamma_family_is_its_own_derivatives():
    x = np.array([0.3, 1.0, 4.5, 30.0])
    f = mn.lgamma
    for order in range(4):
        f = (lambda g: mn.grad(lambda x: mn.sum(g(x))))(f)
        np.testing.assert_allclose(f(x), special.polygamma(order, x), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(mn.digamma(x), special.digamma(x), rtol=1e-13)
    np.testing.assert_allclose(mn.polygamma(3, x), special.polygamma(3, x), rtol=1e-12)
    for n in (-1, 21, 1.5, True):
        with pytest.raises(ArgumentError, match="polygamma: n must be a whole number from 0 to 20"):
            mn.polygamma(n, x)


def test_incomplete_functions_have_their_densities_as_derivatives():
    x = np.array([0.1, 0.4, 0.9])
    density = mn.grad(lambda x: mn.sum(mn.gammainc(2.5, x)))(x)
    np.testing.assert_allclose(density, x**1.5 * np.exp(-x) / special.gamma(2.5), rtol=1e-13)
    density = mn.grad(lambda x: mn.sum(mn.betainc(2.5, 0.5, x)))(x)
    np.testing.assert_allclose(density, x**1.5 * (1 - x) ** -0.5 / special.beta(2.5, 0.5), rtol=1e-13)
    _, tangent = mn.jvp(lambda x: mn.gammainc(2.5, x), (x,), (np.ones(3),))
    np.testing.assert_allclose(tangent, x**1.5 * np.exp(-x) / special.gamma(2.5), rtol=1e-13)


def test_derivatives_that_are_not_known_are_errors():
    one = np.float64(1.0)
    with pytest.raises(GradientError, match=r"gammainc.*input 0 is missing: .*second argument only"):
        mn.grad(lambda a: mn.gammainc(a, 2.0))(one)
    with pytest.raises(GradientError, match=r"betainc.*input 1 is missing: .*third argument only"):
        mn.grad(lambda b: mn.betainc(2.0, b, 0.5))(one)
    with pytest.raises(GradientError, match=r"betainc.* is missing: .*third argument only"):
        mn.jvp(lambda b: mn.betainc(2.0, b, 0.5), (one,), (one,))
    f = mn.sinc
    for _ in range(8):
        f = mn.grad(f)
    f(np.float64(0.2))
    with pytest.raises(GradientError, match="sinc: derivatives are known up to order 8"):
        mn.grad(f)(one)
