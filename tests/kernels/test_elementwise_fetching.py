"""Programs over more memory than the caches hold, whose steps fetch blocks to come: the bits of the same program in pieces."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS, operation, pack, run

import mathnet._kernels as kernels

REALS = ["float32", "float64"]
N = 220_003  # with 16 operands of float32, 13.4 MiB
PIECE = 60_000  # 7.3 MiB in float64
ONE_AT_A_TIME = {"lgamma", "erfinv", "gammainc", "gammaincc", "betainc", "polygamma", "sinc", "hypot", "fmod", "pow",
                 "pow_imm", "cbrt", "log10", "arctan2", "arcsinh", "arccosh", "arctanh"}  # fmt: skip
OPCODES = sorted(kernels.OPCODES.keys() - ONE_AT_A_TIME - {"floor_divide", "remainder"})
OUTPUTS = 13
tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, REALS)))


@tables
@pytest.mark.parametrize("single", [False, True])
def test_every_operation_that_writes_to_memory(isa, real, single):
    """Each output is touched by one step only; with a single value among what it reads, too."""
    rng = np.random.default_rng(0)
    a, b = (rng.uniform(0.1, 1.0, N).astype(real) for _ in range(2))
    c = np.array([0.7], real) if single else rng.uniform(0.1, 1.0, N).astype(real)
    y = [np.full(N, np.nan, real) for _ in range(OUTPUTS)]
    for begin in range(0, len(OPCODES), OUTPUTS):
        group = (OPCODES + OPCODES)[begin : begin + OUTPUTS]
        code = [operation(name, 3 + k, 0, 2, 1, 2, imm=1.25) for k, name in enumerate(group)]
        run(isa, real, code, (N,), [a, b, c], y)
        for at in range(0, N, PIECE):
            part = slice(at, at + PIECE)
            inputs = [a[part], b[part], c if single else c[part]]
            pieces = [np.full(len(inputs[0]), np.nan, real) for _ in y]
            run(isa, real, code, pieces[0].shape, inputs, pieces)
            for name, whole, piece in zip(group, y, pieces):
                assert whole[part].tobytes() == piece.tobytes(), name


@tables
def test_an_update_in_place_at_the_end_of_memory(isa, real):
    """Pairs, operands that are read and written, and nothing touched behind them."""
    rng = np.random.default_rng(1)
    n = (1 << 20) + 13
    p, g, m, v = (guard_page.copy(rng.uniform(0.1, 1.0, n).astype(real)) for _ in range(4))
    rates = [np.array([x], real) for x in (0.9, 0.1, 0.999, 0.001, 1e-3, 31.0, 1e-8)]
    code = [
        operation("mul_add_square_mul", 13, 3, 6, 1, 7),
        operation("sqrt_mul_add", 14, 13, 9, 10),
        operation("mul_add_mul", 12, 2, 4, 1, 5),
        operation("sub_mul_div", 11, 8, 12, 14, 0),
    ]
    expected = []
    for at in range(0, n, PIECE):
        part = [x[at : at + PIECE].copy() for x in (p, g, m, v)]
        run(isa, real, code, part[0].shape, [*part, *rates], [part[0], part[2], part[3]])
        expected.append(part)
    kernel = kernels.load_table(isa, real)["elementwise"]
    kernel.run(pack(kernel, code, (n,), [p, g, m, v, *rates], [p, m, v]), [p, g, m, v, *rates, p, m, v], None)
    for whole, parts in zip((p, g, m, v), zip(*expected)):
        assert whole.tobytes() == np.concatenate(parts).tobytes()
