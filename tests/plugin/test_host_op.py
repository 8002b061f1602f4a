"""HostOp: NumPy code in a plan, its first derivative, and what is checked about its results."""

import numpy as np
import pytest

import mathnet as mn


@mn.op("clip_by_quantile")
class ClipByQuantile(mn.HostOp):
    """Cuts x at its quantile q."""

    def shape(self, x, *, q):
        return x.shape

    def forward(self, x, *, q):
        return np.minimum(x, np.quantile(x, q))

    def vjp(self, dy, x, *, out, q):
        return (dy * (x < np.quantile(x, q)),)


class DivMod(mn.HostOp):
    """Quotient and remainder: two outputs, integers that get no derivative."""

    def shape(self, x, n):
        return [x.shape, x.shape]

    def dtype(self, x, n):
        return [np.int64, x.dtype]

    def forward(self, x, n):
        return np.divmod(x, n)

    def vjp(self, dy, x, n, *, out):
        assert isinstance(dy, tuple) and len(out) == 2
        return dy[1], None


@pytest.fixture
def runtime():
    with mn.Runtime(plugins=[ClipByQuantile], autoload=False) as runtime:
        yield runtime


X = np.random.default_rng(0).standard_normal((3, 5))


def test_a_registered_operation_is_found_by_key(runtime):
    expected = np.minimum(X, np.quantile(X, 0.7))
    np.testing.assert_array_equal(mn.ops.clip_by_quantile(X, q=0.7), expected)
    np.testing.assert_array_equal(ClipByQuantile()(X, q=0.7), expected)
    assert mn.ops.clip_by_quantile is mn.ops.clip_by_quantile
    with pytest.raises(AttributeError, match=r"did you mean 'clip_by_quantile'"):
        mn.ops.clip_by_quantil  # noqa: B018


def test_it_is_part_of_a_graph_with_a_first_derivative(runtime):
    f = mn.function(lambda x: mn.ops.clip_by_quantile(2.0 * x, q=0.5) + 1.0)
    np.testing.assert_allclose(f(X), np.minimum(2 * X, np.quantile(2 * X, 0.5)) + 1)
    gradient = mn.grad(lambda x: mn.sum(mn.ops.clip_by_quantile(x, q=0.5) ** 2))(X)
    below = np.quantile(X, 0.5) > X
    np.testing.assert_allclose(gradient, np.where(below, 2 * X, 0.0))
    with pytest.raises(mn.GradientError, match="'clip_by_quantile' has a first derivative only"):
        mn.grad(lambda x: mn.sum(mn.grad(lambda x: mn.sum(mn.ops.clip_by_quantile(x, q=0.5) ** 2))(x)))(X)


def test_several_outputs():
    op = DivMod()
    quotient, remainder = op(X, 0.5)
    assert (quotient.dtype, remainder.dtype) == (np.int64, np.float64)
    np.testing.assert_allclose(remainder, X % 0.5)
    got = mn.grad(lambda x: mn.sum(op(x, 0.5)[1] * 3.0))(X)
    np.testing.assert_array_equal(got, np.full_like(X, 3.0))


def test_an_operation_without_vjp_has_no_derivative():
    class Plain(mn.HostOp):
        def shape(self, x):
            return x.shape

        def forward(self, x):
            return x + 1

    np.testing.assert_array_equal(Plain()(X), X + 1)
    with pytest.raises(mn.GradientError, match="host operation 'plain' has no vjp"):
        mn.grad(lambda x: mn.sum(Plain()(x)))(X)


@pytest.mark.parametrize(
    ("result", "error", "message"),
    [
        (
            np.zeros((2, 2)),
            mn.ShapeError,
            r"result 0 of forward\(\) has shape \(2, 2\), but \(3, 5\) is expected",
        ),
        ((X, X), mn.ShapeError, r"forward\(\) returned 2 results, but 1 are expected"),
        (np.full((3, 5), "a"), mn.DTypeError, "elements of type"),
    ],
)
def test_results_are_checked(result, error, message):
    class Wrong(mn.HostOp):
        def shape(self, x):
            return x.shape

        def forward(self, x):
            return result

    with pytest.raises(error, match=f"host operation 'wrong'.*{message}"):
        Wrong()(X)
    with pytest.raises(error, match=f"host operation 'wrong'.*{message}"):
        mn.function(lambda x: Wrong()(x))(X)


def test_an_error_of_the_operation_comes_out_of_a_step_that_changes_nothing():
    broken = []

    class Fragile(mn.HostOp):
        def shape(self, x):
            return x.shape

        def forward(self, x):
            if broken:
                raise broken[0]
            return x

        def vjp(self, dy, x, *, out):
            return (dy,)

    x = mn.Input((5,))
    model = mn.Model(x, mn.layers.Dense(2)(Fragile()(x)))
    trainer = mn.Trainer(model, loss="mse", optimizer="adam")
    y = np.zeros((3, 2))
    trainer.step(X, y)
    model(X)
    before = {name: value.copy() for name, value in model.parameters.items()}
    for error in (ValueError("inner"), KeyboardInterrupt()):
        broken[:] = [error]
        for call in (lambda: trainer.step(X, y), lambda: trainer.steps(X, y, batch_size=3), lambda: model(X)):
            with pytest.raises(type(error)):
                call()
    assert trainer.step_count == 1
    for name, value in before.items():
        np.testing.assert_array_equal(model.parameters[name], value)
    broken.clear()
    trainer.step(X, y)
