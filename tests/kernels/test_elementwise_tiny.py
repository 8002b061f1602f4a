"""Programs over a few elements have a path of their own, with the bits of the general one."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS, operation, run

tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, ["float32", "float64"])))
SIZES = [1, 2, 3, 7, 8, 9, 16, 17, 31, 64, 127, 128, 129]

#: y = tanh(x)·s + z with the number s
MAP = [operation("tanh", 3, 0), operation("mul_add", 3, 3, 1, 2)]


def arrays(real, n):
    rng = np.random.default_rng(n)
    return rng.normal(size=n).astype(real), np.float64(1.7).reshape(()), rng.normal(size=n).astype(real)


def strided(x):
    """The same elements with gaps: never tiny."""
    wide = np.full(2 * x.size, np.nan, x.dtype)
    wide[::2] = x
    return wide[::2]


@tables
@pytest.mark.parametrize("n", SIZES)
def test_a_map_has_the_bits_of_the_general_path(isa, real, n):
    x, s, z = arrays(real, n)
    (tiny,) = run(
        isa, real, MAP, (n,), [guard_page.copy(x), s, guard_page.copy(z)], [np.full(n, np.nan, real)]
    )
    (general,) = run(isa, real, MAP, (n,), [strided(x), s, strided(z)], [strided(np.zeros(n, real))])
    assert tiny.tobytes() == np.ascontiguousarray(general).tobytes()


@tables
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("kind", ["sum", "max", "prod"])
def test_a_reduction_has_the_bits_of_the_general_path(isa, real, n, kind):
    x, s, z = arrays(real, n)
    (tiny,) = run(isa, real, MAP, (n,), [x, s, z], [np.full(1, np.nan, real)], kind, (0,))
    (general,) = run(isa, real, MAP, (n,), [strided(x), s, strided(z)], [np.zeros(1, real)], kind, (0,))
    assert tiny.tobytes() == general.tobytes()


@tables
@pytest.mark.parametrize("rows, columns", [(2, 3), (4, 8), (4, 1), (1, 5), (32, 4), (7, 9), (128, 1)])
def test_a_sum_over_rows_has_the_bits_of_the_general_path(isa, real, rows, columns):
    x, s, z = arrays(real, rows * columns)
    shape = (rows, columns)
    target = np.full((1, columns), np.nan, real)
    (tiny,) = run(isa, real, MAP, shape, [x.reshape(shape), s, z.reshape(shape)], [target], "sum", (0,))
    wide = [
        strided(a).reshape(shape)
        if columns == 1
        else np.lib.stride_tricks.as_strided(
            strided(a).base, shape, (2 * columns * a.itemsize, 2 * a.itemsize)
        )
        for a in (x, z)
    ]
    (general,) = run(
        isa, real, MAP, shape, [wide[0], s, wide[1]], [np.zeros((1, columns), real)], "sum", (0,)
    )
    assert tiny.tobytes() == general.tobytes()


@tables
def test_in_place_and_guarded(isa, real):
    for n in SIZES:
        x, s, z = arrays(real, n)
        (want,) = run(isa, real, MAP, (n,), [x, s, z], [np.empty(n, real)])
        own = guard_page.copy(x)
        run(isa, real, MAP, (n,), [own, s, z], [own])
        assert own.tobytes() == want.tobytes()
