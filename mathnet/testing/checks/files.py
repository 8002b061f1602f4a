"""Formats and reports: on a small model."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.testing.small_models import Affine, Descent, small_model
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require


def _weights(model: mn.Model) -> dict[str, np.ndarray]:
    return {name: np.array(values) for name, values in model.parameters.items()}


def _unchanged(before: dict[str, np.ndarray], model: mn.Model, what: str) -> None:
    require(
        all(np.array_equal(before[k], v) for k, v in _weights(model).items()),
        f"{what} changes the model's weights",
    )


@check("format")
def write_and_read(subject: Subject) -> None:
    """A model is written to a file, stays as it is, and, where the format reads too, comes back with the same predictions."""
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3) / 6.0
    for sample in subject.samples:
        with subject.entered_in_folder() as folder:
            made: Any = subject.make(sample, folder)
            with mn.registered(Affine):
                model = small_model()
                before = _weights(model)
                for suffix in made.suffixes:
                    path = folder / f"model{suffix}"
                    if not hasattr(made, "write"):
                        continue
                    made.write(model, str(path))
                    require(
                        path.is_file() and path.stat().st_size > 0,
                        f"write() left no file at the path it was given ({path.name})",
                    )
                    _unchanged(before, model, "write()")
                    if hasattr(made, "read"):
                        again = made.read(str(path))
                        require(
                            np.allclose(again(x), model(x), rtol=1e-5),
                            f"{path.name} read back predicts something else",
                        )


@check("format")
def missing_files(subject: Subject) -> None:
    """Reading what is no file of this format is an OSError, a mathnet error or a ValueError, not a crash."""
    for sample in subject.samples:
        with subject.entered_in_folder() as folder:
            made: Any = subject.make(sample, folder)
            if not hasattr(made, "read"):
                continue
            path = folder / f"other{made.suffixes[0]}"
            path.write_bytes(b"not of this format")
            try:
                made.read(str(path))
            except (OSError, ValueError, mn.MathnetError):
                continue
            raise AssertionError(
                "it read a file that is not of its format without an error; raise mn.FileFormatError"
            )


@check("report")
def report(subject: Subject) -> None:
    """A model or its trainer gives a Report or a text, as JSON too, the same twice, and the model stays as it is."""
    for sample in subject.samples:
        with subject.entered(), mn.registered(Affine):
            model = small_model()
            before = _weights(model)
            trainer = mn.Trainer(
                model, loss=lambda y, t: mn.sum(mn.square(y - t), axis=1), optimizer=Descent()
            )
            refused: list[Exception] = []
            for name, what in (("model", model), ("trainer", trainer)):
                made: Any = subject.make(sample)
                try:
                    found = mn.Report.of(made(what), subject.record.key)
                except Exception as error:
                    refused.append(error)
                    subject.note(f"report: it takes no {name} ({type(error).__name__}: {error})")
                    continue
                require(found.text.strip(), "the report has no text")
                json.dumps(found.as_dict())
                again = mn.Report.of(made(what), subject.record.key)
                require(str(again) == str(found), "a second report says something else")
                _unchanged(before, model, "the report")
            if len(refused) == 2:
                raise refused[0]
