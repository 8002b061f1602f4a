"""Fit and evaluate: history, validation, metrics, callbacks, interrupts; whole trainings that learn."""

import os
import signal
import threading

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(2)
X = RNG.standard_normal((50, 3)).astype(np.float32)
LABELS = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)


def build(regularizer=None, rate=0.0):
    mn.seed(0)
    layers = [mn.layers.Dense(8, activation="relu", kernel_regularizer=regularizer), mn.layers.Dropout(rate)]
    return mn.Sequential([*layers, mn.layers.Dense(3, name="scores")], input_shape=(3,))


def cross_entropy(scores, labels):
    e = scores - scores.max(axis=1, keepdims=True)
    return np.log(np.exp(e).sum(axis=1)) - e[np.arange(len(labels)), labels]


# ---- evaluation ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 16, 50, 1000])
def test_evaluation_is_the_weighted_average_whatever_the_batch(batch_size):
    model = build(mn.regularizers.L2(0.1))
    weights = RNG.uniform(0, 2, 50)
    for w in (None, weights):
        found = model.evaluate(
            X, LABELS, "cross_entropy", ["accuracy"], sample_weight=w, batch_size=batch_size
        )
        used = np.ones(50) if w is None else w
        scores = model(X).astype(float)
        penalty = 0.1 * np.sum(model.parameters["dense/kernel"].astype(float) ** 2)
        right = scores.argmax(1) == LABELS
        assert np.isclose(found["penalty"], penalty, rtol=1e-5)
        assert np.isclose(
            found["loss"], np.sum(used * cross_entropy(scores, LABELS)) / used.sum() + penalty, rtol=1e-5
        )
        assert np.isclose(found["accuracy"], np.sum(used * right) / used.sum(), rtol=1e-5)


def test_evaluation_refuses_bad_data():
    model = build()
    with pytest.raises(mn.DataError, match="sum to zero"):
        model.evaluate(X, LABELS, "cross_entropy", sample_weight=np.zeros(50))
    with pytest.raises(mn.ShapeError, match="no rows"):
        model.evaluate(X[:0], LABELS[:0], "cross_entropy")
    bad = LABELS.copy()
    bad[37] = 3
    with pytest.raises(mn.DataError, match="row 37 of the data"):
        model.evaluate(X, bad, "cross_entropy", batch_size=8)


# ---- fit ------------------------------------------------------------------------------------------------------------------------


def test_the_history_has_one_figure_per_epoch():
    model = build()
    history = model.fit(
        X,
        LABELS,
        loss="cross_entropy",
        optimizer="adam",
        metrics=["accuracy"],
        epochs=4,
        batch_size=8,
        validation_split=0.2,
    )
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(v) == 4 and all(isinstance(f, float) for f in v) for v in history.values())
    final = model.evaluate(X[40:], LABELS[40:], "cross_entropy", ["accuracy"])
    assert np.isclose(history["val_loss"][-1], final["loss"], rtol=1e-6)
    assert np.isclose(history["val_accuracy"][-1], final["accuracy"], rtol=1e-6)
    assert history["loss"][-1] < history["loss"][0]


def test_validation_takes_the_last_rows_before_shuffling():
    history = build().fit(
        X, LABELS, "cross_entropy", mn.optimizers.SGD(0.0), validation_split=0.3, batch_size=8
    )
    scores = build()(X)
    values = cross_entropy(scores, LABELS)
    assert np.isclose(history["val_loss"][0], values[35:].mean(), rtol=1e-5)
    assert np.isclose(history["loss"][0], values[:35].mean(), rtol=1e-5)


def test_weights_and_penalties_in_the_history():
    w = RNG.uniform(0.1, 2, 50)
    model = build(mn.regularizers.L1(0.01))
    trainer = mn.Trainer(model, "cross_entropy", mn.optimizers.SGD(0.0), metrics=["accuracy"])
    data = (X[:20], LABELS[:20], w[:20])
    history = trainer.fit(X, LABELS, sample_weight=w, batch_size=9, epochs=2, validation_data=data)
    penalty = 0.01 * np.abs(model.parameters["dense/kernel"]).sum()
    values, right = cross_entropy(model(X), LABELS), model(X).argmax(1) == LABELS
    assert np.allclose(history["penalty"], penalty, rtol=1e-5)
    assert np.allclose(history["loss"], np.sum(w * values) / w.sum() + penalty, rtol=1e-5)
    assert np.allclose(history["accuracy"], np.sum(w * right) / w.sum(), rtol=1e-5)
    part = w[:20]
    assert np.allclose(history["val_loss"], np.sum(part * values[:20]) / part.sum() + penalty, rtol=1e-5)


def test_fit_is_the_same_steps_as_steps():
    one, other = (
        mn.Trainer(build(rate=0.2), "cross_entropy", "adam", seed=4, metrics=["accuracy"]) for _ in range(2)
    )
    one.fit(X, LABELS, epochs=3, batch_size=8)
    other.steps(X, LABELS, batch_size=8, count=21)
    for name, array in one.model.parameters.items():
        assert np.array_equal(array, other.model.parameters[name])


def test_a_checkpoint_of_another_seed_changes_the_draws_of_the_plan_at_hand(tmp_path):
    x, y = np.ones((8, 4), np.float32), np.ones((8, 2), np.float32)

    def trainer(seed):
        mn.seed(0)
        layers = [mn.layers.Dense(16), mn.layers.Dropout(0.5), mn.layers.Dense(2)]
        return mn.Trainer(mn.Sequential(layers, input_shape=(4,)), "mse", "sgd", seed=seed)

    first, second = trainer(1), trainer(2)
    for one in (first, second):
        one.step(x, y)
    first.save(tmp_path / "one.ckpt")
    second.restore(tmp_path / "one.ckpt")
    assert [second.step(x, y) for _ in range(3)] == [first.step(x, y) for _ in range(3)]


def test_a_restored_fit_goes_on_bit_for_bit(tmp_path):
    def make():
        return mn.Trainer(build(rate=0.2), "cross_entropy", "adam", seed=4, metrics=["accuracy"])

    def patient():
        return mn.callbacks.EarlyStopping(patience=50, restore_best=False)

    whole, first, second = make(), make(), make()
    history = whole.fit(X, LABELS, epochs=5, batch_size=8, callbacks=[patient()])
    first.fit(X, LABELS, epochs=2, batch_size=8, callbacks=[patient()])
    first.save(tmp_path / "fit.ckpt")
    second.restore(tmp_path / "fit.ckpt")
    callback = patient()
    assert second.fit(X, LABELS, epochs=3, batch_size=8, callbacks=[callback]) == history
    assert callback.best_epoch == int(np.argmin(history["loss"]))
    for name, array in whole.model.parameters.items():
        assert np.array_equal(array, second.model.parameters[name])


def test_a_fit_taken_up_in_the_middle_of_an_epoch(tmp_path):
    class SaveAt(mn.Callback):
        def on_step_end(self, trainer, step, loss):
            if step == 10:
                trainer.save(tmp_path / "middle.ckpt")

    def make():
        return mn.Trainer(build(rate=0.2), "cross_entropy", "adam", seed=4, metrics=["accuracy"])

    whole, second = make(), make()
    history = whole.fit(X, LABELS, epochs=3, batch_size=8, callbacks=[SaveAt()])
    second.restore(tmp_path / "middle.ckpt")
    assert (second.epoch, second.order.position) == (1, 32)
    assert second.fit(X, LABELS, epochs=2, batch_size=8) == history


def test_callbacks_are_called_in_order():
    calls = []

    class Log(mn.Callback):
        def on_train_begin(self, trainer):
            calls.append("begin")

        def on_epoch_begin(self, trainer, epoch):
            calls.append(f"epoch {epoch}")

        def on_step_end(self, trainer, step, loss):
            calls.append(step)
            assert trainer.step_count == step + 1 and isinstance(loss, float)

        def on_epoch_end(self, trainer, epoch, logs):
            calls.append(sorted(logs))
            trainer.stop_training = epoch == 1

        def on_train_end(self, trainer):
            calls.append("end")

    build().fit(X, LABELS, "cross_entropy", "sgd", epochs=9, batch_size=25, callbacks=[Log()])
    assert calls == ["begin", "epoch 0", 0, 1, ["loss"], "epoch 1", 2, 3, ["loss"], "end"]


def test_a_callback_may_change_hyper_parameters_and_stop_at_once():
    class Halve(mn.Callback):
        def on_step_end(self, trainer, step, loss):
            trainer.hyper["learning_rate"] *= 0.5
            trainer.stop_training = step == 2

    trainer = mn.Trainer(build(), "cross_entropy", mn.optimizers.SGD(0.8))
    trainer.fit(X, LABELS, epochs=3, batch_size=5, callbacks=[Halve()])
    assert trainer.hyper["learning_rate"] == 0.1 and trainer.step_count == 3


def test_bad_arguments_of_fit():
    model = build()
    before = {n: a.copy() for n, a in model.parameters.items()}
    for options, words in (
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"validation_split": 1.0}, "between 0 and 1"),
        ({"validation_split": 0.99}, "no rows for training"),
        ({"validation_data": X}, "validation_data"),
        ({"validation_data": (X, LABELS), "validation_split": 0.5}, "not both"),
        ({"callbacks": [3]}, "callback"),
        ({"callbacks": mn.callbacks.EarlyStopping("loss")}, "callbacks must be a list"),
    ):
        with pytest.raises(mn.ArgumentError, match=words):
            model.fit(X, LABELS, loss="cross_entropy", optimizer="sgd", **options)
    targets = np.zeros((50, 3))
    targets[41, 1] = np.nan
    with pytest.raises(mn.DataError, match="row 41"):
        model.fit(X, targets, loss="mse", optimizer="sgd")
    assert all(np.array_equal(a, before[n]) for n, a in model.parameters.items())


def test_progress_is_shown_when_asked_for(capsys):
    build().fit(X, LABELS, "cross_entropy", "sgd", epochs=2, progress=True)
    assert "epoch 2" in capsys.readouterr().err
    build().fit(X, LABELS, "cross_entropy", "sgd")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("watched", [False, True])
def test_an_interrupt_ends_fit_with_valid_weights(watched):
    class Watch(mn.Callback):
        def on_step_end(self, trainer, step, loss):
            pass

    ended = []

    class End(mn.Callback):
        def on_train_end(self, trainer):
            ended.append(trainer.step_count)

    trainer = mn.Trainer(build(), "cross_entropy", "adam")
    trainer.fit(X, LABELS)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, LABELS, epochs=10**9, batch_size=5, callbacks=[End(), *([Watch()] if watched else [])])
    assert ended == [trainer.step_count] and trainer.step_count > 2
    assert np.isfinite(trainer.step(X, LABELS))


@pytest.mark.parametrize("at", [3, 5, 7])  # two steps an epoch: each of these ends one
def test_an_interrupt_behind_the_last_step_of_an_epoch_loses_nothing(tmp_path, at):
    class Interrupt(mn.Callback):
        def on_step_end(self, trainer, step, loss):
            if step == at:
                raise KeyboardInterrupt

    def trainer_of():
        mn.seed(1)
        return mn.Trainer(build(), "cross_entropy", "adam", metrics=["accuracy"], seed=2)

    def callbacks():
        return [
            mn.callbacks.Plateau("loss", patience=1, threshold=0.5),
            mn.callbacks.EarlyStopping("loss", patience=9),
        ]

    def options(more=()):
        return {
            "batch_size": -(-len(X) // 2),
            "validation_data": (X, LABELS),
            "callbacks": [*callbacks(), *more],
        }

    whole = trainer_of()
    whole.fit(X, LABELS, epochs=5, **options())
    part = trainer_of()
    with pytest.raises(KeyboardInterrupt):
        part.fit(X, LABELS, epochs=5, **options([Interrupt()]))
    assert part.interrupted
    part.save(tmp_path / "run.ckpt")
    again = trainer_of()
    again.restore(tmp_path / "run.ckpt")
    again.fit(X, LABELS, epochs=5 - again.epoch, **options())
    assert not again.interrupted and dict(again.history) == dict(whole.history)
    assert again.hyper["learning_rate"] == whole.hyper["learning_rate"]
    for name, value in whole.model.parameters.items():
        np.testing.assert_array_equal(again.model.parameters[name], value)


# ---- whole trainings --------------------------------------------------------------------------------------------------------------


def test_xor_is_learned():
    mn.seed(0)
    model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(2,))
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    y = np.array([0, 1, 1, 0], np.float32)
    losses = mn.Trainer(model, "mse", mn.optimizers.SGD(0.1)).steps(x, y, batch_size=4, count=4000)
    assert losses[-1] < 1e-3 and np.abs(model(x)[:, 0] - y).max() < 0.1


def test_a_convolutional_network_learns_bars():
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.3, (200, 1, 8, 8)).astype(np.float32)
    y = rng.integers(0, 2, 200)
    for image, label, place in zip(x, y, rng.integers(0, 8, 200)):
        image[0, place if label else slice(None), slice(None) if label else place] += 1.0
    mn.seed(0)
    image = mn.Input((1, 8, 8), name="image")
    h = mn.layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    h = mn.layers.MaxPool2D(2)(h)
    h = mn.layers.Flatten()(h)
    h = mn.layers.Dropout(0.25)(h)
    model = mn.Model(image, mn.layers.Dense(2, kernel_regularizer=mn.regularizers.L2(1e-4), name="logits")(h))
    history = model.fit(
        x, y, loss="cross_entropy", optimizer=mn.optimizers.Adam(1e-2), metrics=["accuracy"], epochs=10, batch_size=20,
        validation_split=0.2, seed=0,
    )  # fmt: skip
    assert history["val_accuracy"][-1] > 0.95
    assert model(x[:1]).shape == (1, 2)
    assert np.array_equal(model.predict(x, batch_size=64)[:1], model(x[:1]))
