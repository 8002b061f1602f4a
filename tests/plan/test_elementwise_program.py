"""Packing of elementwise programs: registers are never overwritten before their last read, also when memory is shared."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mathnet as mn
from mathnet._kernels import OPCODES
from mathnet.plan.elementwise import _TAIL, MAX_REGISTERS, pack
from mathnet.plan.program import Program

NAMES = {code: name for name, code in OPCODES.items()}
MEANING = {
    "copy": lambda a, b, c, e, imm: a.copy(),
    "add": lambda a, b, c, e, imm: a + b,
    "sub": lambda a, b, c, e, imm: a - b,
    "mul": lambda a, b, c, e, imm: a * b,
    "neg": lambda a, b, c, e, imm: -a,
    "constant": lambda a, b, c, e, imm: np.full_like(a, imm),
    "add_imm": lambda a, b, c, e, imm: a + imm,
    "mul_imm": lambda a, b, c, e, imm: a * imm,
    "rsub_imm": lambda a, b, c, e, imm: imm - a,
    "select": lambda a, b, c, e, imm: np.where(a != 0, b, c),
    "mul3": lambda a, b, c, e, imm: a * b * imm,
    "mul_add": lambda a, b, c, e, imm: a * b + c,
    "mul_sub": lambda a, b, c, e, imm: a * b - c,
    "sub_mul": lambda a, b, c, e, imm: c - a * b,
    "mul_mul": lambda a, b, c, e, imm: a * b * c,
    "mul_imm_add": lambda a, b, c, e, imm: a * imm + b,
    "mul_imm_mul": lambda a, b, c, e, imm: a * imm * b,
    "mul_add_mul": lambda a, b, c, e, imm: a * b + c * e,
    "mul_add_square_mul": lambda a, b, c, e, imm: a * b + c * c * e,
}


def run(packed, inputs, n_outputs, shared=()):
    """The packed program on a machine whose shared outputs are the very memory of their inputs."""
    registers = [a.copy() for a in inputs]
    registers += [np.full_like(inputs[0], np.nan) for _ in range(packed.n_registers - len(inputs))]
    for i, o in shared:
        registers[len(inputs) + o] = registers[i]
    for k in range(packed.n_ops):
        op, d, a, b, c, e, *_, imm = _TAIL.unpack_from(packed.tail, k * _TAIL.size)
        registers[d][...] = MEANING[NAMES[op]](registers[a], registers[b], registers[c], registers[e], imm)
    return registers[len(inputs) : len(inputs) + n_outputs]


def build(data, n_inputs):
    program = Program(np.dtype("float64"))
    values = [program.input() for _ in range(n_inputs)]
    meaning = {id(v): k for k, v in enumerate(values)}
    recipe = []
    for _ in range(data.draw(st.integers(1, 25))):
        op = data.draw(st.sampled_from(["add", "sub", "mul", "neg", "select"]))
        arity = {"neg": 1, "select": 3}.get(op, 2)
        args = []
        for _ in range(arity):
            if op != "neg" and data.draw(st.integers(0, 5)) == 0:
                args.append(program.number(data.draw(st.sampled_from([0.5, -2.0, 3.0]))))
            else:
                args.append(data.draw(st.sampled_from(values)))
        if all(a.op == "number" for a in args):
            continue
        value = program(op, *args)
        recipe.append((value, op, args))
        values.append(value)
    chosen = [data.draw(st.sampled_from(values)) for _ in range(data.draw(st.integers(1, 4)))]
    program.outputs = list(chosen)
    return program, recipe, chosen, meaning


def expected(recipe, chosen, inputs, program):
    known = {id(v): inputs[k] for k, v in enumerate(program.inputs)}

    def value(v):
        return np.full_like(inputs[0], v.immediate) if v.op == "number" else known[id(v)]

    for result, op, args in recipe:
        arrays = [value(a) for a in args] + [inputs[0]] * 3
        known[id(result)] = MEANING[op](arrays[0], arrays[1], arrays[2], arrays[0], 0.0)
    return [value(v) for v in chosen]


@given(st.data(), st.integers(1, 4))
def test_packed_programs_compute_what_was_written(data, n_inputs):
    program, recipe, chosen, _ = build(data, n_inputs)
    inputs = [np.random.default_rng(k).integers(-3, 4, 5).astype(float) for k in range(n_inputs)]
    want = expected(recipe, chosen, inputs, program)
    shared = []
    if data.draw(st.booleans()):
        outputs = data.draw(st.permutations(range(len(chosen))))
        shared = [(i, o) for i, o in zip(range(n_inputs), outputs) if data.draw(st.booleans())]
    packed = pack(program, shared)
    assert packed.n_registers <= MAX_REGISTERS
    for got, right in zip(run(packed, inputs, len(chosen), shared), want):
        np.testing.assert_array_equal(got, right)


@given(st.data(), st.integers(1, 3))
def test_every_pair_reported_as_shareable_is(data, n_inputs):
    program, recipe, chosen, _ = build(data, n_inputs)
    inputs = [np.random.default_rng(k).integers(-3, 4, 5).astype(float) for k in range(n_inputs)]
    want = expected(recipe, chosen, inputs, program)
    packed = pack(program)
    for pair in packed.in_place:
        for got, right in zip(run(packed, inputs, len(chosen), [pair]), want):
            np.testing.assert_array_equal(got, right)


def test_numbers_become_immediates():
    program = Program(np.dtype("float32"))
    x = program.input()
    program.outputs = [program("mul", program("add", x, program.number(2.0)), program.number(3.0))]
    assert pack(program).listing == ["add_imm", "mul_imm"]


def listing(write, n_inputs=3):
    program = Program(np.dtype("float32"))
    program.outputs = list(write(program, *[program.input() for _ in range(n_inputs)]))
    return pack(program).listing


def test_pairs_become_one_pass_that_rounds_twice():
    assert listing(lambda p, x, y, z: [p("add", p("mul", x, y), z)]) == ["mul_add"]
    assert listing(lambda p, x, y, z: [p("add", z, p("mul", x, y))]) == ["mul_add"]
    assert listing(lambda p, x, y, z: [p("sub", z, p("mul", x, y))]) == ["sub_mul"]
    assert listing(lambda p, x, y, z: [p("add", p("mul", p("sqrt", x), y), z)]) == ["sqrt_mul_add"]
    assert listing(lambda p, x, y, z: [p("mul", x, p("sigmoid", p("mul", x, p.number(1.7))))]) == [
        "sigmoid_scaled_mul"
    ]


def test_the_moments_and_the_step_of_adam_are_four_passes():
    def write(p, theta, g, m, v, b1, c1, b2, c2, step, scale, eps):
        m = p("add", p("mul", b1, m), p("mul", c1, g))
        v = p("add", p("mul", b2, v), p("mul", c2, p("square", g)))
        down = p("add", p("mul", p("sqrt", v), scale), eps)
        return p("sub", theta, p("div", p("mul", step, m), down)), m, v

    found = listing(write, 11)
    assert sorted(found) == ["mul_add_mul", "mul_add_square_mul", "sqrt_mul_add", "sub_mul_div"]


def test_a_value_that_is_read_twice_is_not_swallowed():
    def write(p, x, y, z):
        product = p("mul", x, y)
        return p("add", product, z), product

    assert listing(write) == ["mul", "add"]


def test_equal_subexpressions_are_computed_once():
    program = Program(np.dtype("float32"))
    x = program.input()
    program.outputs = [program("mul", program("exp", x), program("exp", x))]
    assert pack(program).listing == ["exp", "mul"]


def test_kept_and_reduced_axes_in_turn():
    x = np.random.default_rng(0).normal(size=(2, 3, 2, 4, 3, 2))
    for axis in ((0, 2, 4), (1, 3, 5), (0, 2, 4, 5)):
        np.testing.assert_allclose(mn.sum(x, axis), np.sum(x, axis), rtol=1e-12)
        np.testing.assert_allclose(
            mn.sum(mn.exp(x) * x[:1], axis), np.sum(np.exp(x) * x[:1], axis), rtol=1e-12
        )
        np.testing.assert_array_equal(mn.sum(x[:, :0], axis), np.sum(x[:, :0], axis))


def test_a_sum_of_two_products_that_could_be_each_others_bias():
    x, y = np.random.default_rng(0).normal(size=(2, 1, 4))
    np.testing.assert_allclose(
        mn.function(lambda x, y: x @ x.T + y @ y.T)(x, y), x @ x.T + y @ y.T, rtol=1e-12
    )


def test_pairs_stand_side_by_side():
    def write(p, theta, g, m, v, b1, c1, b2, c2, step, scale, eps, decay):
        m = p("add", p("mul", b1, m), p("mul", c1, g))
        v = p("add", p("mul", b2, v), p("mul", c2, p("square", g)))
        down = p("add", p("mul", p("sqrt", v), scale), eps)
        return p("sub", p("mul", theta, decay), p("div", p("mul", step, m), down)), m, v

    found = listing(write, 12)
    assert found[:2] == ["mul_add_square_mul", "sqrt_mul_add"]
    assert found[-2:] == ["mul_add_mul", "sub_mul_div"]


@pytest.mark.parametrize("first", ["function", "slope"])
def test_a_function_and_its_slope_follow_each_other(first):
    """Whichever is wanted first: the machine computes both in one loop."""
    program = Program(np.dtype("float32"))
    x, dy = program.input(), program.input()
    y, dx = program("gelu", x), program("mul", dy, program("gelu_slope", x))
    program.outputs += [y, dx] if first == "function" else [program("mul", dx, dx), y]
    listing = pack(program).listing
    assert listing[listing.index("gelu") + 1] == "gelu_slope"
    assert listing.count("gelu") == listing.count("gelu_slope") == 1
