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
