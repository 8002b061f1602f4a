"""Winograd convolution along the rows against sums over windows in float64 NumPy."""

import numpy as np
import pytest
from convolution_oracle import TABLES, forward_oracle, geometry, normal, run, shapes
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet._kernels as kernels


@st.composite
def convolutions(draw):
    groups, kernel = draw(st.sampled_from([1, 1, 2])), (draw(st.integers(1, 7)), draw(st.integers(1, 11)))
    stride = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    pad = tuple(draw(st.integers(0, 4)) for _ in range(4))
    size = [draw(st.integers(max(1, kernel[i] - pad[2 * i] - pad[2 * i + 1]), 40)) for i in range(2)]
    c, o = groups * draw(st.integers(1, 4)), groups * draw(st.sampled_from([1, 3, 8, 16, 17, 34]))
    f = geometry(draw(st.integers(1, 3)), c, *size, o, kernel, stride, pad, groups=groups)
    for name in ("out_h", "out_w"):  # fewer outputs than would fit are legal too
        f[name] -= draw(st.integers(0, min(2, f[name] - 1)))
    return f


def operands(f, rng, real):
    x, w, y = shapes(f)
    return normal(rng, x, real), normal(rng, w, real), y


def relative_error(actual, exact):
    return np.linalg.norm(actual - exact) / np.linalg.norm(exact)


@TABLES
@settings(max_examples=40, deadline=None)
@given(f=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_any_shape(isa, real, f, seed):
    x, w, shape = operands(f, np.random.default_rng(seed), real)
    y = run(kernels.load_table(isa, real)["row_winograd_forward"], f, x, w, shape=shape)
    magnitude = np.abs(x).max() * np.abs(w).max() * (w[0].size) ** 0.5
    np.testing.assert_allclose(y, forward_oracle(f, x, w), rtol=0, atol=10 * np.finfo(real).eps * magnitude)


@TABLES
@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize("activation", [0, 1, 2, 3])
def test_bias_and_activation(isa, real, bias, activation):
    f = geometry(2, 3, 17, 19, 19, (5, 7), (2, 2), pad=(1, 1, 3, 1))
    rng = np.random.default_rng(activation)
    x, w, shape = operands(f, rng, real)
    b = normal(rng, f["o"], real)
    f |= {"bias": bias, "activation": activation}
    y = run(
        kernels.load_table(isa, real)["row_winograd_forward"], f, x, w, *([b] if bias else []), shape=shape
    )
    exact = forward_oracle(f, x, w) + bias * b[:, None, None]
    functions = [lambda v: v, lambda v: np.maximum(v, 0), np.tanh, lambda v: 1 / (1 + np.exp(-v))]
    np.testing.assert_allclose(y, functions[activation](exact), atol=1e-4)


# What is cut: blocks of rows, rows of tiles, and long chains of products.
LARGE = {
    "blocks": geometry(3, 3, 90, 101, 20, (7, 7), (2, 2), (3, 3, 3, 3)),
    "one image": geometry(1, 1, 64, 64, 32, (5, 5), pad=(2, 2, 2, 2)),
    "wide": geometry(1, 2, 30, 1100, 18, (5, 9), (1, 2), (1, 0, 6, 1)),
    "four phases": geometry(2, 3, 99, 99, 40, (11, 11), (4, 4), (2, 2, 2, 2)),
    "long chains": geometry(2, 300, 5, 40, 24, (3, 3), pad=(1, 1, 1, 1)),
    "groups": geometry(5, 6, 50, 50, 24, (7, 7), (2, 2), (3, 3, 3, 3), groups=3),
}


@TABLES
@pytest.mark.parametrize("name", LARGE)
def test_large_convolutions_are_cut_and_keep_their_bits(isa, real, name):
    f, kernel = LARGE[name], kernels.load_table(isa, real)["row_winograd_forward"]
    x, w, shape = operands(f, np.random.default_rng(len(name)), real)
    y = run(kernel, f, x, w, shape=shape)
    assert relative_error(y, forward_oracle(f, x, w)) < 30 * np.finfo(real).eps
    backwards = run(kernel, f, x, w, shape=shape, order=lambda chunks: reversed(range(chunks)))
    np.testing.assert_array_equal(backwards, y)
    assert kernel.sizes(kernel.pack(**f)).chunks > 1
    for image in {0, f["n"] - 1}:
        np.testing.assert_array_equal(run(kernel, f | {"n": 1}, x[image], w, shape=shape[1:]), y[image])


@TABLES
@pytest.mark.parametrize(
    "kernel, stride, bound", [((3, 3), (1, 1), 3), ((5, 5), (1, 1), 4), ((7, 7), (2, 2), 6)]
)
def test_error_is_about_twice_that_of_direct_sums(isa, real, kernel, stride, bound):
    """Three channels, as of a picture: direct float32 sums have errors of 1 to 2 units in the last place, these 1.5 to 4.5."""
    f = geometry(2, 3, 60, 60, 64, kernel, stride, (1, 1, 1, 1))
    x, w, shape = operands(f, np.random.default_rng(7), real)
    y = run(kernels.load_table(isa, real)["row_winograd_forward"], f, x, w, shape=shape)
    assert relative_error(y, forward_oracle(f, x, w)) < bound * np.finfo(real).eps


@TABLES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_every_window_that_sees_it_and_no_other_tile(isa, real, value):
    f = geometry(2, 3, 14, 18, 4, (3, 3), pad=(1, 1, 1, 1))
    x, w, shape = operands(f, np.random.default_rng(0), real)
    x[1, 2, 9, 6] = value
    y = run(kernels.load_table(isa, real)["row_winograd_forward"], f, x, w, shape=shape)
    assert not np.isfinite(y[1, :, 8:11, 5:8]).any()
    spread = ~np.isfinite(y)
    spread[1, :, 8:11, 4:8] = False  # the only tile
    assert not spread.any()


@pytest.mark.parametrize(
    "wrong", [{"dilation_h": 2}, {"dilation_w": 2}, {"out_h": 20}, {"groups": 2}, {"c": 0}]
)
def test_other_convolutions_are_rejected(wrong):
    kernel = kernels.kernel("row_winograd_forward", "float32")
    f = geometry(1, 3, 8, 8, 4, (3, 3), pad=(1, 1, 1, 1))
    assert kernel.sizes(kernel.pack(**f)).chunks >= 1
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(kernel.pack(**(f | wrong)))


@TABLES
def test_no_examples(isa, real):
    f = geometry(2, 3, 16, 16, 20, (5, 5)) | {"n": 0}
    x, w, shape = operands(f, np.random.default_rng(0), real)
    assert not run(kernels.load_table(isa, real)["row_winograd_forward"], f, x, w, shape=shape).any()


@pytest.mark.parametrize("size", [224, 2000])
def test_workspace_does_not_grow_with_the_picture(size):
    kernel = kernels.kernel("row_winograd_forward", "float32")
    f = geometry(8, 3, size, size, 64, (7, 7), (2, 2), (3, 3, 3, 3))
    assert kernel.sizes(kernel.pack(**f)).scratch < 1 << 20
