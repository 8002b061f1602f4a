"""cross_entropy with smoothing, ignored indices and class weights, and ctc, as losses of a training."""

import numpy as np
import pytest

import mathnet as mn

WEIGHTS = [0.5, 2.0, 0.0, 1.5]


def rng():
    return np.random.default_rng(10)


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def defined(z, q, weights, counted):
    """−Σ_c w_c q_c log p_c at the places that count, else 0."""
    return -(np.asarray(weights) * q * log_softmax(z)).sum(-1) * counted


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("ignore", [None, 1, -100])
@pytest.mark.parametrize("shape", [(6,), (3, 5)])
def test_cross_entropy_of_indices(shape, ignore, weights, smoothing):
    z, t = rng().standard_normal((*shape, 4)) * 3, rng().integers(0, 4, shape)
    t[..., 0] = t[..., 0] if ignore is None else ignore
    counted = np.ones(shape) if ignore is None else t != ignore
    inside = np.where(counted, t, 0)
    q = np.eye(4)[inside] * (1 - smoothing) + smoothing / 4
    w = np.ones(4) if weights is None else np.array(weights)
    each = np.where(
        np.eye(4, dtype=bool)[inside], w[inside][..., None], w
    )  # PyTorch: every class by its own weight
    wanted = defined(z, q, each, counted)
    loss = mn.losses.get(
        "cross_entropy", label_smoothing=smoothing, ignore_index=ignore, class_weights=weights
    )
    got = loss(z, t)
    if ignore is None and weights is None:
        np.testing.assert_allclose(got, wanted, rtol=1e-11)
    else:
        np.testing.assert_allclose(got[0], wanted, rtol=1e-11, atol=1e-14)
        np.testing.assert_allclose(got[1], w[inside] * counted, rtol=1e-14)
    mn.check_gradient(lambda z: loss(z, t), (z,), max_elements=20)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_of_probabilities(weights, smoothing):
    z, p = rng().standard_normal((6, 4)) * 3, rng().dirichlet(np.ones(4), 6)
    wanted = defined(z, p * (1 - smoothing) + smoothing / 4, np.ones(4) if weights is None else weights, 1.0)
    got = mn.losses.get("cross_entropy", label_smoothing=smoothing, class_weights=weights)(z, p)
    np.testing.assert_allclose(got, wanted, rtol=1e-11)


def test_what_does_not_count_is_not_in_the_average():
    x, t = rng().standard_normal((8, 3)), np.array([0, 1, -1, 2, -1, 1, 0, 2])
    inputs = mn.Input((3,), dtype="float64")
    model = mn.Model(inputs, mn.layers.Dense(3)(inputs))
    loss = mn.losses.get("cross_entropy", ignore_index=-1, class_weights=[1.0, 2.0, 3.0])
    w = np.where(t < 0, 0.0, np.array([1.0, 2.0, 3.0])[t])
    each = -log_softmax(model(x))[np.arange(8), t]
    wanted = (w * each).sum() / w.sum()
    assert model.evaluate(x, t, loss=loss)["loss"] == pytest.approx(wanted, rel=1e-10)
    assert mn.Trainer(model, loss=loss, optimizer="sgd").step(x, t) == pytest.approx(wanted, rel=1e-10)
    with pytest.raises(mn.DataError, match="sum to zero"):
        model.evaluate(x, np.full(8, -1), loss=loss)


def test_labels_out_of_range_leave_the_weights_unchanged():
    inputs = mn.Input((3,))
    model = mn.Model(inputs, mn.layers.Dense(3)(inputs))
    before = model.parameters["dense/kernel"].copy()
    trainer = mn.Trainer(model, loss=mn.losses.get("cross_entropy", label_smoothing=0.1), optimizer="sgd")
    with pytest.raises(mn.DataError, match="label 3 of example 1 is out of range"):
        trainer.step(np.ones((2, 3), np.float32), np.array([0, 3]))
    np.testing.assert_array_equal(model.parameters["dense/kernel"], before)


def test_ctc_as_a_loss():
    generator = rng()
    z, labels = generator.standard_normal((3, 6, 4)), np.array([[1, 2, -1], [3, 3, 1], [-1, -1, -1]])
    wanted = mn.ctc_loss(log_softmax(z), np.maximum(labels, 0), target_lengths=[2, 3, 0])
    np.testing.assert_allclose(mn.losses.get("ctc")(z, labels), wanted, rtol=1e-12)

    x = generator.standard_normal((3, 5, 6)).astype(np.float32)
    with mn.Runtime(seed=0):
        inputs = mn.Input((5, 6))
        h = mn.layers.Conv1D(16, 3, padding="same", activation="tanh")(inputs)
        model = mn.Model(inputs, mn.layers.Dense(4)(mn.layers.Permute((2, 1))(h)))
        trainer = mn.Trainer(model, loss="ctc", optimizer=mn.optimizers.Adam(1e-2))
    losses = [trainer.step(x, labels) for _ in range(60)]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda f: f(np.zeros((2, 3)), np.array([0, 1]), label_smoothing=1.5),
            mn.ArgumentError,
            "label_smoothing must be a number",
        ),
        (
            lambda f: f(np.zeros((2, 3)), np.full((2, 3), 1 / 3), ignore_index=0),
            mn.ArgumentError,
            "class indices only",
        ),
        (
            lambda f: f(np.zeros((2, 3)), np.array([0, 1]), class_weights=[1, 2]),
            mn.ArgumentError,
            "one number ≥ 0 for each of the 3",
        ),
        (
            lambda f: f(np.zeros((2, 3)), np.array([0, 1]), class_weights=[1, 2, -1]),
            mn.ArgumentError,
            "one number ≥ 0",
        ),
        (
            lambda f: mn.losses.get("ctc")(np.zeros((2, 3)), np.array([[1], [1]])),
            mn.ShapeError,
            r"ctc: scores have the axes \(N, T, C\)",
        ),
    ],
)
def test_bad_settings_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(mn.losses.get("cross_entropy").record.object)
