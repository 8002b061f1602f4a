"""Direct convolution against sums over windows in float64 NumPy."""

import numpy as np
import pytest
from convolution_oracle import (
    TABLES,
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

ORACLES = {
    "forward": forward_oracle,
    "backward_input": backward_input_oracle,
    "backward_weight": backward_weight_oracle,
}
PARTS = pytest.mark.parametrize("part", list(ORACLES))


@st.composite
def convolutions(draw):
    """Depthwise ones with a multiplier, and groups of a few channels; 3x3 windows that slide are half of them."""
    slides = draw(st.booleans())
    k = (3, 3) if slides else (draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    stride = (1, draw(st.integers(1, 2))) if slides else (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    dilation = (1, draw(st.integers(1, 2))) if slides else (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    pad = tuple(draw(st.integers(0, 4)) for _ in range(4))
    smallest = [max(1, (k[i] - 1) * dilation[i] + 1 - pad[2 * i] - pad[2 * i + 1]) for i in range(2)]
    size = [draw(st.integers(s, s + 20)) for s in smallest]
    if draw(st.booleans()):
        size[draw(st.integers(0, 1))] += 40
    groups, c, multiplier = (
        draw(st.integers(1, 4)),
        draw(st.sampled_from([1, 1, 1, 3])),
        draw(st.integers(1, 6)),
    )
    f = geometry(
        draw(st.integers(1, 3)), groups * c, *size, groups * multiplier, k, stride, pad, dilation, groups
    )
    for name in ("out_h", "out_w"):  # fewer outputs than would fit are legal too
        f[name] -= draw(st.integers(0, min(2, f[name] - 1)))
    return f


def operands(f, part):
    """The shapes of the two inputs of a kernel and of its result."""
    x, w, y = shapes(f)
    return {"forward": (x, w, y), "backward_input": (y, w, x), "backward_weight": (x, y, w)}[part]


@TABLES
@PARTS
@settings(max_examples=60, deadline=None)
@given(f=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_any_shape(isa, real, part, f, seed):
    rng = np.random.default_rng(seed)
    first, second, result = operands(f, part)
    a, b = normal(rng, first, real), normal(rng, second, real)
    y = run(kernels.load_table(isa, real)[f"direct_{part}"], f, a, b, shape=result)
    magnitude = ORACLES[part](f, np.abs(a), np.abs(b))
    terms = max(a.size, b.size)
    bound = (terms + 4) * np.finfo(real).eps * (magnitude + 1)
    np.testing.assert_array_less(np.abs(y - ORACLES[part](f, a, b)), bound)


@TABLES
@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize("activation", [0, 1, 2])  # none, relu, tanh
@pytest.mark.parametrize("k", [(3, 3), (2, 5)])
def test_bias_and_activation(isa, real, bias, activation, k):
    rng, f = np.random.default_rng(3), geometry(2, 3, 9, 21, 6, k, pad=(1, 1, 1, 1), groups=3)
    x_shape, w_shape, y_shape = shapes(f)
    x, w, b = normal(rng, x_shape, real), normal(rng, w_shape, real), normal(rng, 6, real)
    fields = f | {"bias": bias, "activation": activation}
    y = run(
        kernels.load_table(isa, real)["direct_forward"], fields, x, w, *([b] if bias else []), shape=y_shape
    )
    exact = forward_oracle(f, x, w) + (b[:, None, None] if bias else 0)
    exact = [exact, np.maximum(exact, 0), np.tanh(exact)][activation]
    np.testing.assert_allclose(y, exact, atol=200 * np.finfo(real).eps)


LARGE = {
    "depthwise": geometry(5, 48, 40, 40, 48, (3, 3), pad=(1, 1, 1, 1), groups=48),
    "small planes": geometry(9, 96, 7, 7, 96, (3, 3), pad=(1, 1, 1, 1), groups=96),
    "strided": geometry(5, 24, 45, 44, 48, (3, 3), (2, 2), (1, 0, 1, 0), groups=24),
    "dilated": geometry(2, 32, 30, 50, 32, (5, 5), (1, 1), (4, 4, 4, 4), (2, 2), groups=32),
    "bands": geometry(2, 2, 210, 230, 2, (5, 5), pad=(2, 2, 2, 2), groups=2),
    "first layer": geometry(32, 1, 28, 28, 16, (3, 3), pad=(1, 1, 1, 1)),
}


@TABLES
@PARTS
@pytest.mark.parametrize("name", LARGE)
def test_cuts_do_not_show(isa, real, part, name):
    """Chunks in any order, and an image alone: the same bits; the same numbers as the matrix form."""
    f, rng, table = LARGE[name], np.random.default_rng(len(name)), kernels.load_table(isa, real)
    first, second, result = operands(f, part)
    a, b = normal(rng, first, real), normal(rng, second, real)
    kernel = table[f"direct_{part}"]
    assert kernel.sizes(kernel.pack(**f)).chunks > 1
    y = run(kernel, f, a, b, shape=result)
    backwards = run(kernel, f, a, b, shape=result, order=lambda chunks: reversed(range(chunks)))
    np.testing.assert_array_equal(backwards, y)
    matrix = run(table[f"conv2d_{part}"], f, a, b, shape=result)
    tolerance = 1e-4 if real == "float32" else 1e-12
    np.testing.assert_allclose(y, matrix, rtol=tolerance, atol=tolerance * np.abs(y).max())
    if part != "backward_weight":
        for image in {0, f["n"] - 1}:
            alone = run(kernel, f | {"n": 1}, a[image], b, shape=result[1:])
            np.testing.assert_array_equal(alone, y[image])


@TABLES
@PARTS
@pytest.mark.parametrize("special", [np.nan, np.inf])
@pytest.mark.parametrize("k, stride", [((3, 3), (1, 1)), ((3, 3), (2, 2)), ((2, 4), (1, 3))])
def test_special_values_stay_in_their_windows(isa, real, part, special, k, stride):
    f = geometry(2, 2, 11, 29, 4, k, stride, (1, 0, 2, 1), groups=2)
    first, second, result = operands(f, part)
    a, b = np.ones(first, real), np.ones(second, real)
    a[1, 1, 3, -3], a[0, 0, 0, 0], a[0, 1, -1, -1] = special, special, special
    y = run(kernels.load_table(isa, real)[f"direct_{part}"], f, a, b, shape=result)
    with np.errstate(invalid="ignore"):
        touched = np.isnan(ORACLES[part](f, np.where(np.isfinite(a), a, np.nan), b))
    assert (~np.isfinite(y) == touched).all()


@PARTS
@pytest.mark.parametrize("wrong", [{"groups": 2}, {"stride_h": 0}, {"out_h": 9}, {"pad_left": -1}, {"kh": 0}])
def test_invalid_descriptors_are_rejected(part, wrong):
    kernel = kernels.kernel(f"direct_{part}", "float32")
    f = geometry(1, 3, 8, 8, 3, (3, 3), groups=3)
    assert kernel.sizes(kernel.pack(**f)).chunks == 1
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(kernel.pack(**(f | wrong)))


@TABLES
@PARTS
@pytest.mark.parametrize("empty", [{"n": 0}, {"c": 0}, {"o": 0}, {"out_w": 0}, {"out_h": 0}])
def test_empty_sizes(isa, real, part, empty):
    f = geometry(2, 3, 6, 6, 3, (3, 3), groups=3) | empty
    first, second, result = operands(f, part)
    y = run(
        kernels.load_table(isa, real)[f"direct_{part}"],
        f,
        np.ones(first, real),
        np.ones(second, real),
        shape=result,
    )
    assert not y.any() or 0 not in first + second
