"""The gradient of each kind of network operation has the right gradient: second order against finite differences."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(8)
PICTURES, FILTERS = RNG.normal(size=(2, 2, 4, 4)), 0.3 * RNG.normal(size=(2, 2, 3, 3))
ROWS, SEQUENCES = RNG.normal(size=(4, 3)), RNG.normal(size=(2, 3, 2))
GAIN = np.array([1.0, 0.5, 2.0])


def recurrent(cell, gates):
    return (
        lambda x, w, u: cell(x, w, u)[0],
        SEQUENCES,
        0.5 * RNG.normal(size=(2, 2 * gates)),
        0.5 * RNG.normal(size=(2, 2 * gates)),
    )


KINDS = {
    "lstm": recurrent(mn.lstm, 4),
    "gru": recurrent(mn.gru, 3),
    "conv2d": (mn.conv2d, PICTURES, FILTERS),
    "max_pool2d": (lambda x: mn.max_pool2d(x, 2), PICTURES),
    "avg_pool2d": (lambda x: mn.avg_pool2d(x, 2), PICTURES),
    "batch_norm": (lambda x, g: mn.batch_norm(x, g, g), ROWS, GAIN),
    "layer_norm": (lambda x, g: mn.layer_norm(x, (3,), g), ROWS, GAIN),
    "attention": (mn.scaled_dot_product_attention, SEQUENCES, SEQUENCES[::-1], SEQUENCES + 1.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_the_gradient(kind):
    f, *args = KINDS[kind]

    def slopes(*args):
        found = mn.grad(lambda *a: mn.sum(mn.sin(f(*a))), tuple(range(len(args))))(*args)
        total = 0.0
        for g in found:
            total = total + mn.sum(mn.sin(g))
        return total

    mn.check_gradient(slopes, tuple(args))
