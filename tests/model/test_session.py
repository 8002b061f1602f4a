"""Sessions: parts of a sequence give what the whole gives; what they refuse; what they leave alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import mathnet as mn

L = mn.layers
PARTS = (slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 9))


def rng():
    return np.random.default_rng(31)


def sequence_model(*layers, features=8, dtype="float32"):
    x = mn.Input((None, features), dtype=dtype)
    h = x
    for layer in layers:
        h = layer(h)
    return mn.Model(x, h)


def in_parts(session, x):
    return np.concatenate([session(x[:, part]) for part in PARTS], axis=1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stateful_recurrent_layers_give_the_bits_of_the_whole(dtype):
    model = sequence_model(
        L.LSTM(5, return_sequences=True, stateful=True),
        L.GRU(4, return_sequences=True, stateful=True),
        L.SimpleRNN(3, return_sequences=True, stateful=True),
        L.RNN(Decay(), return_sequences=True, stateful=True),
        dtype=dtype,
    )
    x = rng().standard_normal((2, 9, 8)).astype(dtype)
    whole = model(x)
    with model.session(batch=2) as s:
        np.testing.assert_array_equal(in_parts(s, x), whole)
        s.reset()
        np.testing.assert_array_equal(s(x), whole)
    np.testing.assert_array_equal(model(x), whole)  # outside, every call starts with zeros


class Decay(mn.Layer):
    """h = h / 2 + x."""

    state_size = 3

    def call(self, x, states):
        h = 0.5 * states[0] + x
        return h, [h]


def test_layers_without_state_see_the_parts_alone():
    model = sequence_model(L.LSTM(5, return_sequences=True))
    x = rng().standard_normal((1, 4, 8)).astype(np.float32)
    with model.session() as s:
        np.testing.assert_array_equal(s(x), s(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_attention_keeps_keys_and_values(dtype):
    model = sequence_model(
        L.PositionalEncoding(),
        L.TransformerEncoderBlock(16, 4, causal=True, num_key_value_heads=2, rotary_base=100.0),
        L.PositionalEncoding("learned", max_length=12),
        L.TransformerDecoderBlock(16, 2),
        dtype=dtype,
    )
    x = rng().standard_normal((2, 9, 8)).astype(dtype)
    with model.session(batch=2, length=9) as s:
        np.testing.assert_array_equal(in_parts(s, x), model(x))
        with pytest.raises(mn.ArgumentError, match=r"length=9 positions, but layer '\w+' would see 10"):
            s(x[:, :1])
        s.reset()
        np.testing.assert_array_equal(s(x), model(x))


def test_a_decoder_is_given_the_encoding_in_each_call():
    x, encoded = mn.Input((None, 8)), mn.Input((4, 8))
    model = mn.Model([x, encoded], L.TransformerDecoderBlock(16, 2)([x, encoded]))
    a, b = (rng().standard_normal(s).astype(np.float32) for s in ((1, 9, 8), (1, 4, 8)))
    with model.session() as s:
        found = np.concatenate([s([a[:, part], b]) for part in PARTS], axis=1)
    np.testing.assert_array_equal(found, model([a, b]))


def test_sessions_are_independent_and_follow_the_weights():
    model = sequence_model(L.LSTM(5, stateful=True))
    x = rng().standard_normal((1, 2, 8)).astype(np.float32)
    one, two = model.session(), model.session()
    first = one(x)
    np.testing.assert_array_equal(two(x), first)
    second = one(x)
    assert not np.array_equal(second, first)
    np.testing.assert_array_equal(two(x), second)
    model.parameters["lstm/kernel"][...] = 0
    model.parameters["lstm/recurrent_kernel"][...] = 0
    model.parameters["lstm/bias"][...] = 0
    assert not np.array_equal(one(x), second)


def test_a_model_within_a_model():
    inner = sequence_model(L.GRU(8, return_sequences=True, stateful=True))
    x = mn.Input((None, 8))
    model = mn.Model(x, inner(inner(x)))
    whole = rng().standard_normal((1, 2, 8)).astype(np.float32)
    with model.session() as s:
        s(whole)
        assert s(whole).shape == (1, 2, 8)


def test_a_session_of_a_frozen_model():
    model = sequence_model(
        L.GRU(8, return_sequences=True, stateful=True), L.TransformerEncoderBlock(16, 2, causal=True)
    )
    x = rng().standard_normal((1, 9, 8)).astype(np.float32)
    with model.freeze().session(length=9) as s:
        np.testing.assert_array_equal(in_parts(s, x), model(x))


def test_calls_of_several_threads_run_one_at_a_time():
    model = sequence_model(L.RNN(Decay(), stateful=True), features=3)
    x = np.ones((1, 1, 3), np.float32)
    with model.session() as s, ThreadPoolExecutor(4) as pool:
        found = sorted(float(y[0, 0]) for y in pool.map(lambda _: s(x), range(20)))
    wanted = np.cumsum(0.5 ** np.arange(20))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_what_a_session_refuses():
    model = sequence_model(L.LSTM(5, stateful=True))
    x = np.zeros((1, 2, 8), np.float32)
    s = model.session()
    with pytest.raises(
        mn.ShapeError, match="the session of model was opened for batch=1, but 3 rows were given"
    ):
        s(np.zeros((3, 2, 8), np.float32))
    with pytest.raises(mn.ShapeError, match="without elements"):
        s(x[:, :0])
    with pytest.raises(mn.ShapeError, match="input 'input' has shape"):
        s(x[..., 1:])
    assert repr(s) == "<Session of model: batch 1, length 1024>"
    s.close()
    s.close()
    with pytest.raises(mn.GraphError, match="the session of model is closed"):
        s(x)
    for settings in ({"batch": 0}, {"length": 2.5}):
        with pytest.raises(mn.ArgumentError, match=r"model.session: .* must be a positive integer"):
            model.session(**settings)


def test_a_refused_call_leaves_the_states():
    index = mn.Input((None,), dtype="int64")
    model = mn.Model(index, L.LSTM(4, stateful=True)(L.Embedding(5, 3)(index)))
    with model.session() as s, model.session() as other:
        s(np.array([[1, 2]]))
        other(np.array([[1, 2]]))
        with pytest.raises(mn.DataError):
            s(np.array([[3, 9]]))
        np.testing.assert_array_equal(s(np.array([[4]])), other(np.array([[4]])))
