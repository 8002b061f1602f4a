"""The numeric contract: an example's result has the same bits alone, in any batch, and at any place of it."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)
IMAGES, KERNEL, BIAS = RNG.normal(size=(9, 3, 8, 7)), RNG.normal(size=(5, 3, 3, 3)), RNG.normal(size=5)
ROWS, WEIGHT = RNG.normal(size=(37, 29)), RNG.normal(size=(29, 23))
LABELS = RNG.integers(0, 29, 37)

BATCHED = {
    "matmul": (lambda x: mn.matmul(x, WEIGHT.astype(x.dtype)), ROWS),
    "matmul_transposed": (lambda x: mn.matmul(x, mn.transpose(WEIGHT.T.astype(x.dtype))), ROWS),
    "dense_relu": (lambda x: mn.relu(mn.matmul(x, WEIGHT.astype(x.dtype)) + 0.5), ROWS),
    "conv2d": (lambda x: mn.conv2d(x, KERNEL.astype(x.dtype), BIAS.astype(x.dtype), padding=1), IMAGES),
    "conv2d_strided": (lambda x: mn.conv2d(x, KERNEL.astype(x.dtype), stride=2), IMAGES),
    "max_pool2d": (lambda x: mn.max_pool2d(x, 3, 2, padding=1), IMAGES),
    "avg_pool2d": (lambda x: mn.avg_pool2d(x, 2), IMAGES),
    "softmax": (mn.softmax, ROWS),
    "log_softmax": (mn.log_softmax, ROWS),
    "sum": (lambda x: mn.sum(x, axis=1), ROWS),
    "sum_of_channels": (lambda x: mn.sum(x, axis=(1, 3)), IMAGES),
    "mean": (lambda x: mn.mean(mn.tanh(x) * x, axis=-1), ROWS),
    "logsumexp": (lambda x: mn.logsumexp(x, axis=1), ROWS),
    "layer_norm": (lambda x: mn.layer_norm(x, 29, ROWS[0].astype(x.dtype)), ROWS),
    "group_norm": (lambda x: mn.group_norm(x, 3), IMAGES),
    "instance_norm": (mn.instance_norm, IMAGES),
    "attention": (lambda x: mn.scaled_dot_product_attention(x, x, x[..., :5], is_causal=True), IMAGES),
    "gelu": (lambda x: x * 0.5 * (1.0 + mn.erf(x * 0.70710678)), ROWS),
}


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", BATCHED)
def test_one_example_or_a_batch(name, real):
    f, x = BATCHED[name]
    x = x.astype(real)
    f = mn.function(f)
    whole = f(x)
    for part in (slice(0, 1), slice(4, 5), slice(0, 6), slice(3, 9), slice(len(x) - 2, len(x))):
        np.testing.assert_array_equal(f(np.ascontiguousarray(x[part])), whole[part])


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_losses_and_their_slopes_per_example(real):
    z = ROWS.astype(real)
    loss = mn.function(mn.cross_entropy)
    slope = mn.function(mn.grad(lambda t, labels: mn.sum(mn.cross_entropy(t, labels))))
    values, slopes = loss(z, LABELS), slope(z, LABELS)
    for part in (slice(0, 1), slice(7, 20)):
        np.testing.assert_array_equal(loss(z[part], LABELS[part]), values[part])
        np.testing.assert_array_equal(slope(z[part], LABELS[part]), slopes[part])


def test_a_prefix_of_a_sum_keeps_its_bits():
    x = RNG.normal(size=(4, 5000)).astype(np.float32)
    np.testing.assert_array_equal(mn.sum(x, axis=1)[:2], mn.sum(x[:2], axis=1))


@pytest.mark.parametrize("shift", [1, 3])
def test_alignment_does_not_show(shift):
    raw = np.zeros(ROWS.size + 8, np.float32)
    moved = raw[shift : shift + ROWS.size].reshape(ROWS.shape)
    moved[...] = ROWS
    f = mn.function(lambda x: mn.softmax(mn.matmul(mn.tanh(x), WEIGHT.astype(np.float32))))
    np.testing.assert_array_equal(f(moved), f(moved.copy()))
