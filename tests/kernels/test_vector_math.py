"""The elementary functions: accuracy in units in the last place over dense samples, and special values."""

import numpy as np
import pytest
from elementwise_machine import ISAS, apply, operation, run
from scipy import special

COUNT = 20_000
REALS = ["float32", "float64"]
LIMIT = 4.0


def units_in_last_place(got, exact):
    """|got - exact| in spacings of got's type at exact; 0 where both round to the same value or are NaN."""
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        largest = np.finfo(got.dtype).max
        spacing = np.spacing(np.minimum(np.abs(rounded), largest)).astype(np.longdouble)
        error = np.abs(got.astype(np.longdouble) - exact) / spacing
        same = (got == rounded) | (np.isnan(got) & np.isnan(rounded))
        return np.where(same, 0, np.where(np.isnan(error), np.inf, error))


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def erf_by_series(x):
    """The Maclaurin series for small |x|, 1 - erfc(x) by continued fraction beyond, in long double."""
    x = np.asarray(x, np.longdouble)
    size = np.minimum(np.abs(x), np.longdouble(9))
    small = np.minimum(size, 3)
    term = small.copy()
    series = small.copy()
    for k in range(1, 90):
        term = -term * small * small / k
        series += term / (2 * k + 1)
    large = np.maximum(size, 3)
    fraction = large.copy()
    for k in range(120, 0, -1):
        fraction = large + (np.longdouble(k) / 2) / fraction
    root_pi = np.sqrt(np.longdouble("3.14159265358979323846264338327950288"))
    tail = 1 - np.exp(-large * large) / (root_pi * fraction)
    return np.copysign(np.where(size < 3, 2 / root_pi * series, tail), x)


def erfc_by_series(x):
    """1 - erf(x) below 1, the continued fraction beyond, in long double."""
    x = np.asarray(x, np.longdouble)
    large = np.clip(x, 1, 120)
    fraction = large.copy()
    for k in range(300, 0, -1):
        fraction = large + (np.longdouble(k) / 2) / fraction
    root_pi = np.sqrt(np.longdouble("3.14159265358979323846264338327950288"))
    return np.where(x < 1, 1 - erf_by_series(x), np.exp(-large * large) / (root_pi * fraction))


def normal_cdf(x):
    return erfc_by_series(-x / np.sqrt(np.longdouble(2))) / 2


def gaussian(x):
    return np.exp(-(np.asarray(x, np.longdouble) ** 2) / 2)


def gelu(x):
    return np.where(x == -np.inf, 0, x * normal_cdf(x))


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def cube_root(x):
    """By Newton's iteration from the double's, in long double."""
    y = np.cbrt(x.astype(np.float64)).astype(np.longdouble)
    return np.where(x == 0, x, y - (y * y * y - x) / (3 * y * y))


#: name -> (long double oracle, ranges of x for float32, for float64); a range may be ("log", low, high)
FUNCTIONS = {
    "exp": (np.exp, [(-110, 95), (-2, 2)], [(-750, 715), (-2, 2)]),
    "expm1": (np.expm1, [(-30, 90), (-2, 2), ("log", 1e-44, 1)], [(-50, 712), (-2, 2), ("log", 1e-320, 1)]),
    "log": (np.log, [("log", 2e-45, 3e38), (0.4, 2.2)], [("log", 1e-323, 1e308), (0.4, 2.2)]),
    "log1p": (
        np.log1p,
        [(-1, 2), ("log", 1e-44, 3e38), (-1e-3, 1e-3)],
        [(-1, 2), ("log", 1e-320, 1e308), (-1e-3, 1e-3)],
    ),
    "tanh": (np.tanh, [(-12, 12), (-1, 1), ("log", 1e-44, 1)], [(-25, 25), (-1, 1), ("log", 1e-320, 1)]),
    "sigmoid": (sigmoid, [(-110, 30), (-3, 3)], [(-750, 50), (-3, 3)]),
    "softplus": (softplus, [(-110, 30), (-3, 3)], [(-750, 50), (-3, 3)]),
    "erf": (
        erf_by_series,
        [(-5, 5), (-1.1, 1.1), ("log", 1e-44, 1)],
        [(-7, 7), (-1.1, 1.1), ("log", 1e-320, 1)],
    ),
    "sin": (
        np.sin,
        [(-3200, 3200), (-4, 4), ("log", 1e-44, 1e30)],
        [(-1e6, 1e6), (-4, 4), ("log", 1e-320, 1e15)],
    ),
    "cos": (
        np.cos,
        [(-3200, 3200), (-4, 4), ("log", 1e-44, 1e30)],
        [(-1e6, 1e6), (-4, 4), ("log", 1e-320, 1e15)],
    ),
    "exp2": (np.exp2, [(-155, 130), (-2, 2)], [(-1080, 1026), (-2, 2)]),
    "log2": (np.log2, [("log", 2e-45, 3e38), (0.4, 2.2)], [("log", 1e-323, 1e308), (0.4, 2.2)]),
    "log10": (np.log10, [("log", 2e-45, 3e38), (0.4, 2.2)], [("log", 1e-323, 1e308), (0.4, 2.2)]),
    "cbrt": (cube_root, [("log", 2e-45, 3e38), (-5, 5)], [("log", 1e-307, 1e308), (-5, 5)]),
    "sinh": (np.sinh, [(-91, 91), (-2, 2), ("log", 1e-44, 1)], [(-712, 712), (-2, 2), ("log", 1e-320, 1)]),
    "cosh": (np.cosh, [(-91, 91), (-2, 2)], [(-712, 712), (-2, 2)]),
    "tan": (
        np.tan,
        [(-3200, 3200), (-4, 4), ("log", 1e-44, 1e30)],
        [(-1e6, 1e6), (-4, 4), ("log", 1e-320, 1e15)],
    ),
    "arcsin": (np.arcsin, [(-1, 1), ("log", 1e-44, 1)], [(-1, 1), ("log", 1e-320, 1)]),
    "arccos": (np.arccos, [(-1, 1), (0.999, 1)], [(-1, 1), (0.999, 1)]),
    "arctan": (np.arctan, [(-4, 4), ("log", 1e-44, 1e38)], [(-4, 4), ("log", 1e-320, 1e308)]),
    "arcsinh": (np.arcsinh, [(-4, 4), ("log", 1e-44, 1e38)], [(-4, 4), ("log", 1e-320, 1e308)]),
    "arccosh": (np.arccosh, [(1, 4), ("log", 1, 1e38)], [(1, 4), ("log", 1, 1e308)]),
    "arctanh": (np.arctanh, [(-1, 1), ("log", 1e-44, 1)], [(-1, 1), ("log", 1e-320, 1)]),
    "erfc": (erfc_by_series, [(-5, 11), (-1.1, 1.1)], [(-7, 28), (-1.1, 1.1)]),
    "gaussian": (gaussian, [(-15, 15), (-1.1, 1.1)], [(-39, 39), (-1.1, 1.1)]),
    "gelu": (gelu, [(-15, 6), (-1.1, 1.1), (-0.2, 0.2)], [(-39, 9), (-1.1, 1.1), (-29.25, -29.2)]),
    "elu_imm": (elu, [(-20, 2), (-1, 1), ("log", 1e-44, 1)], [(-45, 2), (-1, 1), ("log", 1e-320, 1)]),
    "sqrt": (np.sqrt, [("log", 1e-44, 1e38)], [("log", 1e-320, 1e308)]),
    "rsqrt": (lambda x: 1 / np.sqrt(x), [("log", 1e-44, 1e38)], [("log", 1e-320, 1e308)]),
    "reciprocal": (lambda x: 1 / x, [("log", 1e-37, 1e37)], [("log", 1e-300, 1e300)]),
}


def samples(ranges, real):
    rng = np.random.default_rng(5)
    parts = []
    for span in ranges:
        if span[0] == "log":
            parts.append(np.exp(rng.uniform(np.log(span[1]), np.log(span[2]), COUNT)))
        else:
            parts += [np.linspace(*span, COUNT), rng.uniform(*span, COUNT)]
    return np.concatenate(parts).astype(real)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_four_units_in_the_last_place(isa, real, name):
    oracle, *ranges = FUNCTIONS[name]
    x = samples(ranges[REALS.index(real)], real)
    with np.errstate(all="ignore"):
        error = units_in_last_place(apply(isa, real, name, x, imm=1.0), oracle(x.astype(np.longdouble)))
    worst = np.argmax(error)
    assert error[worst] <= LIMIT, f"{name}({x[worst]!r}): {error[worst]:.2f} ulp"


def every_exponent(real, count=24):
    """Numbers of both signs with every exponent, denormals and infinities and NaN among them, and random digits."""
    bits, mantissa = (32, 23) if real == "float32" else (64, 52)
    rng = np.random.default_rng(6)
    exponent = np.arange(1 << (bits - 1 - mantissa), dtype=np.uint64).repeat(count)
    word = exponent << np.uint64(mantissa) | rng.integers(0, 1 << mantissa, exponent.size, dtype=np.uint64)
    word |= rng.integers(0, 2, exponent.size, dtype=np.uint64) << np.uint64(bits - 1)
    return word.astype(f"uint{bits}").view(real)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accurate_for_every_exponent(isa, real, name):
    x = every_exponent(real)
    with np.errstate(all="ignore"):
        error = units_in_last_place(
            apply(isa, real, name, x, imm=1.0), FUNCTIONS[name][0](x.astype(np.longdouble))
        )
    worst = np.argmax(error)
    assert error[worst] <= LIMIT, f"{name}({x[worst]!r}): {error[worst]:.2f} ulp"


def test_the_measure_sees_a_wrong_digit():
    exact = np.array([1.0, 2.0, np.inf, 0.0], np.longdouble)
    got = np.array([1 + 2.0**-20, 2.0, 1e38, np.nan], np.float32)
    assert units_in_last_place(got, exact).tolist()[:2] == [8.0, 0.0]
    assert np.isinf(units_in_last_place(got, exact)[2:]).all()


def test_erf_oracle_agrees_with_scipy():
    x = np.linspace(-6, 6, 1001)
    assert np.abs(erf_by_series(x).astype(float) - special.erf(x)).max() < 3e-16


KEEP_THE_SIGN_OF_0 = "expm1 log1p tanh erf sin sqrt cbrt sinh tan arcsin arctan arcsinh arctanh".split()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("real", REALS)
def test_special_values(isa, real):
    info = np.finfo(real)
    tiny = info.smallest_subnormal
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, tiny, -tiny, info.max, -info.max, 1.0, -1.0], real)
    with np.errstate(all="ignore"):
        expected = {
            "exp": np.exp(x),
            "expm1": np.expm1(x),
            "log": np.log(x),
            "log1p": np.log1p(x),
            "tanh": np.tanh(x),
            "sigmoid": sigmoid(x.astype(np.longdouble)).astype(real),
            "softplus": softplus(x.astype(np.longdouble)).astype(real),
            "erf": special.erf(x),
            "sin": np.sin(x),
            "cos": np.cos(x),
            "exp2": np.exp2(x),
            "log2": np.log2(x),
            "log10": np.log10(x),
            "cbrt": np.cbrt(x),
            "sinh": np.sinh(x),
            "cosh": np.cosh(x),
            "tan": np.tan(x),
            "arcsin": np.arcsin(x),
            "arccos": np.arccos(x),
            "arctan": np.arctan(x),
            "arcsinh": np.arcsinh(x),
            "arccosh": np.arccosh(x),
            "arctanh": np.arctanh(x),
            "erfc": special.erfc(x),
            "relu": np.maximum(x, 0),
            "sign": np.sign(x),
            "sqrt": np.sqrt(x),
            "isnan": np.isnan(x),
            "isfinite": np.isfinite(x),
        }
    for name, values in expected.items():
        got = apply(isa, real, name, x)
        np.testing.assert_allclose(got, values, rtol=4 * info.eps, atol=tiny, err_msg=name)
        if name in KEEP_THE_SIGN_OF_0:
            assert np.signbit(got[:2]).tolist() == [False, True], name


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("real", REALS)
def test_pow_follows_numpy_for_all_pairs_of_special_values(isa, real):
    values = [
        0.0,
        1.0,
        0.5,
        2.0,
        2.5,
        3.0,
        4.0,
        5e-324,
        1e-40,
        1e-3,
        0.9999,
        1.0001,
        8388609.0,
        1e20,
        1e30,
        1e300,
    ]
    values = np.array([*values, *(-v for v in values), np.inf, -np.inf, np.nan])
    with np.errstate(all="ignore"):
        x, y = (grid.ravel().astype(real) for grid in np.meshgrid(values, values))
        expected = np.power(x, y)
        exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    got = apply(isa, real, "pow", x, y)
    wrong = (np.isnan(got) != np.isnan(expected)) | (np.signbit(got) != np.signbit(expected)) & ~np.isnan(got)
    wrong |= units_in_last_place(got, exact) > LIMIT
    assert not wrong.any(), list(zip(x[wrong], y[wrong], got[wrong], expected[wrong]))[:5]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("real", REALS)
def test_pow_is_accurate_to_the_ends_of_the_range(isa, real):
    rng = np.random.default_rng(2)
    largest = np.log(np.finfo(real).max)
    logs = np.concatenate(
        [rng.uniform(-largest, largest, COUNT), rng.uniform(-1, 1, COUNT), rng.uniform(-0.01, 0.01, COUNT)]
    )
    x = np.exp(logs).astype(real)
    with np.errstate(all="ignore"):
        y = (rng.uniform(-1.1, 1.1, x.size) * largest / np.log(x.astype(float))).astype(real)
        exact = np.power(x.astype(np.longdouble), y.astype(np.longdouble))
    assert units_in_last_place(apply(isa, real, "pow", x, y), exact).max() <= LIMIT
    some = y[7]
    target = np.empty_like(x)
    run(isa, real, [operation("pow_imm", 1, 0, imm=float(some))], x.shape, [x], [target])
    assert np.array_equal(target, apply(isa, real, "pow", x, np.full_like(x, some)), equal_nan=True)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", [*FUNCTIONS, "pow"])
def test_a_value_has_the_same_bits_at_every_place(isa, real, name):
    """No lane depends on its neighbours or on where it stands, padded tails included."""
    x = np.abs(np.random.default_rng(3).normal(1, 2, 77)).astype(real)
    together = apply(isa, real, name, *[x] * (2 if name == "pow" else 1))
    for begin, end in ((0, 1), (1, 9), (5, 38), (40, 77)):
        part = np.ascontiguousarray(x[begin:end])
        alone = apply(isa, real, name, *[part] * (2 if name == "pow" else 1))
        assert alone.tobytes() == together[begin:end].tobytes()
