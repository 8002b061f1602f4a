"""Convolution kernels against sums over windows in float64 NumPy."""

import numpy as np
import pytest
from convolution_oracle import (
    TABLES,
    assert_close,
    backward_input_oracle,
    backward_weight_oracle,
    forward_oracle,
    geometry,
    normal,
    run,
    shapes,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet._kernels as kernels


@st.composite
def convolutions(draw):
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    k = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    pad = tuple(draw(st.integers(0, 3)) for _ in range(4))
    smallest = [(k[i] - 1) * dilation[i] + 1 - pad[2 * i] - pad[2 * i + 1] for i in range(2)]
    size = [draw(st.integers(max(1, s), max(1, s) + 12)) for s in smallest]
    if draw(st.booleans()):
        size[1] += 20
    c, o = (groups * draw(st.sampled_from([1, 2, 3, 7, 9])) for _ in range(2))
    stride = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    return geometry(draw(st.integers(1, 3)), c, *size, o, k, stride, pad, dilation, groups)


@TABLES
@settings(max_examples=80, deadline=None)
@given(
    f=convolutions(), seed=st.integers(0, 2**32 - 1), bias=st.booleans(), activation=st.sampled_from([0, 1])
)
def test_forward(isa, real, f, seed, bias, activation):
    kernel = kernels.load_table(isa, real)["conv2d_forward"]
    rng = np.random.default_rng(seed)
    x_shape, w_shape, y_shape = shapes(f)
    x, w, b = normal(rng, x_shape, real), normal(rng, w_shape, real), normal(rng, f["o"], real)
    fields = f | {"bias": int(bias), "activation": activation}
    y = run(kernel, fields, x, w, *([b] if bias else []), shape=y_shape)
    exact = forward_oracle(f, x, w) + (b[:, None, None] if bias else 0)
    magnitude = forward_oracle(f, np.abs(x), np.abs(w)) + (np.abs(b)[:, None, None] if bias else 0)
    assert_close(y, np.maximum(exact, 0) if activation else exact, magnitude, np.prod(w_shape[1:]))


@TABLES
@settings(max_examples=80, deadline=None)
@given(f=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_backward_input(isa, real, f, seed):
    kernel = kernels.load_table(isa, real)["conv2d_backward_input"]
    rng = np.random.default_rng(seed)
    x_shape, w_shape, y_shape = shapes(f)
    dy, w = normal(rng, y_shape, real), normal(rng, w_shape, real)
    dx = run(kernel, f, dy, w, shape=x_shape)
    magnitude = backward_input_oracle(f, np.abs(dy), np.abs(w))
    assert_close(dx, backward_input_oracle(f, dy, w), magnitude, w.size // w.shape[1])


@TABLES
@settings(max_examples=80, deadline=None)
@given(f=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_backward_weight(isa, real, f, seed):
    kernel = kernels.load_table(isa, real)["conv2d_backward_weight"]
    rng = np.random.default_rng(seed)
    x_shape, w_shape, y_shape = shapes(f)
    x, dy = normal(rng, x_shape, real), normal(rng, y_shape, real)
    dw = run(kernel, f, x, dy, shape=w_shape)
    magnitude = backward_weight_oracle(f, np.abs(x), np.abs(dy))
    assert_close(dw, backward_weight_oracle(f, x, dy), magnitude, dy.size // dy.shape[1])


# Cases that are cut: bands of rows, pieces of channels, groups of images, packed weights beyond one block of K.
LARGE = {
    "bands": geometry(1, 30, 60, 61, 20, (3, 3), pad=(1, 1, 1, 1)),
    "images": geometry(9, 17, 14, 14, 40, (3, 3), pad=(1, 1, 1, 1)),
    "channels": geometry(2, 96, 9, 9, 100, (3, 3), pad=(1, 1, 1, 1)),
    "deep": geometry(1, 300, 7, 7, 110, (3, 3), pad=(1, 1, 1, 1)),
    "pointwise": geometry(3, 130, 13, 13, 100, (1, 1)),
    "strided": geometry(3, 33, 31, 30, 40, (3, 3), (2, 2), (1, 0, 1, 0)),
    "strided pointwise": geometry(4, 64, 28, 28, 70, (1, 1), (2, 2)),
    "dilated": geometry(4, 16, 40, 40, 50, (3, 3), (1, 1), (2, 2, 2, 2), (2, 2)),
    "grouped": geometry(6, 32, 28, 28, 64, (3, 3), pad=(1, 1, 1, 1), groups=4),
    "depthwise": geometry(4, 48, 40, 40, 48, (3, 3), pad=(1, 1, 1, 1), groups=48),
    "sequence": geometry(8, 64, 1, 200, 64, (1, 5), pad=(0, 0, 2, 2)),
    "first layer": geometry(32, 1, 28, 28, 32, (3, 3), pad=(1, 1, 1, 1)),
}


@TABLES
@pytest.mark.parametrize("name", LARGE)
def test_large_convolutions_are_cut_and_keep_their_bits(isa, real, name):
    table, f = kernels.load_table(isa, real), LARGE[name]
    rng = np.random.default_rng(len(name))
    x_shape, w_shape, y_shape = shapes(f)
    x, w, dy = normal(rng, x_shape, real), normal(rng, w_shape, real), normal(rng, y_shape, real)
    forward, backward_input, backward_weight = (
        table[f"conv2d_{part}"] for part in ("forward", "backward_input", "backward_weight")
    )
    for kernel in (forward, backward_input, backward_weight):
        assert kernel.sizes(kernel.pack(**f)).chunks > 1, kernel.name
    y = run(forward, f, x, w, shape=y_shape)
    dx = run(backward_input, f, dy, w, shape=x_shape)
    dw = run(backward_weight, f, x, dy, shape=w_shape)
    terms = np.prod(w_shape[1:])
    np.testing.assert_allclose(y, forward_oracle(f, x, w), atol=1e-6 * terms)
    np.testing.assert_allclose(dx, backward_input_oracle(f, dy, w), atol=1e-6 * terms * f["o"] / w_shape[1])
    np.testing.assert_allclose(dw, backward_weight_oracle(f, x, dy), rtol=1e-4, atol=1e-2)

    def backwards(chunks):
        return reversed(range(chunks))

    np.testing.assert_array_equal(run(forward, f, x, w, shape=y_shape, order=backwards), y)
    np.testing.assert_array_equal(run(backward_input, f, dy, w, shape=x_shape, order=backwards), dx)
    np.testing.assert_array_equal(run(backward_weight, f, x, dy, shape=w_shape, order=backwards), dw)
    alone = f | {"n": 1}
    for image in {0, f["n"] - 1}:
        np.testing.assert_array_equal(run(forward, alone, x[image], w, shape=y_shape[1:]), y[image])
        np.testing.assert_array_equal(run(backward_input, alone, dy[image], w, shape=x_shape[1:]), dx[image])


@TABLES
def test_pointwise_is_a_matrix_product(isa, real):
    """The same chains as gemm: a 1x1 convolution has its bits."""
    table = kernels.load_table(isa, real)
    rng = np.random.default_rng(8)
    f = geometry(1, 300, 5, 7, 13, (1, 1))
    x_shape, w_shape, y_shape = shapes(f)
    x, w = normal(rng, x_shape, real), normal(rng, w_shape, real)
    y, product = run(table["conv2d_forward"], f, x, w, shape=y_shape), np.empty((13, 35), real)
    gemm = table["gemm"]
    packed = gemm.pack(
        m=13, n=35, k=300, a_row=300, a_col=1, b_row=35, b_col=1, c_row=35, batch=1, a_batch=(), b_batch=(),
        c_batch=(), batch_shape=(), accumulate=0, bias=0, activation=0,
    )  # fmt: skip
    gemm.run(packed, [w, x, product])
    np.testing.assert_array_equal(y.reshape(13, 35), product)


@TABLES
def test_not_a_number_stays_in_its_windows(isa, real):
    table = kernels.load_table(isa, real)
    f = geometry(1, 2, 8, 20, 3, (3, 3), pad=(1, 1, 1, 1))
    x_shape, w_shape, y_shape = shapes(f)
    x, w = np.ones(x_shape, real), np.ones(w_shape, real)
    x[0, 1, 4, 19] = np.nan
    y = run(table["conv2d_forward"], f, x, w, shape=y_shape)
    expected = np.zeros(y_shape[2:], bool)
    expected[3:6, 18:] = True
    assert (np.isnan(y) == expected).all()


@pytest.mark.parametrize("part", ["forward", "backward_input", "backward_weight"])
@pytest.mark.parametrize(
    "wrong", [{"groups": 2}, {"stride_h": 0}, {"dilation_w": 0}, {"out_h": 9}, {"pad_left": -1}, {"kh": 0}]
)
def test_invalid_descriptors_are_rejected(part, wrong):
    kernel = kernels.kernel(f"conv2d_{part}", "float32")
    f = geometry(1, 3, 8, 8, 4, (3, 3))
    assert kernel.sizes(kernel.pack(**f)).chunks == 1
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(kernel.pack(**(f | wrong)))


@TABLES
@pytest.mark.parametrize("empty", [{"n": 0}, {"c": 0}, {"o": 0}])
def test_empty_sizes(isa, real, empty):
    table, f = kernels.load_table(isa, real), geometry(2, 3, 6, 6, 4, (3, 3)) | empty
    x_shape, w_shape, y_shape = shapes(f)
    x, w, dy = np.ones(x_shape, real), np.ones(w_shape, real), np.ones(y_shape, real)
    assert not run(table["conv2d_forward"], f, x, w, shape=y_shape).any() or 0 not in x_shape
    assert not run(table["conv2d_backward_input"], f, dy, w, shape=x_shape).any() or 0 not in y_shape
    assert not run(table["conv2d_backward_weight"], f, x, dy, shape=w_shape).any() or 0 not in x_shape
