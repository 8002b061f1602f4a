"""The interpreter that the engine is compared with: right where the answer is known, and loud where an oracle lies."""

import numpy as np
import pytest
from graph_interpreter import InterpreterError, evaluate, finite_difference, run, widened

import mathnet as mn
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import Op, input_tensor
from mathnet.graph.tensor import Spec

FLOAT32 = np.dtype(np.float32)


def tensor(*shape, dtype=FLOAT32):
    return input_tensor(Spec(shape, np.dtype(dtype)), "x")


def test_a_graph_is_evaluated_in_float64():
    x = tensor(2, 3)
    graph = Graph([x], [F["sum"](F["tanh"](x) * 0.1, axis=1)])
    values = np.linspace(-1, 1, 6).reshape(2, 3)
    (y,) = evaluate(graph, [values])
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, np.sum(np.tanh(values) * 0.1, 1), rtol=1e-15)


def test_captures_constants_and_shared_nodes():
    x, weight = tensor(2), np.array([3.0, 4.0])
    square = x * x
    (y,) = evaluate(Graph([x], [square + square * weight - 1]), [np.array([1.0, 2.0])])
    np.testing.assert_array_equal(y, [1 + 3 - 1, 4 + 16 - 1])


def test_inner_tensors_can_be_given():
    x = tensor(2)
    inner = F["exp"](x)
    (y,) = run([inner + 1.0], {inner: np.array([5.0, 6.0])})
    np.testing.assert_array_equal(y, [6.0, 7.0])


def test_scan_in_both_directions():
    xs = np.array([1.0, 2.0, 3.0])
    for reverse in (False, True):
        x = tensor(3)
        carry, ys = mn.scan(lambda c, v: (c * 2.0 + v, c), 1.0, x, reverse=reverse)
        got = evaluate(Graph([x], [carry, ys]), [xs])
        c, wanted = 1.0, []
        for v in xs[::-1] if reverse else xs:
            wanted.append(c)
            c = c * 2 + v
        np.testing.assert_array_equal(got[0], c)
        np.testing.assert_array_equal(got[1], wanted[::-1] if reverse else wanted)


def test_an_input_without_a_value_is_an_error():
    x, y = tensor(1), tensor(1)
    with pytest.raises(InterpreterError, match="has no value"):
        run([x + y], {x: np.zeros(1)})


class _WrongShape(Op):
    name = "wrong_shape"

    def infer(self, x):
        return x

    def oracle(self, x):
        return np.sum(x)


class _WrongKind(_WrongShape):
    def oracle(self, x):
        return x > 0


class _Unknown(_WrongShape):
    oracle = Op.oracle


@pytest.mark.parametrize(
    "op, words",
    [(_WrongShape(), "shape rule says"), (_WrongKind(), "type rule says"), (_Unknown(), "neither an oracle")],
)
def test_a_lying_operation_is_caught(op, words):
    x = tensor(2)
    with pytest.raises(InterpreterError, match=words):
        evaluate(Graph([x], [op(x)]), [np.zeros(2)])


def test_text_has_no_meaning():
    with pytest.raises(InterpreterError, match="no meaning"):
        widened(np.array(["a"]))


def test_finite_difference_of_a_cubic_is_exact():
    x = np.array([[1.0, -2.0]])
    np.testing.assert_allclose(finite_difference(lambda v: np.sum(v**3), x), 3 * x**2, rtol=1e-9)
