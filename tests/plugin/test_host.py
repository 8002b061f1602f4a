"""The host: who may load, in which order, what is taken out again, and what errors say."""

import subprocess
import sys
import threading
import types
import warnings

import numpy as np
import pytest

import mathnet as mn

OTHER = """
@mn.activation("other")
def other(x):
    return x

@mn.hookimpl
def mathnet_activations():
    return [other]
"""


def module_of(source, name):
    module = types.ModuleType(name)
    exec("import mathnet as mn\n" + source, module.__dict__)
    return module


def keys(runtime):
    return {plugin.distribution: plugin.status for plugin in runtime.plugins()}


# ---- lists ----
def test_lists_given_in_code(install, swish, monkeypatch):
    install("good-plugin", swish)
    install("other-plugin", OTHER)
    with mn.Runtime(allow=["Good_Plugin"]) as runtime:
        assert mn.activations.get("beta_swish").key == "beta_swish"
        assert keys(runtime)["other-plugin"] == "not allowed"
    with mn.Runtime(block=["good-plugin"]) as runtime:
        assert mn.activations.get("other").key == "other"
        assert keys(runtime)["good-plugin"] == "blocked"
    with mn.Runtime(allow="good-plugin", block=["good-plugin"]) as runtime:
        assert keys(runtime)["good-plugin"] == "blocked"
    with mn.Runtime(allow=[]) as runtime:
        assert {keys(runtime)[name] for name in ("good-plugin", "other-plugin")} == {"not allowed"}
    monkeypatch.setenv("MATHNET_BLOCK", "other-plugin")
    with mn.Runtime(block=()) as runtime:  # code goes before the environment
        assert keys(runtime)["other-plugin"] == "loaded"


@pytest.mark.parametrize("argument", ["allow", "block"])
def test_unknown_names_in_lists_are_errors(install, swish, argument, monkeypatch):
    install("good-plugin", swish)
    with pytest.raises(
        mn.PluginError, match=rf"{argument}= names 'god-plugin', .*did you mean 'good-plugin'"
    ):
        mn.Runtime(**{argument: ["god-plugin"]})
    with pytest.raises(mn.ArgumentError, match=f"{argument} must be names of distributions"):
        mn.Runtime(**{argument: [3]})
    monkeypatch.setenv({"allow": "MATHNET_PLUGINS", "block": "MATHNET_BLOCK"}[argument], "god-plugin")
    with mn.Runtime():
        for _ in range(2):
            with pytest.raises(mn.PluginError, match="names 'god-plugin'"):
                mn.activations.get("relu")
    with mn.Runtime(autoload=False):
        mn.activations.get("relu")


def test_an_allow_list_without_autoload_is_an_error():
    with pytest.raises(mn.ArgumentError, match="autoload=False"):
        mn.Runtime(autoload=False, allow=["x"])


# ---- strict ----
def test_strict_mode_raises_at_every_look_up(install, swish, monkeypatch):
    install("broken-plugin", "raise OSError('no licence')")
    install("good-plugin", swish)
    monkeypatch.setenv("MATHNET_STRICT", "1")
    for runtime in (mn.Runtime(strict=True), mn.Runtime()):
        with runtime:
            for _ in range(2):
                with pytest.raises(mn.PluginError, match=r"plugin broken_plugin: OSError: no licence"):
                    mn.activations.get("beta_swish")
    with mn.Runtime(strict=False), pytest.warns(mn.PluginWarning, match="broken-plugin"):
        mn.activations.get("beta_swish")


# ---- in and out ----
def cube():
    return mn.activation("cube")(lambda x: x**3)


def test_unregister():
    f, module = cube(), module_of(OTHER, "other_module")
    with mn.Runtime(autoload=False):
        mn.register(f)
        mn.register(module)
        mn.unregister(f)
        mn.unregister(module)
        for key in ("cube", "other"):
            with pytest.raises(mn.UnknownKeyError):
                mn.activations.get(key)
        with pytest.raises(mn.PluginError, match="is not registered here"):
            mn.unregister(f)
        mn.register(module)
        assert mn.activations.get("other").key == "other"


def test_what_was_replaced_is_found_again():
    mine = mn.activation("relu", replaces="mathnet_std")(lambda x: -x)
    with mn.Runtime(autoload=False):
        built_in = mn.activations.get("relu")
        with mn.registered(mine):
            assert mn.activations.get("relu")(2.0) == -2.0
        assert mn.activations.get("relu") == built_in


def test_scopes_nest_and_leave_what_was_there():
    f, g = cube(), mn.activation("fourth")(lambda x: x**4)
    with mn.Runtime(autoload=False):
        with mn.registered(f), mn.registered(f, g):
            mn.activations.get("fourth")
        with pytest.raises(mn.UnknownKeyError):
            mn.activations.get("cube")
        mn.register(f)
        with mn.registered(f):
            pass
        assert mn.activations.get("cube")(2.0) == 8.0
        with pytest.raises(mn.PluginError), mn.registered(g, mn.activation("relu")(lambda x: x)):
            pass
        with pytest.raises(mn.UnknownKeyError):  # the first is out again when the second cannot be in
            mn.activations.get("fourth")


@pytest.mark.parametrize("name", ["GRU", "fresh"])
def test_a_scope_may_be_the_first_use_of_a_runtime(name):
    with mn.Runtime(autoload=False) as runtime:  # which has not loaded the standard plugin yet
        target = cube() if name == "fresh" else type(mn.layers.GRU(2))
    runtime = mn.Runtime(autoload=False)
    with runtime.registered(target), runtime:
        assert mn.layers.GRU(2).units == 2
    with runtime:
        assert mn.layers.GRU(2).units == 2
        if name == "fresh":
            with pytest.raises(mn.UnknownKeyError):
                mn.activations.get("cube")


def test_two_threads_in_one_scope():
    f, runtime = cube(), mn.Runtime(autoload=False)
    inside, left = threading.Barrier(2), threading.Barrier(2)
    found = []

    def work(first):
        with runtime:
            with mn.registered(f):
                inside.wait()
                if first:
                    pass
                else:
                    left.wait()
                    found.append(mn.activations.get("cube")(2.0))
            if first:
                left.wait()

    threads = [threading.Thread(target=work, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [8.0]


def test_a_list_with_a_broken_plugin_leaves_nothing(swish):
    with mn.Runtime(autoload=False) as runtime:
        with pytest.raises(mn.PluginError):
            runtime._loader.load_named([module_of(swish, "first"), module_of("MATHNET_API = 99", "second")])
        with pytest.raises(mn.UnknownKeyError):
            mn.activations.get("beta_swish")


# ---- duplicates, in any order ----
@pytest.mark.parametrize("turned", [False, True])
def test_two_modules_with_one_key_name_both(swish, turned):
    pair = [module_of(swish, "first"), module_of(swish, "second")][:: -1 if turned else 1]
    with pytest.raises(mn.PluginError, match=r"(first|second) .* is registered already, by (first|second)"):
        mn.Runtime(plugins=pair, autoload=False)


@pytest.mark.parametrize("turned", [False, True])
def test_replacing_another_plugin_or_a_built_in_key_does_not_depend_on_the_order(swish, turned):
    better = module_of(
        swish.replace('"beta_swish"', '"beta_swish", replaces="first"').replace("x *", "2 * x *"), "second"
    )
    pair = [module_of(swish, "first"), better][:: -1 if turned else 1]
    with mn.Runtime(plugins=pair, autoload=False):
        assert mn.plugins.origin("activation", "beta_swish").distribution == "second"
    relu = module_of(OTHER.replace('"other"', '"relu", replaces="mathnet_std"'), "replacing")
    clash = module_of(OTHER.replace('"other"', '"relu"'), "clashing")
    with pytest.raises(mn.PluginError, match="relu"):
        mn.Runtime(plugins=[relu, clash][:: -1 if turned else 1], autoload=False)


# ---- wrappers ----
VETO = """
@mn.hookimpl(wrapper=True)
def mathnet_activations():
    offered = yield
    return [[f for f in found if not hasattr(f, "swish")] if isinstance(found, list) else found for found in offered]
"""


@pytest.mark.parametrize("names", [("a-veto", "b-good"), ("b-veto", "a-good")])
def test_a_wrapper_acts_on_plugins_before_and_after_it(install, swish, names):
    marked = swish.replace("@mn.hookimpl", "swish.swish = True\n\n@mn.hookimpl")
    veto, good = names
    install(veto, VETO)
    install(good, marked)
    with mn.Runtime(), warnings.catch_warnings():
        warnings.simplefilter("ignore", mn.PluginWarning)
        with pytest.raises(mn.UnknownKeyError):
            mn.activations.get("beta_swish")
    modules = [module_of(VETO, "veto"), module_of(marked, "good")]
    for given in (modules, modules[::-1]):
        with mn.Runtime(given, autoload=False), pytest.raises(mn.UnknownKeyError):
            mn.activations.get("beta_swish")


def test_a_wrapper_that_raises_is_the_broken_plugin(install, swish):
    install("good-plugin", swish)
    install(
        "bad-wrapper",
        "@mn.hookimpl(wrapper=True)\ndef mathnet_activations():\n    yield\n    raise RuntimeError('wrapped badly')",
    )
    with mn.Runtime() as runtime, pytest.warns(mn.PluginWarning, match=r"bad-wrapper .*wrapped badly"):
        assert mn.activations.get("beta_swish").key == "beta_swish"
        assert keys(runtime)["bad-wrapper"] == "broken"


# ---- versions, markers ----
@pytest.mark.parametrize(
    ("version", "message"), [("0", "positive integer"), ("'1'", "positive integer"), ("2", "needs version 2")]
)
def test_the_required_version_is_checked_for_objects_of_a_module_too(install, version, message):
    install(
        "versioned",
        f"MATHNET_API = {version}\nclass Plugin:\n    pass\nplugin = Plugin()\n",
        entry="versioned:plugin",
    )
    with mn.Runtime() as runtime, pytest.warns(mn.PluginWarning, match=message):
        runtime.plugins()


def test_a_hook_without_the_marker_is_noted(install, swish):
    install("unmarked", swish.replace("@mn.hookimpl\n", ""))
    with (
        mn.Runtime() as runtime,
        pytest.warns(mn.PluginWarning, match=r"mathnet_activations\(\) is not marked"),
    ):
        runtime.plugins()


def test_without_metadata_plugins_are_registered_explicitly():
    code = (
        "import importlib.metadata as m, types\n"
        "def missing(*a, **k): raise m.PackageNotFoundError('frozen')\n"
        "m.distribution = m.version = m.metadata = missing\n"
        "m.entry_points = lambda **k: ()\n"
        "import mathnet as mn\n"
        "f = mn.activation('mine')(lambda x: 2 * x)\n"
        "mn.register(f)\n"
        "print(mn.activations.get('mine')(1.0), mn.activations.get('relu')(-1.0), mn.plugins.origin('activation', 'mine').version)\n"
        "print(len(mn.plugins.list()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2.0", "0.0", "None", "2"]


# ---- the way through ----
def test_no_hook_and_no_look_up_runs_inside_a_step(swish):
    with mn.Runtime([module_of(swish, "swish_module")], autoload=False):
        model = mn.Sequential(
            [mn.layers.Dense(3, activation="beta_swish"), mn.layers.Dense(2)], input_shape=(2,)
        )
        trainer = mn.Trainer(model, loss="mse", optimizer="adam")
        trainer.step(X, X)
        model(X)
        seen = set()

        def watch(frame, event, argument):
            seen.add(frame.f_globals.get("__name__", ""))

        sys.setprofile(watch)
        try:
            trainer.step(X, X)
            model(X)
        finally:
            sys.setprofile(None)
    assert seen
    assert not {name for name in seen if name.startswith(("pluggy", "mathnet.plugin", "swish_module"))}


# ---- errors out of plugins ----
RAISING = """
import numpy as np

def fail(*a, **k):
    raise ZeroDivisionError("inside")

@mn.activation("bad_activation")
def bad_activation(x):
    return fail()

@mn.loss("bad_loss")
def bad_loss(y_pred, y_true):
    return fail()

@mn.layer("bad_layer")
class BadLayer(mn.Layer):
    def call(self, x):
        return fail()

@mn.optimizer("bad_optimizer")
class BadOptimizer:
    learning_rate = 0.1
    def init(self, param):
        return {}
    def update(self, param, grad, state, learning_rate):
        return fail()

@mn.op("bad_op")
class BadOp(mn.HostOp):
    def shape(self, x):
        return x.shape
    def forward(self, x):
        return fail()

@mn.callback("bad_callback")
class BadCallback(mn.Callback):
    def on_epoch_end(self, trainer, epoch, logs):
        fail()

@mn.hookimpl
def mathnet_activations(): return [bad_activation]
@mn.hookimpl
def mathnet_losses(): return [bad_loss]
@mn.hookimpl
def mathnet_layers(): return [BadLayer]
@mn.hookimpl
def mathnet_optimizers(): return [BadOptimizer]
@mn.hookimpl
def mathnet_ops(): return [BadOp]
@mn.hookimpl
def mathnet_callbacks(): return [BadCallback]
"""
X = np.ones((4, 2), np.float32)


def fit(**options):
    model = mn.Sequential([mn.layers.Dense(2)], input_shape=(2,))
    model.fit(X, X, **{"loss": "mse", "optimizer": "sgd", "epochs": 1, "progress": False, **options})


@pytest.mark.parametrize(
    ("what", "use"),
    [
        ("activation 'bad_activation'", lambda: mn.layers.Dense(2, activation="bad_activation")(X)),
        ("activation 'bad_activation'", lambda: mn.activations.get("bad_activation")(X)),
        ("loss 'bad_loss'", lambda: fit(loss="bad_loss")),
        ("layer 'bad_layer'", lambda: mn.layers.get("bad_layer")(X)),
        ("update() of optimizer 'bad_optimizer'", lambda: fit(optimizer="bad_optimizer")),
        ("forward() of op 'bad_op'", lambda: mn.ops.bad_op(X)),
        ("forward() of op 'bad_op'", lambda: mn.function(lambda x: mn.ops.bad_op(x) + 1.0)(X)),
        ("on_epoch_end() of callback 'bad_callback'", lambda: fit(callbacks=["bad_callback"])),
    ],
)
def test_an_error_out_of_a_plugin_names_it(install, what, use):
    install("raising-parts", RAISING, version="3.1")
    with mn.Runtime(), pytest.raises(ZeroDivisionError) as caught:
        use()
    assert f"in {what} of raising-parts 3.1 (raising_parts)" in caught.value.__notes__
