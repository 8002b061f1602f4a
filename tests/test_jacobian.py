"""Jacobians in both modes, Hessians and their products, linear maps at a point."""

import numpy as np
import pytest

import mathnet as mn


def _wide(x):
    return mn.concatenate([mn.sin(x), mn.exp(x) * x[0], x * x])


def _narrow(x):
    return mn.stack([mn.sum(mn.sin(x)), mn.sum(x**3)])


@pytest.mark.parametrize("f", [_wide, _narrow])
def test_both_modes_give_the_same_jacobian(f):
    x = np.array([0.3, -1.2, 0.7])
    both = [mn.jacobian(f, mode=mode)(x) for mode in ("forward", "reverse", None)]
    step = 1e-6
    wanted = np.stack([(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(3)], -1)
    for found in both:
        np.testing.assert_allclose(found, wanted, atol=1e-8)
    np.testing.assert_allclose(both[0], both[1], rtol=0, atol=1e-12)


def test_large_jacobians_run_in_a_loop(monkeypatch):
    import mathnet.derivatives as derivatives

    x = np.linspace(-1, 1, 12)
    wanted = mn.jacobian(lambda x: mn.sin(x) * x[0])(x)
    monkeypatch.setattr(derivatives, "BATCHED", 0)
    for mode in ("forward", "reverse"):
        found = mn.jacobian(lambda x: mn.sin(x) * x[0] + 0.0, mode=mode)(x)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-15)


def test_hessians_are_symmetric_and_agree_with_their_products():
    a = np.random.default_rng(3).standard_normal((7, 9))

    def f(w):
        return mn.sum(mn.tanh(a @ w) ** 2) + mn.sum(mn.exp(mn.sin(w)))

    w, v = np.random.default_rng(4).standard_normal((2, 9))
    h = mn.hessian(f)(w)
    np.testing.assert_allclose(h, h.T, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mn.hvp(f)(w, v), h @ v, rtol=0, atol=1e-12)
    np.testing.assert_allclose(mn.vhp(f)(w, v), h @ v, rtol=0, atol=1e-12)


def test_a_linear_map_belongs_to_the_values_at_that_time():
    x = np.array([1.0, 2.0])
    value, pushforward = mn.linearize(lambda x: x * x, x)
    x[:] = 100.0
    np.testing.assert_array_equal(value, [1.0, 4.0])
    np.testing.assert_array_equal(pushforward(np.array([1.0, 10.0])), [2.0, 40.0])
