"""Random draws outside and inside of tracing."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.op import input_tensor
from mathnet.graph.tensor import Spec


@pytest.fixture(autouse=True)
def runtime():
    with mn.Runtime(autoload=False, seed=7) as runtime:
        yield runtime


def test_draws_outside_of_tracing_are_arrays():
    assert type(mn.random.normal((2, 3))) is np.ndarray
    assert mn.random.normal((2, 3)).dtype == np.float32
    assert mn.random.uniform(4, dtype="float64").dtype == np.float64
    assert mn.random.bernoulli((3,), like=np.ones(2)).dtype == np.float64
    assert mn.random.normal(3, like=np.arange(3)).dtype == np.float32
    assert np.ndim(mn.random.normal(())) == 0


def test_draws_differ_and_repeat_with_the_seed():
    mn.seed(3)
    first, second = mn.random.normal(8), mn.random.normal(8)
    assert not np.array_equal(first, second)
    mn.seed(3)
    np.testing.assert_array_equal(mn.random.normal(8), first)
    np.testing.assert_array_equal(mn.random.normal(8), second)


def test_moments():
    n = 200_000
    x = mn.random.normal(n, mean=2.0, stddev=3.0, dtype="float64")
    assert abs(x.mean() - 2) < 6 * 3 / np.sqrt(n) and abs(x.std() - 3) < 0.05
    u = mn.random.uniform(n, low=-1.0, high=3.0, dtype="float64")
    assert u.min() >= -1 and u.max() < 3 and abs(u.mean() - 1) < 0.02
    b = mn.random.bernoulli(n, 0.2)
    assert set(np.unique(b)) == {0.0, 1.0} and abs(b.mean() - 0.2) < 0.01


def test_a_tensor_makes_a_draw_of_the_graph():
    x = input_tensor(Spec((2, 3), np.dtype(np.float64)))
    draw = mn.random.normal(x.shape, like=x)
    assert isinstance(draw, mn.Tensor) and draw.dtype == np.float64


def test_draws_inside_a_traced_function_differ_from_call_to_call():
    f = mn.function(lambda x: x + mn.random.normal(x.shape, like=x))
    x = np.zeros(5)
    first, second = f(x), f(x)
    assert not np.array_equal(first, second)
    mn.seed(7)
    again = f(x)
    mn.seed(7)
    np.testing.assert_array_equal(f(x), again)


def test_draws_inside_a_gradient():
    value, slope = mn.value_and_grad(lambda x: mn.sum(x * mn.random.normal(x.shape, like=x)))(np.ones(4))
    np.testing.assert_allclose(value, slope.sum())


def test_two_draws_in_one_trace_differ():
    a, b = mn.function(lambda x: (mn.random.normal(4, like=x), mn.random.normal(4, like=x)))(np.ones(1))
    assert not np.array_equal(a, b)


def test_draws_in_a_scan_differ_between_iterations_and_are_recomputed_alike():
    def f(w):
        return mn.scan(
            lambda c, _: (c * w + mn.random.normal(c.shape, like=w), mn.random.uniform(2, like=w)),
            np.zeros(3),
            None,
            length=6,
        )

    (_, draws), _ = mn.vjp(f, 0.5)
    assert len(np.unique(draws)) == draws.size
    mn.seed(1)
    _, slope = mn.value_and_grad(lambda w: mn.sum(f(w)[0]))(0.5)
    values = []
    for w in (0.5 + 1e-6, 0.5 - 1e-6):
        mn.seed(1)
        values.append(mn.value_and_grad(lambda w: mn.sum(f(w)[0]))(w)[0])
    np.testing.assert_allclose(slope, (values[0] - values[1]) / 2e-6, rtol=1e-6)


def test_draws_in_nested_scans_differ():
    def outer(c, _):
        return c, mn.scan(lambda d, _: (d, mn.random.uniform((), like=d)), c, None, length=3)[1]

    _, draws = mn.scan(outer, np.zeros(()), None, length=4)
    assert len(np.unique(draws)) == 12


def test_wrong_arguments():
    with pytest.raises(mn.ArgumentError, match="stddev must not be negative"):
        mn.random.normal(3, stddev=-1.0)
    with pytest.raises(mn.ArgumentError, match="below low"):
        mn.random.uniform(3, low=1.0, high=0.0)
    with pytest.raises(mn.ArgumentError, match="between 0 and 1"):
        mn.random.bernoulli(3, 1.5)
    with pytest.raises(mn.ArgumentError, match="must hold integers"):
        mn.random.normal((2, "a"))
    with pytest.raises(mn.ArgumentError, match="negative size"):
        mn.random.normal((2, -1))
    with pytest.raises(mn.DTypeError, match="float32 or float64"):
        mn.random.normal(2, dtype="int64")
    with pytest.raises(mn.ArgumentError, match="must be a number"):
        mn.random.normal(2, mean=input_tensor(Spec((), np.dtype(np.float64))))
