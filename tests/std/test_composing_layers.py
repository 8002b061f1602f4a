"""Layers that join, rearrange, embed and wrap, against NumPy, and what they refuse."""

import numpy as np
import pytest

import mathnet as mn

L = mn.layers


def rng():
    return np.random.default_rng(12)


def test_layers_with_several_inputs():
    a, b, c = rng().standard_normal((3, 4, 5))
    np.testing.assert_allclose(L.Subtract()([a, b]), a - b)
    np.testing.assert_allclose(L.Average()([a, b, c]), (a + b + c) / 3, rtol=1e-12)
    np.testing.assert_array_equal(L.Maximum()([a, b, c]), np.maximum(np.maximum(a, b), c))
    np.testing.assert_array_equal(L.Minimum()([a, b, c]), np.minimum(np.minimum(a, b), c))


def test_dot():
    a, b = rng().standard_normal((2, 4, 5)), rng().standard_normal((2, 5, 3))
    np.testing.assert_allclose(L.Dot(axes=(2, 1))([a, b]), a @ b, rtol=1e-12)
    np.testing.assert_allclose(
        L.Dot(axes=(1, 2))([a, b[:, :4].transpose(0, 2, 1)]),
        np.einsum("nki,njk->nij", a, b[:, :4].transpose(0, 2, 1)),
        rtol=1e-12,
    )
    u, v = rng().standard_normal((2, 3, 6))
    np.testing.assert_allclose(L.Dot()([u, v]), (u * v).sum(1, keepdims=True), rtol=1e-12)
    cosine = (
        (u * v).sum(1, keepdims=True)
        / np.linalg.norm(u, axis=1, keepdims=True)
        / np.linalg.norm(v, axis=1, keepdims=True)
    )
    np.testing.assert_allclose(L.Dot(normalize=True)([u, v]), cosine, rtol=1e-9)


def test_bilinear():
    a, b = rng().standard_normal((6, 3)), rng().standard_normal((6, 4))
    layer = L.Bilinear(5, activation="tanh", bias_initializer="normal")
    y = layer([a, b])
    wanted = np.einsum("ni,uij,nj->nu", a, layer.kernel.array, b) + layer.bias.array
    np.testing.assert_allclose(y, np.tanh(wanted), rtol=1e-10)


def test_embedding():
    layer, x = L.Embedding(7, 3), np.array([[0, 6, 2], [2, 2, 1]])
    y = layer(x)
    assert y.dtype == np.float32 and layer.embeddings.shape == (7, 3)
    np.testing.assert_array_equal(y, layer.embeddings.array[x])


def test_embedding_trains_the_rows_that_are_used_only():
    inputs = mn.Input((3,), dtype="int64")
    model = mn.Model(inputs, L.Dense(1)(L.GlobalAvgPool()(L.Permute((2, 1))(L.Embedding(5, 4)(inputs)))))
    before = model.parameters["embedding/embeddings"].copy()
    trainer = mn.Trainer(model, loss="mse", optimizer="sgd")
    trainer.step(np.array([[0, 2, 2], [0, 0, 2]]), np.ones((2, 1), np.float32))
    changed = (model.parameters["embedding/embeddings"] != before).any(1)
    np.testing.assert_array_equal(changed, [True, False, True, False, False])
    kept = model.parameters["embedding/embeddings"].copy()
    with pytest.raises(mn.DataError, match=r"index 5 .* out of range"):
        trainer.step(np.array([[0, 2, 5], [0, 0, 2]]), np.ones((2, 1), np.float32))
    np.testing.assert_array_equal(model.parameters["embedding/embeddings"], kept)


def test_pictures_with_more_or_fewer_pixels():
    x = rng().standard_normal((2, 3, 4, 5))
    np.testing.assert_array_equal(L.UpSampling2D((2, 3))(x), x.repeat(2, 2).repeat(3, 3))
    assert L.UpSampling2D(2, "bilinear")(x).shape == (2, 3, 8, 10)
    np.testing.assert_array_equal(L.Cropping2D(((1, 0), (0, 2)))(x), x[:, :, 1:, :3])
    np.testing.assert_array_equal(L.Cropping2D((1, 0))(x), x[:, :, 1:-1])
    sides = ((0, 0), (0, 0), (1, 2), (3, 0))
    for mode, theirs in [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")]:
        np.testing.assert_array_equal(L.ZeroPad2D(sides[2:], mode=mode)(x), np.pad(x, sides, mode=theirs))
        far = ((0, 0), (0, 0), (9, 0), (0, 9))  # beyond the picture: mirrored or repeated again
        np.testing.assert_array_equal(L.ZeroPad2D(far[2:], mode=mode)(x), np.pad(x, far, mode=theirs))
    np.testing.assert_array_equal(L.ZeroPad2D(sides[2:], value=2.5)(x), np.pad(x, sides, constant_values=2.5))
    np.testing.assert_array_equal(L.ZeroPad2D()(x), np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))))


def test_permute_and_repeat_vector():
    x = rng().standard_normal((2, 3, 4, 5))
    np.testing.assert_array_equal(L.Permute((3, 1, 2))(x), x.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(L.RepeatVector(3)(x[:, :, 0, 0]), x[:, None, :, 0, 0].repeat(3, 1))


def test_lambda(tmp_path):
    x = rng().standard_normal((2, 3))
    np.testing.assert_allclose(L.Lambda(lambda x: mn.square(x) + 1)(x), x**2 + 1)
    a = mn.Input((3,))
    model = mn.Model(a, L.Lambda(lambda x: x * 2.0, name="twice")(a))
    with pytest.raises(mn.MathnetError, match="twice"):
        model.save(tmp_path / "m.mathnet")
    assert list(tmp_path.iterdir()) == []


def test_residual_passes_the_mode_on():
    x = rng().standard_normal((4, 3))
    inner = L.Dense(3, activation="tanh")
    block = L.Residual([inner, L.Dropout(0.5)])
    np.testing.assert_allclose(block(x), x + np.tanh(x @ inner.kernel.array + inner.bias.array), rtol=1e-10)
    difference = block(x, training=True) - x
    assert (difference == 0).any() and (difference != 0).any()
    assert len(block.parameters) == 2


def test_activity_regularization_is_a_penalty():
    x = rng().standard_normal((6, 3))
    a = mn.Input((3,), dtype="float64")
    model = mn.Model(a, L.ActivityRegularization(l1=0.5, l2=0.25)(L.Dense(2)(a)))
    y = model(x)
    each = 0.5 * np.abs(y).sum(1) + 0.25 * (y**2).sum(1)
    for size in (2, 4, 256):  # batches that are filled up too
        logs = model.evaluate(x, y, loss="mse", batch_size=size)
        assert logs["loss"] == pytest.approx(each.mean(), rel=1e-10)
        assert logs["penalty"] == pytest.approx(each.mean(), rel=1e-10)
    weights = np.array([1.0, 0.0, 2.0, 1.0, 0.0, 3.0])
    assert model.evaluate(x, y, loss="mse", sample_weight=weights, batch_size=4)["penalty"] == pytest.approx(
        weights @ each / 7
    )
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1))
    losses = [trainer.step(x, y) for _ in range(3)]
    assert losses[0] == pytest.approx(each.mean(), rel=1e-10) and losses[2] < losses[0]


def test_a_penalty_of_another_rank_is_refused():
    class Greedy(mn.Layer):
        def call(self, x):
            self.add_loss(x)
            return x

    with pytest.raises(mn.ShapeError, match="a number or one value for each example, not a tensor of shape"):
        Greedy()(np.zeros((2, 3)))
    with pytest.raises(mn.GraphError, match="add_loss works within call"):
        Greedy().add_loss(1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L.Average()(np.zeros((2, 3))), mn.ShapeError, "Average takes a list of at least two inputs"),
        (lambda: L.Subtract()([np.zeros((2, 3))] * 3), mn.ShapeError, "Subtract takes two inputs, not 3"),
        (lambda: L.Dot()([np.zeros((2, 3))] * 3), mn.ShapeError, "Dot takes two inputs, not 3"),
        (lambda: L.Dot(axes=0), mn.ArgumentError, "Dot: axes must be an integer other than 0"),
        (lambda: L.Dot(axes=3)([np.zeros((2, 3))] * 2), mn.ShapeError, "name no axis after the batch"),
        (lambda: L.Dot()([np.zeros((2, 3)), np.zeros((2, 4))]), mn.ShapeError, "3 and 4 elements"),
        (lambda: L.Bilinear(3)(np.zeros((2, 3))), mn.ShapeError, "list of two tensors"),
        (lambda: L.Bilinear(0), mn.ArgumentError, "Bilinear: units"),
        (lambda: L.Embedding(0, 3), mn.ArgumentError, "Embedding: input_dim"),
        (
            lambda: L.Embedding(3, 2)(np.zeros((2, 3))),
            mn.DTypeError,
            "element type must be int64, not float64",
        ),
        (lambda: L.UpSampling2D(0), mn.ArgumentError, "UpSampling2D: size"),
        (
            lambda: L.UpSampling2D(interpolation="cubic"),
            mn.ArgumentError,
            "'nearest' or 'bilinear', not 'cubic'",
        ),
        (lambda: L.ZeroPad2D(-1), mn.ArgumentError, "ZeroPad2D: padding must be an integer ≥ 0"),
        (lambda: L.ZeroPad2D(mode="mirror"), mn.ArgumentError, "mode must be 'constant', 'reflect'"),
        (lambda: L.ZeroPad2D(value="x"), mn.ArgumentError, "ZeroPad2D: value must be a number, not 'x'"),
        (lambda: L.Cropping2D((1, 2, 3)), mn.ArgumentError, "Cropping2D: cropping"),
        (
            lambda: L.Cropping2D(2)(np.zeros((1, 1, 4, 5))),
            mn.ShapeError,
            "leaves nothing of an axis of 4 pixels",
        ),
        (lambda: L.Permute((0, 1)), mn.ArgumentError, "Permute: dims must name the axes 1, 2"),
        (
            lambda: L.Permute((2, 1))(np.zeros((1, 2))),
            mn.ShapeError,
            "orders 2 axes after the batch, but there are 1",
        ),
        (lambda: L.RepeatVector(0), mn.ArgumentError, "RepeatVector: n"),
        (lambda: L.RepeatVector(2)(np.zeros((1, 2, 3))), mn.ShapeError, "two axes"),
        (lambda: L.Lambda("relu"), mn.ArgumentError, "Lambda: function must be callable"),
        (lambda: L.Residual([]), mn.ArgumentError, "a layer or a list of layers"),
        (lambda: L.Residual(L.Dense(4))(np.zeros((2, 3))), mn.ShapeError, "must be the same to be added"),
        (lambda: L.ActivityRegularization(l1=-1.0), mn.ArgumentError, "l1 must be a number ≥ 0"),
    ],
)
def test_bad_settings_and_inputs_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
