"""What one plugin is and offers: its module or object, the version of the interface it needs, the answers of its hooks."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from mathnet.errors import PluginError
from mathnet.plugin.records import KINDS, record_of
from mathnet.plugin.registry import Entry

API_VERSION = 1
HOOKS = [f"mathnet_{record_type.plural}" for record_type in KINDS.values()]


@dataclasses.dataclass
class Plugin:
    """One plugin and what became of it.

    status: "loaded", "blocked", "not allowed" (left out of MATHNET_PLUGINS) or "broken"; error and traceback say why it is broken;
    notes: objects of it that are not used; entries: what it registered; module: the value of its entry point;
    target: the module or object itself; cause: the exception behind error.
    """

    distribution: str
    version: str | None
    module: str
    status: str = "loaded"
    error: str | None = None
    traceback: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    entries: list[Entry] = dataclasses.field(default_factory=list)
    target: Any = dataclasses.field(default=None, repr=False)
    cause: Exception | None = dataclasses.field(default=None, repr=False)

    @property
    def keys(self) -> dict[str, list[str]]:
        """Registered keys by kind."""
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            found.setdefault(entry.kind, []).append(entry.key)
        return {kind: sorted(keys) for kind, keys in sorted(found.items())}

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "distribution": self.distribution, "version": self.version, "module": self.module, "status": self.status,
            "error": self.error, "notes": list(self.notes), "keys": self.keys,
        }  # fmt: skip


def check_api(target: Any) -> None:
    """Refuses a plugin that needs another version of the plugin interface."""
    module = (
        target
        if inspect.ismodule(target)
        else sys.modules.get(getattr(target, "__module__", type(target).__module__))
    )
    needed = getattr(target, "MATHNET_API", getattr(module, "MATHNET_API", API_VERSION))
    if isinstance(needed, bool) or not isinstance(needed, int) or needed < 1:
        raise PluginError(f"MATHNET_API must be a positive integer such as {API_VERSION}, not {needed!r}")
    if needed > API_VERSION:
        raise PluginError(
            f"it needs version {needed} of mathnet's plugin interface, and this mathnet offers version {API_VERSION}"
        )


def wraps(manager: Any, plugin: Any, hook: str) -> bool:
    """Whether a plugin wraps the results of others for ``hook`` instead of offering its own."""
    mine = [impl for impl in getattr(manager.hook, hook).get_hookimpls() if impl.plugin is plugin]
    return any(impl.wrapper or impl.hookwrapper for impl in mine)


def entries_of(plugin: Plugin, kind: str, hook: str, offered: Any) -> list[Entry]:
    """The entries in what a hook returned."""
    if isinstance(offered, Mapping):
        for key, reference in offered.items():
            if not isinstance(reference, str) or reference.count(":") != 1:
                raise PluginError(
                    f"{hook}() refers to {kind} {key!r} by {reference!r}; a reference reads 'module:object'"
                )
        return [
            Entry(kind, key, plugin.distribution, plugin.version, reference)
            for key, reference in offered.items()
        ]
    if not isinstance(offered, (list, tuple)):
        raise PluginError(
            f"{hook}() returned {type(offered).__name__}; a list of decorated objects or a dict key → 'module:object' is expected"
        )
    found = []
    for item in offered:
        record = record_of(item)
        if record is None:
            raise PluginError(
                f'{hook}() returned {item!r}, which carries no record: decorate it with @mn.{kind}("key")'
            )
        if record.kind != kind:
            raise PluginError(
                f"{hook}() returned {item!r}, which is declared as {record.kind} {record.key!r}; return it from mathnet_{record.plural}()"
            )
        found.append(Entry(kind, record.key, plugin.distribution, plugin.version, record))
    return found


def forgotten(target: Any, entries: Iterable[Entry]) -> list[str]:
    """Notes on objects that a plugin module decorates but returns from no hook."""
    if not inspect.ismodule(target):
        return []
    offered = {(entry.kind, entry.key) for entry in entries}
    notes = [
        f"function {name}() is not marked with @mn.hookimpl, so it is not asked"
        for name in HOOKS
        if callable(getattr(target, name, None)) and not hasattr(getattr(target, name), "mathnet_impl")
    ]
    for obj in vars(target).values():
        record = record_of(obj)
        if (
            record is not None
            and record.module == target.__name__
            and (record.kind, record.key) not in offered
        ):
            notes.append(
                f"{record.kind} {record.key!r} is declared in {target.__name__} but returned by no hook; "
                f"return it from mathnet_{record.plural}()"
            )
    return notes


def load_module(name: str) -> Any:
    """The plugin module, or the object in it, that ``module`` or ``module:object`` names."""
    try:
        return imported(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise PluginError(f"{name!r} names no plugin module: {error}") from error


def imported(value: str) -> Any:
    """What ``module`` or ``module:object`` stands for; raises what the import raises."""
    module, _, name = value.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, name.split(".")):
        found = getattr(found, part)
    return found
