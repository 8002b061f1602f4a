"""How a registered object is called, as it is written in a program: for ``mathnet explain`` and the reference pages."""

from __future__ import annotations

import inspect
from typing import Any

from mathnet.plugin.records import Record, public_name, record_of_instance


def signature(record: Record) -> str:
    """The call with the settings and their defaults.

    >>> import mathnet as mn
    >>> signature(mn.Runtime(autoload=False).registry.find("regularizer", "l1_l2"))
    'mn.regularizers.L1L2(l1=0.01, l2=0.01)'
    """
    given = [
        name if default is inspect.Parameter.empty else f"{name}={_written(default)}"
        for name, default in record.settings.items()
    ]
    return f"mn.{record.plural}.{public_name(record)}({', '.join(given)})"


def _written(default: Any) -> str:
    """A default as code; of an object its key."""
    record = record_of_instance(default)
    return repr(default) if record is None else repr(record.key)
