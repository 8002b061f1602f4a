"""Optimizers against their textbook recurrences in float64 NumPy, and what their constructors refuse."""

import math

import driver_recurrences
import numpy as np
import optimizer_recurrences
import pytest

import mathnet as mn

STEPS = 20


def gradients(shape=(3, 4)):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for _ in range(STEPS)]


def sgd(p, grads, lr=1e-2, momentum=0.0, nesterov=False, weight_decay=0.0, decoupled=False):
    buffer = None
    for g in grads:
        decay = lr * weight_decay * p if decoupled else 0.0
        if not decoupled:
            g = g + weight_decay * p
        if momentum:
            buffer = g if buffer is None else momentum * buffer + g
            g = g + momentum * buffer if nesterov else buffer
        p = p - lr * g - decay
    return p


def adam(p, grads, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0, decoupled=False):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat, v_hat = m / (1 - math.pow(beta1, t)), v / (1 - math.pow(beta2, t))
        p = p - lr * m_hat / (np.sqrt(v_hat) + epsilon)
    return p


def rmsprop(p, grads, lr=1e-2, rho=0.99, epsilon=1e-8, momentum=0.0, centered=False, weight_decay=0.0):
    v, mean, buffer = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for g in grads:
        g = g + weight_decay * p
        v = rho * v + (1 - rho) * g * g
        mean = rho * mean + (1 - rho) * g
        u = g / (np.sqrt(v - mean**2 if centered else v) + epsilon)
        buffer = momentum * buffer + u
        p = p - lr * buffer
    return p


CASES = [
    ("sgd", {}, sgd, {}),
    ("sgd", {"learning_rate": 0.3, "momentum": 0.9}, sgd, {"lr": 0.3, "momentum": 0.9}),
    ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}, sgd, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.1}),
    ("sgdw", {}, sgd, {"weight_decay": 1e-2, "decoupled": True}),
    ("sgdw", {"learning_rate": 0.3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
     sgd, {"lr": 0.3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "decoupled": True}),
    ("adam", {}, adam, {}),
    ("adam", {"learning_rate": 0.1, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3, "weight_decay": 0.2},
     adam, {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3, "weight_decay": 0.2}),
    ("adamw", {"learning_rate": 0.1}, adam, {"lr": 0.1, "weight_decay": 1e-2, "decoupled": True}),
    ("rmsprop", {}, rmsprop, {}),
    ("rmsprop", {"rho": 0.9, "momentum": 0.7, "centered": True, "weight_decay": 0.1},
     rmsprop, {"rho": 0.9, "momentum": 0.7, "centered": True, "weight_decay": 0.1}),
    *optimizer_recurrences.CASES,
]  # fmt: skip


@pytest.mark.parametrize(("key", "settings", "recurrence", "arguments"), CASES)
def test_twenty_steps_equal_the_recurrence(key, settings, recurrence, arguments):
    optimizer = mn.optimizers.get(key, **settings)
    start = np.random.default_rng(1).standard_normal((3, 4))
    param, state = start, optimizer.init(start)
    for grad in gradients():
        param, state = optimizer.update(param, grad, state, optimizer.learning_rate)
    np.testing.assert_allclose(param, recurrence(start, gradients(), **arguments), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("key", "settings", "recurrence", "arguments"), CASES)
def test_the_update_is_an_expression_of_a_graph(key, settings, recurrence, arguments):
    """The same on tensors, with slots in place of the numbers, as a Trainer traces it."""
    optimizer = mn.optimizers.get(key, **settings)
    start = np.random.default_rng(1).standard_normal((3, 4))
    names = list(optimizer.init(start))

    @mn.function
    def step(param, grad, values, learning_rate):
        new, state = optimizer.update(param, grad, dict(zip(names, values)), learning_rate)
        assert list(state) == names
        return new, [state[name] for name in names]

    param, values = start, [np.asarray(value) for value in optimizer.init(start).values()]
    for grad in gradients():
        param, values = step(param, grad, values, np.asarray(optimizer.learning_rate))
    np.testing.assert_allclose(param, recurrence(start, gradients(), **arguments), rtol=0, atol=1e-10)


def test_every_optimizer_is_compared_with_a_recurrence():
    """Those with update here, drivers in test_drivers: an optimizer that is added needs a case."""
    compared = {case[0] for case in CASES} | {case[0] for case in driver_recurrences.CASES}
    standard = set(mn.Runtime(autoload=False).registry.keys("optimizer"))
    assert standard and compared == standard


@pytest.mark.parametrize(
    ("key", "settings", "message"),
    [
        ("sgdw", {"nesterov": True}, "SGDW: nesterov=True needs a momentum above 0"),
        ("sgd", {"learning_rate": -1.0}, "SGD: learning_rate must be a number from 0, not -1.0"),
        ("sgd", {"momentum": "much"}, "SGD: momentum must be a number from 0"),
        ("sgd", {"nesterov": True}, "nesterov=True needs a momentum above 0"),
        ("adam", {"beta1": 1.0}, "Adam: beta1 must be a number from 0 and below 1"),
        ("adamw", {"beta2": True}, "AdamW: beta2"),
        ("rmsprop", {"rho": -0.1}, "RMSprop: rho"),
        ("adam", {"learning_rate": object()}, "is no schedule"),
        ("nadam", {"momentum_decay": -1.0}, "NAdam: momentum_decay"),
        ("radam", {"beta1": 1.0}, "RAdam: beta1"),
        ("adagrad", {"initial": -1.0}, "Adagrad: initial"),
        ("rprop", {"raise_by": 1.0}, "Rprop: raise_by must be above 1"),
        ("rprop", {"smallest": 2.0, "largest": 1.0}, "0 < smallest ≤ largest must hold"),
        ("muon", {"iterations": 0}, "Muon: iterations must be an integer from 1"),
        ("proximal_sgd", {"l1": "some"}, "ProximalSGD: l1"),
    ],
)
def test_bad_settings_are_refused(key, settings, message):
    with pytest.raises(mn.ArgumentError, match=message):
        mn.optimizers.get(key, **settings)


def test_a_learning_rate_may_be_a_schedule():
    schedule = mn.schedules.Cosine(initial=0.5)
    assert mn.optimizers.Adam(schedule).learning_rate is schedule
    assert mn.optimizers.SGD("cosine").learning_rate.key == "cosine"


@pytest.mark.parametrize(("key", "settings", "recurrence", "arguments"), CASES)
def test_twenty_steps_of_a_trainer_equal_the_recurrence(key, settings, recurrence, arguments):
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
    with mn.Runtime(autoload=False, seed=0):
        inputs = mn.Input((3,), dtype="float64")
        model = mn.Model(inputs, mn.layers.Dense(2, use_bias=False, name="out")(inputs))
        trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.get(key, **settings))
        start = model.parameters["out/kernel"].copy()
        seen = []

        def gradients():
            """Of the mean squared error at the weights that the recurrence has reached, which the trainer must have reached too."""
            for _ in range(STEPS):
                kernel = model.parameters["out/kernel"]
                seen.append(kernel.copy())
                gradient = x.T @ (x @ kernel - y) * (2 / y.size)
                trainer.step(x, y)
                yield gradient

        expected = recurrence(start, gradients(), **arguments)
    np.testing.assert_allclose(model.parameters["out/kernel"], expected, rtol=0, atol=1e-10)
    assert not np.allclose(seen[0], seen[-1])


def test_muon_takes_adamw_steps_on_vectors_and_flattens_kernels_of_convolutions():
    rng = np.random.default_rng(3)
    optimizer = mn.optimizers.Muon(0.1, weight_decay=0.2, vector_rate=0.5)
    for shape in ((5,), ()):
        start, grads = rng.standard_normal(shape), gradients(shape)
        param, state = start, optimizer.init(start)
        for grad in grads:
            param, state = optimizer.update(param, grad, state, 0.1)
        expected = adam(start, grads, lr=0.05, beta2=0.95, epsilon=1e-10, weight_decay=0.2, decoupled=True)
        np.testing.assert_allclose(param, expected, rtol=0, atol=1e-10)
    start, grads = rng.standard_normal((2, 2, 3, 4)), gradients((2, 2, 3, 4))
    flat = optimizer_recurrences.muon(
        start.reshape(12, 4), [g.reshape(12, 4) for g in grads], lr=0.1, weight_decay=0.2
    )
    param, state = start, optimizer.init(start)
    for grad in grads:
        param, state = optimizer.update(param, grad, state, 0.1)
    np.testing.assert_allclose(param.reshape(12, 4), flat, rtol=0, atol=1e-10)


def test_proximal_steps_find_the_exact_zeros_of_the_lasso():
    """½‖Xw − y‖²/n·2 + λ‖w‖₁ with orthogonal columns has the solution soft(Xᵀy/n, λ/2)."""
    rng = np.random.default_rng(4)
    x = np.linalg.qr(rng.standard_normal((40, 6)))[0] * np.sqrt(40)
    weights = np.array([2.0, 0.0, -1.0, 0.1, 0.0, 0.6])
    y = x @ weights
    inputs = mn.Input((6,), dtype="float64")
    model = mn.Model(inputs, mn.layers.Dense(1, use_bias=False, name="out")(inputs))
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.ProximalSGD(0.2, l1=0.5))
    trainer.steps(x, y, batch_size=40, count=200)
    found = model.parameters["out/kernel"].ravel()
    expected = np.sign(weights) * np.maximum(np.abs(weights) - 0.25, 0.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.count_nonzero(found) == 3 and np.all(found[[1, 3, 4]] == 0.0)
