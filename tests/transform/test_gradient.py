"""Reverse accumulation on graphs: paths, refusals, depth."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.graph import Graph, walk
from mathnet.graph.op import FUNCTIONS, Op, constant, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.gradient import gradient

F64 = np.dtype(np.float64)


def symbol(shape=(3,), dtype=F64, name="x"):
    return input_tensor(Spec(shape, dtype), name)


def ones(t):
    return mn.ones_like(t)


def value(tensor, inputs, arrays):
    return compile_graph(Graph(inputs, [tensor]))(arrays)[0]


class Doubled(Op):
    """A rule-less operation with an expansion."""

    name = "doubled"

    def infer(self, x):
        return x

    def expansion(self, x):
        return x + x


class Opaque(Op):
    name = "opaque"

    def infer(self, x):
        return x


class Broken(Op):
    """Its rule gives whatever the attribute says."""

    name = "broken"

    def infer(self, x, *, rule):
        return x

    def vjp(self, dy, inputs, outputs, *, rule):
        return rule(dy)


def test_paths_are_summed():
    x = symbol()
    y = mn.tanh(x)
    (dx,) = gradient([y * y + x * y], [ones(x)], [x])
    at = np.array([0.1, 0.5, -2.0])
    t = np.tanh(at)
    np.testing.assert_allclose(value(dx, [x], [at]), (2 * t + at) * (1 - t**2) + t, rtol=1e-12)


def test_members_of_wrt_that_depend_on_each_other():
    x = symbol()
    y = x * x
    dx, dy = gradient([y * 3.0 + x], [ones(x)], [x, y])
    at = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(value(dx, [x], [at]), 6 * at + 1)
    np.testing.assert_allclose(value(dy, [x], [at]), [3.0, 3.0, 3.0])


def test_several_outputs_and_zero_cotangents():
    x, y = symbol(), symbol(name="y")
    dx, dy = gradient([x * y, y], [ones(x), None], [x, y])
    np.testing.assert_allclose(value(dy, [x, y], [np.arange(3.0), np.ones(3)]), np.arange(3.0))
    assert dx is not None
    assert gradient([x], [None], [x]) == [None]


def test_only_what_is_asked_for_is_built():
    x, w = symbol((2, 3)), symbol((3, 4), name="w")
    (dw,) = gradient([mn.tanh(x @ w)], [ones(x @ w)], [w])
    assert sum(node.op.name == "matmul" for node in walk([dw])) <= 3


def test_no_dependence_is_none():
    x, y = symbol(), symbol(name="y")
    assert gradient([x], [ones(x)], [y]) == [None]
    assert gradient([mn.stop_gradient(x)], [ones(x)], [x]) == [None]
    assert gradient([mn.cast(mn.cast(x, "int64"), "float64")], [ones(x)], [x]) == [None]


def test_an_integer_is_not_differentiated():
    n = symbol(dtype=np.dtype(np.int64))
    assert gradient([mn.cast(n, "float64")], [mn.cast(ones(n), "float64")], [n]) == [None]


def test_an_expansion_stands_in_for_a_rule():
    x = symbol()
    (dx,) = gradient([Doubled()(x) * x], [ones(x)], [x])
    np.testing.assert_allclose(value(dx, [x], [np.arange(3.0)]), 4 * np.arange(3.0))


def test_an_operation_without_derivative_is_named_with_its_line():
    x = symbol()
    with pytest.raises(
        mn.GradientError, match=r"'opaque' \(.*test_gradient\.py:\d+\) has no derivative.*stop_gradient"
    ):
        gradient([Opaque()(x)], [ones(x)], [x])
    assert gradient([Opaque()(x) * 0.0 + symbol()], [ones(x)], [symbol()]) == [None]


def test_rules_are_not_taken_on_trust():
    x = symbol()
    with pytest.raises(mn.GradientError, match=r"'broken' .*shape \(\) for input 0 of shape \(3,\)"):
        gradient([Broken()(x, rule=lambda dy: [constant(1.0)])], [ones(x)], [x])
    with pytest.raises(mn.GradientError, match="gives 2 cotangents, not 1"):
        gradient([Broken()(x, rule=lambda dy: [dy, dy])], [ones(x)], [x])
    (dx,) = gradient([Broken()(x, rule=lambda dy: [mn.cast(dy, "float32")])], [ones(x)], [x])
    assert dx.dtype == F64


def test_a_cotangent_of_another_shape():
    x = symbol()
    with pytest.raises(mn.ShapeError, match=r"output 0 has shape \(3,\).*\(2,\)"):
        gradient([x], [symbol((2,))], [x])


def test_deep_graphs_need_no_recursion():
    x = symbol(())
    y = x
    for _ in range(20_000):
        y = FUNCTIONS["negative"](y)
    (dx,) = gradient([y], [constant(1.0, F64)], [x])
    assert len(walk([dx])) > 20_000
