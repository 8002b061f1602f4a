"""Look-up: near names, namespaces, explicit registration, replacement, what is imported when."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mathnet as mn
from mathnet.plugin import stubs
from mathnet.plugin.records import KINDS


@pytest.fixture
def runtime():
    with mn.Runtime(autoload=False, seed=0) as runtime:
        yield runtime


def test_namespaces_give_classes_factories_and_functions():
    from mathnet.layers import Dense
    from mathnet.losses import MSE

    assert mn.layers.Dense is Dense
    assert MSE().key == "mse"
    assert mn.regularizers.L2(1e-4).config == {"strength": 1e-4}
    assert mn.activations.relu.__name__ == "relu"
    assert mn.optimizers.Adam(0.1).learning_rate == 0.1
    assert {"Dense", "MaxPool2D", "get"} <= set(dir(mn.layers))
    assert {"MSE", "CrossEntropy", "mse"} <= set(dir(mn.losses))


def test_unknown_names_offer_near_ones():
    with pytest.raises(AttributeError, match=r"mathnet.layers has no 'Dnse' \(did you mean 'Dense'"):
        mn.layers.Dnse  # noqa: B018
    with pytest.raises(
        mn.UnknownKeyError, match=r"no layer is registered under 'dens' \(did you mean 'dense'"
    ):
        mn.layers.get("dens")
    with pytest.raises(LookupError, match="no optimizer"):
        mn.optimizers.get("nothing_like_it")
    with pytest.raises(mn.ArgumentError, match=r"no setting 'unit' \(did you mean 'units'"):
        mn.layers.get("dense", unit=3)
    with pytest.raises(mn.ArgumentError, match=r"no kind of plugin object named 'layr'"):
        mn.plugins.keys("layr")


def test_get_takes_what_constructors_are_given():
    def mine(x):
        return x

    assert mn.activations.get(None) is None
    assert mn.activations.get(mine) is mine
    assert mn.activations.get("relu") is mn.activations.get("relu")
    assert mn.activations.get(mn.activations.relu).key == "relu"
    assert mn.optimizers.get(mn.optimizers.Adam).beta1 == 0.9
    assert mn.losses.get(mn.losses.MSE) == mn.losses.get(
        "mse"
    )  # a factory stands for its defaults, as a class does
    np.testing.assert_array_equal(
        mn.layers.Dense(1, kernel_initializer=mn.initializers.Ones, activation=mn.activations.Softplus)(
            np.ones((1, 1))
        ),
        mn.softplus([[1.0]]),
    )
    with pytest.raises(mn.ArgumentError, match="activation: 3 is no activation; give a key such as"):
        mn.activations.get(3)
    with pytest.raises(
        mn.ArgumentError, match=r"is no optimizer; .* an object with init\(\) and update\(\), or minimize\(\)"
    ):
        mn.optimizers.get(object())
    with pytest.raises(mn.ArgumentError, match="is no activation"):
        mn.activations.get(mn.regularizers.L2())
    with pytest.raises(mn.ArgumentError, match="takes settings"):
        mn.activations.get(mine, beta=2.0)


def test_register_makes_an_object_known_to_this_runtime_only(runtime):
    @mn.activation("cube")
    def cube(x):
        return x**3

    assert mn.register(cube) is cube
    assert mn.register(cube) is cube  # the same again does nothing
    assert mn.activations.get("cube")(2.0) == 8.0
    assert mn.activations.Cube().key == "cube"
    assert mn.plugins.origin("activation", "cube").module == __name__
    with pytest.raises(
        mn.PluginError, match=r"activation 'cube' of .* is registered already, by .*; choose another key$"
    ):
        mn.register(mn.activation("cube")(lambda x: x))
    with mn.Runtime(autoload=False), pytest.raises(mn.UnknownKeyError):
        mn.activations.get("cube")


def test_built_in_keys_are_replaced_only_when_that_is_declared(runtime):
    with pytest.raises(
        mn.PluginError, match=r"registered already, by mathnet_std .*declare replaces='mathnet_std'"
    ):
        mn.register(mn.activation("relu")(lambda x: x))
    mine = mn.register(mn.activation("relu", replaces="mathnet_std")(lambda x: 2 * x))
    assert mn.activations.get("relu").record.object is mine
    with mn.Runtime(autoload=False):
        assert mn.activations.get("relu").record.object is not mine


def test_what_carries_no_record_cannot_be_registered(runtime):
    with pytest.raises(mn.PluginError, match="carries no record"):
        mn.register(lambda x: x)


@pytest.mark.parametrize("value", [3, None, [], {"swish": 1}, "no_such_module_anywhere", "json:no_such_name"])
def test_what_is_no_plugin_cannot_be_registered(runtime, value):
    with pytest.raises(mn.PluginError, match=r"is no plugin|names no plugin module"):
        mn.register(value)


def test_origin_of_a_built_in_key():
    origin = mn.plugins.origin("layer", "dense")
    assert (origin.distribution, origin.module) == ("mathnet_std", "mathnet_std.layers.dense")
    assert origin.version == mn.__version__


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_nothing_of_a_plugin_is_imported_before_it_is_named():
    out = run(
        "import sys, mathnet as mn\n"
        "loaded = lambda: sorted(m for m in sys.modules if m.startswith(('mathnet_std', 'pluggy')))\n"
        "print([m for m in loaded() if m != 'pluggy'][:1])\n"
        "mn.regularizers.get('l2')\n"
        "print([m for m in loaded() if m.startswith('mathnet_std')])\n"
        "mn.plugins.keys('layer')\n"
        "print('mathnet_std.layers.dense' in sys.modules)\n"
    )
    assert out.splitlines() == ["[]", "['mathnet_std', 'mathnet_std.regularizers']", "False"]


@pytest.mark.parametrize("kind", stubs.NAMESPACES)
def test_the_type_stubs_of_the_namespaces_are_up_to_date(kind):
    path = Path(mn.__file__).with_name(f"{KINDS[kind].plural}.pyi")
    assert path.read_text() == stubs.stub(kind), "run python -m mathnet.plugin.stubs"


# ---- built-ins that give way: the documentation's first plugin has objects of these keys ----------------------------------


def test_a_plugin_takes_the_key_of_a_built_in_that_yields():
    @mn.optimizer("lion")
    class Lion:
        def __init__(self, learning_rate=1e-4):
            self.learning_rate = learning_rate

        def init(self, param):
            return {}

        def update(self, param, grad, state, learning_rate):
            return param - learning_rate * mn.sign(grad), {}

    @mn.loss("focal")
    def focal(y_pred, y_true, gamma=2.0):
        return mn.mean(mn.square(y_pred - y_true), axis=-1)

    with mn.Runtime():
        built_in = mn.optimizers.Lion
        assert built_in.__module__.startswith("mathnet_std")
        with mn.registered(Lion, focal):
            assert mn.optimizers.Lion is Lion
            assert mn.optimizers.get("lion").learning_rate == 1e-4
            assert mn.plugins.origin("loss", "focal").distribution != "mathnet_std"
        assert mn.optimizers.Lion is built_in
        assert mn.plugins.origin("loss", "focal").distribution == "mathnet_std"
    with mn.Runtime(plugins=[Lion]):
        assert mn.optimizers.Lion is Lion


def test_other_built_ins_do_not_give_way():
    @mn.optimizer("adam")
    class Adam(mn.optimizers.SGD):
        pass

    with mn.Runtime(), pytest.raises(mn.PluginError, match="replaces="):
        mn.register(Adam)
