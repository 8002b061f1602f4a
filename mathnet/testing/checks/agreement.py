"""Agreement: element types, memory layouts, threads, repetitions, arrays and tensors."""

from __future__ import annotations

import numpy as np

from mathnet.graph.tree import flatten
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require, require_same
from mathnet.testing.trial import BY_ROWS, MANY, WHOLE, Leaves, Trial, trials

NUMERIC = (*BY_ROWS, *WHOLE)


@check(*NUMERIC)
def float_types(subject: Subject) -> None:
    """float32 and float64 in give the same type out, and agree within float32's precision."""
    for trial in trials(subject):
        if not any(a.dtype.kind == "f" for a in trial.inputs()):
            continue
        single, double = trial.run(trial.inputs("float32")), trial.run(trial.inputs("float64"))
        for position, (a, b) in enumerate(zip(single, double)):
            if b.dtype.kind != "f":
                require(
                    a.dtype == b.dtype,
                    f"output {position} is {a.dtype} for float32 and {b.dtype} for float64",
                )
                continue
            for value, wanted in ((a, np.float32), (b, np.float64)) if subject.kind != "metric" else ():
                require(
                    value.dtype == wanted,
                    f"output {position} has the type {value.dtype} for {np.dtype(wanted)} inputs; is there an array of another type in it?",
                )
            _close(a, b, f"output {position}")


@check(*NUMERIC)
def float_types_of_derivatives(subject: Subject) -> None:
    """Gradients in float32 and float64 agree within float32's precision, and none is NaN or infinite."""
    if subject.kind in ("metric", "constraint") or not _differentiable(subject):
        return
    for trial in trials(subject):
        if not any(a.dtype.kind == "f" for a in trial.inputs()) or not any(
            y.dtype.kind == "f" for y in trial.run(trial.inputs())
        ):
            continue
        for position, (a, b) in enumerate(zip(trial.gradients("float32"), trial.gradients("float64"))):
            require(np.isfinite(b).all(), f"the derivative by {trial.name(position)} is not finite: {b}")
            _close(a, b, f"derivative by {trial.name(position)}")


def _differentiable(subject: Subject) -> bool:
    return not (subject.kind == "op" and subject.record.is_class and subject.record.object.vjp is None)


def _close(single: np.ndarray, double: np.ndarray, what: str) -> None:
    require(
        single.shape == double.shape, f"{what}: shape {single.shape} in float32, {double.shape} in float64"
    )
    scale = float(np.max(np.abs(double), initial=0.0, where=np.isfinite(double)))
    error = np.abs(single.astype(np.float64) - double)
    agree = (error <= 1e-3 * np.abs(double) + 1e-4 * max(scale, 1e-3)) | (single == double) | np.isnan(double)
    if not agree.all():
        at = tuple(int(i) for i in np.argwhere(~agree)[0])
        raise AssertionError(f"{what} is {single[at]!r} in float32 and {double[at]!r} in float64 at {at}")


@check(*NUMERIC)
def memory_layout(subject: Subject) -> None:
    """Non-contiguous and read-only inputs give the same bits, and no input is written to."""
    for trial in trials(subject):
        inputs = trial.inputs()
        expected = trial.run(inputs)
        for how, changed in (
            ("non-contiguous", _spaced(inputs)),
            ("column-major", _turned(inputs)),
            ("read-only", _locked(inputs)),
        ):
            _same(trial.run(changed), expected, f"{how} inputs give other values")
            for position, (before, after) in enumerate(zip(inputs, changed)):
                require(np.array_equal(before, after), f"{trial.name(position)} was written to")
        given = [a.copy() for a in inputs]
        trial.direct(given)
        for position, (before, after) in enumerate(zip(inputs, given)):
            require(
                np.array_equal(before, after), f"{trial.name(position)} was written to by a call on arrays"
            )


def _spaced(arrays: Leaves) -> Leaves:
    """The same values in every second place of a wider array."""
    return [np.repeat(a, 2, axis=-1)[..., ::2] if a.ndim else a for a in arrays]


def _turned(arrays: Leaves) -> Leaves:
    return [np.asfortranarray(a) for a in arrays]


def _locked(arrays: Leaves) -> Leaves:
    copies = [a.copy() for a in arrays]
    for array in copies:
        array.flags.writeable = False
    return copies


@check(*NUMERIC)
def thread_agreement(subject: Subject) -> None:
    """One thread and two give the same bits."""
    for trial in trials(subject):
        inputs = _large(trial)
        _same(
            trial.run(inputs, threads=2), trial.run(inputs, threads=1), "two threads give other bits than one"
        )


def _large(trial: Trial) -> Leaves:
    """Inputs that several threads share: many examples, or the sample's own where the size is part of the sample."""
    if not trial.by_rows:
        return trial.inputs()
    per_row = max(1, sum(a[:1].size for a in trial.inputs(rows=1)))
    heavy = trial.subject.kind == "layer"
    return trial.inputs(rows=max(16, min(64 if heavy else MANY, MANY // per_row)))


@check(*NUMERIC)
def determinism(subject: Subject) -> None:
    """The same inputs give the same bits: again, after other inputs, and from a new object."""
    for trial in trials(subject):
        inputs = trial.inputs()
        expected = trial.run(inputs)
        _same(trial.run(inputs), expected, "a second run gives other values")
        trial.run([-a if a.dtype.kind == "f" else a for a in trial.inputs()])
        _same(trial.run(inputs), expected, "after a run on other inputs it gives other values")
        _same(
            trial.run(inputs, fresh=True), expected, "a new object from the same settings gives other values"
        )


@check("activation", "loss", "metric", "regularizer", "constraint", "op")
def arrays_and_tensors(subject: Subject) -> None:
    """Called on arrays it gives what it gives in a graph, also a second time."""
    for trial in trials(subject):
        inputs = trial.inputs("float64")
        expected = trial.run(inputs)
        with subject.entered():
            made = trial.callable("float64")
            if hasattr(made, "named_variables"):
                continue
            for turn in ("", " the second time"):
                direct = [np.asarray(y) for y in flatten(made(*inputs))[0]]
                require(
                    len(direct) == len(expected)
                    and all(
                        a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True)
                        for a, b in zip(direct, expected)
                    ),
                    f"called on arrays{turn} it gives {_short(direct)}, but in a graph {_short(expected)}",
                )


def _short(arrays: Leaves) -> str:
    return ", ".join(np.array2string(a.ravel()[:4], precision=6) for a in arrays)


def _same(found: Leaves, expected: Leaves, message: str) -> None:
    require(len(found) == len(expected), f"{message}: {len(found)} outputs instead of {len(expected)}")
    for position, (a, b) in enumerate(zip(found, expected)):
        require_same(a, b, f"{message}: output {position}")
