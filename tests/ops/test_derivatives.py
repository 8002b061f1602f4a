"""First and second derivatives of every operation: the graph of the derivative, evaluated in float64 by the oracles, against
finite differences of the graph itself; and the same graphs through the engine."""

import numpy as np
import pytest
from graph_interpreter import evaluate, finite_difference, run
from ops.operation_samples import Sample, operations, samples

from mathnet.errors import GradientError
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import OPS, Op, as_tensor, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.gradient import gradient

#: Operands that a result does not depend on as on a number: results that are only there to find what was kept beside them,
#: tables of places, what is held constant, and counters of draws.
_HELD = {
    "max_pool2d_backward": (1, 2),
    "max_pool2d_gather": (1, 2),
    "cross_entropy_backward": (3,),
    **{f"{name}_backward": (0,) for name in ("rnn", "lstm", "gru")},
    "stop_gradient": (0,),
    "gammainc": (0,),
    "gammaincc": (0,),
    "betainc": (0, 1),
    "same_where_repeated": (0,),
    "eigenvalue_splitting": (0,),
    "simple_spectrum": (0, 1, 2, 3),
    **{f"random_{name}": (0, 1) for name in ("uniform", "normal", "bernoulli")},
}
#: Piecewise constant, or without a derivative.
_FLAT = {
    "less", "less_equal", "greater", "greater_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not", "isnan",
    "isfinite", "isinf", "logical_xor", "argmax", "argmin",
    "searchsorted", "wrap_index", "check_index", "last_of_equal",
}  # fmt: skip
_DIRECTIONS = 3  # random ones in which the derivative by an operand is compared


def differentiable():
    def usable(sample):
        floats = [y for y in evaluate(sample.graph(), sample.arrays) if y.dtype.kind == "f"]
        return bool(floats) and all(np.all(np.isfinite(y)) for y in floats)

    return [p for p in samples() if p.values[0].op.name not in _FLAT and usable(p.values[0])]


def weights_like(tensor, seed):
    return np.random.default_rng(seed).uniform(0.5, 1.5, tensor.shape)


def free(sample):
    """Positions of the operands that a derivative is taken for."""
    held = _HELD.get(sample.op.name, ())
    return [k for k, a in enumerate(sample.arrays) if a.dtype.kind == "f" and k not in held]


def scalar(tensors, seed):
    """Σ weights·values: a number that depends on every element."""
    total = as_tensor(0.0)
    for k, t in enumerate(tensors):
        if t.dtype.kind == "f":
            total = total + F["sum"](t * weights_like(t, seed + k))
    return total


def first(sample):
    """(inputs, the number, its derivatives)."""
    inputs = sample.inputs()
    number = scalar(sample.build(inputs), seed=1)
    wrt = [inputs[k] for k in free(sample)]
    found = gradient([number], [as_tensor(1.0)], wrt)
    return inputs, number, [d if d is not None else F["zeros_like"](x) for d, x in zip(found, wrt)]


def compare(sample, inputs, number, derivatives):
    """⟨derivative, direction⟩ against the slope of t ↦ number(x + t·direction), for random directions of every operand."""
    slopes = evaluate(Graph(inputs, derivatives), sample.arrays)
    rng = np.random.default_rng(9)
    for k, slope in zip(free(sample), slopes):
        for _ in range(_DIRECTIONS):
            direction = rng.uniform(-1, 1, slope.shape)

            def value(t, k=k, direction=direction):
                arrays = [a + t * direction if i == k else a for i, a in enumerate(sample.arrays)]
                return run([number], dict(zip(inputs, arrays)))[0]

            wanted = float(finite_difference(value, 0.0))
            scale = np.sum(np.abs(slope * direction)) + 1.0
            np.testing.assert_allclose(np.sum(slope * direction), wanted, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("sample", differentiable())
def test_first_derivative(sample):
    compare(sample, *first(sample))


@pytest.mark.parametrize("sample", differentiable())
def test_second_derivative(sample):
    inputs, _, slopes = first(sample)
    number = scalar(slopes, seed=5)
    wrt = [inputs[k] for k in free(sample)]
    found = gradient([number], [as_tensor(1.0)], wrt)
    compare(sample, inputs, number, [d if d is not None else F["zeros_like"](x) for d, x in zip(found, wrt)])


@pytest.mark.parametrize("sample", differentiable())
def test_derivatives_through_the_engine(sample):
    inputs, _, slopes = first(sample)
    wrt = [inputs[k] for k in free(sample)]
    found = gradient([scalar(slopes, seed=5)], [as_tensor(1.0)], wrt)
    graph = Graph(inputs, [*slopes, *[d for d in found if d is not None]])
    narrow = sample.attrs.get("dtype") == np.float32  # a conversion to float32 rounds
    tolerance = 1e-6 if narrow else 1e-10
    for got, wanted in zip(compile_graph(graph)(sample.values()), evaluate(graph, sample.arrays)):
        scale = max(1.0, np.max(np.abs(wanted), initial=0.0))
        np.testing.assert_allclose(got, wanted, rtol=10 * tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("name", sorted(_FLAT))
def test_flat_operations_stop_derivatives_without_an_error(name):
    arrays, attrs = OPS[name].samples()[0]
    sample = Sample(OPS[name], tuple(np.asarray(a) for a in arrays), attrs)
    inputs = sample.inputs()
    (flat,) = sample.build(inputs)
    number = F["sum"](F["cast"](flat, np.float64))
    floats = [x for x in inputs if x.dtype.kind == "f"]
    assert gradient([number], [as_tensor(1.0)], floats) == [None] * len(floats)


def test_every_operation_is_covered():
    covered = {p.values[0].op.name for p in differentiable()} | _FLAT
    assert {op.name for op in operations()} <= covered


# ---- the derivative of a graph of several operations ---------------------------------------------------------------------


def test_a_convolutional_network_twice_through_everything():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s) for s in ((2, 1, 6, 6), (3, 1, 3, 3), (3,), (27, 4))]
    labels = np.array([1, 3])
    x, w, b, v = inputs = [input_tensor(Spec(a.shape, a.dtype), "x") for a in arrays]
    h = F["max_pool2d"](F["tanh"](F["conv2d"](x, w, b, padding=1)), 2)
    loss = F["mean"](F["cross_entropy"](F["reshape"](h, (2, -1)) @ v, labels))
    slopes = gradient([loss], [as_tensor(1.0)], inputs)
    curvature = gradient([scalar(slopes, 3)], [as_tensor(1.0)], inputs)
    graph = Graph(inputs, [loss, *slopes, *curvature])
    got, wanted = compile_graph(graph)(arrays), evaluate(graph, arrays)
    for a, e in zip(got, wanted):
        np.testing.assert_allclose(a, e, rtol=1e-9, atol=1e-11)
    for k, (number, outputs) in enumerate(((loss, slopes), (scalar(slopes, 3), curvature))):
        (slope,) = run([outputs[1]], dict(zip(inputs, arrays)))
        wanted = finite_difference(
            lambda a, number=number: run([number], dict(zip(inputs, [arrays[0], a, *arrays[2:]])))[0],
            arrays[1],
        )
        np.testing.assert_allclose(slope, wanted, rtol=1e-5, atol=1e-7, err_msg=f"order {k + 1}")


# ---- the check itself -----------------------------------------------------------------------------------------------------


class _WrongSlope(Op):
    """A square that claims the slope of a cube."""

    name = "wrong_slope"

    def infer(self, x):
        return x

    def vjp(self, dy, inputs, outputs):
        return (dy * inputs[0] * inputs[0] * 3.0,)

    def oracle(self, x):
        return np.square(x)


def test_a_wrong_derivative_is_caught():
    sample = Sample(_WrongSlope(), (np.array([0.5, 2.0]),), {})
    with pytest.raises(AssertionError):
        compare(sample, *first(sample))


class _NoSlope(_WrongSlope):
    name = "no_slope"
    vjp = Op.vjp


def test_a_missing_derivative_is_an_error_that_names_the_operation():
    sample = Sample(_NoSlope(), (np.array([0.5]),), {})
    with pytest.raises(GradientError, match="no_slope"):
        first(sample)
