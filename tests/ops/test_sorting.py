"""Order: against NumPy, stable, with NaN, infinities, signed zeros and ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mathnet as mn
from mathnet.errors import ArgumentError, ShapeError

NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.sampled_from([np.nan, np.inf, -np.inf, -0.0]))
X = np.random.default_rng(0).permutation(24).reshape(2, 3, 4) / 7.0


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5))
def test_sort_and_argsort(data, shape):
    kind = data.draw(st.sampled_from([np.float64, np.float32, np.int64, np.bool_]))
    x = data.draw(
        hnp.arrays(
            np.float64, shape, elements=NUMBERS if kind().dtype.kind == "f" else st.integers(-3, 3).map(float)
        )
    )
    x = x.astype(kind)
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    order = np.argsort(x, axis=axis, kind="stable")
    np.testing.assert_array_equal(mn.argsort(x, axis), order)
    got = mn.sort(x, axis)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, np.sort(x, axis=axis, kind="stable"))
    line = x.reshape(-1) if axis is None else x
    along = 0 if axis is None else axis
    falling = mn.argsort(x, axis, descending=True)
    np.testing.assert_array_equal(
        np.take_along_axis(line, falling, along), np.flip(np.sort(line, axis=along), along)
    )
    ties = np.take_along_axis(line, falling, along)
    same = np.moveaxis(np.diff(ties, axis=along) == 0, along, -1)
    assert np.all(np.moveaxis(np.diff(falling, axis=along), along, -1)[same] > 0)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("k", [0, 1, 2])
def test_top_k(axis, k):
    values, indices = mn.top_k(X, k, axis)
    wanted = np.take(np.flip(np.sort(X, axis), axis), range(k), axis)
    np.testing.assert_array_equal(values, wanted)
    np.testing.assert_array_equal(np.take_along_axis(X, indices, axis), wanted)


def test_top_k_takes_the_first_of_equal_ones_and_nan_before_numbers():
    values, indices = mn.top_k(np.array([1.0, 3.0, np.nan, 3.0, np.inf]), 4)
    np.testing.assert_array_equal(indices, [2, 4, 1, 3])
    np.testing.assert_array_equal(values, [np.nan, np.inf, 3, 3])
    np.testing.assert_array_equal(mn.top_k(np.array([-(2**63), 2**63 - 1, 0]), 2)[1], [1, 2])


@pytest.mark.parametrize("axis", [0, -1, None])
def test_derivatives(axis):
    for f in (
        lambda x: mn.sum(mn.tanh(mn.sort(x, axis)) * np.arange(1.0, 3.0).sum()),
        lambda x: mn.sum(mn.sort(x, axis, descending=True) ** 3),
        lambda x: mn.sum(mn.top_k(x, 2)[0] ** 3),
        lambda x: mn.sum(mn.take_along_axis(x, mn.argsort(x, -1), -1)[..., :2] ** 3),
    ):
        for order in (1, 2):
            mn.check_gradient(f, (X,), order=order)
    assert np.count_nonzero(mn.grad(lambda x: mn.sum(mn.top_k(x, 2)[0]))(X)) == 12


def test_what_has_no_derivative_stops_it():
    np.testing.assert_array_equal(mn.grad(lambda x: mn.sum(x * mn.argsort(x)))(X[0, 0]), np.argsort(X[0, 0]))


@given(st.data(), st.sampled_from(["left", "right"]))
def test_searchsorted(data, side):
    x = np.sort(data.draw(hnp.arrays(np.float64, st.integers(0, 6), elements=NUMBERS)))
    v = data.draw(
        hnp.arrays(np.float64, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0), elements=NUMBERS)
    )
    np.testing.assert_array_equal(mn.searchsorted(x, v, side), np.searchsorted(x, v, side))


def test_searchsorted_of_different_types():
    np.testing.assert_array_equal(mn.searchsorted(np.array([1, 2, 3]), np.array([1.5, 3.5])), [1, 3])
    np.testing.assert_array_equal(mn.searchsorted(np.array([2**60, 2**60 + 1]), np.array([2**60 + 1])), [1])


def test_in_plans_it_is_the_hosts_work():
    plan = mn.function(lambda x: mn.tanh(mn.sort(x)) + mn.argsort(x)).plan(X)
    text = plan.explain()
    assert "host" in text and text.count("sort") == 1  # values and indices at once


BAD = [
    (lambda: mn.sort(1.0), ShapeError, ["sort", "axis"]),
    (lambda: mn.sort(X, 3), ShapeError, ["sort", "axis 3", "rank 3"]),
    (lambda: mn.top_k(X, 5), ShapeError, ["top_k", "k = 5", "axis 2", "(2, 3, 4)"]),
    (lambda: mn.top_k(X, -1), ArgumentError, ["top_k", "-1"]),
    (lambda: mn.top_k(X, 1.5), ArgumentError, ["top_k", "1.5"]),
    (lambda: mn.searchsorted(X, 1.0), ShapeError, ["searchsorted", "(2, 3, 4)"]),
    (lambda: mn.searchsorted(X[0, 0], 1.0, "middle"), ArgumentError, ["searchsorted", "'middle'"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
