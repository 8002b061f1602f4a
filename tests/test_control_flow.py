"""cond and while_loop: values against Python, derivatives against finite differences, vmap, layers, refusals."""

import signal
import threading

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(5)
X = RNG.normal(size=(3,))
W = 0.5 * RNG.normal(size=(3, 3))


def branch(x, w):
    return mn.cond(mn.sum(x) > 0.0, lambda x: mn.sin(x @ w), lambda x: x * mn.exp(x), x)


def double_until(x):
    return mn.while_loop(lambda x: mn.sum(x * x) < 50.0, lambda x: 1.3 * x + 0.2 * mn.sin(x), x, max_steps=20)


def double_in_python(x):
    steps = 0
    while np.sum(x * x) < 50.0:
        x, steps = 1.3 * x + 0.2 * np.sin(x), steps + 1
    return x, steps


def check_both_orders(f, *args):
    """First and second derivatives against finite differences; forward mode against reverse mode."""
    argnums = tuple(range(len(args)))
    mn.check_gradient(f, args)
    for k in argnums:
        slope = mn.grad(lambda *a, k=k: f(*a), k)
        weights = np.cos(np.arange(args[k].size)).reshape(args[k].shape)
        mn.check_gradient(lambda *a: mn.sum(weights * slope(*a)), args)  # noqa: B023
    tangents = tuple([RNG.normal(size=a.shape) for a in args])
    _, forward = mn.jvp(f, args, tangents)
    reverse = sum(np.sum(g * t) for g, t in zip(mn.grad(f, argnums)(*args), tangents))
    np.testing.assert_allclose(forward, reverse, rtol=1e-12, atol=1e-12)


# ---- cond --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_cond(sign):
    x = sign * np.abs(X)
    expected = np.sin(x @ W) if sign > 0 else x * np.exp(x)
    np.testing.assert_allclose(branch(x, W), expected, rtol=1e-12)
    np.testing.assert_allclose(mn.function(branch)(x, W), expected, rtol=1e-12)
    check_both_orders(lambda x, w: mn.sum(branch(x, w) ** 3), x, W)


def test_only_the_chosen_side_runs():
    @mn.function
    def f(x):
        return mn.cond(x > 0.0, lambda: mn.check_finite(mn.log(x), "the log"), lambda: x)

    assert f(-1.0) == -1.0
    with pytest.raises(mn.DataError, match="the log"):
        f(np.inf)


def test_cond_nests_results_and_takes_weak_numbers():
    def f(p, x):
        return mn.cond(
            p, lambda x: {"a": (x, 1), "b": [None, 0.0]}, lambda x: {"a": (2 * x, 3), "b": [None, 1]}, x
        )

    x = np.float32([1.0, 2.0])
    made = f(np.array(False), x)
    assert made["a"][0].dtype == np.float32 and made["a"][1] == 3 and made["b"] == [None, 1.0]
    np.testing.assert_array_equal(f(True, x)["a"][0], x)
    assert mn.cond(True, lambda: None, lambda: None) is None


def test_cond_under_vmap():
    xs = RNG.normal(size=(6, 3))
    expected = np.array([branch(x, W) for x in xs])
    np.testing.assert_allclose(mn.vmap(branch, (0, None))(xs, W), expected, rtol=1e-12)
    slope = mn.grad(lambda x: mn.sum(branch(x, W)))
    np.testing.assert_allclose(mn.vmap(slope)(xs), [slope(x) for x in xs], rtol=1e-12)
    shared = mn.vmap(lambda x, p: mn.cond(p, lambda: x @ W, lambda: x), (0, None))
    np.testing.assert_allclose(shared(xs, np.array(True)), xs @ W, rtol=1e-12)
    np.testing.assert_array_equal(shared(xs, np.array(False)), xs)


def test_cond_and_loops_nest():
    def f(x, w):
        def step(h, k):
            h = mn.cond(
                mn.sum(h) > k,
                lambda h: mn.tanh(h @ w),
                lambda h: h + mn.cond(k > 1.0, lambda: x, lambda: -x),
                h,
            )
            return h, mn.sum(h)

        h, sums = mn.scan(step, x, np.array([0.0, 0.5, 1.5, -3.0]))
        return mn.sum(h * h) + mn.sum(sums)

    check_both_orders(f, X, W)


def test_explain_shows_both_sides():
    text = mn.function(branch).plan(X, W).explain()
    assert "then of" in text and "else of" in text and "branch" in text


@pytest.mark.parametrize(
    ("predicate", "yes", "no", "error", "words"),
    [
        (1.0, lambda: X, lambda: X, mn.DTypeError, "bool is needed"),
        (X > 0, lambda: X, lambda: X, mn.ShapeError, "mn.where"),
        (True, lambda: X, lambda: (X,), mn.ShapeError, r"true branch \*, the false branch \(\*\)"),
        (True, lambda: X, lambda: X[:2], mn.ShapeError, r"\(3,\) in the true branch and \(2,\)"),
        (
            True,
            lambda: X,
            lambda: X.astype(np.float32),
            mn.DTypeError,
            "float64 in the true branch and float32",
        ),
    ],
)
def test_cond_refuses(predicate, yes, no, error, words):
    with pytest.raises(error, match=words):
        mn.cond(predicate, yes, no)


# ---- while_loop --------------------------------------------------------------------------------------------------------


def test_while_loop():
    expected, _ = double_in_python(X)
    np.testing.assert_allclose(double_until(X), expected, rtol=1e-12)
    np.testing.assert_allclose(mn.function(double_until)(X), expected, rtol=1e-12)
    check_both_orders(lambda x: mn.sum(mn.sin(0.2 * double_until(x))), X)


def test_carries_exchange_their_places():
    fibonacci = mn.while_loop(lambda s: s[0] < 10, lambda s: (s[0] + 1, s[2], s[1] + s[2]), (0, 0, 1))
    assert fibonacci == (10, 55, 89)
    a, b = mn.while_loop(lambda s: mn.sum(s[0]) < 4.0, lambda s: (s[1].T, s[0]), (W, np.eye(3) * 2))
    np.testing.assert_array_equal(a, np.eye(3) * 2)
    np.testing.assert_array_equal(b, W)


def test_no_iteration_and_weak_numbers():
    assert mn.while_loop(lambda x: x < 0.0, lambda x: x * 0.0, 3.0) == 3.0
    x = mn.while_loop(lambda s: s["n"] < 3, lambda s: {"n": s["n"] + 1, "x": s["x"] + X}, {"n": 0, "x": X})
    np.testing.assert_allclose(x["x"], 4 * X)
    assert mn.while_loop(lambda x: x < 3.0, lambda x: x + np.ones((), np.float32), 0).dtype == np.float32


def test_forward_mode_needs_no_limit():
    def f(x):
        return mn.while_loop(lambda x: mn.sum(x * x) < 50.0, lambda x: 1.3 * x + 0.2 * mn.sin(x), x)

    tangent = RNG.normal(size=3)
    np.testing.assert_array_equal(mn.jvp(f, (X,), (tangent,))[1], mn.jvp(double_until, (X,), (tangent,))[1])
    with pytest.raises(mn.GradientError, match="max_steps"):
        mn.grad(lambda x: mn.sum(f(x)))(X)


def test_the_limit_is_an_error_in_values_and_derivatives():
    def f(x):
        return mn.while_loop(lambda x: x > 1.5, lambda x: mn.sqrt(x), x, max_steps=3)

    assert abs(f(9.0) - 9.0 ** (1 / 8)) < 1e-15
    for g in (
        f,
        mn.grad(f),
        lambda x: mn.jvp(f, (x,), (1.0,)),
        mn.grad(mn.grad(f)),
        lambda x: mn.vmap(f)(np.array([x])),
    ):
        with pytest.raises(mn.DataError, match="max_steps=3"):
            g(1000.0)


def test_while_loop_under_vmap():
    xs = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(mn.vmap(double_until)(xs), [double_in_python(x)[0] for x in xs], rtol=1e-12)
    slope = mn.grad(lambda x: mn.sum(double_until(x)))
    expected = np.array([slope(x) for x in xs])
    np.testing.assert_allclose(mn.vmap(slope)(xs), expected, rtol=1e-12)
    np.testing.assert_allclose(
        mn.grad(lambda xs: mn.sum(mn.vmap(double_until)(xs)))(xs), expected, rtol=1e-12
    )
    count = mn.vmap(lambda x: mn.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] * x), (0, 1.0))[1])
    np.testing.assert_allclose(count(xs[:, 0]), xs[:, 0] ** 4, rtol=1e-12)


def test_while_loop_in_a_loop():
    def f(x, w):
        def step(h, k):
            h = mn.while_loop(
                lambda h: mn.sum(h * h) < k, lambda h: 1.5 * h + mn.tanh(h @ w), h, max_steps=30
            )
            return 0.5 * h, None

        return mn.sum(mn.scan(step, x, np.array([3.0, 5.0]))[0] ** 2)

    check_both_orders(f, X, W)


def test_layers_and_draws_inside():
    class Grow(mn.Layer):
        def build(self, input_shape):
            self.scale = self.param("scale", (), "ones")

        def call(self, x):
            x = mn.while_loop(
                lambda x: mn.sum(x * x) < 100.0, lambda x: x * (1.0 + mn.abs(self.scale)), x, max_steps=30
            )
            return mn.cond(mn.sum(x) > 0.0, lambda: x * self.scale, lambda: -x * self.scale)

    model = mn.Sequential([Grow(), mn.layers.Dense(1)], input_shape=(2,))
    x, y = RNG.normal(size=(8, 2)), RNG.normal(size=(8, 1))
    model.fit(x, y, "mse", "sgd", epochs=1, batch_size=4)
    assert np.isfinite(model.predict(x)).all()
    draws = mn.while_loop(
        lambda s: s[0] < 3,
        lambda s: (s[0] + 1, s[2], mn.random.normal((4,))),
        (0, np.zeros(4, np.float32), np.zeros(4, np.float32)),
    )
    assert (draws[1] != draws[2]).all()


def test_an_endless_loop_is_interrupted():
    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.2, signal.raise_signal, [signal.SIGUSR1])
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            mn.while_loop(lambda x: x >= 0.0, lambda x: x + 1.0, 0.0)
    finally:
        timer.cancel()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize(
    ("condition", "body", "init", "error", "words"),
    [
        (lambda x: x, lambda x: x, 1.0, mn.DTypeError, "bool is needed"),
        (lambda x: x > 0, lambda x: x, X, mn.ShapeError, "mn.any"),
        (lambda x: (x > 0,), lambda x: x, 1.0, mn.ShapeError, "one bool"),
        (lambda x: mn.all(x > 0), lambda x: (x, x), X, mn.ShapeError, "structure"),
        (lambda x: mn.all(x > 0), lambda x: x[:2], X, mn.ShapeError, r"\(2,\), but \(3,\)"),
        (lambda x: mn.all(x > 0), lambda x: x > 1, X, mn.DTypeError, "mn.cast"),
        (lambda x: True, lambda x: x, (), mn.ShapeError, "no arrays"),
    ],
)
def test_while_loop_refuses(condition, body, init, error, words):
    with pytest.raises(error, match=words):
        mn.while_loop(condition, body, init)


@pytest.mark.parametrize("max_steps", [-1, 2.5, True])
def test_while_loop_refuses_the_limit(max_steps):
    with pytest.raises(mn.ArgumentError, match="max_steps"):
        mn.while_loop(lambda x: x > 0, lambda x: x, 1.0, max_steps)
