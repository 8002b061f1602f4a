"""The reference pages, written from the registry and the operations when the documentation is built.

``write(folder)`` fills docs/reference with a page for each kind of record, pages of functions, and the table of names in Keras and
PyTorch.  Nothing in these pages is written by hand: what they say stands in docstrings, formulas and samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mathnet as mn
from mathnet.plugin.records import KINDS
from mathnet.plugin.registry import Registry
from reference_pages import functions, names, records

MODULES = {"linalg": "Linear algebra", "random": "Random draws"}


def pages(registry: Registry, folder: Path) -> Iterator[tuple[str, str]]:
    """(name of the page, text) of every page but the index; pictures are written to ``folder``/pictures."""
    yield "names", names.page(registry)
    for kind in records.kinds(registry):
        yield KINDS[kind].plural, records.page(registry, kind, folder)
    yield "operations", functions.operation_page()
    for module, title in MODULES.items():
        yield module, functions.module_page(module, title)
    yield "functions", functions.caller_page()


def write(folder: Path) -> list[Path]:
    """Writes the pages of the standard plugin's records and of all operations; files that have not changed are left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with mn.Runtime(autoload=False, seed=0, threads=1) as runtime:
        for name, text in pages(runtime.registry, folder):
            file = folder / f"{name}.md"
            if not file.exists() or file.read_text(encoding="utf-8") != text:
                file.write_text(text, encoding="utf-8")
            written.append(file)
    return written
