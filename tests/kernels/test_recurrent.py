"""Recurrent kernels against back-propagation through time in float64 NumPy, one example and step after the other."""

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
TANH, RELU, LSTM, GRU_AFTER, GRU_BEFORE = CELLS = range(5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gates_of(cell):
    return {LSTM: 4, GRU_AFTER: 3, GRU_BEFORE: 3}.get(cell, 1)


def step(cell, p, x, h, c):
    """New states, and the function that takes their gradients to those of (x·W + b, h, c) and the weights."""
    r, b = p["recurrent"], p["bias"]
    u = len(h)
    z = x @ p["kernel"] + b
    if cell in (TANH, RELU):
        pre = z + h @ r
        new = np.tanh(pre) if cell == TANH else np.maximum(pre, 0)

        def back(dh, dc):
            d = dh * ((1 - new**2) if cell == TANH else (pre > 0))
            return d, r @ d, None, {"recurrent": np.outer(h, d)}

        return new, None, back
    if cell == LSTM:
        i, f, g, o = np.split(z + h @ r, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        state = f * c + i * g
        t = np.tanh(state)

        def back(dh, dc):
            total = dc + dh * o * (1 - t**2)
            parts = (
                total * g * i * (1 - i),
                total * c * f * (1 - f),
                total * i * (1 - g**2),
                dh * t * o * (1 - o),
            )
            d = np.concatenate(parts)
            return d, r @ d, total * f, {"recurrent": np.outer(h, d)}

        return o * t, state, back
    inner = h @ r + p["recurrent_bias"] if cell == GRU_AFTER else h @ r[:, : 2 * u]
    reset, update = sigmoid(z[:u] + inner[:u]), sigmoid(z[u : 2 * u] + inner[u : 2 * u])
    third = reset * inner[2 * u :] if cell == GRU_AFTER else (reset * h) @ r[:, 2 * u :]
    n = np.tanh(z[2 * u :] + third)

    def back(dh, dc):
        dn = dh * (1 - update) * (1 - n**2)
        dz = dh * (h - n) * update * (1 - update)
        if cell == GRU_AFTER:
            dr = dn * inner[2 * u :] * reset * (1 - reset)
            own = np.concatenate([dr, dz, dn * reset])
            return (
                np.concatenate([dr, dz, dn]),
                dh * update + r @ own,
                None,
                {
                    "recurrent": np.outer(h, own),
                    "recurrent_bias": own,
                },
            )
        scaled = r[:, 2 * u :] @ dn
        dr = scaled * h * reset * (1 - reset)
        first = np.concatenate([dr, dz])
        weights = np.concatenate([np.outer(h, first), np.outer(reset * h, dn)], axis=1)
        d = np.concatenate([first, dn])
        return d, dh * update + scaled * reset + r[:, : 2 * u] @ first, None, {"recurrent": weights}

    return (1 - update) * n + update * h, None, back


def oracle(f, p, dy, dh, dc):
    """(outputs, last h, last c, gradients by name) of a batch."""
    p = {k: None if v is None else np.asarray(v, float) if v.dtype.kind == "f" else v for k, v in p.items()}
    ys = np.zeros((f["n"], f["steps"], f["units"]))
    last_h, last_c = p["h"].copy(), None if p["c"] is None else p["c"].copy()
    grads = {k: np.zeros(v.shape) for k, v in p.items() if v is not None and v.dtype.kind == "f"}
    order = list(range(f["steps"]))
    if f["reverse"]:
        order.reverse()
    for n in range(f["n"]):
        h, c = p["h"][n], None if p["c"] is None else p["c"][n]
        backs = []
        for t in order:
            if p["mask"] is not None and not p["mask"][n, t]:
                continue
            h, c, back = step(f["cell"], p, p["x"][n, t], h, c)
            ys[n, t] = h
            backs.append((t, back))
        last_h[n] = h
        if c is not None:
            last_c[n] = c
        gh = np.zeros_like(h) if dh is None else dh[n].astype(float)
        gc = None if c is None else np.zeros_like(c) if dc is None else dc[n].astype(float)
        for t, back in reversed(backs):
            d, gh, gc, weights = back(gh + (0 if dy is None else dy[n, t]), gc)
            grads["kernel"] += np.outer(p["x"][n, t], d)
            grads["bias"] += d
            grads["x"][n, t] = p["kernel"] @ d
            for name, value in weights.items():
                grads[name] += value
        grads["h"][n] = gh
        if c is not None:
            grads["c"][n] = gc
    return ys, last_h, last_c, grads


def problem(rng, f, real):
    n, steps, features, units = (f[k] for k in ("n", "steps", "features", "units"))
    columns = gates_of(f["cell"]) * units
    scale = 1 / np.sqrt(max(features + units, 1))

    def normal(*shape, by=1.0):
        return (rng.standard_normal(shape) * by).astype(real)

    return {
        "x": normal(n, steps, features),
        "kernel": normal(features, columns, by=scale),
        "recurrent": normal(units, columns, by=scale),
        "bias": normal(columns),
        "recurrent_bias": normal(3 * units) if f["cell"] == GRU_AFTER else None,
        "h": normal(n, units),
        "c": normal(n, units) if f["cell"] == LSTM else None,
        "mask": rng.random((n, steps)) < 0.7 if f["masked"] else None,
    }


def forward(table, f, p, sequences=True, keep=True, order=None):
    """(outputs or None, last h, last c or None, what was kept), in poisoned memory that ends at guard pages."""
    n, steps, units, real = f["n"], f["steps"], f["units"], p["x"].dtype
    kernel = table["recurrent_forward"]
    packed = kernel.pack(**f, sequences=int(sequences), keep=int(keep))
    names = ("x", "kernel", "recurrent", "bias", "recurrent_bias", "h", "c", "mask")
    inputs = [guard_page.copy(p[k]) for k in names if p[k] is not None]
    lstm = f["cell"] == LSTM
    y = [guard_page.empty((n, steps, units), real)] if sequences else []
    last = [guard_page.empty((n, units), real) for _ in range(1 + lstm)]
    width = (gates_of(f["cell"]) + (f["cell"] == GRU_AFTER)) * units
    shapes = [(steps * n, units), (steps * n, width), *([((steps + 1) * n, units)] if lstm else [])]
    kept = [guard_page.empty(s, real) for s in shapes] if keep else []
    chunks = None if order is None else order(kernel.sizes(packed).chunks)
    guard_page.run(kernel, packed, [*inputs, *y, *last, *kept], order=chunks)
    return y[0] if y else None, last[0], last[1] if lstm else None, kept


def backward(table, f, p, kept, arriving, wanted=("x", "kernel", "recurrent"), order=None):
    kernel = table["recurrent_backward"]
    dy, dh, dc = arriving
    packed = kernel.pack(
        **f,
        given_outputs=int(dy is not None),
        given_h=int(dh is not None),
        given_c=int(dc is not None),
        **{f"wanted_{k}": int(k in wanted) for k in ("x", "kernel", "recurrent")},
    )
    inputs = [p["x"], p["kernel"], p["recurrent"], *kept, p["mask"], dy, dh, dc]
    names = ["h", "c", "bias", "recurrent_bias", *[k for k in ("kernel", "recurrent", "x") if k in wanted]]
    found = {k: guard_page.empty(p[k].shape, p[k].dtype) for k in names if p[k] is not None}
    operands = [guard_page.copy(a) for a in inputs if a is not None]
    chunks = None if order is None else order(kernel.sizes(packed).chunks)
    guard_page.run(kernel, packed, [*operands, *found.values()], order=chunks)
    return found


@st.composite
def recurrences(draw):
    sizes = st.one_of(st.integers(1, 9), st.sampled_from([16, 17, 24, 33]))
    return {
        "n": draw(st.one_of(st.integers(1, 9), st.sampled_from([16, 17, 33, 40]))),
        "steps": draw(st.integers(0, 9)),
        "features": draw(st.one_of(sizes, st.just(0))),
        "units": draw(sizes),
        "cell": draw(st.sampled_from(CELLS)),
        "reverse": draw(st.integers(0, 1)),
        "masked": draw(st.integers(0, 1)),
    }


def close(got, wanted, real, what):
    tolerance = 2e-4 if real == "float32" else 1e-11
    scale = max(1.0, float(np.max(np.abs(wanted), initial=0)))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * scale, err_msg=what)


@TABLES
@settings(max_examples=40, deadline=None)
@given(f=recurrences(), seed=st.integers(0, 2**32 - 1), given_=st.tuples(*[st.booleans()] * 3))
def test_both_passes(isa, real, f, seed, given_):
    table, rng = kernels.load_table(isa, real), np.random.default_rng(seed)
    p = problem(rng, f, real)
    y, h, c, kept = forward(table, f, p)
    arriving = [
        rng.standard_normal(np.shape(a)).astype(real) if a is not None and g else None
        for a, g in zip((y, h, c), given_)
    ]
    if p["mask"] is not None:  # what does not count is never read
        p["x"][~p["mask"]] = np.nan
        again = forward(table, f, p)
        np.testing.assert_array_equal(again[0], y)
        if arriving[0] is not None:
            arriving[0][~p["mask"]] = np.nan
    wanted_y, wanted_h, wanted_c, grads = oracle(f, p, *arriving)
    close(y, wanted_y, real, "outputs")
    close(h, wanted_h, real, "h")
    if c is not None:
        close(c, wanted_c, real, "c")
    for name, value in backward(table, f, p, kept, arriving).items():
        close(value, grads[name], real, name)


@TABLES
@pytest.mark.parametrize("cell", CELLS)
def test_bits_do_not_depend_on_the_batch_the_cut_or_what_is_kept(isa, real, cell):
    table, rng = kernels.load_table(isa, real), np.random.default_rng(cell)
    f = {"n": 37, "steps": 6, "features": 5, "units": 19, "cell": cell, "reverse": 0, "masked": 1}
    p = problem(rng, f, real)
    whole = forward(table, f, p)
    arriving = [None if a is None else rng.standard_normal(a.shape).astype(real) for a in whole[:3]]
    slopes = backward(table, f, p, whole[3], arriving)
    other = forward(table, f, p, keep=False, order=lambda chunks: range(chunks)[::-1])
    for a, b in zip(whole[:3], other[:3]):
        assert a is b is None or np.array_equal(a, b)
    again = backward(table, f, p, whole[3], arriving, order=lambda chunks: range(chunks)[::-1])
    assert all(np.array_equal(slopes[k], again[k]) for k in slopes)
    for rows in (slice(0, 1), slice(36, 37), slice(3, 6), slice(5, 25)):
        part = {k: v[rows] if k in ("x", "h", "c", "mask") and v is not None else v for k, v in p.items()}
        g = f | {"n": rows.stop - rows.start}
        few = forward(table, g, part)
        for a, b in zip(whole[:3], few[:3]):
            assert a is b is None or np.array_equal(a[rows], b)
        own = backward(table, g, part, few[3], [None if a is None else a[rows] for a in arriving])
        assert all(np.array_equal(slopes[k][rows], own[k]) for k in ("x", "h", "c") if k in own)


@TABLES
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("rows", [1, 12])
def test_a_walk_goes_on_with_the_same_bits(isa, real, cell, rows):
    table, rng = kernels.load_table(isa, real), np.random.default_rng(7)
    f = {"n": rows, "steps": 11, "features": 3, "units": 33, "cell": cell, "reverse": 0, "masked": 0}
    p = problem(rng, f, real)
    y, h, _, _ = forward(table, f, p, keep=False)
    parts, state = [], p
    for steps in (slice(0, 5), slice(5, 6), slice(6, 11)):  # long enough to pack the weights, or not
        g = f | {"steps": steps.stop - steps.start}
        part, *last = forward(table, g, state | {"x": np.ascontiguousarray(p["x"][:, steps])}, keep=False)
        parts.append(part)
        state = state | {"h": last[0], "c": last[1]}
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), y)
    np.testing.assert_array_equal(state["h"], h)


@TABLES
def test_what_is_not_wanted_is_left_out(isa, real):
    table, rng = kernels.load_table(isa, real), np.random.default_rng(3)
    for cell in CELLS:
        f = {"n": 9, "steps": 7, "features": 4, "units": 5, "cell": cell, "reverse": 1, "masked": 0}
        p = problem(rng, f, real)
        _, h, _, kept = forward(table, f, p)
        assert np.array_equal(forward(table, f, p, sequences=False)[1], h)
        arriving = [None, np.ones_like(h), None]
        whole = backward(table, f, p, kept, arriving)
        for wanted in ((), ("x",), ("kernel",), ("recurrent",)):
            part = backward(table, f, p, kept, arriving, wanted)
            assert set(part) == set(whole) - ({"x", "kernel", "recurrent"} - set(wanted))
            assert all(np.array_equal(part[k], whole[k]) for k in part)


@TABLES
@pytest.mark.parametrize("features, units, n", [(3, 70, 2), (40, 300, 1), (300, 8, 20)])
def test_wide_layers(isa, real, features, units, n):
    table, rng = kernels.load_table(isa, real), np.random.default_rng(5)
    f = {"n": n, "steps": 5, "features": features, "units": units, "cell": LSTM, "reverse": 0, "masked": 0}
    p = problem(rng, f, real)
    y, h, c, kept = forward(table, f, p)
    arriving = [None, np.ones_like(h), np.ones_like(c)]
    wanted_y, *_, grads = oracle(f, p, *arriving)
    close(y, wanted_y, real, "outputs")
    for name, value in backward(table, f, p, kept, arriving).items():
        close(value, grads[name], real, name)


def test_descriptors_that_make_no_sense_are_rejected():
    good = {"n": 1, "steps": 1, "features": 1, "units": 1, "cell": 0, "reverse": 0, "masked": 0}
    kernel = kernels.kernel("recurrent_forward", "float32")
    for wrong in ({"cell": 5}, {"cell": -1}, {"units": -1}, {"n": -1}, {"steps": -1}, {"features": -1}):
        with pytest.raises(ValueError, match="rejects the descriptor"):
            kernel.sizes(kernel.pack(**good | wrong, sequences=1, keep=0))


def test_the_oracle_tells_wrong_from_right():
    rng = np.random.default_rng(1)
    f = {"n": 2, "steps": 3, "features": 2, "units": 3, "cell": LSTM, "reverse": 0, "masked": 0}
    p = problem(rng, f, "float64")
    table = kernels.load_table(USABLE[0], "float64")
    y, *_, kept = forward(table, f, p)
    p["bias"][4] += 1e-6
    with pytest.raises(AssertionError, match="outputs"):
        close(y, oracle(f, p, None, None, None)[0], "float64", "outputs")
    wrong = [kept[0], kept[1] * 1.0001, kept[2]]
    slopes = backward(table, f, p, wrong, [np.ones_like(y), None, None])
    with pytest.raises(AssertionError, match="recurrent"):
        close(
            slopes["recurrent"],
            oracle(f, p, np.ones_like(y), None, None)[3]["recurrent"],
            "float64",
            "recurrent",
        )
