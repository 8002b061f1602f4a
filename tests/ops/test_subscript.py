"""Reading and writing by index: every form that NumPy takes, against NumPy; errors of index arrays, when they are found."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mathnet as mn
from mathnet.errors import ArgumentError, DataError, DTypeError, ShapeError

X = np.arange(60.0).reshape(3, 4, 5)


@st.composite
def indices(draw, shape):
    """An index of slices, integers, None, '...' and integer arrays that are broadcast against each other."""
    lead = draw(hnp.array_shapes(min_dims=0, max_dims=2, min_side=0, max_side=3))

    def entry(n):
        kind = draw(st.sampled_from(["slice", "array", "array", "int"]))
        own = tuple(draw(st.sampled_from([s, 1])) for s in lead)[draw(st.integers(0, len(lead))) :]
        if kind == "int" and n:
            return draw(st.integers(-n, n - 1))
        if kind == "array" and (n or 0 in own):
            return draw(hnp.arrays(np.int64, own, elements=st.integers(-n, n - 1) if n else st.just(0)))
        return draw(st.slices(n))

    start = draw(st.integers(0, len(shape)))
    stop = draw(st.integers(start, len(shape)))
    before, after = [entry(n) for n in shape[:start]], [entry(n) for n in shape[stop:]]
    entries = [*before, ..., *after] if after or draw(st.booleans()) else before
    for _ in range(draw(st.integers(0, 2))):
        entries.insert(draw(st.integers(0, len(entries))), None)
    return tuple(entries)


def numpy_takes(x, index):
    try:
        return x[index]
    except IndexError:
        return None


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
def test_reading_writing_and_adding_agree_with_numpy(data, shape):
    x = np.arange(float(np.prod(shape))).reshape(shape)
    index = data.draw(indices(shape))
    wanted = numpy_takes(x, index)
    if wanted is None:
        return
    got = np.asarray(mn.getitem(x, index))
    assert got.shape == wanted.shape
    np.testing.assert_array_equal(got, wanted)
    value = -1.0 - np.arange(float(wanted.size)).reshape(wanted.shape)
    written, added = x.copy(), x.copy()
    written[index] = value
    np.add.at(added, index, value)
    np.testing.assert_array_equal(mn.index_update(x, index, value), written)
    np.testing.assert_array_equal(mn.index_add(x, index, value), added)


FORMS = [
    np.array([0, -1]),
    [[0, 1], [2, -3]],
    (slice(None), [1, 0]),
    ([0, 2], slice(None), [1, 2]),  # apart: the axes of the arrays come first
    ([0, 2], [1, 2]),
    (0, slice(1, 3), np.array([[1], [2]])),
    (slice(None), 0, [1, 2]),
    (..., [0, 1]),
    (None, [0, 1], None, [1, 2]),
    ([[0], [1]], [2, 3, 3], 4),
    (slice(None, None, -1), [3, 0], slice(1, None, 2)),
    np.array(1),
    (np.array(1), [0, 1]),
    [],
    (slice(2, 2), [1, 1]),
]


@pytest.mark.parametrize("index", FORMS, ids=str)
def test_forms(index):
    np.testing.assert_array_equal(mn.getitem(X, index), X[index])
    np.testing.assert_array_equal(mn.function(lambda x: x[index])(X), X[index])
    wide = np.zeros((6, 4, 10))
    wide[::2, :, 1::2] = X
    np.testing.assert_array_equal(mn.getitem(wide[::2, :, 1::2], index), X[index])
    for kind in (np.int64, np.bool_, np.float32):
        y = (X % 7).astype(kind)
        got = mn.getitem(y, index)
        assert got.dtype == y.dtype
        np.testing.assert_array_equal(got, y[index])


@pytest.mark.parametrize("index", FORMS, ids=str)
def test_derivatives(index):
    value = np.random.default_rng(0).normal(size=X[index].shape)
    x = np.random.default_rng(1).normal(size=X.shape)
    for f in (
        lambda x: mn.sum(mn.tanh(x[index])),
        lambda x: mn.sum(mn.tanh(mn.index_update(x, index, value))),
        lambda x: mn.sum(mn.tanh(mn.index_add(x, index, value))),
    ):
        mn.check_gradient(f, (x,), max_elements=10)
        mn.check_gradient(f, (x,), order=2, max_elements=10)
    if value.size:
        mn.check_gradient(lambda v: mn.sum(mn.tanh(mn.index_update(x, index, v))), (value,), order=2)
        mn.check_gradient(lambda v: mn.sum(mn.tanh(mn.index_add(x, index, v))), (value,), order=2)


def test_index_arrays_are_live():
    rows = np.array([0, 1])
    f = mn.function(lambda x, i: x[i, rows])
    np.testing.assert_array_equal(f(X[0], np.array([2, 0])), X[0][[2, 0], rows])
    rows[:] = 3, 4
    np.testing.assert_array_equal(f(X[0], np.array([1, 1])), X[0][[1, 1], [3, 4]])


def test_an_index_that_a_loop_computes():
    def turn(table, i):
        return mn.index_add(table, i, 1.0), table[i]

    table, seen = mn.scan(turn, np.zeros(3), np.array([0, 2, 2, -1]))
    np.testing.assert_array_equal(table, [1, 0, 3])
    np.testing.assert_array_equal(seen, [0, 0, 1, 2])


def test_of_equal_places_the_last_value_stays_and_has_the_derivative():
    index = np.array([1, 0, 1])
    np.testing.assert_array_equal(mn.index_update(np.zeros(2), index, np.array([5.0, 6.0, 7.0])), [6, 7])
    slope = mn.grad(lambda v: mn.sum(mn.index_update(np.zeros(2), index, v)))(np.ones(3))
    np.testing.assert_array_equal(slope, [0, 1, 1])


def test_values_are_broadcast_and_take_the_type_of_the_array():
    x = np.zeros((2, 3), np.float32)
    got = mn.index_update(x, (slice(None), [0, 2]), np.array([[1.0], [2.0]]))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, [[1, 0, 1], [2, 0, 2]])
    whole = mn.index_add(np.array([1, 2**60, 3]), [1, 1], 1)
    assert whole.dtype == np.int64
    np.testing.assert_array_equal(whole, [1, 2**60 + 2, 3])
    np.testing.assert_array_equal(mn.index_update(np.array([True, True]), 0, False), [False, True])


def test_scatter_add():
    x = np.arange(12.0).reshape(2, 3, 2)
    wanted = np.zeros((2, 4, 2))
    np.add.at(wanted, (slice(None), [3, 0, 3]), x)
    np.testing.assert_array_equal(mn.scatter_add(x, [3, 0, 3], 4, axis=1), wanted)
    np.testing.assert_array_equal(mn.scatter_add(x.astype(int), [3, 0, 3], 4, axis=1), wanted.astype(int))
    np.testing.assert_array_equal(mn.scatter_add(x, np.array([[2, 0, 2], [1, 1, 1]]), 3)[1], x[1].sum(0))
    mn.check_gradient(lambda x: mn.sum(mn.tanh(mn.scatter_add(x, [3, 0, 3], 4, axis=1))), (x / 9,), order=2)


def test_take():
    np.testing.assert_array_equal(mn.take(X, [7, 0], axis=None), np.take(X, [7, 0]))
    np.testing.assert_array_equal(mn.take(X, [[1, 0]], axis=-1), np.take(X, [[1, 0]], axis=-1))


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4))
def test_take_along_axis(data, shape):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.arange(float(np.prod(shape))).reshape(shape)
    n = shape[axis]
    wanted_shape = list(shape)
    wanted_shape[axis] = data.draw(st.integers(0, 3)) if n else 0
    index = data.draw(
        hnp.arrays(np.int64, tuple(wanted_shape), elements=st.integers(-n, n - 1) if n else st.just(0))
    )
    np.testing.assert_array_equal(mn.take_along_axis(x, index, axis), np.take_along_axis(x, index, axis))


def test_take_along_axis_broadcasts_and_flattens():
    index = np.array([[[1, 0]]])
    np.testing.assert_array_equal(mn.take_along_axis(X, index), np.take_along_axis(X, index, -1))
    np.testing.assert_array_equal(mn.take_along_axis(X, np.array([5, -1]), None), [5.0, 59.0])
    x = np.random.default_rng(0).normal(size=(3, 4))
    index = np.array([[0, 0, -1], [1, 1, 1], [3, 2, 1]])
    f = lambda x: mn.sum(mn.tanh(mn.take_along_axis(x, index)))  # noqa: E731
    mn.check_gradient(f, (x,))
    mn.check_gradient(f, (x,), order=2)


BAD = [
    (lambda: mn.getitem(X, np.array([0, 3])), DataError, ["indexing", "index 3", "position 1", "axis 0", "size 3"]),
    (lambda: mn.getitem(X, (..., np.array([[0, -6]]))), DataError, ["index -6", "position 1", "axis 2", "size 5"]),
    (lambda: mn.getitem(X, [0, 3]), ShapeError, ["index 3", "position 1", "axis 0", "size 3"]),
    (lambda: mn.getitem(X, (slice(None), [0], [[1, 9]])), ShapeError, ["index 9", "position 1", "axis 2", "size 5"]),
    (lambda: mn.getitem(X, X > 1), ArgumentError, ["mask", "mn.where", "np.flatnonzero"]),
    (lambda: mn.getitem(X, [True, False, True]), ArgumentError, ["mask", "mn.where"]),
    (lambda: mn.getitem(X, True), ArgumentError, ["mask", "mn.where"]),
    (lambda: mn.getitem(X, X), DTypeError, ["integers", "float64", "mn.cast"]),
    (lambda: mn.getitem(X, ([0, 1], [0, 1, 2])), ShapeError, ["index arrays", "(2,)", "(3,)"]),
    (lambda: mn.getitem(X, "a"), ArgumentError, ["str", "array of integers"]),
    (lambda: mn.index_update(X, 0, np.ones(7)), ShapeError, ["index_update", "(7,)", "(4, 5)"]),
    (lambda: mn.index_update(X, [0], np.ones((2, 1, 4, 5))), ShapeError, ["(2, 1, 4, 5)", "(1, 4, 5)"]),
    (lambda: mn.index_add(np.arange(3), 0, 0.5), DTypeError, ["index_add", "float64", "int64", "mn.cast"]),
    (lambda: mn.index_add(X, np.array([5]), 1.0), DataError, ["index_add", "index 5", "position 0", "size 3"]),
    (lambda: mn.take(X, np.array([[0], [4]]), axis=1), DataError, ["take", "index 4", "position 1", "axis 1", "size 4"]),
    (lambda: mn.scatter_add(np.ones(2), np.array([0, 3]), 3), DataError, ["scatter_add", "index 3", "position 1", "3 rows"]),
    (lambda: mn.scatter_add(np.ones(2, int), np.array([0, -1]), 3), DataError, ["scatter_add", "index -1", "position 1"]),
    (lambda: mn.scatter_add(np.ones(2), [0, 1], -1), ArgumentError, ["size", "-1"]),
    (lambda: mn.scatter_add(np.ones(2), [0, 1, 2], 3), ShapeError, ["(3,)", "axis 0", "(2,)"]),
    (lambda: mn.take_along_axis(X, np.array([1])), ShapeError, ["take_along_axis", "(1,)", "(3, 4, 5)"]),
    (lambda: mn.take_along_axis(X[0], np.array([[4]]), 0), DataError, ["take_along_axis", "index 4", "axis 0", "size 4"]),
    (lambda: mn.where(X > 1), ArgumentError, ["where", "np.flatnonzero"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
