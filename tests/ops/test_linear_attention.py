"""Linear attention against the matrix of its weights; parts of sequences; derivatives; bad operands."""

import numpy as np
import pytest

import mathnet as mn

N, H, D, E = 2, 4, 6, 5


def phi(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def attended(q, k, v, causal=False, mask=None, features=phi):
    """Σⱼ wᵢⱼ vⱼ / Σⱼ wᵢⱼ with the whole matrix w, in float64."""
    q, k, v = (x.astype(np.float64) for x in (q, k, v))
    k, v = (np.repeat(x, q.shape[1] // x.shape[1], axis=1) for x in (k, v))
    w = features(q) @ features(k).swapaxes(-1, -2)
    if causal:
        w = w * np.tri(*w.shape[-2:])
    if mask is not None:
        w = w * mask[:, None, None]
    total = w.sum(-1, keepdims=True)
    return w @ v / np.where(total == 0, 1, total)


def operands(steps, groups=2, dtype=np.float64, keys=None):
    rng = np.random.default_rng(41)
    shapes = ((N, H, steps, D), (N, groups, keys or steps, D), (N, groups, keys or steps, E))
    return [rng.standard_normal(s).astype(dtype) for s in shapes]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("steps", "groups"), [(1, 2), (7, 1), (64, 4), (65, 2), (150, 2)])
def test_values(dtype, masked, steps, groups):
    q, k, v = operands(steps, groups, dtype)
    mask = np.random.default_rng(3).random((N, steps)) > 0.4 if masked else None
    tolerance = {"rtol": 1e-10, "atol": 1e-12} if dtype == np.float64 else {"rtol": 1e-5, "atol": 1e-5}
    for causal in (False, True):
        y = mn.linear_attention(q, k, v, mask, causal)
        assert y.dtype == dtype
        np.testing.assert_allclose(y, attended(q, k, v, causal, mask), **tolerance)


def test_other_features_other_keys_and_queries_that_see_nothing():
    q, k, v = operands(5, keys=9)
    y = mn.linear_attention(q, k, v, feature_map=mn.relu)
    np.testing.assert_allclose(
        y, attended(q, k, v, features=lambda x: np.maximum(x, 0)), rtol=1e-10, atol=1e-12
    )
    k[:, :, 4:], v[:, :, 4:] = np.nan, np.nan  # hidden
    mask = np.arange(9) < np.array([[4], [0]])
    y = mn.linear_attention(q, k, v, mask)
    np.testing.assert_allclose(y[0], attended(q, k[:, :, :4], v[:, :, :4])[0], rtol=1e-10)
    np.testing.assert_array_equal(y[1], 0)
    mixed = mn.linear_attention(q.astype(np.float32), k[:, :, :4], v[:, :, :4])
    assert mixed.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "ends", [[1, 2, 3], [63, 64, 65, 129, 150], [100, 101, 102, 150], [150], range(1, 71)]
)
def test_parts_have_the_bits_of_the_whole(dtype, ends):
    q, k, v = operands(ends[-1], dtype=dtype)
    state, start, parts = mn.linear_attention_state(k, v), 0, []
    for end in ends:
        own = [x[:, :, start:end] for x in (q, k, v)]
        y, state = mn.linear_attention(*own, is_causal=True, state=state)
        parts.append(y)
        start = end
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), mn.linear_attention(q, k, v, is_causal=True))
    assert state[3] == ends[-1] and state[0].shape == (N, 2, D, E + 1)


@pytest.mark.parametrize("causal", [False, True])
def test_derivatives_over_several_blocks(causal):
    q, k, v = operands(70)
    toward = np.random.default_rng(5).standard_normal((N, H, 70, E))
    slopes = mn.grad(
        lambda q, k, v: mn.sum(mn.linear_attention(q, k, v, is_causal=causal) * toward), argnums=(0, 1, 2)
    )(q, k, v)
    for place, slope in enumerate(slopes):
        direction, step = np.random.default_rng(place).standard_normal(slope.shape), 1e-5
        both = []
        for sign in (1, -1):
            moved = [x + sign * step * direction if n == place else x for n, x in enumerate((q, k, v))]
            both.append((attended(*moved, causal) * toward).sum())
        np.testing.assert_allclose((slope * direction).sum(), (both[0] - both[1]) / (2 * step), rtol=1e-6)


def test_a_state_has_derivatives():
    q, k, v = operands(3)
    first = [x[:, :, :1] for x in (q, k, v)]

    def loss(scale, cut):
        keys = k * scale
        _, state = mn.linear_attention(
            first[0], keys[:, :, :1], first[2], is_causal=True, state=mn.linear_attention_state(k, v)
        )
        y, _ = mn.linear_attention(
            q[:, :, 1:cut], keys[:, :, 1:cut], v[:, :, 1:cut], is_causal=True, state=state
        )
        return mn.sum(y)

    for cut in (2, 3):
        wanted = [(attended(q, k * s, v, True)[:, :, 1:cut]).sum() for s in (1 + 1e-5, 1 - 1e-5)]
        found = mn.grad(lambda s, cut=cut: loss(s, cut))(1.0)
        np.testing.assert_allclose(found, (wanted[0] - wanted[1]) / 2e-5, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda q, k, v: mn.linear_attention(q[0], k, v),
            mn.ShapeError,
            r"query must have the axes \(N, heads, T",
        ),
        (lambda q, k, v: mn.linear_attention(q > 0, k, v), mn.DTypeError, "query has element type bool"),
        (
            lambda q, k, v: mn.linear_attention(q[:, :3], k, v),
            mn.ShapeError,
            "3 heads of the query are no multiple",
        ),
        (
            lambda q, k, v: mn.linear_attention(q, k[:, :, 1:], v),
            mn.ShapeError,
            "key and value equal ones but for",
        ),
        (lambda q, k, v: mn.linear_attention(q[..., 1:], k, v), mn.ShapeError, "the features of query"),
        (
            lambda q, k, v: mn.linear_attention(q[:, :, 1:], k, v, is_causal=True),
            mn.ShapeError,
            "as many queries as",
        ),
        (
            lambda q, k, v: mn.linear_attention(q, k, v, np.ones((N, 5))),
            mn.ShapeError,
            "mask must hold bools",
        ),
        (
            lambda q, k, v: mn.linear_attention(q, k, v, state=mn.linear_attention_state(k, v)),
            mn.ArgumentError,
            "state belongs to is_causal=True",
        ),
        (
            lambda q, k, v: mn.linear_attention(q, k, v, is_causal=True, state=[k]),
            mn.ArgumentError,
            "four tensors",
        ),
        (
            lambda q, k, v: mn.linear_attention(
                q, k, v, is_causal=True, state=mn.linear_attention_state(k[:, :1], v[:, :1])
            ),
            mn.ShapeError,
            "the state has the shapes",
        ),
    ],
)
def test_bad_operands_are_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call(*operands(5))
