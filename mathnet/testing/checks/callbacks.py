"""Callbacks: in a small training, and again from stored state."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.model.values import Encoder
from mathnet.testing.small_models import Affine, Descent, squares
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require


def _fit(callback: Any, progress: bool = False) -> mn.Model:
    rng = np.random.default_rng(2)
    features, targets = (
        rng.standard_normal((12, 3)).astype("float32"),
        rng.standard_normal((12, 2)).astype("float32"),
    )
    x = mn.Input((3,))
    model = mn.Model(x, Affine()(x))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        model.fit(
            features, targets, loss=squares, optimizer=Descent(), epochs=3, batch_size=4, validation_split=0.25, seed=0,
            callbacks=[callback], progress=False,
        )  # fmt: skip
    return model


@check("callback")
def a_training(subject: Subject) -> None:
    """A training of three epochs with it ends without an error, twice with one object, and its weights are finite."""
    for sample in subject.samples:
        with subject.entered_in_folder() as folder, mn.registered(Affine):
            made = subject.make(sample, Path(folder))
            require(isinstance(made, mn.Callback), "it is no mn.Callback")
            for _ in range(2):
                for name, values in _fit(made).parameters.items():
                    require(
                        np.isfinite(values).all(),
                        f"after a training with it the weight {name!r} is not finite",
                    )


@check("callback")
def state_round_trip(subject: Subject) -> None:
    """``state()`` holds plain values and arrays, and a new object that restores it returns the same."""
    for sample in subject.samples:
        with subject.entered_in_folder() as folder, mn.registered(Affine):
            made = subject.make(sample, Path(folder))
            _fit(made)
            state = made.state()
            require(isinstance(state, dict), f"state() returned {type(state).__name__} instead of a dict")
            coded = Encoder("a checkpoint").encode(state, "state() of the callback")
            again = subject.make(sample, Path(folder))
            again.restore(state)
            found = Encoder("a checkpoint").encode(again.state(), "state() of the callback")
            require(found == coded, f"after restore() its state is {again.state()} instead of {state}")
