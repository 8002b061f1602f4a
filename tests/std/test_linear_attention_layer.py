"""The layer LinearAttention against NumPy, with masks, and through sessions."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


def rng():
    return np.random.default_rng(29)


def phi(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def attended(layer, query, value, key, causal=False, mask=None, features=phi):
    w = {path: v.array for path, v in layer.named_variables()}
    q, k, v = (
        x @ w[f"{part}_kernel"] + w[f"{part}_bias"]
        for part, x in (("query", query), ("key", key), ("value", value))
    )
    heads = []
    for h in range(layer.num_heads):
        g = h // (layer.num_heads // layer.groups)
        own = [
            x[..., place * size : (place + 1) * size]
            for x, place, size in ((q, h, layer.key_dim), (k, g, layer.key_dim), (v, g, layer.value_dim))
        ]
        weights = features(own[0]) @ features(own[1]).swapaxes(1, 2)
        weights = weights * np.tri(*weights.shape[1:]) if causal else weights
        weights = weights if mask is None else weights * mask[:, None]
        total = weights.sum(-1, keepdims=True)
        heads.append(weights @ own[2] / np.where(total == 0, 1, total))
    return np.concatenate(heads, -1) @ w["output_kernel"] + w["output_bias"]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_values(dtype, tolerance):
    query, value, key = (rng().standard_normal(s).astype(dtype) for s in ((2, 3, 8), (2, 5, 6), (2, 5, 7)))
    layer = L.LinearAttention(
        4, 3, value_dim=2, num_key_value_heads=2, bias_initializer="normal", output_shape=4
    )
    mask = np.arange(5) < np.array([[5], [2]])
    y = layer([query, value, key], mask=mask)
    wanted = attended(layer, query, value, key, mask=mask)
    assert y.dtype == dtype and y.shape == (2, 3, 4)
    np.testing.assert_allclose(y, wanted, rtol=tolerance, atol=tolerance)
    layer = L.LinearAttention(2, 3, causal=True, feature_map="softplus", bias_initializer="normal")
    y = layer(query)
    wanted = attended(layer, query, query, query, causal=True, features=lambda x: np.logaddexp(0, x))
    np.testing.assert_allclose(y, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parts_have_the_bits_of_the_whole_and_cost_the_same_everywhere(dtype):
    x = mn.Input((None, 8), dtype=dtype)
    h = x
    for groups in (2, 1):
        h = L.LayerNorm()(L.Residual(L.LinearAttention(2, 4, num_key_value_heads=groups, causal=True))(h))
    model = mn.Model(x, h)
    values = rng().standard_normal((2, 140, 8)).astype(dtype)
    whole = model(values)
    one = values[:, :1]
    with model.session(batch=2, length=1) as s:  # its length does not matter here
        flops = s.plan(one).flops
        for ends in ([30, 31, 32, 63, 64, 65, 140], [140], [*range(1, 70), 140]):
            s.reset()
            parts = [s(values[:, a:b]) for a, b in zip([0, *ends[:-1]], ends)]
            np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
        assert s.plan(one).flops == flops


def test_the_memory_of_training_grows_with_the_length_and_not_with_its_square():
    def arena(steps):
        x = mn.Input((steps, 8))
        model = mn.Model(x, L.LinearAttention(2, 16, causal=True)(x))
        return mn.Trainer(model, loss="mse", optimizer="sgd").plan(batch=2).arena_bytes

    assert arena(2048) < 4.5 * arena(512)


def test_padding_in_a_session_is_skipped():
    steps = mn.Dim("steps")
    x, mask = mn.Input((steps, 8)), mn.Input((steps,), dtype="bool")
    layer = L.LinearAttention(2, 4, causal=True)
    model = mn.Model([x, mask], layer(x, mask=mask))
    values = rng().standard_normal((2, 9, 8)).astype(np.float32)
    counts = np.ones((2, 9), bool)
    counts[1, :3] = False
    with model.session(batch=2) as s:
        found = np.concatenate([s([values[:, :4], counts[:, :4]]), s([values[:, 4:], counts[:, 4:]])], axis=1)
    np.testing.assert_array_equal(found, model([values, counts]))
    np.testing.assert_allclose(found[1, 3:], layer(values[1:, 3:])[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda x: L.LinearAttention(0, 4),
            mn.ArgumentError,
            "LinearAttention: num_heads must be a positive",
        ),
        (
            lambda x: L.LinearAttention(4, 4, num_key_value_heads=3),
            mn.ArgumentError,
            "LinearAttention: num_heads=4 must be a multiple of num_key_value_heads=3",
        ),
        (lambda x: L.LinearAttention(2, 4)(x[0]), mn.ShapeError, r"query must have the axes \(batch, steps"),
        (lambda x: L.LinearAttention(2, 4)(x, mask=x[..., 0]), mn.ShapeError, "mask must hold bools"),
        (
            lambda x: L.LinearAttention(2, 4, causal=True)([x, x[:, 1:]]),
            mn.ShapeError,
            "as many queries as keys",
        ),
    ],
)
def test_bad_use_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make(rng().standard_normal((2, 5, 6)))
