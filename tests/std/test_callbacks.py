"""Callbacks of the standard plugin, driven as a Trainer drives them."""

import csv
import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import mathnet as mn


def trainer_of(weight=0.0):
    model = SimpleNamespace(parameters={"w": np.array([weight])}, statistics={"m": np.array([weight])})
    return SimpleNamespace(model=model, stop_training=False, steps_per_epoch=2, hyper={})


def run(callback, values, name="val_loss", **more):
    """Feeds one value an epoch, the weight being the epoch's number; returns the trainer and the last epoch."""
    trainer = trainer_of()
    callback.on_train_begin(trainer)
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(trainer, epoch)
        trainer.model.parameters["w"][...] = trainer.model.statistics["m"][...] = epoch
        callback.on_epoch_end(trainer, epoch, {"loss": 0.0, name: value, **more})
        if trainer.stop_training:
            break
    callback.on_train_end(trainer)
    return trainer, epoch


@pytest.mark.parametrize(
    ("settings", "name", "values", "last", "best"),
    [
        ({"patience": 2}, "val_loss", [3.0, 2.0, 2.5, 2.1, 1.0], 3, 1),
        ({"patience": 1}, "val_accuracy", [0.1, 0.2, 0.2, 0.3], 2, 1),
        ({"patience": 1, "mode": "max"}, "val_loss", [1.0, 2.0, 1.5, 3.0], 2, 1),
        ({"patience": 2, "min_delta": 0.5}, "val_loss", [3.0, 2.8, 2.6, 1.0], 2, 0),
        ({"patience": 2}, "val_loss", [float("nan"), 2.0, 1.0, 3.0], 3, 2),
        ({"patience": 0}, "val_loss", [1.0, 1.0], 1, 0),
        ({"patience": 9}, "val_loss", [1.0, 0.5], 1, 1),
    ],
)
def test_early_stopping(settings, name, values, last, best):
    monitor = name if name != "val_loss" else None
    callback = mn.callbacks.EarlyStopping(monitor=monitor, **settings)
    trainer, epoch = run(callback, values, name)
    assert (epoch, callback.best_epoch) == (last, best)
    assert trainer.model.parameters["w"] == trainer.model.statistics["m"] == best


def test_early_stopping_may_leave_the_weights():
    trainer, epoch = run(mn.callbacks.EarlyStopping(patience=1, restore_best=False), [1.0, 2.0, 3.0])
    assert trainer.model.parameters["w"] == epoch == 1


def test_early_stopping_goes_on_from_its_state():
    first = mn.callbacks.EarlyStopping(patience=3)
    trainer = trainer_of()
    for epoch, value in enumerate([1.0, 2.0]):
        first.on_epoch_end(trainer, epoch, {"val_loss": value})
    second = mn.callbacks.EarlyStopping(patience=3)
    second.restore(first.state())
    second.on_train_begin(trainer)
    second.on_epoch_end(trainer, 2, {"val_loss": 2.0})
    assert not trainer.stop_training
    second.on_epoch_end(trainer, 3, {"val_loss": 2.0})
    assert trainer.stop_training and (second.best, second.best_epoch) == (1.0, 0)


def test_early_stopping_refuses_what_it_cannot_monitor():
    with pytest.raises(mn.ArgumentError, match="no 'val_acuracy' to monitor; the history has loss, val_loss"):
        run(mn.callbacks.EarlyStopping("val_acuracy"), [1.0])
    with pytest.raises(mn.ArgumentError, match="patience"):
        mn.callbacks.EarlyStopping(patience=-1)
    with pytest.raises(mn.ArgumentError, match="mode"):
        mn.callbacks.EarlyStopping(mode="least")


@pytest.mark.parametrize(("loss", "stops"), [(1.0, False), (float("nan"), True), (float("inf"), True)])
def test_terminate_on_nan(loss, stops):
    trainer = trainer_of()
    mn.callbacks.TerminateOnNaN().on_step_end(trainer, 0, loss)
    assert trainer.stop_training is stops


def test_csv_log(tmp_path):
    path = tmp_path / "log.csv"
    run(mn.callbacks.CSVLog(path), [0.5, 0.25])
    run(mn.callbacks.CSVLog(path, append=True), [0.125])
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["epoch", "loss", "val_loss"],
        ["0", "0.0", "0.5"],
        ["1", "0.0", "0.25"],
        ["0", "0.0", "0.125"],
    ]
    with pytest.raises(
        mn.DataError, match=r"has the columns epoch, loss, val_loss, but this training gives .*, extra"
    ):
        run(mn.callbacks.CSVLog(path, append=True), [0.5], extra=1.0)
    first, resumed = mn.callbacks.CSVLog(path), mn.callbacks.CSVLog(path)
    run(first, [1.0])
    assert path.read_text().count("\n") == 2
    resumed.restore(first.state())
    run(resumed, [2.0])
    assert path.read_text().count("\n") == 3


def test_progress_is_silent_off_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    run(mn.callbacks.Progress(), [0.5])
    assert stream.getvalue() == ""
    callback, trainer = mn.callbacks.Progress(always=True), trainer_of()
    callback.on_epoch_begin(trainer, 0)
    callback.on_step_end(trainer, 0, 0.75)
    callback.on_epoch_end(trainer, 0, {"loss": 0.5, "accuracy": 0.9})
    assert "epoch 1" in stream.getvalue() and "loss 0.5, accuracy 0.9" in stream.getvalue()
