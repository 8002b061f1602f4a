"""Installed plugins: found by entry point, harmless when broken, allowed and blocked by environment."""

import json
import re
import sys
import types
import warnings

import pytest

import mathnet as mn
from mathnet.plugin.offers import API_VERSION


def listed(runtime, distribution):
    (plugin,) = [plugin for plugin in runtime.plugins() if plugin.distribution == distribution]
    return plugin


def test_an_installed_plugin_loads_when_a_name_is_not_built_in(install, swish):
    module = install("good-plugin", swish, version="2.5")
    with mn.Runtime():
        mn.activations.get("relu")
        assert module not in sys.modules
        assert mn.activations.get("beta_swish", beta=2.0).config == {"beta": 2.0}
        assert module in sys.modules
        assert mn.activations.BetaSwish().key == "beta_swish"
        assert tuple(mn.plugins.origin("activation", "beta_swish")) == ("good-plugin", "2.5", module)
        assert "beta_swish" in mn.plugins.keys("activation")
    with mn.Runtime(autoload=False), pytest.raises(mn.UnknownKeyError):
        mn.activations.get("beta_swish")


def test_an_entry_point_may_name_an_object(install):
    install(
        "object-plugin",
        """
        class Plugin:
            @mn.hookimpl
            def mathnet_activations(self):
                return [mn.activation("halved")(lambda x: x / 2)]

        plugin = Plugin()
        """,
        entry="object_plugin:plugin",
    )
    with mn.Runtime():
        assert mn.activations.get("halved")(4.0) == 2.0


def test_references_are_imported_when_their_key_is_used(install):
    install("lazy-target", '@mn.loss("zero")\ndef zero(y_pred, y_true):\n    return 0.0 * y_pred\n')
    install("lazy-plugin", '@mn.hookimpl\ndef mathnet_losses():\n    return {"zero": "lazy_target:zero"}\n')
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mn.PluginWarning)  # lazy-target announces itself too, without a hook
        with mn.Runtime():
            sys.modules.pop("lazy_target", None)
            assert mn.losses.get("zero")(3.0, 1.0) == 0.0


BROKEN = {
    "raises": ("raise OSError('no licence')", r"OSError: no licence"),
    "misspelled": (
        "@mn.hookimpl\ndef mathnet_activation():\n    return []",
        r"hook 'mathnet_activation', which does not exist \(did you mean 'mathnet_activations'",
    ),
    "wrong-type": (
        "@mn.hookimpl\ndef mathnet_losses():\n    return 3",
        r"mathnet_losses\(\) returned int; a list of decorated objects",
    ),
    "undecorated": (
        "@mn.hookimpl\ndef mathnet_losses():\n    return [print]",
        r"carries no record: decorate it with @mn.loss",
    ),
    "wrong-kind": (
        "@mn.activation('f')\ndef f(x): return x\n@mn.hookimpl\ndef mathnet_losses():\n    return [f]",
        r"declared as activation 'f'; return it from mathnet_activations\(\)",
    ),
    "wrong-arguments": ("@mn.hookimpl\ndef mathnet_losses(registry):\n    return []", r"registry"),
    "bad-reference": (
        "@mn.hookimpl\ndef mathnet_losses():\n    return {'f': 'module'}",
        r"a reference reads 'module:object'",
    ),
    "hook-raises": ("@mn.hookimpl\ndef mathnet_losses():\n    return 1 / 0", r"ZeroDivisionError"),
    "twice": (
        "@mn.activation('f')\ndef f(x): return x\n@mn.hookimpl\ndef mathnet_activations():\n    return [f, f]",
        r"offers two objects for activation 'f'",
    ),
    "too-new": (
        f"MATHNET_API = {API_VERSION + 1}",
        rf"needs version {API_VERSION + 1} of mathnet's plugin interface, and this mathnet offers",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_recorded_and_warned_of_once_and_the_others_work(install, swish, name):
    source, message = BROKEN[name]
    install(name, source, version="0.3")
    install("good-plugin", swish)
    with mn.Runtime() as runtime:
        with pytest.warns(mn.PluginWarning, match=f"plugin {name} 0.3 cannot be used") as caught:
            assert mn.activations.get("beta_swish").key == "beta_swish"
            mn.plugins.list()
        assert len(caught) == 1
        broken = listed(runtime, name)
        assert (broken.status, broken.version, broken.keys) == ("broken", "0.3", {})
        assert re.search(message, broken.error)
        assert broken.error.split(":")[0] in broken.traceback
        assert listed(runtime, "good-plugin").keys == {"activation": ["beta_swish"]}
        json.dumps([plugin.as_dict() for plugin in mn.plugins.list()])


def test_nothing_of_a_plugin_that_breaks_late_stays(install):
    install(
        "half-good",
        """
        @mn.activation("kept_out")
        def kept_out(x):
            return x

        @mn.hookimpl
        def mathnet_activations():
            return [kept_out]

        @mn.hookimpl
        def mathnet_losses():
            return 3
        """,
    )
    with mn.Runtime(), pytest.warns(mn.PluginWarning), pytest.raises(mn.UnknownKeyError):
        mn.activations.get("kept_out")


def test_what_is_decorated_but_returned_by_no_hook_is_noted(install):
    install("forgetful", '@mn.activation("lost")\ndef lost(x):\n    return x\n')
    with mn.Runtime() as runtime:
        with pytest.warns(
            mn.PluginWarning, match="activation 'lost' is declared in forgetful but returned by no hook"
        ):
            runtime.plugins()
        assert listed(runtime, "forgetful").status == "loaded"


def test_two_distributions_with_one_key(install, swish, monkeypatch):
    install("first-plugin", swish)
    install(
        "second-plugin",
        swish
        + '\n@mn.loss("other")\ndef other(y_pred, y_true):\n    return y_pred\n\n@mn.hookimpl\ndef mathnet_losses():\n    return [other]\n',
    )
    with mn.Runtime():
        with pytest.raises(
            mn.PluginError,
            match=r"claimed by first-plugin \(first_plugin\) and second-plugin .*MATHNET_BLOCK",
        ):
            mn.activations.get("beta_swish")
        assert mn.losses.get("other").key == "other"
    monkeypatch.setenv("MATHNET_BLOCK", "Second_Plugin")
    with mn.Runtime() as runtime:
        assert mn.plugins.origin("activation", "beta_swish").distribution == "first-plugin"
        assert listed(runtime, "second-plugin").status == "blocked"


def test_allow_list_and_block_list(install, swish, monkeypatch):
    module = install("good-plugin", swish)
    monkeypatch.setenv("MATHNET_PLUGINS", "")
    with mn.Runtime() as runtime:
        with pytest.raises(mn.UnknownKeyError):
            mn.activations.get("beta_swish")
        assert listed(runtime, "good-plugin").status == "not allowed"
    monkeypatch.setenv("MATHNET_PLUGINS", "good.plugin")
    monkeypatch.setenv("MATHNET_BLOCK", "good-plugin")
    with mn.Runtime() as runtime:
        assert listed(runtime, "good-plugin").status == "blocked"
        assert module not in sys.modules
    monkeypatch.delenv("MATHNET_BLOCK")
    with mn.Runtime():
        assert mn.activations.get("beta_swish").key == "beta_swish"
    monkeypatch.setenv("MATHNET_PLUGINS", "god-plugin")
    with mn.Runtime():
        for key in ("relu", "beta_swish"):
            with pytest.raises(
                mn.PluginError, match=r"MATHNET_PLUGINS names 'god-plugin', .*did you mean 'good-plugin'"
            ):
                mn.activations.get(key)


REPLACING = """
@mn.activation("relu"{declared})
def relu(x):
    return 2 * x

@mn.hookimpl
def mathnet_activations():
    return [relu]
"""


def test_an_installed_plugin_replaces_a_built_in_key_only_when_named(install, monkeypatch):
    install("replacing", REPLACING.format(declared=', replaces="mathnet_std"'))
    with mn.Runtime() as runtime:
        with pytest.warns(
            mn.PluginWarning,
            match="activation 'relu' is built in; to replace it, name the plugin in MATHNET_PLUGINS",
        ):
            runtime.plugins()
        assert listed(runtime, "replacing").keys == {}
        assert mn.plugins.origin("activation", "relu").distribution == "mathnet_std"
    monkeypatch.setenv("MATHNET_PLUGINS", "replacing")
    with mn.Runtime():
        assert mn.plugins.origin("activation", "relu").distribution == "replacing"


def module_of(source, name="made_module"):
    module = types.ModuleType(name)
    exec("import mathnet as mn\n" + source, module.__dict__)
    return module


def test_a_module_may_be_passed_to_a_runtime(swish):
    module = module_of(swish)
    with mn.Runtime(plugins=[module], autoload=False):
        assert mn.activations.get("beta_swish").key == "beta_swish"
    with mn.Runtime(plugins=[module.swish], autoload=False):
        assert mn.activations.get("beta_swish").key == "beta_swish"
    with mn.Runtime(autoload=False):
        mn.register(module)
        mn.register(module)
        assert mn.activations.get("beta_swish").key == "beta_swish"


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "raises"])
def test_a_broken_module_that_is_named_in_code_raises(name):
    source, message = BROKEN[name]
    with pytest.raises(mn.PluginError, match=message):
        mn.Runtime(plugins=[module_of(source)], autoload=False)


def test_a_named_module_that_clashes_with_a_built_in_key_raises():
    with pytest.raises(
        mn.PluginError, match=r"activation 'relu' is built in; to replace it, declare replaces"
    ):
        mn.Runtime(plugins=[module_of(REPLACING.format(declared=""))], autoload=False)


def test_a_plugin_may_wrap_the_hooks_of_others(install, swish):
    install("good-plugin", swish)
    wrapper = module_of(
        """
@mn.hookimpl(wrapper=True)
def mathnet_activations():
    results = yield
    return [[f for f in offered if mn_key(f) != "beta_swish"] if isinstance(offered, list) else offered for offered in results]

def mn_key(f):
    return f.__mathnet_record__.key
""",
        "vetoing",
    )
    with mn.Runtime(plugins=[wrapper]), warnings.catch_warnings():
        warnings.simplefilter("ignore", mn.PluginWarning)
        with pytest.raises(mn.UnknownKeyError):
            mn.activations.get("beta_swish")


def test_the_same_object_twice_is_no_clash(swish):
    module = module_of(swish)
    with mn.Runtime(plugins=[module.swish, module], autoload=False):
        assert mn.activations.get("beta_swish").record.object is module.swish


def test_a_wrong_list_of_plugins_is_an_error_at_every_look_up(install, swish, monkeypatch):
    install("good-plugin", swish)
    monkeypatch.setenv("MATHNET_BLOCK", "bad-plugin")
    with mn.Runtime():
        for _ in range(2):
            with pytest.raises(mn.PluginError, match="MATHNET_BLOCK names 'bad-plugin'"):
                mn.activations.get("beta_swish")
