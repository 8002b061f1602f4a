"""Pairs of operations that run in one loop: the bits of two loops, whichever operands are single values."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS, apply, operation, pack

import mathnet._kernels as kernels


def operands(rng, real, single, n):
    return [
        np.array([rng.uniform(0.5, 2)], real) if one else rng.uniform(0.5, 2, n).astype(real)
        for one in single
    ]


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("first, second", sorted(kernels.OPCODE_PAIRS))
def test_a_pair_gives_the_bits_of_its_parts(isa, real, first, second):
    rng = np.random.default_rng(0)
    n = 8 * 70 + 5  # a whole block and the rest of another
    kernel = kernels.load_table(isa, real)["elementwise"]
    reads, reads_then = kernels.OPCODE_READS[first], kernels.OPCODE_READS[second]
    count = reads + reads_then - 1
    for single in itertools.product([False, True], repeat=count):
        if all(single):
            continue
        for position in range(reads_then):
            given = operands(rng, real, single, n)
            one = [np.broadcast_to(a, n).copy() for a in given]
            between = apply(isa, real, first, *one[:reads])
            then = [*one[reads : reads + position], between, *one[reads + position :]]
            expected = apply(isa, real, second, *then)
            registers = list(range(reads, count))
            registers.insert(position, count)
            code = [operation(first, count, *range(reads)), operation(second, count + 1, *registers)]
            inputs = [guard_page.copy(a) for a in given]
            outputs = [guard_page.empty(n, real), guard_page.empty(n, real)]
            guard_page.run(kernel, pack(kernel, code, (n,), inputs, outputs), [*inputs, *outputs])
            np.testing.assert_array_equal(outputs[0], between)
            np.testing.assert_array_equal(outputs[1], expected)


@pytest.mark.parametrize("isa", ISAS)
def test_a_pair_with_a_temporary_between_runs_in_blocks(isa):
    """y = b/(a + s) is one step, but the sum stands in a slot, which holds no more than a block."""
    rng = np.random.default_rng(1)
    a, s, b = operands(rng, "float32", (False, True, False), 5000)
    kernel = kernels.load_table(isa, "float32")["elementwise"]
    code = [operation("add", 4, 0, 1), operation("div", 3, 2, 4)]
    inputs, y = [guard_page.copy(v) for v in (a, s, b)], guard_page.empty(5000, "float32")
    guard_page.run(kernel, pack(kernel, code, (5000,), inputs, [y]), [*inputs, y])
    np.testing.assert_array_equal(y, b / (a + s))
