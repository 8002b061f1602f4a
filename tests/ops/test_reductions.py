"""Variance, norms, counts and running products against NumPy, with NumPy's arguments."""

import math

import numpy as np
import pytest

import mathnet as mn
from mathnet.errors import ArgumentError, ShapeError

A = np.random.default_rng(0).normal(1.0, 2.0, (3, 4, 5))
AXES = [None, 0, -1, (0, 2), (1,)]


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("ddof", [0, 1, 0.5])
@pytest.mark.parametrize("name", ["var", "std"])
def test_variance_as_numpy(name, ddof, axis, real):
    for keepdims in (False, True):
        got = getattr(mn, name)(A.astype(real), axis=axis, ddof=ddof, keepdims=keepdims)
        wanted = getattr(np, name)(A, axis=axis, ddof=ddof, keepdims=keepdims)
        assert got.shape == wanted.shape and got.dtype == real
        np.testing.assert_allclose(got, wanted, rtol=1e-5 if real == np.float32 else 1e-13)


@pytest.mark.parametrize("name", ["var", "std"])
def test_degrees_of_freedom_are_a_number(name):
    for ddof in (None, "1", True, np.ones(1)):
        with pytest.raises(ArgumentError, match=f"{name}: ddof must be a Python number"):
            getattr(mn, name)(A, ddof=ddof)


def test_variance_at_the_edges():
    x = np.full(5, 1e8) + np.arange(5)  # the mean of the squares would lose every digit
    assert mn.var(x) == 2.0
    assert mn.var(np.array([1, 2, 3, 4])) == 1.25
    assert np.isnan(mn.var(np.array([3.0]), ddof=1))
    with pytest.raises(ShapeError, match=r"std: a tensor of shape .* has no elements along axis"):
        mn.std(np.zeros(0))
    assert mn.std(np.full(4, 3.0)) == 0
    np.testing.assert_array_equal(mn.grad(mn.std)(np.full(4, 3.0)), np.zeros(4))
    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_allclose(mn.grad(mn.var)(x), 2 * (x - x.mean()) / 3, rtol=1e-14)
    np.testing.assert_allclose(mn.hessian(mn.var)(x), 2 / 3 * (np.eye(3) - 1 / 3), atol=1e-15)
    wanted = (np.eye(3) - 1 / 3) / 3 / np.std(x) - np.outer(x - x.mean(), x - x.mean()) / 9 / np.std(x) ** 3
    np.testing.assert_allclose(mn.hessian(mn.std)(x), wanted, atol=1e-14)


@pytest.mark.parametrize("axis", AXES)
def test_range_and_count(axis):
    np.testing.assert_allclose(mn.ptp(A, axis=axis), np.ptp(A, axis=axis))
    whole = np.round(A)
    for x in (whole, whole.astype(int), whole > 0):
        got, wanted = mn.count_nonzero(x, axis=axis), np.count_nonzero(x, axis=axis)
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("ord", [None, 1, 2, 3, 0.5, -1, 0, math.inf, -math.inf])
def test_norms_of_vectors(ord, keepdims):
    for axis in (0, 1, -1):
        got, wanted = (f(A, ord=ord, axis=axis, keepdims=keepdims) for f in (mn.norm, np.linalg.norm))
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-13)
    np.testing.assert_allclose(
        mn.norm(A[0, 0], ord, keepdims=keepdims), np.linalg.norm(A[0, 0], ord, keepdims=keepdims)
    )


@pytest.mark.parametrize("ord", [None, "fro", 1, -1, math.inf, -math.inf])
def test_norms_of_matrices(ord):
    for axis in ((0, 1), (1, 0), (2, 0), (-2, -1)):
        for keepdims in (False, True):
            got, wanted = (f(A, ord=ord, axis=axis, keepdims=keepdims) for f in (mn.norm, np.linalg.norm))
            assert got.shape == wanted.shape
            np.testing.assert_allclose(got, wanted, rtol=1e-13)
    np.testing.assert_allclose(mn.norm(A[0], ord), np.linalg.norm(A[0], ord), rtol=1e-13)


def test_other_norms():
    np.testing.assert_allclose(mn.norm(A), np.linalg.norm(A), rtol=1e-14)
    assert mn.norm(A, keepdims=True).shape == (1, 1, 1)
    assert mn.norm(np.array([3, 4])) == 5.0
    for ord in (None, 2, 3):
        np.testing.assert_array_equal(mn.grad(lambda x, p=ord: mn.norm(x, p))(np.zeros(3)), np.zeros(3))
    np.testing.assert_allclose(mn.grad(mn.norm)(np.array([3.0, 4.0])), [0.6, 0.8])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (
            {"ord": 1},
            ShapeError,
            r"norm: ord=1 is for vectors or matrices, but the tensor has shape \(3, 4, 5\)",
        ),
        ({"axis": (0, 1, 2)}, ShapeError, "names 3 axes; one"),
        ({"axis": (0, 0)}, ShapeError, "names an axis twice"),
        ({"axis": 3}, ShapeError, "out of range"),
        ({"ord": "fro", "axis": 0}, ArgumentError, "is not a norm of vectors"),
        ({"ord": 3, "axis": (0, 1)}, ArgumentError, "is not a norm of matrices"),
        ({"ord": True, "axis": 0}, ArgumentError, "norm: ord must be None, a number or 'fro'"),
    ],
)
def test_norms_that_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        mn.norm(A, **arguments)


def test_the_order_of_a_norm_may_be_a_number_of_numpy():
    np.testing.assert_array_equal(mn.norm(A, ord=np.float64(3), axis=0), mn.norm(A, ord=3, axis=0))


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_running_results_as_numpy(name):
    for axis in (None, 0, 1, -1):
        np.testing.assert_allclose(getattr(mn, name)(A, axis), getattr(np, name)(A, axis), rtol=1e-13)
        whole = np.arange(-3, 9).reshape(3, 4)
        np.testing.assert_array_equal(getattr(mn, name)(whole, axis), getattr(np, name)(whole, axis))
    assert (
        getattr(mn, name)(np.array([True, True, False])).tolist()
        == getattr(np, name)([True, True, False]).tolist()
    )
    assert getattr(mn, name)(np.zeros((0, 3)), 0).shape == (0, 3)
    with pytest.raises(ShapeError, match=f"{name}: axis 3 is out of range"):
        getattr(mn, name)(A, 3)


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2), (0, 1, 2, 3)])
def test_running_products_with_zeros_have_right_derivatives_of_both_orders(zeros):
    x, w = np.array([2.0, 3.0, 0.5, -1.5]), np.array([1.0, -2.0, 3.0, 0.5])
    x[list(zeros)] = 0.0

    def without(i, *held):
        return 0.0 if any(k > i for k in held) else np.prod(np.delete(x[: i + 1], held))

    slope = [sum(w[i] * without(i, k) for i in range(4)) for k in range(4)]
    bend = [
        [0.0 if j == k else sum(w[i] * without(i, j, k) for i in range(4)) for j in range(4)]
        for k in range(4)
    ]
    f = lambda x: mn.sum(mn.cumprod(x) * w)  # noqa: E731
    np.testing.assert_allclose(mn.grad(f)(x), slope, rtol=1e-14)
    np.testing.assert_allclose(mn.hessian(f)(x), bend, rtol=1e-14)


def test_running_sums_of_a_batch_of_unknown_size():
    x = mn.Input((4,))
    model = mn.Model(x, mn.cumprod(mn.cumsum(x, axis=1), axis=1))
    a = A[0, :, :4].astype("float32")
    np.testing.assert_allclose(model(a), np.cumprod(np.cumsum(a, 1), 1), rtol=1e-5)
