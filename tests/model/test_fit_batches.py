"""Fit on iterables of batches, class weights, validation by frequency, history as arrays and CSV."""

import csv
import math

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(5)
X = RNG.standard_normal((12, 3)).astype(np.float32)
Y = RNG.standard_normal((12, 2)).astype(np.float32)
LABELS = RNG.integers(0, 2, 12)
W = RNG.uniform(0.5, 2.0, 12).astype(np.float32)
PARTS = [slice(0, 4), slice(4, 8), slice(8, 12)]


def trainer_of(loss="mse", metrics=("mae",)):
    mn.seed(0)
    model = mn.Sequential([mn.layers.Dense(4, activation="tanh"), mn.layers.Dense(2)], input_shape=(3,))
    return mn.Trainer(model, loss, mn.optimizers.SGD(0.1, momentum=0.5), metrics=metrics)


def weights(trainer):
    return np.concatenate([a.ravel() for a in trainer.model.parameters.values()])


@pytest.mark.parametrize("kind", ["list", "function", "generator", "generator function"])
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_are_steps(kind, weighted):
    batches = [(X[p], Y[p], W[p]) if weighted else (X[p], Y[p]) for p in PARTS]
    given, options = {
        "list": (batches, {}),
        "function": (lambda epoch: iter(batches), {}),
        "generator function": (lambda: iter(batches), {}),
        "generator": ((b for _ in range(2) for b in batches), {"steps_per_epoch": 3}),
    }[kind]
    found, expected = trainer_of(), trainer_of()
    history = found.fit(given, epochs=2, **options)
    expected.fit(X, Y, epochs=2, batch_size=4, shuffle=False, sample_weight=W if weighted else None)
    assert np.array_equal(weights(found), weights(expected))
    assert history == expected.history
    assert (found.epoch, found.step_count) == (2, 6)


def test_an_epoch_of_fixed_length_goes_through_a_list_again_and_again():
    trainer = trainer_of()
    seen = []

    class Watch(mn.Callback):
        def on_epoch_end(self, trainer, epoch, logs):
            seen.append((epoch, trainer.step_count, trainer.steps_per_epoch))

    trainer.fit([(X[p], Y[p]) for p in PARTS], epochs=2, steps_per_epoch=4, callbacks=[Watch()])
    assert seen == [(0, 4, 4), (1, 8, 4)]
    expected = trainer_of()
    for step in range(8):
        expected.step(X[PARTS[step % 3]], Y[PARTS[step % 3]])
    assert np.array_equal(weights(trainer), weights(expected))


def test_several_inputs_and_outputs_by_name_in_batches():
    mn.seed(0)
    a, b = mn.Input((3,), name="a"), mn.Input((3,), name="b")
    outputs = {"sum": mn.layers.Dense(2)(a + b), "product": mn.layers.Dense(2)(a * b)}
    model = mn.Model([a, b], outputs)
    options = {"loss_weights": {"sum": 1.0, "product": 0.5}}
    trainer = mn.Trainer(model, {"sum": "mse", "product": "mae"}, "adam", **options)
    batches = [({"b": X[p], "a": -X[p]}, {"product": Y[p], "sum": Y[p]}) for p in PARTS]
    history = trainer.fit(batches, epochs=2, validation_data=batches)
    total = np.array(history["sum_loss"]) + 0.5 * np.array(history["product_loss"])
    np.testing.assert_allclose(history["loss"], total, rtol=1e-6)
    whole = trainer.evaluate([-X, X], [Y, Y])
    assert history["val_loss"][-1] == pytest.approx(whole["loss"])


def test_a_fit_on_batches_is_taken_up_bit_for_bit(tmp_path):
    def batches(epoch):
        order = np.random.default_rng(epoch).permutation(12)
        return [(X[order[p]], Y[order[p]]) for p in PARTS]

    whole, first, second = trainer_of(), trainer_of(), trainer_of()
    expected = whole.fit(batches, epochs=4)
    first.fit(batches, epochs=2)
    first.save(tmp_path / "half")
    second.restore(tmp_path / "half")
    assert second.fit(batches, epochs=2) == expected
    assert np.array_equal(weights(second), weights(whole))


@pytest.mark.parametrize(
    ("given", "options", "error", "words"),
    [
        (3, {}, mn.ArgumentError, "iterable of batches"),
        ([X, X], {}, mn.ArgumentError, r"batch 0 must be \(x, y\)"),
        ([(X, Y, W, W)], {}, mn.ArgumentError, "of 4 items"),
        ([], {}, mn.DataError, "epoch 0 got 0 batches"),
        (iter([(X, Y)]), {"epochs": 2}, mn.DataError, "epoch 1 got 0 batches.*iterator"),
        (iter([(X, Y)]), {"steps_per_epoch": 2}, mn.DataError, "epoch 0 got 1 of 2 batches"),
        ([(X, Y)], {"steps_per_epoch": 0}, mn.ArgumentError, "steps_per_epoch must be a positive"),
        ([(X, Y)], {"sample_weight": W}, mn.ArgumentError, "batches carry their weights"),
        ([(X, Y)], {"validation_split": 0.5}, mn.ArgumentError, "cannot be split"),
        ([(X, Y[:3])], {}, mn.ShapeError, "12 examples"),
        ([(X, Y)], {"validation_data": 3}, mn.ArgumentError, "validation_data must be"),
        ([(X, Y)], {"validation_data": []}, mn.ArgumentError, "validation_data must be"),
        ([(X, Y)], {"validation_freq": 0}, mn.ArgumentError, "validation_freq must be"),
    ],
)
def test_bad_batches_are_refused(given, options, error, words):
    with pytest.raises(error, match=words):
        trainer_of().fit(given, **options)


def test_epochs_of_arrays_have_their_own_length():
    with pytest.raises(mn.ArgumentError, match="steps_per_epoch is for iterables"):
        trainer_of().fit(X, Y, steps_per_epoch=2)


# ---- class weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("targets", [LABELS, np.eye(2, dtype=np.float32)[LABELS]])
@pytest.mark.parametrize("class_weight", [{1: 3.0}, [1.0, 3.0]])
def test_class_weights_are_weights_of_examples(targets, class_weight):
    found, by_batch, expected = (trainer_of("cross_entropy", ()) for _ in range(3))
    found.fit(X, targets, sample_weight=W, class_weight=class_weight, batch_size=4, shuffle=False)
    by_batch.fit([(X[p], targets[p], W[p]) for p in PARTS], class_weight=class_weight)
    expected.fit(X, targets, sample_weight=W * np.where(LABELS == 1, 3, 1), batch_size=4, shuffle=False)
    assert np.array_equal(weights(found), weights(expected))
    assert np.array_equal(weights(by_batch), weights(expected))


@pytest.mark.parametrize(
    ("class_weight", "words"),
    [
        ({"a": 1.0}, "classes are numbers"),
        ({0: -1.0}, "class 0"),
        ({0: "big"}, "class 0"),
        ({-1: 1.0}, "from 0"),
    ],
)
def test_bad_class_weights_are_refused(class_weight, words):
    with pytest.raises(mn.ArgumentError, match=words):
        trainer_of("cross_entropy", ()).fit(X, LABELS, class_weight=class_weight)


# ---- validation and history -------------------------------------------------------------------------------------------------


def test_validation_by_frequency(tmp_path):
    trainer = trainer_of()
    stop = mn.callbacks.EarlyStopping("val_loss", patience=50)
    log = mn.callbacks.CSVLog(tmp_path / "log.csv")
    history = trainer.fit(X, Y, epochs=5, validation_data=(X, Y), validation_freq=2, callbacks=[stop, log])
    assert [math.isnan(v) for v in history["val_loss"]] == [True, False, True, False, True]
    assert stop.best_epoch == 3
    assert stop.best == min(history["val_loss"][1], history["val_loss"][3])
    assert history.arrays()["val_mae"].shape == (5,)
    history.to_csv(tmp_path / "history.csv")
    with open(tmp_path / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert list(rows[0]) == ["epoch", *history]


def test_model_fit_hands_options_on():
    model = trainer_of().model
    history = model.fit(
        X, Y, "mse", "sgd", epochs=2, ema=0.9, accumulate=2, groups={"*": {"learning_rate": 0.1}}
    )
    assert len(history["loss"]) == 2
    with pytest.raises(mn.ArgumentError, match="loss is missing"):
        model.fit(X, Y)
