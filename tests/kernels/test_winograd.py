"""Winograd convolution against sums over windows in float64 NumPy."""

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

PARTS = pytest.mark.parametrize("part", ["forward", "backward_input", "backward_weight"])
ORACLES = {
    "forward": forward_oracle,
    "backward_input": backward_input_oracle,
    "backward_weight": backward_weight_oracle,
}


@st.composite
def convolutions(draw):
    groups, taps, stride = draw(
        st.sampled_from([(g, *k) for g in (1, 1, 1, 2) for k in ((3, 1), (3, 2), (5, 1))])
    )
    dilation = draw(st.tuples(*[st.sampled_from([1, 1, 2, 3, 7])] * 2)) if stride == 1 else (1, 1)
    pad = tuple(draw(st.integers(0, 4 * d)) for d in dilation for _ in range(2))
    least = [max(1, d * (taps - 1) + 1 - pad[2 * i] - pad[2 * i + 1]) for i, d in enumerate(dilation)]
    size = [
        draw(st.integers(smallest, smallest + 4) | st.integers(smallest, max(17 + 8 * stride, smallest)))
        for smallest in least
    ]
    c, o = (groups * draw(st.sampled_from([1, 3, 8, 16, 17, 34])) for _ in range(2))
    f = geometry(draw(st.integers(1, 3)), c, *size, o, (taps, taps), (stride, stride), pad, dilation, groups)
    for name in ("out_h", "out_w"):  # fewer outputs than would fit are legal too
        f[name] -= draw(st.integers(0, min(2, f[name] - 1)))
    return f


def operands(f, part, rng, real):
    """The two inputs of a kernel and the shape of its result."""
    x, w, y = shapes(f)
    first, second, result = {
        "forward": (x, w, y),
        "backward_input": (y, w, x),
        "backward_weight": (x, y, w),
    }[part]
    return normal(rng, first, real), normal(rng, second, real), result


def relative_error(actual, exact):
    return np.linalg.norm(actual - exact) / np.linalg.norm(exact)


@TABLES
@PARTS
@settings(max_examples=30, deadline=None)
@given(f=convolutions(), seed=st.integers(0, 2**32 - 1))
def test_any_shape(isa, real, part, f, seed):
    a, b, shape = operands(f, part, np.random.default_rng(seed), real)
    result = run(kernels.load_table(isa, real)[f"winograd_{part}"], f, a, b, shape=shape)
    sums = {
        "forward": a.shape[1] * f["kh"] ** 2,
        "backward_input": a.shape[1] * f["kh"] ** 2,
        "backward_weight": b.size // b.shape[1],
    }
    magnitude = np.abs(a).max() * np.abs(b).max() * sums[part] ** 0.5
    np.testing.assert_allclose(
        result, ORACLES[part](f, a, b), rtol=0, atol=10 * np.finfo(real).eps * magnitude
    )


@TABLES
@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize("activation", [0, 1, 2, 3])
def test_bias_and_activation(isa, real, bias, activation):
    f = geometry(2, 5, 9, 6, 19, (3, 3), pad=(1, 1, 1, 1))
    rng = np.random.default_rng(activation)
    x, w, shape = operands(f, "forward", rng, real)
    b = normal(rng, f["o"], real)
    f |= {"bias": bias, "activation": activation}
    y = run(kernels.load_table(isa, real)["winograd_forward"], f, x, w, *([b] if bias else []), shape=shape)
    exact = forward_oracle(f, x, w) + bias * b[:, None, None]
    exact = [lambda v: v, lambda v: np.maximum(v, 0), np.tanh, lambda v: 1 / (1 + np.exp(-v))][activation](
        exact
    )
    np.testing.assert_allclose(y, exact, atol=1e-4)


# Outputs along an axis of one tile of two (1 and 2) or one of three and one of two (5), beside other tiles: both ways have them.
SMALL = [(1, 1), (1, 2), (2, 2), (2, 7), (5, 1), (5, 2), (5, 5), (2, 5), (6, 5), (5, 150)]


def small(out_h, out_w, n=5, c=20, o=18, dilation=1, **other):
    """A convolution with pictures and outputs of one size, in each of dilation² lattices."""
    size, pad = (out_h * dilation, out_w * dilation), (dilation,) * 4
    return geometry(n, c, *size, o, (3, 3), pad=pad, dilation=(dilation,) * 2, **other)


@TABLES
@PARTS
@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("out_h, out_w", SMALL)
def test_tiles_of_two_outputs(isa, real, part, dilation, out_h, out_w):
    f, kernel = small(out_h, out_w, dilation=dilation), kernels.load_table(isa, real)[f"winograd_{part}"]
    a, b, shape = operands(f, part, np.random.default_rng(out_h), real)
    result = run(kernel, f, a, b, shape=shape)
    assert relative_error(result, ORACLES[part](f, a, b)) < 20 * np.finfo(real).eps
    if part != "backward_weight":
        for image in (0, 4):
            alone = run(kernel, f | {"n": 1}, a[image], b, shape=shape[1:])
            np.testing.assert_array_equal(alone, result[image])


@TABLES
@PARTS
@pytest.mark.parametrize("h, w, out_h, out_w", [(7, 4, 5, 2), (4, 3, 2, 1), (3, 9, 1, 7)])
def test_tiles_of_two_outputs_one_way_only(isa, real, part, h, w, out_h, out_w):
    f = geometry(3, 17, h, w, 21, (3, 3))
    assert (f["out_h"], f["out_w"]) == (out_h, out_w)
    a, b, shape = operands(f, part, np.random.default_rng(h), real)
    result = run(kernels.load_table(isa, real)[f"winograd_{part}"], f, a, b, shape=shape)
    assert relative_error(result, ORACLES[part](f, a, b)) < 20 * np.finfo(real).eps


# What is cut: blocks of rows of tiles, rows of tiles, pieces of the outputs and of the channels, groups of images.
LARGE = {
    "blocks": geometry(3, 16, 40, 41, 48, (3, 3), pad=(1, 1, 1, 1)),
    "mixed tiles": geometry(13, 32, 14, 7, 40, (3, 3), pad=(1, 1, 1, 1)),
    "tiles of 3 and of 2": geometry(90, 33, 5, 5, 70, (3, 3), pad=(1, 1, 1, 1)),
    "tiles of 2": geometry(300, 70, 2, 2, 72, (3, 3), pad=(1, 1, 1, 1)),
    "2 rows": geometry(40, 34, 2, 30, 72, (3, 3), pad=(1, 1, 1, 1), groups=2),
    "wide": geometry(1, 16, 9, 700, 18, (3, 3), pad=(1, 0, 3, 1)),
    "pieces": geometry(2, 70, 10, 9, 150, (3, 3), pad=(1, 1, 1, 1)),
    "one picture": geometry(1, 70, 14, 14, 72, (3, 3), pad=(1, 1, 1, 1)),
    "channels": geometry(2, 600, 7, 7, 70, (3, 3), pad=(1, 1, 1, 1)),
    "groups and few tiles": geometry(2, 140, 9, 10, 260, (3, 3), pad=(1, 1, 1, 1), groups=2),
    "groups": geometry(5, 34, 20, 20, 72, (3, 3), pad=(1, 1, 1, 1), groups=2),
    "strided": geometry(5, 33, 40, 29, 70, (3, 3), (2, 2), (1, 1, 0, 1)),
    "strided and wide": geometry(1, 32, 9, 1300, 32, (3, 3), (2, 2), (1, 0, 2, 0)),
    "5x5": geometry(3, 34, 21, 20, 72, (5, 5), pad=(2, 2, 3, 1), groups=2),
    "5x5 and wide": geometry(1, 16, 9, 400, 18, (5, 5), pad=(2, 2, 2, 2)),
    "dilated": geometry(3, 33, 23, 26, 70, (3, 3), pad=(2, 2, 3, 3), dilation=(2, 3)),
    "dilated and wide": geometry(1, 16, 9, 1200, 18, (3, 3), pad=(1, 1, 5, 3), dilation=(1, 4)),
    "5x5, dilated": geometry(2, 20, 26, 30, 40, (5, 5), pad=(8, 4, 6, 6), dilation=(3, 3)),
}


@TABLES
@PARTS
@pytest.mark.parametrize("name", LARGE)
def test_large_convolutions_are_cut_and_keep_their_bits(isa, real, part, name):
    f, kernel = LARGE[name], kernels.load_table(isa, real)[f"winograd_{part}"]
    a, b, shape = operands(f, part, np.random.default_rng(len(name)), real)
    result = run(kernel, f, a, b, shape=shape)
    assert relative_error(result, ORACLES[part](f, a, b)) < 30 * np.finfo(real).eps
    backwards = run(kernel, f, a, b, shape=shape, order=lambda chunks: reversed(range(chunks)))
    np.testing.assert_array_equal(backwards, result)
    if part != "backward_weight":
        assert kernel.sizes(kernel.pack(**f)).chunks > 1
        for image in {0, f["n"] - 1}:
            alone = run(kernel, f | {"n": 1}, a[image], b, shape=shape[1:])
            np.testing.assert_array_equal(alone, result[image])


@PARTS
@pytest.mark.parametrize("name", ["pieces", "channels", "groups and few tiles"])
def test_few_tiles_share_their_transformed_input(part, name):
    kernel, f = kernels.kernel(f"winograd_{part}", "float32"), LARGE[name]
    sizes = kernel.sizes(kernel.pack(**f))
    channels = f["o" if part == "backward_input" else "c"]
    assert sizes.finish > f["groups"]
    assert sizes.shared >= 4 * 36 * f["n"] * channels  # at least one tile of each image


def test_groups_of_images_have_gradients_of_their_own():
    kernel = kernels.kernel("winograd_backward_weight", "float32")
    sizes = kernel.sizes(kernel.pack(**geometry(8, 32, 40, 40, 32, (3, 3), pad=(1, 1, 1, 1))))
    assert sizes.chunks > 1 and sizes.finish and sizes.shared


@TABLES
@PARTS
@pytest.mark.parametrize(
    "channels, taps, stride", [(64, 3, 1), (512, 3, 1), (512, 3, 2), (64, 5, 1), (512, 5, 1)]
)
def test_error_is_small_for_many_channels(isa, real, part, channels, taps, stride):
    """With rectified inputs, as inside a network; the sums of the reference for float64 are no better than it."""
    pad = (taps // 2,) * 4
    f = geometry(1, channels, 14, 14, channels // 4, (taps, taps), (stride, stride), pad)
    a, b, shape = operands(f, part, np.random.default_rng(channels), real)
    if part != "backward_input":
        a = np.maximum(a, 0)
    result = run(kernels.load_table(isa, real)[f"winograd_{part}"], f, a, b, shape=shape)
    assert relative_error(result, ORACLES[part](f, a, b)) < (2.5e-6 if real == "float32" else 5e-15)


@TABLES
@PARTS
@pytest.mark.parametrize("out_h, out_w", [(2, 2), (5, 5)])
def test_error_is_small_for_many_channels_of_small_pictures(isa, real, part, out_h, out_w):
    f = small(out_h, out_w, n=4, c=512, o=128)
    a, b, shape = operands(f, part, np.random.default_rng(out_h), real)
    if part != "backward_input":
        a = np.maximum(a, 0)
    result = run(kernels.load_table(isa, real)[f"winograd_{part}"], f, a, b, shape=shape)
    assert relative_error(result, ORACLES[part](f, a, b)) < (2e-6 if real == "float32" else 4e-15)


@TABLES
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_every_window_that_sees_it_and_no_other_tile(isa, real, value):
    f = geometry(2, 3, 14, 14, 4, (3, 3), pad=(1, 1, 1, 1))
    kernel = kernels.load_table(isa, real)["winograd_forward"]
    x, w, shape = operands(f, "forward", np.random.default_rng(0), real)
    x[1, 2, 9, 5] = value
    y = run(kernel, f, x, w, shape=shape)
    assert not np.isfinite(y[1, :, 8:11, 4:7]).any()
    spread = ~np.isfinite(y)
    spread[1, :, 8:11, 4:8] = False  # the only tile: rows 8-10 (of 3), columns 4-7 (of 4)
    assert not spread.any()


@PARTS
@pytest.mark.parametrize(
    "wrong",
    [
        {"kh": 2},
        {"kw": 5},
        {"stride_w": 2},
        {"dilation_h": 2, "stride_h": 2, "stride_w": 2},
        {"out_h": 20},
        {"groups": 2},
        {"c": 0},
        {"kh": 5, "kw": 5, "stride_h": 2, "stride_w": 2},
        {"kh": 4, "kw": 4},
    ],
)
def test_other_convolutions_are_rejected(part, wrong):
    kernel = kernels.kernel(f"winograd_{part}", "float32")
    f = geometry(1, 3, 8, 8, 4, (3, 3), pad=(2, 2, 2, 2)) | {"out_h": 4, "out_w": 4}
    assert kernel.sizes(kernel.pack(**f)).chunks == 1
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(kernel.pack(**(f | wrong)))


@TABLES
@PARTS
def test_no_examples(isa, real, part):
    f = geometry(2, 17, 6, 6, 20, (3, 3)) | {"n": 0}
    a, b, shape = operands(f, part, np.random.default_rng(0), real)
    assert not run(kernels.load_table(isa, real)[f"winograd_{part}"], f, a, b, shape=shape).any()


@PARTS
@pytest.mark.parametrize("taps, stride, dilation", [(3, 1, 1), (3, 2, 1), (5, 1, 1), (3, 1, 16), (5, 1, 4)])
@pytest.mark.parametrize("size", [224, 2000])
def test_workspace_does_not_grow_with_the_picture(part, size, taps, stride, dilation):
    kernel = kernels.kernel(f"winograd_{part}", "float32")
    pad = (dilation * (taps // 2),) * 4
    f = geometry(8, 64, size, size, 64, (taps, taps), (stride, stride), pad, (dilation, dilation))
    assert kernel.sizes(kernel.pack(**f)).scratch < 12 << 20


@TABLES
@pytest.mark.parametrize(
    "taps, stride, dilation, size",
    [
        (3, 1, 1, (9, 11)), (3, 2, 1, (9, 11)), (5, 1, 1, (9, 11)), (3, 1, 2, (9, 11)),
        (3, 1, 1, (1, 1)), (3, 1, 1, (4, 6)), (3, 1, 1, (2, 4)), (5, 1, 1, (2, 2)),
    ],
)  # fmt: skip
def test_transformed_weights_give_the_same_bits(isa, real, taps, stride, dilation, size):
    pad = (2, 1, 1, 2)
    f = geometry(2, 20, *size, 44, (taps, taps), (stride, stride), pad, (dilation, dilation), groups=2)
    table = kernels.load_table(isa, real)
    x, w, shape = operands(f, "forward", np.random.default_rng(0), real)
    prepare = table["winograd_weights"]
    fields = {"groups": 2, "o": 44, "c": 10, "taps": taps, "stride": stride}
    for width in (2, 4, 8, 16, 32):
        try:
            panels = prepare.sizes(prepare.pack(width=width, **fields)).chunks
            break
        except ValueError:
            continue
    u = run(prepare, fields | {"width": width}, w, shape=(panels, 36, 10, width))
    assert panels == 2 * -(-22 // width) and np.isfinite(u).all()
    expected = run(table["winograd_forward"], f, x, w, shape=shape)
    np.testing.assert_array_equal(run(table["winograd_forward_prepared"], f, x, u, shape=shape), expected)
