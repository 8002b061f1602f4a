"""Derivatives at the points where they jump: each operation promises one value, and keeps it."""

import numpy as np
import pytest
from ops.operation_samples import operations

import mathnet as mn


def slope(f, *arrays):
    return mn.grad(lambda *xs: mn.sum(f(*xs)), argnums=tuple(range(len(arrays))))(*arrays)


@pytest.mark.parametrize("op", [op for op in operations() if op.kinks], ids=lambda op: op.name)
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_the_stated_values(op, real):
    points = np.array(list(op.kinks), real)
    (got,) = slope(lambda x: getattr(mn, op.name)(x) + 0.0 * x, points)
    np.testing.assert_array_equal(got, list(op.kinks.values()))


def test_operations_with_kinks_state_them():
    assert {"relu", "abs", "sign"} <= {op.name for op in operations() if op.kinks}


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_operands_share_by_halves(name):
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    dx, dy = slope(getattr(mn, name), x, y)
    np.testing.assert_array_equal(dx, [0, 0.5, 1] if name == "maximum" else [1, 0.5, 0])
    np.testing.assert_array_equal(dx + dy, np.ones(3))


@pytest.mark.parametrize("name", ["max", "min"])
def test_equal_extremes_share_equally(name):
    x = np.array([[2.0, 2.0, 1.0, 2.0], [2.0, 2.0, 3.0, 2.0]])
    (dx,) = slope(lambda t: getattr(mn, name)(t, axis=1), x)
    chosen = x == getattr(np, name)(x, axis=1, keepdims=True)
    np.testing.assert_allclose(dx, chosen / chosen.sum(1, keepdims=True), rtol=1e-15)


def test_clip_passes_derivatives_on_its_limits_and_not_outside():
    x = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    dx, dlow, dhigh = slope(mn.clip, x, np.array(-1.0), np.array(1.0))
    np.testing.assert_array_equal(dx, [0, 1, 1, 1, 0])
    assert (dlow, dhigh) == (1.0, 1.0)


def test_clip_with_open_sides():
    x = np.array([-2.0, 0.0, 2.0])
    np.testing.assert_array_equal(mn.clip(x, None, 1.0), [-2, 0, 1])
    np.testing.assert_array_equal(mn.clip(x, -1.0), [-1, 0, 2])
    np.testing.assert_array_equal(mn.clip(x), x)
    np.testing.assert_array_equal(mn.clip(np.array([1, 5]), 2), [2, 5])
    assert mn.clip(np.array([1, 5]), None, 2).dtype == np.int64


def test_the_first_of_equal_elements_of_a_window_takes_it_all():
    x = np.ones((1, 1, 2, 4))
    (dx,) = slope(lambda t: mn.max_pool2d(t, 2), x)
    np.testing.assert_array_equal(dx[0, 0], [[1, 0, 1, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("zeros", [0, 1, 2, 3])
def test_products_with_zeros_have_right_derivatives_of_both_orders(zeros):
    x = np.array([2.0, 3.0, 0.5, -1.5])
    x[:zeros] = 0.0
    others = [np.prod(np.delete(x, i)) for i in range(4)]
    np.testing.assert_allclose(slope(mn.prod, x)[0], others, rtol=1e-14)
    bends = [[0.0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(mn.hessian(mn.prod)(x), bends, rtol=1e-14)


def test_where_lets_nothing_through_the_branch_that_is_not_taken():
    c, x, y = np.array([True, False]), np.array([1.0, 2.0]), np.array([3.0, 4.0])
    dx, dy = mn.grad(lambda a, b: mn.sum(mn.where(c, a * 2, b * 3)), argnums=(0, 1))(x, y)
    np.testing.assert_array_equal(dx, [2, 0])
    np.testing.assert_array_equal(dy, [0, 3])


def test_integers_have_no_derivative_and_floats_beside_them_do():
    n, x = np.array([1, 2, 3]), np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(mn.grad(lambda t: mn.sum(t * n))(x), n)
