"""Values as JSON and back: numbers, nests, arrays, sizes, and registered objects by kind, key and settings.

Only data are stored: an object is found again by its key in the registry, never by running what a file says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, FileFormatError, UnknownKeyError
from mathnet.graph.dim import Dim, _Floor, _Symbol
from mathnet.graph.tensor import Spec
from mathnet.graph.tree import LEAF, NONE, Structure
from mathnet.model.inputs import BATCH
from mathnet.plugin.bases import Layer
from mathnet.plugin.blame import blamed
from mathnet.plugin.host import current_runtime
from mathnet.plugin.records import Configured, Record, config_of, record_of, record_of_instance

TAG = "$"  # the key that tells a coded value from a plain one


class Encoder:
    """Codes values; collects the arrays, layers and plugins that they need.

    owner: whose values they are, for errors.  ArgumentError names what cannot be stored.
    """

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.tensors: dict[str, np.ndarray] = {}
        self.layers: list[dict[str, Any]] = []
        self.plugins: dict[str, dict[str, Any]] = {}
        self.symbols: list[str] = []
        self._layer_index: dict[int, int] = {}
        self._symbol_index: dict[int, int] = {}
        self._kept: list[Any] = []  # ids stay valid only while their objects live

    def encode(self, value: Any, where: str) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, np.integer)):
            return int(value)
        if isinstance(value, (float, np.floating)):
            return float(value) if math.isfinite(value) else {TAG: "float", "value": str(float(value))}
        if isinstance(value, np.bool_):
            return bool(value)
        if isinstance(value, Structure):
            return self._structure(value, where)
        if isinstance(value, tuple) and not hasattr(value, "_fields"):
            return {TAG: "tuple", "items": [self.encode(v, where) for v in value]}
        if isinstance(value, list):
            return [self.encode(v, where) for v in value]
        if isinstance(value, Mapping):
            return {
                TAG: "dict",
                "items": [[self.encode(k, where), self.encode(v, where)] for k, v in value.items()],
            }
        if isinstance(value, np.ndarray):
            return {TAG: "array", "tensor": self._tensor(value, where)}
        if isinstance(value, np.dtype):
            return {TAG: "dtype", "name": value.name}
        if isinstance(value, type) and issubclass(value, np.generic):
            return {TAG: "dtype", "name": np.dtype(value).name}
        if isinstance(value, Dim):
            return {TAG: "size", "terms": self._terms(value)}
        if isinstance(value, Spec):
            return {
                TAG: "spec",
                "shape": self.encode(value.shape, where),
                "dtype": value.dtype.name,
                "weak": value.weak,
            }
        if isinstance(value, slice):
            return {
                TAG: "slice",
                "parts": [self.encode(v, where) for v in (value.start, value.stop, value.step)],
            }
        if value is Ellipsis:
            return {TAG: "ellipsis"}
        if isinstance(value, Layer):
            return {TAG: "layer", "index": self.layer(value)}
        return self._registered(value, where)

    def _tensor(self, array: np.ndarray, where: str) -> str:
        if array.dtype.kind not in "fiub":
            raise ArgumentError(f"{self.owner} cannot be saved: {where} holds an array of {array.dtype}")
        name = f"constant/{len(self.tensors)}"
        self.tensors[name] = array
        return name

    def _structure(self, value: Structure, where: str) -> dict[str, Any]:
        if not isinstance(value.kind, str):
            raise ArgumentError(
                f"{self.owner} cannot be saved: {where} uses the named tuple {value.kind.__name__}; use a dict or tuple"
            )
        keys = [self.encode(k, where) for k in value.keys]
        return {
            TAG: "structure",
            "kind": value.kind,
            "keys": keys,
            "children": [self._structure(c, where) for c in value.children],
        }

    def _terms(self, size: int | Dim) -> list:
        """A size as [factor, [symbol number or {numerator, denominator}, …]] terms."""
        terms = size.terms if isinstance(size, Dim) else {(): size}
        coded = []
        for atoms, factor in terms.items():
            parts: list[Any] = []
            for atom in atoms:
                if isinstance(atom, _Floor):
                    parts.append([self._terms(atom.numerator), self._terms(atom.denominator)])
                else:
                    parts.append(self._symbol(atom))
            coded.append([factor, parts])
        return coded

    def _symbol(self, symbol: _Symbol) -> int:
        if id(symbol) not in self._symbol_index:
            self._symbol_index[id(symbol)] = len(self.symbols)
            self._kept.append(symbol)
            self.symbols.append(symbol.name)
        return self._symbol_index[id(symbol)]

    def layer(self, layer: Layer) -> int:
        """The number of a layer in the table of layers."""
        if id(layer) in self._layer_index:
            return self._layer_index[id(layer)]
        index = self._layer_index[id(layer)] = len(self.layers)
        self._kept.append(layer)
        self.layers.append({})
        if hasattr(layer, "graph"):
            from mathnet.model.description import describe

            # a layer with a graph is a Model, which this module must not import
            self.layers[index] = {"model": describe(layer, self), "name": layer.name}  # type: ignore[arg-type]
            return index
        where = f"layer {layer.name!r}" if layer.name else f"a {type(layer).__name__} layer"
        record = self._record(type(layer), record_of(type(layer)), where)
        config = {k: self.encode(v, f"{k} of {where}") for k, v in layer.config.items()}
        self.layers[index] = {
            **({} if record.kind == "layer" else {"kind": record.kind}),  # an activation may be a Layer too
            "key": record.key,
            "version": record.version,
            "config": config,
            "name": layer.name,
        }
        return index

    def _registered(self, value: Any, where: str) -> dict[str, Any]:
        record = self._record(value, record_of_instance(value), where)
        coded = {TAG: "plugin", "kind": record.kind, "key": record.key, "version": record.version}
        if value is record.object:
            return {**coded, "object": True}
        config = value.config if isinstance(value, Configured) else config_of(value)
        return {
            **coded,
            "config": {k: self.encode(v, f"{k} of {record.kind} {record.key!r}") for k, v in config.items()},
        }

    def _record(self, value: Any, record: Record | None, where: str) -> Record:
        """The registered record of an object, or an error that names the object."""
        if record is None:
            raise ArgumentError(
                f"{self.owner} cannot be saved: {where} is {_shown(value)}, which has no registered key, so a file cannot name it; "
                "decorate it (@mn.activation, @mn.layer, …) and mn.register it"
            )
        try:
            found = current_runtime().registry.find(record.kind, record.key)
        except UnknownKeyError:
            found = None
        if found is None or found.object is not record.object:
            raise ArgumentError(
                f"{self.owner} cannot be saved: {where} is {record.kind} {record.key!r} ({_shown(record.object)}), "
                "which is not registered, so another process could not find it; mn.register it or package it as a plugin"
            )
        # What has no version was not installed but registered by a program, under the name of its root package.
        name = str(found.distribution) if found.distribution_version else f"module {found.module}"
        held = self.plugins.setdefault(name, {"version": found.distribution_version, "keys": []})
        if f"{record.kind}:{record.key}" not in held["keys"]:
            held["keys"].append(f"{record.kind}:{record.key}")
        return found


class Decoder:
    """Builds the values again.  Layers are made when they are first asked for."""

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        layers: list | None = None,
        symbols: list | None = None,
        plugins: Mapping[str, Any] | None = None,
    ) -> None:
        self._tensors, self._coded_layers, self._plugins = tensors, layers or [], plugins or {}
        self._layers: dict[int, Layer] = {}
        self._symbols: list[Dim] = [BATCH if name == str(BATCH) else Dim(str(name)) for name in symbols or []]

    def decode(self, coded: Any) -> Any:
        if isinstance(coded, list):
            return [self.decode(v) for v in coded]
        if not isinstance(coded, dict):
            return coded
        tag = coded[TAG]
        make = getattr(self, f"_{tag}", None) if tag in _TAGS else None
        if make is None:
            raise FileFormatError(f"the description has a value of the unknown kind {tag!r}")
        return make(coded)

    def _float(self, coded: dict) -> float:
        return float(coded["value"])

    def _tuple(self, coded: dict) -> tuple:
        return tuple([self.decode(v) for v in coded["items"]])

    def _dict(self, coded: dict) -> dict:
        return {self.decode(k): self.decode(v) for k, v in coded["items"]}

    def _array(self, coded: dict) -> np.ndarray:
        return self._tensors[coded["tensor"]]

    def _dtype(self, coded: dict) -> np.dtype:
        return np.dtype(coded["name"])

    def _size(self, coded: dict) -> int | Dim:
        return self._sum(coded["terms"])

    def _sum(self, terms: list) -> int | Dim:
        total: int | Dim = 0
        for factor, atoms in terms:
            product: int | Dim = int(factor)
            for atom in atoms:
                product = product * (
                    self._symbols[atom] if isinstance(atom, int) else self._sum(atom[0]) // self._sum(atom[1])
                )
            total = total + product
        return total

    def _spec(self, coded: dict) -> Spec:
        return Spec(self.decode(coded["shape"]), np.dtype(coded["dtype"]), bool(coded["weak"]))

    def _slice(self, coded: dict) -> slice:
        return slice(*[self.decode(v) for v in coded["parts"]])

    def _ellipsis(self, coded: dict) -> Any:
        return Ellipsis

    def _structure(self, coded: dict) -> Structure:
        if coded["kind"] in ("leaf", "none"):
            return LEAF if coded["kind"] == "leaf" else NONE
        keys = tuple([self.decode(k) for k in coded["keys"]])
        return Structure(str(coded["kind"]), keys, tuple([self._structure(c) for c in coded["children"]]))

    def _layer(self, coded: dict) -> Layer:
        return self.layer(coded["index"])

    def layer(self, index: int) -> Layer:
        if index in self._layers:
            return self._layers[index]
        coded = self._coded_layers[index]
        if "model" in coded:
            from mathnet.model.description import build

            layer: Layer = build(coded["model"], self, coded["name"])
        else:
            layer = self._made(coded.get("kind", "layer"), coded)
            layer.name = coded["name"]
        self._layers[index] = layer
        return layer

    def _plugin(self, coded: dict) -> Any:
        return self._made(coded["kind"], coded)

    def _made(self, kind: str, coded: dict) -> Any:
        """The registered object that a file names, with its settings; those of an older version are taken to this one."""
        record = find(kind, coded, self._plugins)
        config = {k: self.decode(v) for k, v in coded.get("config", {}).items()}
        if record.version != coded["version"]:
            return record.make(**_upgraded(record, config, coded["version"]))
        return record.object if coded.get("object") else record.make(**config)


_TAGS = {
    "float",
    "tuple",
    "dict",
    "array",
    "dtype",
    "size",
    "spec",
    "slice",
    "ellipsis",
    "structure",
    "layer",
    "plugin",
}


def find(kind: str, coded: dict, plugins: Mapping[str, Any]) -> Record:
    """The registered object that a file names, of the version that the file was written with, or a later one that takes its settings.

    plugins: distribution → version and keys, as the file holds them; errors name the one that is to be installed.
    """
    key, version = coded["key"], coded["version"]
    registry = current_runtime().registry
    try:
        record = registry.find(kind, key)
    except UnknownKeyError:
        raise registry.unknown(kind, key, _wanted(kind, key, plugins)) from None
    if record.version != version and (record.upgrade is None or version > record.version):
        raise FileFormatError(
            f"{kind} {key!r} has version {record.version} here, but the file was written with version {version}, "
            f"so it may mean something else{_wanted(kind, key, plugins)}"
        )
    return record


def _wanted(kind: str, key: str, plugins: Mapping[str, Any]) -> str:
    """What to do to have the object that a file was written with."""
    for name, held in plugins.items():
        if f"{kind}:{key}" in held.get("keys", ()):
            version = held.get("version")
            weights = "mn.load(path, weights_only=True) reads the weights without it"
            if name.startswith("module "):
                return f"; it was registered from {name}: import that and mn.register it; {weights}"
            exact = f"{name}=={version}" if version else name
            return (
                f"; the file was written with {name} {version or ''}".rstrip()
                + f": pip install '{exact}'; {weights}"
            )
    return ""


def _upgraded(record: Record, config: dict[str, Any], version: int) -> dict[str, Any]:
    """The settings of an older version as the record's own rule puts them now."""
    assert record.upgrade is not None
    with blamed(record, "upgrade"):
        made = record.upgrade(config, version)
    if not isinstance(made, dict):
        raise FileFormatError(
            f"{record.kind} {record.key!r}: upgrade() returned {made!r} for the settings of version {version}, not a dict of settings"
        )
    return made


def _shown(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    return f"{getattr(value, '__module__', '')}.{name}" if name else repr(value)
