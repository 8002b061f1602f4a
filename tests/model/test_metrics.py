"""Metrics with sums of their own: in steps, in evaluation, in history, files of figures and checkpoints."""

import csv

import numpy as np
import pytest

import mathnet as mn

METRICS = [
    "accuracy",
    "confusion_matrix",
    mn.metrics.F1("macro"),
    mn.metrics.Recall(average=None),
    "perplexity",
]
NAMES = ["accuracy", "confusion_matrix", "f1", "recall", "perplexity"]


def data(rows=53, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((rows, 4)), rng.integers(0, 3, rows), rng.integers(0, 4, rows).astype(float)


def model_of(dtype="float64"):
    with mn.Runtime(autoload=False, seed=0):
        x = mn.Input((4,), dtype=dtype)
        dense = mn.layers.Dense(3, kernel_regularizer=mn.regularizers.L2(0.1))
        return mn.Model(x, dense(x))


def trainer_of(metrics=METRICS, **settings):
    return mn.Trainer(model_of(), "cross_entropy", mn.optimizers.SGD(0.0), metrics=metrics, **settings)


def same(found, expected):
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True])
def test_steps_and_evaluation_in_batches_give_what_all_examples_together_give(weighted):
    x, y, w = data()
    weight = w if weighted else None
    trainer = trainer_of()
    history = trainer.fit(x, y, sample_weight=weight, batch_size=8)
    scores = trainer.model(x)
    together = {"loss": history["loss"][0], "penalty": history["penalty"][0]}
    together["accuracy"] = np.average(scores.argmax(1) == y, weights=weight)
    for name, metric in zip(NAMES[1:], METRICS[1:]):
        together[name] = mn.metrics.get(metric)(scores, y, weight)
    found = {name: values[0] for name, values in history.items()}
    if weighted:  # the mean of the batches' losses is that of all only when they weigh the same
        together["loss"] = found["loss"]
    same(found, together)
    evaluated = [trainer.evaluate(x, y, weight, batch_size=size) for size in (53, 8)]
    same(evaluated[1], evaluated[0])
    same({n: evaluated[0][n] for n in NAMES}, {n: together[n] for n in NAMES})
    if weighted:
        repeats = w.astype(int)
        same(trainer.evaluate(np.repeat(x, repeats, 0), np.repeat(y, repeats)), evaluated[0])


def test_history_holds_arrays_and_nan_for_epochs_without_validation(tmp_path):
    x, y, _ = data()
    log = mn.callbacks.CSVLog(tmp_path / "log.csv")
    history = trainer_of().fit(
        x, y, epochs=2, validation_split=0.2, validation_freq=2, callbacks=[log], progress=True
    )
    arrays = history.arrays()
    assert arrays["confusion_matrix"].shape == (2, 3, 3) and arrays["f1"].shape == (2,)
    assert arrays["confusion_matrix"][1].sum() == 42.0
    assert (
        np.isnan(arrays["val_confusion_matrix"][0]).all() and arrays["val_confusion_matrix"][1].sum() == 11.0
    )
    history.to_csv(tmp_path / "history.csv")
    for name in ("log.csv", "history.csv"):
        with open(tmp_path / name, newline="") as file:
            rows = list(csv.DictReader(file))
        for epoch, row in enumerate(rows):
            assert float(row["confusion_matrix[0,1]"]) == arrays["confusion_matrix"][epoch][0, 1]
            np.testing.assert_equal(float(row["val_recall[2]"]), arrays["val_recall"][epoch][2])


def test_sums_of_metrics_are_part_of_checkpoints(tmp_path):
    x, y, _ = data()

    class Stop(mn.Callback):
        def on_step_end(self, trainer, step, loss):
            trainer.stop_training = step == 3

    whole, halted, resumed = trainer_of(), trainer_of(), trainer_of()
    expected = whole.fit(x, y, batch_size=8)
    halted.fit(x, y, batch_size=8, callbacks=[Stop()])
    halted.save(tmp_path / "run.ckpt")
    resumed.restore(tmp_path / "run.ckpt")
    found = resumed.fit(x, y, batch_size=8)
    for name in expected:
        np.testing.assert_array_equal(found[name][-1], expected[name][-1])
    trainer_of().save(tmp_path / "new.ckpt")
    resumed.restore(tmp_path / "new.ckpt")  # from before the first epoch: the sums are zero again
    again = resumed.fit(x, y, batch_size=8)
    np.testing.assert_array_equal(again["confusion_matrix"][0], expected["confusion_matrix"][0])
    other = trainer_of(["accuracy"])
    with pytest.raises(mn.ArgumentError, match="this Trainer has no 'slot/"):
        other.restore(tmp_path / "run.ckpt")


def test_a_training_in_float32_sums_in_float64():
    class Mean(mn.Metric):
        def sums(self, y_pred, y_true, weight):
            return mn.sum(weight * y_true[:, 0]), mn.sum(weight)

        def result(self, total, count):
            return total / count

    x = mn.Input((1,))
    model = mn.Model(x, mn.layers.Dense(1)(x))
    targets = (16777216.0 + 2.0 * np.arange(3000) % 7).astype(np.float32)
    trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.0), metrics=[Mean()])
    found = trainer.fit(np.zeros((3000, 1), np.float32), targets, batch_size=100)
    assert found["Mean"][0] == targets.astype(np.float64).mean()


def test_directions():
    objective = mn.Trainer(
        model_of(), "cross_entropy", "sgd", metrics=["accuracy", "perplexity", lambda p, t: p[:, 0]]
    ).objective
    names = ["loss", "val_loss", "penalty", "val_accuracy", "perplexity"]
    assert [objective.direction(n) for n in names] == ["min", "min", "min", "max", "min"]
    assert objective.direction("val_<lambda>") is None and objective.direction("other") is None
    with pytest.raises(mn.PluginError, match="direction says which values of a metric are better"):
        mn.metric("sideways", direction="left")(lambda y_pred, y_true: y_pred)
    with pytest.raises(mn.PluginError, match="a loss has none"):
        mn.loss("upward", direction="max")(lambda y_pred, y_true: y_pred)


class PerRow(mn.Metric):
    def sums(self, y_pred, y_true, weight):
        return (weight * y_pred[:, 0],)


class Pairs(mn.Metric):
    def sums(self, y_pred, y_true, weight):
        return (mn.sum(weight * y_pred[:, :1]),)


class Nothing(mn.Metric):
    pass


@pytest.mark.parametrize(
    ("metric", "error", "message"),
    [
        (PerRow(), mn.ShapeError, r"sum 0 has shape .* must add up over the examples"),
        (Pairs(), mn.ShapeError, r"multiply gives shape .* one value for each pair of examples"),
        (Nothing(), mn.ArgumentError, r"metric Nothing has no method sums"),
        (mn.metrics.F1(), mn.ArgumentError, r"metric 'f1' of output .* give average='macro'"),
    ],
)
def test_metrics_that_cannot_be_used_are_refused_before_the_first_step(metric, error, message):
    x, y, _ = data()
    trainer = trainer_of([metric])
    with pytest.raises(error, match=message):
        trainer.fit(x, y)
    assert trainer.step_count == 0


def test_a_class_of_metrics_must_extend_the_base():
    with pytest.raises(mn.PluginError, match=r"must be a subclass of mn\.Metric"):
        mn.metric("stranger")(type("Stranger", (), {}))
    with pytest.raises(mn.ArgumentError, match=r"function \(y_pred, y_true\) or an instance of mn\.Metric"):
        trainer_of([3])


def test_sums_whose_shape_changes_cannot_be_added():
    x = mn.Input((mn.Dim("length"), 3), dtype="float64")
    model = mn.Model(x, mn.layers.Dense(2)(x))

    class PerPlace(mn.Metric):
        def sums(self, y_pred, y_true, weight):
            return (mn.sum(mn.reshape(weight, (-1, 1, 1)) * y_pred, axis=0),)

        def result(self, total):
            return total

    trainer = mn.Trainer(model, "mse", "sgd", metrics=[PerPlace()])
    batches = [(np.zeros((4, length, 3)), np.zeros((4, length, 2))) for length in (5, 6)]
    with pytest.raises(mn.ShapeError, match=r"metric 'PerPlace': .* \(6, 2\), but before they had \(5, 2\)"):
        trainer.fit(batches)
