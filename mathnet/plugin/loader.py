"""The loader: finds plugins, imports them one by one, asks their hooks, and keeps what went wrong.

A plugin that cannot be used is rolled back, recorded and warned of once; everything else goes on.  What was named in code
(``mn.register``, ``Runtime(plugins=…)``) raises instead.  pluggy is imported with the first plugin.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mathnet.errors import PluginError, PluginWarning, nearest
from mathnet.graph.tensor import HIDDEN_FOLDERS
from mathnet.plugin.records import KINDS, record_of
from mathnet.plugin.registry import STANDARD, Entry, Registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "mathnet"
API_VERSION = 1


@dataclasses.dataclass
class Plugin:
    """One plugin and what became of it.

    status: "loaded", "blocked", "not allowed" (left out of MATHNET_PLUGINS) or "broken"; error and traceback say why it is broken;
    notes: objects of it that are not used; entries: what it registered; module: the value of its entry point.
    """

    distribution: str
    version: str | None
    module: str
    status: str = "loaded"
    error: str | None = None
    traceback: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)
    entries: list[Entry] = dataclasses.field(default_factory=list)

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


def normalized(name: str) -> str:
    """A distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _names(variable: str) -> list[str] | None:
    text = os.environ.get(variable)
    return None if text is None else [normalized(name) for name in text.split(",") if name.strip()]


class Loader:
    """Loads plugins into the registry of one Runtime."""

    def __init__(self, autoload: bool) -> None:
        self.autoload = autoload
        self.plugins: list[Plugin] = []
        self.registry = Registry(self.load_standard, self.load_installed)
        self._manager: Any = None
        self._lock = threading.RLock()  # a plugin's import may look names up
        self._begun, self._done = [False, False], [False, False]

    # ---- when ------------------------------------------------------------------------------------------------------------
    def load_standard(self) -> None:
        """The standard plugin and those that MATHNET_PLUGINS names."""
        self._once(0, self._load_first)

    def load_installed(self) -> None:
        """Every plugin that an entry point announces, except blocked ones."""
        if self.autoload:
            self._once(1, self._load_second)

    def _once(self, tier: int, load: Callable[[], None]) -> None:
        """Fills a tier when that has not been done.  Other threads wait; look-ups by the plugins being loaded pass."""
        if self._done[tier]:
            return
        with self._lock:
            if self._begun[tier]:
                return
            self._begun[tier] = True
            try:
                load()
            except BaseException:
                self._begun[tier] = False
                raise
            self._done[tier] = True

    def _load_first(self) -> None:
        if normalized(STANDARD) not in (_names("MATHNET_BLOCK") or ()) and not self.registry.holds(STANDARD):
            from mathnet.version import __version__

            self._load(Plugin(STANDARD, __version__, STANDARD), tier=0)
            folder = os.path.dirname(os.path.abspath(sys.modules[STANDARD].__file__ or "")) + os.sep
            if folder not in HIDDEN_FOLDERS:  # errors show the user's line, not that of a standard layer
                HIDDEN_FOLDERS.append(folder)
        if self.autoload and _names("MATHNET_PLUGINS"):
            self._load_entry_points(tier=0)

    def _load_second(self) -> None:
        if not _names("MATHNET_PLUGINS"):  # those that are named are in the first tier already
            self._load_entry_points(tier=1)

    def _load_entry_points(self, tier: int) -> None:
        from importlib.metadata import entry_points  # 25 ms that built-in names do not need

        allowed, blocked = _names("MATHNET_PLUGINS"), _names("MATHNET_BLOCK") or []
        found = sorted(entry_points(group=GROUP), key=lambda e: (_distribution(e)[0], e.name, e.value))
        installed = {normalized(_distribution(point)[0]) for point in found} | {
            normalized(STANDARD),
            "mathnet",
        }
        for name in allowed or []:
            if name not in installed:  # it allows nothing, so nothing is loaded that should not be
                warnings.warn(_not_installed("MATHNET_PLUGINS", name, installed), PluginWarning, stacklevel=2)
        for name in blocked:
            if name not in installed:  # what was meant would be imported
                raise PluginError(_not_installed("MATHNET_BLOCK", name, installed))
        seen = set()
        for point in found:
            name, version = _distribution(point)
            if (name, point.name, point.value) in seen:  # a distribution that sys.path shows twice
                continue
            seen.add((name, point.name, point.value))
            plugin = Plugin(name, version, point.value)
            if normalized(name) in blocked:
                plugin.status = "blocked"
            elif allowed is not None and normalized(name) not in allowed:
                plugin.status = "not allowed"
            else:
                self._load(plugin, tier)
                continue
            self.plugins.append(plugin)

    # ---- how -------------------------------------------------------------------------------------------------------------
    def load_named(self, target: Any) -> Plugin | None:
        """A module, a plugin object, a decorated object, or the name of a module, given in code; raises PluginError when it is broken."""
        with self._lock:
            self.load_standard()
            if isinstance(target, str):
                try:
                    target = _import(target)
                except (ImportError, AttributeError, ValueError) as error:
                    raise PluginError(f"{target!r} names no plugin module: {error}") from error
            record = record_of(target)
            if record is None and (inspect.isfunction(target) or inspect.isclass(target)):
                raise PluginError(
                    f'{target!r} carries no record: decorate it, for example with @mn.activation("{target.__name__.lower()}")'
                )
            if record is None and (
                target is None or isinstance(target, (bool, int, float, list, tuple, dict, set))
            ):
                raise PluginError(
                    f"{target!r} is no plugin; give a decorated function or class, a plugin module or its name"
                )
            module = (
                target.__name__
                if inspect.ismodule(target)
                else getattr(target, "__module__", type(target).__module__)
            )
            root = module.partition(".")[0]
            version = getattr(sys.modules.get(root), "__version__", None)
            plugin = Plugin(root, None if version is None else str(version), module)
            if record is not None:
                return self._register_object(plugin, record)
            if self._manager is not None and self._manager.is_registered(target):
                return None
            self._load(plugin, tier=0, target=target, strict=True)
            return plugin

    def _register_object(self, plugin: Plugin, record: Any) -> Plugin | None:
        held = self.registry.holder(record.kind, record.key)
        if held is not None and held.record.object is record.object:
            return None
        if held is not None and not (held.distribution == STANDARD and record.replaces == STANDARD):
            raise PluginError(
                f"{record.kind} {record.key!r} is registered already, by {held.distribution} ({held.module}); "
                + (
                    f"to replace it, declare replaces={STANDARD!r} in the decorator"
                    if held.distribution == STANDARD
                    else "choose another key"
                )
            )
        plugin.entries = [Entry(record.kind, record.key, plugin.distribution, plugin.version, record)]
        self.registry.add(plugin.entries, tier=0)
        self.plugins.append(plugin)
        return plugin

    def _load(self, plugin: Plugin, tier: int, target: Any = None, strict: bool = False) -> None:
        """Imports, asks and adds one plugin; on any failure nothing of it stays."""
        try:
            target = _import(plugin.module) if target is None else target
            offered = self._ask(plugin, target)
            plugin.entries, refused = self.registry.add(offered, tier)
            if strict and refused:
                raise PluginError(refused[0])
            plugin.notes += refused + _forgotten(target, offered)
        except Exception as error:
            self.registry.remove(plugin.entries)
            if self._manager is not None and target is not None and self._manager.is_registered(target):
                self._manager.unregister(target)
            plugin.entries, plugin.status = [], "broken"
            plugin.error = f"{type(error).__name__}: {error}"
            plugin.traceback = "".join(traceback.format_exception(error))
            if strict or plugin.distribution == STANDARD:
                shown = str(error) if isinstance(error, PluginError) else plugin.error
                raise PluginError(f"plugin {plugin.module}: {shown}") from error
        self.plugins.append(plugin)
        who = (
            f"plugin {plugin.distribution} {plugin.version}"
            if plugin.version
            else f"plugin {plugin.distribution}"
        )
        if plugin.error:
            warnings.warn(f"{who} cannot be used: {plugin.error}", PluginWarning, stacklevel=2)
        elif plugin.notes:
            warnings.warn(f"{who}: {'; '.join(plugin.notes)}", PluginWarning, stacklevel=2)

    def _ask(self, plugin: Plugin, target: Any) -> list[Entry]:
        """Registers ``target`` with pluggy and returns what its hooks offer."""
        needed = getattr(target, "MATHNET_API", API_VERSION)
        if not isinstance(needed, int) or needed > API_VERSION:
            raise PluginError(
                f"it needs version {needed} of mathnet's plugin interface, and this mathnet offers version {API_VERSION}"
            )
        manager = self._plugin_manager()
        manager.register(target, name=f"{plugin.distribution}:{plugin.module}")
        for caller in manager.get_hookcallers(target) or ():
            if not caller.has_spec():
                known = [f"mathnet_{record_type.plural}" for record_type in KINDS.values()]
                raise PluginError(
                    f"it implements the hook {caller.name!r}, which does not exist{nearest(caller.name, known)}"
                )
        entries: list[Entry] = []
        for kind, record_type in KINDS.items():
            hook = f"mathnet_{record_type.plural}"
            others = [p for p in manager.get_plugins() if p is not target and not _wraps(manager, p, hook)]
            for offered in manager.subset_hook_caller(hook, remove_plugins=others)():
                entries += _entries(plugin, kind, hook, offered)
        claimed: set[tuple[str, str]] = set()
        for entry in entries:
            if (entry.kind, entry.key) in claimed:
                raise PluginError(f"it offers two objects for {entry.kind} {entry.key!r}")
            claimed.add((entry.kind, entry.key))
        return entries

    def _plugin_manager(self) -> Any:
        if self._manager is None:
            import pluggy

            from mathnet.plugin import hookspecs

            self._manager = pluggy.PluginManager("mathnet")
            self._manager.add_hookspecs(hookspecs)
        return self._manager


def _wraps(manager: Any, plugin: Any, hook: str) -> bool:
    """Whether a plugin wraps the results of others for ``hook`` instead of offering its own."""
    mine = [impl for impl in getattr(manager.hook, hook).get_hookimpls() if impl.plugin is plugin]
    return any(impl.wrapper or impl.hookwrapper for impl in mine)


def _entries(plugin: Plugin, kind: str, hook: str, offered: Any) -> list[Entry]:
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


def _forgotten(target: Any, entries: Iterable[Entry]) -> list[str]:
    """Notes on objects that a plugin module decorates but returns from no hook."""
    if not inspect.ismodule(target):
        return []
    offered = {(entry.kind, entry.key) for entry in entries}
    notes = []
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


def _distribution(point: EntryPoint) -> tuple[str, str | None]:
    if point.dist is None:
        return point.value.partition(":")[0].partition(".")[0], None
    return point.dist.name, point.dist.version


def _not_installed(variable: str, name: str, installed: set[str]) -> str:
    return (
        f"{variable} names {name!r}, but no installed distribution of that name has a mathnet plugin"
        + nearest(name, installed)
    )


def _import(value: str) -> Any:
    module, _, name = value.partition(":")
    found: Any = importlib.import_module(module)
    for part in filter(None, name.split(".")):
        found = getattr(found, part)
    return found
