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


def linear_trainer(rate=0.1, metrics=(), loss="mse", optimizer=None, dtype="float64", **settings):
    with mn.Runtime(autoload=False, seed=0):
        inputs = mn.Input((3,), dtype=dtype)
        model = mn.Model(inputs, mn.layers.Dense(2, name="out")(inputs))
    optimizer = mn.optimizers.SGD(rate) if optimizer is None else optimizer
    return mn.Trainer(model, loss, optimizer, metrics=metrics, **settings)


def examples(rows=12):
    rng = np.random.default_rng(5)
    return rng.standard_normal((rows, 3)), rng.standard_normal((rows, 2))


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


@pytest.mark.parametrize(("metric", "best"), [("f1", 1), ("perplexity", 0)])
def test_early_stopping_knows_which_values_of_a_metric_are_better(metric, best):
    trainer = linear_trainer(rate=0.0, metrics=[metric])
    callback = mn.callbacks.EarlyStopping(metric, patience=9)
    callback.on_train_begin(trainer)
    for epoch, value in enumerate([1.0, 2.0, 1.5]):
        callback.on_epoch_end(trainer, epoch, {"loss": 0.0, metric: value})
    assert callback.best_epoch == best
    with pytest.raises(mn.ArgumentError, match="'confusion_matrix' is an array"):
        callback = mn.callbacks.EarlyStopping("confusion_matrix")
        callback.on_epoch_end(trainer, 0, {"loss": 0.0, "confusion_matrix": np.eye(2)})


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


# ---- plateau ----
def reduced(values, rate, factor, patience, threshold, mode, threshold_mode, cooldown, minimum):
    """PyTorch's ReduceLROnPlateau, written out; the rate after each value."""
    best, bad, cooling = (np.inf if mode == "min" else -np.inf), 0, 0
    for value in values:
        step = abs(best) * threshold if threshold_mode == "rel" else threshold
        step = 0.0 if np.isinf(best) else step
        if value < best - step if mode == "min" else value > best + step:
            best, bad = value, 0
        else:
            bad += 1
        if cooling:
            cooling, bad = cooling - 1, 0
        if bad > patience:
            lower = max(rate * factor, minimum)
            rate = lower if rate - lower > 1e-8 else rate
            cooling, bad = cooldown, 0
        yield rate


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (1, 0), (2, 3)])
def test_plateau_reduces_as_in_pytorch(mode, threshold_mode, patience, cooldown):
    values = np.random.default_rng(patience).uniform(1.0, 2.0, 40)
    values[5] = np.nan
    settings = {"factor": 0.5, "patience": patience, "threshold": 0.1, "threshold_mode": threshold_mode}
    settings |= {"cooldown": cooldown, "mode": mode}
    trainer = linear_trainer(rate=1.0)
    callback = mn.callbacks.Plateau("figure", minimum=1e-3, **settings)
    expected = list(reduced(values, rate=1.0, minimum=1e-3, **settings))
    callback.on_train_begin(trainer)
    for epoch, value in enumerate(values):
        if epoch == 20:  # resumed
            state, callback = callback.state(), mn.callbacks.Plateau("figure", minimum=1e-3, **settings)
            callback.restore(state)
            callback.on_train_begin(trainer)
        callback.on_epoch_end(trainer, epoch, {"loss": 0.0, "figure": float(value)})
        assert trainer.hyper["learning_rate"] == pytest.approx(expected[epoch], rel=1e-12), epoch
    assert expected[-1] < 1.0


def test_plateau_acts_on_any_hyper_parameter_and_on_groups():
    x, y = examples()
    trainer = linear_trainer(optimizer=mn.optimizers.SGD(0.5), groups={"*/bias": {"learning_rate": 0.25}})
    names = ("learning_rate", "*/bias.learning_rate")
    trainer.fit(
        x, y, epochs=3, callbacks=[mn.callbacks.Plateau("loss", names, 0.5, patience=1, threshold=1.0)]
    )
    assert [trainer.hyper[name] for name in names] == [0.25, 0.125]
    trainer = linear_trainer(clip_norm=4.0)
    trainer.fit(
        x, y, epochs=2, callbacks=[mn.callbacks.Plateau("loss", "clip_norm", 0.5, patience=0, threshold=1.0)]
    )
    assert trainer.hyper["clip_norm"] == 2.0


def test_plateau_counts_epochs_with_validation_alone():
    trainer, callback = linear_trainer(rate=1.0), mn.callbacks.Plateau(patience=0)
    callback.on_train_begin(trainer)
    trainer.validated = True
    callback.on_epoch_end(trainer, 0, {"loss": 1.0, "val_loss": 1.0})
    trainer.validated = False
    callback.on_epoch_end(trainer, 1, {"loss": 1.0, "val_loss": float("nan")})
    assert trainer.hyper["learning_rate"] == 1.0


def test_the_schedules_point_to_the_callback():
    for use in (lambda: mn.optimizers.SGD("plateau"), lambda: mn.schedules.get("plateau")):
        with pytest.raises(
            mn.UnknownKeyError, match=r"there is a callback of that name: mn\.callbacks\.Plateau"
        ):
            use()
    with pytest.raises(AttributeError, match=r"mn\.callbacks\.Plateau"):
        mn.schedules.Plateau  # noqa: B018
    with pytest.raises(mn.UnknownKeyError, match=r"there is an optimizer of that name: mn\.optimizers\.SGD"):
        mn.losses.get("sgd")


# ---- schedule ----
def test_schedule_sets_a_hyper_parameter_for_each_epoch():
    class Rates(mn.Callback):
        def __init__(self):
            self.seen = []

        def on_step_end(self, trainer, step, loss):
            self.seen.append((trainer.hyper["learning_rate"], trainer.hyper["momentum"]))

    x, y = examples()
    trainer, rates = linear_trainer(optimizer=mn.optimizers.SGD(0.1, momentum=0.5)), Rates()
    callbacks = [
        rates,
        mn.callbacks.Schedule(mn.schedules.Exponential(0.4, gamma=0.5)),
        mn.callbacks.Schedule(lambda epoch, now, step=0.1: now - step * epoch, "momentum"),
    ]
    trainer.fit(x, y, epochs=3, batch_size=6, callbacks=callbacks)
    np.testing.assert_allclose(
        rates.seen, np.repeat([[0.4, 0.5], [0.2, 0.4], [0.1, 0.2]], 2, axis=0), rtol=1e-12
    )


@pytest.mark.parametrize(
    "make", [lambda **s: mn.callbacks.Plateau(**s), lambda **s: mn.callbacks.Schedule("cosine", **s)]
)
def test_what_cannot_be_set_is_refused_before_the_first_epoch(make):
    x, y = examples()
    for trainer, name, error, message in (
        (linear_trainer(), "learning_rat", mn.UnknownKeyError, "did you mean 'learning_rate'"),
        (linear_trainer(schedules={"learning_rate": "cosine"}), "learning_rate", mn.ArgumentError, "a schedule sets it"),
        (linear_trainer(), "momentum", mn.ArgumentError, "hyper-parameter 'momentum' cannot be set"),
    ):  # fmt: skip
        with pytest.raises(error, match=message):
            trainer.fit(x, y, callbacks=[make(parameter=name)])
        assert trainer.step_count == 0


# ---- checkpoint ----
def test_checkpoint_files(tmp_path):
    x, y = examples()
    saving = mn.callbacks.Checkpoint(tmp_path / "deep" / "run-{epoch:02d}-{loss:.3f}.ckpt", keep=2, every=2)
    history = linear_trainer().fit(x, y, epochs=7, callbacks=[saving])
    names = [f"run-{epoch:02d}-{history['loss'][epoch]:.3f}.ckpt" for epoch in (3, 5)]
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == names
    assert saving.files == [str(tmp_path / "deep" / name) for name in names]


def test_checkpoint_of_the_best_model(tmp_path):
    path, trainer = tmp_path / "best.mathnet", linear_trainer()
    saving = mn.callbacks.Checkpoint(path, "val_loss", save_best_only=True, content="model")
    saving.on_train_begin(trainer)
    trainer.validated = True
    for epoch, value in enumerate([float("nan"), 2.0, 1.0, 1.5]):
        trainer.model.parameters["out/bias"] = np.full(2, float(epoch))
        saving.on_epoch_end(trainer, epoch, {"loss": 0.0, "val_loss": value})
        assert path.exists() == (epoch > 0)
    np.testing.assert_array_equal(mn.load(path).parameters["out/bias"], [2.0, 2.0])
    assert (saving.best, saving.best_epoch, saving.files) == (1.0, 2, [str(path)])


@pytest.mark.parametrize("first", [True, False])
def test_a_training_resumed_from_a_checkpoint_equals_one_that_went_on(tmp_path, first):
    """Wherever the checkpoint stands in the list, it holds what the other callbacks decided in its epoch."""
    x, y = examples()

    def callbacks(name):
        saving = mn.callbacks.Checkpoint(tmp_path / (name + "-{epoch}.ckpt"), keep=2)
        others = [
            mn.callbacks.Plateau("loss", patience=0, threshold=0.5),
            mn.callbacks.EarlyStopping("loss", 3, 0.2),
        ]
        return [saving, *others] if first else [*others, saving]

    whole, expected = linear_trainer(metrics=["rmse"]), callbacks("whole")
    history = whole.fit(x, y, epochs=9, batch_size=5, callbacks=expected)
    linear_trainer(metrics=["rmse"]).fit(x, y, epochs=3, batch_size=5, callbacks=callbacks("part"))
    resumed, again = linear_trainer(metrics=["rmse"]), callbacks("part")
    resumed.restore(tmp_path / "part-2.ckpt")
    found = resumed.fit(x, y, epochs=6, batch_size=5, callbacks=again)
    assert found == history and resumed.hyper["learning_rate"] == whole.hyper["learning_rate"] < 0.1
    for a, b in zip(expected, again):
        if not isinstance(a, mn.callbacks.Checkpoint):
            np.testing.assert_equal(b.state(), a.state())
    assert [f.rpartition("-")[2] for f in again[0 if first else 2].files] == [
        f.rpartition("-")[2] for f in expected[0 if first else 2].files
    ]


def test_checkpoint_refuses_what_it_cannot_do(tmp_path):
    x, y = examples()
    for settings, message in (
        ({"path": "run-{epoch"}, "is no template"),
        ({"content": "weights"}, "content must be 'training' or 'model'"),
        ({"keep": 0}, "keep must be an integer from 1"),
        ({"mode": "most"}, "Checkpoint: mode"),
    ):
        with pytest.raises(mn.ArgumentError, match=message):
            mn.callbacks.Checkpoint(**{"path": "run.ckpt", **settings})
    for name, message in (("{val_loss}", "there are epoch, loss"), ("{loss:03d}", "cannot be filled in")):
        with pytest.raises(mn.ArgumentError, match=message):
            linear_trainer().fit(x, y, callbacks=[mn.callbacks.Checkpoint(tmp_path / name)])
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        linear_trainer().fit(x, y, callbacks=[mn.callbacks.Checkpoint(tmp_path / "file" / "run.ckpt")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: c.Checkpoint(None), "Checkpoint: path must be the name of a file.*None"),
        (lambda c: c.CSVLog(3), "CSVLog: path must be the name of a file.*3"),
        (lambda c: c.EarlyStopping(min_delta="a"), "EarlyStopping: min_delta must be a number, not 'a'"),
        (lambda c: c.EarlyStopping(patience=1.5), "EarlyStopping: patience must be an integer from 0"),
        (lambda c: c.Plateau(threshold=None), "Plateau: threshold must be a number from 0"),
        (lambda c: c.Plateau(threshold=-1.0), "Plateau: threshold must be a number from 0"),
        (lambda c: c.Plateau(minimum="a"), "Plateau: minimum must be a number"),
        (lambda c: c.Plateau(epsilon=float("nan")), "Plateau: epsilon must be a number from 0"),
        (lambda c: c.Plateau(factor="a"), "Plateau: factor must be a number from 0"),
        (lambda c: c.Plateau(factor=1.0), "Plateau: factor must be a number from 0 and below 1"),
        (lambda c: c.Plateau(parameter=None), "Plateau: parameter must be a name in trainer.hyper"),
        (lambda c: c.Plateau(parameter=["learning_rate", 3]), "Plateau: parameter must be a name"),
        (lambda c: c.Schedule("constant", None), "Schedule: parameter must be a name in trainer.hyper"),
        (lambda c: c.GradientMonitor("a"), "GradientMonitor: vanishing must be a number from 0"),
    ],
)
def test_settings_are_checked_when_a_callback_is_made(make, message):
    with pytest.raises(mn.ArgumentError, match=message):
        make(mn.callbacks)


def test_numbers_of_numpy_are_settings(tmp_path):
    two, half = np.int64(2), np.float32(0.5)
    stop = mn.callbacks.EarlyStopping(patience=2 * two, min_delta=half)
    plateau = mn.callbacks.Plateau("loss", factor=half, patience=two, cooldown=two, threshold=half)
    saving = mn.callbacks.Checkpoint(tmp_path / "run-{epoch}.ckpt", every=two, keep=two)
    mn.callbacks.GradientMonitor(np.float32(1e-7), np.float64(1e3))
    x, y = examples()
    trainer = linear_trainer(optimizer=mn.optimizers.SGD(half / 10, momentum=half))
    trainer.fit(x, y, epochs=4, callbacks=[stop, plateau, saving])
    assert [f.rpartition("-")[2] for f in saving.files] == ["1.ckpt", "3.ckpt"]
    linear_trainer(optimizer=mn.optimizers.SGD(half / 10, momentum=half)).restore(saving.files[-1])


# ---- gradient monitor ----
def norms_of(x, y, kernel, bias):
    """Norms of the gradient of the mean squared error of a linear model: kernel, bias, both."""
    error = 2.0 * (x @ kernel + bias - y) / y.size
    squares = [np.sum((x.T @ error) ** 2), np.sum(error.sum(0) ** 2)]
    return np.sqrt([*squares, sum(squares)])


@pytest.mark.parametrize(
    ("settings", "dtype"),
    [({}, "float64"), ({}, "float32"), ({"clip_norm": 1e-3}, "float64"), ({"accumulate": 2}, "float64"),
     ({"optimizer": mn.optimizers.LBFGS(iterations=1)}, "float64")],
)  # fmt: skip
def test_gradient_monitor(settings, dtype):
    x, y = examples()
    trainer, monitor, expected = linear_trainer(dtype=dtype, **settings), mn.callbacks.GradientMonitor(), []

    class Oracle(mn.Callback):
        def on_epoch_begin(self, trainer, epoch):
            expected.append(norms_of(x, y, *[np.array(a, float) for a in trainer.model.parameters.values()]))

    trainer.fit(x, y, epochs=3, batch_size=12 // settings.get("accumulate", 1), callbacks=[Oracle(), monitor])
    assert list(monitor.mean) == ["out/kernel", "out/bias", "global"]
    rtol = 1e-12 if dtype == "float64" else 1e-5
    for held in (monitor.mean, monitor.largest):  # one update in each epoch
        np.testing.assert_allclose(np.transpose([*held.values()]), expected, rtol=rtol)
    assert list(trainer.gradient_norms.latest.values()) == [values[-1] for values in monitor.mean.values()]


def test_gradient_monitor_means_and_largest_go_on_after_a_checkpoint(tmp_path):
    x, y = examples()

    class Stop(mn.Callback):
        def on_step_end(self, trainer, step, loss):
            trainer.stop_training = step == 6

    whole, part, again = (mn.callbacks.GradientMonitor() for _ in range(3))
    linear_trainer().fit(x, y, epochs=2, batch_size=3, callbacks=[whole])
    trainer = linear_trainer()
    trainer.fit(x, y, epochs=2, batch_size=3, callbacks=[part, Stop()])
    part.mean, part.largest = ({n: v[:1] for n, v in held.items()} for held in (part.mean, part.largest))
    trainer.save(tmp_path / "run.ckpt")
    resumed = linear_trainer()
    resumed.restore(tmp_path / "run.ckpt")
    resumed.fit(x, y, batch_size=3, callbacks=[again])
    assert (again.mean, again.largest) == (whole.mean, whole.largest)
    assert all(largest > mean for largest, mean in zip(whole.largest["global"], whole.mean["global"]))


def test_gradient_monitor_reports_what_vanishes_and_explodes():
    x, y = examples()
    with pytest.warns(mn.TrainingWarning, match=r"gradients in epoch 0: out/kernel vanishing \(norm 3.7e-12"):
        monitor = mn.callbacks.GradientMonitor(vanishing=1.0)
        linear_trainer(loss=lambda p, t: 1e-9 * p + 2.0 * t * 0.0).fit(x * 1e-2, y, callbacks=[monitor])
    monitor = mn.callbacks.GradientMonitor(exploding=1e-6)
    with pytest.warns(mn.TrainingWarning, match="out/bias exploding") as caught:
        linear_trainer(rate=1e-9).fit(x, y, epochs=3, callbacks=[monitor])
    assert len(caught) == 1 and len(monitor.problems) == 6  # a warning once, an entry every time
    assert monitor.problems[-1][:3] == (2, "out/bias", "exploding")
    with pytest.warns(mn.TrainingWarning, match=r"exploding \(norm (inf|nan)\)"):
        linear_trainer(loss=lambda p, t: p * 1e200 * 1e200).fit(x, y, callbacks=["gradient_monitor"])
    with pytest.raises(mn.ArgumentError, match="0 ≤ vanishing < exploding"):
        mn.callbacks.GradientMonitor(vanishing=2.0, exploding=1.0)
