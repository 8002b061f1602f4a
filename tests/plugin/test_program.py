"""The documented plugin: installed, registered by hand or passed as objects, it trains and its formulas hold."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import mathnet as mn

SOURCE = Path(__file__).parents[2] / "plugins" / "mathnet-swish" / "mathnet_swish.py"


@pytest.fixture
def plugin():
    """The module, fresh and unregistered."""
    spec = importlib.util.spec_from_file_location("mathnet_swish", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data(n=96):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 4))
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def test_installed(install, tmp_path):
    install("mathnet-swish", SOURCE.read_text(), version="0.1")
    with mn.Runtime(seed=0):
        x, y = data()
        image = mn.Input((4,), dtype="float64")
        h = mn.layers.Dense(8, activation="swish", kernel_regularizer="group_lasso")(image)
        h = mn.layers.Highway()(h)
        h = mn.layers.Dense(8, activation=mn.activations.get("swish", beta=2.0))(h)
        model = mn.Model(image, mn.layers.Dense(2)(h))
        optimizer = mn.optimizers.Signum(learning_rate=3e-3)
        history = model.fit(
            x, y, loss="poly1", optimizer=optimizer, epochs=30, batch_size=32, seed=0, progress=False
        )
        assert history["loss"][-1] < 0.7 * history["loss"][0]
        assert mn.plugins.origin("activation", "swish").distribution == "mathnet-swish"
        assert mn.regularizers.GroupLasso(0.5).config == {"strength": 0.5}
        assert "highway/gate_bias" in model.parameters
        model.save(tmp_path / "swish.mathnet")
        again = mn.load(tmp_path / "swish.mathnet")
        np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_registered_by_hand(plugin):
    with mn.Runtime(autoload=False, seed=0):
        mn.register(plugin.swish)
        mn.register(plugin.Signum)
        x, y = data()
        model = mn.Sequential([mn.layers.Dense(8, activation="swish"), mn.layers.Dense(2)], input_shape=(4,))
        trainer = mn.Trainer(model, loss=plugin.poly1, optimizer="signum", seed=0)
        assert np.isfinite(trainer.step(x.astype(np.float32), y))


def test_objects_passed_as_they_are(plugin):
    with mn.Runtime(autoload=False, seed=0):
        model = mn.Sequential(
            [
                mn.layers.Dense(8, activation=plugin.swish, kernel_regularizer=plugin.group_lasso),
                plugin.Highway(activation=plugin.swish),
                mn.layers.Dense(2),
            ],
            input_shape=(4,),
        )
        x, y = data()
        trainer = mn.Trainer(model, loss=plugin.poly1, optimizer=plugin.Signum(), seed=0)
        assert np.isfinite(trainer.step(x.astype(np.float32), y))


def test_a_model_with_undecorated_functions_trains_but_cannot_be_saved(tmp_path):
    model = mn.Sequential([mn.layers.Dense(2, activation=lambda x: mn.maximum(x, 0.1))], input_shape=(4,))
    x, y = data()
    model.fit(x, y, loss="cross_entropy", optimizer="sgd", epochs=1, progress=False)
    with pytest.raises(mn.MathnetError, match="lambda"):
        model.save(tmp_path / "x.mathnet")


def test_formulas(plugin):
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((5, 4))
    np.testing.assert_allclose(plugin.swish(x, 1.5), x * special.expit(1.5 * x), rtol=1e-14)
    np.testing.assert_allclose(plugin.group_lasso(w, 0.2), 0.2 * np.sqrt((w**2).sum(axis=0) + 1e-12).sum())
    p = special.softmax(x, axis=1)[np.arange(3), [0, 3, 1]]
    np.testing.assert_allclose(plugin.poly1(x, np.array([0, 3, 1])), 1 - p - np.log(p))
    s = special.expit(x)
    np.testing.assert_allclose(mn.grad(lambda x: mn.sum(plugin.swish(x)))(x), s + x * s * (1 - s), rtol=1e-12)
    layer = plugin.Highway(activation="tanh")
    y = layer(x)
    v = {path: variable.array for path, variable in layer.named_variables()}
    t = special.expit(x @ v["gate_kernel"] + v["gate_bias"])
    np.testing.assert_allclose(y, t * np.tanh(x @ v["kernel"] + v["bias"]) + (1 - t) * x)
    param, state = plugin.Signum(0.1).update(w, w * 0 + 2.0, {"m": w}, 0.1)
    np.testing.assert_allclose(param, w - 0.1 * np.sign(0.9 * w + 0.2))
    np.testing.assert_allclose(state["m"], 0.9 * w + 0.2)
