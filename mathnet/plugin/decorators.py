"""The decorators of the public face: ``@mn.activation("swish")`` and its kin.

A decorated object stays what it was and registers nothing; hooks, ``mn.register`` or passing the object itself do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mathnet.errors import PluginError
from mathnet.plugin.records import KINDS, RECORD_ATTRIBUTE, Sample

T = TypeVar("T")


def _decorator(kind: str) -> Callable[..., Callable[[T], T]]:
    record_type = KINDS[kind]

    def decorator(
        key: str,
        *,
        version: int = 1,
        name: str = "",
        gradient: str | None = None,
        replaces: str | None = None,
        yields: bool = False,
        static: tuple[str, ...] | str = (),
        samples: Sequence[Sample] | Callable[[], Sequence[Sample]] = (),
        promises: tuple[str, ...] | str = (),
        upgrade: Callable[[dict[str, Any], int], dict[str, Any]] | None = None,
        direction: str | None = None,
    ) -> Callable[[T], T]:
        if not isinstance(key, str):
            raise PluginError(
                f'@mn.{kind} needs a key: write @mn.{kind}("my_key") above {getattr(key, "__name__", key)!r}'
            )

        def attach(obj: T) -> T:
            record = record_type(
                key=key,
                object=obj,
                version=version,
                name=name,
                module=getattr(obj, "__module__", "") or "",
                gradient=gradient,
                replaces=replaces,
                yields=yields,
                static=(static,) if isinstance(static, str) else tuple(static),
                samples=samples if callable(samples) else tuple(samples),
                promises=(promises,) if isinstance(promises, str) else tuple(promises),
                upgrade=upgrade,
                direction=direction,
            )
            unknown = [argument for argument in record.static if argument not in record.settings]
            if unknown:
                raise PluginError(
                    f"@mn.{kind}({key!r}): static names {unknown[0]!r}, which is no setting of {obj!r}"
                )
            setattr(obj, RECORD_ATTRIBUTE, record)
            return obj

        return attach

    decorator.__name__ = decorator.__qualname__ = kind
    article = "an" if kind[0] in "aeiou" else "a"
    decorator.__doc__ = f"""Declares {article} {kind} under ``key``.

    {record_type.__doc__}

    version: raised when the meaning changes, stored in model files; name: the attribute in ``mn.{record_type.plural}`` (default: the
    class's name, or the key in CapWords); gradient: ``"surrogate"`` for a straight-through derivative; replaces: the distribution
    whose object of this key gives way; yields: this one gives way itself to any other of its key; static: float settings that are
    constants of a plan; samples: a list of ``mn.Sample``, or a function that returns one, with which the conformance kit tries the object;
    promises: properties that the kit proves, of
    {", ".join(record_type.known_promises) or "which this kind has none"}; upgrade: ``f(config, version)``, the settings that mean now what
    ``config`` meant in that older version, for files that were written then; direction: of a metric, ``"max"`` when larger values are
    better, or ``"min"``.

    Raises PluginError when the object cannot be {article} {kind}.
    """
    return decorator


activation = _decorator("activation")
regularizer = _decorator("regularizer")
constraint = _decorator("constraint")
loss = _decorator("loss")
metric = _decorator("metric")
schedule = _decorator("schedule")
initializer = _decorator("initializer")
optimizer = _decorator("optimizer")
layer = _decorator("layer")
callback = _decorator("callback")
op = _decorator("op")
distribution = _decorator("distribution")
format = _decorator("format")
report = _decorator("report")

__all__: list[Any] = [*KINDS]
