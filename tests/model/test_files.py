"""Model files: the same bits after load, everything else refused with words."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file

import mathnet as mn
from mathnet.model import container
from mathnet.model.files import inspect

DATA = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def build():
    mn.seed(0)
    a = mn.Input((4,), name="a")
    h = mn.layers.Dense(6, activation="relu", kernel_regularizer=mn.regularizers.L2(1e-3))(a)
    h = mn.layers.Dropout(0.5)(h)
    h = mn.tanh(h) * 2 + h * np.arange(6, dtype=np.float32)
    h = mn.reshape(h, (h.shape[0], 3, 2))
    return mn.Model(a, mn.layers.Dense(3, name="logits")(mn.layers.Flatten()(h)), name="saved")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.mathnet"
    build().save(path)
    return path


def rewritten(path, change=None, tensors=None):
    """The file with its description or tensors changed, and right checksums."""
    with container.read(path) as file:
        description, held = file.description, file.tensors()
    description = json.loads(json.dumps(description))
    if change is not None:
        description = change(description) or description
    container.write(path, "model", description, {**held, **(tensors or {})})


def test_a_loaded_model_computes_the_same_bits(path):
    model, again = build(), mn.load(path)
    assert again.name == "saved" and list(again.parameters) == list(model.parameters)
    assert np.array_equal(again(DATA), model(DATA))
    assert np.array_equal(
        again.predict(np.repeat(DATA, 3, axis=0), batch_size=4), model(np.repeat(DATA, 3, axis=0))
    )


def test_a_loaded_model_trains_alike(path):
    first, second = build(), mn.load(path)
    labels = np.array([0, 1, 2, 0, 1])
    losses = [
        mn.Trainer(m, "cross_entropy", "adam", seed=1).steps(DATA, labels, 2, 12) for m in (first, second)
    ]
    assert np.array_equal(*losses)


def test_loading_does_not_touch_the_random_state(path):
    mn.seed(3)
    want = mn.layers.Dense(2)
    want(DATA)
    mn.seed(3)
    mn.load(path)
    got = mn.layers.Dense(2)
    got(DATA)
    assert all(np.array_equal(a.array, b.array) for a, b in zip(want.variables, got.variables))


def test_nested_models_shared_layers_and_several_outputs(tmp_path):
    mn.seed(0)
    x, y = mn.Input((4,), name="x"), mn.Input((4,), name="y")
    tower = mn.Sequential(
        [mn.layers.Dense(3, activation="relu"), mn.layers.Dense(2)], input_shape=(4,), name="tower"
    )
    model = mn.Model({"x": x, "y": y}, [tower(x) - tower(y), mn.layers.Dense(1)(x)])
    model.save(tmp_path / "m")
    again = mn.load(tmp_path / "m")
    assert list(again.parameters) == list(model.parameters)
    for one, other in zip(again({"x": DATA, "y": DATA[::-1]}), model({"x": DATA, "y": DATA[::-1]})):
        assert np.array_equal(one, other)


def test_float64_models_stay_float64(tmp_path):
    x = mn.Input((4,), dtype="float64")
    model = mn.Model(x, mn.layers.Dense(2)(x))
    model.save(tmp_path / "m")
    assert mn.load(tmp_path / "m").parameters["dense/kernel"].dtype == np.float64


def test_weights_stand_under_their_names_for_every_reader(path):
    held = load_file(path)
    assert np.array_equal(held["weight/logits/bias"], build().parameters["logits/bias"])


def test_inspect_tells_without_building(path):
    shown = inspect(path)
    assert shown["kind"] == "model" and shown["name"] == "saved" and shown["weights"] == 51
    assert {"name": "logits", "key": "dense"} in shown["layers"]
    assert "layer:dense" in str(shown["plugins"]) and shown["tensors"]["weight/logits/bias"]["shape"] == [3]


# ---- what cannot be saved --------------------------------------------------------------------------------------------------------


def test_unregistered_functions_are_refused_by_name(tmp_path):
    def swish(x):
        return x * mn.sigmoid(x)

    class Plain(mn.Layer):
        def call(self, x):
            return x

    decorated = mn.activation("not_registered_anywhere")(swish)
    x = mn.Input((4,))
    for output, words in (
        (mn.layers.Dense(2, activation=lambda x: x, name="odd")(x), "activation of layer 'odd'.*<lambda>"),
        (mn.layers.Dense(2, activation=decorated)(x), "not_registered_anywhere.*not registered"),
        (mn.layers.Dense(2, kernel_regularizer=lambda w: mn.sum(w))(x), "kernel_regularizer"),
        (Plain()(x), "Plain"),
    ):
        with pytest.raises(mn.ArgumentError, match=words):
            mn.Model(x, output).save(tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_registered_functions_and_layers_are_found_again(tmp_path):
    @mn.activation("doubling_of_tests")
    def doubling(x, factor=2.0):
        return x * factor

    @mn.layer("scaling_of_tests")
    class Scaling(mn.Layer):
        def __init__(self, start=1.0, name=None):
            self.start = start

        def build(self, input_shape):
            self.scale = self.param("scale", (input_shape[-1],), "ones")
            self.seen = self.state("seen", ())

        def call(self, x):
            return x * self.scale * self.start

    with mn.Runtime(plugins=[doubling, Scaling], autoload=False, seed=0):
        x = mn.Input((4,))
        dense = mn.layers.Dense(3, activation=mn.activations.get("doubling_of_tests", factor=3.0))
        model = mn.Model(x, Scaling(0.5)(dense(x)))
        model.parameters["scaling_of_tests/scale"] = [1, 2, 3]
        model.statistics["scaling_of_tests/seen"] = 7.0
        model.save(tmp_path / "m")
        again = mn.load(tmp_path / "m")
        assert np.array_equal(again(DATA), model(DATA))
        assert again.statistics["scaling_of_tests/seen"] == 7.0
    with pytest.raises(mn.UnknownKeyError, match="of_tests"):
        mn.load(tmp_path / "m")


# ---- what cannot be loaded --------------------------------------------------------------------------------------------------------


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        mn.load(tmp_path / "none")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(mn.FileFormatError, match="text"):
        mn.load(tmp_path / "text")


def bigger(d):
    layer = next(x for x in d["layers"] if x.get("name") == "logits")
    layer["config"]["units"] = 10**9


def without(key):
    def change(d):
        del d[key]

    return change


def set_in_node(index, key, value):
    def change(d):
        d["graph"]["nodes"][index][key] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (bigger, "logits.*more than the data in the file"),
        (without("graph"), "damaged"),
        (without("layers"), "damaged"),
        (set_in_node(1, "op", "no_such_op"), "no operation 'no_such_op'"),
        (set_in_node(1, "inputs", [[99, 0]]), "node 99"),
        (set_in_node(1, "inputs", [[-1, 0]]), "node -1"),
        (set_in_node(1, "attrs", {}), "damaged"),
        (set_in_node(1, "attrs", {"layer": {"$": "os.system", "index": 0}}), "unknown kind"),
        (lambda d: {"graph": 3, "layers": [], "symbols": [], "name": None}, "damaged"),
    ],
)
def test_damaged_descriptions_are_refused(path, change, words):
    rewritten(path, change)
    with pytest.raises(mn.FileFormatError, match=words):
        mn.load(path)


def test_wrong_weights_are_refused(path):
    rewritten(path, tensors={"weight/logits/bias": np.zeros(4, np.float32)})
    with pytest.raises(mn.FileFormatError, match=r"logits/bias.*\(4,\).*\(3,\)"):
        mn.load(path)
    rewritten(path, tensors={"weight/logits/bias": np.zeros(3)})
    with pytest.raises(mn.FileFormatError, match=r"logits/bias.*float64"):
        mn.load(path)
    rewritten(path, tensors={"weight/logits/bias": np.zeros(3, np.float32), "weight/other": np.zeros(3)})
    with pytest.raises(mn.FileFormatError, match="'other' belongs to no layer"):
        mn.load(path)


def test_another_version_of_a_plugin_is_refused(path):
    def older(d):
        for layer in d["layers"]:
            layer["version"] = 7

    rewritten(path, older)
    with pytest.raises(mn.FileFormatError, match="version 7"):
        mn.load(path)
