"""Operands that are drawn as they are read have the bits of the array that random_bernoulli writes."""

import itertools

import elementwise_machine as machine
import numpy as np
import pytest

import mathnet._kernels as kernels

DRAWN = np.dtype("V8")
tables = pytest.mark.parametrize("isa, real", list(itertools.product(machine.ISAS, ["float32", "float64"])))
KEY = {"seed": 2**40 + 7, "stream": 2**63 + 5, "probability": 0.7}

#: shape of the program, shape of the draw
SPACES = [
    ((1,), (1,)),
    ((3,), (3,)),
    ((997,), (997,)),
    ((20_011,), (20_011,)),
    ((37, 45), (37, 45)),
    ((1000, 10), (1000, 10)),
    ((5, 700), (5, 700)),
    ((37, 45), (1, 45)),
    ((37, 700), (37, 1)),
    ((300, 7), (1, 1)),
    ((3, 5, 4, 6), (3, 5, 1, 1)),
    ((3, 5, 7, 40), (1, 5, 1, 40)),
]


def draws(isa, real, n, step, index):
    """(what programs draw from, the array of the draws)"""
    table = kernels.load_table(isa, real)
    counters = [np.array(step), np.array(index)]
    source, array = np.zeros(24, np.uint8), np.full(n, np.nan, real)
    for name, target in (("bernoulli_draw", source), ("random_bernoulli", array)):
        kernel = table[name]
        kernel.run(kernel.pack(n=n, has_index=1, **KEY), [*counters, target], None)
    return source, array


def run(isa, real, code, shape, x, drawn_as, source, outputs, order=None, reduce=None, axes=()):
    kernel = kernels.load_table(isa, real)["elementwise"]
    packed = machine.pack(kernel, code, shape, [x, drawn_as], outputs, reduce, axes)
    chunks = list(range(kernel.sizes(packed).chunks))
    if order is not None and reduce is None:
        kernel.run(packed, [x, source, *outputs], chunks[::order])
    else:
        kernel.run(packed, [x, source, *outputs], None)


@tables
@pytest.mark.parametrize("shape, drawn", SPACES)
@pytest.mark.parametrize("order", [1, -1])
def test_bits(isa, real, shape, drawn, order):
    source, mask = draws(isa, real, int(np.prod(drawn)), 3.0, 2.0)
    x = np.random.default_rng(0).normal(size=shape).astype(real)
    y, kept = (np.full(shape, np.nan, real) for _ in range(2))
    code = [machine.operation("mul", 2, 0, 1), machine.operation("copy", 3, 1)]
    run(isa, real, code, shape, x, np.empty(drawn, DRAWN), source, [y, kept], order)
    mask = np.broadcast_to(mask.reshape(drawn), shape)
    np.testing.assert_array_equal(kept, mask)
    np.testing.assert_array_equal(y, x * mask)


@tables
def test_strided_and_reduced(isa, real):
    source, mask = draws(isa, real, 45 * 74, 3.0, 0.0)
    mask = mask.reshape(45, 74)
    x = np.ones((74, 45), real)
    y = np.full_like(x, np.nan)
    code = [machine.operation("mul", 2, 0, 1)]
    run(isa, real, code, x.shape, x, np.empty((45, 74), DRAWN).T, source, [y])
    np.testing.assert_array_equal(y, mask.T)
    sums = np.full((1, 45), np.nan, real)
    run(isa, real, code, x.shape, x, np.empty((45, 74), DRAWN).T, source, [sums], None, "sum", (0,))
    np.testing.assert_array_equal(sums[0], mask.sum(1))


@pytest.mark.parametrize("kernel, position", [("elementwise", 1), ("elementwise_i64", 0)])
def test_only_inputs_of_real_programs_are_drawn(kernel, position):
    kernel = kernels.load_table(machine.ISAS[0], "float64")[kernel]
    operands = [np.empty(3), np.empty(3)]
    operands[position] = np.empty(3, DRAWN)
    packed = machine.pack(kernel, [machine.operation("copy", 1, 0)], (3,), operands[:1], operands[1:])
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(packed)
