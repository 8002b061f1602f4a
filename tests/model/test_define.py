"""Steps that users define: one loss, several, two trainers against each other."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(6)
X = RNG.standard_normal((12, 3))
Y = RNG.standard_normal((12, 2))


def model_of(outputs=2, inputs=3, **options):
    mn.seed(0)
    x = mn.Input((inputs,), "float64")
    return mn.Model(x, mn.layers.Dense(outputs, name="dense", **options)(x))


def squares(model, batch):
    x, y = batch
    return mn.mean(mn.square(model(x) - y))


def test_a_defined_loss_is_the_loss():
    options = {"kernel_regularizer": mn.regularizers.L2(0.01)}
    defined, usual = model_of(**options), model_of(**options)
    one = mn.Trainer(defined, None, "adam", clip_norm=0.5).define(squares)
    two = mn.Trainer(usual, "mse", "adam", clip_norm=0.5)
    for _ in range(3):
        assert one.step((X, Y)) == pytest.approx(two.step(X, Y), rel=1e-12)
    np.testing.assert_allclose(
        defined.parameters["dense/kernel"], usual.parameters["dense/kernel"], rtol=1e-10
    )
    assert "defined step" in one.plan(12).explain()


def test_steps_and_fit_of_a_defined_loss():
    one, two, three = (mn.Trainer(model_of(), None, mn.optimizers.SGD(0.1)).define(squares) for _ in range(3))
    history = one.fit((X, Y), epochs=2, batch_size=4, shuffle=False)
    two.fit([(X[k : k + 4], Y[k : k + 4]) for k in (0, 4, 8)], epochs=2)
    losses = three.steps((X, Y), batch_size=4, count=6, shuffle=False)
    for other in (two, three):
        assert np.array_equal(one.model.parameters["dense/kernel"], other.model.parameters["dense/kernel"])
    np.testing.assert_allclose(history["loss"], losses.reshape(2, 3).mean(axis=1), rtol=1e-12)


def test_batches_of_changing_nests_shapes_and_types_find_their_plans():
    """Each batch is compared with a Trainer that sees it first: what the plan at hand does not fit must not go to it."""
    traced = []

    def loss(model, batch):
        traced.append(type(batch))
        x, y = (batch["x"], batch["y"]) if isinstance(batch, dict) else batch
        return mn.mean(mn.square(model(x) - y))

    one = mn.Trainer(model_of(), None, mn.optimizers.SGD(0.1)).define(loss)
    batches = [
        (X, Y),
        (X, Y),
        {"x": X, "y": Y},
        [X, Y],
        (X[:5], Y[:5]),
        (X.astype("float32"), Y),
    ]
    for batch in [*batches, (np.asfortranarray(X), Y)]:
        other = mn.Trainer(model_of(), None, mn.optimizers.SGD(0.1)).define(loss)
        other.model.parameters.update(one.model.parameters)
        assert one.step(batch) == other.step(batch)
        assert np.array_equal(one.model.parameters["dense/kernel"], other.model.parameters["dense/kernel"])
    traced.clear()
    one.step((X, Y))
    assert traced == []
    before = one.model.parameters["dense/kernel"].copy()
    for wrong in ((X, Y[:5]), (X, None), None, {"x": X}):
        with pytest.raises((mn.MathnetError, KeyError, TypeError, ValueError)):
            one.step(wrong)
    assert np.array_equal(one.model.parameters["dense/kernel"], before)


def test_several_losses_by_name_and_accumulation():
    def losses(model, batch):
        score = model(batch["x"])
        return {"fit": mn.mean(mn.square(score - batch["y"])), "size": 0.1 * mn.mean(mn.abs(score))}

    def total(model, batch):
        found = losses(model, batch)
        return found["fit"] + found["size"]

    one = mn.Trainer(model_of(), None, mn.optimizers.SGD(0.1)).define(total)
    two = mn.Trainer(model_of(), None, mn.optimizers.SGD(0.1), accumulate=2).define(losses)
    one.step({"x": X, "y": Y})
    for part in (slice(0, 6), slice(6, 12)):
        two.step({"x": X[part], "y": Y[part]})
    np.testing.assert_allclose(
        one.model.parameters["dense/kernel"], two.model.parameters["dense/kernel"], rtol=1e-12
    )


def test_two_trainers_play_against_each_other():
    generator, critic = model_of(3, 2), model_of(1)

    def critic_loss(model, batch):
        fake = generator(batch["noise"], training=False)
        return mn.mean(mn.softplus(-model(batch["real"]))) + mn.mean(mn.softplus(model(fake)))

    def generator_loss(model, batch):
        return mn.mean(mn.softplus(-critic(model(batch), training=False)))

    critics = mn.Trainer(critic, None, mn.optimizers.SGD(0.2)).define(critic_loss)
    makers = mn.Trainer(generator, None, mn.optimizers.SGD(0.2)).define(generator_loss)
    k, b = generator.parameters["dense/kernel"].copy(), generator.parameters["dense/bias"].copy()
    u, c = critic.parameters["dense/kernel"].copy(), critic.parameters["dense/bias"].copy()
    sigmoid = lambda s: 1 / (1 + np.exp(-s))  # noqa: E731
    for _ in range(3):
        critics.step({"real": X, "noise": Y})
        makers.step(Y)
        fake = Y @ k + b
        real_slope, fake_slope = -sigmoid(-(X @ u + c)) / 12, sigmoid(fake @ u + c) / 12
        u, c = (
            u - 0.2 * (X.T @ real_slope + fake.T @ fake_slope),
            c - 0.2 * (real_slope + fake_slope).sum(axis=0),
        )
        slope = -sigmoid(-(fake @ u + c)) / 12 @ u.T
        k, b = k - 0.2 * Y.T @ slope, b - 0.2 * slope.sum(axis=0)
    np.testing.assert_allclose(critic.parameters["dense/kernel"], u, rtol=1e-9)
    np.testing.assert_allclose(generator.parameters["dense/kernel"], k, rtol=1e-9)


def test_a_new_definition_takes_the_place_of_the_old_one():
    trainer = mn.Trainer(model_of(), None, mn.optimizers.SGD(0.0)).define(squares)
    first = trainer.step((X, Y))
    trainer.define(lambda model, batch: 2.0 * squares(model, batch))
    assert trainer.step((X, Y)) == pytest.approx(2 * first)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda t: t.step((X, Y), Y), mn.ArgumentError, "takes one batch"),
        (lambda t: t.step((X, Y[:5])), mn.ShapeError, "5 rows"),
        (lambda t: t.step((X, 1.0)), mn.ShapeError, "array 1 is a single number"),
        (lambda t: t.step(()), mn.ArgumentError, "no array"),
        (lambda t: t.define(3), mn.ArgumentError, "function"),
        (lambda t: t.evaluate(X, Y), mn.ArgumentError, "model.evaluate"),
        (lambda t: t.plan(4), mn.ArgumentError, "before the first step"),
        (lambda t: t.fit((X, Y), validation_split=0.5), mn.ArgumentError, "no validation"),
        (lambda t: t.fit((X, Y), class_weight={0: 1.0}), mn.ArgumentError, "class_weight"),
        (lambda t: t.define(lambda m, b: m(b[0])).step((X, Y)), mn.ShapeError, "single number"),
        (lambda t: t.define(lambda m, b: {}).step((X, Y)), mn.ArgumentError, "no loss"),
        (lambda t: t.define(lambda m, b: mn.sum(b[0])).step((X, Y)), mn.GradientError, "does not depend"),
    ],
)
def test_bad_uses_are_refused(call, error, words):
    trainer = mn.Trainer(model_of(), None, "sgd").define(squares)
    with pytest.raises(error, match=words):
        call(trainer)
    assert trainer.step_count == 0


def test_a_loss_is_given_or_defined():
    with pytest.raises(mn.ArgumentError, match="has no loss"):
        mn.Trainer(model_of(), None, "sgd").step((X, Y))
    with pytest.raises(mn.ArgumentError, match="has a loss already"):
        mn.Trainer(model_of(), "mse", "sgd").define(squares)
    with pytest.raises(mn.ArgumentError, match="need losses"):
        mn.Trainer(model_of(), None, "sgd", metrics=["mae"])
    with pytest.raises(mn.ArgumentError, match="needs targets"):
        mn.Trainer(model_of(), "mse", "sgd").step(X)
