"""The elementwise machine on integers: exact beyond 2^53, NumPy's rules for division and wrap-around."""

import numpy as np
import pytest
from elementwise_machine import ISAS, operation, run

import mathnet._kernels as kernels

BIG = 2**53 + 1
A = np.array([0, 1, -1, 7, -7, 7, -7, BIG, -BIG, 2**62, -(2**63), 2**63 - 1, 5, -5, 100, 3, 9, -9], np.int64)
B = np.array([0, 0, 2, 2, 2, -2, -2, 3, -1, 2, -1, 2, 5, 1, 7, 3, -4, -4], np.int64)
ORACLES = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "min": np.minimum,
    "max": np.maximum,
    "floor_divide": np.floor_divide,
    "remainder": np.remainder,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "eq": np.equal,
    "ne": np.not_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
}
UNARY = {
    "neg": np.negative,
    "abs": np.abs,
    "sign": np.sign,
    "square": np.square,
    "logical_not": np.logical_not,
    "copy": np.positive,
}
IMMEDIATE = {
    "add_imm": np.add,
    "mul_imm": np.multiply,
    "rsub_imm": lambda a, i: i - a,
    "max_imm": np.maximum,
    "min_imm": np.minimum,
    "lt_imm": np.less,
    "ge_imm": np.greater_equal,
    "eq_imm": np.equal,
}


def run_integers(isa, code, shape, inputs, outputs, *reduction):
    return run(isa, "float64", code, shape, inputs, outputs, *reduction, name="elementwise_i64")


@pytest.mark.parametrize("isa", ISAS)
def test_operations_agree_with_numpy(isa):
    with np.errstate(all="ignore"):
        for name, oracle in ORACLES.items():
            got = run_integers(isa, [operation(name, 2, 0, 1)], A.shape, [A, B], [np.empty_like(A)])[0]
            np.testing.assert_array_equal(got, oracle(A, B), err_msg=name)
        for name, oracle in UNARY.items():
            got = run_integers(isa, [operation(name, 1, 0)], A.shape, [A], [np.empty_like(A)])[0]
            np.testing.assert_array_equal(got, oracle(A), err_msg=name)
        for name, oracle in IMMEDIATE.items():
            got = run_integers(isa, [operation(name, 1, 0, imm=-3)], A.shape, [A], [np.empty_like(A)])[0]
            np.testing.assert_array_equal(got, oracle(A, np.int64(-3)), err_msg=name)
    got = run_integers(isa, [operation("select", 2, 0, 0, 1)], A.shape, [A, B], [np.empty_like(A)])[0]
    np.testing.assert_array_equal(got, np.where(A != 0, A, B))


@pytest.mark.parametrize("isa", ISAS)
def test_broadcasting_conversion_and_reduction(isa):
    x = np.arange(600, dtype=np.int64).reshape(20, 30) + BIG
    row = np.arange(30, dtype=np.int32)
    mask = np.arange(20)[:, None] % 2 == 0
    code = [operation("add", 4, 0, 1), operation("mul", 3, 4, 2)]
    got = run_integers(isa, code, x.shape, [x, row, mask], [np.empty_like(x)])[0]
    np.testing.assert_array_equal(got, (x + row) * mask)
    for kind, oracle in (("sum", np.sum), ("max", np.max), ("min", np.min), ("prod", np.prod)):
        for axes, kept in (((0,), (1, 30)), ((1,), (20, 1)), ((0, 1), (1, 1))):
            with np.errstate(all="ignore"):
                expected = oracle(x, axes, keepdims=True)
            code = [operation("copy", 1, 0)]
            got = run_integers(isa, code, x.shape, [x], [np.empty(kept, np.int64)], kind, axes)[0]
            np.testing.assert_array_equal(got, expected)
    flags = run_integers(isa, [operation("gt_imm", 1, 0, imm=10)], row.shape, [row], [np.empty(30, bool)])[0]
    np.testing.assert_array_equal(flags, row > 10)


def test_real_operations_are_rejected():
    kernel = kernels.kernel("elementwise_i64", "float64")
    with pytest.raises(ValueError, match="elementwise_i64 rejects"):
        run_integers(kernels.isa(), [operation("exp", 1, 0)], A.shape, [A], [A])
    assert (
        "elementwise_i64" not in kernels.load_table(kernels.isa(), "float32")
        and kernel.name == "elementwise_i64"
    )
