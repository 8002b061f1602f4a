"""Settings as plain values and back; models that hold the object, saved and loaded."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.model.values import Decoder, Encoder
from mathnet.plugin.records import Configured, config_of
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import Trial, trials

STORED = (
    "activation",
    "layer",
    "loss",
    "metric",
    "regularizer",
    "constraint",
    "optimizer",
    "schedule",
    "initializer",
)


@check(*STORED)
def config_round_trip(subject: Subject) -> None:
    """An object made from stored settings has the same settings."""
    for sample in subject.samples:
        with subject.entered_in_folder() as folder:
            made = subject.make(sample, folder)
            again = _restored(made)
            if subject.kind == "layer":
                wanted, found = repr(made), repr(again)
            else:
                wanted, found = repr(_config(made)), repr(_config(again))
            require(found == wanted, f"after storing, the settings are {found} instead of {wanted}")


def _restored(made: Any) -> Any:
    coder = Encoder("the object")
    coded = coder.encode(made, "it")
    return Decoder(coder.tensors, coder.layers, coder.symbols).decode(coded)


def _config(made: Any) -> dict[str, Any]:
    return made.config if isinstance(made, Configured) else config_of(made)


@check("activation", "layer")
def save_and_load(subject: Subject) -> None:
    """A saved and loaded model computes the same bits, and has the same layers and weights."""
    for trial in trials(subject):
        with subject.entered_in_folder() as folder:
            model = _saveable(subject, trial)
            path = os.path.join(folder, "model.mathnet")
            model.save(path)
            again = mn.load(path)
            require(
                repr(again.layers) == repr(model.layers),
                f"the loaded layers are {again.layers!r} instead of {model.layers!r}",
            )
            require(list(again.parameters) == list(model.parameters), "the loaded model has other parameters")
            inputs = trial.inputs()
            given = inputs[0] if len(inputs) == 1 else inputs
            for a, b in zip(_leaves(again(given)), _leaves(model(given))):
                require(
                    np.array_equal(a, b, equal_nan=a.dtype.kind == "f"),
                    "the loaded model computes other bits",
                )


def _saveable(subject: Subject, trial: Trial) -> mn.Model:
    if subject.kind == "layer" or subject.record.is_class:
        return trial.model(fresh=True)  # type: ignore[attr-defined]
    inputs = [mn.Input(a.shape[1:]) for a in trial.inputs()]
    return mn.Model(inputs[0], mn.layers.get("activation", activation=subject.make(trial.sample))(inputs[0]))


def _leaves(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, (list, tuple)) else [value]
