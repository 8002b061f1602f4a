"""The programs that the public face promises, word for word: build, train, use; one's own loop; the maths; embedding."""

import os

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def digits():
    x = RNG.standard_normal((96, 1, 28, 28)).astype(np.float32)
    return x, RNG.integers(0, 10, 96)


def build():
    image = mn.Input((1, 28, 28), name="image")  # the batch size stays free
    h = mn.layers.Conv2D(32, 3, padding="same", activation="relu")(image)
    h = mn.layers.MaxPool2D(2)(h)
    h = mn.layers.Conv2D(64, 3, padding="same", activation="relu")(h)
    h = mn.layers.MaxPool2D(2)(h)
    h = mn.layers.Flatten()(h)
    h = mn.layers.Dropout(0.25)(h)
    logits = mn.layers.Dense(10, kernel_regularizer=mn.regularizers.L2(1e-4), name="logits")(h)
    return mn.Model(image, logits)


def test_build_a_graph_train_it_use_it(folder, digits, capsys):
    x, y = digits
    model = build()
    history = model.fit(x, y, loss="cross_entropy", optimizer=mn.optimizers.Adam(1e-3), metrics=["accuracy"],
                        epochs=2, batch_size=32, validation_split=0.1, seed=0)  # fmt: skip
    assert len(history["loss"]) == len(history["val_accuracy"]) == 2
    found = model.evaluate(x, y, loss="cross_entropy", metrics=["accuracy"])
    assert {"loss", "accuracy"} <= set(found)
    scores = model.predict(x, batch_size=256)
    assert scores.shape == (96, 10)
    assert np.array_equal(model(x[:1]), scores[:1])
    print(model.summary())
    assert model.parameters["logits/kernel"].shape == (3136, 10)
    model.save("digits.mathnet")
    again = mn.load("digits.mathnet")
    assert np.array_equal(again.predict(x), scores)
    assert os.listdir(folder) == ["digits.mathnet"]
    assert "logits" in capsys.readouterr().out


def test_sequential_and_operators():
    mlp = mn.Sequential([mn.layers.Dense(128, activation="relu"), mn.layers.Dense(10)], input_shape=(784,))
    assert mlp(np.zeros((3, 784))).shape == (3, 10)
    x = mn.Input((4,))
    h = mn.layers.Dense(4)(x)
    y = mn.tanh(h) * 2 + x
    assert mn.Model(x, y)(np.ones((2, 4))).shape == (2, 4)


def test_ones_own_training_loop(folder, digits):
    x, y = digits
    xb, yb, w = x[:64], y[:64], np.ones(64)
    model = build()
    trainer = mn.Trainer(model, loss="cross_entropy", optimizer="adam", clip_norm=1.0, seed=0)
    loss = trainer.step(xb, yb)
    assert isinstance(loss, float)
    loss = trainer.step(xb, yb, sample_weight=w)
    assert isinstance(loss, float)
    losses = trainer.steps(x, y, batch_size=32, count=4)
    assert len(losses) == 4
    trainer.save("run.ckpt")
    trainer.restore("run.ckpt")
    assert "conv2d" in trainer.plan(batch=64).explain()
    assert "GFLOP/s" in str(trainer.plan(batch=64).profile(xb, yb))


def test_a_model_in_the_maths():
    inputs = mn.Input((3,))
    model = mn.Model(inputs, mn.layers.Dense(1)(mn.layers.Dense(4, activation="tanh")(inputs)))
    X, Y = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 1))
    slope = mn.grad(lambda p: mn.mean(mn.square(model.apply(p, X) - Y)))(model.parameters)
    assert {n: a.shape for n, a in slope.items()} == {n: a.shape for n, a in model.parameters.items()}
    by_input = mn.grad(lambda x: mn.sum(model(x)))(X)
    assert by_input.shape == X.shape and np.abs(by_input).max() > 0


def test_embedding(folder):
    mn.Sequential([mn.layers.Dense(2)], input_shape=(3,)).save("digits.mathnet")
    rt = mn.Runtime(plugins=[], autoload=False, threads=1, seed=0)
    with rt:
        model = mn.load("digits.mathnet")
    assert model.runtime is rt and model(np.zeros((1, 3))).shape == (1, 2)
