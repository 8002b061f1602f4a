"""Random draws against a NumPy Philox written from the paper, and their statistics."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS
from scipy import stats

import mathnet._kernels as kernels

tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, ["float32", "float64"])))
MASK = np.uint64(0xFFFFFFFF)


def philox(counter, key):
    """Philox4x32-10: four words of uint64 (each below 2^32) per counter, whatever their shape."""
    a, b, c, d = (np.asarray(word, np.uint64) & MASK for word in counter)
    k0, k1 = (np.uint64(word) for word in key)
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (q >> np.uint64(32)) ^ b ^ k0, q & MASK, (p >> np.uint64(32)) ^ d ^ k1, p & MASK
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & MASK, (k1 + np.uint64(0xBB67AE85)) & MASK
    return a, b, c, d


def words(n, seed, stream, step, index=0):
    """The upper and lower 32 bits of every element."""
    low, high = (lambda x: x & 0xFFFFFFFF), (lambda x: x >> 32)
    key = philox([low(stream), high(stream), high(step), high(index)], [low(seed), high(seed)])[:2]
    e = np.arange(n, dtype=np.uint64)
    block = np.uint64(8) * (e // np.uint64(32)) + e % np.uint64(8)
    halves = []
    for half in (0, 1):
        top = block >> np.uint64(32) | np.uint64(half << 31)
        four = philox([block, top, np.full_like(e, low(step)), np.full_like(e, low(index))], key)
        halves.append(np.stack(np.broadcast_arrays(*four))[e % np.uint64(32) // np.uint64(8), np.arange(n)])
    return halves


def uniform(upper, lower):
    return (upper * np.uint64(1 << 21) + (lower >> np.uint64(11))).astype(float) * 2.0**-53


def normal(upper, lower):
    n = len(upper)
    u = (upper.astype(float) * 2.0**32 + lower + 0.5) * 2.0**-64
    j = np.arange(n)
    first, second = j - j % 16 + j % 8, j - j % 16 + j % 8 + 8
    radius, angle = np.sqrt(-2 * np.log(u[first])), 2 * np.pi * u[second]
    return radius * np.where(j % 16 < 8, np.cos(angle), np.sin(angle))


def draw(isa, real, name, n, seed=1, stream=2, step=3.0, index=None, order=None, **fields):
    kernel = kernels.load_table(isa, real)[f"random_{name}"]
    packed = kernel.pack(n=n, has_index=int(index is not None), seed=seed, stream=stream, **fields)
    y = guard_page.empty(n, real)
    counters = [np.array(float(step))] + ([] if index is None else [np.array(float(index))])
    chunks = list(range(kernel.sizes(packed).chunks))
    kernel.run(packed, [*counters, y], chunks[::-1] if order == "backwards" else chunks)
    return y


def test_the_oracle_gives_the_published_vectors():
    """Random123, kat_vectors: philox4x32 10."""
    assert [int(w) for w in philox([0] * 4, [0] * 2)] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = 0xFFFFFFFF
    assert [int(w) for w in philox([ones] * 4, [ones] * 2)] == [
        0x408F276D,
        0x41C83B0E,
        0xA20BC7C6,
        0x6D5451FD,
    ]
    pi = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]
    key = [0xA4093822, 0x299F31D0]
    assert [int(w) for w in philox(pi, key)] == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


CASES = [
    dict(seed=0, stream=0, step=0),
    dict(seed=2**64 - 1, stream=2**63 + 5, step=2**40 + 7, index=3),
    dict(seed=12345, stream=678, step=9, index=2**33),
]


@tables
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("n", [1, 31, 32, 5000])
def test_draws_are_the_documented_function(isa, real, case, n):
    size = n + -n % 32  # normal values come in pairs
    upper, lower = words(size, case["seed"], case["stream"], case["step"], case.get("index", 0))
    eps = 2 * np.finfo(real).eps
    got = draw(isa, real, "uniform", n, low=-1.0, high=3.0, **case)
    np.testing.assert_allclose(got, (-1 + 4 * uniform(upper, lower))[:n], rtol=0, atol=4 * eps)
    assert (
        draw(isa, real, "uniform", n, low=-1.0, high=3.0, order="backwards", **case).tobytes()
        == got.tobytes()
    )
    got = draw(isa, real, "normal", n, mean=0.5, std=2.0, **case)
    np.testing.assert_allclose(
        got, (0.5 + 2 * normal(upper, lower))[:n], rtol=0, atol=2e-5 if real == "float32" else 1e-12
    )
    got = draw(isa, real, "bernoulli", n, probability=0.3, **case)
    assert np.array_equal(got, (upper < np.uint64(int(0.3 * 2**32)))[:n])


@tables
def test_limits(isa, real):
    assert (draw(isa, real, "bernoulli", 1000, probability=1.0) == 1).all()
    assert (draw(isa, real, "bernoulli", 1000, probability=0.0) == 0).all()
    u = draw(isa, real, "uniform", 100_000, low=0.0, high=1.0)
    assert u.min() >= 0 and u.max() < 1
    assert np.isfinite(draw(isa, real, "normal", 100_000, mean=0.0, std=1.0)).all()
    assert draw(isa, real, "uniform", 0, low=0.0, high=1.0).size == 0


@tables
def test_statistics(isa, real):
    n = 50_000
    assert stats.kstest(draw(isa, real, "uniform", n, low=0.0, high=1.0), "uniform").pvalue > 1e-3
    assert stats.kstest(draw(isa, real, "normal", n, mean=0.0, std=1.0), "norm").pvalue > 1e-3
    assert abs(draw(isa, real, "bernoulli", n, probability=0.25).mean() - 0.25) < 0.01


def test_every_key_matters():
    base = dict(seed=1, stream=2, step=3.0, index=4)
    draws = [draw(kernels.isa(), "float32", "normal", 64, mean=0.0, std=1.0, **base)]
    for change in (
        dict(seed=2),
        dict(stream=3),
        dict(step=4.0),
        dict(index=5),
        dict(seed=1 + 2**32),
        dict(stream=2 + 2**32),
    ):
        draws.append(draw(kernels.isa(), "float32", "normal", 64, mean=0.0, std=1.0, **{**base, **change}))
    for a, b in itertools.combinations(draws, 2):
        assert not np.array_equal(a, b) and abs(np.corrcoef(a, b)[0, 1]) < 0.5
