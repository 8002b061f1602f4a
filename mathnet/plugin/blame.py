"""Errors that come out of a plugin's code say which plugin it is: key, distribution, version, module, as a note of the exception.

A note leaves class and message of the exception as they are; tracebacks show it, and the command line prints it.
"""

from __future__ import annotations

from typing import Any

from mathnet.plugin.records import Record, record_of_instance
from mathnet.plugin.registry import STANDARD


class blamed:
    """``with blamed(obj, "update"):`` around a call into ``obj``, an instance, a configured object or a record.

    Objects without a record are named by their class.  The standard plugin is not named: its errors are about what the user gave.
    """

    __slots__ = ("method", "obj")

    def __init__(self, obj: Any, method: str = "") -> None:
        self.obj, self.method = obj, method

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, Exception):
            record = self.obj if isinstance(self.obj, Record) else record_of_instance(self.obj)
            if record is not None:
                blame(error, record, self.method)


def blame(error: Exception, record: Record, method: str = "") -> None:
    """Adds the note to ``error``, once."""
    from mathnet.plugin.host import current_runtime

    record = current_runtime().registry.located(record)
    if (record.distribution or record.module.partition(".")[0]) == STANDARD:
        return
    place = f"{method}() of " if method else ""
    origin = (
        f" of {record.distribution} {record.distribution_version or ''}".rstrip()
        if record.distribution
        else ""
    )
    note = f"in {place}{record.kind} {record.key!r}{origin} ({record.module})"
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)
