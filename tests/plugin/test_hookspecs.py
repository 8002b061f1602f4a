"""Every hook is documented with its signature and an example that works."""

import inspect
import runpy
import textwrap
import types
from pathlib import Path

import numpy as np
import pytest

import mathnet as mn
from mathnet.plugin import hookspecs
from mathnet.plugin.records import KINDS

ROOT = Path(__file__).resolve().parents[2]
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("mathnet_")}


def test_there_is_one_hook_per_kind():
    assert set(HOOKS) == {f"mathnet_{record.plural}" for record in KINDS.values()}


def test_the_page_of_the_documentation_shows_every_hook_with_its_signature():
    text = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
    for name, hook in HOOKS.items():
        assert f"## `{name}{str(inspect.signature(hook)).replace(chr(39), '')}`" in text
    page = runpy.run_path(str(ROOT / "tools" / "write_hook_page.py"))["page"]
    assert text == page(), "run python tools/write_hook_page.py"


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
