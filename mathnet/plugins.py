"""What is installed: every plugin, its keys or its load error, and where a key comes from.

>>> import mathnet as mn
>>> mn.plugins.origin("activation", "relu").distribution
'mathnet_std'
"""

from __future__ import annotations

import builtins

from mathnet.plugin.host import current_runtime
from mathnet.plugin.offers import Plugin
from mathnet.plugin.registry import Origin

__all__ = ["Origin", "Plugin", "keys", "list", "origin"]


def list() -> builtins.list[Plugin]:
    """Every plugin with distribution, version, status, keys and load error; loads all of them."""
    return current_runtime().plugins()


def keys(kind: str) -> builtins.list[str]:
    """Every registered key of a kind, in alphabetical order."""
    return current_runtime().registry.keys(kind)


def origin(kind: str, key: str) -> Origin:
    """Distribution, version and module of the object under ``key``."""
    return current_runtime().registry.origin(kind, key)
