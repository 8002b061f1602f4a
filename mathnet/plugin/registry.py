"""The registry of one Runtime: kind and key → object, with the rules for names that clash.

Two tiers.  The first holds the standard plugin and whatever was named explicitly (``mn.register``, ``Runtime(plugins=…)``,
``MATHNET_PLUGINS``); the second holds installed plugins, which load when a name is not found in the first.  The first tier wins,
so what a name means never depends on whether the second has been loaded.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from mathnet.errors import ArgumentError, PluginError, UnknownKeyError, nearest
from mathnet.plugin.records import KINDS, Configured, Record, cap_words, public_name, record_of

STANDARD = "mathnet_std"


class Origin(NamedTuple):
    """Where a registered object comes from."""

    distribution: str
    version: str | None
    module: str


class Entry:
    """One key that a plugin offers: its record, or a reference ``module:object`` that is imported when the key is used."""

    __slots__ = ("_record", "distribution", "distribution_version", "key", "kind", "reference")

    def __init__(
        self, kind: str, key: str, distribution: str, distribution_version: str | None, target: Record | str
    ) -> None:
        self.kind, self.key, self.distribution, self.distribution_version = (
            kind,
            key,
            distribution,
            distribution_version,
        )
        self.reference: str | None = None
        self._record: Record | None = None
        if isinstance(target, str):
            self.reference = target
        else:
            self._record = self._located(target)

    def _located(self, record: Record) -> Record:
        return dataclasses.replace(
            record, distribution=self.distribution, distribution_version=self.distribution_version
        )

    @property
    def loaded(self) -> Record | None:
        """The record, unless it is still a reference."""
        return self._record

    @property
    def module(self) -> str:
        return self._record.module if self._record is not None else self.reference.partition(":")[0]  # type: ignore[union-attr]

    @property
    def record(self) -> Record:
        if self._record is None:
            module, _, name = self.reference.partition(":")  # type: ignore[union-attr]
            try:
                found = getattr(importlib.import_module(module), name)
            except Exception as error:
                raise PluginError(
                    f"{self.kind} {self.key!r} of {self.distribution} cannot be loaded from {self.reference}: {error!r}"
                ) from error
            record = record_of(found)
            if record is None or (record.kind, record.key) != (self.kind, self.key):
                raise PluginError(
                    f"{self.reference} of {self.distribution} is announced as {self.kind} {self.key!r}, but is {record or found!r}"
                )
            self._record = self._located(record)
        return self._record

    @property
    def guessed_names(self) -> tuple[str, ...]:
        """Names in the namespace, as far as they are known without an import."""
        if self._record is not None:
            return public_name(self._record), self.key
        return self.reference.partition(":")[2], self.key  # type: ignore[union-attr]


def _standing(held: list[Entry]) -> list[Entry]:
    """The entries of one key without those that another one replaces."""
    if len(held) < 2:
        return held
    replaced = {entry.record.replaces for entry in held if entry.distribution != STANDARD}
    standing = [entry for entry in held if entry.distribution not in replaced] or held
    return [entry for entry in standing if not entry.record.yields] or standing


Tier = dict[str, dict[str, list[Entry]]]


class Registry:
    """Look-up by kind and key.

    ``load_first`` and ``load_second`` fill the tiers through :meth:`add` when they are first needed.
    """

    def __init__(self, load_first: Callable[[], None], load_second: Callable[[], None]) -> None:
        self._tiers: tuple[Tier, Tier] = ({kind: {} for kind in KINDS}, {kind: {} for kind in KINDS})
        self._load = (load_first, load_second)
        self._found: dict[tuple[str, str], Record] = {}

    # ---- filling -----------------------------------------------------------------------------------------------------
    def add(self, entries: Iterable[Entry], tier: int) -> tuple[list[Entry], list[str]]:
        """Adds the entries of one plugin.  Returns those added, and for each of the others why a built-in one keeps its key."""
        accepted, refused = [], []
        for (
            entry
        ) in entries:  # all are asked before the first is added: a broken one must leave nothing behind
            built_in = self._standard(entry.kind, entry.key)
            if entry.distribution == STANDARD or built_in is None or built_in.record.yields:
                accepted.append(entry)
                continue
            wanted = entry.record.replaces == STANDARD
            if wanted and tier == 0:
                accepted.append(entry)
                continue
            way = (
                "name the plugin in MATHNET_PLUGINS"
                if wanted
                else f"declare replaces={STANDARD!r} in its decorator"
            )
            refused.append(f"{entry.kind} {entry.key!r} is built in; to replace it, {way}")
        for entry in accepted:
            self._tiers[tier][entry.kind].setdefault(entry.key, []).append(entry)
            self._found.pop((entry.kind, entry.key), None)
        return accepted, refused

    def remove(self, entries: Iterable[Entry]) -> None:
        """Takes the entries out again, where they are in; what they replaced is found again."""
        gone = {id(entry) for entry in entries}
        for tier in self._tiers:
            for table in tier.values():
                for key in list(table):
                    table[key] = [entry for entry in table[key] if id(entry) not in gone]
                    if not table[key]:
                        del table[key]
        self._found.clear()

    def holds(self, distribution: str) -> bool:
        """Whether anything of ``distribution`` is registered."""
        return any(entry.distribution == distribution for entry in self._loaded())

    def _loaded(self) -> Iterator[Entry]:
        for tier in self._tiers:
            for table in tier.values():
                for held in list(table.values()):
                    yield from held

    def located(self, record: Record) -> Record:
        """The same record with the distribution that it was registered from, if it was; loads nothing."""
        if record.distribution is None:
            for tier in self._tiers:
                for entry in tier[record.kind].get(record.key, ()):
                    if entry.loaded is not None and entry.loaded.object is record.object:
                        return entry.loaded
        return record

    def _standard(self, kind: str, key: str) -> Entry | None:
        return next((e for e in self._tiers[0][kind].get(key, ()) if e.distribution == STANDARD), None)

    def holder(self, kind: str, key: str) -> Entry | None:
        """The entry that already stands under a key and does not yield, in whatever has been loaded."""
        self._load[0]()
        standing = [entry for tier in self._tiers for entry in _standing(tier[kind].get(key, []))]
        return next((entry for entry in standing if not entry.record.yields), None)

    # ---- finding -----------------------------------------------------------------------------------------------------
    def find(self, kind: str, key: str) -> Record:
        """The record under ``key``; UnknownKeyError with near names, PluginError when two distributions claim the key."""
        record = self._found.get((kind, key))
        if record is None:
            record = self._found[kind, key] = self._entry(kind, key).record
        return record

    def _entry(self, kind: str, key: str) -> Entry:
        table_of(kind)
        yielding: Entry | None = None
        for load, tier in zip(self._load, self._tiers):
            load()
            held = _standing(tier[kind].get(key, []))
            if len(held) > 1 and len({id(entry.record.object) for entry in held}) > 1:
                claims = " and ".join(f"{entry.distribution} ({entry.module})" for entry in held)
                raise PluginError(
                    f"{kind} {key!r} is claimed by {claims}; block one of them with MATHNET_BLOCK={held[0].distribution} or "
                    f"MATHNET_BLOCK={held[-1].distribution}"
                )
            if held and not held[0].record.yields:
                return held[0]
            if held and yielding is None:
                yielding = held[0]
        if yielding is not None:
            return yielding
        raise self.unknown(kind, key)

    def unknown(self, kind: str, key: str, advice: str = "") -> UnknownKeyError:
        """The error for a key that is not there: near names, then what to do; where there is no advice, all keys."""
        known = self.keys(kind)
        near = self.elsewhere(kind, key) or nearest(key, known)
        listed = f"; known: {', '.join(known)}" if known and not advice else ""
        return UnknownKeyError(f"no {kind} is registered under {key!r}{near}{advice}{listed}")

    def elsewhere(self, kind: str, name: str) -> str:
        """`` (there is a callback of that name: mn.callbacks.Plateau)`` when another kind has the key or name, or an empty string."""
        for other in KINDS:
            entry = (
                next((e for e in self._all(other) if name in e.guessed_names), None)
                if other != kind
                else None
            )
            if entry is not None:
                article = "an" if other[0] in "aeiou" else "a"
                return f" (there is {article} {other} of that name: mn.{KINDS[other].plural}.{public_name(entry.record)})"
        return ""

    def keys(self, kind: str) -> list[str]:
        """Every key of a kind, in alphabetical order; loads all plugins."""
        table_of(kind)
        return sorted({entry.key for entry in self._all(kind)})

    def names(self, kind: str) -> list[str]:
        """The attributes of a kind's namespace."""
        table_of(kind)
        records = [entry.record for entry in self._all(kind)]
        keys = {record.key for record in records if kind == "op" or not record.is_class}
        return sorted(keys | {public_name(record) for record in records})

    def _all(self, kind: str) -> Iterator[Entry]:
        for load, tier in zip(self._load, self._tiers):
            load()
            for held in list(tier[kind].values()):
                yield from held

    def find_name(self, kind: str, name: str) -> Record | None:
        """The record whose public name, or for a function whose key, is ``name``; imports only candidates."""
        folded = _fold(name)
        for load, tier in zip(self._load, self._tiers):
            load()
            for key, held in list(tier[kind].items()):
                if any(folded in map(_fold, entry.guessed_names) for entry in held):
                    record = self.find(kind, key)
                    if name == public_name(record) or (name == key and (kind == "op" or not record.is_class)):
                        return record
        return None

    def origin(self, kind: str, key: str) -> Origin:
        """Distribution, version and module of what ``key`` stands for."""
        record = self.find(kind, key)
        return Origin(record.distribution or "", record.distribution_version, record.module)

    # ---- using -------------------------------------------------------------------------------------------------------
    def get(self, kind: str, key: Any, **config: Any) -> Any:
        """An object for one use: ``get("activation", "swish", beta=2.0)``; without settings also from an object (:meth:`resolve`)."""
        if isinstance(key, str):
            return self.find(kind, key).make(**config)
        if config:
            raise ArgumentError(
                f"mn.{table_of(kind).plural}.get takes settings ({', '.join(config)}) together with a key, not with {key!r}"
            )
        return self.resolve(kind, key)

    def resolve(self, kind: str, value: Any, where: str = "") -> Any:
        """What a user may give for an object of ``kind``, made usable.

        None stays None; a key is looked up; a decorated function becomes a Configured with its defaults; a class is
        instantiated with its defaults; instances and other callables pass.  ``where`` words the error: ``"Dense: activation"``.
        """
        record_type = table_of(kind)
        if value is None or (isinstance(value, Configured) and value.kind == kind):
            return value
        if isinstance(value, str):
            try:
                return self.get(kind, value)
            except UnknownKeyError as error:
                raise UnknownKeyError(f"{where}: {error}") if where else error from None
        record = record_of(value)
        if record is not None and record.kind == kind:
            return record.make()
        if record is None and self._usable(record_type, value):
            return value() if inspect.isclass(value) else value
        what = f"{record!r}" if record is not None else repr(value)
        raise ArgumentError(
            f"{where or kind}: {what} is no {kind}; give a key such as {next(iter(self.keys(kind)), 'name')!r}, "
            f"an object from mn.{record_type.plural}, or {_expected(record_type)}"
        )

    @staticmethod
    def _usable(record_type: type[Record], value: Any) -> bool:
        if record_type.base and not record_type.arguments:
            from mathnet.plugin import bases

            base = tuple([getattr(bases, name) for name in record_type.base])
            return isinstance(value, base) or (inspect.isclass(value) and issubclass(value, base))
        if record_type.methods:
            return any(
                all(callable(getattr(value, method, None)) for method in group)
                for group in record_type.methods
            )
        return callable(value)


def _expected(record_type: type[Record]) -> str:
    bases = " or ".join(f"mn.{name}" for name in record_type.base)
    if bases and not record_type.arguments:
        return f"an instance of {bases}"
    if record_type.methods:
        return "an object with " + ", or ".join(
            " and ".join(f"{m}()" for m in group) for group in record_type.methods
        )
    return f"a function ({', '.join(record_type.arguments)})" + (
        f" or an instance of {bases}" if bases else ""
    )


def _fold(name: str) -> str:
    return name.replace("_", "").lower()


def table_of(kind: str) -> type[Record]:
    """The record type of a kind, or an error with near names."""
    if kind not in KINDS:
        raise ArgumentError(
            f"there is no kind of plugin object named {kind!r}{nearest(kind, KINDS)}; the kinds are {', '.join(KINDS)}"
        )
    return KINDS[kind]


def get(kind: str, key: str, **config: Any) -> Any:
    """:meth:`Registry.get` of the current Runtime."""
    from mathnet.plugin.host import current_runtime

    return current_runtime().registry.get(kind, key, **config)


def resolve(kind: str, value: Any, where: str = "") -> Any:
    """:meth:`Registry.resolve` of the current Runtime."""
    from mathnet.plugin.host import current_runtime

    return current_runtime().registry.resolve(kind, value, where)


__all__ = ["STANDARD", "Entry", "Origin", "Registry", "cap_words", "get", "resolve"]
