"""Pages of functions: the operations of ``mn`` by family, ``mn.linalg``, ``mn.random``, and what takes functions, such as ``mn.grad``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import groupby
from typing import Any

import mathnet as mn
from mathnet.commands import operations
from reference_pages.docstring import Docstring, markdown
from reference_pages.records import code, example_lines, prose, table, wrapped

ORDERS = {"any": "of any order", "1": "of first order", "0": "none"}
#: Modules whose functions take functions or models, in the order of their page.
CALLERS = (
    "mathnet.functions", "mathnet.derivatives", "mathnet.vectorization", "mathnet.control_flow", "mathnet.equations",
    "mathnet.estimation", "mathnet.study.formula", "mathnet.plugin.host",
)  # fmt: skip


def operation_page() -> str:
    """Every operation of ``mn``, by the family that it belongs to."""
    rows = [row for row in operations() if "." not in row["name"]]
    families = groupby(
        sorted(rows, key=lambda row: (_family(row["name"]), row["name"])), lambda row: _family(row["name"])
    )
    lines = [
        "# Operations",
        "",
        "Functions of arrays or graph values: with arrays the result comes at once, with a graph value a node is built. "
        "`mathnet ops` lists them.",
        "",
    ]
    for family, members in families:
        held = list(members)
        lines += [f"## {family}", "", *_table(held), ""]
        for row in held:
            lines += section(row["name"], _called(row["name"]), row, level=3)
    return "\n".join(lines)


def module_page(module: str, title: str) -> str:
    """The public functions of ``mn.linalg`` or ``mn.random``."""
    rows = [row for row in operations() if row["name"].startswith(f"{module}.")]
    text = Docstring.of(import_module(f"mathnet.{module}"))
    lines = [f"# {title}", "", *prose(text), *_table(rows), ""]
    for row in rows:
        lines += section(row["name"], _called(row["name"]), row, level=2)
    return "\n".join(lines)


def caller_page() -> str:
    """Functions that take functions: derivatives, vectorization, control flow."""
    lines = [
        "# Functions of functions",
        "",
        "Derivatives, traced functions, loops, equations, expectations.",
        "",
    ]
    names = [
        (home, name) for home in CALLERS for name in mn._HOMES[home].split() if _documented(getattr(mn, name))
    ]
    rows = [(_link(name), markdown(Docstring.of(getattr(mn, name)).summary)) for _, name in names]
    lines += [*table(("name", "what it does"), rows), ""]
    for _, name in names:
        lines += section(name, getattr(mn, name), {}, level=2)
    return "\n".join(lines)


def _documented(found: Any) -> bool:
    return callable(found) and not (inspect.isclass(found) and issubclass(found, BaseException))


def _called(name: str) -> Callable:
    found: Any = mn
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _family(name: str) -> str:
    """The family of an operation in words: the module that it stands in."""
    module = inspect.unwrap(getattr(mn, name)).__module__.rpartition(".")[2]
    return module.replace("_", " ").capitalize()


def _link(name: str) -> str:
    return f"[{name}](#{anchor(name)})"


def anchor(name: str) -> str:
    return f"function-{name}".replace("_", "-").replace(".", "-").lower()


def _table(rows: Iterable[dict[str, Any]]) -> list[str]:
    return table(
        ("name", "derivatives", "what it is"),
        [
            (
                _link(row["name"]),
                ORDERS[row["derivatives"]],
                markdown(Docstring.parse(row["summary"]).summary),
            )
            for row in rows
        ],
    )


def section(name: str, function: Callable, row: dict[str, Any], level: int) -> list[str]:
    """Call, prose, formula, derivative, example and source of one function."""
    doc = Docstring.of(function)
    lines = [
        f"({anchor(name)})=",
        f"{'#' * level} {name}",
        "",
        *code(wrapped(f"mn.{name}{_parameters(function)}")),
        "",
    ]
    lines += prose(doc)
    if row.get("formula"):
        lines += [f"Formula: `{row['formula']}`", ""]
    if row:
        lines += [f"Derivatives: {ORDERS[row['derivatives']]}.", ""]
    lines += example_lines(doc)
    if doc.source:
        lines += [f"*Source:* {markdown(doc.source)}", ""]
    return lines


def _parameters(function: Callable) -> str:
    """Names and defaults, without types."""
    found = inspect.signature(function)
    parameters = [p.replace(annotation=p.empty) for p in found.parameters.values() if p.name != "self"]
    return str(found.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
