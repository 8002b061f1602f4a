"""The elementwise machine: every operation, every kind of operand, and the same bits however it is cut."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS, apply, operation, pack, run

import mathnet._kernels as kernels

REALS = ["float32", "float64"]
tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, REALS)))

#: opcode -> NumPy, from (a, b, c, immediate) in float64
ORACLES = {
    "constant": lambda a, b, c, i: np.full_like(a, i),
    "copy": lambda a, b, c, i: a,
    "add": lambda a, b, c, i: a + b,
    "sub": lambda a, b, c, i: a - b,
    "mul": lambda a, b, c, i: a * b,
    "div": lambda a, b, c, i: a / b,
    "neg": lambda a, b, c, i: -a,
    "abs": lambda a, b, c, i: np.abs(a),
    "sign": lambda a, b, c, i: np.sign(a),
    "square": lambda a, b, c, i: a * a,
    "floor": lambda a, b, c, i: np.floor(a),
    "ceil": lambda a, b, c, i: np.ceil(a),
    "round": lambda a, b, c, i: np.round(a),
    "min": lambda a, b, c, i: np.minimum(a, b),
    "max": lambda a, b, c, i: np.maximum(a, b),
    "lt": lambda a, b, c, i: a < b,
    "le": lambda a, b, c, i: a <= b,
    "gt": lambda a, b, c, i: a > b,
    "ge": lambda a, b, c, i: a >= b,
    "eq": lambda a, b, c, i: a == b,
    "ne": lambda a, b, c, i: a != b,
    "logical_and": lambda a, b, c, i: np.logical_and(a, b),
    "logical_or": lambda a, b, c, i: np.logical_or(a, b),
    "logical_not": lambda a, b, c, i: np.logical_not(a),
    "isnan": lambda a, b, c, i: np.isnan(a),
    "isfinite": lambda a, b, c, i: np.isfinite(a),
    "select": lambda a, b, c, i: np.where(a != 0, b, c),
    "add_imm": lambda a, b, c, i: a + i,
    "mul_imm": lambda a, b, c, i: a * i,
    "rsub_imm": lambda a, b, c, i: i - a,
    "div_imm": lambda a, b, c, i: a / i,
    "rdiv_imm": lambda a, b, c, i: i / a,
    "max_imm": lambda a, b, c, i: np.maximum(a, i),
    "min_imm": lambda a, b, c, i: np.minimum(a, i),
    "lt_imm": lambda a, b, c, i: a < i,
    "le_imm": lambda a, b, c, i: a <= i,
    "gt_imm": lambda a, b, c, i: a > i,
    "ge_imm": lambda a, b, c, i: a >= i,
    "eq_imm": lambda a, b, c, i: a == i,
    "ne_imm": lambda a, b, c, i: a != i,
    "fma": lambda a, b, c, i: a * b + c,
    "fnma": lambda a, b, c, i: c - a * b,
    "fma_imm": lambda a, b, c, i: a * i + b,
    "sigmoid_scaled": lambda a, b, c, i: 1 / (1 + np.exp(-i * a)),
    "one_minus_square": lambda a, b, c, i: 1 - a * a,
    "dsigmoid": lambda a, b, c, i: a - a * a,
    "trunc": lambda a, b, c, i: np.trunc(a),
    "copysign": lambda a, b, c, i: np.copysign(a, b),
    "fmod": lambda a, b, c, i: np.fmod(a, b),
    "relu_mask": lambda a, b, c, i: np.where(b > 0, a, 0),
    "mul3": lambda a, b, c, i: a * b * i,
    "sigmoid_mul": lambda a, b, c, i: b / (1 + np.exp(-a)),
    "sigmoid_scaled_mul": lambda a, b, c, i: b / (1 + np.exp(-i * a)),
}
#: Several operations in one pass: the bits of NumPy's operations in the same type, from (a, b, c, e, immediate).
COMBINED = {
    "mul_add": lambda a, b, c, e, i: a * b + c,
    "mul_sub": lambda a, b, c, e, i: a * b - c,
    "sub_mul": lambda a, b, c, e, i: c - a * b,
    "mul_mul": lambda a, b, c, e, i: a * b * c,
    "mul_div": lambda a, b, c, e, i: a * b / c,
    "sqrt_mul_add": lambda a, b, c, e, i: np.sqrt(a) * b + c,
    "mul_add_mul": lambda a, b, c, e, i: a * b + c * e,
    "mul_add_square_mul": lambda a, b, c, e, i: a * b + c * c * e,
    "sub_mul_div": lambda a, b, c, e, i: e - a * b / c,
    "mul_imm_add": lambda a, b, c, e, i: a * a.dtype.type(i) + b,
    "mul_imm_mul": lambda a, b, c, e, i: a * a.dtype.type(i) * b,
}
SPECIAL = [0.0, -0.0, 1.5, -2.5, np.inf, -np.inf, np.nan, 0.5, 3.0, 1e-3, -1e-3, 7.0]
#: Tested with their accuracy in test_vector_math.py.
EXACT_ELSEWHERE = set(
    "sqrt rsqrt reciprocal exp expm1 log log1p tanh sigmoid softplus relu erf sin cos pow pow_imm "
    "exp2 log2 log10 cbrt sinh cosh tan arcsin arccos arctan arcsinh arccosh arctanh erfc gaussian gelu elu_imm "
    # and in test_special_functions.py
    "hypot arctan2 lgamma erfinv gammainc gammaincc betainc polygamma sinc".split()
)
#: Tested in test_activations.py.
IN_ACTIVATIONS = {"silu", "elu"} | set(kernels.OPCODE_SLOPES.values())
INTEGER_ONLY = {"floor_divide", "remainder"}


def test_every_opcode_has_an_oracle():
    assert (
        kernels.OPCODES.keys()
        == ORACLES.keys() | COMBINED.keys() | EXACT_ELSEWHERE | IN_ACTIVATIONS | INTEGER_ONLY
    )


@tables
@pytest.mark.parametrize("name", ORACLES)
def test_operation_agrees_with_numpy(isa, real, name):
    rng = np.random.default_rng(0)
    a, b, c = (np.array(list(t), real) for t in zip(*itertools.product(SPECIAL, SPECIAL, [2.0, -0.75])))
    a, b, c = (np.concatenate([x, rng.normal(0, 3, 77).astype(real)]) for x in (a, b, c))
    reads = kernels.OPCODE_READS[name]
    got = apply(isa, real, name, *(a, b, c)[: max(reads, 1)], imm=1.75)
    with np.errstate(all="ignore"):
        expected = ORACLES[name](*(x.astype(float) for x in (a, b, c)), 1.75)
        rtol = 0 if not name.startswith("sigmoid") else 5 * np.finfo(real).eps
        if name in ("fma", "fnma", "fma_imm", "mul3", "one_minus_square", "dsigmoid"):
            np.testing.assert_allclose(got, expected, rtol=4e-7 if real == "float32" else 1e-15, atol=1e-6)
        else:
            np.testing.assert_allclose(got, np.asarray(expected).astype(real), rtol=rtol)


@tables
@pytest.mark.parametrize("name", COMBINED)
def test_combined_operations_round_like_their_parts(isa, real, name):
    rng = np.random.default_rng(1)
    special = (np.array(list(t), real) for t in zip(*itertools.product(SPECIAL, SPECIAL, [2.0, -0.75])))
    a, b, c = (np.concatenate([x, rng.normal(0, 3, 501).astype(real)]) for x in special)
    e = np.roll(a, 7)
    got = apply(isa, real, name, *(a, b, c, e)[: kernels.OPCODE_READS[name]], imm=1.7)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, COMBINED[name](a, b, c, e, 1.7))


#: three operations with a temporary that is used again: y = σ(1.5x)·x + z, w = y·y
PROGRAM = [
    operation("sigmoid_scaled", 4, 0, imm=1.5),
    operation("mul", 4, 4, 0),
    operation("add", 2, 4, 1),
    operation("square", 3, 2),
]


def expected_of_program(x, z):
    x, z = x.astype(float), z.astype(float)
    y = x / (1 + np.exp(-1.5 * x)) + z
    return y, y * y


SHAPES = [
    ((1,), (1,), (1,)),
    ((7,), (7,), (1,)),
    ((64,), (64,), (64,)),
    ((515,), (515,), (515,)),
    ((40_001,), (40_001,), (1,)),
    ((33, 10), (33, 10), (10,)),
    ((33, 10), (33, 10), (33, 1)),
    ((300, 3), (1, 3), (300, 1)),
    ((5, 700), (5, 700), (700,)),
    ((5, 700), (5, 1), (5, 700)),
    ((2, 40_000), (2, 40_000), (2, 1)),
    ((4, 3, 50), (4, 3, 50), (3, 1)),
    ((4, 3, 50), (4, 1, 50), (1, 3, 50)),
    ((3, 4, 5, 6), (3, 1, 5, 1), (1, 4, 1, 6)),
    ((3, 4, 1, 600), (4, 1, 1), (3, 4, 1, 600)),
    ((50, 40, 3, 2), (50, 40, 3, 2), (3, 2)),
]


@tables
@pytest.mark.parametrize("shape, left, right", SHAPES)
def test_broadcasting(isa, real, shape, left, right):
    rng = np.random.default_rng(1)
    x, z = (guard_page.copy(rng.normal(size=s).astype(real)) for s in (left, right))
    y, w = (guard_page.empty(shape, real) for _ in range(2))
    run(isa, real, PROGRAM, shape, [x, z], [y, w])
    for got, expected in zip((y, w), expected_of_program(*np.broadcast_arrays(x, z))):
        np.testing.assert_allclose(got, expected, rtol=1e-5 if real == "float32" else 1e-13, atol=1e-6)
    again = [guard_page.empty(shape, real) for _ in range(2)]
    kernel = kernels.load_table(isa, real)["elementwise"]
    packed = pack(kernel, PROGRAM, shape, [x, z], again)
    order = list(range(kernel.sizes(packed).chunks))[::-1]
    kernel.run(packed, [guard_page.copy(x), guard_page.copy(z), *again], order)
    assert again[0].tobytes() == y.tobytes() and again[1].tobytes() == w.tobytes()


@tables
def test_bits_do_not_depend_on_layout_alignment_or_batch(isa, real):
    rng = np.random.default_rng(2)
    x, z = (rng.normal(size=(37, 45)).astype(real) for _ in range(2))
    y, w = run(isa, real, PROGRAM, x.shape, [x, z], [np.empty_like(x) for _ in range(2)])
    layouts = [
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, axis=1)[:, ::2],
        lambda a: np.concatenate([a, a], axis=1)[:, 45:],
        lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
        lambda a: np.frombuffer(b"\0" * a.itemsize + a.tobytes(), real)[1:].reshape(a.shape),
    ]
    for layout in layouts:
        left, right = layout(x), layout(z)
        out = [layout(np.full_like(x, np.nan)).copy(order="K") for _ in range(2)]
        run(isa, real, PROGRAM, x.shape, [left, right], out)
        assert np.array_equal(out[0], y) and np.array_equal(out[1], w)
    for row in (0, 20, 36):
        alone = run(
            isa, real, PROGRAM, (1, 45), [x[row : row + 1], z[row : row + 1]], [np.empty((1, 45), real)] * 2
        )
        assert np.array_equal(alone[1], w[row : row + 1])


@tables
def test_strided_outputs(isa, real):
    x = np.arange(60, dtype=real).reshape(6, 10)
    whole = np.full((12, 30), np.nan, real)
    run(isa, real, [operation("add_imm", 1, 0, imm=1)], x.shape, [x], [whole[1::2, 2::3]])
    assert np.array_equal(whole[1::2, 2::3], x + 1)
    assert np.isnan(whole).sum() == whole.size - x.size


@tables
def test_every_storage_type_converts_in_and_out(isa, real):
    values = np.array([0, 1, 2, 250, 3, 0, 7, 19, 100, 1, 0, 5])
    dtypes = ("float32", "float64", "int64", "int32", "uint64", "bool")
    for source, target in itertools.product(dtypes, dtypes):
        for length in (12, 3):
            x = guard_page.copy(values[:length].astype(source))
            y = guard_page.empty(length, target)
            run(isa, real, [operation("add_imm", 1, 0, imm=1)], (length,), [x], [y])
            np.testing.assert_array_equal(y, (x.astype(float) + 1).astype(target))
    strided = np.arange(24, dtype="int32")[::2]
    column = np.array([[True], [False]])
    target = np.empty((2, 12), "float64")
    run(isa, real, [operation("mul", 2, 0, 1)], (2, 12), [column, strided], [target])
    np.testing.assert_array_equal(target, column * strided)


@tables
def test_float64_scalars_are_broadcast(isa, real):
    x = np.linspace(0, 1, 1001).astype(real)
    rate = np.array(0.1)
    y = run(isa, real, [operation("mul", 2, 0, 1)], x.shape, [x, rate], [np.empty_like(x)])[0]
    np.testing.assert_array_equal(y, x * rate.astype(real))


@tables
@pytest.mark.parametrize("n", [5, 64, 515, 20_000])
def test_in_place(isa, real, n):
    """An Adam-like step over its own operands, and a program that reads what it has written over."""
    rng = np.random.default_rng(3)
    p, g, m, v = (np.abs(rng.normal(size=n)).astype(real) for _ in range(4))
    code = [
        operation("sub", 7, 1, 2),
        operation("mul_imm", 7, 7, imm=0.1),
        operation("add", 5, 2, 7),
        operation("square", 7, 1),
        operation("sub", 7, 7, 3),
        operation("mul_imm", 7, 7, imm=0.01),
        operation("add", 6, 3, 7),
        operation("sqrt", 7, 6),
        operation("add_imm", 7, 7, imm=1e-8),
        operation("div", 7, 5, 7),
        operation("mul_imm", 7, 7, imm=0.001),
        operation("sub", 4, 0, 7),
    ]
    apart = run(isa, real, code, (n,), [p, g, m, v], [np.empty_like(p) for _ in range(3)])
    together = [p.copy(), m.copy(), v.copy()]
    run(isa, real, code, (n,), [together[0], g, *together[1:]], together)
    assert all(np.array_equal(a, b) for a, b in zip(apart, together))

    x, z = p.copy(), g.copy()  # swaps: register 2 is x's memory, written before register 0 is read
    run(isa, real, [operation("copy", 2, 1), operation("copy", 3, 0)], (n,), [x, z], [x, z])
    assert np.array_equal(x, g) and np.array_equal(z, p)


@tables
def test_nothing_happens_to_empty_operands(isa, real):
    for shape in ((0,), (3, 0), (0, 5)):
        run(isa, real, [operation("neg", 1, 0)], shape, [np.empty(shape, real)], [np.empty(shape, real)])


@tables
def test_most_operands_and_registers(isa, real):
    rng = np.random.default_rng(4)
    inputs = [rng.normal(size=100).astype(real) for _ in range(15)]
    code = (
        [operation("copy", 47, 0)]
        + [operation("add", 47, 47, i) for i in range(1, 15)]
        + [operation("copy", 15, 47)]
    )
    total = run(isa, real, code, (100,), inputs, [np.empty(100, real)])[0]
    np.testing.assert_allclose(total, np.sum(inputs, 0), rtol=1e-4, atol=1e-5)


BAD = {
    "no axes": dict(rank=0),
    "too many axes": dict(rank=5),
    "negative size": dict(shape=[-1]),
    "unknown storage type": dict(dtype=[0, 9]),
    "no outputs": dict(n_inputs=2, n_outputs=0),
    "too few registers": dict(n_registers=1),
    "too many registers": dict(n_registers=49),
    "unknown reduction": dict(reduce=5),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_descriptors_are_rejected(case):
    kernel = kernels.kernel("elementwise", "float32")
    good = kernel.unpack(
        pack(kernel, [operation("neg", 1, 0)], (4,), [np.zeros(4, "f4")], [np.zeros(4, "f4")])
    )
    packed = kernel.pack(operation("neg", 1, 0), **{**good, **BAD[case]})
    with pytest.raises(ValueError, match="kernel elementwise rejects the descriptor"):
        kernel.sizes(packed)


@pytest.mark.parametrize(
    "code",
    [
        operation("neg", 0, 0),
        operation("neg", 2, 0),
        operation("add", 1, 0, 2),
        operation("remainder", 1, 0, 0),
    ],
    ids=["writes an input", "writes beyond", "reads beyond", "integer operation"],
)
def test_bad_programs_are_rejected(code):
    kernel = kernels.kernel("elementwise", "float32")
    good = kernel.unpack(
        pack(kernel, [operation("neg", 1, 0)], (4,), [np.zeros(4, "f4")], [np.zeros(4, "f4")])
    )
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(kernel.pack(code, **good))
    with pytest.raises(ValueError, match="n_ops = 1 items of 24 bytes expected"):
        kernel.pack(code + code, **good)


def test_work_grows_with_the_program():
    kernel = kernels.kernel("elementwise", "float32")
    x = np.zeros(10_000, "f4")
    cheap, dear = (
        kernel.sizes(pack(kernel, [operation(name, 1, 0)] * 3, x.shape, [x], [x])).work
        for name in ("neg", "tanh")
    )
    assert 100 < cheap < dear
