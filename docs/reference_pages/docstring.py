"""The common form of a docstring taken apart, and its prose as Markdown.

A docstring is a summary, paragraphs, perhaps a list under "Parameters", a source and a doctest example::

    y = max(x, 0); the derivative at 0 is 0.

    Parameters
    ----------
    name: what it means.

    Source: authors, title, year.

    >>> mn.relu(-1.0)
    0.0
"""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple

#: From "Source:" to a line that ends with a full stop, or to the end of the paragraph.
_SOURCE = re.compile(r"\s*\bSources?: (.*?\.(?=\n)|.*)", re.DOTALL)
_PARAMETERS = re.compile(r"Parameters\n-{3,}\n")
_CODE = re.compile(r"``(.+?)``|:\w+:`~?(mathnet\.)?(.+?)`", re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|$#])")


class Docstring(NamedTuple):
    """What a docstring says: prose in its own mark-up, the example as code with its output."""

    summary: str
    paragraphs: list[str]
    parameters: list[tuple[str, str]]
    source: str
    example: str

    @classmethod
    def of(cls, documented: Any) -> Docstring:
        return cls.parse(inspect.getdoc(documented) or "")

    @classmethod
    def parse(cls, text: str) -> Docstring:
        prose: list[str] = []
        parameters: list[tuple[str, str]] = []
        sources: list[str] = []
        examples: list[str] = []
        for paragraph in re.split(r"\n\s*\n", text.strip()):
            if paragraph.lstrip().startswith(">>>"):
                examples.append(inspect.cleandoc(paragraph))
                continue
            if _PARAMETERS.match(paragraph):
                parameters += _entries(_PARAMETERS.sub("", paragraph))
                continue
            sources += [" ".join(found.group(1).split()) for found in _SOURCE.finditer(paragraph)]
            paragraph = _SOURCE.sub("", paragraph).strip()
            if paragraph:
                prose.append(paragraph)
        first, rest = (prose[0], prose[1:]) if prose else ("", [])
        return cls(first, rest, parameters, " ".join(sources), "\n\n".join(examples))


def _entries(text: str) -> list[tuple[str, str]]:
    """(names, meaning) of "names: meaning" lines; an indented line goes on with the one before, one without a name is prose of its own."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        if line.startswith(" ") and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
            continue
        names, colon, meaning = line.partition(": ")
        found.append((names, meaning) if colon else ("", line))
    return found


def markdown(prose: str) -> str:
    """Prose as one paragraph of Markdown: code as code, everything else as it stands."""
    parts, end = [], 0
    for code in _CODE.finditer(prose):
        parts.append(_SPECIAL.sub(r"\\\1", prose[end : code.start()]))
        shown = code.group(1) or f"{'mn.' if code.group(2) else ''}{code.group(3)}"
        parts.append(f"`{' '.join(shown.split())}`")
        end = code.end()
    parts.append(_SPECIAL.sub(r"\\\1", prose[end:]))
    joined = " ".join("".join(parts).split())
    return re.sub(r"^([-+])(?= )|^(\d+)\.(?= )", lambda m: f"\\{m[1]}" if m[1] else f"{m[2]}\\.", joined)
