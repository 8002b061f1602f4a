"""Forward mode on graphs: rules, expansions and transposed vjps agree."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.graph import Graph
from mathnet.graph.op import Op, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.forward_mode import tangents
from mathnet.transform.gradient import gradient

F64 = np.dtype(np.float64)
RNG = np.random.default_rng(0)


class Cubed(Op):
    """x³ with an expansion only."""

    name = "cubed"

    def infer(self, x):
        return x

    def expansion(self, x):
        return x * x * x


class CubedWithRule(Cubed):
    name = "cubed_with_rule"

    def jvp(self, tangents, inputs, outputs):
        return 3.0 * inputs[0] * inputs[0] * tangents[0]


class Clipped(Op):
    """A rule that is not linear in the cotangent."""

    name = "clipped"

    def infer(self, x):
        return x

    def vjp(self, dy, inputs, outputs):
        return (mn.tanh(dy),)


def pair(f, *shapes):
    """⟨J·v, u⟩ and ⟨v, Jᵀ·u⟩ for random x, v, u."""
    xs = [input_tensor(Spec(s, F64)) for s in shapes]
    vs = [input_tensor(Spec(s, F64)) for s in shapes]
    y = f(*xs)
    u = input_tensor(Spec(y.shape, F64))
    (forward,) = tangents([y], xs, vs)
    backward = gradient([y], [u], xs)
    arrays = [RNG.uniform(0.5, 1.5, t.shape) for t in (*xs, *vs, u)]
    both = [mn.sum(forward * u), *[mn.sum(v * d) for v, d in zip(vs, backward)]]
    first, *rest = compile_graph(Graph([*xs, *vs, u], both))(arrays)
    return first, sum(rest)


@pytest.mark.parametrize(
    ("f", "shapes"),
    [
        (lambda x, y: x * y + mn.tanh(x) / y, [(3, 4), (4,)]),
        (lambda x, w: mn.sigmoid(x @ w), [(2, 3), (3, 4)]),
        (lambda x: mn.sum(mn.exp(x), axis=0) * x[0], [(3, 4)]),
        (lambda x: mn.concatenate([x, mn.transpose(x)]), [(3, 3)]),
        (lambda x: mn.max(x, axis=1), [(3, 4)]),
        (lambda x: mn.stop_gradient(x) * x, [(3,)]),
        (lambda x: Cubed()(x) * CubedWithRule()(x), [(3,)]),
    ],
    ids=["elementwise", "matmul", "reduction", "rearrangement", "maximum", "stopped", "expansion"],
)
def test_forward_and_reverse_mode_agree(f, shapes):
    forward, backward = pair(f, *shapes)
    np.testing.assert_allclose(forward, backward, rtol=1e-12)


def test_zero_tangents_stay_none():
    x, y = input_tensor(Spec((3,), F64)), input_tensor(Spec((3,), F64))
    assert tangents([x * x, y], [x, y], [None, None]) == [None, None]
    found = tangents([x * x, y], [x, y], [None, y])
    assert found[0] is None and found[1] is y
    assert tangents([mn.cast(x, "int64")], [x], [y]) == [None]


def test_a_rule_that_is_not_linear_is_refused():
    x, v = input_tensor(Spec((3,), F64)), input_tensor(Spec((3,), F64))
    with pytest.raises(mn.GradientError, match=r"'clipped'.*not linear in its cotangent"):
        tangents([Clipped()(x)], [x], [v])


def test_a_tangent_of_another_shape():
    x = input_tensor(Spec((3,), F64))
    with pytest.raises(mn.ShapeError, match=r"\(3,\).*\(2,\)"):
        tangents([x], [x], [input_tensor(Spec((2,), F64))])
