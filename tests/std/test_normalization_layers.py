"""Normalising layers against NumPy; BatchNorm in training, inference, files and when it is used twice; Normalization by data."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


def rng():
    return np.random.default_rng(9)


def standardized(x, axes, eps):
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def trained(layer, x, steps=1, targets=None, learning_rate=0.0):
    """A model of the layer alone after some steps."""
    inputs = mn.Input(x.shape[1:], dtype="float64")
    model = mn.Model(inputs, layer(inputs))
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(learning_rate))
    for _ in range(steps):
        trainer.step(x, np.zeros(x.shape) if targets is None else targets)
    return model


@pytest.mark.parametrize(
    ("shape", "axis"), [((8, 3), None), ((8, 3, 4), 1), ((8, 4, 3), -1), ((8, 3, 2, 2), None)]
)
def test_batch_norm_in_training_and_inference(shape, axis):
    x = rng().standard_normal(shape) * 2 + 3
    at = 1 if axis is None else axis % x.ndim
    others = tuple(k for k in range(x.ndim) if k != at)
    laid = [1] * x.ndim
    laid[at] = 3
    layer = L.BatchNorm(axis=axis, momentum=0.75, epsilon=1e-3)
    np.testing.assert_allclose(layer(x, training=True), standardized(x, others, 1e-3), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        layer(x), x / np.sqrt(1 + 1e-3), rtol=1e-12
    )  # running values are those of the start

    model = trained(L.BatchNorm(axis=axis, momentum=0.75, epsilon=1e-3), x, steps=2)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(2):
        mean = 0.75 * mean + 0.25 * x.mean(others)
        variance = 0.75 * variance + 0.25 * x.var(others, ddof=1)
    np.testing.assert_allclose(model.statistics["batch_norm/moving_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(model.statistics["batch_norm/moving_variance"], variance, rtol=1e-12)
    wanted = (x - mean.reshape(laid)) / np.sqrt(variance.reshape(laid) + 1e-3)
    np.testing.assert_allclose(model(x), wanted, rtol=1e-10)
    np.testing.assert_allclose(model(x, training=True), standardized(x, others, 1e-3), rtol=1e-10, atol=1e-12)


def test_predictions_and_failed_steps_leave_the_running_values():
    x = rng().standard_normal((8, 3))
    model = trained(L.BatchNorm(), x)
    kept = {name: values.copy() for name, values in model.statistics.items()}
    model(x), model(x, training=True), model.predict(x), model.evaluate(x, x, loss="mse")
    for name, values in model.statistics.items():
        np.testing.assert_array_equal(values, kept[name])


def test_a_batch_norm_used_twice_updates_its_values_twice():
    x = rng().standard_normal((6, 3)) * 2 + 1
    layer, inputs = L.BatchNorm(momentum=0.5), mn.Input((3,), dtype="float64")
    model = mn.Model(inputs, layer(layer(inputs) * 3.0 + 1.0))
    mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.0)).step(x, x)
    first = 0.5 * x.mean(0)
    second = 0.5 * first + 0.5 * (standardized(x, 0, 1e-5) * 3 + 1).mean(0)
    np.testing.assert_allclose(model.statistics["batch_norm/moving_mean"], second, rtol=1e-12)


def test_running_values_are_saved_and_restored(tmp_path):
    x = rng().standard_normal((8, 3))
    model = trained(L.BatchNorm(), x, steps=3, learning_rate=0.1)
    model.save(tmp_path / "m.mathnet")
    again = mn.load(tmp_path / "m.mathnet")
    assert set(again.statistics) == {"batch_norm/moving_mean", "batch_norm/moving_variance"}
    np.testing.assert_array_equal(again(x), model(x))


def test_a_checkpoint_holds_the_running_values(tmp_path):
    x, y = rng().standard_normal((16, 3)), rng().standard_normal((16, 3))

    def trainer():
        with mn.Runtime(seed=0):
            inputs = mn.Input((3,), dtype="float64")
            model = mn.Model(inputs, L.BatchNorm()(L.Dense(3)(inputs)))
            return mn.Trainer(model, loss="mse", optimizer="adam", seed=0)

    whole = trainer()
    for _ in range(4):
        whole.step(x, y)
    first = trainer()
    for _ in range(2):
        first.step(x, y)
    first.save(tmp_path / "run.ckpt")
    second = trainer()
    second.restore(tmp_path / "run.ckpt")
    for _ in range(2):
        second.step(x, y)
    for name, values in whole.model.statistics.items():
        np.testing.assert_array_equal(second.model.statistics[name], values)


def test_without_scale_and_center_nothing_is_trained():
    layer = L.BatchNorm(center=False, scale=False)
    layer(np.zeros((2, 3)))
    assert layer.parameters == [] and len(layer.statistics) == 2


def test_a_frozen_batch_norm_keeps_its_running_values_and_uses_them():
    x = rng().standard_normal((8, 3)) + 2
    layer, inputs = L.BatchNorm(), mn.Input((3,), dtype="float64")
    model = mn.Model(inputs, layer(L.Dense(3)(inputs)))
    for weight in layer.parameters:
        weight.trainable = False
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.0))
    loss = trainer.step(x, np.zeros((8, 3)))
    assert loss == pytest.approx(np.mean(model(x) ** 2), rel=1e-10)
    np.testing.assert_array_equal(model.statistics["batch_norm/moving_mean"], np.zeros(3))


def test_batch_statistics_of_a_batch_of_unknown_size():
    x = rng().standard_normal((7, 3))
    inputs = mn.Input((3,), dtype="float64")
    model = mn.Model(inputs, L.BatchNorm()(inputs, training=True))
    np.testing.assert_allclose(model(x), standardized(x, 0, 1e-5), rtol=1e-10)
    spread = mn.Model(inputs, mn.moments(inputs, 0, correction=1)[1] + inputs * 0.0)
    np.testing.assert_allclose(spread(x)[0], x.var(0, ddof=1), rtol=1e-10)


def test_one_example_normalises_to_beta():
    layer = L.BatchNorm(beta_initializer="ones")
    np.testing.assert_array_equal(layer(np.array([[5.0, -5.0]]), training=True), [[1.0, 1.0]])


def test_a_network_with_batch_norm_and_global_pooling_trains():
    generator = rng()
    labels = generator.integers(0, 2, 128)
    x = generator.standard_normal((128, 1, 8, 8)).astype(np.float32)
    x[labels == 1, :, 2:6, 2:6] += 1.5  # a bright square or none
    with mn.Runtime(seed=0):
        picture = mn.Input((1, 8, 8))
        h = L.BatchNorm()(L.Conv2D(8, 3, padding="same", use_bias=False)(picture))
        h = L.MaxPool2D(2)(L.Activation("relu")(h))
        h = L.BatchNorm()(L.Conv2D(8, 3, padding="same", activation="relu")(h))
        model = mn.Model(picture, L.Dense(2)(L.GlobalAvgPool()(h)))
        history = model.fit(
            x,
            labels,
            loss="cross_entropy",
            optimizer=mn.optimizers.Adam(1e-2),
            metrics=["accuracy"],
            epochs=12,
            batch_size=32,
            seed=0,
        )
    assert history["loss"][-1] < 0.25 * history["loss"][0]
    assert (
        model.evaluate(x, labels, loss="cross_entropy", metrics=["accuracy"])["accuracy"] > 0.95
    )  # with running values


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), (2, 3), (-1, 1)])
def test_layer_norm_and_rms_norm(axis):
    x = rng().standard_normal((4, 3, 5, 2)) + 1
    axes = tuple(a % 4 for a in (axis if isinstance(axis, tuple) else (axis,)))
    sizes = tuple(x.shape[a] for a in sorted(axes))
    laid = tuple(n if k in axes else 1 for k, n in enumerate(x.shape))
    norm = L.LayerNorm(axis=axis, gamma_initializer="normal", beta_initializer="normal")
    y = norm(x)
    gamma, beta = norm.gamma.array, norm.beta.array
    assert gamma.shape == beta.shape == sizes
    np.testing.assert_allclose(
        y, standardized(x, axes, 1e-5) * gamma.reshape(laid) + beta.reshape(laid), rtol=1e-10, atol=1e-12
    )
    rms = L.RMSNorm(axis=axis, gamma_initializer="normal")
    y = rms(x)
    wanted = x / np.sqrt((x**2).mean(axes, keepdims=True) + 1e-6) * rms.gamma.array.reshape(laid)
    np.testing.assert_allclose(y, wanted, rtol=1e-10)
    assert len(rms.parameters) == 1


@pytest.mark.parametrize("kind", [L.BatchNorm, L.LayerNorm, L.RMSNorm, L.GroupNorm, L.InstanceNorm])
def test_a_class_derived_from_a_norm_chooses_its_weights(kind):
    class Own(kind):
        def __init__(self):
            settings = {} if kind is not L.GroupNorm else {"groups": 1}
            super().__init__(gamma_initializer="zeros", gamma_regularizer="l2", **settings)

    layer = Own()
    layer(np.ones((2, 3, 4, 5), np.float32))
    np.testing.assert_array_equal(layer.gamma.array, 0.0)
    assert layer.gamma.regularizer is not None


def test_group_norm_and_instance_norm():
    x = rng().standard_normal((3, 6, 4)) * 3
    groups = standardized(x.reshape(3, 2, 3, 4), (2, 3), 1e-5).reshape(x.shape)
    np.testing.assert_allclose(L.GroupNorm(2)(x), groups, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(L.InstanceNorm()(x), standardized(x, 2, 1e-5), rtol=1e-10, atol=1e-12)


def test_normalization_by_a_data_set(tmp_path):
    x = rng().standard_normal((50, 3, 4)) * [1.0, 2.0, 3.0, 4.0] + 5
    layer = L.Normalization()
    layer.adapt(x)
    np.testing.assert_allclose(layer(x), standardized(x, (0, 1), 0.0), rtol=1e-10, atol=1e-12)
    assert layer.parameters == []
    whole = L.Normalization(axis=None)
    whole.adapt(x)
    np.testing.assert_allclose(whole(x), standardized(x, None, 0.0), rtol=1e-10, atol=1e-12)
    constant = L.Normalization()
    constant.adapt(np.ones((3, 2)))
    np.testing.assert_array_equal(constant(np.ones((3, 2))), np.zeros((3, 2)))
    inputs = mn.Input((3, 4), dtype="float64")
    mn.Model(inputs, layer(inputs)).save(tmp_path / "m.mathnet")
    np.testing.assert_array_equal(mn.load(tmp_path / "m.mathnet")(x), layer(x))


def adapted(data):
    layer = L.Normalization()
    layer.adapt(np.ones((3, 2)))
    layer.adapt(data)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: L.BatchNorm()(np.zeros((2, 3, 4))),
            mn.ShapeError,
            r"BatchNorm\(axis=1\) or BatchNorm\(axis=-1\)",
        ),
        (lambda: L.BatchNorm()(np.zeros(2)), mn.ShapeError, "at least two axes"),
        (
            lambda: L.BatchNorm(axis=0)(np.zeros((2, 3))),
            mn.ShapeError,
            "axis=0 is no axis of an input with 2 axes",
        ),
        (lambda: L.BatchNorm(axis=4)(np.zeros((2, 3))), mn.ShapeError, "axis=4 is no axis"),
        (lambda: L.BatchNorm(axis=1.0), mn.ArgumentError, "axis must be an integer"),
        (lambda: L.BatchNorm(momentum=1.5), mn.ArgumentError, "momentum must be a number from 0 to 1"),
        (lambda: L.BatchNorm(epsilon=0), mn.ArgumentError, "epsilon must be a positive number"),
        (lambda: L.LayerNorm(axis="x"), mn.ArgumentError, "LayerNorm: axis must be an integer"),
        (lambda: L.LayerNorm(axis=3)(np.zeros((2, 3))), mn.ShapeError, "axis=3 is no axis"),
        (lambda: L.GroupNorm(0), mn.ArgumentError, "groups must be a positive integer"),
        (lambda: L.GroupNorm(2)(np.zeros((2, 3))), mn.ShapeError, "3 channels .* 2 groups"),
        (lambda: L.InstanceNorm()(np.zeros((2, 3))), mn.ShapeError, "at least 3 axes"),
        (lambda: L.Normalization(axis=True), mn.ArgumentError, "axis must be an integer or None"),
        (
            lambda: L.Normalization(axis=0)(np.zeros((2, 3))),
            mn.ShapeError,
            "axis=0 is no axis of an input with 2",
        ),
        (lambda: L.Normalization().adapt(np.zeros((0, 3))), mn.ShapeError, "at least one example"),
        (lambda: adapted(np.ones((3, 1))), mn.ShapeError, "has 1 values along axis -1, but the layer was made for 2"),
        (lambda: adapted(np.full((3, 2), np.nan)), mn.DataError, "NaN or infinite values"),
    ],
)  # fmt: skip
def test_bad_settings_and_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
