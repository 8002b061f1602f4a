"""What the tests of convolution kernels share: descriptors, sums over windows in float64 NumPy, and runs on guarded memory."""

import guard_page
import numpy as np
import pytest

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
    """The kernel on memory that ends at guard pages; order maps the chunk count to an order of chunks."""
    packed = kernel.pack(**f)
    out = guard_page.empty(shape, kernel.real)
    order = None if order is None else order(kernel.sizes(packed).chunks)
    guard_page.run(kernel, packed, [guard_page.copy(x) for x in inputs] + [out], order=order)
    return out


def assert_close(actual, exact, magnitude, terms):
    bound = (terms + 4) * np.finfo(actual.dtype).eps * (magnitude + 1)
    np.testing.assert_array_less(np.abs(actual - exact), bound)


def backward_input_oracle(f, dy, w):
    grouped_dy = dy.astype("float64").reshape(f["n"], f["groups"], -1, f["out_h"], f["out_w"])
    grouped_w = w.astype("float64").reshape(f["groups"], -1, *w.shape[1:])
    spread = np.einsum("ngoyx,gocab->ngcabyx", grouped_dy, grouped_w)
    spread = spread.reshape(f["n"], f["c"], *spread.shape[3:])
    padded = np.zeros(
        (f["n"], f["c"], f["h"] + f["pad_top"] + f["pad_bottom"], f["w"] + f["pad_left"] + f["pad_right"])
    )
    for ky in range(f["kh"]):
        for kx in range(f["kw"]):
            rows = slice(ky * f["dilation_h"], None, f["stride_h"])
            columns = slice(kx * f["dilation_w"], None, f["stride_w"])
            padded[:, :, rows, columns][:, :, : f["out_h"], : f["out_w"]] += spread[:, :, ky, kx]
    return padded[:, :, f["pad_top"] :, f["pad_left"] :][:, :, : f["h"], : f["w"]]


def backward_weight_oracle(f, x, dy):
    grouped_dy = dy.astype("float64").reshape(f["n"], f["groups"], -1, f["out_h"], f["out_w"])
    return np.einsum("ngcabyx,ngoyx->gocab", patches(f, x), grouped_dy).reshape(shapes(f)[1])
