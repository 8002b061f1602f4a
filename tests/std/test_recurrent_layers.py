"""Recurrent layers against loops in NumPy; what they return; cells of one's own; sequences that are classified."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers
N, T, F, U = 3, 5, 4, 2
LENGTHS = np.array([5, 2, 3])


def rng():
    return np.random.default_rng(21)


def sequences():
    return rng().standard_normal((N, T, F))


def weights(layer):
    return {path: variable.array for path, variable in layer.named_variables()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def step(layer, x, states):
    """One step of one example with the layer's own weights."""
    w = weights(layer)
    r, given = w["recurrent_kernel"], x @ w["kernel"] + w["bias"]
    if isinstance(layer, L.SimpleRNN):
        return [np.tanh(given + states[0] @ r)]
    if isinstance(layer, L.LSTM):
        i, f, g, o = np.split(given + states[0] @ r, 4)
        c = sigmoid(f) * states[1] + sigmoid(i) * np.tanh(g)
        return [sigmoid(o) * np.tanh(c), c]
    h = states[0]
    product = h @ r + w["recurrent_bias"]
    a, z = (sigmoid(given[k * U : (k + 1) * U] + product[k * U : (k + 1) * U]) for k in range(2))
    n = np.tanh(given[2 * U :] + a * product[2 * U :])
    return [(1 - z) * n + z * h]


def loop(layer, x, states, lengths, backwards=False):
    """All outputs in the places of their inputs, and the last states."""
    ys, last = np.zeros((N, T, U)), []
    for n in range(N):
        held = [s[n] for s in states]
        for t in reversed(range(lengths[n])) if backwards else range(lengths[n]):
            held = step(layer, x[n, t], held)
            ys[n, t] = held[0]
        last.append(held)
    return ys, [np.array([h[k] for h in last]) for k in range(len(states))]


@pytest.mark.parametrize("kind", [L.SimpleRNN, L.LSTM, L.GRU])
@pytest.mark.parametrize("backwards", [False, True])
def test_outputs_and_states(kind, backwards):
    x = sequences()
    layer = kind(
        U, bias_initializer="normal", return_sequences=True, return_state=True, go_backwards=backwards
    )
    start = [rng().standard_normal((N, U)) for _ in range(kind.states)]
    ys, *last = layer(x, initial_state=start, lengths=LENGTHS)
    wanted, states = loop(layer, x, start, LENGTHS, backwards)
    np.testing.assert_allclose(ys[:, ::-1] if backwards else ys, wanted, rtol=1e-10, atol=1e-12)
    for got, state in zip(last, states, strict=True):
        np.testing.assert_allclose(got, state, rtol=1e-10)
    mask = np.arange(T) < LENGTHS[:, None]
    for a, b in zip(layer(x, initial_state=start, mask=mask), [ys, *last]):
        np.testing.assert_array_equal(a, b)


def test_the_last_output_is_that_of_the_last_step_that_counts():
    layer = L.GRU(U, bias_initializer="normal")
    x = sequences()
    y = layer(x, lengths=LENGTHS)
    x[np.arange(T) >= LENGTHS[:, None]] = np.nan
    np.testing.assert_array_equal(layer(x, lengths=LENGTHS), y)
    for n, length in enumerate(LENGTHS):
        np.testing.assert_allclose(layer(x[n : n + 1, :length])[0], y[n], rtol=1e-12)


def test_weights():
    layer = L.LSTM(U, kernel_regularizer="l2")
    layer(sequences())
    w = weights(layer)
    assert {k: v.shape for k, v in w.items()} == {"kernel": (F, 8), "recurrent_kernel": (U, 8), "bias": (8,)}
    np.testing.assert_allclose(w["recurrent_kernel"] @ w["recurrent_kernel"].T, np.eye(U), atol=1e-12)
    np.testing.assert_array_equal(w["bias"], [0, 0, 1, 1, 0, 0, 0, 0])
    plain = L.GRU(U, use_bias=False, reset_after=False)
    assert plain(sequences()).shape == (N, U) and list(weights(plain)) == ["kernel", "recurrent_kernel"]
    other = L.SimpleRNN(U, activation="relu", recurrent_initializer="glorot_normal")
    assert (other(sequences()) >= 0).all()


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (4, 2, 3)])
def test_orthogonal_initializer(shape):
    w = mn.initializers.get("orthogonal", gain=2.0)(shape, rng()).reshape(shape[0], -1)
    small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


@pytest.mark.parametrize("merge", ["concat", "sum", "mul", "ave", None])
def test_bidirectional(merge):
    x = sequences()
    layer = L.Bidirectional(L.LSTM(U, return_sequences=True, return_state=True), merge_mode=merge)
    found = layer(x, lengths=LENGTHS)
    zero = [np.zeros((N, U))] * 2
    first, states = loop(layer.forward, x, zero, LENGTHS)
    second, back = loop(layer.backward, x, zero, LENGTHS, backwards=True)
    joined = {
        "concat": [np.concatenate([first, second], -1)],
        "sum": [first + second],
        "mul": [first * second],
        "ave": [(first + second) / 2],
        None: [first, second],
    }[merge]
    for got, wanted in zip(found, [*joined, *states, *back], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)
    again = layer(x, lengths=LENGTHS, initial_state=[np.zeros((N, U))] * 4)
    np.testing.assert_array_equal(again[0], found[0])


@mn.layer("test_leaky_cell")
class LeakyCell(mn.Layer):
    """h = rate · h + tanh(x W); the output is h twice, and a second state counts the steps."""

    def __init__(self, rate=0.5, name=None):
        self.rate, self.state_size, self.output_size = rate, (U, 1), 2 * U

    def build(self, input_shape):
        self.kernel = self.param("kernel", (input_shape[-1], U))

    def call(self, x, states):
        h, count = states
        h = self.rate * h + mn.tanh(x @ self.kernel)
        return mn.concatenate([h, h], axis=-1), [h, count + 1.0]


@pytest.mark.parametrize("backwards", [False, True])
def test_a_cell_of_ones_own(backwards):
    x = sequences()
    layer = L.RNN(LeakyCell(), return_sequences=True, return_state=True, go_backwards=backwards)
    ys, h, count = layer(x, lengths=LENGTHS)
    kernel = weights(layer)["cell/kernel"]
    for n, length in enumerate(LENGTHS):
        held = np.zeros(U)
        for k in range(length):
            t = length - 1 - k if backwards else k
            held = 0.5 * held + np.tanh(x[n, t] @ kernel)
            np.testing.assert_allclose(ys[n, T - 1 - t if backwards else t], [*held, *held], rtol=1e-10)
        np.testing.assert_allclose(h[n], held, rtol=1e-10)
    np.testing.assert_array_equal(count[:, 0], LENGTHS)
    last = L.RNN(layer.cell, go_backwards=backwards)
    np.testing.assert_allclose(last(x, lengths=LENGTHS), np.concatenate([h, h], -1), rtol=1e-12)
    both = L.Bidirectional(L.RNN(LeakyCell(rate=0.1)))
    assert both(x).shape == (N, 4 * U) and both.backward.cell.rate == 0.1


def test_time_distributed():
    x = rng().standard_normal((2, 3, 1, 5, 5))
    inner = L.Conv2D(2, 3)
    y = L.TimeDistributed(inner)(x)
    np.testing.assert_allclose(y, np.stack([inner(x[:, t]) for t in range(3)], axis=1), rtol=1e-12)


def test_lengths_are_an_input_of_the_model_and_steps_may_be_unknown(tmp_path):
    x, n = mn.Input((None, F)), mn.Input((), dtype="int64", name="lengths")
    h = L.Bidirectional(L.LSTM(U, return_sequences=True))(x, lengths=n)
    model = mn.Model([x, n], L.GRU(3, go_backwards=True, return_sequences=True)(h, lengths=n))
    given = sequences().astype(np.float32)
    model.save(tmp_path / "m.mathnet")
    again = mn.load(tmp_path / "m.mathnet")
    for size in (T, 3):
        y = model([given[:, :size], np.minimum(LENGTHS, size)])
        assert y.shape == (N, size, 3)
        np.testing.assert_array_equal(again([given[:, :size], np.minimum(LENGTHS, size)]), y)


@pytest.mark.parametrize(
    "make", [lambda: L.LSTM(8), lambda: L.Bidirectional(L.GRU(4)), lambda: L.SimpleRNN(8)]
)
def test_a_classifier_of_sequences_learns(make):
    """Whether the first of six numbers is positive: it has to be remembered to the end."""
    x = rng().standard_normal((128, 6, 1)).astype(np.float32)
    y = (x[:, 0, 0] > 0).astype(np.int64)
    with mn.Runtime(seed=3):
        model = mn.Sequential([make(), L.Dense(2)], input_shape=(6, 1))
    history = model.fit(
        x, y, loss="cross_entropy", optimizer=mn.optimizers.Adam(0.03), metrics=["accuracy"], epochs=30, batch_size=32, seed=0
    )  # fmt: skip
    assert history["accuracy"][-1] > 0.95 and history["loss"][-1] < 0.5 * history["loss"][0]


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda x: L.LSTM(0), mn.ArgumentError, "LSTM: units must be a positive integer, not 0"),
        (lambda x: L.LSTM(2)(x[0]), mn.ShapeError, r"layer 'lstm' .*\(batch, steps, features\)"),
        (
            lambda x: L.LSTM(2)([x, x[:, 0, :2]]),
            mn.ArgumentError,
            "initial_state: 2 are wanted, but 1 were given",
        ),
        (lambda x: L.GRU(2)([x, x[:, 0]]), mn.ShapeError, "initial_state must have the shape"),
        (
            lambda x: L.GRU(2)(x, lengths=LENGTHS, mask=x[:, :, 0] > 0),
            mn.ArgumentError,
            "mask or lengths, not both",
        ),
        (lambda x: L.RNN(L.Dense(2)), mn.ArgumentError, "cell must be a Layer with an attribute state_size"),
        (lambda x: L.RNN(LeakyCell())(x[0]), mn.ShapeError, r"\(batch, steps, features\)"),
        (
            lambda x: L.Bidirectional(L.Dense(2)),
            mn.ArgumentError,
            "layer must be SimpleRNN, LSTM, GRU or RNN",
        ),
        (lambda x: L.Bidirectional(L.GRU(2), merge_mode="max"), mn.ArgumentError, "merge_mode must be"),
        (
            lambda x: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2)),
            mn.ArgumentError,
            "must have go_backwards=True",
        ),
        (
            lambda x: L.Bidirectional(L.GRU(2), backward_layer=L.GRU(2, go_backwards=True, stateful=True)),
            mn.ArgumentError,
            "cannot be stateful",
        ),
        (
            lambda x: L.GRU(2, dropout=1.0),
            mn.ArgumentError,
            "GRU: dropout must be a number from 0 to below 1",
        ),
        (lambda x: L.LSTM(2, recurrent_dropout="a"), mn.ArgumentError, "LSTM: recurrent_dropout must be"),
        (lambda x: L.LSTMCell(0), mn.ArgumentError, "LSTMCell: units must be a positive integer, not 0"),
        (
            lambda x: L.GRUCell(2)(x),
            mn.ShapeError,
            r"must be one step, a tensor with the axes \(batch, features",
        ),
        (
            lambda x: L.LSTMCell(2)(x[:, 0], [x[:, 0, :2]]),
            mn.ArgumentError,
            "states: 2 are wanted, but 1 were",
        ),
        (
            lambda x: L.RNN([L.GRUCell(2), L.Dense(2)]),
            mn.ArgumentError,
            "StackedRNNCells: cell must be a Layer",
        ),
        (lambda x: L.StackedRNNCells([]), mn.ArgumentError, r"must be a list of cells, not \[\]"),
        (
            lambda x: L.RNN([L.LSTMCell(2), L.GRUCell(2)])(x, initial_state=[x[:, 0, :2]]),
            mn.ArgumentError,
            "initial_state: 3 are wanted, but 1 were given",
        ),
        (lambda x: L.TimeDistributed(mn.tanh), mn.ArgumentError, "layer must be a Layer"),
        (lambda x: L.TimeDistributed(L.Dense(2))(x[0]), mn.ShapeError, "at least three axes"),
        (lambda x: mn.sequence_mask([1], -1), mn.ArgumentError, "steps must be a number of places, not -1"),
        (lambda x: mn.sequence_mask([1.5], 3), mn.DTypeError, "lengths must be integers"),
    ],
)
def test_bad_use_is_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make(sequences())
