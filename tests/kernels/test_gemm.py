"""gemm: against float64 NumPy, and bit for bit against itself on every other path."""

import struct

import guard_page
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mathnet._kernels as kernels

USABLE = [name for name in kernels.built() if kernels.cpu_runs(name)]
ACTIVATIONS = {
    0: lambda x: x,
    1: lambda x: np.maximum(x, 0),
    2: np.tanh,
    3: lambda x: 1 / (1 + np.exp(-x)),
}
TABLES = pytest.mark.parametrize(
    "isa, real", [(isa, real) for isa in USABLE for real in ("float32", "float64")]
)

sizes = st.one_of(st.integers(1, 20), st.sampled_from([0, 31, 33, 64, 65, 100, 131]))
depths = st.one_of(st.integers(0, 20), st.sampled_from([63, 64, 65, 128, 130, 511, 512, 513, 700]))
seeds = st.integers(0, 2**32 - 1)


def describe(
    kernel,
    m,
    n,
    k,
    *,
    a=None,
    b=None,
    c=None,
    batch=(),
    a_batch=(),
    b_batch=(),
    c_batch=(),
    accumulate=0,
    bias=0,
    activation=0,
):
    """A packed descriptor; a, b, c are (row, column) strides in elements, dense when left out."""
    a_row, a_col = a or (k, 1)
    b_row, b_col = b or (n, 1)
    return kernel.pack(
        m=m, n=n, k=k, a_row=a_row, a_col=a_col, b_row=b_row, b_col=b_col, c_row=n if c is None else c,
        batch=int(np.prod(batch)), batch_shape=batch, a_batch=a_batch, b_batch=b_batch, c_batch=c_batch,
        accumulate=accumulate, bias=bias, activation=activation,
    )  # fmt: skip


def multiply(kernel, a, b, *, c=None, bias=None, activation=0, order=None):
    """activation([c +] a @ b + bias) for strided 2-D arrays."""
    (m, k), n, item = a.shape, b.shape[1], a.itemsize
    out = np.full((m, n), np.nan, a.dtype) if c is None else c.copy()
    packed = describe(
        kernel, m, n, k, a=(a.strides[0] // item, a.strides[1] // item), b=(b.strides[0] // item, b.strides[1] // item),
        accumulate=int(c is not None), bias=int(bias is not None), activation=activation,
    )  # fmt: skip
    if order is not None:
        order = order(kernel.sizes(packed).chunks)
    guard_page.run(kernel, packed, [x for x in (a, b, bias, out) if x is not None], order=order)
    return out


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def strided(values, form):
    """The same matrix in other memory: row-major, transposed, or with gaps in both directions."""
    if form == "rows":
        return np.ascontiguousarray(values)
    if form == "columns":
        return np.asfortranarray(values)
    wide = np.full((values.shape[0] * 2, values.shape[1] * 3), np.nan, values.dtype)
    wide[::2, ::3] = values
    return wide[::2, ::3]


def assert_close(actual, exact, terms, magnitude):
    """|error| at most one rounding per term, of the size of the terms."""
    eps = np.finfo(actual.dtype).eps
    np.testing.assert_array_less(np.abs(actual - exact), (terms + 4) * eps * (magnitude + 1))


@TABLES
@settings(max_examples=120, deadline=None)
@given(data=st.data(), m=sizes, n=sizes, k=depths, seed=seeds)
def test_any_shape_and_stride(isa, real, data, m, n, k, seed):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(seed)
    a, b, c = normal(rng, (m, k), real), normal(rng, (k, n), real), normal(rng, (m, n), real)
    bias = normal(rng, n, real) if data.draw(st.booleans(), "bias") else None
    activation = data.draw(st.sampled_from(list(ACTIVATIONS)), "activation")
    accumulate = data.draw(st.booleans(), "accumulate")
    forms = st.sampled_from(["rows", "columns", "gaps"])
    actual = multiply(
        kernel, strided(a, data.draw(forms, "a")), strided(b, data.draw(forms, "b")),
        c=c if accumulate else None, bias=bias, activation=activation,
    )  # fmt: skip
    start = c.astype("float64") if accumulate else 0
    exact = start + a.astype("float64") @ b.astype("float64") + (0 if bias is None else bias)
    magnitude = (
        np.abs(start) + np.abs(a.astype("float64")) @ np.abs(b) + (0 if bias is None else np.abs(bias))
    )
    assert_close(actual, ACTIVATIONS[activation](exact), k, magnitude)


@TABLES
@settings(max_examples=60, deadline=None)
@given(data=st.data(), m=sizes, n=sizes, k=depths, seed=seeds)
def test_bits_do_not_depend_on_batch_strides_or_column_count(isa, real, data, m, n, k, seed):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(seed)
    a, b = normal(rng, (m, k), real), normal(rng, (k, n), real)
    whole = multiply(kernel, a, b)
    for a_form in ("columns", "gaps"):
        for b_form in ("columns", "gaps"):
            np.testing.assert_array_equal(multiply(kernel, strided(a, a_form), strided(b, b_form)), whole)
    if m and n:
        i, j = data.draw(st.integers(0, m - 1), "row"), data.draw(st.integers(0, n - 1), "column")
        np.testing.assert_array_equal(multiply(kernel, a[i : i + 1], b), whole[i : i + 1])
        np.testing.assert_array_equal(multiply(kernel, a[i:], b[:, j:]), whole[i:, j:])
        np.testing.assert_array_equal(multiply(kernel, a, b[:, j : j + 1]), whole[:, j : j + 1])
        np.testing.assert_array_equal(multiply(kernel, b.T, a.T), whole.T)


@TABLES
def test_chain_is_one_multiply_add_after_another(isa, real):
    """Accumulating K pieces by single steps gives the bits of the whole: nothing is summed in between."""
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(5)
    a, b = normal(rng, (7, 150), real), normal(rng, (150, 21), real)
    steps = np.zeros((7, 21), real)
    for k in range(150):
        steps = multiply(kernel, a[:, k : k + 1], b[k : k + 1], c=steps)
    np.testing.assert_array_equal(steps, multiply(kernel, a, b))


@TABLES
@pytest.mark.parametrize(
    "m, n, k, form",
    [(1, 3000, 700, "rows"), (32, 130, 784, "rows"), (500, 130, 40, "columns"), (230, 530, 600, "columns"),
     (400, 520, 300, "columns"), (130, 131, 515, "columns"), (3000, 1, 500, "rows"), (70, 530, 1024, "rows"),
     (1030, 1, 1024, "rows")],
)  # fmt: skip
def test_large_products_are_cut_and_keep_their_bits(isa, real, m, n, k, form):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(m)
    a, b, bias = normal(rng, (m, k), real), normal(rng, (k, n), real), normal(rng, n, real)
    stored = strided(a, form)
    assert kernel.sizes(describe(kernel, m, n, k, a=(1, m) if form == "columns" else None)).chunks > 1
    whole = multiply(kernel, stored, b, bias=bias, activation=1)
    assert_close(
        whole, np.maximum(a.astype("float64") @ b + bias, 0), k, np.abs(a).astype("float64") @ np.abs(b)
    )
    backwards = multiply(
        kernel, stored, b, bias=bias, activation=1, order=lambda chunks: reversed(range(chunks))
    )
    np.testing.assert_array_equal(backwards, whole)
    for i in (0, m // 2, m - 1):
        np.testing.assert_array_equal(multiply(kernel, a[i : i + 1], b, bias=bias, activation=1)[0], whole[i])


@TABLES
def test_a_vector_and_a_matrix_that_is_contiguous_along_k_are_cut(isa, real):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(3)
    a, b = normal(rng, (1, 700), real), strided(normal(rng, (700, 421), real), "columns")
    for left, right, strides in ((a, b, {"b": (1, 700)}), (b.T, a.T, {})):
        shape = left.shape[0], right.shape[1], 700
        assert kernel.sizes(describe(kernel, *shape, **strides)).chunks > 1
        backwards = multiply(kernel, left, right, order=lambda chunks: reversed(range(chunks)))
        expected = multiply(kernel, normal(rng, (2, 700), real) * 0 + a, np.ascontiguousarray(b))[0]
        np.testing.assert_array_equal(backwards.ravel(), expected)


@TABLES
@pytest.mark.parametrize("k", [8, 29])
def test_row_of_a_wide_product_has_the_bits_of_the_row_alone(isa, real, k):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(k)
    m, n = 7, 2103
    a, b, c = normal(rng, (m, k), real), normal(rng, (k, n), real), normal(rng, (m, n), real)
    bias = normal(rng, n, real)
    for more in ({}, {"bias": bias, "activation": 2}):
        whole, resumed = multiply(kernel, a, b, **more), multiply(kernel, a, b, c=c, **more)
        for i in range(m):
            np.testing.assert_array_equal(multiply(kernel, a[i : i + 1], b, **more), whole[i : i + 1])
            row = multiply(kernel, a[i : i + 1], b, c=c[i : i + 1], **more)
            np.testing.assert_array_equal(row, resumed[i : i + 1])


@TABLES
def test_batches_broadcast_and_are_cut(isa, real):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(0)
    a, b = normal(rng, (3, 1, 40, 9), real), normal(rng, (5, 9, 30), real)
    out = np.full((3, 5, 40, 30), np.nan, real)
    packed = describe(
        kernel, 40, 30, 9, batch=(3, 5), a_batch=(360, 0), b_batch=(0, 270), c_batch=(6000, 1200)
    )
    kernel.run(packed, [a, b, out])
    np.testing.assert_allclose(out, a.astype("float64") @ b, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(out[1, 3], multiply(kernel, a[1, 0], b[3]))
    many_a, many_b = normal(rng, (7, 60, 70), real), normal(rng, (7, 70, 80), real)
    out = np.full((7, 60, 80), np.nan, real)
    packed = describe(kernel, 60, 80, 70, batch=(7,), a_batch=(4200,), b_batch=(5600,), c_batch=(4800,))
    chunks = kernel.sizes(packed).chunks
    assert chunks > 1
    kernel.run(packed, [many_a, many_b, out], order=reversed(range(chunks)))
    for i in range(7):
        np.testing.assert_array_equal(out[i], multiply(kernel, many_a[i], many_b[i]))


@TABLES
@settings(max_examples=50, deadline=None)
@given(m=sizes, n=sizes, k=depths, form=st.sampled_from(["rows", "columns"]), gap=st.integers(0, 3))
@example(m=1, n=2103, k=29, form="rows", gap=0)
def test_touches_nothing_beyond_its_operands(isa, real, m, n, k, form, gap):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(1)
    a, b, bias = (guard_page.copy(normal(rng, shape, real)) for shape in ((m, k), (k, n), (n,)))
    c = guard_page.empty(m * n + max(m - 1, 0) * gap, real)  # rows of n elements, gap elements between them
    transposed = form == "columns"
    packed = describe(
        kernel, m, n, k, a=(1, m) if transposed else None, b=(1, k) if transposed else None, c=n + gap, bias=1
    )
    guard_page.run(kernel, packed, [a, b, bias, c])
    padded = np.append(c, np.full(gap if m else 0, np.nan, real)).reshape(m, n + gap)
    assert np.isnan(padded[:, n:]).all()
    shaped_a = a.reshape(k, m).T if transposed else a
    shaped_b = b.reshape(n, k).T if transposed else b
    np.testing.assert_array_equal(padded[:, :n], multiply(kernel, shaped_a, shaped_b, bias=bias))


@TABLES
def test_not_a_number_and_infinity(isa, real):
    kernel = kernels.load_table(isa, real)["gemm"]
    a = np.array([[1, np.nan, 0], [np.inf, 1, 0], [0, 0, -np.inf], [-1, -1, -0.0]], real)
    b = np.array([[1, 0, -1], [1, 1, 1], [0, 1, 1]], real)
    with np.errstate(invalid="ignore"):
        expected = a @ b
    np.testing.assert_array_equal(multiply(kernel, a, b), expected)
    np.testing.assert_array_equal(multiply(kernel, a, b, activation=1), np.maximum(expected, 0))
    tiny = np.finfo(real).smallest_subnormal
    one = np.ones((1, 1), real)
    assert multiply(kernel, one * tiny, one)[0, 0] == tiny


@TABLES
@pytest.mark.parametrize("activation, opcode", [(1, "relu"), (2, "tanh"), (3, "sigmoid")])
def test_epilogue_has_the_bits_of_the_elementwise_machine(isa, real, activation, opcode):
    table = kernels.load_table(isa, real)
    rng = np.random.default_rng(4)
    a, b, bias = normal(rng, (19, 6), real), 3 * normal(rng, (6, 37), real), normal(rng, 37, real)
    a[3, 2], a[4, 1] = np.nan, np.inf
    fused = multiply(table["gemm"], a, b, bias=bias, activation=activation)
    linear = multiply(table["gemm"], a, b, bias=bias)
    elementwise, out = table["elementwise"], np.empty_like(linear)
    code = {"float32": 0, "float64": 1}[real]
    packed = elementwise.pack(
        struct.pack("=8Hd", kernels.OPCODES[opcode], 1, 0, 0, 0, 0, 0, 0, 0.0),
        rank=1, shape=(linear.size,), n_inputs=1, n_outputs=1, n_registers=2, n_ops=1, reduce=0, reduced=(),
        dtype=(code, code), stride=(1, 0, 0, 0, 1),
    )  # fmt: skip
    elementwise.run(packed, [linear, out])
    np.testing.assert_array_equal(fused.view(np.uint8), out.view(np.uint8))


@TABLES
def test_column_with_bias_is_a_row_with_one_bias(isa, real):
    kernel = kernels.load_table(isa, real)["gemm"]
    rng = np.random.default_rng(2)
    a, b = normal(rng, (9, 8), real), normal(rng, (8, 1), real)
    bias = np.array([0.5], real)
    np.testing.assert_array_equal(multiply(kernel, a, b, bias=bias), multiply(kernel, a, b) + bias)


@pytest.mark.parametrize("wrong", [{"m": -1}, {"activation": 9}, {"a_row": -3}, {"batch": 5}])
def test_invalid_descriptors_are_rejected(wrong):
    kernel = kernels.kernel("gemm", "float32")
    fields = kernel.unpack(describe(kernel, 2, 3, 4)) | wrong
    with pytest.raises(ValueError, match="kernel gemm rejects"):
        kernel.sizes(kernel.pack(**fields))
