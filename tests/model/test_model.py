"""Models: building, names, weights, calls on arrays and tensors, copies."""

import copy
import multiprocessing
import pickle
import threading

import numpy as np
import pytest

import mathnet as mn


def dense(x, kernel, bias):
    return np.asarray(x, np.float64) @ np.asarray(kernel, np.float64) + np.asarray(bias, np.float64)


@pytest.fixture
def model():
    mn.seed(0)
    x = mn.Input((4,), name="x")
    h = mn.layers.Dense(5, activation="relu")(x)
    return mn.Model(x, mn.layers.Dense(3, name="scores")(h), name="small")


def expected(model, x):
    p = model.parameters
    hidden = np.maximum(dense(x, p["dense/kernel"], p["dense/bias"]), 0)
    return dense(hidden, p["scores/kernel"], p["scores/bias"])


def rows(n, seed=0, width=4):
    return np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)


# ---- names and weights --------------------------------------------------------------------------------------------------


def test_layers_are_named_in_order_per_model():
    def build():
        x = mn.Input((4,))
        return mn.Model(x, mn.layers.Dense(2)(mn.layers.Dense(3, name="dense_1")(mn.layers.Dense(3)(x))))

    for model in (build(), build()):
        names = [name.partition("/")[0] for name in model.parameters if name.endswith("kernel")]
        assert names == ["dense", "dense_1", "dense_2"]


def test_two_layers_of_one_name_are_refused():
    x = mn.Input((4,))
    h = mn.layers.Dense(4, name="same")(x)
    with pytest.raises(mn.ArgumentError, match="two layers are named 'same'"):
        mn.Model(x, mn.layers.Dense(4, name="same")(h))


def test_a_layer_used_twice_shares_its_weights():
    x = mn.Input((4,))
    layer = mn.layers.Dense(4)
    model = mn.Model(x, layer(layer(x)))
    assert list(model.parameters) == ["dense/kernel", "dense/bias"]
    data, p = rows(3), model.parameters
    p["dense/bias"] = np.arange(4)
    once = dense(data, p["dense/kernel"], p["dense/bias"])
    assert np.allclose(model(data), dense(once, p["dense/kernel"], p["dense/bias"]), atol=1e-5)


def test_weights_are_live_views(model):
    data = rows(2)
    before = model(data)
    view = model.parameters["scores/bias"]
    view[:] = 7
    assert np.allclose(model(data) - before, 7, atol=1e-5)
    model.parameters["scores/bias"] = [1, 2, 3]
    assert view.tolist() == [1, 2, 3]


def test_wrong_assignments_are_refused(model):
    with pytest.raises(mn.ShapeError, match=r"scores/bias.*\(3,\).*\(4,\)"):
        model.parameters["scores/bias"] = np.zeros(4)
    with pytest.raises(mn.DTypeError):
        model.parameters["scores/bias"] = np.array(["a", "b", "c"])
    with pytest.raises(mn.UnknownKeyError, match="did you mean 'scores/bias'"):
        model.parameters["score/bias"]
    assert "score/bias" not in model.parameters and model.parameters.get("score/bias") is None


def test_an_update_copies_all_weights_or_none(model):
    p = model.parameters
    kept = {name: array.copy() for name, array in p.items()}
    with pytest.raises(mn.ShapeError, match="scores/bias"):
        p.update({"scores/kernel": p["scores/kernel"] + 1, "scores/bias": np.zeros(4)})
    with pytest.raises(mn.UnknownKeyError):
        p.update({"scores/bias": np.ones(3), "score/bias": np.ones(3)})
    assert all(np.array_equal(p[name], kept[name]) for name in p)
    p.update({name: array + 1 for name, array in kept.items()})
    assert all(np.array_equal(p[name], kept[name] + 1) for name in p)


# ---- calls --------------------------------------------------------------------------------------------------------------


def test_a_model_computes_its_layers(model):
    for n in (1, 3, 8, 3, 1):
        data = rows(n, n)
        assert np.allclose(model(data), expected(model, data), atol=1e-5)


def test_one_row_has_the_bits_of_the_batch(model):
    data = rows(9)
    whole = model(data)
    for k in range(9):
        assert np.array_equal(model(data[k : k + 1]), whole[k : k + 1])


@pytest.mark.parametrize("n", [0, 1, 5, 7, 8, 12, 16, 19])
def test_predict_is_the_model_whatever_the_batch(model, n):
    data = rows(n)
    result = model.predict(data, batch_size=8)
    assert result.shape == (n, 3) and result.dtype == np.float32
    assert np.array_equal(result, model(data))


def test_predict_needs_few_plans(model):
    for n in range(1, 64):
        model.predict(rows(n), batch_size=16)
    assert len(model._bound) <= 5  # 1, 2, 4, 8, 16


def test_arrays_of_other_kinds_are_converted(model):
    data = rows(6)
    result = model(data)
    assert np.array_equal(model(data.astype(np.float64)), result)
    assert np.array_equal(model(np.asfortranarray(data)), result)
    assert np.array_equal(model(np.repeat(data, 2, axis=0)[::2]), result)
    frozen = data.copy()
    frozen.flags.writeable = False
    assert np.array_equal(model(frozen), result)
    assert np.array_equal(model(data.tolist()), model(data))
    whole = np.round(data * 3)
    for dtype in (np.float16, np.int8, np.int64):
        assert np.array_equal(model(whole.astype(dtype)), model(whole))
    assert np.array_equal(model(whole > 0), model((whole > 0).astype(np.float32)))


def test_inputs_are_not_written_and_results_belong_to_the_caller(model):
    data = rows(3)
    kept = data.copy()
    first = model(data)
    first[:] = 0
    assert np.array_equal(model(data), model(kept)) and np.array_equal(data, kept)


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        (np.zeros(4, np.float32), mn.ShapeError, r"small.*'x'.*\(batch, 4\).*\(4,\).*batch axis is missing"),
        (np.zeros((2, 5), np.float32), mn.ShapeError, r"'x'.*\(2, 5\).*axis 1: 5 where 4"),
        (np.zeros((2, 2, 4), np.float32), mn.ShapeError, r"\(2, 2, 4\)"),
        (np.array([["a"] * 4]), mn.DTypeError, "'x'.*<U1"),
        (np.zeros((1, 4), complex), mn.DTypeError, "complex128"),
        (np.zeros((1, 4), "datetime64[s]"), mn.DTypeError, "datetime64"),
        (np.array([[None] * 4]), mn.DTypeError, "object"),
        ([[1, 2], [3]], mn.ShapeError, "not a regular array"),
    ],
)
def test_bad_inputs_are_refused_by_name(model, bad, error, words):
    for use in (model, model.predict):
        with pytest.raises(error, match=words):
            use(bad)
    assert model(rows(1)).shape == (1, 3)


def test_sequences_without_steps_give_what_is_computed_from_nothing():
    steps = mn.Input((None, 4))
    last = mn.layers.Dense(3, bias_initializer="ones")(mn.layers.LSTM(5)(steps))
    both = mn.Model(steps, [last, steps])
    for call in (both, both.predict):
        state, empty = call(np.zeros((2, 0, 4)))
        np.testing.assert_array_equal(state, np.ones((2, 3)))
        assert empty.shape == (2, 0, 4)
    assert [y.shape for y in both(np.zeros((0, 2, 4)))] == [(0, 3), (0, 2, 4)]


def test_float64_models_compute_in_float64():
    x = mn.Input((4,), dtype="float64")
    model = mn.Model(x, mn.layers.Dense(3)(x))
    data = np.random.default_rng(0).standard_normal((5, 4))
    p = model.parameters
    assert p["dense/kernel"].dtype == np.float64
    assert np.allclose(model(data), dense(data, p["dense/kernel"], p["dense/bias"]), rtol=1e-13, atol=1e-14)


def test_several_inputs_and_outputs():
    a, b = mn.Input((4,), name="a"), mn.Input((2,), name="b")
    f, g = mn.layers.Dense(3, name="f"), mn.layers.Dense(3, name="g")
    total = f(a) + g(b) * 2.0
    model = mn.Model([a, b], {"total": total, "tanh": mn.tanh(total)})
    x, y = rows(5), rows(5, 1, 2)
    p = model.parameters
    want = dense(x, p["f/kernel"], p["f/bias"]) + 2 * dense(y, p["g/kernel"], p["g/bias"])
    for result in (model([x, y]), model(x, y), model({"b": y, "a": x}), model.predict([x, y], batch_size=2)):
        assert list(result) == ["total", "tanh"]
        assert np.allclose(result["total"], want, atol=1e-5)
        assert np.allclose(result["tanh"], np.tanh(want), atol=1e-5)
    with pytest.raises(mn.ArgumentError, match="2 are wanted"):
        model([x])
    with pytest.raises(mn.ArgumentError, match=r"'c' does not exist"):
        model({"a": x, "c": y})
    with pytest.raises(mn.ShapeError, match="'b'"):
        model([x, rows(4, 1, 2)])


def test_lists_come_back_as_lists_and_tuples_as_tuples():
    x = mn.Input((4,))
    h = mn.layers.Dense(2)(x)
    data = rows(2)
    for outputs in ([h, h * 2.0], (h, h * 2.0)):
        result = mn.Model(x, outputs)(data)
        assert type(result) is type(outputs)
        assert np.allclose(result[1], 2 * result[0])
    (only,) = mn.Model(x, [h])(data)
    assert only.shape == (2, 2)


def test_broken_graphs_are_refused():
    x, other = mn.Input((4,), name="x"), mn.Input((4,), name="other")
    h = mn.layers.Dense(2)(x + other)
    with pytest.raises(mn.GraphError, match=r"'other'.*not among the inputs"):
        mn.Model(x, h)
    with pytest.raises(mn.GraphError, match=r"mn\.Input"):
        mn.Model(h, h)
    with pytest.raises(mn.GraphError, match="must be a tensor"):
        mn.Model([x, other], np.zeros(3))
    with pytest.raises(mn.ArgumentError, match="twice"):
        mn.Model([x, x], h)
    with pytest.raises(mn.ArgumentError, match="two inputs are named 'x'"):
        mn.Model([x, mn.Input((4,), name="x")], x)
    assert mn.Input(np.prod((2, 2))).shape == mn.Input(4).shape
    for shape in ((-1,), (2.5,), ("a",), (0,), 2.5):
        with pytest.raises(mn.ShapeError, match="Input"):
            mn.Input(shape)
    with pytest.raises(mn.ArgumentError, match="input_shape"):
        mn.Sequential([mn.layers.Dense(1)])


# ---- models as layers and functions ---------------------------------------------------------------------------------------


def test_a_model_is_a_layer(model):
    x = mn.Input((4,))
    outer = mn.Model(x, mn.layers.Dense(2)(model(x * 2.0)))
    assert [n for n in outer.parameters if n.startswith("small/")] == [f"small/{n}" for n in model.parameters]
    data = rows(3)
    inner = expected(model, 2 * data)
    p = outer.parameters
    assert np.allclose(outer(data), dense(inner, p["dense/kernel"], p["dense/bias"]), atol=1e-5)
    assert p["small/scores/bias"] is model.parameters["scores/bias"]


def test_a_sequential_takes_layers_models_and_functions(model):
    data = rows(3)
    sequential = mn.Sequential([model, mn.tanh, lambda x: x * 2.0], input_shape=(4,))
    assert np.allclose(sequential(data), 2 * np.tanh(expected(model, data)), atol=1e-5)
    assert np.allclose(mn.Sequential([mn.Input((4,)), model])(data), expected(model, data), atol=1e-5)


def test_apply_is_the_model_as_a_function_of_its_weights(model):
    data = rows(3)
    other = {name: array * 0.5 + 0.1 for name, array in model.parameters.items()}
    before = model(data)
    result = model.apply(other, data)
    assert np.array_equal(model(data), before)
    for name, array in other.items():
        model.parameters[name] = array
    assert np.allclose(result, model(data), atol=1e-6)
    with pytest.raises(mn.ArgumentError, match="no weight is named 'bias'"):
        model.apply({"bias": other["scores/bias"]}, data)
    with pytest.raises(mn.ShapeError, match="scores/bias"):
        model.apply({"scores/bias": np.zeros(4, np.float32)}, data)


def test_gradients_of_a_model_by_its_weights_match_differences():
    x = mn.Input((3,), dtype="float64")
    model = mn.Model(x, mn.layers.Dense(1)(mn.tanh(mn.layers.Dense(4)(x))))
    data, target = np.random.default_rng(0).standard_normal((2, 5, 3))
    target = target[:, :1]

    def loss(p):
        return mn.mean(mn.square(model.apply(p, data) - target))

    slope = mn.grad(loss)(model.parameters)
    assert list(slope) == list(model.parameters)
    for name, array in model.parameters.items():
        for index in np.ndindex(array.shape):
            sides = []
            for h in (1e-6, -1e-6):
                moved = {n: a.copy() for n, a in model.parameters.items()}
                moved[name][index] += h
                sides.append(float(loss(moved)))
            assert abs((sides[0] - sides[1]) / 2e-6 - slope[name][index]) < 1e-6


# ---- copies and threads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent_models_of_the_same_bits(model, copied):
    data = rows(5)
    before = model(data)
    other = copied(model)
    assert type(other) is type(model) and other.name == "small"
    assert list(other.parameters) == list(model.parameters)
    assert np.array_equal(other(data), before)
    other.parameters["scores/bias"] = np.ones(3)
    assert np.array_equal(model(data), before)
    assert np.allclose(other(data), before + 1 - model.parameters["scores/bias"], atol=1e-6)


def test_a_deep_model_pickles():
    x = mn.Input((2,))
    h = x
    for _ in range(3000):
        h = h + 0.001
    model = pickle.loads(pickle.dumps(mn.Model(x, h)))
    assert np.allclose(model(np.zeros((1, 2), np.float32)), 3.0, atol=1e-3)


def test_many_threads_call_one_model(model):
    batches = [rows(n, n) for n in (1, 2, 3, 5)]
    want = [model(b) for b in batches]
    wrong = []

    def work(k):
        for i in range(200):
            j = (i + k) % len(batches)
            if not np.array_equal(model(batches[j]), want[j]):
                wrong.append((k, i))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not wrong


def _child(connection, model, data):
    connection.send(model(data))
    connection.close()


def test_a_forked_child_calls_the_model(model):
    data = rows(64)
    want = model(data)
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=_child, args=(there, model, data))
    child.start()
    assert np.array_equal(here.recv(), want)
    child.join()
    assert child.exitcode == 0


def test_the_summary_names_every_layer(model):
    text = model.summary()
    for words in (
        "x",
        "Input",
        "dense",
        "scores",
        "(None, 3)",
        "43 weights",
        "43 of them trained",
        "float32",
    ):
        assert words in text
