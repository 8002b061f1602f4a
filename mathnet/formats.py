"""Files of other programs: ``mn.formats.write(model, "weights.npz")``.  The format is found by the suffix.

mathnet's own files are written by ``model.save`` and read by ``mn.load``.
"""

from __future__ import annotations

import os
from typing import Any

from mathnet.errors import ArgumentError
from mathnet.model.container import replacing
from mathnet.plugin.blame import blamed
from mathnet.plugin.host import current_runtime
from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("format", "read", "reads", "suffixes", "write")


def write(model: Any, path: str | os.PathLike) -> None:
    """Writes a model in the format of the suffix of ``path``.

    The file takes the place of an old one when all is on disk; after an error the old one is as it was.
    Raises ArgumentError with the known suffixes when no format writes this one.

    >>> import mathnet as mn, tempfile, os
    >>> model = mn.Sequential([mn.layers.Dense(2)], input_shape=(3,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     mn.formats.write(model, os.path.join(folder, "weights.npz"))
    ...     os.listdir(folder)
    ['weights.npz']
    """
    found = _for(path, "write")
    with replacing(path) as temporary:
        with blamed(found, "write"):
            found.write(model, temporary)


def read(path: str | os.PathLike) -> Any:
    """The model in a file of another program, whose format is found by the suffix of ``path``.

    Raises ArgumentError with the known suffixes when no format reads this one, FileNotFoundError when the file is missing.
    """
    found = _for(path, "read")
    with open(path, "rb"):  # missing, a folder, not readable: the system's own error
        pass
    with blamed(found, "read"):
        return found.read(os.fspath(path))


def reads(path: str | os.PathLike) -> bool:
    """Whether a format reads files of the suffix of ``path``."""
    return _suffix(path, _known("read")) is not None


def suffixes(method: str) -> list[str]:
    """The suffixes that can be written (``method="write"``) or read (``"read"``)."""
    return sorted(_known(method))


def _for(path: str | os.PathLike, method: str) -> Any:
    known = _known(method)
    suffix = _suffix(path, known)
    if suffix is None:
        verb = {"write": "written", "read": "read"}[method]
        shown = ", ".join(f"{s} ({key})" for s, key in sorted(known.items())) or "none"
        raise ArgumentError(
            f"{os.fspath(path)}: its suffix names no format that can be {verb}; known: {shown}"
        )
    return get(known[suffix])


def _suffix(path: str | os.PathLike, known: dict[str, str]) -> str | None:
    """The longest known suffix that ``path`` ends in."""
    name = os.path.basename(os.fspath(path)).lower()
    return max((suffix for suffix in known if name.endswith(suffix)), key=len, default=None)


def _known(method: str) -> dict[str, str]:
    """Suffix → key of the format; where two claim a suffix, the one that mathnet brings or the first by key has it."""
    registry = current_runtime().registry
    found: dict[str, str] = {}
    for key in registry.keys("format"):
        made = registry.find("format", key).object
        if callable(getattr(made, method, None)):
            for suffix in made.suffixes:
                found.setdefault(suffix, key)
    return found
