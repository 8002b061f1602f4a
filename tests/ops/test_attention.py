"""Attention and encodings of positions against NumPy, and their derivatives against finite differences."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.graph import Graph
from mathnet.graph.op import as_tensor, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan.plan import Plan
from mathnet.transform.gradient import gradient


def rng():
    return np.random.default_rng(12)


def operands(heads=4, groups=2):
    draw = rng()
    return [draw.standard_normal(s) for s in ((2, heads, 5, 6), (2, groups, 7, 6), (2, groups, 7, 3))]


def attend(q, k, v, allowed, added=0.0, scale=None):
    """Query by query."""
    out = np.zeros((*q.shape[:3], v.shape[-1]))
    allowed = np.broadcast_to(allowed, (*q.shape[:3], k.shape[2]))
    added = np.broadcast_to(added, allowed.shape)
    for n, h, t in np.ndindex(q.shape[:3]):
        g = h // (q.shape[1] // k.shape[1])
        see = allowed[n, h, t]
        scores = k[n, g] @ q[n, h, t] * (q.shape[-1] ** -0.5 if scale is None else scale) + added[n, h, t]
        weights = np.exp(scores[see])
        if see.any():
            out[n, h, t] = weights / weights.sum() @ v[n, g][see]
    return out


MASK = rng().random((2, 4, 5, 7)) > 0.4
MASK[0, 0, 1] = False


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(
    ("settings", "allowed", "added"),
    [
        ({}, True, 0.0),
        ({"is_causal": True}, np.arange(5)[:, None] >= np.arange(7), 0.0),
        ({"scale": 0.3}, True, 0.0),
        ({"attn_mask": MASK}, MASK, 0.0),
        ({"attn_mask": MASK[:, :1, :1]}, MASK[:, :1, :1], 0.0),
        (
            {"attn_mask": MASK[0, 1], "is_causal": True},
            MASK[0, 1] & (np.arange(5)[:, None] >= np.arange(7)),
            0.0,
        ),
        ({"attn_mask": MASK * 1.5}, True, MASK * 1.5),
    ],
)
def test_values(dtype, groups, settings, allowed, added):
    q, k, v = operands(groups=groups)
    wanted = attend(q, k, v, allowed, added, settings.get("scale"))
    settings = {
        a: b.astype(dtype) if getattr(b, "dtype", None) == np.float64 else b for a, b in settings.items()
    }
    got = mn.scaled_dot_product_attention(*[x.astype(dtype) for x in (q, k, v)], **settings)
    assert got.dtype == dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance)


def test_without_heads():
    q, k, v = (x[0, :2] for x in operands())
    got = mn.scaled_dot_product_attention(q, k, v)
    np.testing.assert_allclose(got, attend(q[:, None], k[:, None], v[:, None], True)[:, 0], rtol=1e-12)
    np.testing.assert_allclose(mn.scaled_dot_product_attention(q[0], k[0], v[0]), got[0], rtol=1e-12)
    mean = mn.scaled_dot_product_attention(q[..., :0], k[..., :0], v)  # no features: all keys alike
    np.testing.assert_allclose(mean, np.broadcast_to(v.mean(1, keepdims=True), mean.shape), rtol=1e-12)


def test_derivatives():
    q, k, v = operands()
    keep = (rng().random((2, 4, 5, 7)) > 0.5) * 2.0

    def f(q, k, v):
        a = mn.scaled_dot_product_attention(q, k, v, attn_mask=MASK, dropout_mask=keep)
        return mn.sum(mn.square(a)) + mn.sum(
            mn.tanh(mn.scaled_dot_product_attention(q, k, v, is_causal=True))
        )

    mn.check_gradient(f, (q, k, v))
    mn.check_gradient(lambda q: mn.sum(mn.square(mn.grad(lambda k: f(q, k, v))(k))), (q,))


@pytest.mark.parametrize(
    "mask", [None, MASK, np.linspace(-1, 1, 28).reshape(4, 1, 7)], ids=["none", "bool", "float"]
)
def test_second_derivatives(mask):
    q, k, v = operands()

    def f(*x):
        return mn.sum(mn.tanh(mn.scaled_dot_product_attention(*x, attn_mask=mask, is_causal=True, scale=0.6)))

    mn.check_gradient(f, (q, k, v), order=2)


def test_the_derivative_of_a_mask_that_is_added():
    q, k, v = operands()
    bias = rng().standard_normal((4, 1, 7))
    mn.check_gradient(
        lambda b: mn.tanh(mn.scaled_dot_product_attention(q, k, v, attn_mask=b)), (bias,), order=2
    )


def test_keys_shared_by_the_batch_and_more_axes():
    q, k, v = operands()
    many = np.stack([q, 2 * q])
    got = mn.scaled_dot_product_attention(many, k[None], v[None], attn_mask=MASK)
    np.testing.assert_allclose(got[1], attend(2 * q, k, v, MASK), rtol=1e-11)
    masks = np.stack([MASK, ~MASK])
    got = mn.scaled_dot_product_attention(many, k[None], v[None], attn_mask=masks)
    np.testing.assert_allclose(got[1], attend(2 * q, k, v, ~MASK), rtol=1e-11)
    mn.check_gradient(lambda k: mn.scaled_dot_product_attention(q, k, v[:1]), (k[:1],))


@pytest.mark.parametrize("added", [False, True])
def test_whoever_sees_nothing_gets_zeros_and_gives_no_slope(added):
    q, k, v = operands()
    mask = np.zeros((5, 7), bool)
    mask[2:, 3:] = True  # of these keys, causality lets queries 3 and 4 see some
    mask = np.where(mask, 0.0, -np.inf) if added else mask

    def f(q, dropout=None):
        return mn.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=True, dropout_mask=dropout)

    y = f(q)
    assert not y[:, :, :3].any() and y[:, :, 3:].all()
    np.testing.assert_allclose(f(q, np.ones((5, 7))), y, rtol=1e-12)  # the form that holds the weights
    slope = mn.grad(lambda q: mn.sum(mn.square(f(q))))(q)
    assert not slope[:, :, :3].any() and np.isfinite(slope).all()
    np.testing.assert_array_equal(y[:, :, 3], np.repeat(v[:, :, 3], 2, 1))


def test_memory_grows_with_the_length_and_not_with_its_square():
    def arena(steps):
        inputs = [input_tensor(Spec((1, 2, steps, 8), np.dtype(np.float32)), name) for name in "qkv"]
        loss = mn.sum(mn.square(mn.scaled_dot_product_attention(*inputs, is_causal=True)))
        slopes = gradient([loss], [as_tensor(np.float32(1.0))], inputs)
        return Plan(Graph(inputs, slopes)).arena_bytes

    assert arena(2048) < 2.2 * arena(1024) < 2048 * 2048


def test_mixed_types_and_a_scale_that_is_a_tensor():
    q, k, v = operands()
    got = mn.scaled_dot_product_attention(q.astype(np.float32), k, v)
    assert got.dtype == np.float64
    slope = mn.grad(lambda s: mn.sum(mn.scaled_dot_product_attention(q, k, v, scale=s)))(np.array(0.3))
    step = 1e-6
    up, down = (np.sum(attend(q, k, v, True, scale=0.3 + e)) for e in (step, -step))
    np.testing.assert_allclose(slope, (up - down) / (2 * step), rtol=1e-6)


def test_sinusoidal_encoding():
    rates = 100.0 ** (-np.arange(0, 6, 2) / 6)
    wanted = np.zeros((9, 6))
    wanted[:, ::2], wanted[:, 1::2] = (
        np.sin(np.outer(np.arange(9), rates)),
        np.cos(np.outer(np.arange(9), rates)),
    )
    np.testing.assert_allclose(mn.sinusoidal_encoding(9, 6, base=100.0, dtype="float64"), wanted, atol=1e-14)
    np.testing.assert_array_equal(mn.sinusoidal_encoding(np.int64(9), 6), mn.sinusoidal_encoding(9, 6))
    got = mn.sinusoidal_encoding(np.array([[3, 1]]), 6, base=100.0)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted[[[3, 1]]], atol=1e-6)
    far = mn.sinusoidal_encoding(np.array([10**6]), 6, base=100.0)  # the phase is exact far out, too
    np.testing.assert_allclose(far[0, ::2], np.sin(1e6 * rates), atol=1e-6)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_embedding_turns_pairs(interleaved):
    x = rng().standard_normal((2, 3, 5, 6))
    places = np.array([0, 3, 4, 9, 20])
    angle = places[:, None] * 10000.0 ** (-np.arange(3) / 3)
    pairs = [(2 * k, 2 * k + 1) for k in range(3)] if interleaved else [(k, k + 3) for k in range(3)]
    wanted = np.zeros_like(x)
    for k, (a, b) in enumerate(pairs):
        turned = (x[..., a] + 1j * x[..., b]) * np.exp(1j * angle[:, k])
        wanted[..., a], wanted[..., b] = turned.real, turned.imag
    got = mn.rotary_embedding(x, places, interleaved=interleaved)
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        mn.rotary_embedding(x[..., 1:, :]), mn.rotary_embedding(x[..., 1:, :], np.arange(4)), rtol=1e-14
    )
    mn.check_gradient(lambda x: mn.sum(mn.sin(mn.rotary_embedding(x, interleaved=interleaved))), (x,))


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q, k[0], v),
            mn.ShapeError,
            "the same number of axes",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q[..., 1:], k, v),
            mn.ShapeError,
            "the last axes of query",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q, k, v[:, :, 1:]),
            mn.ShapeError,
            "but for the last axis",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q[:, :3], k, v),
            mn.ShapeError,
            "3 heads of the query are no multiple",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q > 0, k, v),
            mn.DTypeError,
            "query has element type bool",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q, k, v, MASK[..., 1:]),
            mn.ShapeError,
            "do not broadcast",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q, k, v, MASK[None]),
            mn.ShapeError,
            "attn_mask of shape",
        ),
        (
            lambda q, k, v: mn.rotary_embedding(q[..., 1:]),
            mn.ShapeError,
            "the last axis of x must be a positive even",
        ),
        (lambda q, k, v: mn.rotary_embedding(q, np.arange(3)), mn.ShapeError, "do not broadcast"),
        (
            lambda q, k, v: mn.rotary_embedding(q, base=-1.0),
            mn.ArgumentError,
            "base must be a positive number",
        ),
        (
            lambda q, k, v: mn.scaled_dot_product_attention(q, k, v, scale="half"),
            mn.ArgumentError,
            "scale must be a number, not 'half'",
        ),
        (
            lambda q, k, v: mn.sinusoidal_encoding(4, 3),
            mn.ShapeError,
            "features must be a positive even number, not 3",
        ),
    ],
)
def test_bad_operands_are_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call(*operands())
