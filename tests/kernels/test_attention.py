"""Attention in blocks, forward and backward: values against float64, masks, limits of memory, and bits."""

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
NO_MASK, ALLOWED, ADDED = range(3)


def strides(x):
    return tuple(s // x.itemsize for s in x.strides)


def attend(q, k, v, mask, causal, scale, dy):
    """(y, dq, dk, dv) by the definition, with heads on axis 1."""
    shared = q.shape[1] // k.shape[1]
    wide_k, wide_v = (np.repeat(x, shared, 1) for x in (k, v))
    scores = q @ np.swapaxes(wide_k, 2, 3) * scale
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[2:], dtype=bool), scores, -np.inf)
    largest = scores.max(3, keepdims=True, initial=-np.inf)
    weights = np.exp(scores - np.where(np.isneginf(largest), 0, largest))
    total = weights.sum(3, keepdims=True)
    weights = weights / np.where(total == 0, 1, total)
    y = weights @ wide_v
    toward = dy @ np.swapaxes(wide_v, 2, 3)
    slopes = weights * (toward - (dy * y).sum(3, keepdims=True)) * scale

    def grouped(x):
        return x.reshape(k.shape[0], k.shape[1], shared, *x.shape[2:]).sum(2)

    return (
        y,
        slopes @ wide_k,
        grouped(np.swapaxes(slopes, 2, 3) @ q),
        grouped(np.swapaxes(weights, 2, 3) @ dy),
    )


def attention(isa, real, q, k, v, mask, causal, scale, dy, backwards=False):
    """(y, dq, dk, dv) by the kernels, with heads on axis 1.  Operands keep their strides; results end at guard pages."""
    n, h, tq, d = q.shape
    g, tk, e = k.shape[1], k.shape[2], v.shape[3]
    kind, reach = NO_MASK, (0, 0, 0, 0)
    if mask is not None:
        kind = ALLOWED if mask.dtype == bool else ADDED
        reach = tuple(0 if size == 1 else s for size, s in zip(mask.shape, strides(mask)))
    fields = dict(batch=n, heads=h, groups=g, queries=tq, keys=tk, width=d, value_width=e)
    fields.update(q=strides(q)[:3], k=strides(k)[:3], v=strides(v)[:3], mask_kind=kind, mask=reach)
    fields.update(causal=int(causal), scale=scale)
    operands = [q, k, v] + ([] if mask is None else [mask])

    def run(name, inputs, outputs):
        kernel = kernels.load_table(isa, real)[name]
        packed = kernel.pack(**fields)
        order = list(range(kernel.sizes(packed).chunks))
        guard_page.run(kernel, packed, [*inputs, *outputs], order[::-1] if backwards else order)
        return outputs

    y, statistics = (guard_page.empty(s, real) for s in ((n, tq, h, e), (n, h, tq, 2)))
    run("attention_forward", operands, [y, statistics])
    slopes = [guard_page.empty(s, real) for s in ((n, tq, h, d), (n, tk, g, d), (n, tk, g, e))]
    last = guard_page.copy(np.ascontiguousarray(np.swapaxes(dy, 1, 2)))
    run("attention_backward", [last, *operands, y, statistics], slopes)
    return [np.swapaxes(x, 1, 2) for x in (y, *slopes)]


def case(real, n, h, g, tq, tk, d, e, mask, seed=0, spread=1.0, heads_last=False):
    """Operands at guard pages: q, k, v, mask, dy."""
    rng = np.random.default_rng(seed)

    def draw(heads, steps, width):
        x = rng.normal(0, spread, (n, steps, heads, width) if heads_last else (n, heads, steps, width))
        x = guard_page.copy(x.astype(real))
        return np.swapaxes(x, 1, 2) if heads_last else x

    q, k, v, dy = draw(h, tq, d), draw(g, tk, d), draw(g, tk, e), rng.normal(size=(n, h, tq, e))
    if mask == "allowed":
        mask = guard_page.copy(rng.random((n, 1, tq, tk)) > 0.4)
    elif mask == "padding":
        mask = guard_page.copy(np.arange(tk) < rng.integers(0, tk + 1, (n, 1, 1, 1)))
    elif mask == "added":
        mask = guard_page.copy(rng.normal(size=(1, h, tq, tk)).astype(real))
    elif mask == "column":
        mask = guard_page.copy(rng.normal(size=(n, 1, tq, 1)).astype(real))
    return q, k, v, mask, dy.astype(real)


def check(isa, real, operands, causal, scale, loss=1.0):
    """loss: how many times the usual error may be there."""
    q, k, v, mask, dy = operands
    found = attention(isa, real, q, k, v, mask, causal, scale, dy)
    wide = [x.astype(float) if x is not None and x.dtype != bool else x for x in (q, k, v, mask, dy)]
    exact = attend(*wide[:4], causal, scale, wide[4])
    for got, wanted in zip(found, exact):
        size = loss * np.abs(wanted).max(initial=1.0)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=(2e-5 if real == "float32" else 1e-12) * size)
    return found


@tables
@pytest.mark.parametrize(
    ("sizes", "mask", "causal"),
    [
        ((2, 2, 2, 5, 7, 6, 3), None, False),
        ((1, 4, 2, 70, 140, 8, 17), None, True),
        ((2, 4, 1, 64, 64, 32, 32), "padding", False),
        ((1, 2, 1, 130, 67, 5, 1), "allowed", True),
        ((2, 2, 2, 9, 200, 3, 40), "added", False),
        ((1, 1, 1, 3, 66, 600, 2), "column", True),
        ((3, 3, 3, 1, 65, 16, 16), "allowed", False),
        ((1, 2, 2, 4, 0, 3, 2), None, False),
        ((1, 2, 2, 0, 4, 3, 2), None, False),
    ],
    ids=str,
)
def test_values(isa, real, sizes, mask, causal):
    operands = case(real, *sizes, mask)
    found = check(isa, real, operands, causal, 0.3)
    q, k, v, mask, dy = operands
    turned = attention(isa, real, q, k, v, mask, causal, 0.3, dy, backwards=True)
    assert all(np.array_equal(a, b) for a, b in zip(found, turned))


@settings(max_examples=25, deadline=None)
@given(
    table=st.sampled_from(TABLES),
    heads=st.sampled_from([(1, 1), (2, 2), (4, 2), (3, 1)]),
    sizes=st.tuples(
        st.integers(1, 3), st.integers(1, 80), st.integers(1, 90), st.integers(1, 20), st.integers(1, 20)
    ),
    mask=st.sampled_from([None, "allowed", "padding", "added", "column"]),
    causal=st.booleans(),
    heads_last=st.booleans(),
)
def test_any_sizes(table, heads, sizes, mask, causal, heads_last):
    n, tq, tk, d, e = sizes
    check(*table, case(table[1], n, *heads, tq, tk, d, e, mask, heads_last=heads_last), causal, 0.5)


@tables
def test_a_query_has_the_same_bits_alone(isa, real):
    """Whatever stands beside it in the batch and among the queries; and with or without the keys that it must not see."""
    q, k, v, _, dy = case(real, 3, 2, 1, 150, 150, 12, 10, None)
    y, dq, dk, dv = attention(isa, real, q, k, v, None, True, 0.4, dy)
    for t in (0, 1, 63, 64, 100, 149):
        alone = attention(
            isa,
            real,
            q[:, :, t : t + 1],
            k[:, :, : t + 1],
            v[:, :, : t + 1],
            None,
            False,
            0.4,
            dy[:, :, t : t + 1],
        )
        assert np.array_equal(alone[0], y[:, :, t : t + 1])
        assert np.array_equal(alone[1], dq[:, :, t : t + 1])
        seen = np.arange(150).reshape(1, 1, 1, 150) <= t
        cached = attention(isa, real, q[:, :, t : t + 1], k, v, seen, False, 0.4, dy[:, :, t : t + 1])
        assert np.array_equal(cached[0], y[:, :, t : t + 1])
    one = attention(isa, real, q[1:2], k[1:2], v[1:2], None, True, 0.4, dy[1:2])
    for a, b in zip(one, (y, dq, dk, dv)):
        assert np.array_equal(a, b[1:2])


@tables
def test_large_scores_and_rows_without_keys(isa, real):
    q, k, v, _, dy = case(real, 1, 1, 1, 6, 130, 4, 3, None, spread=100.0)
    check(isa, real, (q, k, v, None, dy), False, 1.0, 1e3)  # scores of some 1e4
    mask = np.ones((1, 1, 6, 130), bool)
    mask[0, 0, [1, 4]] = False
    mask[0, 0, 2, :128] = False
    found = check(isa, real, (q, k, v, mask, dy), False, 0.01)
    assert not found[0][0, 0, [1, 4]].any() and not found[1][0, 0, [1, 4]].any()
    added = np.where(mask, 0, -np.inf).astype(real)
    again = attention(isa, real, q, k, v, added, False, 0.01, dy)
    assert all(np.array_equal(a, b) for a, b in zip(found, again))


@tables
def test_a_score_that_is_no_number_shows(isa, real):
    q, k, v, _, dy = case(real, 1, 1, 1, 3, 70, 4, 3, None)
    q[0, 0, 1, 0] = np.nan
    y = attention(isa, real, q, k, v, None, False, 1.0, dy)[0]
    assert np.isnan(y[0, 0, 1]).all() and np.isfinite(y[0, 0, [0, 2]]).all()


def test_bad_descriptors_are_rejected():
    kernel = kernels.kernel("attention_backward", "float32")
    good = dict(
        batch=1, heads=4, groups=2, queries=3, keys=3, width=2, value_width=2, q=(0, 0, 0), k=(0, 0, 0)
    )
    good.update(v=(0, 0, 0), mask_kind=0, mask=(0, 0, 0, 0), causal=0, scale=1.0)
    for wrong in ({"groups": 3}, {"groups": 0}, {"keys": -1}, {"mask_kind": 3}):
        with pytest.raises(ValueError, match="rejects"):
            kernel.sizes(kernel.pack(**{**good, **wrong}))
