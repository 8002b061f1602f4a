"""L-BFGS, Newton-CG, Levenberg–Marquardt and natural gradient: classic problems, SciPy, small nets against Adam."""

import math

import driver_recurrences
import numpy as np
import pytest
import scipy.optimize
from mathnet_std.optimizers.gauss_newton import solved
from mathnet_std.optimizers.line_search import Trial, strong_wolfe
from mathnet_std.optimizers.newton_cg import steihaug

import mathnet as mn

DRIVERS = ["lbfgs", "newton_cg", "levenberg_marquardt", "natural_gradient"]


class Function:
    """A function of NumPy arrays as a driver sees a batch; counts its evaluations."""

    def __init__(self, value, gradient, hessian):
        self.value, self.gradient, self.hessian, self.count = value, gradient, hessian, 0

    def __call__(self, theta):
        self.count += 1
        return float(self.value(theta)), np.asarray(self.gradient(theta), float)

    def hvp(self, theta, v):
        return self.hessian(theta) @ v

    ggn = hvp


def rosenbrock():
    o = scipy.optimize
    return Function(o.rosen, o.rosen_der, o.rosen_hess)


def quadratic(size=20, condition=1e4):
    rng = np.random.default_rng(1)
    basis = np.linalg.qr(rng.standard_normal((size, size)))[0]
    matrix = basis @ np.diag(np.geomspace(1.0, condition, size)) @ basis.T
    return Function(lambda t: 0.5 * t @ matrix @ t, lambda t: matrix @ t, lambda t: matrix)


@pytest.mark.parametrize(("key", "settings", "recurrence", "arguments"), driver_recurrences.CASES)
def test_twenty_steps_equal_the_recurrence(key, settings, recurrence, arguments):
    bowl = driver_recurrences.Bowl()
    expected = recurrence(bowl, bowl.start, **arguments)
    driver, theta = mn.optimizers.get(key, **settings), bowl.start
    state = {name: np.asarray(value, float) for name, value in driver.init(theta).items()}
    for step in range(20):
        theta, state = driver.minimize(bowl, theta, state)
        np.testing.assert_allclose(theta, next(expected), rtol=0, atol=1e-10, err_msg=f"step {step}")
    assert np.linalg.norm(theta - bowl.start) > 1.0


def run(key, function, theta, steps, **settings):
    driver = mn.optimizers.get(key, **settings)
    state = {name: np.asarray(value, float) for name, value in driver.init(theta).items()}
    for _ in range(steps):
        theta, state = driver.minimize(function, theta, state)
    return theta


@pytest.mark.parametrize(("key", "steps"), [("lbfgs", 10), ("newton_cg", 60), ("levenberg_marquardt", 60)])
@pytest.mark.parametrize("size", [2, 6])
def test_rosenbrock_is_minimised_to_the_last_digits(key, steps, size):
    start = np.array([-1.2, 1.0]) if size == 2 else np.array([1.3, 0.7, 0.8, 1.9, 1.2, 0.9])
    function = rosenbrock()
    found = run(key, function, start, steps)
    np.testing.assert_allclose(found, 1.0, atol=1e-6)
    assert function.count < 350


@pytest.mark.parametrize(
    ("key", "steps", "settings"),
    [
        ("lbfgs", 20, {"history": 20}),
        ("newton_cg", 30, {}),
        ("levenberg_marquardt", 15, {}),
        ("natural_gradient", 6, {"learning_rate": 1.0, "damping": 1e-3, "tolerance": 1e-10}),
    ],
)
def test_a_quadratic_of_condition_ten_thousand_is_minimised(key, steps, settings):
    function, start = quadratic(), np.ones(20)
    assert function(run(key, function, start, steps, **settings))[0] < 1e-12 * function(start)[0]


def test_lbfgs_reaches_the_objective_of_scipy():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 5))
    y = (x @ rng.standard_normal(5) + 0.5 * rng.standard_normal(60) > 0).astype(np.int64)
    inputs = mn.Input((5,), dtype="float64")
    model = mn.Model(inputs, mn.layers.Dense(2, kernel_regularizer=mn.regularizers.L2(0.01))(inputs))
    losses = mn.Trainer(model, "cross_entropy", "lbfgs").steps(x, y, batch_size=60, count=6)

    found = []

    class Reference:
        def minimize(self, evaluate, theta, state):
            result = scipy.optimize.minimize(
                evaluate, theta, jac=True, method="L-BFGS-B", options={"ftol": 1e-15, "gtol": 1e-9}
            )
            found.append(result.fun)
            return result.x, state

    model.parameters["dense/kernel"] = rng.standard_normal((5, 2))
    mn.Trainer(model, "cross_entropy", Reference()).step(x, y)
    assert losses[-1] <= found[0] + 1e-9


class Counted:
    """A driver whose evaluations of loss and gradient are counted."""

    def __init__(self, key, **settings):
        self.driver, self.seen = mn.optimizers.get(key, **settings), []

    def init(self, theta):
        return self.driver.init(theta)

    def minimize(self, evaluate, theta, state):
        seen = self.seen

        class Counting:
            hvp, ggn = evaluate.hvp, evaluate.ggn

            def __call__(self, theta):
                seen.append(theta)
                return evaluate(theta)

        return self.driver.minimize(Counting(), theta, state)


@pytest.mark.parametrize(
    ("key", "steps", "settings", "ratio"),
    [
        ("lbfgs", 4, {}, 10.0),
        ("newton_cg", 60, {}, 10.0),
        ("levenberg_marquardt", 60, {}, 100.0),
        ("natural_gradient", 150, {"learning_rate": 0.5, "damping": 1e-3}, 10.0),
    ],
)
def test_a_small_net_gets_far_below_adam_in_as_many_gradients(key, steps, settings, ratio):
    x = np.linspace(-1.0, 1.0, 40)[:, None]
    y = np.sin(4.0 * x)

    def net():
        with mn.Runtime(autoload=False, seed=1):
            inputs = mn.Input((1,), dtype="float64")
            return mn.Model(inputs, mn.layers.Dense(1)(mn.layers.Dense(8, activation="tanh")(inputs)))

    driver = Counted(key, **settings)
    loss = mn.Trainer(net(), "mse", driver).steps(x, y, batch_size=40, count=steps)[-1]
    best = min(
        mn.Trainer(net(), "mse", mn.optimizers.Adam(rate)).steps(x, y, batch_size=40, count=len(driver.seen))[
            -1
        ]
        for rate in (1e-3, 1e-2, 0.1)
    )
    assert loss < best / ratio


@pytest.mark.parametrize("key", DRIVERS)
def test_checkpoints_resume_exactly(key, tmp_path):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((30, 3)), rng.standard_normal((30, 1))

    def trainer():
        with mn.Runtime(autoload=False, seed=1):
            inputs = mn.Input((3,), dtype="float64")
            model = mn.Model(inputs, mn.layers.Dense(1)(mn.layers.Dense(4, activation="tanh")(inputs)))
        return mn.Trainer(model, "mse", key, seed=2)

    whole, other = trainer(), trainer()
    whole.steps(x, y, batch_size=15, count=3)
    whole.save(tmp_path / "run.ckpt")
    expected = whole.steps(x, y, batch_size=15, count=3)
    other.steps(x, y, batch_size=15, count=1)
    other.restore(tmp_path / "run.ckpt")
    np.testing.assert_array_equal(other.steps(x, y, batch_size=15, count=3), expected)


# ---- parts --------------------------------------------------------------------------------------------------------------


def along(f, slope):
    return lambda a: Trial(a, f(a), slope(a), None)


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda a: -a / (a * a + 2), lambda a: (a * a - 2) / (a * a + 2) ** 2),  # Moré and Thuente, 5.1
        (lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3),  # 5.2
        (lambda a: (a - 3.0) ** 2, lambda a: 2 * (a - 3.0)),
        (lambda a: -a + 1e3 * max(a - 2.0, 0.0) ** 2, lambda a: -1 + 2e3 * max(a - 2.0, 0.0)),
        (lambda a: -math.log(2.0 - a) * -1 - 2 * a if a < 2.0 else math.nan, lambda a: -1 / (2.0 - a) - 2 if a < 2.0 else math.nan),
    ],
    ids=["more-thuente-1", "more-thuente-2", "square", "wall", "edge"],
)  # fmt: skip
def test_the_line_search_ends_at_a_point_of_the_strong_wolfe_conditions(f, slope, first, request):
    start = Trial(0.0, f(0.0), slope(0.0), None)
    found = strong_wolfe(along(f, slope), start, first, 1e-4, 0.9, 60)
    assert found.step > 0.0 and found.value <= start.value + 1e-4 * found.step * start.slope
    if "edge" not in request.node.name:  # there the function only falls, to −∞
        assert abs(slope(found.step)) <= 0.9 * abs(start.slope)


def test_the_line_search_refuses_a_direction_that_does_not_descend_and_gives_up_in_time():
    start = Trial(0.0, 1.0, 0.0, None)
    with pytest.raises(mn.ArgumentError, match="does not descend"):
        strong_wolfe(None, start, 1.0, 1e-4, 0.9, 10)
    calls = []

    def rising(a):
        calls.append(a)
        return Trial(a, 1.0 + a, 1.0, None)

    assert strong_wolfe(rising, Trial(0.0, 1.0, -1.0, None), 1.0, 1e-4, 0.9, 10) is None
    assert len(calls) <= 10


def test_steihaug_solves_inside_and_follows_negative_curvature_to_the_border():
    slope = np.array([1.0, -2.0, 0.5])
    matrix = np.diag([1.0, 4.0, 2.0])
    step, model = steihaug(lambda v: matrix @ v, slope, 100.0, 1e-12, 10)
    np.testing.assert_allclose(step, -np.linalg.solve(matrix, slope), atol=1e-10)
    assert model == pytest.approx(-0.5 * slope @ np.linalg.solve(matrix, slope))
    for bent in (np.diag([1.0, -4.0, 2.0]), np.zeros((3, 3))):
        step, model = steihaug(lambda v, bent=bent: bent @ v, slope, 2.0, 1e-12, 10)
        assert np.linalg.norm(step) == pytest.approx(2.0)
        assert model == pytest.approx(slope @ step + 0.5 * step @ bent @ step) and model < 0.0


def test_conjugate_gradients_solve_and_descend_where_the_matrix_is_not_positive():
    matrix = np.diag([1.0, 10.0, 100.0])
    slope = np.array([1.0, 2.0, 3.0])
    step, residual = solved(lambda v: matrix @ v, slope, 1e-12, 10)
    np.testing.assert_allclose(step, -slope / np.diag(matrix), rtol=1e-9)
    np.testing.assert_allclose(residual, matrix @ step + slope, atol=1e-9)
    step, residual = solved(lambda v: -v, slope, 1e-12, 10)
    np.testing.assert_array_equal(step, -slope)
    np.testing.assert_array_equal(residual, 2.0 * slope)


@pytest.mark.parametrize("key", DRIVERS)
def test_a_loss_that_is_not_finite_is_refused(key):
    function = Function(lambda t: math.nan, lambda t: t, lambda t: np.eye(len(t)))
    with pytest.raises(mn.DataError, match="the loss is nan at the present weights"):
        run(key, function, np.ones(3), 1)


@pytest.mark.parametrize(
    ("key", "settings", "message"),
    [
        ("lbfgs", {"iterations": 0}, "LBFGS: iterations must be an integer from 1"),
        ("lbfgs", {"c1": 0.95}, "LBFGS: c1 must be below c2"),
        ("newton_cg", {"radius": 0.0}, "0 < radius ≤ largest_radius"),
        ("newton_cg", {"products": 1.5}, "NewtonCG: products"),
        ("levenberg_marquardt", {"damping": 0.0}, "damping must be above 0"),
        ("natural_gradient", {"learning_rate": "cosine"}, "NaturalGradient: learning_rate must be a number"),
    ],
)
def test_bad_settings_are_refused(key, settings, message):
    with pytest.raises(mn.ArgumentError, match=message):
        mn.optimizers.get(key, **settings)
