"""Convolution kernels against sums over windows in float64 NumPy."""

import guard_page
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet._kernels as kernels

USABLE = [name for name in kernels.built() if kernels.cpu_runs(name)]
TABLES = pytest.mark.parametrize(
    "isa, real", [(isa, real) for isa in USABLE for real in ("float32", "float64")]
)


def geometry(n, c, h, w, o, k, stride=(1, 1), pad=(0, 0, 0, 0), dilation=(1, 1), groups=1):
    """The fields of a descriptor; the output is as large as the padded input allows."""
    top, bottom, left, right = pad
    return {
        "n": n, "c": c, "h": h, "w": w, "o": o, "kh": k[0], "kw": k[1],
        "stride_h": stride[0], "stride_w": stride[1],
        "pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right,
        "dilation_h": dilation[0], "dilation_w": dilation[1], "groups": groups,
        "out_h": (h + top + bottom - (k[0] - 1) * dilation[0] - 1) // stride[0] + 1,
        "out_w": (w + left + right - (k[1] - 1) * dilation[1] - 1) // stride[1] + 1,
        "bias": 0, "activation": 0,
    }  # fmt: skip


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


def shapes(f):
    return (
        (f["n"], f["c"], f["h"], f["w"]),
        (f["o"], f["c"] // f["groups"], f["kh"], f["kw"]),
        (f["n"], f["o"], f["out_h"], f["out_w"]),
    )


def patches(f, x):
    """x as (n, groups, c/groups, kh, kw, out_h, out_w) in float64: every window of every pixel."""
    pads = (f["pad_top"], f["pad_bottom"]), (f["pad_left"], f["pad_right"])
    padded = np.pad(x.astype("float64"), ((0, 0), (0, 0), *pads))
    result = np.empty((f["n"], f["c"], f["kh"], f["kw"], f["out_h"], f["out_w"]))
    for ky in range(f["kh"]):
        for kx in range(f["kw"]):
            rows = slice(ky * f["dilation_h"], None, f["stride_h"])
            columns = slice(kx * f["dilation_w"], None, f["stride_w"])
            result[:, :, ky, kx] = padded[:, :, rows, columns][:, :, : f["out_h"], : f["out_w"]]
    return result.reshape(f["n"], f["groups"], -1, *result.shape[2:])


def forward_oracle(f, x, w):
    grouped = w.astype("float64").reshape(f["groups"], -1, *w.shape[1:])
    return np.einsum("ngcabyx,gocab->ngoyx", patches(f, x), grouped).reshape(shapes(f)[2])


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def run(kernel, f, *inputs, shape, order=None):
    """The kernel on operands that end at guard pages; order maps the chunk count to an order of chunks."""
    packed = kernel.pack(**f)
    out = guard_page.empty(shape, kernel.real)
    order = None if order is None else order(kernel.sizes(packed).chunks)
    kernel.run(packed, [guard_page.copy(x) for x in inputs] + [out], order=order)
    return out


def assert_close(actual, exact, magnitude, terms):
    bound = (terms + 4) * np.finfo(actual.dtype).eps * (magnitude + 1)
    np.testing.assert_array_less(np.abs(actual - exact), bound)


@TABLES
@settings(max_examples=80, deadline=None)
@given(f=convolutions(), seed=st.integers(0, 2**32 - 1), bias=st.booleans(), activation=st.sampled_from([0, 1]))
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
