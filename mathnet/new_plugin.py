"""``mathnet new-plugin NAME``: a folder with a plugin that works, to be changed into one's own."""

from __future__ import annotations

import importlib.util
import keyword
import re
from pathlib import Path

from mathnet.errors import ArgumentError
from mathnet.plugin.host import current_runtime
from mathnet.plugin.offers import API_VERSION

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")

PROJECT = """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{distribution}"
version = "0.1"
description = "A plugin for mathnet"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["mathnet"]

[project.entry-points.mathnet]
{key} = "{module}"

[tool.setuptools]
py-modules = ["{module}"]
"""

MODULE = '''\
"""A plugin for mathnet."""

import mathnet as mn

MATHNET_API = {api}  # the version of the plugin interface that this file needs


@mn.activation("{key}")
def {key}(x, beta=1.0):
    """x·σ(βx): put your own formula here.

    What `mn` functions say is differentiated, fused and run at kernel speed; settings such as beta have defaults.
    """
    return x * mn.sigmoid(beta * x)


@mn.hookimpl
def mathnet_activations():
    """Other kinds have hooks of their own: mathnet_layers, mathnet_losses, mathnet_regularizers, mathnet_optimizers, …"""
    return [{key}]
'''

TESTS = '''\
"""The formula against NumPy, and all promises of the conformance kit."""

import mathnet as mn
import {module}
import numpy as np


def test_the_formula():
    x = np.linspace(-3.0, 3.0, 7)
    np.testing.assert_allclose({module}.{key}(x, 2.0), x / (1.0 + np.exp(-2.0 * x)), rtol=1e-13)


@mn.testing.parametrize_with_checks({module})
def test_conformance(obj, check):
    check(obj)
'''

README = """\
# {distribution}

A plugin for mathnet: `{module}.py` is all of it.

```python
import mathnet as mn

layer = mn.layers.Dense(8, activation="{key}")
```

```console
$ pip install --editable .
$ mathnet plugins
$ mathnet check .
$ pytest tests
```
"""


def write(name: str, folder: Path) -> Path:
    """Makes ``folder/name`` with a plugin of one activation; returns it.

    Raises ArgumentError for a name that cannot be one, is taken by an installed module or key, or for a folder that exists.
    """
    key = name.replace("-", "_").removeprefix("mathnet_")
    module = f"mathnet_{key}"
    if not _NAME.fullmatch(name) or keyword.iskeyword(key):
        raise ArgumentError(
            f"new-plugin: {name!r} cannot be the name of a plugin; use lower-case letters, digits and hyphens, such as my-plugin"
        )
    if name == "mathnet" or importlib.util.find_spec(module) is not None:
        raise ArgumentError(f"new-plugin: a module {module!r} is installed already; choose another name")
    if key in current_runtime().registry.keys("activation"):
        raise ArgumentError(
            f"new-plugin: there is an activation {key!r} already, and the plugin's first object would have its key; "
            "choose another name"
        )
    target = folder / name
    if target.exists():
        raise ArgumentError(f"new-plugin: {target} exists already; choose another name or --folder")
    words = {"distribution": module.replace("_", "-"), "module": module, "key": key, "api": API_VERSION}
    (target / "tests").mkdir(parents=True)
    for path, text in (
        ("pyproject.toml", PROJECT),
        ("README.md", README),
        (f"{module}.py", MODULE),
        (f"tests/test_{key}.py", TESTS),
    ):
        (target / path).write_text(text.format(**words), encoding="utf-8")
    return target
