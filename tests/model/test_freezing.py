"""Frozen layers, frozen models, submodels, the search for a learning rate, and what summaries tell."""

import copy
import pickle

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(8)
X = RNG.standard_normal((16, 3))
Y = RNG.standard_normal((16, 2))


def model_of(*more):
    mn.seed(0)
    layers = [mn.layers.Dense(4, activation="tanh", name="first"), *more, mn.layers.Dense(2, name="last")]
    return mn.Sequential(layers, input_shape=(3,), dtype="float64")


def with_statistics():
    model = model_of(mn.layers.BatchNorm(name="norm"))
    mn.Trainer(model, "mse", "sgd").steps(X, Y, 8, 6)
    return model


# ---- layers -----------------------------------------------------------------------------------------------------------------


def test_frozen_layers_stay_and_thaw():
    model = model_of()
    model.layer("first").trainable = False
    before = {n: a.copy() for n, a in model.parameters.items()}
    trainer = mn.Trainer(model, "mse", "adam")
    trainer.steps(X, Y, 4, 4)
    changed = {n for n, a in model.parameters.items() if not np.array_equal(a, before[n])}
    assert changed == {"last/kernel", "last/bias"}
    assert "26 weights, 10 of them trained" in model.summary()
    assert not pickle.loads(pickle.dumps(model)).layer("first").trainable
    model.trainable = False
    with pytest.raises(mn.ArgumentError, match="no trainable weights"):
        mn.Trainer(model, "mse", "adam")
    model.trainable = True
    mn.Trainer(model, "mse", "adam").step(X, Y)
    assert not np.array_equal(model.parameters["first/kernel"], before["first/kernel"])
    with pytest.raises(mn.ArgumentError, match="trainable must be"):
        model.trainable = 3


def test_weights_declared_untrained_stay_so():
    class Fixed(mn.Layer):
        def build(self, input_shape):
            self.fixed = self.param("fixed", (4,), "ones", trainable=False)

        def call(self, x):
            return x * self.fixed

    model = model_of(Fixed(name="fixed"))
    model.trainable = False
    model.trainable = True
    mn.Trainer(model, "mse", "adam").step(X, Y)
    assert np.array_equal(model.parameters["fixed/fixed"], np.ones(4))


def test_a_layer_frozen_before_it_is_built():
    layer = mn.layers.Dense(4, name="first")
    layer.trainable = False
    model = mn.Sequential([layer, mn.layers.Dense(2)], input_shape=(3,))
    assert [n for n, v in model.named_variables() if not v.trainable] == ["first/kernel", "first/bias"]


def test_a_frozen_normalisation_keeps_its_running_values():
    model = with_statistics()
    model.layer("norm").trainable = False
    before = {n: a.copy() for n, a in model.statistics.items()}
    expected = model.evaluate(X, Y, "mse")["loss"]
    assert mn.Trainer(model, "mse", "sgd").step(X, Y) == pytest.approx(expected, rel=1e-12)
    assert all(np.array_equal(a, before[n]) for n, a in model.statistics.items())


# ---- models -----------------------------------------------------------------------------------------------------------------


def test_a_frozen_model_computes_the_same_beforehand():
    model = with_statistics()
    frozen = model.freeze()
    expected = model(X)
    np.testing.assert_allclose(frozen(X), expected, rtol=1e-12)
    np.testing.assert_allclose(frozen.predict(X[:5], batch_size=2), expected[:5], rtol=1e-12)
    model.parameters["last/bias"] = np.ones(2)  # the copy is independent
    np.testing.assert_allclose(frozen(X), expected, rtol=1e-12)
    flops, frozen_flops = (m.bound({m.inputs[0].shape[0]: 16}).plan.flops for m in (model, frozen))
    assert frozen_flops < flops
    for other in (pickle.loads(pickle.dumps(frozen)), copy.deepcopy(frozen)):
        np.testing.assert_allclose(other(X), expected, rtol=1e-12)
        assert not other.parameters["last/bias"].flags.writeable
    assert frozen.freeze() is frozen


def instructions(model, rows):
    return model.bound({model.inputs[0].shape[0]: rows}).plan.instructions


@pytest.mark.parametrize(
    ("shape", "layers"),
    [
        ((3,), lambda: [mn.layers.Dense(4)]),
        ((5, 3), lambda: [mn.layers.Dense(4)]),
        ((2, 6, 6), lambda: [mn.layers.Conv2D(4, 3)]),
        ((2, 6, 6), lambda: [mn.layers.Conv2D(4, 3, use_bias=False)]),
    ],
)
def test_a_normalisation_goes_into_the_weights_before_it(shape, layers):
    mn.seed(0)
    last = [mn.layers.BatchNorm(axis=-1 if len(shape) < 3 else 1), mn.layers.Activation("relu")]
    model = mn.Sequential([*layers(), *last], input_shape=shape, dtype="float64")
    for name, array in (*model.parameters.items(), *model.statistics.items()):
        array[...] = RNG.uniform(0.5, 2.0, array.shape) * (-1.0 if name.endswith("kernel") else 1.0)
    x = RNG.standard_normal((4, *shape))
    frozen = model.freeze()
    np.testing.assert_allclose(frozen(x), model(x), rtol=1e-10, atol=1e-12)
    assert len(instructions(frozen, 4)) < len(instructions(model, 4))
    assert len(instructions(frozen, 4)) == 1


@pytest.mark.parametrize("size", [(2, 2), (1, 1), (5, 5), (2, 7)])
@pytest.mark.parametrize("real", ["float32", "float64"])
def test_transformed_weights_serve_the_tiles_of_small_pictures(real, size):
    mn.seed(0)
    layers = [mn.layers.Conv2D(40, 3, padding=1), mn.layers.Conv2D(16, 3, padding=1)]
    model = mn.Sequential(layers, input_shape=(32, *size), dtype=real)
    frozen = model.freeze()
    for batch in (1, 9):
        x = RNG.standard_normal((batch, 32, *size)).astype(real)
        np.testing.assert_array_equal(frozen(x), model(x))
    assert frozen.bound({frozen.inputs[0].shape[0]: 9}).plan.explain().count("winograd_forward_prepared") == 2


def test_frozen_convolutions_keep_transformed_weights():
    mn.seed(0)
    layers = [
        mn.layers.Conv2D(20, 3, padding=1),
        mn.layers.Conv2D(16, 5, padding=2),
        mn.layers.Conv2D(16, 3, padding=2, dilation_rate=2),
        mn.layers.Conv2D(32, 3, strides=2, groups=1, activation="relu"),
    ]
    model = mn.Sequential([mn.layers.Conv2D(32, 3, padding=1), *layers], input_shape=(16, 9, 11))
    frozen = model.freeze()
    for batch in (3, 1):
        x = RNG.standard_normal((batch, 16, 9, 11)).astype("float32")
        np.testing.assert_array_equal(frozen(x), model(x))
    plans = [frozen.bound({frozen.inputs[0].shape[0]: batch}).plan for batch in (1, 3)]
    assert all(plan.explain().count("winograd_forward_prepared") == 4 for plan in plans)
    assert len(frozen._prepared) == 4  # made once for all plans
    assert "prepared" not in mn.function(model).plan(x).explain()
    again = pickle.loads(pickle.dumps(frozen))
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("units", [100, 192])
def test_frozen_dense_layers_keep_strips_of_their_weights_for_one_example(real, units):
    mn.seed(0)
    layers = [mn.layers.Dense(units, activation="relu"), mn.layers.Dense(10)]
    model = mn.Sequential(layers, input_shape=(1030,), dtype=real)
    model.parameters["dense/bias"][...] = RNG.standard_normal(units)
    frozen = model.freeze()
    x = RNG.standard_normal((7, 1030)).astype(real)
    whole = frozen(x)
    np.testing.assert_array_equal(whole, model(x))
    for row, y in zip(x, whole):
        np.testing.assert_array_equal(frozen(row[None]), y[None])
    batch = frozen.inputs[0].shape[0]
    assert frozen.bound({batch: 1}).plan.explain().count("gemv_prepared") == 1
    assert "prepared" not in frozen.bound({batch: 7}).plan.explain()
    assert "prepared" not in model.bound({model.inputs[0].shape[0]: 1}).plan.explain()


def test_a_frozen_network_gives_one_example_the_same_bits_on_any_number_of_threads():
    mn.seed(0)
    convolution = [mn.layers.Conv2D(64, 3, padding="same", activation="relu"), mn.layers.MaxPool2D(2)]
    layers = [*convolution, mn.layers.Flatten(), mn.layers.Dense(128, activation="relu"), mn.layers.Dense(10)]
    model = mn.Sequential(layers, input_shape=(32, 14, 14))
    x = RNG.standard_normal((3, 32, 14, 14)).astype("float32")
    whole = model(x)
    for threads in (1, 2, 3):
        with mn.Runtime(threads=threads):
            frozen = mn.Sequential(layers, input_shape=(32, 14, 14)).freeze()
        for image, y in zip(x, whole):
            for _ in range(5):
                np.testing.assert_array_equal(frozen(image[None]), y[None])


def test_a_product_with_another_use_keeps_its_weights():
    mn.seed(0)
    x = mn.Input((4,), "float64")
    first = mn.layers.Dense(4)(x)
    model = mn.Model(x, [first, mn.layers.BatchNorm(name="norm")(first) * 2.0 + first])
    for array in (*model.parameters.values(), *model.statistics.values()):
        array[...] = RNG.uniform(0.5, 2.0, array.shape)
    x = RNG.standard_normal((6, 4))
    for found, expected in zip(model.freeze()(x), model(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_a_frozen_model_is_for_inference_only(tmp_path):
    frozen = with_statistics().freeze()
    with pytest.raises(mn.ArgumentError, match=r"last/bias.*frozen"):
        frozen.parameters["last/bias"] = np.zeros(2)
    with pytest.raises(ValueError, match="read-only"):
        frozen.parameters["last/bias"][0] = 1.0
    with pytest.raises(mn.ArgumentError, match="inference mode only"):
        frozen(X, training=True)
    with pytest.raises(mn.ArgumentError, match="no trainable weights"):
        mn.Trainer(frozen, "mse", "sgd")
    frozen.save(tmp_path / "model")
    np.testing.assert_allclose(mn.load(tmp_path / "model")(X), frozen(X), rtol=1e-12)


def test_submodels_share_the_weights():
    model = model_of()
    features = model.submodel("first")
    expected = np.tanh(X @ model.parameters["first/kernel"] + model.parameters["first/bias"])
    np.testing.assert_allclose(features(X), expected)
    model.parameters["first/bias"][:] = 1.0
    np.testing.assert_allclose(features(X), np.tanh(X @ model.parameters["first/kernel"] + 1.0))
    assert mn.Model(model.input, model.output)(X).shape == (16, 2)


def test_a_layer_called_twice_has_two_results():
    x = mn.Input((3,))
    shared = mn.layers.Dense(3, name="shared")
    model = mn.Model(x, shared(shared(x)))
    first, second = model.results("shared")
    assert np.array_equal(mn.Model(model.input, second)(X), model(X))
    assert not np.array_equal(mn.Model(model.input, first)(X), model(X))
    with pytest.raises(mn.ArgumentError, match=r"called 2 times.*results\('shared'\)"):
        model.submodel("shared")
    with pytest.raises(mn.ArgumentError, match="did you mean 'shared'"):
        model.submodel("shard")


def test_summaries_count_operations():
    model = model_of()
    lead = model.inputs[0].shape[0]
    assert f"one example: {model.bound({lead: 1}).plan.flops:,} FLOPs" in model.summary()


# ---- the search for a learning rate -----------------------------------------------------------------------------------------


def test_the_search_for_a_rate_changes_nothing():
    trainer, other = (mn.Trainer(model_of(), "mse", "sgd", seed=3, ema=0.9) for _ in range(2))
    found = trainer.find_learning_rate(X, Y, batch_size=4, highest=1e3, count=40)
    assert 1e-6 < found.suggestion < 1e3
    assert found.rates.shape == found.losses.shape == found.smoothed.shape
    assert trainer.step_count == 0
    assert trainer.hyper["learning_rate"] == other.hyper["learning_rate"]
    np.testing.assert_array_equal(trainer.steps(X, Y, 4, 6), other.steps(X, Y, 4, 6))


@pytest.mark.parametrize(
    ("rate", "options", "words"),
    [
        (lambda step: 0.1 / (step + 1.0), {}, "follows a schedule"),
        (0.1, {"lowest": 0.0}, "lowest < highest"),
        (0.1, {"lowest": 2.0, "highest": 1.0}, "lowest < highest"),
        (0.1, {"count": 2}, "count"),
        (0.1, {"lowest": 1e200, "highest": 1e300}, "exploded after"),
    ],
)
def test_bad_searches_are_refused(rate, options, words):
    trainer = mn.Trainer(model_of(), "mse", mn.optimizers.SGD(rate))
    with pytest.raises(mn.ArgumentError, match=words):
        trainer.find_learning_rate(X, Y, **options)
