"""The code on the pages runs, the links lead somewhere, and the examples in docstrings are right."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def code(text: str) -> str:
    """The Python blocks of a page joined, each line at its own number so that a traceback points into the page."""
    lines = [""] * (text.count("\n") + 1)
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1))
        for number, line in enumerate(block.group(1).splitlines(), first):
            lines[number] = line
    return "\n".join(lines)


def broken_links(page: Path) -> list[str]:
    """Relative links of a page that lead to nothing."""
    return [
        link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()
    ]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if BLOCK.search(p.read_text(encoding="utf-8"))], ids=page_name
)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mathnet = importlib.import_module("mathnet")
    monkeypatch.chdir(tmp_path)
    with mathnet.Runtime(autoload=False, seed=0):
        exec(compile(code(page.read_text(encoding="utf-8")), str(page), "exec"), {"__name__": "__page__"})


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[here](page.md) [there](nowhere.md#part) [out](https://example.org/x)", encoding="utf-8")
    assert broken_links(page) == ["nowhere.md"]


def test_blocks_keep_their_line_numbers() -> None:
    assert code("# A\n```python\nx = 1\n```\n```console\n$ ls\n```\n```python\ny = x\n```\n").splitlines()[
        2:9:6
    ] == ["x = 1", "y = x"]


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert page.stem == "index" or re.search(rf"^{page.stem}$", index, re.MULTILINE), page.name


def modules() -> list[str]:
    """Every Python module of the core and of the standard plugin."""
    found = []
    for name in ("mathnet", "mathnet_std"):
        package = importlib.import_module(name)
        found += [name, *(module.name for module in pkgutil.walk_packages(package.__path__, name + "."))]
    return [name for name in found if not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_the_examples_in_docstrings_are_right(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mathnet = importlib.import_module("mathnet")
    usual = {"np": np, "mn": mathnet}  # as in NumPy's own docstrings, the two usual imports go without saying
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    with mathnet.Runtime(autoload=False, seed=0):
        result = doctest.testmod(importlib.import_module(name), extraglobs=usual, optionflags=options)
    assert result.failed == 0


def documented() -> dict[str, Any]:
    """Everything with a name of its own: functions of ``mn``, and what the standard plugin registers."""
    mathnet = importlib.import_module("mathnet")
    importlib.import_module("mathnet.ops")
    functions = importlib.import_module("mathnet.graph.op").FUNCTIONS
    registry = mathnet.Runtime(autoload=False).registry
    kinds = importlib.import_module("mathnet.plugin.records").KINDS
    objects = {f"mn.{name}": function for name, function in functions.items()}
    for kind in kinds:
        objects |= {f"{kind} {key}": registry.find(kind, key).object for key in registry.keys(kind)}
    return objects


def without_example(objects: dict[str, Any]) -> list[str]:
    """Names of the objects whose docstring lacks a summary or an example."""
    return [
        name for name, obj in objects.items() if not re.match(r"\s*\S.*>>> ", obj.__doc__ or "", re.DOTALL)
    ]


def test_everything_public_has_a_summary_and_an_example() -> None:
    objects = documented()
    assert {"mn.tanh", "layer dense", "optimizer adam"} <= objects.keys()
    assert without_example(objects) == []


def test_a_missing_example_is_found() -> None:
    def bare() -> None: ...

    def summary_only() -> None:
        """Does nothing."""

    def example() -> None:
        """Does nothing.

        >>> 1 + 1
        2
        """

    found = without_example({"bare": bare, "summary_only": summary_only, "example": example})
    assert found == ["bare", "summary_only"]
