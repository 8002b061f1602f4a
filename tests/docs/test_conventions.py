"""Every registered object is described in full; each of the rules is shown failing on an object that is not."""

from __future__ import annotations

import pytest
from reference_pages.conventions import ELEMENTARY, WITHOUT_SOURCE, defects, source

import mathnet as mn
from mathnet.plugin.records import KINDS, record_of


def test_every_record_says_all_that_its_kind_must() -> None:
    registry = mn.Runtime(autoload=False).registry
    found = {
        f"{kind} {key}": defects(registry.find(kind, key)) for kind in KINDS for key in registry.keys(kind)
    }
    assert {name: lacking for name, lacking in found.items() if lacking} == {}


def test_what_needs_no_source_exists() -> None:
    registry = mn.Runtime(autoload=False).registry
    assert set(WITHOUT_SOURCE) <= set(KINDS)
    for kind, keys in ELEMENTARY.items():
        assert set(keys.split()) <= set(registry.keys(kind)), kind


GOOD = """y = a·x, a = factor.

x (N, …) → y (N, …).  Mean 0, variance 1.  Source: A and B, 2020.

>>> 1
1
"""


def described(kind: str, text: str) -> list[str]:
    """The defects of an object of ``kind`` with this docstring and the setting ``factor``."""

    def object_of(x, y=None, factor=1.0):
        return x

    made = object_of
    if kind in ("layer", "distribution"):
        base = (mn.Layer,) if kind == "layer" else ()
        methods = {"log_prob": len, "sample": len, "call": len}

        def __init__(self, factor=1.0): ...

        made = type("Described", base, {"__init__": __init__, **methods})
    if kind != "loss" and made is object_of:

        def made(x, factor=1.0):
            return x

    made.__doc__ = text
    getattr(mn, kind)("described_here")(made)
    return defects(record_of(made))


@pytest.mark.parametrize("kind", ["activation", "loss", "layer", "distribution", "regularizer"])
def test_a_full_description_is_one(kind: str) -> None:
    assert described(kind, GOOD) == []


@pytest.mark.parametrize(
    ("kind", "left_out", "lacking"),
    [
        ("activation", GOOD, ["a summary", "an example", "a source", "a formula", "the meaning of the settings factor"]),
        ("activation", ">>> 1\n1\n", ["an example"]),
        ("activation", "Source: A and B, 2020.", ["a source"]),
        ("regularizer", "y = a·x, a = factor.\n\nx (N, …) → y (N, …).", ["a formula", "the meaning of the settings factor"]),
        ("layer", "y = a·x, a = factor.\n\nx (N, …) → y (N, …).", ["the shapes", "the meaning of the settings factor"]),
        ("distribution", "Mean 0, variance 1.", ["mean and variance"]),
        ("loss", ", a = factor", ["the meaning of the settings factor"]),
    ],
)  # fmt: skip
def test_what_is_left_out_is_named(kind: str, left_out: str, lacking: list[str]) -> None:
    found = described(
        kind, GOOD.replace(left_out, "Something" if "y =" in left_out and left_out != GOOD else "")
    )
    assert len(found) == len(lacking)
    for text, start in zip(found, lacking):
        assert text.startswith(start)


def test_a_reason_stands_for_a_source() -> None:
    registry = mn.Runtime(autoload=False).registry
    assert source(registry.find("activation", "tanh")).startswith("elementary")
    assert "Johnson" in source(registry.find("distribution", "normal"))
    assert "Kingma" in source(registry.find("optimizer", "adam"))
