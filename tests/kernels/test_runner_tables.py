"""The runner over the kernels of the tables: addresses, descriptors and sizes fit together."""

import numpy as np

from mathnet._kernels import kernel
from mathnet._kernels.runner import Call, InputSpec, OutputSpec, Program

X, W, Y = (("external", index, 0) for index in range(3))


def instruction(name, real, operands, **fields):
    chosen = kernel(name, real)
    descriptor = chosen.pack(**fields)
    return ("kernel", chosen.address, descriptor, operands, chosen.sizes(descriptor), name)


def test_a_table_kernel_of_many_chunks_runs_as_an_instruction():
    n = 200_000
    program = Program([instruction("fill", "float32", (X,), n=n, itemsize=4, value=0x3F800000)], 0, 1, 1)
    y = np.zeros(n + 1, dtype=np.float32)
    program.run([y])
    np.testing.assert_array_equal(y[:n], 1)
    assert y[n] == 0


def test_a_call_over_gemm_is_deterministic_and_right():
    m, n, k = 5, 7, 11
    strides = dict(a_row=k, a_col=1, b_row=n, b_col=1, c_row=n, a_batch=(), b_batch=(), c_batch=())
    fields = dict(
        m=m, n=n, k=k, batch=1, batch_shape=(1, 1, 1), accumulate=0, bias=0, activation=0, **strides
    )
    program = Program([instruction("gemm", "float64", (X, W, Y), **fields)], 0, 3, 1)
    generator = np.random.default_rng(0)
    x, w = generator.standard_normal((m, k)), generator.standard_normal((k, n))
    program.bind_external(1, w)
    call = Call(program, [InputSpec(0, np.float64, (m, k))], [OutputSpec(2, np.float64, (m, n))], None)
    np.testing.assert_allclose(call(x), x @ w, rtol=1e-13, atol=1e-13)
    w *= 2  # variables are live
    np.testing.assert_allclose(call(x), x @ w, rtol=1e-13, atol=1e-13)
    assert call(x).tobytes() == call(x).tobytes()
