"""Names: of the layers of a model, of its variables, of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mathnet.errors import ArgumentError
from mathnet.graph.tree import Structure
from mathnet.plugin.bases import Layer
from mathnet.store import Variable


def unique(stems: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Each stem, with ``_1``, ``_2``, … where it occurs again: ``dense``, ``dense_1``."""
    used = set(taken)
    names = []
    for stem in stems:
        name, number = stem, 0
        while name in used:
            number += 1
            name = f"{stem}_{number}"
        used.add(name)
        names.append(name)
    return names


def refuse_equal(names: Sequence[str], what: str) -> None:
    """Raises when a name occurs twice: ``what`` and "named 'x'" make the sentence."""
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"{what} named {name!r}; give one of them another name=")


def mapping_keys(structure: Structure) -> list[str] | None:
    """The names in a flat mapping; None for other nests."""
    return [str(key) for key in structure.keys] if structure.kind == "dict" else None


def name_layers(layers: Sequence[Layer], owner: str) -> dict[str, Layer]:
    """Layers by their names within one model, in order.

    A name given by the user stays as it is, so two equal ones are an error; the others are numbered within this model.  A layer
    without a name keeps the one that it gets first.
    """
    given: dict[str, Layer] = {}
    for layer in layers:
        name = layer.name
        if name is not None and layer.config.get("name") == name:
            if name in given:
                raise ArgumentError(f"{owner}: two layers are named {name!r}; give one of them another name=")
            given[name] = layer
    named = {id(layer): name for name, layer in given.items()}
    others = [layer for layer in layers if id(layer) not in named]
    for layer, name in zip(others, unique([layer.name or layer.key for layer in others], given)):
        named[id(layer)] = name
        if layer.name is None:
            layer.name = name
    return {named[id(layer)]: layer for layer in layers}


def name_variables(layers: dict[str, Layer]) -> Iterator[tuple[str, Variable]]:
    """(``layer/…/variable``, variable) for every variable of the layers; a shared one once, under its first name."""
    seen: set[int] = set()
    for name, layer in layers.items():
        for path, variable in layer.named_variables():
            if id(variable) not in seen:
                seen.add(id(variable))
                yield f"{name}/{path}", variable
