"""Every hook is documented with its signature and an example that works."""

import inspect
import textwrap
import types

import numpy as np
import pytest

import mathnet as mn
from mathnet.plugin import hookspecs
from mathnet.plugin.records import KINDS

HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("mathnet_")}


def test_there_is_one_hook_per_kind():
    assert set(HOOKS) == {f"mathnet_{record.plural}" for record in KINDS.values()}


@pytest.mark.parametrize("name", HOOKS)
def test_the_example_of_a_hook_is_a_plugin(name):
    hook = HOOKS[name]
    assert not inspect.signature(hook).parameters
    example = textwrap.dedent(inspect.getdoc(hook).partition("\n")[2])
    module = types.ModuleType(f"example_{name}")
    module.__dict__.update(mn=mn, np=np)
    exec(example, module.__dict__)
    with mn.Runtime(plugins=[module], autoload=False) as runtime:
        (plugin,) = [plugin for plugin in runtime.plugins() if plugin.distribution == module.__name__]
        ((kind, keys),) = plugin.keys.items()
        assert f"mathnet_{KINDS[kind].plural}" == name
        assert runtime.registry.find(kind, keys[0]).key == keys[0]
