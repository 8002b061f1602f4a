"""softmax, log-softmax and cross-entropy: values, gradients, limits and bits."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS

import mathnet._kernels as kernels

tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, ["float32", "float64"])))
SHAPES = [
    (1, 1, 1),
    (5, 10, 1),
    (3, 8, 1),
    (2, 1000, 1),
    (40, 37, 1),
    (2, 5, 3),
    (3, 10, 49),
    (1, 4, 8),
    (700, 33, 1),
]
TOLERANCE = {"float32": dict(rtol=2e-5, atol=1e-6), "float64": dict(rtol=1e-12, atol=1e-14)}


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def run(isa, real, name, shape, *inputs, backwards=False):
    kernel = kernels.load_table(isa, real)[name]
    packed = kernel.pack(outer=shape[0], axis=shape[1], inner=shape[2])
    y = guard_page.empty(shape, real)
    chunks = list(range(kernel.sizes(packed).chunks))
    kernel.run(packed, [*inputs, y], chunks[::-1] if backwards else chunks)
    return y


@tables
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_and_its_gradients(isa, real, shape):
    rng = np.random.default_rng(0)
    x, dy = (guard_page.copy(rng.normal(0, 3, shape).astype(real)) for _ in range(2))
    exact, slope = softmax(x.astype(float)), dy.astype(float)
    y, log_y = run(isa, real, "softmax_forward", shape, x), run(isa, real, "log_softmax_forward", shape, x)
    np.testing.assert_allclose(y, exact, **TOLERANCE[real])
    np.testing.assert_allclose(log_y, np.log(exact), **TOLERANCE[real])
    dx, dlog = (
        run(isa, real, "softmax_backward", shape, dy, y),
        run(isa, real, "log_softmax_backward", shape, dy, log_y),
    )
    weighted = (slope * exact).sum(1, keepdims=True)
    np.testing.assert_allclose(dx, exact * (slope - weighted), **TOLERANCE[real])
    expected = slope - exact * slope.sum(1, keepdims=True)
    np.testing.assert_allclose(
        dlog, expected, rtol=1e-4 if real == "float32" else 1e-11, atol=1e-4 if real == "float32" else 1e-12
    )
    assert run(isa, real, "softmax_forward", shape, x, backwards=True).tobytes() == y.tobytes()


@tables
def test_bits_of_a_row_and_of_a_column_stand_alone(isa, real):
    x = np.random.default_rng(1).normal(size=(9, 23, 1)).astype(real)
    for name in ("softmax_forward", "log_softmax_forward"):
        batch = run(isa, real, name, x.shape, x)
        assert np.array_equal(run(isa, real, name, (1, 23, 1), x[4:5].copy()), batch[4:5])
        columns = np.random.default_rng(2).normal(size=(2, 7, 19)).astype(real)
        whole = run(isa, real, name, columns.shape, columns)
        part = np.ascontiguousarray(columns[1:, :, 3:9])
        assert np.array_equal(run(isa, real, name, part.shape, part), whole[1:, :, 3:9])


@tables
def test_extreme_logits(isa, real):
    large = 1e4
    x = np.array([[large, 0, -large], [-np.inf, 0, 0], [np.nan, 0, 1], [-large, -large, -large]], real)[
        ..., None
    ]
    y = run(isa, real, "softmax_forward", x.shape, x)[..., 0]
    np.testing.assert_allclose(y[[0, 1, 3]], [[1, 0, 0], [0, 0.5, 0.5], [1 / 3] * 3], rtol=1e-6)
    assert np.isnan(y[2]).all()
    log_y = run(isa, real, "log_softmax_forward", x.shape, x)[..., 0]
    np.testing.assert_allclose(log_y[0], [0, -large, -2 * large], rtol=1e-6)
    assert log_y[1, 0] == -np.inf
    sideways = np.ascontiguousarray(x.transpose(2, 1, 0))
    same = run(isa, real, "softmax_forward", sideways.shape, sideways)[0].T
    np.testing.assert_allclose(same, y, rtol=1e-6)


def cross_entropy(isa, real, name, rows, classes, inputs, outputs, order=None):
    kernel = kernels.load_table(isa, real)[f"cross_entropy_{name}"]
    kernel.run(kernel.pack(rows=rows, classes=classes), [*inputs, *outputs], order)
    return outputs if len(outputs) > 1 else outputs[0]


@tables
@pytest.mark.parametrize("rows, classes", [(1, 1), (1, 10), (32, 10), (150, 7), (3, 2000), (2000, 17)])
def test_cross_entropy(isa, real, rows, classes):
    rng = np.random.default_rng(3)
    logits = guard_page.copy(rng.normal(0, 4, (rows, classes)).astype(real))
    labels = guard_page.copy(rng.integers(0, classes, rows))
    dlosses = guard_page.copy(rng.normal(size=rows).astype(real))
    exact = softmax(logits.astype(float))
    hot = np.eye(classes)[labels]
    shapes = [guard_page.empty(rows, real), guard_page.empty((rows, classes), real)]
    losses, probabilities = cross_entropy(isa, real, "index_forward", rows, classes, [logits, labels], shapes)
    np.testing.assert_allclose(losses, -np.log(exact[np.arange(rows), labels]), **TOLERANCE[real])
    np.testing.assert_allclose(probabilities, exact, **TOLERANCE[real])
    gradient = guard_page.empty((rows, classes), real)
    cross_entropy(isa, real, "index_backward", rows, classes, [dlosses, probabilities, labels], [gradient])
    np.testing.assert_allclose(gradient, dlosses[:, None] * (exact - hot), **TOLERANCE[real])

    targets = guard_page.copy((0.9 * hot + rng.uniform(0, 0.2, hot.shape)).astype(real))
    shapes = [guard_page.empty(rows, real), guard_page.empty((rows, classes), real)]
    losses, again = cross_entropy(isa, real, "dense_forward", rows, classes, [logits, targets], shapes)
    assert np.array_equal(again, probabilities)
    wide = targets.astype(float)
    logs = logits.astype(float) - logits.astype(float).max(1, keepdims=True)
    logs -= np.log(np.exp(logs).sum(1, keepdims=True))
    np.testing.assert_allclose(
        losses, -(wide * logs).sum(1), rtol=1e-4 if real == "float32" else 1e-11, atol=1e-5
    )
    cross_entropy(isa, real, "dense_backward", rows, classes, [dlosses, probabilities, targets], [gradient])
    expected = dlosses[:, None] * (exact * wide.sum(1, keepdims=True) - wide)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=2e-5 if real == "float32" else 1e-12)


@tables
def test_cross_entropy_of_a_row_has_the_same_bits_in_any_batch(isa, real):
    rng = np.random.default_rng(4)
    logits, labels = rng.normal(size=(150, 11)).astype(real), rng.integers(0, 11, 150)
    losses, probabilities = (np.empty(150, real), np.empty((150, 11), real))
    cross_entropy(isa, real, "index_forward", 150, 11, [logits, labels], [losses, probabilities])
    for row in (0, 70, 149):
        alone = [np.empty(1, real), np.empty((1, 11), real)]
        one = [logits[row : row + 1].copy(), labels[row : row + 1].copy()]
        cross_entropy(isa, real, "index_forward", 1, 11, one, alone)
        assert alone[0][0] == losses[row] and np.array_equal(alone[1][0], probabilities[row])


@tables
@pytest.mark.parametrize("label", [-1, 3, 2**40])
def test_a_label_out_of_range_is_named(isa, real, label):
    logits = np.zeros((5, 3), real)
    labels = np.array([0, 1, 2, label, label])
    kernel = kernels.load_table(isa, real)["cross_entropy_index_forward"]
    with pytest.raises(kernels.KernelFault) as caught:
        kernel.run(
            kernel.pack(rows=5, classes=3), [logits, labels, np.empty(5, real), np.empty((5, 3), real)]
        )
    assert (caught.value.code, caught.value.position, caught.value.value) == (1, 3, label)
    kernel = kernels.load_table(isa, real)["cross_entropy_index_backward"]
    with pytest.raises(kernels.KernelFault, match=r"status 1 at position 3"):
        kernel.run(kernel.pack(rows=5, classes=3), [np.ones(5, real), logits, labels, np.empty((5, 3), real)])


def test_bad_descriptors_are_rejected():
    kernel = kernels.kernel("cross_entropy_index_forward", "float32")
    with pytest.raises(ValueError, match="rejects"):
        kernel.sizes(kernel.pack(rows=1, classes=0))
    kernel = kernels.kernel("softmax_forward", "float32")
    with pytest.raises(ValueError, match="rejects"):
        kernel.sizes(kernel.pack(outer=1, axis=-1, inner=1))
