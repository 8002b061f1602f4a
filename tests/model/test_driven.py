"""Training by a driver: what it is given, the transaction of a step, options, checkpoints, bad drivers."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 3)), RNG.standard_normal((12, 2))


def net(dtype="float64", **settings):
    with mn.Runtime(autoload=False, seed=3):
        inputs = mn.Input((3,), dtype=dtype)
        hidden = mn.layers.Dense(4, activation="tanh", name="hidden", **settings)(inputs)
        return mn.Model(inputs, mn.layers.Dense(2, name="out")(hidden))


def weights(model):
    return {name: np.array(value) for name, value in model.parameters.items()}


class Descent:
    """Gradient descent in driver form, which keeps what it saw."""

    def __init__(self, rate=0.1):
        self.rate = rate
        self.seen = []

    def init(self, theta):
        return {"count": 0, "sum": np.zeros_like(theta)}

    def minimize(self, evaluate, theta, state):
        loss, slope = evaluate(theta)
        self.seen.append((loss, slope, theta))
        return theta - self.rate * slope, {"count": state["count"] + 1, "sum": state["sum"] + slope}


def test_gradient_descent_as_a_driver_equals_sgd():
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        models = net(dtype), net(dtype)
        driver = mn.Trainer(models[0], "mse", Descent(), seed=5, ema=0.9)
        usual = mn.Trainer(models[1], "mse", mn.optimizers.SGD(0.1), seed=5, ema=0.9)
        for trainer in (driver, usual):
            trainer.losses = trainer.steps(X, Y, batch_size=5, count=11)
            trainer.history = trainer.fit(X, Y, epochs=2, batch_size=4, progress=False)
        np.testing.assert_allclose(driver.losses, usual.losses, rtol=tolerance)
        np.testing.assert_allclose(driver.history["loss"], usual.history["loss"], rtol=tolerance)
        assert driver.step_count == usual.step_count == 15 and driver.epoch == usual.epoch
        pairs = [(driver.model, usual.model), (driver.averaged_model(), usual.averaged_model())]
        for first, second in pairs:
            for name, value in weights(first).items():
                np.testing.assert_allclose(value, weights(second)[name], rtol=10 * tolerance, atol=tolerance)
        assert float(driver.updates.named_state["count"].array) == 15


def test_products_equal_finite_differences_and_the_dense_gauss_newton_matrix():
    model = net(kernel_regularizer=mn.regularizers.L2(0.1))
    found = {}

    class Look:
        def minimize(self, evaluate, theta, state):
            n = len(theta)
            found["theta"] = theta
            found["slopes"] = lambda t: evaluate(t)[1]
            found["hvp"] = np.stack([evaluate.hvp(theta, e) for e in np.eye(n)])
            found["ggn"] = np.stack([evaluate.ggn(theta, e) for e in np.eye(n)])
            h = 1e-5
            found["differences"] = np.stack(
                [(evaluate(theta + h * e)[1] - evaluate(theta - h * e)[1]) / (2 * h) for e in np.eye(n)]
            )
            return theta, state

    before = weights(model)
    trainer = mn.Trainer(model, "mse", Look())
    trainer.step(X, Y, np.linspace(0.5, 2.0, 12))
    np.testing.assert_allclose(found["hvp"], found["differences"], atol=1e-8)
    np.testing.assert_allclose(found["hvp"], found["hvp"].T, atol=1e-12)
    # J by finite differences of the outputs; the loss Σ w‖z − y‖²/2 / Σ w has H = diag(w / Σ w).
    theta, names = found["theta"], list(before)
    shapes = [before[name].shape for name in names]
    cuts = np.cumsum([before[name].size for name in names])[:-1]
    columns = []
    for e in np.eye(len(theta)) * 1e-6:
        ends = []
        for point in (theta + e, theta - e):
            for name, part, shape in zip(names, np.split(point, cuts), shapes):
                model.parameters[name] = part.reshape(shape)
            ends.append(np.asarray(model(X)).ravel())
        columns.append((ends[0] - ends[1]) / 2e-6)
    jacobian = np.stack(columns, axis=1)
    w = np.repeat(np.linspace(0.5, 2.0, 12), 2)
    expected = jacobian.T @ (w[:, None] / np.linspace(0.5, 2.0, 12).sum() * jacobian)
    kernel = np.concatenate([np.full(before[name].size, name == "hidden/kernel", float) for name in names])
    curved = found["ggn"] - expected
    np.testing.assert_allclose(curved - np.diag(np.diag(curved)), 0.0, atol=1e-7)
    np.testing.assert_allclose(np.diag(curved), np.diag(curved).max() * kernel, atol=1e-7)
    assert np.diag(curved).max() > 0.05


def test_the_draws_stay_the_same_within_a_step_and_running_values_change_once():
    inputs = mn.Input((3,), dtype="float64")
    hidden = mn.layers.Dropout(0.5)(mn.layers.BatchNorm(name="norm")(inputs))
    model = mn.Model(inputs, mn.layers.Dense(2, name="out")(hidden))
    losses = []

    class Twice:
        def minimize(self, evaluate, theta, state):
            losses.extend([evaluate(theta)[0], evaluate(theta)[0]])
            return theta, state

    trainer = mn.Trainer(model, "mse", Twice())
    loss = trainer.step(X, Y)
    assert losses[0] == losses[1] == pytest.approx(loss, rel=1e-12)
    mean = np.array(model.layer("norm").statistics[0])
    trainer.step(X, Y)
    assert losses[2] != losses[0]
    other = mn.Trainer(model, "mse", mn.optimizers.SGD(0.0))
    assert np.any(mean != 0.0) and other.step_count == 0


@pytest.mark.parametrize(
    ("minimize", "error", "message"),
    [
        (lambda e, t, s: t, mn.ArgumentError, "minimize must return"),
        (lambda e, t, s: (t[1:], s), mn.ShapeError, r"parameters of shape \(25,\) instead of \(26,\)"),
        (lambda e, t, s: (t * np.nan, s), mn.DataError, "not finite; nothing was changed"),
        (lambda e, t, s: (t, {}), mn.ArgumentError, "returned the state {}, but init made {count}"),
        (lambda e, t, s: (t, {"count": np.zeros(2)}), mn.ShapeError, r"state 'count' has shape \(2,\)"),
        (lambda e, t, s: e(t[:3]), mn.ShapeError, "a flat array of 26 numbers is needed"),
        (lambda e, t, s: 1 / 0, ZeroDivisionError, "division"),
    ],
)
def test_a_step_that_fails_changes_nothing(minimize, error, message):
    class Bad:
        def __init__(self):
            self.bad = False

        def init(self, theta):
            return {"count": 0}

        def minimize(self, evaluate, theta, state):
            _, slope = evaluate(theta)
            if self.bad:
                return minimize(evaluate, theta, state)
            return theta - 0.1 * slope, {"count": state["count"] + 1}

    model, driver = net(), Bad()
    trainer = mn.Trainer(model, "mse", driver)
    trainer.step(X, Y)
    before, driver.bad = weights(model), True
    with pytest.raises(error, match=message):
        trainer.step(X, Y)
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, before[name])
    assert trainer.step_count == 1 and float(trainer.updates.named_state["count"].array) == 1.0
    driver.bad = False
    trainer.step(X, Y)
    assert trainer.step_count == 2


def test_bad_data_are_refused_by_row_and_steps_before_it_count():
    y = Y.copy()
    y[7, 1] = np.nan
    trainer = mn.Trainer(net(), "mse", Descent())
    with pytest.raises(mn.DataError, match="NaN in row 7, element 1"):
        trainer.step(X, y)
    with pytest.raises(mn.DataError, match="NaN in row 7, element 1"):
        trainer.steps(X, y, batch_size=3, count=4, shuffle=False)
    assert trainer.step_count == 2


@pytest.mark.parametrize(
    "options",
    [{"clip_norm": 1.0}, {"accumulate": 2}, {"groups": {"*/bias": {"rate": 1.0}}}, {"schedules": {"rate": lambda step: 0.1}}],
    ids=["clipping", "accumulate", "groups", "schedules"],
)  # fmt: skip
def test_options_for_other_optimizers_are_refused(options):
    with pytest.raises(mn.ArgumentError, match="optimizer Descent is a driver"):
        mn.Trainer(net(), "mse", Descent(), **options)


def test_settings_are_hyper_parameters_and_constraints_hold():
    model = net(kernel_constraint=lambda w: mn.maximum(w, 0.0))
    trainer = mn.Trainer(model, "mse", Descent(0.0))
    before = weights(model)
    trainer.step(X, Y)
    np.testing.assert_array_equal(weights(model)["out/kernel"], before["out/kernel"])
    trainer.hyper["rate"] = 0.1
    trainer.step(X, Y)
    assert np.any(weights(model)["out/kernel"] != before["out/kernel"])
    assert np.all(weights(model)["hidden/kernel"] >= 0.0) and np.any(before["hidden/kernel"] < 0.0)


def test_a_defined_loss_works_and_has_no_gauss_newton_matrix():
    def loss(model, batch):
        return mn.mean(mn.square(model(batch["x"]) - batch["y"]))

    trainer = mn.Trainer(net(), None, "lbfgs").define(loss)
    first = trainer.step({"x": X, "y": Y})
    assert trainer.step({"x": X, "y": Y}) < 0.5 * first
    trainer = mn.Trainer(net(), None, "levenberg_marquardt").define(loss)
    with pytest.raises(mn.GradientError, match="needs a loss of outputs and targets"):
        trainer.step({"x": X, "y": Y})
