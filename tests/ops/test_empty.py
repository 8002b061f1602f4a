"""Arrays without elements, and arrays of one: results and derivatives have the right shapes and sums over nothing are zero."""

import numpy as np
import pytest

import mathnet as mn

KERNEL, WEIGHT = np.ones((3, 2, 3, 3)), np.ones((4, 5))

#: name → (function, shape with n examples)
BATCHES = {
    "tanh": (mn.tanh, lambda n: (n, 4)),
    "matmul": (lambda x: mn.matmul(x, WEIGHT), lambda n: (n, 4)),
    "matmul_inner": (lambda x: mn.matmul(mn.transpose(x), x), lambda n: (n, 4)),
    "batched_matmul": (lambda x: mn.matmul(x, WEIGHT), lambda n: (n, 3, 4)),
    "sum": (lambda x: mn.sum(x, axis=0), lambda n: (n, 4)),
    "sum_rows": (lambda x: mn.sum(x, axis=1), lambda n: (n, 4)),
    "max": (lambda x: mn.max(x, axis=1), lambda n: (n, 4)),
    "mean": (lambda x: mn.mean(x, axis=1), lambda n: (n, 4)),
    "prod": (lambda x: mn.prod(x, axis=0), lambda n: (n, 4)),
    "logsumexp": (lambda x: mn.logsumexp(x, axis=1), lambda n: (n, 4)),
    "softmax": (mn.softmax, lambda n: (n, 4)),
    "log_softmax": (mn.log_softmax, lambda n: (n, 4)),
    "conv2d": (lambda x: mn.conv2d(x, KERNEL, np.ones(3), padding=1), lambda n: (n, 2, 4, 5)),
    "max_pool2d": (lambda x: mn.max_pool2d(x, 2), lambda n: (n, 2, 4, 5)),
    "avg_pool2d": (lambda x: mn.avg_pool2d(x, 3, 1, padding=1), lambda n: (n, 2, 4, 5)),
    "take": (lambda x: mn.take(x, [0, 2], axis=1), lambda n: (n, 4)),
    "concatenate": (lambda x: mn.concatenate([x, x, np.ones((1, 4))]), lambda n: (n, 4)),
    "stack": (lambda x: mn.stack([x, x]), lambda n: (n, 4)),
    "pad": (lambda x: mn.pad(x, 1, constant_values=0.5), lambda n: (n, 4)),
    "reshape": (lambda x: mn.reshape(x, (x.shape[0] * 2, 2)), lambda n: (n, 4)),
    "slice": (lambda x: x[::-1, ::2], lambda n: (n, 4)),
    "broadcast_to": (lambda x: mn.broadcast_to(x, (3, *x.shape)), lambda n: (n, 4)),
    "argmax": (lambda x: mn.cast(mn.argmax(x, axis=1), x.dtype), lambda n: (n, 4)),
    "layer_norm": (lambda x: mn.layer_norm(x, 4, np.ones(4), np.ones(4)), lambda n: (n, 4)),
    "group_norm": (lambda x: mn.group_norm(x, 2, np.ones(4)), lambda n: (n, 4, 3)),
    "power": (lambda x: mn.power(x, 2.5), lambda n: (n, 4)),
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_of_no_examples(name, real):
    f, shape = BATCHES[name]
    f = mn.function(f)
    one, none = f(np.ones(shape(1), real)), f(np.ones(shape(0), real))
    assert none.dtype == one.dtype
    grown = f(np.ones(shape(2), real))
    wanted = tuple(
        a if a == b else 2 * a - b for a, b in zip(one.shape, grown.shape)
    )  # sizes are linear in n
    assert none.shape == wanted
    if name == "sum":
        np.testing.assert_array_equal(none, np.zeros(4))
    if name == "prod":
        np.testing.assert_array_equal(none, np.ones(4))


@pytest.mark.parametrize("name", BATCHES)
def test_derivatives_of_no_examples(name):
    f, shape = BATCHES[name]
    slope = mn.grad(lambda x: mn.sum(f(x)) + mn.sum(x))(np.ones(shape(0)))
    assert slope.shape == shape(0)
    bend = mn.grad(lambda x: mn.sum(mn.grad(lambda u: mn.sum(f(u) * f(u)) + mn.sum(u * u))(x)))(
        np.ones(shape(0))
    )
    assert bend.shape == shape(0)


def test_weights_get_zero_from_no_examples():
    image = np.ones((0, 2, 4, 5))
    np.testing.assert_array_equal(
        mn.grad(lambda w: mn.sum(mn.conv2d(image, w)))(KERNEL), np.zeros(KERNEL.shape)
    )
    np.testing.assert_array_equal(
        mn.grad(lambda w: mn.sum(np.ones((0, 4)) @ w))(WEIGHT), np.zeros(WEIGHT.shape)
    )
    rows = mn.grad(lambda t: mn.sum(mn.take(t, np.zeros((0,), int))))(WEIGHT)
    np.testing.assert_array_equal(rows, np.zeros(WEIGHT.shape))


def test_losses_of_no_examples():
    assert mn.cross_entropy(np.ones((0, 3)), np.zeros(0, int)).shape == (0,)
    slope = mn.grad(lambda z: mn.sum(mn.cross_entropy(z, np.zeros(0, int))))(np.ones((0, 3)))
    assert slope.shape == (0, 3)


def test_products_over_nothing_are_zero():
    np.testing.assert_array_equal(mn.matmul(np.ones((2, 0)), np.ones((0, 3))), np.zeros((2, 3)))
    fused = mn.function(lambda a, b: mn.relu(mn.matmul(a, b) + np.arange(-1.0, 2.0)))
    np.testing.assert_array_equal(fused(np.ones((2, 0)), np.ones((0, 3))), [[0, 0, 1]] * 2)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1, 1)])
def test_one_element(shape):
    x = np.full(shape, 0.5)
    np.testing.assert_allclose(mn.tanh(x), np.tanh(x), rtol=1e-12)
    np.testing.assert_allclose(mn.sum(x), 0.5)
    np.testing.assert_allclose(mn.mean(x * x, axis=None, keepdims=True), np.full(shape, 0.25))
    np.testing.assert_allclose(mn.grad(lambda t: mn.sum(mn.exp(t)))(x), np.exp(x), rtol=1e-12)
    if shape:
        np.testing.assert_array_equal(mn.softmax(x), np.ones(shape))
