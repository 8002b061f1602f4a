"""Model files and plugins: what they say of each object, what is said when it is missing, old versions of settings."""

import numpy as np
import pytest
from safetensors.numpy import load_file

import mathnet as mn
from mathnet.model.files import inspect

PLUGIN = """
import numpy as np

@mn.activation("gauss")
def gauss(x, width=1.0):
    return mn.exp(-mn.square(x / width))

@mn.op("reversed_rows")
class ReversedRows(mn.HostOp):
    def shape(self, x):
        return x.shape

    def forward(self, x):
        return x[:, ::-1]

    def vjp(self, dy, x, *, out):
        return dy[:, ::-1]

@mn.hookimpl
def mathnet_activations():
    return [gauss]

@mn.hookimpl
def mathnet_ops():
    return [ReversedRows]
"""


def model(**config):
    x = mn.Input((3,), name="x")
    h = mn.layers.Dense(4, activation=mn.activations.get("gauss", **config), name="hidden")(x)
    return mn.Model(x, h)


def versioned(version, upgrade=None, setting="width"):
    if setting == "width":

        def gauss(x, width=1.0):
            return mn.exp(-mn.square(x / width))

    else:

        def gauss(x, precision=1.0):
            return mn.exp(-precision * mn.square(x))

    return mn.activation("gauss", version=version, upgrade=upgrade)(gauss)


def test_a_missing_plugin_is_named_and_the_weights_can_be_read(install, tmp_path):
    install("mathnet-gauss", PLUGIN, version="2.3")
    path = tmp_path / "gauss.mathnet"
    with mn.Runtime(seed=0):
        made = model(width=2.0)
        made.save(path)
    assert inspect(path)["plugins"]["mathnet-gauss"] == {"version": "2.3", "keys": ["activation:gauss"]}
    with (
        mn.Runtime(autoload=False),
        pytest.raises(
            mn.UnknownKeyError,
            match=r": no activation is registered under 'gauss'[^,]*; the file was written with mathnet-gauss 2\.3: "
            r"pip install 'mathnet-gauss==2\.3'.*weights_only=True",
        ),
    ):
        mn.load(path)
    with mn.Runtime(autoload=False):
        weights = mn.load(path, weights_only=True)
    for found in (weights, {k.removeprefix("weight/"): v for k, v in load_file(path).items()}):
        np.testing.assert_array_equal(found["hidden/kernel"], made.parameters["hidden/kernel"])


def test_what_was_registered_by_hand_is_named_by_its_module(tmp_path):
    path = tmp_path / "gauss.mathnet"
    with mn.Runtime([versioned(1)], autoload=False, seed=0):
        model().save(path)
    with (
        mn.Runtime(autoload=False),
        pytest.raises(mn.UnknownKeyError, match=r"registered from module .*mn\.register"),
    ):
        mn.load(path)


def test_another_version_is_refused_unless_it_takes_the_old_settings(tmp_path):
    path = tmp_path / "gauss.mathnet"
    x = np.ones((2, 3), np.float32)
    with mn.Runtime([versioned(1)], autoload=False, seed=0):
        made = model(width=2.0)
        made.save(path)
        expected = made.predict(x)
    with (
        mn.Runtime([versioned(2)], autoload=False),
        pytest.raises(
            mn.FileFormatError, match="has version 2 here, but the file was written with version 1"
        ),
    ):
        mn.load(path)
    seen = []

    def upgrade(config, version):
        seen.append((dict(config), version))
        return {"precision": config["width"] ** -2}

    with mn.Runtime([versioned(3, upgrade, "precision")], autoload=False):
        again = mn.load(path)
        np.testing.assert_allclose(again.predict(x), expected, rtol=1e-6)
        again.save(path)
    assert seen == [({"width": 2.0}, 1)]
    with (
        mn.Runtime([versioned(2, upgrade, "precision")], autoload=False),
        pytest.raises(mn.FileFormatError, match="version 2 here, but the file was written with version 3"),
    ):
        mn.load(path)  # an upgrade leads forward only


def test_a_wrong_upgrade_is_named(tmp_path):
    path = tmp_path / "gauss.mathnet"
    with mn.Runtime([versioned(1)], autoload=False, seed=0):
        model().save(path)
    with (
        mn.Runtime([versioned(2, lambda config, version: None)], autoload=False),
        pytest.raises(mn.FileFormatError, match=r"'gauss': upgrade\(\) returned None"),
    ):
        mn.load(path)


def test_operations_of_plugins_in_the_graph_of_a_model(install, tmp_path):
    install("mathnet-gauss", PLUGIN)
    path = tmp_path / "reversed.mathnet"
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    with mn.Runtime(seed=0):
        x = mn.Input((3,))
        made = mn.Model(x, mn.ops.reversed_rows(x) * 2.0)
        made.save(path)
        np.testing.assert_array_equal(mn.load(path).predict(data), data[:, ::-1] * 2)
    with mn.Runtime(autoload=False), pytest.raises(mn.UnknownKeyError, match="mathnet-gauss"):
        mn.load(path)
