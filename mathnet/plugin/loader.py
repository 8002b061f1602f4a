"""The loader: finds plugins, imports them one by one, asks their hooks, and keeps what went wrong.

A plugin that cannot be used is rolled back, recorded and warned of once; everything else goes on.  What was named in code
(``mn.register``, ``Runtime(plugins=…)``) raises instead.  pluggy is imported with the first plugin.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mathnet.errors import ArgumentError, PluginError, PluginWarning, nearest
from mathnet.graph.tensor import HIDDEN_FOLDERS
from mathnet.plugin.offers import (
    HOOKS,
    Plugin,
    check_api,
    entries_of,
    forgotten,
    imported,
    load_module,
    wraps,
)
from mathnet.plugin.records import KINDS, Record, record_of
from mathnet.plugin.registry import STANDARD, Entry, Registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "mathnet"


def normalized(name: str) -> str:
    """A distribution's name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


class Loader:
    """Loads plugins into the registry of one Runtime.

    autoload: whether entry points are read; allow, block: names of distributions, None for MATHNET_PLUGINS and MATHNET_BLOCK; strict: a
    plugin that cannot be used raises instead of being warned of (None: MATHNET_STRICT).
    """

    def __init__(
        self,
        autoload: bool,
        allow: Iterable[str] | None = None,
        block: Iterable[str] | None = None,
        strict: bool | None = None,
    ) -> None:
        self.autoload, self.strict = autoload, strict
        self.allow, self.block = _listed("allow", allow), _listed("block", block)
        if not autoload and self.allow:
            raise ArgumentError(
                "Runtime: allow= names installed plugins, which autoload=False does not look for"
            )
        self.plugins: list[Plugin] = []
        self.named: list[Any] = []  # what was given in code
        self.registry = Registry(self.load_standard, self.load_installed)
        self._manager: Any = None
        self._lock = threading.RLock()  # a plugin's import may look names up
        self._begun, self._done = [False, False], [False, False]
        self._failed: PluginError | None = None  # of strict mode: every look-up says it again
        self._scopes: dict[int, int] = {}  # id of a target in `with mn.registered(…)` → how often
        if autoload and (self.allow or self.block):
            self._check_lists(self._entry_points())

    # ---- when ------------------------------------------------------------------------------------------------------------
    def load_standard(self) -> None:
        """The standard plugin and those that the allow-list names."""
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
            if self._failed is not None:
                raise PluginError(str(self._failed)) from self._failed
            if self._begun[tier]:
                return
            self._begun[tier] = True
            try:
                load()
            except BaseException:
                self._begun[tier] = False
                raise
            self._done[tier] = True

    @property
    def allowed(self) -> list[str] | None:
        return _names("MATHNET_PLUGINS") if self.allow is None else self.allow

    @property
    def blocked(self) -> list[str]:
        return (_names("MATHNET_BLOCK") or []) if self.block is None else self.block

    @property
    def _raises(self) -> bool:
        return os.environ.get("MATHNET_STRICT", "0") not in ("", "0") if self.strict is None else self.strict

    def _load_first(self) -> None:
        points = self._entry_points() if self.autoload and (self.allowed or self.blocked) else []
        if points or (self.autoload and (self.allowed or self.blocked)):
            self._check_lists(points)
        if normalized(STANDARD) not in self.blocked and not self.registry.holds(STANDARD):
            from mathnet.version import __version__

            self._load([Plugin(STANDARD, __version__, STANDARD)], tier=0)
            folder = os.path.dirname(os.path.abspath(sys.modules[STANDARD].__file__ or "")) + os.sep
            if folder not in HIDDEN_FOLDERS:  # errors show the user's line, not that of a standard layer
                HIDDEN_FOLDERS.append(folder)
        if self.autoload and self.allowed:
            self._load_entry_points(points, tier=0)

    def _load_second(self) -> None:
        if not self.allowed:  # those that are named are in the first tier already
            self._load_entry_points(self._entry_points(), tier=1)

    def _entry_points(self) -> list[EntryPoint]:
        from importlib.metadata import entry_points  # 25 ms that built-in names do not need

        return sorted(entry_points(group=GROUP), key=lambda e: (_distribution(e)[0], e.name, e.value))

    def _check_lists(self, points: Sequence[EntryPoint]) -> None:
        """A name in a list that no installed plugin has is an error: what was meant would be used, or not used, unnoticed."""
        installed = {normalized(_distribution(point)[0]) for point in points} | {
            normalized(STANDARD),
            "mathnet",
        }
        for names, given, variable in (
            (self.allowed or [], self.allow, "MATHNET_PLUGINS"),
            (self.blocked, self.block, "MATHNET_BLOCK"),
        ):
            source = (
                variable
                if given is None
                else {"MATHNET_PLUGINS": "allow=", "MATHNET_BLOCK": "block="}[variable]
            )
            for name in names:
                if name not in installed:
                    raise PluginError(
                        f"{source} names {name!r}, but no installed distribution of that name has a mathnet plugin"
                        + nearest(name, installed)
                    )

    def _load_entry_points(self, points: Sequence[EntryPoint], tier: int) -> None:
        allowed, blocked = self.allowed, self.blocked
        seen, usable = set(), []
        for point in points:
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
                usable.append(plugin)
                continue
            self.plugins.append(plugin)
        self._load(usable, tier)

    # ---- what is given in code ---------------------------------------------------------------------------------------------
    def load_named(self, targets: Sequence[Any]) -> None:
        """Modules, plugin objects, decorated objects, or names of modules; raises PluginError when one is broken.

        All of them are known to each other's hook wrappers, in whatever order they are given; if one is broken, none stays.
        """
        with self._lock:
            if not targets:
                return
            self.load_standard()
            kept = len(self.plugins), len(self.named)
            modules: list[Plugin] = []
            try:
                for given in targets:
                    target = load_module(given) if isinstance(given, str) else given
                    plugin = self._named(target)
                    record = record_of(target)
                    if record is not None:
                        self._register_object(plugin, record)
                    elif not self._known(target) and all(target is not other.target for other in modules):
                        modules.append(plugin)
                self._load(modules, tier=0, strict=True)
            except BaseException:
                for plugin in (*self.plugins[kept[0] :], *modules):
                    self._forget(plugin)
                del self.plugins[kept[0] :], self.named[kept[1] :]
                raise
            self.named += [plugin.target for plugin in modules]

    def _known(self, target: Any) -> bool:
        return self._manager is not None and self._manager.is_registered(target)

    def _named(self, target: Any) -> Plugin:
        """A plugin that is given in code: its distribution is the root package of its module."""
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
        return Plugin(
            root,
            None if version is None else str(version),
            module,
            target=target if record is None else record.object,
        )

    def _register_object(self, plugin: Plugin, record: Record) -> None:
        held = self.registry.holder(record.kind, record.key)
        if held is not None and held.record.object is record.object:
            return
        if held is not None and record.replaces != held.distribution:
            raise PluginError(
                _taken(Entry(record.kind, record.key, plugin.distribution, plugin.version, record), held)
            )
        plugin.entries = [Entry(record.kind, record.key, plugin.distribution, plugin.version, record)]
        self.registry.add(plugin.entries, tier=0)
        self.plugins.append(plugin)
        self.named.append(record.object)

    def unregister(self, target: Any) -> None:
        """Takes out what :meth:`load_named` put in: an object or a module.  Raises PluginError when it is not there."""
        with self._lock:
            target = load_module(target) if isinstance(target, str) else target
            record = record_of(target)
            target = target if record is None else record.object
            found = [
                plugin for plugin in self.plugins if plugin.target is target and plugin.module != STANDARD
            ]
            if not found:
                raise PluginError(
                    f"{target!r} is not registered here, so it cannot be taken out; mn.plugins.list() shows what is"
                )
            for plugin in found:
                self._forget(plugin)
                self.plugins.remove(plugin)
            self.named = [given for given in self.named if given is not target]

    def enter_scope(self, targets: Sequence[Any]) -> list[Any]:
        """Registers ``targets`` for a while; returns those that were not registered before, or were so by another scope."""
        with self._lock:
            entered: list[Any] = []
            for given in targets:
                target = load_module(given) if isinstance(given, str) else given
                before = self._given(target)
                try:
                    self.load_named([target])
                except BaseException:
                    self.leave_scope(entered)
                    raise
                if (not before and self._given(target)) or id(target) in self._scopes:
                    self._scopes[id(target)] = self._scopes.get(id(target), 0) + 1
                    entered.append(target)
            return entered

    def _given(self, target: Any) -> bool:
        """Whether this very object or module was registered, the standard plugin's own not counted."""
        record = record_of(target)
        obj = target if record is None else record.object
        return any(plugin.target is obj for plugin in self.plugins)

    def leave_scope(self, entered: Sequence[Any]) -> None:
        with self._lock:
            for target in reversed(entered):
                self._scopes[id(target)] -= 1
                if not self._scopes[id(target)]:
                    del self._scopes[id(target)]
                    self.unregister(target)

    def offered_by(self, target: Any) -> list[Record]:
        """The records of a plugin that is loaded, by its module or object."""
        return [
            entry.record for plugin in self.plugins if plugin.target is target for entry in plugin.entries
        ]

    # ---- how -------------------------------------------------------------------------------------------------------------
    def _load(self, plugins: Sequence[Plugin], tier: int, strict: bool = False) -> None:
        """Imports all, then asks one after the other; what fails is rolled back and recorded, or raised in strict mode."""
        for plugin in plugins:
            self._try(plugin, self._introduce)
        for plugin in plugins:
            if plugin.error is None:
                self._try(plugin, lambda plugin: self._ask_and_add(plugin, tier, strict))
        self.plugins += plugins
        for plugin in plugins:
            if plugin.error is not None and (strict or plugin.distribution == STANDARD or self._raises):
                cause = plugin.cause
                shown = str(cause) if isinstance(cause, PluginError) else plugin.error
                error = PluginError(f"plugin {plugin.module}: {shown}")
                if not strict:
                    self._failed = error
                raise error from cause
            _warn(plugin)

    def _try(self, plugin: Plugin, step: Callable[[Plugin], None]) -> None:
        try:
            step(plugin)
        except Exception as error:
            self._break(plugin, error)

    def _break(self, plugin: Plugin, error: Exception) -> None:
        """Rolls a plugin back and records why."""
        self._forget(plugin)
        plugin.entries, plugin.status, plugin.cause = [], "broken", error
        plugin.error = f"{type(error).__name__}: {error}"
        plugin.traceback = "".join(traceback.format_exception(error))

    def _forget(self, plugin: Plugin) -> None:
        self.registry.remove(plugin.entries)
        if plugin.target is not None and self._known(plugin.target):
            self._manager.unregister(plugin.target)

    def _introduce(self, plugin: Plugin) -> None:
        """Imports a plugin and registers it with pluggy."""
        if plugin.target is None:
            plugin.target = imported(plugin.module)
        check_api(plugin.target)
        manager = self._plugin_manager()
        manager.register(plugin.target, name=f"{plugin.distribution}:{plugin.module}")
        for caller in manager.get_hookcallers(plugin.target) or ():
            if not caller.has_spec():
                raise PluginError(
                    f"it implements the hook {caller.name!r}, which does not exist{nearest(caller.name, HOOKS)}"
                )

    def _ask_and_add(self, plugin: Plugin, tier: int, strict: bool) -> None:
        offered = self._ask(plugin)
        if strict:
            for entry in offered:
                held = self.registry.holder(entry.kind, entry.key)
                if (
                    held is not None
                    and held.distribution != STANDARD
                    and entry.record.object is not held.record.object
                ):
                    if (
                        held.distribution not in (entry.record.replaces, plugin.distribution)
                        and held.record.replaces != plugin.distribution
                    ):
                        raise PluginError(_taken(entry, held))
        plugin.entries, refused = self.registry.add(offered, tier)
        if strict and refused:
            raise PluginError(refused[0])
        plugin.notes += refused + forgotten(plugin.target, offered)

    def _ask(self, plugin: Plugin) -> list[Entry]:
        """What the hooks of a plugin offer, seen through the wrappers of others."""
        manager = self._plugin_manager()
        entries: list[Entry] = []
        for kind, record_type in KINDS.items():
            hook = f"mathnet_{record_type.plural}"
            wrappers = [
                p for p in manager.get_plugins() if p is not plugin.target and wraps(manager, p, hook)
            ]
            others = [p for p in manager.get_plugins() if p is not plugin.target]
            try:
                answers = manager.subset_hook_caller(
                    hook, remove_plugins=[p for p in others if p not in wrappers]
                )()
            except Exception as error:
                if not wrappers:
                    raise
                answers = manager.subset_hook_caller(
                    hook, remove_plugins=others
                )()  # raises when the fault is its own
                for wrapper in wrappers:
                    self._blame(wrapper, error)
            for offered in answers:
                entries += entries_of(plugin, kind, hook, offered)
        claimed: set[tuple[str, str]] = set()
        for entry in entries:
            if (entry.kind, entry.key) in claimed:
                raise PluginError(f"it offers two objects for {entry.kind} {entry.key!r}")
            claimed.add((entry.kind, entry.key))
        return entries

    def _blame(self, wrapper: Any, error: Exception) -> None:
        """A plugin whose hook wrapper raised is the broken one, not the plugin whose hooks it wraps."""
        self._manager.unregister(wrapper)
        for plugin in self.plugins:
            if plugin.target is wrapper:
                self._break(plugin, error)
                _warn(plugin)

    def _plugin_manager(self) -> Any:
        if self._manager is None:
            import pluggy

            from mathnet.plugin import hookspecs

            self._manager = pluggy.PluginManager("mathnet")
            self._manager.add_hookspecs(hookspecs)
        return self._manager


def _warn(plugin: Plugin) -> None:
    version = f" {plugin.version}" if plugin.version else ""
    if plugin.error:
        text = f"plugin {plugin.distribution}{version} cannot be used: {plugin.error}"
    elif plugin.notes:
        text = f"plugin {plugin.distribution}{version}: {'; '.join(plugin.notes)}"
    else:
        return
    warnings.warn(text, PluginWarning, stacklevel=2)


def _taken(entry: Entry, held: Entry) -> str:
    way = (
        f"to replace it, declare replaces={STANDARD!r} in the decorator"
        if held.distribution == STANDARD
        else "choose another key"
        if held.distribution == entry.distribution
        else f"choose another key, or declare replaces={held.distribution!r} in the decorator"
    )
    return (
        f"{entry.kind} {entry.key!r} of {entry.distribution} ({entry.module}) is registered already, by {held.distribution} "
        f"({held.module}); {way}"
    )


def _names(variable: str) -> list[str] | None:
    text = os.environ.get(variable)
    return None if text is None else [normalized(name) for name in text.split(",") if name.strip()]


def _listed(argument: str, given: Iterable[str] | None) -> list[str] | None:
    if given is None:
        return None
    names = [given] if isinstance(given, str) else list(given)
    if any(not isinstance(name, str) for name in names):
        raise ArgumentError(f"Runtime: {argument} must be names of distributions, not {given!r}")
    return [normalized(name) for name in names]


def _distribution(point: EntryPoint) -> tuple[str, str | None]:
    if point.dist is None:
        return point.value.partition(":")[0].partition(".")[0], None
    return point.dist.name, point.dist.version
