"""Pooling over one, two and three axes, ceil_mode and adaptive pooling against loops over windows, and finite differences."""

import itertools

import numpy as np
import pytest

import mathnet as mn

MAXIMA = {1: mn.max_pool1d, 2: mn.max_pool2d, 3: mn.max_pool3d}
MEANS = {1: mn.avg_pool1d, 2: mn.avg_pool2d, 3: mn.avg_pool3d}


def rng():
    return np.random.default_rng(4)


def pooled(x, kernel, stride, pads, ceil_mode, reduce):
    """``reduce(elements of x, number of elements with padding)`` for every window, as PyTorch's documentation counts them."""
    out = []
    for n, k, s, (before, after) in zip(x.shape[2:], kernel, stride, pads):
        steps = (n + before + after - k) / s
        count = int(np.ceil(steps) if ceil_mode else np.floor(steps)) + 1
        out.append(count - 1 if ceil_mode and (count - 1) * s >= n + before else count)
    y = np.zeros((*x.shape[:2], *out))
    for at in itertools.product(*map(range, out)):
        window, padded = [slice(None), slice(None)], 1
        for i, n, k, s, (before, after) in zip(at, x.shape[2:], kernel, stride, pads):
            start = i * s - before
            window.append(slice(max(start, 0), min(start + k, n)))
            padded *= min(start + k, n + after) - start
        y[(slice(None), slice(None), *at)] = reduce(x[tuple(window)].reshape(*x.shape[:2], -1), padded)
    return y


CASES = [
    (1, (7,), 2, None, 0, ((0, 0),)),
    (1, (8,), 3, 2, (0, 2), ((0, 2),)),
    (1, (5,), 2, 4, 1, ((1, 1),)),
    (2, (7, 6), (3, 2), 2, (1, 0), ((1, 1), (0, 0))),
    (2, (6, 6), 3, (3, 2), ((0, 1), (2, 1)), ((0, 1), (2, 1))),
    (3, (5, 4, 6), 2, None, 0, ((0, 0),) * 3),
    (3, (5, 4, 5), (2, 3, 2), (2, 1, 2), 1, ((1, 1),) * 3),
]


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("axes", "size", "kernel", "stride", "padding", "pads"), CASES)
def test_pooling(axes, size, kernel, stride, padding, pads, ceil_mode):
    x = rng().standard_normal((2, 3, *size))
    window = tuple(np.broadcast_to(kernel, axes))
    steps = window if stride is None else tuple(np.broadcast_to(stride, axes))

    def wanted(reduce):
        return pooled(x, window, steps, pads, ceil_mode, reduce)

    settings = {"stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    np.testing.assert_array_equal(MAXIMA[axes](x, kernel, **settings), wanted(lambda v, _: v.max(-1)))
    np.testing.assert_allclose(
        MEANS[axes](x, kernel, **settings), wanted(lambda v, n: v.sum(-1) / n), rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(
        MEANS[axes](x, kernel, count_include_pad=False, **settings),
        wanted(lambda v, _: v.mean(-1)),
        rtol=1e-12,
        atol=1e-14,
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kind", [MAXIMA, MEANS], ids=["max", "mean"])
def test_derivatives(axes, kind):
    x = rng().permutation(2 * 5**axes).reshape(1, 2, *(5,) * axes) / 20.0
    mn.check_gradient(lambda x: mn.tanh(kind[axes](x, 2, padding=1, ceil_mode=True)), (x,), order=2)


def test_the_first_of_equal_elements_gets_the_derivative():
    x = np.zeros((1, 1, 2, 2, 2))
    d = mn.grad(lambda x: mn.sum(mn.max_pool3d(x, 2)))(x)
    assert d[0, 0, 0, 0, 0] == 1.0 and d.sum() == 1.0


@pytest.mark.parametrize(
    ("size", "out"), [((6, 8), (3, 2)), ((5, 7), (3, 4)), ((2, 3), (5, 3)), ((4, 5), (None, 1))]
)
def test_adaptive_pooling(size, out):
    x = rng().standard_normal((2, 3, *size))
    rows, columns = (n if k is None else k for k, n in zip(out, size))
    mean, largest = np.zeros((2, 2, 3, rows, columns))
    for i, j in itertools.product(range(rows), range(columns)):
        window = x[
            :,
            :,
            int(np.floor(i * size[0] / rows)) : int(np.ceil((i + 1) * size[0] / rows)),
            int(np.floor(j * size[1] / columns)) : int(np.ceil((j + 1) * size[1] / columns)),
        ]
        mean[:, :, i, j], largest[:, :, i, j] = window.mean((2, 3)), window.max((2, 3))
    np.testing.assert_allclose(mn.adaptive_avg_pool2d(x, out), mean, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(mn.adaptive_max_pool2d(x, out), largest)
    assert mn.adaptive_avg_pool2d(x.astype(np.float32), out).dtype == np.float32
    mn.check_gradient(lambda x: mn.tanh(mn.adaptive_avg_pool2d(x, out)), (x,))
    mn.check_gradient(lambda x: mn.tanh(mn.adaptive_max_pool2d(x, out)), (x,))


def test_an_infinite_element_reaches_its_own_windows_only():
    x = np.zeros((1, 1, 3, 5))
    x[0, 0, 0, 0] = np.inf
    np.testing.assert_array_equal(
        np.isinf(mn.adaptive_avg_pool2d(x, 2))[0, 0], [[True, False], [False, False]]
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mn.max_pool1d(np.zeros((1, 3, 4, 4)), 2),
            mn.ShapeError,
            r"max_pool1d: x must have three axes \(N, C, T\)",
        ),
        (
            lambda: mn.avg_pool3d(np.zeros((1, 3, 4, 4)), 2),
            mn.ShapeError,
            "avg_pool3d: x must have five axes",
        ),
        (
            lambda: mn.max_pool1d(np.zeros((1, 3, 4), int), 2),
            mn.DTypeError,
            "max_pool1d: x has element type int64",
        ),
        (
            lambda: mn.max_pool1d(np.zeros((1, 3, 4)), 2, padding=2),
            mn.ArgumentError,
            "must be smaller than the window",
        ),
        (lambda: mn.max_pool1d(np.zeros((1, 3, 4)), 5), mn.ShapeError, "does not fit"),
        (lambda: mn.max_pool1d(np.zeros((1, 3, 400)), 300), mn.ArgumentError, "more than 255 elements"),
        (
            lambda: mn.avg_pool2d(np.zeros((1, 3, 4, 4)), 0),
            mn.ArgumentError,
            "kernel_size must be an int ≥ 1",
        ),
        (
            lambda: mn.adaptive_avg_pool2d(np.zeros((1, 3, 4, 4)), 0),
            mn.ArgumentError,
            "output_size must be an int ≥ 1",
        ),
        (lambda: mn.adaptive_max_pool2d(np.zeros((1, 3, 0, 4)), 1), mn.ShapeError, "no elements to pool"),
        (
            lambda: mn.adaptive_max_pool2d(np.zeros((1, 3, 4)), 1),
            mn.ShapeError,
            "adaptive_max_pool2d: x must have four axes",
        ),
    ],
)
def test_bad_operands_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("pool", [mn.max_pool2d, mn.avg_pool2d])
@pytest.mark.parametrize("size", [(0, 3), (3, 0)])
def test_an_empty_picture_is_refused(pool, size):
    with pytest.raises(mn.ShapeError, match="an empty picture"):
        pool(np.zeros((1, 1, *size)), 3, stride=1, padding=2)


@pytest.mark.parametrize(
    ("axes", "size", "kernel", "stride", "padding", "ceil_mode"),
    [(2, (20, 33), (17, 16), (2, 3), (4, 5), False), (2, (40, 40), 20, 15, 0, True), (3, (4, 17, 18), (2, 16, 17), 2, 0, True)],
)  # fmt: skip
def test_windows_of_more_elements_than_a_byte_counts(axes, size, kernel, stride, padding, ceil_mode):
    x = np.round(rng().standard_normal((2, 2, *size)), 1)  # with equal elements
    window, steps, pads = (tuple(np.broadcast_to(v, axes)) for v in (kernel, stride, padding))
    wanted = pooled(x, window, steps, [(p, p) for p in pads], ceil_mode, lambda v, _: v.max(-1))
    y, pullback = mn.vjp(lambda x: MAXIMA[axes](x, kernel, stride, padding, ceil_mode), x)
    np.testing.assert_array_equal(y, wanted)
    dy, dx = rng().standard_normal(y.shape), np.zeros(x.shape)
    for at in itertools.product(*map(range, y.shape)):
        first = [max(i * s - p, 0) for i, s, p in zip(at[2:], steps, pads)]
        box = tuple(slice(f, i * s - p + k) for f, i, s, p, k in zip(first, at[2:], steps, pads, window))
        inside = x[at[:2]][box]
        place = np.unravel_index(np.argmax(inside), inside.shape)  # the first of them, in row order
        dx[at[:2]][tuple(f + p for f, p in zip(first, place))] += dy[at]
    np.testing.assert_allclose(pullback(dy), dx, atol=1e-13)


@pytest.mark.parametrize("out", [(2, 3), (2, 2), (3, 1)])
def test_of_equal_elements_the_first_gets_the_derivative_of_adaptive_pooling(out):
    x = np.zeros((1, 1, 4, 6))
    dx = mn.grad(lambda x: mn.sum(mn.adaptive_max_pool2d(x, out)))(x)
    wanted = np.zeros((4, 6))
    for i, j in itertools.product(*map(range, out)):
        wanted[i * 4 // out[0], j * 6 // out[1]] += 1.0
    np.testing.assert_array_equal(dx[0, 0], wanted)
