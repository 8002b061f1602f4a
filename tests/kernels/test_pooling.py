"""Pooling kernels against loops over windows in NumPy."""

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


@st.composite
def windows(draw):
    """The fields of a pooling descriptor; every window holds an element of x."""
    if draw(st.booleans()):  # the fast path: 2x2 windows side by side
        out_h, out_w = draw(st.integers(1, 4)), draw(st.integers(1, 37))
        h, w = 2 * out_h + draw(st.integers(0, 1)), 2 * out_w + draw(st.integers(0, 1))
        fields = {"h": h, "w": w, "kh": 2, "kw": 2, "stride_h": 2, "stride_w": 2}
        fields |= {"pad_top": 0, "pad_bottom": 0, "pad_left": 0, "pad_right": 0}
    else:
        fields = {
            "h": draw(st.integers(1, 12)),
            "w": draw(st.one_of(st.integers(1, 12), st.integers(13, 50))),
            "kh": draw(st.integers(1, 5)),
            "kw": draw(st.integers(1, 5)),
            "stride_h": draw(st.integers(1, 4)),
            "stride_w": draw(st.integers(1, 4)),
        }
        for before, after, k in (("pad_top", "pad_bottom", "kh"), ("pad_left", "pad_right", "kw")):
            fields[before] = draw(st.integers(0, fields[k] - 1))
            fields[after] = draw(st.integers(0, fields[k] - 1))
        out_h, out_w = (
            max(
                (fields[size] + fields[before] + fields[after] - fields[k]) // fields[stride] + 1,
                1 if fields[before] < fields[k] else 0,
            )
            for size, before, after, k, stride in (
                ("h", "pad_top", "pad_bottom", "kh", "stride_h"),
                ("w", "pad_left", "pad_right", "kw", "stride_w"),
            )
        )
        out_h = min(out_h, (fields["h"] + fields["pad_top"] - 1) // fields["stride_h"] + 1)
        out_w = min(out_w, (fields["w"] + fields["pad_left"] - 1) // fields["stride_w"] + 1)
    return fields | {"out_h": out_h, "out_w": out_w, "planes": draw(st.integers(1, 3))}


def window(f, oy, ox):
    """The rows and columns of x that window (oy, ox) covers, and the first place (ky, kx) inside x."""
    top, left = oy * f["stride_h"] - f["pad_top"], ox * f["stride_w"] - f["pad_left"]
    rows, columns = slice(max(top, 0), top + f["kh"]), slice(max(left, 0), left + f["kw"])
    return rows, columns, max(-top, 0), max(-left, 0)


def each_window(f):
    return ((p, oy, ox) for p in range(f["planes"]) for oy in range(f["out_h"]) for ox in range(f["out_w"]))


def max_oracle(f, x):
    y = np.empty((f["planes"], f["out_h"], f["out_w"]), x.dtype)
    places = np.empty(y.shape, np.uint8)
    for p, oy, ox in each_window(f):
        rows, columns, ky0, kx0 = window(f, oy, ox)
        values = x[p, rows, columns]
        flat = values.ravel()
        nans = np.flatnonzero(np.isnan(flat))
        at = nans[-1] if nans.size else np.argmax(flat)
        y[p, oy, ox] = flat[at]
        ky, kx = divmod(int(at), values.shape[1])
        places[p, oy, ox] = (ky + ky0) * f["kw"] + kx + kx0
    return y, places


def counts(f, include_pad):
    """Places of each window that count: inside x, or inside x and its padding."""
    result = np.empty((f["out_h"], f["out_w"]))
    for oy in range(f["out_h"]):
        for ox in range(f["out_w"]):
            top, left = oy * f["stride_h"] - f["pad_top"], ox * f["stride_w"] - f["pad_left"]
            low = (top, left) if include_pad else (max(top, 0), max(left, 0))
            pad = (f["pad_bottom"], f["pad_right"]) if include_pad else (0, 0)
            result[oy, ox] = (min(top + f["kh"], f["h"] + pad[0]) - low[0]) * (
                min(left + f["kw"], f["w"] + pad[1]) - low[1]
            )
    return result


def values_with_ties(rng, shape, dtype):
    return rng.integers(-3, 4, shape).astype(dtype)


def shapes(f):
    return (f["planes"], f["h"], f["w"]), (f["planes"], f["out_h"], f["out_w"])


@TABLES
@settings(max_examples=80, deadline=None)
@given(f=windows(), seed=st.integers(0, 2**32 - 1), special=st.booleans())
def test_maximum_and_its_place(isa, real, f, seed, special):
    kernel = kernels.load_table(isa, real)["max_pool2d_forward"]
    x_shape, y_shape = shapes(f)
    rng = np.random.default_rng(seed)
    x = values_with_ties(rng, x_shape, real)
    if special:
        x[rng.random(x_shape) < 0.3] = -np.inf
        x[rng.random(x_shape) < 0.1] = np.nan
        x[(x == 0) & (rng.random(x_shape) < 0.5)] *= -1
    y, places = guard_page.empty(y_shape, real), guard_page.empty(y_shape, "uint8")
    guard_page.run(kernel, kernel.pack(**f), [guard_page.copy(x), y, places])
    expected_y, expected_places = max_oracle(f, x)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(places, expected_places)
    values = kernels.load_table(isa, real)["max_pool2d_values"]
    alone = guard_page.empty(y_shape, real)
    guard_page.run(values, values.pack(**f), [guard_page.copy(x), alone])
    np.testing.assert_array_equal(alone.view(f"u{y.itemsize}"), y.view(f"u{y.itemsize}"))


@TABLES
@settings(max_examples=60, deadline=None)
@given(f=windows(), seed=st.integers(0, 2**32 - 1))
def test_backward_of_the_maximum_scatters_and_gather_is_its_transpose(isa, real, f, seed):
    table = kernels.load_table(isa, real)
    x_shape, y_shape = shapes(f)
    rng = np.random.default_rng(seed)
    x, dy = values_with_ties(rng, x_shape, real), values_with_ties(rng, y_shape, real)
    _, places = max_oracle(f, x)
    backward, gather = table["max_pool2d_backward"], table["max_pool2d_gather"]
    dx, picked = guard_page.empty(x_shape, real), guard_page.empty(y_shape, real)
    stored = guard_page.copy(places)
    guard_page.run(backward, backward.pack(**f), [guard_page.copy(dy), stored, dx])
    guard_page.run(gather, gather.pack(**f), [guard_page.copy(x), stored, picked])
    expected = np.zeros(x_shape)
    for p, oy, ox in each_window(f):
        ky, kx = divmod(int(places[p, oy, ox]), f["kw"])
        at = p, oy * f["stride_h"] - f["pad_top"] + ky, ox * f["stride_w"] - f["pad_left"] + kx
        expected[at] += dy[p, oy, ox]
        assert picked[p, oy, ox] == x[at]
    np.testing.assert_array_equal(dx, expected)  # small integers: exact in any order


@TABLES
@settings(max_examples=60, deadline=None)
@given(f=windows(), seed=st.integers(0, 2**32 - 1), include_pad=st.booleans())
def test_average_and_its_backward(isa, real, f, seed, include_pad):
    table = kernels.load_table(isa, real)
    x_shape, y_shape = shapes(f)
    rng = np.random.default_rng(seed)
    x, dy = (rng.standard_normal(shape).astype(real) for shape in (x_shape, y_shape))
    forward, backward = table["avg_pool2d_forward"], table["avg_pool2d_backward"]
    y, dx = guard_page.empty(y_shape, real), guard_page.empty(x_shape, real)
    fields = f | {"count_include_pad": int(include_pad)}
    guard_page.run(forward, forward.pack(**fields), [guard_page.copy(x), y])
    guard_page.run(backward, backward.pack(**fields), [guard_page.copy(dy), dx])
    places = counts(f, include_pad)
    expected_y, expected_dx = np.empty(y_shape), np.zeros(x_shape)
    for p, oy, ox in each_window(f):
        rows, columns, _, _ = window(f, oy, ox)
        expected_y[p, oy, ox] = x[p, rows, columns].astype("float64").sum() / places[oy, ox]
        expected_dx[p, rows, columns] += dy[p, oy, ox] / places[oy, ox]
    tolerance = 40 * np.finfo(real).eps
    np.testing.assert_allclose(y, expected_y, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(dx, expected_dx, rtol=tolerance, atol=tolerance)


@TABLES
@pytest.mark.parametrize("window, stride, pad", [(2, 2, 0), (3, 2, 1), (3, 1, 1), (4, 3, 1)])
def test_planes_are_cut_and_keep_their_bits(isa, real, window, stride, pad):
    table = kernels.load_table(isa, real)
    rng = np.random.default_rng(3)
    out = (50 + 2 * pad - window) // stride + 1
    f = {"planes": 40, "h": 50, "w": 50, "kh": window, "kw": window, "stride_h": stride, "stride_w": stride}
    f |= {"pad_top": pad, "pad_bottom": pad, "pad_left": pad, "pad_right": pad, "out_h": out, "out_w": out}
    x, dy = (rng.standard_normal((40, n, n)).astype(real) for n in (50, out))
    _, places = max_oracle(f, x)
    for name, inputs, outputs in (
        ("max_pool2d_forward", [x], [(dy.shape, real), (dy.shape, "uint8")]),
        ("max_pool2d_backward", [dy, places], [(x.shape, real)]),
        ("max_pool2d_values", [x], [(dy.shape, real)]),
        ("avg_pool2d_forward", [x], [(dy.shape, real)]),
        ("avg_pool2d_backward", [dy], [(x.shape, real)]),
    ):
        kernel = table[name]
        fields = f | ({"count_include_pad": 0} if name.startswith("avg") else {})
        packed = kernel.pack(**fields)
        chunks = kernel.sizes(packed).chunks
        assert chunks > 1
        results = [np.empty(shape, dtype) for shape, dtype in outputs]
        kernel.run(packed, [*inputs, *results], order=reversed(range(chunks)))
        for p in (0, 17, 39):
            alone = [np.empty_like(result[p]) for result in results]
            kernel.run(kernel.pack(**(fields | {"planes": 1})), [*(a[p] for a in inputs), *alone])
            for result, one in zip(results, alone):
                np.testing.assert_array_equal(result[p], one)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pad_top": 3},
        {"kh": 16, "kw": 16},
        {"stride_w": 0},
        {"out_h": 9},
        {"planes": -1},
        {"h": 0, "pad_top": 2, "pad_bottom": 2},
    ],
)
def test_windows_without_elements_and_too_large_ones_are_rejected(wrong):
    kernel = kernels.kernel("max_pool2d_forward", "float32")
    f = {"planes": 1, "h": 8, "w": 8, "kh": 3, "kw": 3, "stride_h": 1, "stride_w": 1, "out_h": 6, "out_w": 6}
    f |= {"pad_top": 0, "pad_bottom": 0, "pad_left": 0, "pad_right": 0}
    assert kernel.sizes(kernel.pack(**f)).chunks == 1
    with pytest.raises(ValueError, match="rejects the descriptor"):
        kernel.sizes(kernel.pack(**(f | wrong)))
