"""Cells and stacks of them against layers; dropout within recurrences; parts of sequences."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers
N, T, F, U = 3, 5, 4, 2
LENGTHS = np.array([5, 2, 3])
PAIRS = [
    (L.SimpleRNN, L.SimpleRNNCell, {"activation": "relu"}),
    (L.LSTM, L.LSTMCell, {}),
    (L.GRU, L.GRUCell, {}),
    (L.GRU, L.GRUCell, {"reset_after": False}),
]


def rng():
    return np.random.default_rng(23)


def sequences():
    return rng().standard_normal((N, T, F))


def weights(layer):
    return dict(layer.named_variables())


def given(source, target, prefix=""):
    """The weights of one layer put into another."""
    for path, variable in source.named_variables():
        weights(target)[prefix + path].assign(variable.array)


@pytest.mark.parametrize(("kind", "cell", "settings"), PAIRS)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_cell_steps_as_the_layer_does(kind, cell, settings, backwards):
    x = sequences()
    settings = {**settings, "bias_initializer": "normal"}
    more = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    layer, stepped = kind(U, **settings, **more), L.RNN(cell(U, **settings), **more)
    layer(x), stepped(x)
    given(layer, stepped, "cell/")
    found = stepped(x, lengths=LENGTHS)
    for a, b in zip(found, layer(x, lengths=LENGTHS), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)


def test_a_cell_alone_is_one_step():
    x = sequences()[:, 0]
    cell = L.LSTMCell(U)
    y, (h, c) = cell(x)
    again, _ = cell(x, states=[np.zeros((N, U)), np.zeros((N, U))])
    np.testing.assert_array_equal(y, h)
    np.testing.assert_array_equal(y, again)
    w = {path: v.array for path, v in cell.named_variables()}
    i, _, g, o = np.split(x @ w["kernel"] + w["bias"], 4, axis=1)
    wanted = np.tanh(g) / (1 + np.exp(-i))
    np.testing.assert_allclose(c, wanted, rtol=1e-10)
    np.testing.assert_allclose(h, np.tanh(wanted) / (1 + np.exp(-o)), rtol=1e-10)


def stack(**settings):
    return L.RNN([L.LSTMCell(3), L.GRUCell(U)], **settings)


def test_a_stack_of_cells_is_layers_one_after_the_other(tmp_path):
    x = sequences()
    layers = [
        L.LSTM(3, return_sequences=True, return_state=True),
        L.GRU(U, return_sequences=True, return_state=True),
    ]
    stacked = stack(return_sequences=True, return_state=True)
    start = [rng().standard_normal((N, n)) for n in (3, 3, U)]
    stacked(x)
    inner, h, c = layers[0](x, initial_state=start[:2], lengths=LENGTHS)
    layers[1](inner)
    for k, layer in enumerate(layers):
        given(layer, stacked, f"cell/cells_{k}/")
    inner, h, c = layers[0](x, initial_state=start[:2], lengths=LENGTHS)
    wanted = layers[1](inner, initial_state=start[2:], lengths=LENGTHS)
    found = stacked(x, initial_state=start, lengths=LENGTHS)
    for a, b in zip(found, [wanted[0], h, c, wanted[1]], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        stacked(x, initial_state=start, mask=np.arange(T) < LENGTHS[:, None])[0], found[0]
    )

    inputs = mn.Input((None, F), dtype="float64")
    model = mn.Model(inputs, L.Bidirectional(stack(return_sequences=True))(inputs))
    model.save(tmp_path / "m.mathnet")
    np.testing.assert_array_equal(mn.load(tmp_path / "m.mathnet")(x), model(x))
    assert model(x).shape == (N, T, 2 * U)
    assert model.parameters["bidirectional/forward/cell/cells_0/kernel"].shape == (F, 12)


def test_stacks_and_one_direction_of_two_go_on_in_a_session():
    x = sequences().astype(np.float32)
    inputs, steps = mn.Input((None, F)), (slice(0, 1), slice(1, 4), slice(4, 5))
    h = stack(return_sequences=True, stateful=True)(inputs)
    both = L.Bidirectional(L.LSTM(U, return_sequences=True, stateful=True), merge_mode=None)
    model = mn.Model(inputs, [h, *both(inputs)])
    whole = model(x)
    with model.session(batch=N) as s:
        parts = [s(x[:, part]) for part in steps]
    for k in range(2):
        np.testing.assert_array_equal(np.concatenate([part[k] for part in parts], axis=1), whole[k])
    for part, place in zip(parts, steps):  # from the other end each part alone is seen
        np.testing.assert_array_equal(part[2], model(x[:, place])[2])


def test_masks_in_a_session_leave_the_states():
    steps = mn.Dim("steps")
    x, mask = mn.Input((steps, F)), mn.Input((steps,), dtype="bool")
    h = L.GRU(U, return_sequences=True, stateful=True)(x, mask=mask)
    model = mn.Model([x, mask], stack(return_sequences=True, stateful=True)(h, mask=mask))
    values = sequences().astype(np.float32)
    counts = rng().random((N, T)) > 0.4
    with model.session(batch=N) as s:
        found = np.concatenate([s([values[:, :2], counts[:, :2]]), s([values[:, 2:], counts[:, 2:]])], axis=1)
    np.testing.assert_array_equal(found, model([values, counts]))
    values[~counts] = np.nan
    np.testing.assert_array_equal(found, model([values, counts]))


# ---- dropout ----
@pytest.mark.parametrize("where", ["dropout", "recurrent_dropout"])
@pytest.mark.parametrize("kind", ["layer", "cell"])
def test_one_draw_serves_all_steps_of_a_sequence(where, kind):
    """With W = 1 and R = 0, or the other way round, the outputs are the factors and their powers."""
    size, rate, batch = 8, 0.25, 200
    settings = {
        "activation": "linear",
        "kernel_initializer": lambda shape, _: np.eye(size) * (where == "dropout"),
        "recurrent_initializer": lambda shape, _: np.eye(size) * (where != "dropout"),
        where: rate,
    }
    layer = L.SimpleRNN(size, return_sequences=True, **settings)
    if kind == "cell":
        layer = L.RNN(L.SimpleRNNCell(size, **settings), return_sequences=True)
    x, start = mn.Input((3, size)), mn.Input((size,))
    model = mn.Model([x, start], layer([x, start]))
    ones = [np.ones((batch, 3, size), np.float32), np.ones((batch, size), np.float32)]
    np.testing.assert_array_equal(model(ones), 1.0)
    y = model(ones, training=True).astype(np.float64)
    factors = y[:, 0]
    assert set(np.unique(factors.round(5))) == {0.0, np.round(4 / 3, 5)}
    for t in range(3):
        np.testing.assert_allclose(y[:, t], factors if where == "dropout" else factors ** (t + 1), rtol=1e-5)
    assert abs((factors == 0).mean() - rate) < 0.05 and len(np.unique(factors, axis=0)) > 50
    assert not np.array_equal(model(ones, training=True), y)


@pytest.mark.parametrize(("kind", "cell", "settings"), PAIRS)
@pytest.mark.parametrize("stepped", [False, True])
def test_formulas_with_dropout(kind, cell, settings, stepped, monkeypatch):
    x = sequences()
    draws = {F: rng().random((N, F)), U: rng().random((N, U))}
    monkeypatch.setattr(
        "mathnet_std.layers.recurrent.kept", lambda rate, shape, *_: draws[shape[-1]].reshape(shape)
    )
    monkeypatch.setattr(
        "mathnet_std.layers.recurrent_cells.kept", lambda rate, shape, *_: draws[shape[-1]].reshape(shape)
    )
    settings = {**settings, "bias_initializer": "normal", "dropout": 0.5, "recurrent_dropout": 0.5}
    layer = (
        L.RNN(cell(U, **settings), return_sequences=True)
        if stepped
        else kind(U, **settings, return_sequences=True)
    )
    y = layer(x, lengths=LENGTHS, training=True)
    w = {path.removeprefix("cell/"): v.array for path, v in layer.named_variables()}
    sigma = lambda a: 1 / (1 + np.exp(-a))  # noqa: E731
    r = w["recurrent_kernel"]
    for n, length in enumerate(LENGTHS):
        h, c = np.zeros(U), np.zeros(U)
        for t in range(length):
            a, m = (x[n, t] * draws[F][n]) @ w["kernel"] + w["bias"], h * draws[U][n]
            if kind is L.SimpleRNN:
                h = np.maximum(a + m @ r, 0)
            elif kind is L.LSTM:
                i, f, g, o = np.split(a + m @ r, 4)
                c = sigma(f) * c + sigma(i) * np.tanh(g)
                h = sigma(o) * np.tanh(c)
            else:
                p = m @ r + w.get("recurrent_bias", 0.0)
                reset, z = sigma((a + p)[:U]), sigma((a + p)[U : 2 * U])
                inner = (reset * m) @ r[:, 2 * U :] if "reset_after" in settings else reset * p[2 * U :]
                h = (1 - z) * np.tanh(a[2 * U :] + inner) + z * h
            np.testing.assert_allclose(y[n, t], h, rtol=1e-10, atol=1e-13)
        np.testing.assert_array_equal(y[n, length:], 0)


def test_dropout_of_inputs_keeps_the_kernel_of_the_whole_sequence():
    x = mn.Input((T, F))
    for settings, loops in (({"dropout": 0.5}, 0), ({"recurrent_dropout": 0.5}, 1)):
        model = mn.Model(x, L.LSTM(U, **settings)(x))
        plan = mn.Trainer(model, loss="mse", optimizer="sgd").plan(batch=N)
        assert (sum(i.kind == "loop" for i in plan.instructions) > 0) == loops


def test_a_network_with_dropout_learns():
    x = rng().standard_normal((128, 6, 1)).astype(np.float32)
    y = (x[:, 0, 0] > 0).astype(np.int64)
    with mn.Runtime(seed=3):
        model = mn.Sequential([L.GRU(8, dropout=0.05, recurrent_dropout=0.1), L.Dense(2)], input_shape=(6, 1))
    history = model.fit(
        x, y, loss="cross_entropy", optimizer=mn.optimizers.Adam(0.03), epochs=20, batch_size=32, seed=0
    )  # fmt: skip
    assert history["loss"][-1] < 0.6 * history["loss"][0]
