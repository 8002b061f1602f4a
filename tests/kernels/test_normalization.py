"""Row and batch normalisation, forward and backward: values against float64, limits of memory, and bits."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet._kernels as kernels

TABLES = list(itertools.product(ISAS, ["float32", "float64"]))
tables = pytest.mark.parametrize("isa, real", TABLES)
EPS = 1e-5


def close(got, exact, real):
    scale = np.abs(exact).max(initial=1e-30)
    np.testing.assert_allclose(got, exact, rtol=0, atol=(3e-5 if real == "float32" else 1e-12) * scale)


def run(isa, real, name, inputs, shapes, fields, backwards=False):
    kernel = kernels.load_table(isa, real)[name]
    packed = kernel.pack(**fields)
    outputs = [guard_page.empty(shape, real) for shape in shapes]
    order = list(range(kernel.sizes(packed).chunks))
    guard_page.run(kernel, packed, [*inputs, *outputs], order[::-1] if backwards else order)
    return outputs


def rows_case(rows, n, run_length, period, centred, weight, bias, seed=0, shift=0.5):
    """x, dy, parameters, and the exact results of both directions."""
    rng = np.random.default_rng(seed)
    count = period * n // run_length
    x, dy = rng.normal(shift, 1, (rows, n)), rng.normal(size=(rows, n))
    w, b = rng.uniform(0.5, 2, count), rng.normal(size=count)
    return x, dy, w, b


def row_norm(isa, real, case, backwards=False, **layout):
    """(arrays that the kernels give, exact arrays)."""
    rows, n, centred, weight, bias = (layout[k] for k in ("rows", "n", "centred", "weight", "bias"))
    x, dy, w, b = (guard_page.copy(a.astype(real)) for a in case)
    parameters = [w] * weight + [b] * bias
    shapes = [x.shape, *[(rows,)] * (1 + centred)]
    fields = {**layout, "eps": EPS}
    y, *statistics = run(isa, real, "row_norm_forward", [x, *parameters], shapes, fields, backwards)
    inputs = [dy, x, *[w] * weight, *statistics]
    gradients = run(
        isa, real, "row_norm_backward", inputs, [x.shape, *[w.shape] * (weight + bias)], fields, backwards
    )

    x, dy, w, b = (a.astype(np.float64) for a in (x, dy, w, b))
    per_row = n // layout["run"]
    places = (np.arange(rows) % layout["period"])[:, None] * per_row + np.arange(n) // layout["run"]
    mean = x.mean(1, keepdims=True) if centred else np.zeros((rows, 1))
    variance = np.mean((x - mean) ** 2, 1, keepdims=True)
    normal = (x - mean) / np.sqrt(variance + EPS)
    exact = [normal * (w[places] if weight else 1) + (b[places] if bias else 0)]
    exact += [mean[:, 0]] * centred + [variance[:, 0]]
    g = dy * (w[places] if weight else 1)
    centre = g - (g.mean(1, keepdims=True) if centred else 0)
    exact.append((centre - normal * (g * normal).mean(1, keepdims=True)) / np.sqrt(variance + EPS))
    for wanted, part in ((weight, dy * normal), (bias, dy)):
        if wanted:
            exact.append(np.bincount(places.ravel(), part.ravel(), len(w)))
    return [y, *statistics, *gradients], exact


LAYOUTS = [  # rows, n, run, period, centred, weight, bias
    (5, 7, 1, 1, 1, 1, 1),
    (37, 64, 1, 1, 1, 1, 1),
    (600, 33, 1, 1, 1, 0, 1),
    (9, 130, 1, 1, 0, 1, 0),
    (6, 60, 15, 3, 1, 1, 1),
    (8, 9, 9, 4, 1, 1, 1),
    (4, 21000, 21000, 2, 1, 1, 0),
    (3, 40, 40, 1, 0, 0, 0),
    (10, 12, 1, 5, 1, 1, 1),
    (1, 1, 1, 1, 1, 1, 1),
]
FIELDS = ("rows", "n", "run", "period", "centred", "weight", "bias")


@tables
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_rows(isa, real, layout):
    fields = dict(zip(FIELDS, layout))
    found, exact = row_norm(isa, real, rows_case(*layout), **fields)
    for got, wanted in zip(found, exact, strict=True):
        close(got, wanted, real)
    turned, _ = row_norm(isa, real, rows_case(*layout), backwards=True, **fields)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(found, turned))


@settings(max_examples=30, deadline=None)
@given(
    table=st.sampled_from(TABLES),
    rows=st.integers(0, 20),
    run_length=st.integers(1, 40),
    runs=st.integers(1, 5),
    period=st.integers(1, 4),
    switches=st.tuples(*[st.integers(0, 1)] * 3),
)
def test_rows_of_any_layout(table, rows, run_length, runs, period, switches):
    layout = (rows, run_length * runs, run_length, period, *switches)
    found, exact = row_norm(*table, rows_case(*layout), **dict(zip(FIELDS, layout)))
    for got, wanted in zip(found, exact, strict=True):
        assert np.isfinite(got).all()
        if run_length * runs > 2:  # of two values the gradient is all cancellation
            close(got, wanted, table[1])


@tables
def test_a_row_has_the_same_bits_in_any_batch(isa, real):
    case = rows_case(600, 33, 1, 1, 1, 1, 1)
    fields = dict(zip(FIELDS, (600, 33, 1, 1, 1, 1, 1)))
    whole, _ = row_norm(isa, real, case, **fields)
    part = [case[0][100:103], case[1][100:103], *case[2:]]
    some, _ = row_norm(isa, real, part, **{**fields, "rows": 3})
    for a, b in zip(some[:4], whole[:4]):
        np.testing.assert_array_equal(a, b[100:103])


@tables
def test_the_variance_of_values_far_from_zero(isa, real):
    far = 1e4 if real == "float32" else 1e9
    fields = dict(zip(FIELDS, (3, 500, 1, 1, 1, 0, 0)))
    found, exact = row_norm(isa, real, rows_case(3, 500, 1, 1, 1, 0, 0, shift=far), **fields)
    np.testing.assert_allclose(found[2], exact[2], rtol=1e-3 if real == "float32" else 1e-6)


def batch_norm(isa, real, outer, channels, inner, weight, bias, activation=0, backwards=False, shift=0.5):
    rng = np.random.default_rng(1)
    shape = (outer, channels, inner)
    x, dy = rng.normal(shift, 1, shape), rng.normal(size=shape)
    w, b = rng.uniform(0.5, 2, channels), rng.normal(size=channels)
    x, dy, w, b = (guard_page.copy(a.astype(real)) for a in (x, dy, w, b))
    fields = dict(outer=outer, channels=channels, inner=inner, weight=weight, bias=bias, eps=EPS)
    found = run(
        isa,
        real,
        "batch_norm_forward",
        [x, *[w] * weight, *[b] * bias],
        [shape, (channels,), (channels,)],
        {**fields, "activation": activation},
        backwards,
    )
    found += run(
        isa,
        real,
        "batch_norm_backward",
        [dy, x, *[w] * weight, *found[1:]],
        [shape, *[(channels,)] * (weight + bias)],
        {**fields, "activation": 0},
        backwards,
    )
    x, dy, w, b = (a.astype(np.float64) for a in (x, dy, w, b))
    w, b = (w if weight else w * 0 + 1)[:, None], (b if bias else b * 0)[:, None]
    axes = (0, 2)
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    scale = 1 / np.sqrt(variance + EPS)
    normal = (x - mean) * scale
    y = normal * w + b
    y = [y, np.maximum(y, 0), np.tanh(y), 1 / (1 + np.exp(-y))][activation]
    share = (dy * normal).mean(axes, keepdims=True)
    exact = [
        y,
        mean.ravel(),
        variance.ravel(),
        w * scale * (dy - dy.mean(axes, keepdims=True) - normal * share),
    ]
    exact += [(dy * normal).sum(axes)] * weight + [dy.sum(axes)] * bias
    return found, exact


@tables
@pytest.mark.parametrize(
    "sizes",
    [
        (6, 5, 9, 1, 1, 0),
        (700, 70, 1, 1, 1, 0),
        (5, 131, 1, 0, 1, 1),
        (3, 2, 9000, 1, 0, 1),
        (4, 3, 49, 0, 0, 2),
        (33, 33, 1, 1, 1, 3),
        (5, 4, 3, 1, 1, 3),
        (9, 1, 1, 1, 1, 2),
    ],
    ids=str,
)
def test_channels(isa, real, sizes):
    found, exact = batch_norm(isa, real, *sizes)
    for got, wanted in zip(found, exact, strict=True):
        close(got, wanted, real)
    turned, _ = batch_norm(isa, real, *sizes, backwards=True)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(found, turned))


@tables
@pytest.mark.parametrize("inner", [1, 7])
def test_statistics_of_channels_far_from_zero(isa, real, inner):
    far = 1e4 if real == "float32" else 1e9
    found, exact = batch_norm(isa, real, 2000, 3, inner, 1, 1, shift=far)
    np.testing.assert_allclose(found[1], exact[1], rtol=1e-6)
    np.testing.assert_allclose(found[2], exact[2], rtol=1e-3 if real == "float32" else 1e-6)


def test_bad_descriptors_are_rejected():
    kernel = kernels.kernel("row_norm_forward", "float32")
    good = dict(rows=2, n=6, run=2, period=1, centred=1, weight=0, bias=0, eps=EPS)
    for wrong in ({"n": 0}, {"run": 4}, {"run": 0}, {"period": 0}, {"rows": -1}):
        with pytest.raises(ValueError, match="rejects"):
            kernel.sizes(kernel.pack(**{**good, **wrong}))
    kernel = kernels.kernel("batch_norm_backward", "float32")
    good = dict(outer=2, channels=3, inner=1, weight=0, bias=0, activation=0, eps=EPS)
    for wrong in ({"outer": 0}, {"inner": 0}, {"activation": 9}):
        with pytest.raises(ValueError, match="rejects"):
            kernel.sizes(kernel.pack(**{**good, **wrong}))
