"""The numeric contract: the same bits on one, two and three threads, values and gradients, at sizes that are divided."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.standard_normal(shape)


def convolution(**settings):
    return lambda x, w: mn.conv2d(x, w, **settings)


IDS = RNG.integers(0, 50, (64, 40))
WORK = {
    "winograd": (convolution(padding=1), normal(4, 24, 19, 18), normal(20, 24, 3, 3)),
    "winograd, few tiles": (convolution(padding=1), normal(2, 80, 9, 10), normal(130, 80, 3, 3)),
    "winograd, tiles of 2": (convolution(padding=1), normal(40, 80, 2, 5), normal(130, 80, 3, 3)),
    "winograd, one tile": (convolution(padding=1), normal(70, 80, 2, 2), normal(130, 80, 3, 3)),
    "winograd by phases": (convolution(padding=1, stride=2), normal(4, 36, 19, 18), normal(33, 36, 3, 3)),
    "depthwise": (convolution(padding=1, groups=40), normal(4, 40, 20, 21), normal(40, 1, 3, 3)),
    "depthwise, strided": (convolution(padding=2, stride=2, groups=40), normal(4, 40, 20, 21), normal(80, 1, 5, 5)),
    "pointwise": (convolution(), normal(4, 40, 20, 21), normal(24, 40, 1, 1)),
    "winograd 5×5": (convolution(padding=2), normal(4, 20, 17, 18), normal(24, 20, 5, 5)),
    "winograd, dilated": (convolution(padding=2, dilation=(2, 3)), normal(4, 20, 21, 18), normal(24, 20, 3, 3)),
    "5×5": (convolution(padding=2), normal(4, 12, 17, 18), normal(24, 12, 5, 5)),
    "7×7, three channels": (convolution(padding=3, stride=2), normal(4, 3, 40, 41), normal(16, 3, 7, 7)),
    "one channel": (convolution(padding=1), normal(16, 1, 28, 28), normal(32, 1, 3, 3)),
    "dilated": (convolution(padding=2, dilation=2), normal(4, 12, 17, 18), normal(24, 12, 3, 3)),
    "grouped": (convolution(padding=1, groups=4), normal(4, 32, 17, 18), normal(24, 8, 3, 3)),
    "conv1d": (lambda x, w: mn.conv1d(x, w, padding=1), normal(8, 16, 300), normal(24, 16, 3)),
    "conv3d": (lambda x, w: mn.conv3d(x, w, padding=1), normal(2, 4, 8, 9, 10), normal(6, 4, 3, 3, 3)),
    "matmul": (mn.matmul, normal(150, 170), normal(170, 130)),
    "matmul of stacks": (mn.matmul, normal(24, 64, 32), normal(24, 32, 64)),
    "matrix and vector": (lambda x, w: mn.matmul(x, w), normal(1, 700), normal(700, 600)),
    "softmax": (lambda x, w: mn.softmax(x * w), normal(300, 170), normal(170)),
    "layer norm": (lambda x, w: mn.layer_norm(x, 170, w), normal(300, 170), normal(170)),
    "batch norm": (lambda x, w: mn.batch_norm(x, weight=w, bias=w), normal(16, 24, 13, 14), normal(24)),
    "batch norm of rows": (lambda x, w: mn.batch_norm(x, weight=w, bias=w), normal(900, 130), normal(130)),
    "group norm": (lambda x, w: mn.group_norm(x, 4, w), normal(16, 24, 13, 14), normal(24)),
    "attention": (
        lambda x, w: mn.scaled_dot_product_attention(x, w, w * 2.0, is_causal=True),
        normal(2, 3, 150, 32),
        normal(2, 3, 150, 32),
    ),
    "max pooling": (lambda x, w: mn.max_pool2d(x * w, 3, 2, padding=1), normal(8, 24, 28, 28), normal(1)),
    "average pooling": (lambda x, w: mn.avg_pool2d(x * w, 2), normal(8, 24, 28, 28), normal(1)),
    "embedding": (lambda x, w: mn.take(w, IDS, axis=0) * x, normal(1), normal(50, 96)),
    "sums": (lambda x, w: mn.sum(mn.gelu(x) * w, axis=0) + mn.mean(x, axis=1)[:170], normal(300, 170), normal(170)),
    "variance": (lambda x, w: mn.var(x * w, axis=0), normal(900, 170), normal(170)),
    "running sums": (lambda x, w: mn.cumsum(x * w, axis=1), normal(300, 170), normal(170)),
    "expression": (lambda x, w: x * mn.sigmoid(w * x) + mn.tanh(x) ** 2, normal(500, 170), normal(170)),
}  # fmt: skip


def results(f, arrays, threads):
    with mn.Runtime(threads=threads):

        def both(*arrays):
            value, pullback = mn.vjp(f, *arrays)
            return (value, *pullback(mn.cos(value)))

        return mn.function(both)(*arrays)


@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("name", WORK)
def test_any_number_of_threads(name, real):
    f, *arrays = WORK[name]
    arrays = [a.astype(real) for a in arrays]
    alone = results(f, arrays, 1)
    assert all(np.isfinite(a).all() for a in alone)
    for threads in (2, 3):
        for found, wanted in zip(results(f, arrays, threads), alone):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_recurrent_training(kind):
    x, y = normal(40, 20, 24).astype(np.float32), RNG.integers(0, 3, 40)
    found = []
    for threads in (1, 2, 3):
        with mn.Runtime(threads=threads, seed=1):
            layer = getattr(mn.layers, kind)(48)
            model = mn.Sequential([layer, mn.layers.Dense(3)], input_shape=(20, 24))
            trainer = mn.Trainer(model, loss="cross_entropy", optimizer="adam", seed=0)
            losses = [trainer.step(x, y) for _ in range(3)]
            found.append((losses, {name: np.array(value) for name, value in model.parameters.items()}))
    for losses, parameters in found[1:]:
        assert losses == found[0][0]
        for name, value in parameters.items():
            np.testing.assert_array_equal(value, found[0][1][name])
