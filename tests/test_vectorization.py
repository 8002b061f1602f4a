"""vmap and checkpoint: against loops and against the plain function, with every derivative, and bad input."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.errors import ArgumentError, ShapeError

RNG = np.random.default_rng(0)
X, Y, W = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 4)), RNG.standard_normal((3, 4))


def loss(w, x, y):
    return mn.sum(mn.square(mn.tanh(x @ w) - y))


def test_per_example_gradients():
    found = mn.vmap(mn.grad(loss), (None, 0, 0))(W, X, Y)
    np.testing.assert_allclose(found, np.stack([mn.grad(loss)(W, x, y) for x, y in zip(X, Y)]), rtol=1e-12)
    np.testing.assert_allclose(
        mn.grad(lambda w: mn.sum(mn.vmap(lambda x, y: loss(w, x, y))(X, Y)))(W), found.sum(0), rtol=1e-12
    )


def test_per_example_gradients_of_a_model():
    model = mn.Sequential(
        [mn.layers.Conv2D(2, 3, activation="relu"), mn.layers.Flatten(), mn.layers.Dense(3)],
        input_shape=(1, 5, 5),
    )
    x, y = RNG.standard_normal((4, 1, 5, 5)).astype(np.float32), np.array([0, 2, 1, 1])

    def one(p, x, y):
        return mn.cross_entropy(model.apply(p, x[None]), y[None])[0]

    p = dict(model.parameters)
    found = mn.vmap(mn.grad(one), (None, 0, 0))(p, x, y)
    for name in p:
        wanted = np.stack([mn.grad(one)(p, a, b)[name] for a, b in zip(x, y)])
        np.testing.assert_allclose(found[name], wanted, rtol=1e-5, atol=1e-6)


def test_axes_in_and_out():
    f = mn.vmap(lambda a, b: a + b, in_axes=(1, None), out_axes=1)
    np.testing.assert_array_equal(f(X, X[:, 0]), X + X[:, :1])
    nested = mn.vmap(
        lambda p: {"s": p["a"] * p["b"], "a": p["a"]},
        in_axes=({"a": 0, "b": None},),
        out_axes={"s": 1, "a": 0},
    )
    found = nested({"a": X, "b": np.arange(3.0)})
    np.testing.assert_array_equal(found["s"], (X * np.arange(3.0)).T)
    outer = mn.vmap(mn.vmap(lambda a, b: a * b, (None, 0)), (0, None))(np.arange(3.0), np.arange(4.0))
    np.testing.assert_array_equal(outer, np.outer(np.arange(3.0), np.arange(4.0)))
    np.testing.assert_array_equal(mn.vmap(lambda x: 1.0 + 0.0 * x[0])(X), np.ones(5))
    assert mn.vmap(lambda x: np.ones(2))(X).shape == (5, 2)
    assert mn.vmap(lambda x: x * 2)(np.zeros((0, 3))).shape == (0, 3)


def test_loops_conditions_and_derivatives_of_ones_own():
    def sums(x):
        return mn.scan(lambda c, t: (mn.tanh(c + t), c * t), 0.0, x)[1]

    np.testing.assert_allclose(mn.vmap(sums)(X), np.stack([sums(x) for x in X]), rtol=1e-12)
    clipped = mn.custom_vjp(lambda x: x * x, lambda dy, x, out: mn.clip(dy, -1.0, 1.0) * x)
    per_row = mn.vmap(mn.grad(lambda x: 3.0 * mn.sum(clipped(x))))(X)
    np.testing.assert_allclose(per_row, X, rtol=1e-12)
    whole = mn.grad(lambda x: mn.sum(mn.vmap(lambda r: mn.sum(clipped(r)))(x)))(X)
    np.testing.assert_allclose(whole, X, rtol=1e-12)


@pytest.mark.parametrize("transform", ["grad", "hessian", "jacobian"])
def test_derivatives_inside_and_outside(transform):
    def f(x):
        return mn.sum(mn.exp(mn.sin(x)) * x[::-1])

    inner = getattr(mn, transform)(f) if transform != "jacobian" else mn.jacobian(lambda x: mn.sin(x) * x[0])
    np.testing.assert_allclose(mn.vmap(inner)(X), np.stack([inner(x) for x in X]), rtol=1e-12)
    tangent = np.ones_like(X)
    _, moved = mn.jvp(mn.vmap(f), (X,), (tangent,))
    np.testing.assert_allclose(moved, [mn.grad(f)(x).sum() for x in X], rtol=1e-12)


def test_draws_differ_from_example_to_example():
    draws = mn.vmap(lambda x: x + mn.random.normal((2,), dtype="float64"))(np.zeros((6, 2)))
    assert len(np.unique(draws)) == 12
    mn.seed(3)
    one = mn.vmap(lambda x: x + mn.random.uniform((), dtype="float64"))(np.zeros(4))
    mn.seed(3)
    np.testing.assert_array_equal(
        one, mn.vmap(lambda x: x + mn.random.uniform((), dtype="float64"))(np.zeros(4))
    )


def test_an_operation_without_a_rule_runs_in_a_loop_that_explain_shows():
    f = mn.function(mn.vmap(lambda w: mn.conv2d(np.ones((1, 1, 4, 4)), w)))
    w = RNG.standard_normal((3, 2, 1, 3, 3))
    np.testing.assert_allclose(f(w), np.stack([mn.conv2d(np.ones((1, 1, 4, 4)), k) for k in w]), rtol=1e-12)
    assert "loop" in f.plan(w).explain()


@pytest.mark.parametrize(
    ("error", "call", "words"),
    [
        (
            ShapeError,
            lambda: mn.vmap(lambda a, b: a)(np.ones(3), np.ones(4)),
            "4 examples along axis 0, but others have 3",
        ),
        (ShapeError, lambda: mn.vmap(lambda a: a)(1.0), "has no axis of examples"),
        (ShapeError, lambda: mn.vmap(lambda a: a, in_axes=2)(np.ones(3)), "out of range"),
        (ArgumentError, lambda: mn.vmap(lambda a: a, in_axes=None)(np.ones(3)), "no argument an axis"),
        (ArgumentError, lambda: mn.vmap(lambda a: a, in_axes=(0, 0))(np.ones(3)), "in_axes"),
        (ArgumentError, lambda: mn.vmap(lambda a: a, out_axes="x")(np.ones(3)), "out_axes"),
        (ArgumentError, lambda: mn.vmap(lambda a: a, out_axes=None)(np.ones(3)), "out_axes=None is neither"),
        (
            ArgumentError,
            lambda: mn.jacobian(lambda x: x, mode="both")(np.ones(3)),
            "'forward', 'reverse' or None",
        ),
        (ArgumentError, lambda: mn.linearize(lambda x: x, np.ones(3))[1](), "1 tangents are needed"),
        (ArgumentError, lambda: mn.vhp(lambda x: mn.sum(x))(np.ones(3)), "and then the vector"),
    ],
)
def test_bad_input(error, call, words):
    with pytest.raises(error, match=words):
        call()


# ---- checkpoint ----------------------------------------------------------------------------------------------------------


def block(w, x):
    return mn.tanh(mn.tanh(x @ w) @ mn.transpose(w))


def test_what_is_computed_again_has_the_same_bits():
    w = RNG.standard_normal((3, 3, 4))

    def f(w, inside):
        x = X
        for k in range(3):
            x = inside(w[k], x)
        return mn.sum(x * x)

    plain, again = (
        mn.grad(lambda w, inside=inside: f(w, inside)) for inside in (block, mn.checkpoint(block))
    )
    np.testing.assert_array_equal(plain(w), again(w))
    v = RNG.standard_normal(w.shape)
    for name in ("hvp", "vhp"):
        g = getattr(mn, name)
        found, wanted = (g(lambda w, i=i: f(w, i))(w, v) for i in (mn.checkpoint(block), block))
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_less_is_kept():
    w = RNG.standard_normal((64, 64)) / 8
    x = RNG.standard_normal((256, 64))

    def f(w, inside):
        y = x
        for _ in range(8):
            y = inside(y, w)
        return mn.sum(y)

    def deep(y, w):
        for _ in range(4):
            y = mn.tanh(y @ w)
        return y

    sizes = [
        mn.function(mn.grad(lambda w, inside=inside: f(w, inside))).plan(w).nbytes
        for inside in (deep, mn.checkpoint(deep))
    ]
    assert sizes[1] < 0.6 * sizes[0]


def test_what_the_inside_reads_from_outside_has_its_derivative():
    inner = mn.checkpoint(lambda x: mn.sin(x) * W[0, 0])

    def f(a):
        return mn.sum(mn.checkpoint(lambda x: mn.sin(x * a))(X))

    np.testing.assert_allclose(mn.grad(f)(2.0), np.sum(np.cos(2 * X) * X), rtol=1e-12)
    assert inner(X).shape == X.shape
    model = mn.Sequential(
        [mn.layers.Lambda(mn.checkpoint(lambda x: mn.tanh(x) * 2.0)), mn.layers.Dense(1)], input_shape=(3,)
    )
    trainer = mn.Trainer(model, loss="mse", optimizer="sgd", seed=0)
    assert np.isfinite(trainer.step(X.astype(np.float32), Y[:, :1].astype(np.float32)))
