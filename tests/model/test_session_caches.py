"""Caches of sessions: the bits of the whole pass, what a step costs, padded prompts, calls that fail."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers
WORDS = 11


def rng():
    return np.random.default_rng(77)


def language(layers, features=24, masked=False, encoder=False, dtype="float32"):
    """A model over tokens (N, T) with PositionalEncoding in front of ``layers``."""
    steps = mn.Dim("steps")
    tokens = mn.Input((steps,), dtype="int64", name="tokens")
    inputs = [tokens]
    h = L.Embedding(WORDS, features)(tokens)
    if dtype == "float64":
        h = mn.cast(h, "float64")
    mask = {}
    if masked:
        inputs.append(mn.Input((steps,), dtype="bool", name="mask"))
        mask = {"mask": inputs[-1]}
    if encoder:
        inputs.append(mn.Input((5, 7), dtype=dtype, name="encoded"))
    h = L.PositionalEncoding("learned", max_length=400)(h, **mask)
    for layer in layers:
        cross = isinstance(layer, L.TransformerDecoderBlock) and encoder
        h = layer([h, inputs[-1]] if cross else h, **mask)
    return mn.Model(inputs, L.Dense(WORDS)(h))


def in_parts(session, tokens, ends, *more):
    starts = [0, *ends[:-1]]
    return np.concatenate([session([tokens[:, a:b], *more]) for a, b in zip(starts, ends)], axis=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("heads", "groups", "rotary", "first"),
    [(4, 2, 100.0, True), (3, 1, None, False), (2, None, 10000.0, False)],
)
def test_parts_have_the_bits_of_the_whole(dtype, heads, groups, rotary, first):
    settings = {"num_key_value_heads": groups, "rotary_base": rotary, "normalize_first": first}
    model = language(
        [
            L.TransformerEncoderBlock(40, heads, causal=True, activation="gelu", **settings),
            L.TransformerDecoderBlock(40, heads, **settings),
            L.MultiHeadAttention(heads, 6, value_dim=5, causal=True, num_key_value_heads=groups),
        ],
        encoder=True,
        dtype=dtype,
    )
    tokens = rng().integers(0, WORDS, (2, 140))
    encoded = rng().standard_normal((2, 5, 7)).astype(dtype)
    whole = model([tokens, encoded])
    assert whole.dtype == dtype
    with model.session(batch=2, length=150) as s:
        for ends in ([37, 38, 39, 40, 64, 65, 129, 140], [140], [1, 2, 3, 4, 135, 136, 140]):
            s.reset()
            np.testing.assert_array_equal(in_parts(s, tokens, ends, encoded), whole)


def plan_after(session, seen):
    session.reset()
    session(np.zeros((1, seen), np.int64))
    return session.plan(np.zeros((1, 1), np.int64))


def test_a_step_computes_nothing_of_the_steps_before():
    features, layers = 24, 3
    model = language(
        [L.TransformerEncoderBlock(40, 4, causal=True, rotary_base=100.0) for _ in range(layers)]
    )
    with model.session(length=400) as s:
        plans = [plan_after(s, seen) for seen in (10, 100, 200)]
        kept = {id(v): v.array.copy() for v in s._states}
        s(np.ones((1, 1), np.int64))
        changed = [
            (v.array != kept[id(v)]).any(tuple(range(1, v.ndim))).sum() for v in s._states if v.ndim > 1
        ]
    small, middle, large = (plan.flops for plan in plans)
    # Caches of 64, 128 and 256 places: 2 · 2 · features for scores and mixture and one comparison for each of them.
    assert middle - small == 64 * layers * (4 * features + 1)
    assert large - middle == 2 * (middle - small)
    assert len({len(plan.instructions) for plan in plans}) == 1
    products = [
        [i.nodes[0].outputs[0].shape for i in plan.instructions if i.nodes[0].op.name == "matmul"]
        for plan in plans
    ]
    assert products[0] == products[2] and all(shape[:2] == (1, 1) for shape in products[2])
    # Keys and values are written where they stay: one row of each cache, and no copy of it in the workspace.
    assert sorted(changed)[-2 * layers :] == [1] * 2 * layers and sum(changed) == 2 * layers
    assert plans[2].arena_bytes - plans[0].arena_bytes < 4 * 192


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("rotary", [None, 100.0])
def test_rows_with_padding_go_on_as_if_they_were_alone(side, rotary):
    model = language(
        [
            L.TransformerEncoderBlock(40, 4, causal=True, num_key_value_heads=2, rotary_base=rotary),
            L.TransformerDecoderBlock(40, 2, rotary_base=rotary),
        ],
        masked=True,
    )
    lengths, width = (5, 80, 1), 80
    draw = rng()
    prompts = [draw.integers(0, WORDS, n) for n in lengths]
    more = draw.integers(0, WORDS, (3, 4))
    tokens, mask = np.zeros((3, width), np.int64), np.zeros((3, width), bool)
    for n, prompt in enumerate(prompts):
        place = slice(0, len(prompt)) if side == "right" else slice(width - len(prompt), width)
        tokens[n, place], mask[n, place] = prompt, True
    counts = np.ones((3, 1), bool)
    with model.session(batch=3, length=100) as s:
        first = s([tokens, mask])
        rest = np.concatenate([s([more[:, k : k + 1], counts]) for k in range(4)], axis=1)
    for n, prompt in enumerate(prompts):
        alone = np.concatenate([prompt, more[n]])[None]
        wanted = model([alone, np.ones(alone.shape, bool)])[0]
        np.testing.assert_array_equal(np.concatenate([first[n][mask[n]], rest[n]]), wanted)
        if side == "right":
            np.testing.assert_array_equal(model([tokens, mask])[n][mask[n]], wanted[: len(prompt)])
    whole = model([tokens, mask])
    np.testing.assert_allclose(whole[mask], first[mask], rtol=1e-4, atol=1e-5)


def test_steps_that_are_hidden_in_the_middle_are_as_if_absent():
    model = language([L.TransformerEncoderBlock(40, 4, causal=True, rotary_base=100.0)], masked=True)
    tokens = rng().integers(0, WORDS, (1, 9))
    mask = np.array([[False, True, True, False, True, True, False, False, True]])
    wanted = model([tokens[mask][None], np.ones((1, mask.sum()), bool)])
    np.testing.assert_allclose(model([tokens, mask])[mask][None], wanted, rtol=1e-4, atol=1e-5)
    with model.session(length=9) as s:
        found = np.concatenate([s([tokens[:, k : k + 3], mask[:, k : k + 3]]) for k in (0, 3, 6)], axis=1)
    np.testing.assert_array_equal(found[mask][None], wanted)


class RefusesNaN(mn.Layer):
    """x, and an error where any of it is NaN."""

    def call(self, x):
        return x + mn.take(np.zeros((1, 1), np.float32), mn.cast(mn.any(mn.isnan(x)), "int64"))


@pytest.mark.parametrize("masked", [False, True])
def test_a_call_that_fails_leaves_nothing_in_the_caches(masked):
    steps = mn.Dim("steps")
    x, mask = mn.Input((steps, 8)), mn.Input((steps,), dtype="bool")
    more = {"mask": mask} if masked else {}
    h = L.MultiHeadAttention(2, 4, causal=True)(x, **more)
    model = mn.Model([x, mask] if masked else x, RefusesNaN()(h))
    values = rng().standard_normal((2, 12, 8)).astype(np.float32)
    mine = np.ones((2, 12), bool)
    mine[1, :2] = False

    def call(session, a, b, broken=False):
        part = np.full_like(values[:, a:b], np.nan) if broken else values[:, a:b]
        return session([part, mine[:, a:b]] if masked else part)

    with model.session(batch=2, length=20) as s, model.session(batch=2, length=20) as other:
        np.testing.assert_array_equal(call(s, 0, 5), call(other, 0, 5))
        with pytest.raises(mn.DataError):
            call(s, 5, 11, broken=True)
        for k in range(5, 12):
            np.testing.assert_array_equal(call(s, k, k + 1), call(other, k, k + 1))


class Largest(mn.Layer):
    """The largest value so far, found anew among all that were kept."""

    def call(self, x):
        place, kept = mn.sequence_positions(x.shape[1]), x
        if self.session is not None:
            place = place + self.session.advance(self, x.shape[1])
            kept = self.session.keep(self, "values", x, place)
        seen = mn.sequence_positions(kept.shape[1]) <= mn.expand_dims(place, -1)
        every = mn.where(mn.expand_dims(seen, (0, -1)), mn.expand_dims(kept, 1), -np.inf)
        return mn.max(every, axis=2)


def test_a_layer_of_ones_own_keeps_a_sequence():
    x = mn.Input((None, 2))
    model = mn.Model(x, Largest()(x))
    values = rng().standard_normal((2, 130, 2)).astype(np.float32)
    wanted = np.maximum.accumulate(values, axis=1)
    np.testing.assert_array_equal(model(values), wanted)
    with model.session(batch=2, length=130) as s:
        found = [s(values[:, a:b]) for a, b in ((0, 60), (60, 61), (61, 70), (70, 130))]
        np.testing.assert_array_equal(np.concatenate(found, axis=1), wanted)
        with pytest.raises(mn.ArgumentError, match="would see 131"):
            s(values[:, :1])
    np.testing.assert_array_equal(model(values), wanted)


def test_a_layer_that_is_called_twice_sees_both_calls():
    x = mn.Input((None, 8))
    attention = L.MultiHeadAttention(2, 4, causal=True)
    model = mn.Model(x, attention(attention(x)))
    values = rng().standard_normal((1, 3, 8)).astype(np.float32)
    with model.session(length=6) as s:
        y = s(values)
        np.testing.assert_allclose(
            y[:, 0], attention(np.concatenate([values, attention(values)], 1))[:, 3], rtol=1e-5
        )
        with pytest.raises(mn.ArgumentError, match="would see 12"):
            s(values)


@pytest.mark.parametrize(
    ("mask", "kind", "message"),
    [
        (
            mn.Input((9,)),
            mn.DTypeError,
            "a mask .N, T. of bools says which steps of this call count, not float32",
        ),
        (mn.Input((9, 9), dtype="bool"), mn.ShapeError, "a mask .N, T. of bools"),
    ],
)
def test_other_masks_are_refused(mask, kind, message):
    x = mn.Input((9, 8))
    model = mn.Model([x, mask], L.MultiHeadAttention(2, 4, causal=True)(x, mask=mask))
    arrays = [np.zeros((1, *t.shape[1:]), t.dtype) for t in (x, mask)]
    model(arrays)
    with model.session() as s, pytest.raises(kind, match=message):
        s(arrays)
