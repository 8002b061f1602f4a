"""gemv_prepared: bit for bit the rows of gemm, whatever the strips."""

import guard_page
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_gemm import ACTIVATIONS, TABLES, multiply, normal

import mathnet._kernels as kernels

FIELDS = {"k": 3, "n": 5, "width": 4, "bias": 0, "activation": 0}


def strips(b, width):
    return np.concatenate([b[:, i : i + width].ravel() for i in range(0, b.shape[1], width)] or [b.ravel()])


def prepared(table, a, b, width, *, bias=None, activation=0, order=None):
    kernel = table["gemv_prepared"]
    k, n = b.shape
    packed = kernel.pack(k=k, n=n, width=width, bias=int(bias is not None), activation=activation)
    if order is not None:
        order = order(range(kernel.sizes(packed).chunks))
    y = guard_page.empty((n,), a.dtype)
    arrays = [guard_page.copy(x) for x in (a, strips(b, width), bias) if x is not None]
    guard_page.run(kernel, packed, [*arrays, y], order=order)
    return y


@TABLES
@settings(max_examples=60, deadline=None)
@given(
    k=st.one_of(st.integers(0, 20), st.sampled_from([63, 64, 65, 300])),
    n=st.one_of(st.integers(0, 20), st.sampled_from([31, 64, 65, 127, 130, 200])),
    width=st.one_of(st.just(64), st.integers(1, 150)),
    bias=st.booleans(),
    activation=st.sampled_from(list(ACTIVATIONS)),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_size_and_width_has_the_bits_of_gemm(isa, real, k, n, width, bias, activation, seed):
    table = kernels.load_table(isa, real)
    rng = np.random.default_rng(seed)
    a, b = normal(rng, (3, k), real), normal(rng, (k, n), real)
    added = normal(rng, n, real) if bias else None
    expected = multiply(table["gemm"], a, b, bias=added, activation=activation)
    for row, y in zip(a, expected):
        np.testing.assert_array_equal(prepared(table, row, b, width, bias=added, activation=activation), y)


@TABLES
def test_large_matrices_are_cut(isa, real):
    table = kernels.load_table(isa, real)
    kernel = table["gemv_prepared"]
    rng = np.random.default_rng(0)
    a, b, bias = normal(rng, (1, 1500), real), normal(rng, (1500, 300), real), normal(rng, 300, real)
    sizes = kernel.sizes(kernel.pack(**(FIELDS | {"k": 1500, "n": 300, "width": 64})))
    assert sizes.chunks == 3 and sizes.work > 10_000
    backwards = prepared(table, a[0], b, 64, bias=bias, activation=1, order=reversed)
    np.testing.assert_array_equal(backwards, multiply(table["gemm"], a, b, bias=bias, activation=1)[0])


@pytest.mark.parametrize("wrong", [{"k": -1}, {"n": -1}, {"width": 0}, {"activation": 9}])
def test_invalid_descriptors_are_rejected(wrong):
    kernel = kernels.kernel("gemv_prepared", "float32")
    assert kernel.sizes(kernel.pack(**FIELDS)).chunks == 1
    with pytest.raises(ValueError, match="kernel gemv_prepared rejects"):
        kernel.sizes(kernel.pack(**(FIELDS | wrong)))
