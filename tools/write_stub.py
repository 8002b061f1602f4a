"""Writes mathnet/__init__.pyi, what type checkers and editors see of the lazily resolved public names.

python tools/write_stub.py
"""

from __future__ import annotations

import inspect
from pathlib import Path

import mathnet

TARGET = Path(__file__).parent.parent / "mathnet" / "__init__.pyi"


def signature(f: object) -> str:
    """The parameters of a graph function as text: on the public side each takes anything array-like."""
    parts = []
    starred = False
    for p in inspect.signature(f).parameters.values():  # type: ignore[arg-type]
        if p.kind is p.VAR_POSITIONAL:
            parts.append(f"*{p.name}: Any")
            starred = True
            continue
        if p.kind is p.VAR_KEYWORD:
            parts.append(f"**{p.name}: Any")
            continue
        if p.kind is p.KEYWORD_ONLY and not starred:
            parts.append("*")
            starred = True
        parts.append(f"{p.name}: Any" + ("" if p.default is p.empty else " = ..."))
    return ", ".join(parts)


def stub() -> str:
    """The text of the stub: types of the plain names, then one function per graph function."""
    lines = [
        '"""Types of the public names; written by tools/write_stub.py."""',
        "",
        "# ruff: noqa: E501, I001",
        "",
        "from typing import Any",
        "",
    ]
    for home, names in sorted(mathnet._HOMES.items()):
        lines += [f"from {home} import {name} as {name}" for name in sorted(names.split())]
    lines += [f"from mathnet import {name} as {name}" for name in sorted(mathnet._MODULES)]
    lines += ["from mathnet.version import __version__ as __version__", ""]
    lines += [f"def {name}({signature(f)}) -> Any: ..." for name, f in sorted(mathnet._functions().items())]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(stub(), encoding="utf-8")
