"""Samples for objects that bring none: settings and inputs that are tried until the object takes them."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mathnet.plugin.records import Sample
from mathnet.testing.subject import Subject
from mathnet.testing.trial import BY_ROWS, WHOLE, trial_of

#: What every setting without a default is given, in turn.
VALUES: tuple[Any, ...] = (3, 2, 0.25, 0.5, (2, 2), "{folder}/file")
LAYER_INPUTS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((4,),), ((5, 4),), ((4, 6, 5),), ((2, 4, 4, 4),), ((4,), (4,)), ((4,), (5,)), ((5, 4), (5, 4)), ((3, 4), (4, 2)), ((4,), (4,), (4,)),
)  # fmt: skip


def guesses(subject: Subject) -> Iterator[Sample]:
    """Samples that may fit, the likeliest first."""
    required, operands = _required(subject)
    configs = [dict.fromkeys(required, value) for value in VALUES] if required else [{}]
    for config, inputs in itertools.product(configs, _inputs(subject.kind)):
        if operands is None or len(inputs) == operands:
            yield Sample(*inputs, **config)


def _required(subject: Subject) -> tuple[list[str], int | None]:
    """Settings without a default, and for operations the number of operands (None: whatever it takes)."""
    record = subject.record
    if record.kind != "op":
        return [name for name, default in record.settings.items() if default is inspect.Parameter.empty], None
    call = record.object.forward if record.is_class else record.object
    taken = list(inspect.signature(call).parameters.values())[1 if record.is_class else 0 :]
    named = [p.name for p in taken if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if any(p.kind is p.VAR_POSITIONAL for p in taken):
        return named, None
    return named, sum(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty for p in taken
    )


def _inputs(kind: str) -> list[tuple]:
    rng = np.random.default_rng(3)
    if kind == "activation":
        return [((4,),), ((6, 4),), (rng.uniform(0.1, 0.9, (5, 4)),)]
    if kind == "layer":
        return [*LAYER_INPUTS, (rng.integers(0, 2, (5, 4)),)]
    if kind in ("loss", "metric"):
        return _pairs(rng)
    if kind in ("regularizer", "constraint"):
        return [((5, 4),), ((4, 4),), ((4,),), ((4, 3, 2, 2),)]
    if kind == "op":
        matrix, square = (3, 4), (3, 3)
        return [(matrix,), (matrix, matrix), (square,), (square, square), (matrix, matrix, matrix), ((4,),)]
    return [()]


def _pairs(rng: np.random.Generator) -> list[tuple]:
    """Predictions and targets: numbers, class indices, probabilities, signs, one number an example, sequences of labels."""
    odds = rng.uniform(0.5, 1.5, (5, 4))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    return [
        ((4,), (4,)),
        ((4,), rng.integers(0, 4, 5)),
        ((4,), probabilities),
        ((4,), rng.choice([-1.0, 1.0], (5, 4))),
        ((), ()),
        ((4,), rng.integers(0, 4, (5, 4))),
        ((6, 4), rng.integers(1, 4, (5, 3))),
    ]


def tried(subject: Subject, sample: Sample, folder: Path) -> None:
    """Makes an object in the way of a sample and uses it once; raises what it raises, or when it gives nothing finite."""
    if subject.kind not in (*BY_ROWS, *WHOLE):
        subject.make(sample, folder)
        return
    trial = trial_of(subject, sample)
    outputs = trial.run(trial.inputs("float64"))
    if not all(np.isfinite(y).all() for y in outputs if y.dtype.kind == "f"):
        raise ValueError("the outputs are not finite")
