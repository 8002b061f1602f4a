"""Shapes, broadcasting, axes and element types of random operands, against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mathnet as mn

FEW = settings(max_examples=40, deadline=None)
BINARY = [
    "add",
    "subtract",
    "multiply",
    "divide",
    "maximum",
    "minimum",
    "less",
    "greater_equal",
    "equal",
    "logical_and",
]


def draw_array(seed, shape, dtype):
    rng = np.random.default_rng(seed)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    return (
        rng.integers(-3, 4, shape).astype(dtype) if dtype == "int64" else rng.normal(size=shape).astype(dtype)
    )


@FEW
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4, min_side=0),
    name=st.sampled_from(BINARY),
    dtypes=st.tuples(*[st.sampled_from(["float32", "float64", "int64"])] * 2),
    seed=st.integers(0, 1000),
)
def test_two_operands(shapes, name, dtypes, seed):
    x, y = (draw_array(seed + k, s, t) for k, (s, t) in enumerate(zip(shapes.input_shapes, dtypes)))
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x.astype(np.float64), y.astype(np.float64))
    got = np.asarray(getattr(mn, name)(x, y))
    assert got.shape == shapes.result_shape
    np.testing.assert_allclose(got.astype(np.float64), wanted.astype(np.float64), rtol=1e-5, atol=1e-6)
    if "float64" in dtypes and got.dtype != bool:
        assert got.dtype == np.float64
    elif "float32" in dtypes and got.dtype != bool:
        assert got.dtype == np.float32


@FEW
@given(
    shapes=hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=4, min_side=0),
    seed=st.integers(0, 1000),
)
def test_where_broadcasts_all_three(shapes, seed):
    c, x, y = (
        draw_array(seed + k, s, t)
        for k, (s, t) in enumerate(zip(shapes.input_shapes, ["bool", "float32", "float64"]))
    )
    got = mn.where(c, x, y)
    np.testing.assert_array_equal(got, np.where(c, x, y))
    assert np.asarray(got).dtype == np.float64


@st.composite
def reductions(draw):
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=1, max_side=5))
    axes = draw(
        st.one_of(
            st.none(), st.lists(st.integers(0, max(len(shape) - 1, 0)), unique=True, max_size=len(shape))
        )
    )
    if axes is not None and shape:
        axes = tuple(a - len(shape) * draw(st.booleans()) for a in axes)
    return shape, None if not shape else axes, draw(st.booleans())


@FEW
@given(
    case=reductions(), name=st.sampled_from(["sum", "mean", "max", "min", "prod"]), seed=st.integers(0, 1000)
)
def test_reductions(case, name, seed):
    shape, axis, keepdims = case
    x = draw_array(seed, shape, "float64")
    got = getattr(mn, name)(x, axis=axis, keepdims=keepdims)
    wanted = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    assert np.shape(got) == np.shape(wanted)
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


@FEW
@given(case=reductions(), name=st.sampled_from(["any", "all"]), seed=st.integers(0, 1000))
def test_logical_reductions(case, name, seed):
    shape, axis, keepdims = case
    x = draw_array(seed, shape, "bool")
    got = getattr(mn, name)(x, axis=axis, keepdims=keepdims)
    assert np.asarray(got).dtype == bool
    np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis, keepdims=keepdims))


@FEW
@given(case=reductions(), seed=st.integers(0, 1000))
def test_logsumexp(case, seed):
    shape, axis, keepdims = case
    x = draw_array(seed, shape, "float64")
    wanted = np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims))
    np.testing.assert_allclose(mn.logsumexp(x, axis=axis, keepdims=keepdims), wanted, rtol=1e-10, atol=1e-12)


@FEW
@given(
    lead=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3),
    sizes=st.tuples(*[st.integers(1, 6)] * 3),
    vectors=st.tuples(st.booleans(), st.booleans()),
    seed=st.integers(0, 1000),
)
def test_matmul(lead, sizes, vectors, seed):
    m, k, n = sizes
    x = draw_array(seed, (k,) if vectors[0] else (*lead.input_shapes[0], m, k), "float64")
    y = draw_array(seed + 1, (k,) if vectors[1] else (*lead.input_shapes[1], k, n), "float64")
    got = mn.matmul(x, y)
    assert np.shape(got) == np.shape(x @ y)
    np.testing.assert_allclose(got, x @ y, rtol=1e-10, atol=1e-12)


@FEW
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
def test_basic_indexing(data, shape):
    x = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=5))
    wanted = x[index]
    got = mn.function(lambda t: t[index])(x)
    assert np.shape(got) == np.shape(wanted)
    np.testing.assert_array_equal(got, wanted)


@FEW
@given(data=st.data(), shape=hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=4))
def test_the_derivative_of_indexing_puts_ones_where_it_read(data, shape):
    x = np.zeros(shape)
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True, max_dims=4))
    wanted = np.zeros(shape)
    wanted[index] = 1
    np.testing.assert_array_equal(mn.grad(lambda t: mn.sum(t[index]) + 0.0 * mn.sum(t))(x), wanted)


@FEW
@given(data=st.data(), shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))
def test_rearrangements(data, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    axes = data.draw(st.permutations(range(len(shape))))
    at = data.draw(st.integers(-len(shape), len(shape) - 1))
    to = data.draw(st.integers(-len(shape), len(shape) - 1))
    np.testing.assert_array_equal(mn.transpose(x, axes), np.transpose(x, axes))
    np.testing.assert_array_equal(mn.moveaxis(x, at, to), np.moveaxis(x, at, to))
    np.testing.assert_array_equal(mn.expand_dims(x, at), np.expand_dims(x, at))
    np.testing.assert_array_equal(mn.flip(x, at), np.flip(x, at))
    np.testing.assert_array_equal(mn.flip(x), np.flip(x))
    np.testing.assert_array_equal(mn.stack([x, x + 1], at), np.stack([x, x + 1], at))
    np.testing.assert_array_equal(mn.concatenate([x, x, x], at), np.concatenate([x, x, x], at))
    np.testing.assert_array_equal(
        mn.reshape(mn.transpose(x, axes), (x.size,)), np.transpose(x, axes).reshape(x.size)
    )
    width = [(data.draw(st.integers(0, 2)), data.draw(st.integers(0, 2))) for _ in shape]
    np.testing.assert_array_equal(
        mn.pad(x, width, constant_values=0.25), np.pad(x, width, constant_values=np.float32(0.25))
    )


@FEW
@given(shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=5), data=st.data())
def test_softmax_and_positions_along_any_axis(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = np.random.default_rng(len(shape)).normal(size=shape) * 5
    e = np.exp(x - x.max(axis, keepdims=True))
    np.testing.assert_allclose(mn.softmax(x, axis), e / e.sum(axis, keepdims=True), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        mn.log_softmax(x, axis), np.log(e / e.sum(axis, keepdims=True)), rtol=1e-10, atol=1e-10
    )
    for name in ("argmax", "argmin"):
        got = getattr(mn, name)(x, axis=axis, keepdims=True)
        assert np.asarray(got).dtype == np.int64
        np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis, keepdims=True))
        assert getattr(mn, name)(x) == getattr(np, name)(x)


@FEW
@given(
    n=st.integers(0, 6),
    axis=st.integers(-3, 2),
    lead=st.sampled_from([(), (3,), (2, 2)]),
    dtype=st.sampled_from(["float32", "float64", "int64", "bool"]),
)
def test_take_any_type_along_any_axis(n, axis, lead, dtype):
    x = draw_array(1, (4, 3, 5), dtype)
    indices = np.random.default_rng(n).integers(0, x.shape[axis], (*lead, n))
    got = mn.take(x, indices, axis)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, np.take(x, indices, axis))


# ---- arrays as users have them ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "sum", "transpose", "softmax"])
def test_arrays_of_every_kind_are_read_and_not_written(name):
    base = np.random.default_rng(0).normal(size=(6, 8))
    frozen = base.copy()
    frozen.flags.writeable = False
    swapped = base.astype(base.dtype.newbyteorder())
    misaligned = np.frombuffer(b"x" + base.tobytes(), np.uint8)[1:].view(np.float64).reshape(6, 8)
    function = getattr(mn, name)
    for array in (np.asfortranarray(base), frozen, swapped, misaligned, base.tolist()):
        np.testing.assert_array_equal(function(array), function(base))
    np.testing.assert_array_equal(function(base[::2, ::-1]), function(base[::2, ::-1].copy()))
    for small in (np.float16,) if name == "softmax" else (np.float16, np.int8, np.uint8, np.uint16, np.int64):
        assert np.asarray(function(base.astype(small))).dtype in (np.float32, np.float64, np.int64)


def test_bytes_are_integers():
    x = np.array([[200, 100], [7, 255]], np.uint8)
    assert mn.add(x, 100).dtype == np.int64
    np.testing.assert_array_equal(mn.add(x, 100), x.astype(int) + 100)
    assert mn.multiply(np.ones(2, np.float32), x).dtype == np.float32
    assert mn.sum(x) == 562
    assert mn.max(x) == 255
    np.testing.assert_array_equal(mn.function(lambda a: a - 300)(x), x.astype(int) - 300)


def test_a_result_belongs_to_the_caller():
    x = np.zeros((3, 4))
    for y in (mn.transpose(x), mn.reshape(x, (12,)), mn.positive(x), mn.broadcast_to(x, (2, 3, 4))):
        assert not np.shares_memory(x, y)
        y[...] = 1.0
    assert not x.any()
