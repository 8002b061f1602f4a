"""Nested arguments: dicts, lists, tuples (and named tuples) of leaves, flattened and rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Structure(NamedTuple):
    """The shape of a nest: ``kind`` is ``leaf``, ``none``, ``dict``, ``list``, ``tuple`` or a named-tuple class."""

    kind: Any
    keys: tuple
    children: tuple[Structure, ...]


LEAF = Structure("leaf", (), ())
NONE = Structure("none", (), ())
#: Types that are no nests for certain: asking whether a thing is a Mapping takes longer than all else here.
SURE_LEAVES = frozenset({np.ndarray, float, int, bool, str})


def flatten(tree: Any) -> tuple[list, Structure]:
    """Leaves from left to right (dicts in insertion order) and the structure that :func:`unflatten` takes."""
    leaves: list = []

    def walk(value: Any) -> Structure:
        if type(value) in SURE_LEAVES:
            leaves.append(value)
            return LEAF
        if value is None:
            return NONE
        if isinstance(value, Mapping):
            keys = tuple(value)
            return Structure("dict", keys, tuple([walk(value[key]) for key in keys]))
        if isinstance(value, tuple):
            kind = type(value) if hasattr(value, "_fields") else "tuple"
            return Structure(kind, (), tuple([walk(item) for item in value]))
        if isinstance(value, list):
            return Structure("list", (), tuple([walk(item) for item in value]))
        leaves.append(value)
        return LEAF

    return leaves, walk(tree)


def unflatten(structure: Structure, leaves: Iterable) -> Any:
    """The nest of ``structure`` with ``leaves`` put back in order."""
    stream = iter(leaves)

    def build(node: Structure) -> Any:
        if node is LEAF or node.kind == "leaf":
            return next(stream)
        if node.kind == "none":
            return None
        children = [build(child) for child in node.children]
        if node.kind == "dict":
            return dict(zip(node.keys, children))
        if node.kind == "list":
            return children
        return tuple(children) if node.kind == "tuple" else node.kind(*children)

    return build(structure)


def map_leaves(f: Callable, tree: Any) -> Any:
    """``f`` applied to every leaf."""
    leaves, structure = flatten(tree)
    return unflatten(structure, [f(leaf) for leaf in leaves])
