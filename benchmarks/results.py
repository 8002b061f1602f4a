"""RESULTS.md: the machine, and the table of each thread count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, report

RESULTS = Path(__file__).with_name("RESULTS.md")
INTRODUCTION = """# Results

Written by `python -m benchmarks all`. Each row is mathnet and one peer, measured alternately in one process: medians, and as value the
peer's time over mathnet's. GFLOP/s count the arithmetic of the direct algorithm, so that Winograd convolutions can exceed the
peak. A promise that was missed is marked so.
"""


def write(description: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], path: Path = RESULTS) -> None:
    """Writes the tables of the thread counts among ``rows``; a table of another thread count that the file holds stays."""
    parts = sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    for threads in sorted({row["threads"] for row in rows}):
        own = [row for row in rows if row["threads"] == threads]
        title = f"## {threads} thread{'s' * (threads > 1)}"
        only = {
            **description,
            "gflops": {threads: description["gflops"].get(threads)},
            "copy": {threads: description["copy"][threads]},
        }
        lines = [f"- {line}" for line in machine.heading(only)]
        table = report.markdown(own, description["gflops"].get(threads))
        parts[title] = "\n".join([title, "", *lines, "", table, ""])
    path.write_text("\n".join([INTRODUCTION, *[parts[title] for title in sorted(parts)]]), encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The sections of a file that ``write`` has written, by their heading."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("## "):
            lines = found.setdefault(line, [])
        lines.append(line)
    return {title: "\n".join(part).rstrip() + "\n" for title, part in found.items()}
