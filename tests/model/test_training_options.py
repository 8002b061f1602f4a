"""Clipping, groups, schedules, accumulation, averages and constraints against recurrences in NumPy float64."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(3)
X = RNG.standard_normal((12, 3))
Y = RNG.standard_normal((12, 2))
W = RNG.uniform(0.2, 2.0, 12)


def linear(**options):
    mn.seed(0)
    x = mn.Input((3,), "float64")
    model = mn.Model(x, mn.layers.Dense(2, name="dense", **options)(x))
    return model, model.parameters["dense/kernel"].copy(), model.parameters["dense/bias"].copy()


def slopes(kernel, bias, x, y, w=None):
    """Gradients of Σ w·mean((ŷ − y)²) / Σ w by kernel and bias."""
    w = np.ones(len(x)) if w is None else w
    error = (x @ kernel + bias - y) * w[:, None] / w.sum()
    return x.T @ error, error.sum(axis=0)


def close(model, kernel, bias):
    np.testing.assert_allclose(model.parameters["dense/kernel"], kernel, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.parameters["dense/bias"], bias, rtol=1e-10, atol=1e-12)


# ---- clipping ---------------------------------------------------------------------------------------------------------------


def test_clipping_by_value_then_parameter_then_all():
    model, kernel, bias = linear()
    limits = {"clip_value": 0.3, "clip_parameter_norm": 0.4, "clip_norm": 0.35}
    trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.5), **limits)
    for _ in range(3):
        trainer.step(X, Y)
        found = [np.clip(g, -0.3, 0.3) for g in slopes(kernel, bias, X, Y)]
        found = [g * 0.4 / max(np.linalg.norm(g), 0.4) for g in found]
        total = np.sqrt(sum(np.sum(g * g) for g in found))
        kernel, bias = (p - 0.5 * g * 0.35 / max(total, 0.35) for p, g in zip((kernel, bias), found))
    close(model, kernel, bias)
    trainer.hyper["clip_value"] = 1e-3
    assert trainer.hyper["clip_value"] == 1e-3


@pytest.mark.parametrize("name", ["clip_norm", "clip_value", "clip_parameter_norm"])
@pytest.mark.parametrize("value", [0, -1.0, True, "1", float("nan")])
def test_limits_are_positive(name, value):
    with pytest.raises(mn.ArgumentError, match=name):
        mn.Trainer(linear()[0], "mse", "sgd", **{name: value})


# ---- groups -----------------------------------------------------------------------------------------------------------------


def test_groups_have_settings_of_their_own():
    model, kernel, bias = linear()
    trainer = mn.Trainer(
        model,
        "mse",
        mn.optimizers.SGD(0.1, momentum=0.9),
        groups={"*/bias": {"learning_rate": 0.01, "momentum": 0.0}, "dense/*": {"learning_rate": 0.2}},
    )
    assert trainer.hyper["*/bias.learning_rate"] == 0.01
    velocity = np.zeros_like(kernel)
    for momentum in (0.9, 0.9, 0.5):
        trainer.hyper["momentum"] = momentum  # shared by the groups that do not set it
        trainer.step(X, Y)
        slope, bias_slope = slopes(kernel, bias, X, Y)
        velocity = momentum * velocity + slope
        kernel, bias = kernel - 0.2 * velocity, bias - 0.01 * bias_slope
    close(model, kernel, bias)
    with pytest.raises(mn.ArgumentError, match="without momentum"):
        trainer.hyper["*/bias.momentum"] = 0.5


def test_a_group_may_have_a_schedule():
    model, kernel, bias = linear()
    groups = {"*/bias": {"learning_rate": lambda step: 0.1 / (step + 1.0)}}
    trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.05), groups=groups)
    for step in range(3):
        trainer.step(X, Y)
        slope, bias_slope = slopes(kernel, bias, X, Y)
        kernel, bias = kernel - 0.05 * slope, bias - 0.1 / (step + 1) * bias_slope
    close(model, kernel, bias)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"dens/*": {"learning_rate": 0.1}}, r"groups\['dens/\*'\].*no trained parameter.*dense/kernel"),
        ({"dense/*": {"lr": 0.1}}, "SGD has no setting 'lr'.*learning_rate"),
        ({"dense/*": {}}, "mapping of settings"),
        ({"dense/*": {"momentum": -1.0}}, r"groups\['dense/\*'\]: SGD: momentum"),
        ([("dense/*", {})], "groups must be a mapping"),
    ],
)
def test_bad_groups_are_refused(groups, words):
    with pytest.raises(mn.ArgumentError, match=words):
        mn.Trainer(linear()[0], "mse", "sgd", groups=groups)


@pytest.mark.parametrize(
    ("optimizer", "setting"),
    [
        ("sgd", "momentum"),
        ("sgd", "weight_decay"),
        ("adam", "weight_decay"),
        ("rmsprop", "momentum"),
        ("rmsprop", "weight_decay"),
    ],
)
def test_settings_that_the_plan_leaves_out_cannot_be_set(optimizer, setting):
    trainer = mn.Trainer(linear()[0], "mse", optimizer)
    trainer.hyper[setting] = 0.0
    with pytest.raises(
        mn.ArgumentError, match=f"'{setting}' cannot be set to 0.5.*computes without {setting}"
    ):
        trainer.hyper[setting] = 0.5
    with pytest.raises(mn.ArgumentError, match="no effect"):
        mn.Trainer(linear()[0], "mse", optimizer, schedules={setting: lambda step: 0.1})


# ---- schedules --------------------------------------------------------------------------------------------------------------


def test_any_hyper_parameter_may_follow_a_schedule():
    model, kernel, bias = linear()
    trainer = mn.Trainer(
        model,
        "mse",
        mn.optimizers.SGD(0.1, momentum=0.5),
        schedules={
            "momentum": lambda step: 1.0 - 1.0 / (step + 2.0),
            "learning_rate": mn.schedules.Exponential(0.2, 0.5),
        },
    )
    velocity = [np.zeros_like(kernel), np.zeros_like(bias)]
    for step in range(3):
        trainer.step(X, Y)
        velocity = [(1 - 1 / (step + 2)) * v + g for v, g in zip(velocity, slopes(kernel, bias, X, Y))]
        kernel, bias = (p - 0.2 * 0.5**step * v for p, v in zip((kernel, bias), velocity))
        assert trainer.hyper["momentum"] == pytest.approx(1 - 1 / (step + 2))
    close(model, kernel, bias)
    assert trainer.hyper["learning_rate.gamma"] == 0.5
    with pytest.raises(mn.ArgumentError, match="a schedule sets it"):
        trainer.hyper["momentum"] = 0.1


@pytest.mark.parametrize(
    ("schedules", "error", "words"),
    [
        ({"momentun": lambda step: step}, mn.UnknownKeyError, "momentum"),
        ({"momentum": 0.5}, mn.MathnetError, "schedule"),
        ("cosine", mn.ArgumentError, "must be a mapping"),
    ],
)
def test_bad_schedules_are_refused(schedules, error, words):
    with pytest.raises(error, match=words):
        mn.Trainer(linear()[0], "mse", mn.optimizers.SGD(0.1, momentum=0.9), schedules=schedules)


# ---- accumulation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_accumulated_batches_equal_one_large_batch(weighted, optimizer):
    weights = W if weighted else None
    models = [linear(kernel_regularizer=mn.regularizers.L2(0.1))[0] for _ in range(2)]
    options = {"clip_norm": 0.5, "schedules": {"learning_rate": lambda step: 0.1 / (step + 1.0)}}
    large = mn.Trainer(models[0], "mse", optimizer, **options)
    small = mn.Trainer(models[1], "mse", optimizer, accumulate=3, **options)
    for _ in range(3):
        large.step(X, Y, weights)
        before = models[1].parameters["dense/kernel"].copy()
        for part in (slice(0, 2), slice(2, 7), slice(7, 12)):
            assert np.array_equal(models[1].parameters["dense/kernel"], before)
            small.step(X[part], Y[part], None if weights is None else weights[part])
        close(models[1], models[0].parameters["dense/kernel"], models[0].parameters["dense/bias"])
    assert (large.step_count, small.step_count) == (3, 9)


def test_accumulation_with_several_outputs_whose_weights_differ():
    def loss(y_pred, y_true):
        return mn.square(y_pred - y_true), mn.abs(y_true)

    def model():
        mn.seed(1)
        x = mn.Input((3,), "float64")
        shared = mn.layers.Dense(4, activation="tanh")(x)
        return mn.Model(x, {"a": mn.layers.Dense(2)(shared), "b": mn.layers.Dense(2)(shared)})

    models = [model(), model()]
    options = {"loss_weights": {"a": 1.0, "b": 0.3}}
    large = mn.Trainer(models[0], {"a": "mse", "b": loss}, mn.optimizers.SGD(0.1), **options)
    small = mn.Trainer(models[1], {"a": "mse", "b": loss}, mn.optimizers.SGD(0.1), accumulate=2, **options)
    for _ in range(2):
        large.step(X, {"a": Y, "b": Y})
        for part in (slice(0, 5), slice(5, 12)):
            small.step(X[part], {"a": Y[part], "b": Y[part]})
    for name, array in models[0].parameters.items():
        np.testing.assert_allclose(models[1].parameters[name], array, rtol=1e-10)


@pytest.mark.parametrize("value", [0, -2, 1.5, True, "2"])
def test_accumulate_is_a_positive_integer(value):
    with pytest.raises(mn.ArgumentError, match="accumulate must be a positive integer"):
        mn.Trainer(linear()[0], "mse", "sgd", accumulate=value)


# ---- averages ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accumulate", [1, 2])
def test_ema_is_the_exponential_average(accumulate):
    model, *_ = linear()
    trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.2), ema=0.75, accumulate=accumulate)
    expected = None
    for _ in range(4):
        for _ in range(accumulate):
            trainer.step(X, Y)
        now = model.parameters["dense/kernel"].copy()
        expected = now if expected is None else 0.75 * expected + 0.25 * now
    np.testing.assert_allclose(trainer.averaged_model().parameters["dense/kernel"], expected, rtol=1e-12)
    with trainer.averaged_weights() as averaged:
        np.testing.assert_allclose(averaged.parameters["dense/kernel"], expected, rtol=1e-12)
    assert np.array_equal(model.parameters["dense/kernel"], now)


def test_swa_is_the_mean_from_an_update_on():
    model, *_ = linear()
    trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.2), swa=2)
    seen = []
    for _ in range(5):
        trainer.step(X, Y)
        seen.append(model.parameters["dense/bias"].copy())
    found = trainer.averaged_model()
    np.testing.assert_allclose(found.parameters["dense/bias"], np.mean(seen[2:], axis=0), rtol=1e-12)
    np.testing.assert_allclose(found(X), X @ found.parameters["dense/kernel"] + np.mean(seen[2:], axis=0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ema": 1.0}, "ema must be"),
        ({"ema": True}, "ema must be"),
        ({"swa": -1}, "swa must be"),
        ({"ema": 0.9, "swa": 1}, "not both"),
    ],
)
def test_bad_averages_are_refused(options, words):
    with pytest.raises(mn.ArgumentError, match=words):
        mn.Trainer(linear()[0], "mse", "sgd", **options)


def test_without_average_there_is_no_averaged_model():
    with pytest.raises(mn.ArgumentError, match="keeps no average"):
        mn.Trainer(linear()[0], "mse", "sgd").averaged_model()


# ---- all together -----------------------------------------------------------------------------------------------------------


def test_everything_resumes_bit_for_bit(tmp_path):
    def trainer():
        return mn.Trainer(
            linear()[0],
            "mse",
            mn.optimizers.Adam(0.05),
            accumulate=3,
            ema=0.9,
            clip_value=1.0,
            groups={"*/bias": {"learning_rate": 0.01}},
            schedules={"learning_rate": mn.schedules.Cosine(0.1, 20.0)},
        )

    whole, first, second = trainer(), trainer(), trainer()
    whole.steps(X, Y, batch_size=5, count=14)
    first.steps(X, Y, batch_size=5, count=7)
    first.save(tmp_path / "half")
    second.restore(tmp_path / "half")
    second.steps(X, Y, batch_size=5, count=7)
    for name, array in whole.model.parameters.items():
        assert np.array_equal(second.model.parameters[name], array)
        assert np.array_equal(
            second.averaged_model().parameters[name], whole.averaged_model().parameters[name]
        )
    with pytest.raises(mn.ArgumentError, match=r"has no .*; it was written for another"):
        mn.Trainer(linear()[0], "mse", mn.optimizers.Adam(0.05)).restore(tmp_path / "half")


def test_constraints_hold_after_every_update():
    class Positive(mn.Layer):
        def build(self, input_shape):
            self.scale = self.param("scale", (3,), "ones", constraint=lambda w: mn.maximum(w, 0.9))

        def call(self, x):
            return x * self.scale

    x = mn.Input((3,), "float64")
    model = mn.Model(x, Positive(name="positive")(x))
    trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.5), ema=0.5)
    scale, target = np.ones(3), np.array([1.5, -1.0, 0.5]) * X
    for _ in range(2):
        trainer.step(X, target)
        slope = 2 * np.mean((X * scale - target) * X, axis=0) / 3
        scale = np.maximum(scale - 0.5 * slope, 0.9)
    np.testing.assert_allclose(model.parameters["positive/scale"], scale, rtol=1e-12)
    assert trainer.averaged_model().parameters["positive/scale"].min() >= 0.9
