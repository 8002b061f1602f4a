"""check_plugin, check_op and parametrize_with_checks: the table of checks applied to objects and modules."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mathnet.errors import ArgumentError, CheckError, PluginError, PluginWarning, nearest
from mathnet.plugin.offers import load_module
from mathnet.plugin.records import Configured, Record, Sample, record_of
from mathnet.testing.subject import Bench, NoSample, Subject
from mathnet.testing.table import Check, checks_of


@dataclasses.dataclass(frozen=True)
class Checked:
    """What the kit found in objects that passed.

    passed: (kind, key, check) of each; advice: (kind, key, check, message) of what should be better; notes: (kind, key, text), among
    them the kinks that were met.
    """

    passed: list[tuple[str, str, str]]
    advice: list[tuple[str, str, str, str]]
    notes: list[tuple[str, str, str]]

    @property
    def objects(self) -> list[tuple[str, str]]:
        """(kind, key) of everything that was checked."""
        return list(dict.fromkeys((kind, key) for kind, key, _ in self.passed))

    def __repr__(self) -> str:
        return f"<{len(self.objects)} plugin objects passed {len(self.passed)} checks, {len(self.advice)} pieces of advice>"


def check_plugin(
    target: Any, *, samples: Iterable[Sample] | None = None, strict: bool = False, only: str | None = None
) -> Checked:
    """Runs the conformance kit on a plugin object, or on every object of a plugin module.

    target: a decorated function or class, a configured one (``mn.regularizers.L2(0.1)``), a plugin module or its name.
    samples: ways to use a single object, in place of those that its decorator gives and of guesses; strict: advice (docstrings) counts as
    failure, else it is a PluginWarning; only: the name of one check.

    Raises CheckError (an AssertionError) that lists key and message of every failed check, PluginError when ``target`` is no plugin.

    >>> import mathnet as mn
    >>> @mn.activation("cube")
    ... def cube(x):
    ...     \"\"\"x³.\"\"\"
    ...     return x * x * x
    >>> mn.testing.check_plugin(cube).objects
    [('activation', 'cube')]
    """
    subjects = subjects_of(target, samples)
    passed, advice, notes, failures = [], [], [], []
    for subject in subjects:
        chosen = checks_of(subject.kind)
        if only is not None:
            names = [entry.name for entry in chosen]
            if only not in names:
                raise ArgumentError(
                    f"check_plugin: no check of a {subject.kind} is named {only!r}{nearest(only, names)}"
                )
            chosen = [entry for entry in chosen if entry.name == only]
        found = run_checks(subject, chosen)
        for entry, message in found:
            place = (subject.kind, subject.record.key, entry.name)
            if message is None:
                passed.append(place)
            elif entry.advice and not strict:
                advice.append((*place, message))
            else:
                failures.append((*place, message))
        notes += [(subject.kind, subject.record.key, text) for text in subject.notes]
    if failures:
        raise CheckError(worded(failures), failures)
    for kind, key, name, message in advice:
        warnings.warn(f"{kind} {key!r}: {name}: {message}", PluginWarning, stacklevel=2)
    return Checked(passed, advice, notes)


def run_checks(subject: Subject, checks: Sequence[Check]) -> list[tuple[Check, str | None]]:
    """Each check with None, or with the message of its failure."""
    found: list[tuple[Check, str | None]] = []
    for entry in checks:
        message = failure(subject, entry)
        found.append((entry, message))
        if entry.name == "sample" and message is not None:
            return found  # the others would only say the same
    return found


def failure(subject: Subject, entry: Check) -> str | None:
    """What a check says of a subject; None when it passes."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # NumPy's, on extreme values
            entry.run(subject)
    except AssertionError as error:  # CheckError too
        return str(error) or "an assertion failed"
    except Exception as error:
        notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
        return f"it raised {type(error).__name__}: {error}{notes}"
    return None


def worded(failures: Sequence[tuple[str, str, str, str]]) -> str:
    """All failures as text, object by object."""
    lines = []
    for kind, key in dict.fromkeys((kind, key) for kind, key, _, _ in failures):
        mine = [(name, message) for k, other, name, message in failures if (k, other) == (kind, key)]
        lines.append(f"{kind} {key!r} fails {len(mine)} check{'s' if len(mine) > 1 else ''}:")
        lines += [f"  {name}: {message}" for name, message in mine]
    return "\n".join(lines)


def check_op(op: Any, *inputs: Any, **settings: Any) -> Checked:
    """Runs the kit on an operation: a HostOp, or a function of tensors, decorated or not.

    inputs: arrays, or shapes that stand for normal numbers; settings: its keywords.  Without inputs they are guessed.
    Raises CheckError as :func:`check_plugin` does.

    >>> import mathnet as mn
    >>> mn.testing.check_op(lambda x, y: mn.tanh(x) * y, (3, 4), (3, 4)).objects
    [('op', 'lambda')]
    """
    record = record_of(op)
    if record is None:
        from mathnet.plugin.records import OpRecord, snake_case

        if isinstance(op, str) or not callable(op):
            raise ArgumentError(f"check_op: a HostOp class or a function is needed, not {op!r}")
        name = snake_case(getattr(op, "__name__", "operation")).strip("_<>") or "operation"
        record = OpRecord(key=name, object=op, module=getattr(op, "__module__", "") or "")
        if not (op.__doc__ or "").strip():
            record = dataclasses.replace(record, object=_documented(op))
    samples = [Sample(*inputs, **settings)] if inputs or settings else None
    subject = Subject(record, Bench([]), samples)
    found = run_checks(subject, checks_of("op"))
    failures = [
        ("op", record.key, entry.name, message)
        for entry, message in found
        if message is not None and not entry.advice
    ]
    if failures:
        raise CheckError(worded(failures), failures)
    return Checked(
        [("op", record.key, entry.name) for entry, message in found if message is None],
        [("op", record.key, entry.name, message) for entry, message in found if message is not None],
        [("op", record.key, text) for text in subject.notes],
    )


def _documented(op: Callable) -> Callable:
    """An undecorated function need not be documented."""
    if inspect.isclass(op):
        return op
    call = functools.wraps(op)(lambda *values, **settings: op(*values, **settings))
    call.__doc__ = "An operation under test."
    return call


def parametrize_with_checks(targets: Any) -> Callable[[Callable], Callable]:
    """Makes a test of two arguments, ``obj`` and ``check``, run once for every object in ``targets`` and every check of its kind.

    targets: a plugin object, a module or its name, or a list of them.  The test calls ``check(obj)``, which raises CheckError.  pytest is
    needed.

    >>> import mathnet as mn, mathnet_std.regularizers
    >>> @mn.testing.parametrize_with_checks([mathnet_std.regularizers.l2])
    ... def test_conformance(obj, check):
    ...     check(obj)
    """
    import pytest

    cases = []
    for target in targets if isinstance(targets, (list, tuple)) else [targets]:
        for subject in subjects_of(target):
            for entry in checks_of(subject.kind):
                label = f"{subject.kind}:{subject.record.key}-{entry.name}"
                cases.append(pytest.param(subject.record.object, _bound(subject, entry), id=label))
    return pytest.mark.parametrize(("obj", "check"), cases)


def _bound(subject: Subject, entry: Check) -> Callable[[Any], None]:
    def check(obj: Any) -> None:
        """Raises CheckError when the object does not keep the promise."""
        message = failure(subject, entry)
        if message is not None:
            found = [(subject.kind, subject.record.key, entry.name, message)]
            raise CheckError(worded(found), found)

    check.__name__ = entry.name
    return check


def subjects_of(target: Any, samples: Iterable[Sample] | None = None) -> list[Subject]:
    """The objects under test: one, or all that a plugin offers."""
    if isinstance(target, str):
        target = load_module(target)
    record = record_of(target)
    if record is not None:
        if samples is None and isinstance(target, Configured):
            samples = [
                Sample(*given.inputs, **target.config)
                for given in Subject(record, Bench([target.record.object])).samples
            ]
        return [Subject(record, _bench(record), samples)]
    if samples is not None:
        raise ArgumentError("check_plugin: samples= belong to one decorated object")
    bench = Bench([target])
    records = bench.runtime(1).offered_by(target)
    if not records:
        raise PluginError(
            f"{target!r} offers no plugin objects; return them from hooks such as mathnet_activations()"
        )
    return [Subject(record, bench) for record in records]


def _bench(record: Record) -> Bench:
    bench = Bench([record.object])
    bench.runtime(1)  # PluginError when its key is taken
    return bench


__all__ = [
    "Checked",
    "NoSample",
    "check_op",
    "check_plugin",
    "parametrize_with_checks",
    "run_checks",
    "subjects_of",
]
