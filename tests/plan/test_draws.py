"""Bernoulli draws that need no instruction: who draws, who keeps, and the same values as from an array."""

import numpy as np
import pytest

import mathnet as mn

X = np.random.default_rng(0).normal(size=(37, 45)).astype(np.float32)


def dropped(x, shape=None):
    return x * mn.random.bernoulli(shape or x.shape, 0.7, like=x) * (1 / 0.7)


def kernels_of(plan):
    return [i.kernel.name for i in plan.instructions if i.kind == "kernel"]


def evaluate(f, *arrays):
    """The kernels of a plan, and what it gives for the first draw of seed 5."""
    mn.seed(5)
    compiled = mn.function(f)
    result = compiled(*arrays)
    return kernels_of(compiled.plan(*arrays)), result


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [None, (1, 45), (37, 1)])
def test_one_reader_draws(dtype, shape):
    """The same with the mask as a further result, which is written by the operation's own kernel."""
    x = X.astype(dtype)
    names, y = evaluate(lambda x: dropped(mn.relu(x), shape), x)
    assert names == ["bernoulli_draw", "elementwise"]

    def with_mask(x):
        mask = mn.random.bernoulli(shape or x.shape, 0.7, like=x)
        return mn.relu(x) * mask * (1 / 0.7), mask

    names, (expected, mask) = evaluate(with_mask, x)
    assert "random_bernoulli" in names
    np.testing.assert_array_equal(y, expected)
    assert 0.5 < mask.mean() < 0.9 and set(np.unique(mask)) == {0, 1}


def test_a_reduction_draws():
    names, total = evaluate(lambda x: mn.sum(dropped(x)), X)
    assert names == ["bernoulli_draw", "elementwise"]
    assert total == evaluate(lambda x: mn.sum(reshaped_twice(dropped(x))), X)[1]


def reshaped_twice(x):
    return mn.reshape(mn.reshape(x, (-1,)), (37, 45))


def test_the_first_of_several_readers_keeps():
    """Dropout between two products: the gradient reads what the forward pass drew."""
    a = np.random.default_rng(1).normal(size=(45, 45)).astype(np.float32)

    def f(x, a):
        return mn.sum((dropped(x @ a)) @ a)

    def both(x, a):
        value, pullback = mn.vjp(lambda x: f(x, a), x)
        return value, pullback(np.float32(1))

    names, (value, gradient) = evaluate(both, X, a)
    assert "random_bernoulli" not in names and names.count("bernoulli_draw") == 1

    def with_mask(x, a):
        mask = mn.random.bernoulli(x.shape, 0.7, like=x)
        return mask, mn.sum((x @ a * mask * (1 / 0.7)) @ a)

    _, (mask, expected) = evaluate(with_mask, X, a)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    by_hand = (np.ones((37, 45)) @ a.T.astype(float) * mask / 0.7) @ a.T
    np.testing.assert_allclose(gradient, by_hand, rtol=1e-4, atol=1e-4)


def test_other_readers_get_an_array():
    names, y = evaluate(lambda x: mn.random.bernoulli(x.shape, 0.7, like=x) @ x.T, X)
    assert names[0] == "random_bernoulli" and y.shape == (37, 37)


def test_loops_draw_anew_with_every_turn():
    def f(x):
        return mn.scan(lambda c, _: (dropped(c), c), x, np.zeros(3, np.float32))[1]

    mn.seed(5)
    ys = mn.function(f)(np.ones((64,), np.float32))
    kept = [set(np.flatnonzero(y)) for y in ys]
    assert kept[0] > kept[1] > kept[2]


def test_checkpointed_layers_draw_the_same_again():
    def f(x):
        return mn.sum(mn.square(dropped(mn.tanh(x))))

    mn.seed(5)
    plain = mn.function(mn.grad(f))(X)
    mn.seed(5)
    again = mn.function(mn.grad(mn.checkpoint(f)))(X)
    np.testing.assert_array_equal(plain, again)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_has_the_same_bits_with_any_number_of_threads(threads):
    def losses(threads):
        runtime = mn.Runtime(threads=threads, seed=3)
        with runtime:
            layers = [mn.layers.Dense(300, activation="relu"), mn.layers.Dropout(0.4), mn.layers.Dense(3)]
            model = mn.Sequential(layers, input_shape=(45,))
            trainer = mn.Trainer(model, loss="mse", optimizer="sgd", seed=1)
            return [trainer.step(X, X[:, :3]) for _ in range(4)]

    assert losses(threads) == losses(1)
