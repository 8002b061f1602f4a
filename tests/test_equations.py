"""fixed_point and linear_solve: values and derivatives of first and second order, vmap, loops, layers, refusals."""

import numpy as np
import pytest
from test_control_flow import check_both_orders

import mathnet as mn

RNG = np.random.default_rng(6)
W = 0.3 * RNG.normal(size=(3, 3))
C = RNG.normal(size=3)
GENERAL = RNG.normal(size=(4, 4)) + 4.0 * np.eye(4)
POSITIVE = GENERAL @ GENERAL.T
B = RNG.normal(size=(3, 4))


def equilibrium(w, c):
    return mn.fixed_point(lambda x, w, c: mn.tanh(w @ x + c), np.zeros(3), w, c, tolerance=1e-14)


def solve(a, b, method="bicgstab"):
    return mn.linear_solve(lambda x, a: a @ x, b, a, method=method, tolerance=1e-14, max_steps=200)


MATRICES = [("cg", POSITIVE), ("bicgstab", GENERAL), ("normal", GENERAL)]


# ---- fixed_point -------------------------------------------------------------------------------------------------------


def test_fixed_point():
    x = equilibrium(W, C)
    np.testing.assert_allclose(x, np.tanh(W @ x + C), atol=1e-13)
    np.testing.assert_array_equal(mn.function(equilibrium)(W, C), x)
    check_both_orders(lambda w, c: mn.sum(mn.sin(equilibrium(w, c))), W, C)


def test_the_derivative_does_not_go_through_the_iteration():
    slope = np.linalg.solve(
        np.eye(3) - np.diag(1 - equilibrium(W, C) ** 2) @ W, np.diag(1 - equilibrium(W, C) ** 2)
    )
    np.testing.assert_allclose(mn.jacobian(equilibrium, 1)(W, C), slope, rtol=1e-11)
    start = mn.grad(lambda s: mn.sum(mn.fixed_point(lambda x: 0.5 * mn.cos(x), s)))(C)
    np.testing.assert_array_equal(start, np.zeros(3))


def test_nested_unknowns_and_tensors_from_outside():
    def f(w, c):
        def step(s):
            return {
                "x": mn.tanh(w @ s["y"] + c),
                "y": 0.5 * s["x"] + s["z"][0],
                "z": [0.1 * mn.sum(s["x"]) + 0.0 * s["y"]],
            }

        s = mn.fixed_point(step, {"x": C, "y": C, "z": [C]}, tolerance=1e-14)
        return mn.sum(s["x"] * s["y"]) + mn.sum(s["z"][0])

    check_both_orders(f, W, C)


def test_third_derivative():
    root = lambda a: mn.fixed_point(lambda x, a: 0.5 * (x + a / x), 1.0, a)  # noqa: E731
    np.testing.assert_allclose(mn.grad(mn.grad(mn.grad(root)))(9.0), 3 / 8 * 9**-2.5, rtol=1e-10)


def test_fixed_point_under_vmap_and_in_a_loop():
    cs = RNG.normal(size=(5, 3))
    expected = np.array([equilibrium(W, c) for c in cs])
    # Each example stops on its own, so its result is that of a call of its own.
    np.testing.assert_allclose(mn.vmap(equilibrium, (None, 0))(W, cs), expected, rtol=1e-13, atol=1e-15)
    slope = mn.grad(lambda c: mn.sum(equilibrium(W, c)))
    np.testing.assert_allclose(mn.vmap(slope)(cs), [slope(c) for c in cs], rtol=1e-11)
    many = mn.grad(lambda cs: mn.sum(mn.vmap(equilibrium, (None, 0))(W, cs)))
    np.testing.assert_allclose(many(cs), [slope(c) for c in cs], rtol=1e-11)

    def looped(w, cs):
        return mn.sum(mn.scan(lambda x, c: (equilibrium(w, c + x), x), np.zeros(3), cs)[0] ** 2)

    check_both_orders(looped, W, cs[:2])


def test_fixed_point_in_a_layer():
    class Equilibrium(mn.Layer):
        def build(self, input_shape):
            self.w = self.param("kernel", (3, 3), "zeros")

        def call(self, x):
            return mn.fixed_point(lambda z: mn.tanh(z @ self.w + x), 0.0 * x)

    model = mn.Sequential([Equilibrium(), mn.layers.Dense(1)], input_shape=(3,))
    x, y = RNG.normal(size=(16, 3)), RNG.normal(size=(16, 1))
    history = model.fit(x, y, "mse", "adam", epochs=3, batch_size=8)
    assert np.isfinite(model.predict(x)).all() and history is not None


def test_float32_and_scales():
    x = mn.fixed_point(lambda x: 0.5 * x + np.float32(1e6), np.zeros(2, np.float32))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, 2e6, rtol=1e-5)
    small = mn.grad(lambda c: 1e-30 * mn.sum(equilibrium(W, c)))(C)
    np.testing.assert_allclose(small, 1e-30 * mn.grad(lambda c: mn.sum(equilibrium(W, c)))(C), rtol=1e-11)


@pytest.mark.parametrize(
    ("f", "init", "settings", "error", "words"),
    [
        (lambda x: 2.0 * x + 1.0, 1.0, {}, mn.DataError, "fixed_point: no convergence within max_steps=1000"),
        (lambda x: mn.log(-x), 1.0, {"max_steps": 7}, mn.DataError, "max_steps=7"),
        (lambda x: (x, x), C, {}, mn.ShapeError, "structure"),
        (lambda x: x[:2], C, {}, mn.ShapeError, r"\(2,\)"),
        (lambda x: x, 3, {}, mn.DTypeError, "int64"),
        (lambda x: x, (), {}, mn.ShapeError, "no arrays"),
        (lambda x: x, C, {"tolerance": -1.0}, mn.ArgumentError, "tolerance"),
        (lambda x: x, C, {"max_steps": 0}, mn.ArgumentError, "max_steps"),
    ],
)
def test_fixed_point_refuses(f, init, settings, error, words):
    with pytest.raises(error, match=words):
        mn.fixed_point(f, init, **settings)


def test_a_derivative_that_does_not_converge_is_an_error():
    # The start is a fixed point, but the iteration is not a contraction there.
    f = lambda a: mn.fixed_point(lambda x, a: 3.0 * x + a, 0.0, a)  # noqa: E731
    assert f(0.0) == 0.0
    with pytest.raises(mn.DataError, match="no convergence"):
        mn.grad(f)(0.0)


# ---- linear_solve ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "a"), MATRICES)
def test_linear_solve(method, a):
    np.testing.assert_allclose(solve(a, B[0], method), np.linalg.solve(a, B[0]), rtol=1e-10, atol=1e-13)
    batch = mn.vmap(lambda b: solve(a, b, method))
    np.testing.assert_allclose(batch(B), np.linalg.solve(a, B.T).T, rtol=1e-9, atol=1e-13)
    if method == "cg":  # symmetric in every direction
        check_both_orders(
            lambda d, b: mn.sum(mn.sin(solve(POSITIVE + mn.diag(d), b, "cg"))), np.ones(4), B[0]
        )
    else:
        check_both_orders(lambda a, b: mn.sum(mn.sin(solve(a, b, method))), a, B[0])


def test_nested_right_side_and_scales():
    def operator(x):
        return {"u": 3.0 * x["u"] + x["v"][:, None], "v": 2.0 * x["v"] - mn.sum(x["u"], axis=1)}

    b = {"u": RNG.normal(size=(2, 3)), "v": RNG.normal(size=2)}
    for size in (1.0, 1e-200, 1e200):
        scaled = {k: size * v for k, v in b.items()}
        x = mn.linear_solve(operator, scaled)
        for key in b:
            np.testing.assert_allclose(operator(x)[key], scaled[key], rtol=1e-9, atol=1e-10 * size)
    zero = mn.linear_solve(operator, {k: 0.0 * v for k, v in b.items()})
    assert not zero["u"].any() and not zero["v"].any()
    x = mn.linear_solve(operator, {k: v.astype(np.float32) for k, v in b.items()})
    assert x["u"].dtype == np.float32
    np.testing.assert_allclose(operator(x)["u"], b["u"], rtol=1e-4, atol=1e-4)


def test_normal_equations_solve_what_is_skew():
    skew = np.array([[0.0, 2.0], [-2.0, 0.0]])
    with pytest.raises(mn.DataError, match="no convergence"):
        mn.linear_solve(lambda x: skew @ x, C[:2])
    np.testing.assert_allclose(
        mn.linear_solve(lambda x: skew @ x, C[:2], method="normal"), np.linalg.solve(skew, C[:2]), rtol=1e-10
    )


def test_newton_step_by_hessian_products():
    def loss(x):
        return mn.sum(x**4) + mn.sum(x * x) + mn.sum(x) ** 2

    def newton(x):
        return x - mn.linear_solve(
            lambda v: mn.hvp(loss)(x, v), mn.grad(loss)(x), method="cg", tolerance=1e-14
        )

    np.testing.assert_allclose(
        newton(C), C - np.linalg.solve(mn.hessian(loss)(C), mn.grad(loss)(C)), rtol=1e-9
    )
    check_both_orders(lambda x: mn.sum(newton(x) ** 2), C)


@pytest.mark.parametrize(
    ("operator", "b", "settings", "error", "words"),
    [
        (lambda x: x * x, C, {}, mn.GradientError, "not linear"),
        (lambda x: 0.0 * x, C, {}, mn.DataError, "linear_solve: no convergence within max_steps=30"),
        (lambda x: x[:2], C, {}, mn.ShapeError, r"\(2,\)"),
        (lambda x: x, C, {"method": "lu"}, mn.ArgumentError, "bicgstab, cg, normal"),
        (lambda x: x, C, {"tolerance": "tight"}, mn.ArgumentError, "tolerance"),
        (lambda x: x, (C, C.astype(np.float32)), {}, mn.DTypeError, "one element type"),
        (lambda x: x, np.arange(3), {}, mn.DTypeError, "int64"),
    ],
)
def test_linear_solve_refuses(operator, b, settings, error, words):
    with pytest.raises(error, match=words):
        mn.linear_solve(operator, b, **settings)
