"""Records in use, as the conformance kit uses them: by their samples."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import mathnet as mn
from mathnet.plugin.host import Runtime, current_runtime
from mathnet.plugin.records import Record
from mathnet.testing.subject import Bench, Subject


@lru_cache(maxsize=1)
def _bench(runtime: Runtime) -> Bench:
    bench = Bench([])
    bench.runtime(1).registry.keys(
        "layer"
    )  # the plugins are there before a sample asks for one of their classes
    return bench


def subject(record: Record) -> Subject:
    return Subject(record, _bench(current_runtime()))


def made(record: Record) -> Any:
    """The object with its defaults, or with the settings of its first sample where some have none."""
    try:
        return record.make()
    except (mn.ArgumentError, TypeError):
        used = subject(record)
        return used.make(used.samples[0])
