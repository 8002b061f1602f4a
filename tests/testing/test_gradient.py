"""The gradient checker, and mutants that it must catch."""

import numpy as np
import pytest

import mathnet as mn

X = np.random.default_rng(0).normal(size=(3, 2))


def test_right_derivatives_pass():
    mn.check_gradient(lambda x: mn.tanh(x) * mn.exp(x), (X,), order=3)
    mn.check_gradient(lambda p, n: [p["a"] ** n, mn.sum(p["b"])], ({"a": X + 3, "b": 1.5}, 3), order=2)
    mn.check_gradient(lambda x: mn.sum(x * x), (X.astype(np.float32),))
    mn.check_gradient(lambda x, i: x * i, (X, np.arange(2)))
    mn.check_gradient(lambda x: x, (np.ones((0, 3)),))


def wrong(factor):
    return mn.custom_vjp(lambda x: x * x, lambda dy, x, out: factor * dy * x)


@pytest.mark.parametrize("factor", [2.001, -2.0, 0.0, float("nan")])
def test_a_wrong_derivative_is_caught(factor):
    mn.check_gradient(wrong(2.0), (X,))
    with pytest.raises(
        mn.GradientError,
        match=r"float argument 0 is wrong: at .* it is .* finite differences give .*tolerance",
    ):
        mn.check_gradient(wrong(factor), (X,))


def test_the_worst_element_is_named():
    mask = np.zeros((3, 2))
    mask[2, 1] = 1e-3
    f = mn.custom_vjp(lambda x: x * x, lambda dy, x, out: dy * x * (2.0 + mask))
    with pytest.raises(mn.GradientError, match=r"element \(2, 1\)"):
        mn.check_gradient(f, (np.ones((3, 2)),))
    with pytest.raises(mn.GradientError, match="float argument 1 is wrong: at the number"):
        mn.check_gradient(lambda a, b: a + wrong(3.0)(b), (1.0, 2.0))


def test_a_missing_argument_is_caught():
    f = mn.custom_vjp(lambda a, b: a * b, lambda dy, a, b, out: (dy * b, None))
    with pytest.raises(mn.GradientError, match="float argument 1"):
        mn.check_gradient(f, (X, X + 1))


def test_a_wrong_second_derivative_is_caught():
    f = mn.custom_vjp(lambda x: x**3, lambda dy, x, out: 3.0 * dy * mn.stop_gradient(x) ** 2)
    mn.check_gradient(f, (X,))
    with pytest.raises(mn.GradientError, match="second derivative"):
        mn.check_gradient(f, (X,), order=2)


def test_a_kink_is_mentioned():
    with pytest.raises(mn.GradientError, match="kink"):
        mn.check_gradient(lambda x: mn.relu(x), (np.array([1e-4]),))


def test_wrong_arguments():
    with pytest.raises(mn.ArgumentError, match="tuple"):
        mn.check_gradient(lambda x: x, X)
    with pytest.raises(mn.ArgumentError, match="order"):
        mn.check_gradient(lambda x: x, (X,), order=4)
    with pytest.raises(mn.DTypeError, match="nothing to differentiate"):
        mn.check_gradient(lambda x: x, (3,))
    with pytest.raises(mn.DTypeError, match="returned no float"):
        mn.check_gradient(lambda x: x > 0, (X,))
