"""gather_rows and scatter_add_rows."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS

import mathnet._kernels as kernels

tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, ["float32", "float64"])))


@tables
@pytest.mark.parametrize(
    "rows, width, n", [(1, 1, 1), (10, 3, 50), (7, 64, 20), (5, 700, 9), (3, 40_000, 4), (4, 5, 0)]
)
def test_against_numpy(isa, real, rows, width, n):
    rng = np.random.default_rng(0)
    table = kernels.load_table(isa, real)
    fields = dict(rows=rows, width=width, n=n)
    x = guard_page.copy(rng.normal(size=(rows, width)).astype(real))
    dy = guard_page.copy(rng.normal(size=(n, width)).astype(real))
    indices = guard_page.copy(rng.integers(0, rows, n))
    y = guard_page.empty((n, width), real)
    gather = table["gather_rows"]
    gather.run(gather.pack(**fields, itemsize=x.itemsize), [x, indices, y])
    assert np.array_equal(y, x[indices])
    flags, chosen = guard_page.copy(x > 0), guard_page.empty((n, width), bool)
    gather.run(gather.pack(**fields, itemsize=1), [flags, indices, chosen])
    assert np.array_equal(chosen, flags[indices])
    expected = np.zeros_like(x)
    for i, row in enumerate(indices):
        expected[row] += dy[i]
    scatter = table["scatter_add_rows"]
    packed = scatter.pack(**fields)
    for order in (None, list(range(scatter.sizes(packed).chunks))[::-1]):
        dx = guard_page.empty((rows, width), real)
        scatter.run(packed, [dy, indices, dx], order)
        assert np.array_equal(dx, expected)


@tables
@pytest.mark.parametrize("name", ["gather_rows", "scatter_add_rows"])
@pytest.mark.parametrize("index", [-1, 3, 2**50])
def test_an_index_out_of_range_is_named(isa, real, name, index):
    kernel = kernels.load_table(isa, real)[name]
    operands = [np.zeros((3, 2), real), np.array([0, 2, index]), np.zeros((3, 2), real)]
    with pytest.raises(kernels.KernelFault) as caught:
        itemsize = {"itemsize": operands[0].itemsize} if name == "gather_rows" else {}
        kernel.run(kernel.pack(rows=3, width=2, n=3, **itemsize), operands)
    assert (caught.value.code, caught.value.position, caught.value.value) == (1, 2, index)


def test_bad_descriptors_are_rejected():
    kernel = kernels.kernel("gather_rows", "float32")
    with pytest.raises(ValueError, match="gather_rows rejects"):
        kernel.sizes(kernel.pack(rows=-1, width=2, n=3, itemsize=4))


@tables
@pytest.mark.parametrize("rows, width, n", [(1, 1, 1), (10, 3, 50), (5, 700, 9), (3, 4, 0)])
@pytest.mark.parametrize("kind", ["bool", "float32", "int64"])
def test_put_rows(isa, real, rows, width, n, kind):
    rng = np.random.default_rng(1)
    kernel = kernels.load_table(isa, real)["put_rows"]
    x = guard_page.copy(rng.integers(0, 2, (rows, width)).astype(kind))
    values = guard_page.copy(rng.integers(0, 2, (n, width)).astype(kind))
    indices = guard_page.copy(rng.integers(0, rows, n))
    packed = kernel.pack(rows=rows, width=width, n=n, itemsize=x.itemsize)
    expected = x.copy()
    for i, row in enumerate(indices):
        expected[row] = values[i]
    for order in (None, list(range(kernel.sizes(packed).chunks))[::-1]):
        y = guard_page.empty((rows, width), kind)
        kernel.run(packed, [x, values, indices, y], order)
        assert np.array_equal(y, expected)
    kernel.run(packed, [x, values, indices, x])  # in place
    assert np.array_equal(x, expected)


@tables
@pytest.mark.parametrize("n", [0, 1, 5, 40_000])
def test_wrap_index(isa, real, n):
    kernel = kernels.load_table(isa, real)["wrap_index"]
    indices = guard_page.copy(np.random.default_rng(2).integers(-7, 7, n))
    y = guard_page.empty((n,), "int64")
    kernel.run(kernel.pack(size=7, n=n), [indices, y])
    assert np.array_equal(y, indices % 7)


@tables
@pytest.mark.parametrize("index", [-4, 3, -(2**50)])
def test_an_index_that_cannot_be_wrapped_or_put_is_named(isa, real, index):
    table = kernels.load_table(isa, real)
    indices, y = np.array([0, -3, index]), np.zeros(3, np.int64)
    with pytest.raises(kernels.KernelFault) as caught:
        table["wrap_index"].run(table["wrap_index"].pack(size=3, n=3), [indices, y])
    assert (caught.value.code, caught.value.position, caught.value.value) == (1, 2, index)
    x, put = np.zeros((3, 2)), table["put_rows"]
    with pytest.raises(kernels.KernelFault) as caught:
        put.run(put.pack(rows=3, width=2, n=1, itemsize=8), [x, x[:1], indices[2:], np.zeros((3, 2))])
    assert (caught.value.code, caught.value.position, caught.value.value) == (1, 0, index)
