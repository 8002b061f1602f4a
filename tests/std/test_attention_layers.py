"""Attention layers and transformer blocks against NumPy, masks, and a block that learns."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


def rng():
    return np.random.default_rng(22)


def weights(layer):
    return {path: variable.array for path, variable in layer.named_variables()}


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def norm(x, eps):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


def attend(layer, query, value, key, seen=True):
    """Multi-head attention, head by head."""
    w = weights(layer)
    q, k, v = (
        x @ w[f"{part}_kernel"] + w[f"{part}_bias"]
        for part, x in (("query", query), ("key", key), ("value", value))
    )
    heads = []
    for h in range(layer.num_heads):
        g = h // (layer.num_heads // layer.groups)
        qh = q[..., h * layer.key_dim : (h + 1) * layer.key_dim]
        kh = k[..., g * layer.key_dim : (g + 1) * layer.key_dim]
        vh = v[..., g * layer.value_dim : (g + 1) * layer.value_dim]
        scores = np.where(seen, qh @ kh.transpose(0, 2, 1) / np.sqrt(layer.key_dim), -np.inf)
        heads.append(softmax(scores) @ vh)
    return np.concatenate(heads, -1) @ w["output_kernel"] + w["output_bias"]


def test_attention():
    query, value, key = (rng().standard_normal(s) for s in ((2, 3, 4), (2, 5, 6), (2, 5, 4)))
    y = L.Attention()([query, value, key])
    np.testing.assert_allclose(y, softmax(query @ key.transpose(0, 2, 1)) @ value, rtol=1e-10)
    mask = np.arange(5) < np.array([[5], [2]])
    wanted = softmax(np.where(mask[:, None], query @ key.transpose(0, 2, 1), -np.inf)) @ value
    np.testing.assert_allclose(L.Attention()([query, value, key], mask=mask), wanted, rtol=1e-10)
    layer = L.Attention(use_scale=True, causal=True)
    layer([query, query])
    layer.scale.assign(0.5)
    seen = np.tri(3, dtype=bool)
    wanted = softmax(np.where(seen, 0.5 * query @ query.transpose(0, 2, 1), -np.inf)) @ query
    np.testing.assert_allclose(layer([query, query]), wanted, rtol=1e-10)


@pytest.mark.parametrize("groups", [None, 2, 1])
def test_multi_head_attention(groups):
    query, value, key = (rng().standard_normal(s) for s in ((2, 3, 8), (2, 5, 6), (2, 5, 7)))
    layer = L.MultiHeadAttention(4, 3, value_dim=2, num_key_value_heads=groups, bias_initializer="normal")
    np.testing.assert_allclose(
        layer([query, value, key]), attend(layer, query, value, key), rtol=1e-9, atol=1e-12
    )
    mask = rng().random((2, 3, 5)) > 0.3
    mask[:, :, 0] = True
    wanted = attend(layer, query, value, key, mask)
    np.testing.assert_allclose(layer([query, value, key], mask=mask), wanted, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(
        layer([query, value, key], mask=mask[:, None].repeat(4, 1)), layer([query, value, key], mask=mask)
    )


def test_causal_attention_sees_nothing_that_follows():
    x = rng().standard_normal((1, 6, 8))
    layer = L.MultiHeadAttention(2, 4, causal=True, rotary_base=100.0)
    y = layer(x)
    np.testing.assert_allclose(layer(x[:, :4]), y[:, :4], rtol=1e-10)
    assert not np.allclose(L.MultiHeadAttention(2, 4)(x)[:, 0], y[:, 0])
    layer = L.MultiHeadAttention(2, 4, causal=True, bias_initializer="normal")
    np.testing.assert_allclose(layer(x), attend(layer, x, x, x, np.tri(6, dtype=bool)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_an_example_that_is_hidden_as_a_whole_gives_the_bias_and_finite_slopes(causal):
    x = rng().standard_normal((2, 5, 8))
    mask = np.array([[True] * 5, [False] * 5])
    inputs, seen = mn.Input((5, 8), dtype="float64"), mn.Input((5,), dtype="bool")
    layer = L.MultiHeadAttention(2, 4, causal=causal, rotary_base=100.0, bias_initializer="normal")
    model = mn.Model([inputs, seen], layer(inputs, mask=seen))
    y = model([x, mask])
    np.testing.assert_allclose(y[0], layer(x[:1])[0], rtol=1e-10)
    np.testing.assert_array_equal(y[1], np.tile(weights(layer)["output_bias"], (5, 1)))
    trainer = mn.Trainer(model, "mse", "sgd")
    trainer.step([x, mask], np.zeros_like(y))
    assert all(np.isfinite(w).all() for w in weights(layer).values())


def test_rotary_attention_depends_on_distances_only():
    x = rng().standard_normal((1, 4, 8))
    layer = L.MultiHeadAttention(2, 4, rotary_base=50.0)
    shifted = layer(np.concatenate([np.zeros((1, 3, 8)), x], 1), mask=np.arange(7)[None] >= 3)
    np.testing.assert_allclose(shifted[:, 3:], layer(x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("first", [False, True])
def test_encoder_block(first):
    x = rng().standard_normal((2, 5, 6))
    layer = L.TransformerEncoderBlock(7, 2, normalize_first=first, bias_initializer="normal")
    y = layer(x, mask=np.arange(5)[None] < np.array([[5], [3]]))
    w = weights(layer)
    seen = (np.arange(5) < np.array([[5], [3]]))[:, None]

    def fed(h):
        h = np.maximum(h @ w["feed_forward_0/kernel"] + w["feed_forward_0/bias"], 0)
        return h @ w["feed_forward_1/kernel"] + w["feed_forward_1/bias"]

    def attended(h):
        return attend(layer.attention, h, h, h, seen)

    if first:
        h = x + attended(norm(x, 1e-5))
        wanted = h + fed(norm(h, 1e-5))
    else:
        h = norm(x + attended(x), 1e-5)
        wanted = norm(h + fed(h), 1e-5)
    np.testing.assert_allclose(y, wanted, rtol=1e-8, atol=1e-10)


def test_decoder_block():
    x, encoded = (rng().standard_normal(s) for s in ((2, 4, 6), (2, 5, 3)))
    layer = L.TransformerDecoderBlock(7, 3, bias_initializer="normal")
    seen = np.arange(5)[None] < np.array([[5], [2]])
    y = layer([x, encoded], encoder_mask=seen)
    w = weights(layer)
    h = norm(x + attend(layer.attention, x, x, x, np.tri(4, dtype=bool)), 1e-5)
    h = norm(h + attend(layer.cross_attention, h, encoded, encoded, seen[:, None]), 1e-5)
    fed = np.maximum(h @ w["feed_forward_0/kernel"] + w["feed_forward_0/bias"], 0)
    wanted = norm(h + fed @ w["feed_forward_1/kernel"] + w["feed_forward_1/bias"], 1e-5)
    np.testing.assert_allclose(y, wanted, rtol=1e-8, atol=1e-10)
    assert L.TransformerDecoderBlock(7, 3)(x).shape == x.shape


def test_positions():
    x = rng().standard_normal((2, 5, 6))
    np.testing.assert_allclose(
        L.PositionalEncoding(base=100.0)(x), x + mn.sinusoidal_encoding(5, 6, 100.0, np.float64), rtol=1e-14
    )
    learned = L.PositionalEncoding("learned", max_length=8)
    np.testing.assert_allclose(learned(x), x + weights(learned)["embedding"][:5], rtol=1e-14)
    inputs = mn.Input((None, 6), dtype="float64")
    for layer in (
        learned,
        L.PositionalEncoding(),
        L.RotaryEmbedding(),
        L.MultiHeadAttention(2, 3, causal=True),
    ):
        model = mn.Model(inputs, layer(inputs))
        np.testing.assert_allclose(model(x), layer(x), rtol=1e-12)
        assert model(x[:, :2]).shape == (2, 2, 6)


def test_dropout_acts_in_training_only():
    x = rng().standard_normal((4, 5, 8)).astype(np.float32)
    inputs = mn.Input((5, 8))
    for layer in (L.MultiHeadAttention(2, 4, dropout=0.5), L.TransformerEncoderBlock(8, 2, dropout=0.5)):
        model = mn.Model(inputs, layer(inputs))
        np.testing.assert_array_equal(model(x), model(x))
        assert not np.array_equal(model(x, training=True), model(x))
        assert not np.array_equal(model(x, training=True), model(x, training=True))


def test_a_transformer_learns():
    """Which of two tokens comes first: a question of order."""
    draw = rng()
    x = draw.integers(2, 6, (128, 5))
    places = np.array([draw.permutation(5)[:2] for _ in range(128)])
    x[np.arange(128), places[:, 0]], x[np.arange(128), places[:, 1]] = 0, 1
    y = (places[:, 0] < places[:, 1]).astype(np.int64)
    with mn.Runtime(seed=5):
        inputs = mn.Input((5,), dtype="int64")
        h = L.PositionalEncoding("learned", max_length=5)(L.Embedding(6, 16)(inputs))
        h = L.TransformerEncoderBlock(32, 2, normalize_first=True)(h)
        model = mn.Model(inputs, L.Dense(2)(L.Flatten()(h)))
    history = model.fit(
        x, y, loss="cross_entropy", optimizer=mn.optimizers.Adam(0.01), metrics=["accuracy"], epochs=25, batch_size=32, seed=0
    )  # fmt: skip
    assert history["accuracy"][-1] > 0.95 and history["loss"][-1] < 0.3 * history["loss"][0]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda x: L.MultiHeadAttention(2, 4)(x, mask=np.ones(x.shape[:2], int)),
            mn.DTypeError,
            r"attn_mask has element type int64; give bools, .*mask > 0",
        ),
        (
            lambda x: L.MultiHeadAttention(0, 4),
            mn.ArgumentError,
            "num_heads must be a positive integer, not 0",
        ),
        (
            lambda x: L.MultiHeadAttention(4, 4, num_key_value_heads=3),
            mn.ArgumentError,
            "must be a multiple of",
        ),
        (
            lambda x: L.MultiHeadAttention(4, 3, rotary_base=10.0),
            mn.ArgumentError,
            "needs an even key_dim, not 3",
        ),
        (
            lambda x: L.MultiHeadAttention(4, 3, dropout=1.0),
            mn.ArgumentError,
            "dropout must be a number from 0",
        ),
        (
            lambda x: L.MultiHeadAttention(2, 3)(x[0]),
            mn.ShapeError,
            r"query must have the axes \(batch, steps",
        ),
        (
            lambda x: L.MultiHeadAttention(2, 3)([x] * 4),
            mn.ShapeError,
            "query, value and key, but 4 were given",
        ),
        (
            lambda x: L.MultiHeadAttention(2, 3)(x, mask=x[0, 0] > 0),
            mn.ShapeError,
            r"mask must have the axes \(N, Tk\)",
        ),
        (lambda x: L.TransformerEncoderBlock(8, 0), mn.ArgumentError, "TransformerEncoderBlock: num_heads"),
        (
            lambda x: L.TransformerEncoderBlock(8, 4)(x),
            mn.ShapeError,
            "6 features cannot be divided into num_heads=4",
        ),
        (lambda x: L.PositionalEncoding("learned"), mn.ArgumentError, "needs max_length"),
        (lambda x: L.PositionalEncoding("fixed"), mn.ArgumentError, "kind must be 'sinusoidal' or 'learned'"),
        (lambda x: L.PositionalEncoding("learned", 3)(x), mn.ShapeError, "5 steps, but max_length is 3"),
        (
            lambda x: L.RotaryEmbedding(base=0),
            mn.ArgumentError,
            "RotaryEmbedding: base must be a positive number",
        ),
    ],
)
def test_bad_use_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make(rng().standard_normal((2, 5, 6)))
