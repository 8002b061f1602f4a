"""What stands behind ``mn.layers``, ``mn.losses`` and the other namespaces: attributes and keys of one kind, found when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from mathnet.errors import nearest
from mathnet.plugin.host import current_runtime
from mathnet.plugin.records import KINDS, RECORD_ATTRIBUTE, Record, public_name


class Factory:
    """Makes configured objects of a registered function: ``mn.regularizers.L2(1e-4)``; given itself, it stands for its defaults."""

    def __init__(self, record: Record) -> None:
        self.record = record
        setattr(self, RECORD_ATTRIBUTE, record)
        self.__name__ = self.__qualname__ = public_name(record)
        self.__doc__ = record.object.__doc__
        self.__module__ = f"mathnet.{record.plural}"

    def __call__(self, *values: Any, **settings: Any) -> Any:
        return self.record.make(*values, **settings)

    def __repr__(self) -> str:
        return f"<{self.record.kind} {self.__name__} ({', '.join(self.record.settings)})>"


@lru_cache(maxsize=1024)
def _attribute(record: Record, name: str) -> Any:
    """What a namespace holds for a record: a class, a function under its key, a factory under its public name.

    An operation is ready to be called: the function, or the one instance of its class.
    """
    if record.kind == "op":
        return record.object() if record.is_class else record.object
    if record.is_class or (name == record.key and name != public_name(record)):
        return record.object
    return Factory(record)


def namespace(
    kind: str, *functions: str
) -> tuple[Callable[[str], Any], Callable[[], list[str]], Callable[..., Any]]:
    """``__getattr__``, ``__dir__`` and ``get`` of the module that holds the objects of ``kind``, and ``functions`` of its own."""
    plural = KINDS[kind].plural

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"module 'mathnet.{plural}' has no attribute {name!r}")
        registry = current_runtime().registry
        record = registry.find_name(kind, name)
        if record is None:
            hint = registry.elsewhere(kind, name) or nearest(name, registry.names(kind))
            raise AttributeError(f"mathnet.{plural} has no {name!r}{hint}")
        return _attribute(record, name)

    def __dir__() -> list[str]:
        return ["get", *functions, *current_runtime().registry.names(kind)]

    def get(key: Any, /, **config: Any) -> Any:
        return current_runtime().registry.get(kind, key, **config)

    get.__doc__ = f"""The {kind} registered under ``key``, with the given settings.

    None, a function or an object instead of a key is returned ready for use: what a constructor takes as ``{kind}=``.
    Raises UnknownKeyError with near names, and ArgumentError for a setting that it does not have or for something else.
    """
    get.__module__ = f"mathnet.{plural}"
    return __getattr__, __dir__, get
