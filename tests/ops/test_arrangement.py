"""Padding, splitting, joining, tiling, rolling and diagonals: against NumPy, with derivatives and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mathnet as mn
from mathnet.errors import ArgumentError, ShapeError
from mathnet.ops.padding import runs

X = np.arange(24.0).reshape(2, 3, 4)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4)


def filled(shape, dtype=np.float64):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape)


def equal(got, wanted):
    assert len(got) == len(wanted)
    for a, b in zip(got, wanted):
        np.testing.assert_array_equal(a, b)


# ---- padding ----


@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_pad(data, shape):
    x = filled(shape)[..., ::-1]
    width = data.draw(
        st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=len(shape), max_size=len(shape))
    )
    mode = data.draw(st.sampled_from(["edge", "reflect", "symmetric", "wrap"]))
    np.testing.assert_array_equal(mn.pad(x, width, mode), np.pad(x, width, mode))


@pytest.mark.parametrize("values", [0.0, 2.5, (1.0, 2.0), ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)), np.nan])
def test_pad_with_numbers(values):
    width = ((1, 2), (0, 3), (2, 0))
    np.testing.assert_array_equal(
        mn.pad(X, width, constant_values=values), np.pad(X, width, constant_values=values)
    )


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
def test_derivatives_of_pad(mode):
    f = lambda x: mn.sum(mn.tanh(mn.pad(x / 9.0, ((1, 0), (2, 3), (0, 5)), mode)))  # noqa: E731
    for order in (1, 2):
        mn.check_gradient(f, (X,), order=order)


def test_runs():
    assert runs(np.array([2, 1, 0, 1, 2, 2, 2, 5])) == [(2, -1, 3), (1, 1, 2), (2, 0, 2), (5, 1, 1)]
    assert runs(np.array([], int)) == []


# ---- splitting and joining ----


@given(st.data(), SHAPES)
def test_split(data, shape):
    x, axis = filled(shape), data.draw(st.integers(-len(shape), len(shape) - 1))
    places = data.draw(st.lists(st.integers(-6, 6), max_size=3))
    equal(mn.split(x, places, axis), np.split(x, places, axis))
    parts = data.draw(st.integers(1, 5))
    equal(mn.array_split(x, parts, axis), np.array_split(x, parts, axis))
    if shape[axis] % parts == 0:
        equal(mn.split(x, parts, axis), np.split(x, parts, axis))


@pytest.mark.parametrize("name", ["hstack", "vstack", "column_stack"])
@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (2, 3)), ((1,), (1,), (1,))])
def test_stacks(name, shapes):
    xs = [filled(shape) + k for k, shape in enumerate(shapes)]
    wanted = getattr(np, name)(xs)
    np.testing.assert_array_equal(getattr(mn, name)(xs), wanted)
    np.testing.assert_array_equal(mn.function(lambda *xs: getattr(mn, name)(xs))(*xs), wanted)
    together = np.stack(xs)
    np.testing.assert_array_equal(getattr(mn, name)(together), getattr(np, name)(together))
    mn.check_gradient(lambda *xs: mn.sum(mn.tanh(getattr(mn, name)(xs))), tuple(xs))


@pytest.mark.parametrize("x", [2.0, X[0, 0], X[0], X, X[None]], ids=np.ndim)
def test_at_least_so_many_axes(x):
    for name in ("atleast_1d", "atleast_2d", "atleast_3d"):
        wanted = getattr(np, name)(x)
        got = getattr(mn, name)(x)
        assert got.shape == wanted.shape
        np.testing.assert_array_equal(got, wanted)


def test_axes():
    np.testing.assert_array_equal(mn.swapaxes(X, 0, -1), np.swapaxes(X, 0, -1))
    np.testing.assert_array_equal(mn.ravel(X.T), np.ravel(X.T))
    assert mn.ravel(2.0).shape == (1,)
    equal(mn.broadcast_arrays(X, X[0, 0], 1.0), np.broadcast_arrays(X, X[0, 0], 1.0))
    for k in range(-2, 6):
        np.testing.assert_array_equal(mn.rot90(X, k), np.rot90(X, k))
        np.testing.assert_array_equal(mn.rot90(X, k, (2, 0)), np.rot90(X, k, (2, 0)))


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_meshgrid(indexing, count):
    xs = [np.arange(float(n)) for n in (2, 3, 4)[:count]]
    got, wanted = mn.meshgrid(*xs, indexing=indexing), np.meshgrid(*xs, indexing=indexing)
    equal(got, wanted)
    if count:
        mn.check_gradient(lambda *xs: mn.sum(mn.tanh(mn.meshgrid(*xs, indexing=indexing)[-1])), tuple(xs))


# ---- tiling and rolling ----


@given(st.data(), SHAPES)
def test_roll(data, shape):
    x = filled(shape)
    axes = st.integers(-len(shape), len(shape) - 1)
    axis = data.draw(st.one_of(st.none(), axes, st.tuples(axes, axes)))
    shifts = st.integers(-9, 9)
    shift = data.draw(st.one_of(shifts, st.tuples(shifts, shifts)) if isinstance(axis, tuple) else shifts)
    np.testing.assert_array_equal(mn.roll(x, shift, axis), np.roll(x, shift, axis))


@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3))
def test_tile(data, shape):
    reps = data.draw(st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), max_size=4)))
    x = filled(shape)
    np.testing.assert_array_equal(mn.tile(x, reps), np.tile(x, reps))


@given(st.data(), SHAPES)
def test_repeat(data, shape):
    x = filled(shape)
    axis = data.draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1)))
    n = x.size if axis is None else shape[axis]
    repeats = data.draw(st.one_of(st.integers(0, 3), st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    np.testing.assert_array_equal(mn.repeat(x, repeats, axis), np.repeat(x, repeats, axis))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: mn.roll(x, (1, 2), (0, 2)),
        lambda x: mn.tile(x, (2, 1, 3)),
        lambda x: mn.repeat(x, 2, 1),
        lambda x: mn.repeat(x, [2, 0, 1], 1),
        lambda x: mn.split(x, [1, 3], 2)[1],
        lambda x: mn.rot90(x),
        lambda x: mn.diagonal(x, 1, 1, 2),
        lambda x: mn.diag(x[0, 0], -1),
        lambda x: mn.trace(x, 0, 2, 0),
        lambda x: mn.tril(x) + mn.triu(x, 2),
    ],
)
def test_derivatives(f):
    for order in (1, 2):
        mn.check_gradient(lambda x: mn.sum(mn.tanh(f(x / 9.0))), (X,), order=order)


# ---- diagonals and triangles ----


@pytest.mark.parametrize("offset", range(-4, 5))
def test_diagonals(offset):
    for axes in ((0, 1), (1, 2), (2, 0), (-1, 1)):
        np.testing.assert_array_equal(mn.diagonal(X, offset, *axes), np.diagonal(X, offset, *axes))
        np.testing.assert_array_equal(mn.trace(X, offset, *axes), np.trace(X, offset, *axes))
    np.testing.assert_array_equal(mn.diagonal(X[0].T[::-1], offset), np.diagonal(X[0].T[::-1], offset))
    for x in (X[0], X[0, 0], X[0, 0, :0]):
        np.testing.assert_array_equal(mn.diag(x, offset), np.diag(x, offset))
    for x in (X, X[0].astype(int), X[0, 0], X[:0], X > 3):
        np.testing.assert_array_equal(mn.tril(x, offset), np.tril(x, offset))
        np.testing.assert_array_equal(mn.triu(x, offset), np.triu(x, offset))
    np.testing.assert_array_equal(mn.eye(3, k=offset), np.eye(3, k=offset))
    np.testing.assert_array_equal(mn.eye(2, 4, offset, "int64"), np.eye(2, 4, offset, np.int64))


def test_a_triangle_hides_what_is_not_a_number():
    np.testing.assert_array_equal(mn.tril(np.array([[1.0, np.nan], [2.0, 3.0]])), [[1, 0], [2, 3]])


BAD = [
    (lambda: mn.pad(X, 1, "mirror"), ArgumentError, ["pad", "'mirror'", "'reflect'"]),
    (lambda: mn.pad(X, 1, 7), ArgumentError, ["pad", "constant_values=7"]),
    (lambda: mn.pad(X[:0], 1, "edge"), ShapeError, ["pad", "axis 0", "(0, 3, 4)", "constant"]),
    (lambda: mn.pad(X, 1, constant_values=(1, 2, 3)), ArgumentError, ["pad", "constant_values", "(1, 2, 3)"]),
    (lambda: mn.split(X, 3), ShapeError, ["split", "axis 0", "size 2", "3 equal parts", "array_split"]),
    (lambda: mn.split(X, 0), ArgumentError, ["split", "positive", "0"]),
    (lambda: mn.split(X, [0.5]), ArgumentError, ["split", "known when the graph is built"]),
    (lambda: mn.split(1.0, 1), ShapeError, ["split"]),
    (lambda: mn.hstack([]), ArgumentError, ["hstack", "operand"]),
    (lambda: mn.meshgrid(X), ShapeError, ["meshgrid", "operand 0", "(2, 3, 4)"]),
    (lambda: mn.meshgrid(X[0, 0], indexing="ji"), ArgumentError, ["meshgrid", "'ji'"]),
    (lambda: mn.roll(X, (1, 2)), ArgumentError, ["roll", "(1, 2)"]),
    (lambda: mn.roll(X, (1, 2), (0, 1, 2)), ArgumentError, ["roll", "2 shifts", "3 axes"]),
    (lambda: mn.roll(X, 0.5), ArgumentError, ["roll", "shift", "0.5"]),
    (lambda: mn.tile(X, -1), ArgumentError, ["tile", "-1"]),
    (lambda: mn.repeat(X, np.array([1, 2])), ArgumentError, ["repeat", "repeats", "known when the graph is built"]),
    (lambda: mn.repeat(X, [1, 2], 1), ShapeError, ["repeat", "2 repeats", "axis 1", "size 3"]),
    (lambda: mn.repeat(X, -1), ArgumentError, ["repeat", "-1"]),
    (lambda: mn.diagonal(X[0, 0]), ShapeError, ["diagonal", "(4,)"]),
    (lambda: mn.diagonal(X, 0, 1, 1), ShapeError, ["diagonal", "axis2", "1"]),
    (lambda: mn.diag(X), ShapeError, ["diag", "(2, 3, 4)", "mn.diagonal"]),
    (lambda: mn.tril(1.0), ShapeError, ["tril"]),
    (lambda: mn.triu(X, 0.5), ArgumentError, ["triu", "0.5"]),
    (lambda: mn.eye(-1), ShapeError, ["eye", "(-1, -1)"]),
    (lambda: mn.rot90(X, 1, (0, 0)), ShapeError, ["rot90", "twice"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
