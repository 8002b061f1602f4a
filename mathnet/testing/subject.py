"""Subject: a plugin object under test, with the Runtimes that know it and the samples that show how it is used."""

from __future__ import annotations

import copy
import inspect
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from mathnet.errors import CheckError
from mathnet.plugin.host import Runtime, current_runtime
from mathnet.plugin.records import Record, Sample, record_of_instance

#: A plugin package may name, in this attribute, a dict "kind:key" → samples as ``module:name``.
SAMPLES_ATTRIBUTE = "MATHNET_SAMPLES"


class Bench:
    """The Runtimes in which objects are tried: by thread count, each with the given plugins besides those of the current Runtime."""

    def __init__(self, plugins: Sequence[Any]) -> None:
        self._outer, self._plugins = current_runtime(), plugins
        self._made: dict[int, Runtime] = {}

    def runtime(self, threads: int) -> Runtime:
        if threads not in self._made:
            self._made[threads] = self._outer.like(plugins=self._plugins, threads=threads, seed=0)
        return self._made[threads]


class NoSample(CheckError):
    """An object cannot be tried because it is not known how to make one."""


class Subject:
    """One record under test.

    ``with subject.entered():`` makes a Runtime current that knows it, with the same seed each time.  ``note`` keeps what is worth saying
    of an object that passes.
    """

    def __init__(self, record: Record, bench: Bench, samples: Iterable[Sample] | None = None) -> None:
        self.record, self.bench = record, bench
        self.notes: list[str] = []
        self._given = None if samples is None else list(samples)
        self.cache: dict[Any, Any] = {}  # for checks: what is costly to make twice

    @property
    def kind(self) -> str:
        return self.record.kind

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    @contextmanager
    def entered(self, threads: int = 1) -> Iterator[Runtime]:
        with self.bench.runtime(threads) as runtime, runtime.registered(*self._used):
            runtime.reseed(0)
            yield runtime

    @cached_property
    def _used(self) -> list[Any]:
        """Decorated classes of the objects among the samples' settings: a layer's own cell need not be registered elsewhere."""
        found: list[Any] = []
        for sample in self.declared:
            for value in sample.config.values():
                record = record_of_instance(value)
                if record is not None:
                    found.append(record.object)
        return found

    @contextmanager
    def entered_in_folder(self) -> Iterator[Path]:
        """``entered``, with an empty folder that settings may name by ``{folder}``."""
        with tempfile.TemporaryDirectory(prefix="mathnet-check-") as folder, self.entered():
            yield Path(folder)

    @cached_property
    def declared(self) -> list[Sample]:
        """The samples that somebody gave: the caller, the decorator, or the package's table of samples."""
        if self._given is not None:
            return self._given
        samples = self.record.samples
        found = list(samples() if callable(samples) else samples)
        return found or list(_from_package(self.record))

    @cached_property
    def samples(self) -> list[Sample]:
        """The declared samples, else guessed ones."""
        if self.declared:
            return self.declared
        from mathnet.testing.guessing import guesses

        for sample in guesses(self):
            if self.usable(sample):
                return [sample]
        required = [
            name for name, default in self.record.settings.items() if default is inspect.Parameter.empty
        ]
        needs = f"; its settings without a default are {', '.join(required)}" if required else ""
        raise NoSample(
            f"{self.kind} {self.record.key!r}: no way to use it could be guessed{needs}; give the decorator samples=, such as "
            f"@mn.{self.kind}({self.record.key!r}, samples=[mn.Sample((4,), …)])"
        )

    def usable(self, sample: Sample) -> bool:
        """Whether an object can be made and used in this way."""
        from mathnet.testing.guessing import tried

        try:
            with self.entered_in_folder() as folder:
                tried(self, sample, folder)
        except Exception:
            return False
        return True

    def make(self, sample: Sample, folder: Path | None = None) -> Any:
        """The object with the settings of a sample."""
        return self.record.make(**filled(sample.config, folder))


def filled(config: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """Settings whose texts name a folder by ``{folder}``."""
    return {
        name: value.replace("{folder}", str(folder))
        if folder is not None and isinstance(value, str)
        else copy.deepcopy(value)  # layers among them get weights, which two objects must not share
        for name, value in config.items()
    }


def _from_package(record: Record) -> Sequence[Sample]:
    package = sys.modules.get(record.module.partition(".")[0])
    reference = getattr(package, SAMPLES_ATTRIBUTE, None)
    if not isinstance(reference, str):
        return ()
    module, _, name = reference.partition(":")
    table = getattr(import_module(module), name)
    found = table.get(f"{record.kind}:{record.key}", ())
    return found() if callable(found) else found
