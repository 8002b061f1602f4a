"""Convolutions and poolings of drawn sizes, strides, paddings and dilations against their definitions, in float64."""

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet as mn
from mathnet.graph.dim import Dim
from mathnet.graph.op import input_tensor
from mathnet.graph.tensor import Spec

few = settings(max_examples=40, deadline=None)
small = st.integers(1, 3)


@st.composite
def windows(draw, axes):
    """(sizes, window, stride, padding, dilation) with at least one place for the window."""
    window, stride, dilation = (tuple(draw(small) for _ in range(axes)) for _ in range(3))
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(axes))
    least = [max(d * (k - 1) + 1 - sum(p), 1) for d, k, p in zip(dilation, window, padding)]
    sizes = tuple(draw(st.integers(n, n + 3)) for n in least)
    return sizes, window, stride, padding, dilation


def places(sizes, window, stride, padding, dilation):
    """For every output position and tap the position in x, where it is inside."""
    out = [
        (n + sum(p) - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(sizes, window, stride, padding, dilation)
    ]
    for at in itertools.product(*map(range, out)):
        for tap in itertools.product(*map(range, window)):
            place = tuple(i * s + a * d - p[0] for i, s, a, d, p in zip(at, stride, tap, dilation, padding))
            if all(0 <= q < n for q, n in zip(place, sizes)):
                yield at, tap, place


def correlate(x, w, stride, padding, dilation):
    sizes, window = x.shape[2:], w.shape[2:]
    out = [
        (n + sum(p) - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(sizes, window, stride, padding, dilation)
    ]
    y = np.zeros((x.shape[0], w.shape[0], *out))
    for at, tap, place in places(sizes, window, stride, padding, dilation):
        y[(..., *at)] += x[(..., *place)] @ w[(..., *tap)].T
    return y


def operands(case, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((2, 2, *case[0])), rng.standard_normal((3, 2, *case[1]))


@few
@given(windows(1))
def test_conv1d(case):
    (x, w), (_, _, stride, padding, dilation) = operands(case), case
    got = mn.conv1d(x, w, stride=stride, padding=padding, dilation=dilation)
    np.testing.assert_allclose(got, correlate(x, w, stride, padding, dilation), rtol=1e-10, atol=1e-12)


@few
@given(windows(3))
def test_conv3d(case):
    (x, w), (_, _, stride, padding, dilation) = operands(case), case
    got = mn.conv3d(x, w, stride=stride, padding=padding, dilation=dilation)
    np.testing.assert_allclose(got, correlate(x, w, stride, padding, dilation), rtol=1e-10, atol=1e-12)


@few
@given(windows(2), st.data())
def test_conv_transpose2d_is_the_transpose_of_conv2d(case, data):
    (x, w), (sizes, _, stride, padding, dilation) = operands(case), case
    y = mn.conv2d(x, w, stride=stride, padding=padding, dilation=dilation)
    g = np.random.default_rng(1).standard_normal(y.shape)
    least = [
        (n - 1) * s + d * (k - 1) + 1 - sum(p)
        for n, s, d, k, p in zip(y.shape[2:], stride, dilation, w.shape[2:], padding)
    ]
    extra = tuple(n - m for n, m in zip(sizes, least))  # rows that the windows' steps left out
    back = mn.conv_transpose2d(g, w, stride=stride, padding=padding, output_padding=extra, dilation=dilation)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(back * x), np.sum(g * y), rtol=1e-9, atol=1e-10)


@few
@given(windows(3), st.booleans())
def test_pooling(case, ceil_mode):
    sizes, window, stride, padding, _ = case
    padding = tuple((min(a, k - 1), min(b, k - 1)) for (a, b), k in zip(padding, window))
    sizes = tuple(max(n, k) for n, k in zip(sizes, window))
    x = np.random.default_rng(0).standard_normal((2, 2, *sizes))
    largest = mn.max_pool3d(x, window, stride, padding, ceil_mode)
    mean = mn.avg_pool3d(x, window, stride, padding, ceil_mode, count_include_pad=False)
    for at in itertools.product(*map(range, largest.shape[2:])):
        inside = tuple(
            slice(max(i * s - p[0], 0), i * s - p[0] + k) for i, s, p, k in zip(at, stride, padding, window)
        )
        part = x[(..., *inside)].reshape(2, 2, -1)
        np.testing.assert_array_equal(largest[(..., *at)], part.max(-1))
        np.testing.assert_allclose(mean[(..., *at)], part.mean(-1), rtol=1e-10, atol=1e-12)
    if ceil_mode:
        for n, k, s, p, m in zip(sizes, window, stride, padding, largest.shape[2:]):
            assert (m - 1) * s < n + p[0]  # the last window begins inside
            assert m * s + k > n + sum(p) or m * s >= n + p[0]  # and there is no room for another


@few
@given(windows(3))
def test_sizes_that_are_not_known_yet(case):
    sizes, window, stride, padding, dilation = case
    free = [Dim(f"n{k}") for k in range(4)]
    x = input_tensor(Spec((free[0], 2, *free[1:]), np.dtype(np.float64)))
    w = np.zeros((3, 2, *window))
    symbolic = mn.conv3d(x, w, stride=stride, padding=padding, dilation=dilation).shape
    known = mn.conv3d(np.zeros((2, 2, *sizes)), w, stride=stride, padding=padding, dilation=dilation).shape
    bound = dict(zip(free, (2, *sizes)))
    assert tuple(n if isinstance(n, int) else n.evaluate(bound) for n in symbolic) == known
