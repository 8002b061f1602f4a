"""Whole updates in one loop: the bits of one operation after the other, also where a chain must not be taken."""

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS, apply, operation, pack

import mathnet._kernels as kernels

INPUTS = (
    "p",
    "g",
    "m",
    "v",
    "decay",
    "beta1",
    "rate1",
    "beta2",
    "rate2",
    "step",
    "correction",
    "epsilon",
)
VECTORS = INPUTS[:4]
OUTPUTS = ("p'", "m'", "v'")


def program(scaled, decayed):
    """(opcode, result, what it reads) of Adam; factors stand in either order."""
    g, p = "gs" if scaled else "g", "pd" if decayed else "p"
    return [
        *([("mul", "gs", ("g", "correction"))] if scaled else []),
        ("mul_add_square_mul", "v'", ("v", "beta2", g, "rate2")),
        ("sqrt_mul_add", "root", ("v'", "correction", "epsilon")),
        *([("mul", "pd", ("decay", "p"))] if decayed else []),
        ("mul_add_mul", "m'", ("beta1", "m", g, "rate1")),
        ("sub_mul_div", "p'", ("m'", "step", "root", p)),
    ]


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("decayed", [False, True])
@pytest.mark.parametrize("n", [5, 517, 20_011])
@pytest.mark.parametrize(
    "case", ["chain", "root is an output", "root is read later", "vector for a rate", "in place"]
)
def test_a_chain_gives_the_bits_of_its_parts(isa, real, scaled, decayed, n, case):
    rng = np.random.default_rng(0)
    code = program(scaled, decayed)
    outputs = OUTPUTS
    if case == "root is an output":
        outputs = (*OUTPUTS, "root")
    elif case == "root is read later":
        outputs = (*OUTPUTS, "late")
        code = [*code, ("add", "late", ("root", "m'"))]
    vectors = (*VECTORS, "step") if case == "vector for a rate" else VECTORS
    values = {x: rng.uniform(0.1, 1.0, n if x in vectors else 1).astype(real) for x in INPUTS}
    expected = {x: np.broadcast_to(value, n).copy() for x, value in values.items()}
    for opcode, result, read in code:
        expected[result] = apply(isa, real, opcode, *[expected[x] for x in read])
    names = [*INPUTS, *outputs, *sorted({result for _, result, _ in code} - set(outputs))]
    packed = [operation(o, names.index(result), *map(names.index, read)) for o, result, read in code]
    inputs = [guard_page.copy(values[x]) for x in INPUTS]
    results = [guard_page.empty(n, real) for _ in outputs]
    if case == "in place":
        results = [inputs[0], inputs[2], inputs[3]]
    kernel = kernels.load_table(isa, real)["elementwise"]
    guard_page.run(kernel, pack(kernel, packed, (n,), inputs, results), [*inputs, *results])
    for name, result in zip(outputs, results):
        np.testing.assert_array_equal(result, expected[name])
