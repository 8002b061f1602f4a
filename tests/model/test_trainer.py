"""Trainers: bad data leave everything as it was, many steps, checkpoints, threads."""

import pickle
import threading

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(1)
X = RNG.standard_normal((20, 3)).astype(np.float32)
LABELS = RNG.integers(0, 4, 20)
Y = RNG.standard_normal((20, 4)).astype(np.float32)


def build(rate=0.0, outputs=4):
    mn.seed(0)
    layers = [mn.layers.Dense(6, activation="relu"), mn.layers.Dense(outputs, name="scores")]
    if rate:
        layers.insert(1, mn.layers.Dropout(rate))
    return mn.Sequential(layers, input_shape=(3,), name="net")


def everything(trainer):
    weights = {n: a.copy() for n, a in trainer.model.parameters.items()}
    state = {n: v.array.copy() for n, v in trainer.updates.named_state.items()}
    slots = {n: v.array.copy() for n, v in trainer.named_slots.items()}
    return weights, state, slots


def same(a, b):
    return all(x.keys() == y.keys() and all(np.array_equal(x[n], y[n]) for n in x) for x, y in zip(a, b))


def with_value(array, index, value):
    changed = array.copy()
    changed[index] = value
    return changed


# ---- bad data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "x", "y", "options", "error", "words"),
    [
        ("cross_entropy", X[:, :2], LABELS, {}, mn.ShapeError, r"net.*\(batch, 3\).*\(20, 2\)"),
        ("cross_entropy", X[0], LABELS[:1], {}, mn.ShapeError, "batch axis is missing"),
        ("cross_entropy", X.astype(str), LABELS, {}, mn.DTypeError, "input"),
        ("cross_entropy", X[:0], LABELS[:0], {}, mn.ShapeError, "no rows"),
        (
            "cross_entropy",
            X,
            LABELS[:7],
            {},
            mn.ShapeError,
            r"targets of output 'scores'.*\(7,\).*20 examples",
        ),
        ("cross_entropy", X, with_value(LABELS, 13, 4), {}, mn.DataError, "(?s)13.*4|4.*13"),
        ("cross_entropy", X, with_value(LABELS, 2, -1), {}, mn.DataError, "-1"),
        (
            "cross_entropy",
            X,
            with_value(np.eye(4, dtype=np.float32)[LABELS], (5, 1), np.nan),
            {},
            mn.DataError,
            "NaN in row 5",
        ),
        (
            "mse",
            X,
            with_value(Y, (19, 3), np.nan),
            {},
            mn.DataError,
            "targets of output 'scores'.*'mse'.*NaN in row 19, element 3",
        ),
        ("mse", X, Y[:, 0], {}, mn.ShapeError, r"(?s)mse.*\(batch, 4\).*\(batch,\)"),
        ("mse", X, Y[:, :3], {}, mn.ShapeError, "mse"),
        ("mse", X, Y.astype(complex), {}, mn.DTypeError, "complex128"),
        ("mse", X, Y, {"sample_weight": np.ones(19)}, mn.ShapeError, r"sample_weight.*\(19,\).*\(20,\)"),
        ("mse", X, Y, {"sample_weight": np.zeros(20)}, mn.DataError, "(?s)loss 'mse'.*sum to zero"),
        ("mse", X, Y, {"sample_weight": with_value(np.ones(20), 4, np.inf)}, mn.DataError, "row 4"),
    ],
)
def test_bad_data_are_refused_and_change_nothing(loss, x, y, options, error, words):
    trainer = mn.Trainer(build(), loss=loss, optimizer="adam")
    good = LABELS if loss == "cross_entropy" else Y
    trainer.step(X, good)
    before = everything(trainer)
    with pytest.raises(error, match=words):
        trainer.step(x, y, **options)
    assert same(before, everything(trainer))
    trainer.step(X, good)
    assert trainer.step_count == 2


def test_targets_of_one_column_may_be_flat():
    first, second = (mn.Trainer(build(outputs=1), loss="mse", optimizer="sgd") for _ in range(2))
    assert first.step(X, Y[:, 0]) == second.step(X, Y[:, :1])
    assert first.step(X, (Y[:, 0] * 9).astype(int)) == second.step(X, (Y[:, :1] * 9).astype(int))


def test_flat_targets_never_broadcast_across_examples():
    model = build()
    trainer = mn.Trainer(model, loss=lambda p, t: mn.mean(mn.square(p - t), axis=1), optimizer="sgd")
    with pytest.raises(mn.ShapeError, match=r"scores \(batch, 4\) and targets \(batch,\)"):
        trainer.step(X[:4], Y[:4, 0])  # (4, 4) - (4,) would run


def test_a_loss_must_give_one_value_per_example():
    for loss in (lambda p, t: mn.mean(mn.square(p - t)), lambda p, t: mn.mean(mn.square(p - t), axis=0)):
        with pytest.raises(mn.ShapeError, match="one value per example"):
            mn.Trainer(build(), loss=loss, optimizer="sgd").step(X[:4], Y[:4])


def test_cross_entropy_of_a_softmax_is_refused_with_the_way_out():
    model = mn.Sequential([build(), mn.layers.Activation("softmax")], input_shape=(3,))
    with pytest.raises(mn.ArgumentError, match=r"logits.*softmax"):
        mn.Trainer(model, loss="cross_entropy", optimizer="sgd").step(X, LABELS)


def test_wrong_arguments():
    model = build()
    for options, words in (
        ({"clip_norm": 0}, "clip_norm"),
        ({"clip_norm": "big"}, "clip_norm"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"metrics": "accuracy"}, "metrics"),
        ({"metrics": ["acuracy"]}, "did you mean 'accuracy'"),
        ({"loss": "mes"}, "did you mean"),
    ):
        arguments = {"loss": "mse", "optimizer": "sgd", **options}
        with pytest.raises(mn.MathnetError, match=words):
            mn.Trainer(model, **arguments)
    with pytest.raises(mn.ArgumentError, match=r"mn\.Model"):
        mn.Trainer(mn.layers.Dense(1), "mse", "sgd")
    for count in (-1, 1.5, True):
        with pytest.raises(mn.ArgumentError, match="count"):
            mn.Trainer(model, "mse", "sgd").steps(np.zeros((4, 3)), np.zeros((4, 2)), count=count)
    x = mn.Input((3,))
    with pytest.raises(mn.ArgumentError, match="no trainable weights"):
        mn.Trainer(mn.Model(x, x * 2.0), "mse", "sgd")


def test_a_loss_without_path_to_the_weights_is_refused():
    trainer = mn.Trainer(build(), lambda p, t: mn.mean(t, axis=1), "sgd")
    with pytest.raises(mn.GradientError, match="does not depend on any trainable weight"):
        trainer.step(X, Y)


# ---- many steps ---------------------------------------------------------------------------------------------------------------


def test_steps_are_step_over_the_shuffled_rows():
    many, single = (mn.Trainer(build(), "cross_entropy", "adam", seed=3) for _ in range(2))
    losses = many.steps(X, LABELS, batch_size=6, count=9)
    assert losses.shape == (9,)
    single.order.begin(20)
    for loss in losses:
        run = single.order.next_run(6, 1)
        assert single.step(X[run.rows], LABELS[run.rows]) == loss
        single.order.advance(len(run.rows))
    assert same(everything(many), everything(single)) and many.step_count == 9


def test_steps_go_on_where_they_stopped():
    once, twice = (mn.Trainer(build(0.3), "cross_entropy", "adam", seed=3) for _ in range(2))
    whole = once.steps(X, LABELS, batch_size=4, count=23)
    parts = [twice.steps(X, LABELS, batch_size=4, count=n) for n in (1, 9, 13)]
    assert np.array_equal(whole, np.concatenate(parts)) and same(everything(once), everything(twice))


def test_a_bad_row_ends_steps_before_it_counts():
    trainer = mn.Trainer(build(), "cross_entropy", "adam")
    labels = with_value(LABELS, 11, 9)
    with pytest.raises(mn.DataError, match="row 11 of the data"):
        trainer.steps(X, labels, batch_size=4, count=5, shuffle=False)
    assert trainer.step_count == 2 and trainer.order.position == 8
    other = mn.Trainer(build(), "cross_entropy", "adam")
    other.steps(X, LABELS, batch_size=4, count=2, shuffle=False)
    assert same(everything(trainer), everything(other))


def test_data_are_not_copied():
    trainer = mn.Trainer(build(), "cross_entropy", "sgd")
    assert all(a is b for a, b in zip(trainer.data(X, LABELS), (X, LABELS)))


def test_seeds_drive_order_and_dropout():
    def losses(seed):
        return mn.Trainer(build(0.5), "cross_entropy", "sgd", seed=seed).steps(X, LABELS, 5, 8).tolist()

    assert losses(1) == losses(1) != losses(2)


# ---- checkpoints --------------------------------------------------------------------------------------------------------------


def trainer_of(seed=5, **options):
    rate = mn.schedules.get("exponential", initial=0.01)
    return mn.Trainer(
        build(0.3), "cross_entropy", mn.optimizers.Adam(rate), clip_norm=1.0, seed=seed, **options
    )


def test_a_resumed_training_is_the_uninterrupted_one_bit_for_bit(tmp_path):
    whole = trainer_of()
    losses = whole.steps(X, LABELS, batch_size=6, count=21)
    first = trainer_of()
    first.steps(X, LABELS, batch_size=6, count=9)
    first.hyper["clip_norm"] = 1.0
    first.save(tmp_path / "run.ckpt")
    mn.seed(99)
    second = trainer_of(seed=0)
    second.restore(tmp_path / "run.ckpt")
    assert second.step_count == 9
    assert np.array_equal(second.steps(X, LABELS, batch_size=6, count=12), losses[9:])
    assert same(everything(whole), everything(second))


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "run.ckpt"
    trainer_of().save(path)
    others = [
        mn.Trainer(build(0.3), "cross_entropy", "sgd"),
        mn.Trainer(build(outputs=5), "cross_entropy", "adam"),
        mn.Trainer(mn.Sequential([mn.layers.Dense(4)], input_shape=(3,)), "cross_entropy", "adam"),
    ]
    for other in others:
        before = everything(other)
        with pytest.raises(mn.ArgumentError, match=r"run\.ckpt"):
            other.restore(path)
        assert same(before, everything(other))
    with pytest.raises(mn.FileFormatError, match=r"trainer\.restore"):
        mn.load(path)
    build().save(path)
    with pytest.raises(mn.FileFormatError, match=r"holds a model, not a checkpoint"):
        others[0].restore(path)


# ---- plans, threads -------------------------------------------------------------------------------------------------------------


def test_the_plan_explains_and_profiles_itself():
    trainer = mn.Trainer(build(), "cross_entropy", "adam")
    plan = trainer.plan(batch=8)
    assert "matmul" in plan.explain() and "net(batch 8)" in plan.explain()
    before = everything(trainer)
    assert "µs" in str(plan.profile(X[:8], LABELS[:8]))
    assert same(before, everything(trainer))
    trainer.step(X[:8], LABELS[:8])
    assert trainer.plan(batch=8) is plan
    regression = mn.Trainer(build(), "mse", "adam")
    assert regression.plan(batch=8).input_specs[1].shape == (8, 4)


def test_threads_may_predict_while_one_trains():
    model = build()
    trainer = mn.Trainer(model, "cross_entropy", "sgd")
    stop = threading.Event()
    wrong = []

    def predict():
        while not stop.is_set():
            if not np.isfinite(model(X)).all():
                wrong.append(1)

    threads = [threading.Thread(target=predict) for _ in range(3)]
    [t.start() for t in threads]
    trainer.steps(X, LABELS, batch_size=5, count=2000)
    stop.set()
    [t.join() for t in threads]
    assert not wrong and trainer.step_count == 2000


def test_steps_of_several_threads_all_count():
    trainer = mn.Trainer(build(), "cross_entropy", "sgd")
    threads = [
        threading.Thread(target=lambda: [trainer.step(X, LABELS) for _ in range(100)]) for _ in range(4)
    ]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert trainer.step_count == 400


def test_a_trained_model_pickles():
    model = build()
    mn.Trainer(model, "cross_entropy", "adam").step(X, LABELS)
    assert np.array_equal(pickle.loads(pickle.dumps(model))(X), model(X))


# ---- running values ---------------------------------------------------------------------------------------------------------------


class RunningMean(mn.Layer):
    """y = x − mean of the batch in training, x − running mean otherwise."""

    def build(self, input_shape):
        self.mean = self.state("mean", (input_shape[-1],))
        self.gain = self.param("gain", (input_shape[-1],), "ones")

    def call(self, x, training=False):
        if not training:
            return (x - self.mean) * self.gain
        batch = mn.mean(x, axis=0)
        self.assign(self.mean, 0.5 * self.mean + 0.5 * mn.stop_gradient(batch))
        return (x - batch) * self.gain


def test_steps_commit_running_values_and_predictions_do_not():
    layer = RunningMean(name="centre")
    model = mn.Sequential([layer, layer, mn.layers.Dense(4)], input_shape=(3,))
    assert list(model.statistics) == ["centre/mean"] and "centre/mean" not in model.parameters
    trainer = mn.Trainer(model, "cross_entropy", mn.optimizers.SGD(0.0))
    model(X, training=True)
    model(X)
    assert (model.statistics["centre/mean"] == 0).all()
    trainer.step(X, LABELS)
    # the second use reads what the first one assigned, and its batch mean is zero
    assert np.allclose(model.statistics["centre/mean"], 0.25 * X.mean(0), atol=1e-6)
    kept = model.statistics["centre/mean"].copy()
    with pytest.raises(mn.DataError):
        trainer.step(X, with_value(LABELS, 0, 99))
    assert np.array_equal(model.statistics["centre/mean"], kept)
    inference, training = model(X), model(X, training=True)
    assert not np.allclose(inference, training)


def test_dropout_is_on_in_training_calls_only():
    model = build(0.5)
    assert np.array_equal(model(X), model(X))
    assert np.array_equal(model(X, training=False), model(X))
    assert not np.array_equal(model(X, training=True), model(X, training=True))
