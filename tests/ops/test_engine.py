"""Every operation's samples through the compiled engine, against the oracles in float64."""

import numpy as np
import pytest
from graph_interpreter import evaluate
from ops.operation_samples import samples

from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import OPS, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph

TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}


def close(got, wanted, real):
    assert got.shape == wanted.shape
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted)
    else:
        finite = wanted[np.isfinite(wanted)]
        scale = max(1.0, np.max(np.abs(finite), initial=0.0))
        np.testing.assert_allclose(got, wanted, rtol=TOLERANCE[real], atol=TOLERANCE[real] * scale)


def compare(graph, arrays, real):
    for got, tensor, wanted in zip(compile_graph(graph)(arrays), graph.outputs, evaluate(graph, arrays)):
        got = np.asarray(got)
        assert got.dtype == tensor.dtype
        close(got, wanted, np.float32 if np.float32 in (real, got.dtype) else np.float64)


@pytest.mark.parametrize("real", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("sample", samples())
def test_samples(sample, real):
    compare(sample.graph(real), sample.values(real), real)


def _through(sample, real, before, after):
    """The sample's operation on operands that are views: ``before`` prepares the arrays, ``after`` undoes it inside the graph."""
    inputs, operands, arrays = [], [], []
    for k, a in enumerate(sample.values(real)):
        prepared = np.ascontiguousarray(before(a)).reshape(before(a).shape)
        x = input_tensor(Spec(prepared.shape, prepared.dtype), f"x{k}")
        inputs.append(x)
        operands.append(after(x, a.shape))
        arrays.append(prepared)
    compare(Graph(inputs, sample.build(operands)), arrays, real)


@pytest.mark.parametrize("sample", samples())
def test_operands_that_are_transposed_views(sample):
    def after(x, shape):
        return OPS["transpose"](x, axes=tuple(range(len(shape)))[::-1]) if len(shape) > 1 else x

    _through(sample, np.float32, np.transpose, after)


@pytest.mark.parametrize("sample", samples())
def test_operands_that_are_every_second_element_backwards(sample):
    def before(a):
        if not a.ndim:
            return a
        wide = np.full((*a.shape[:-1], 2 * a.shape[-1] + 1), 77, a.dtype)  # what must not be read
        wide[..., 1::2] = a[..., ::-1]
        return wide

    def after(x, shape):
        if not shape or 0 in shape:
            return x if 0 not in shape else OPS["reshape"](x[..., :0], shape=shape)
        ends = len(shape) - 1
        start, step = (0,) * ends + (2 * shape[-1] - 1,), (1,) * ends + (-2,)
        return OPS["slice"](x, starts=start, steps=step, sizes=shape)

    _through(sample, np.float64, before, after)


def test_fusion_does_not_show_in_the_bits():
    def network(x, w):
        h = F["tanh"](F["matmul"](x, w) + 0.25)
        gate = h * F["sigmoid"](h * 1.5)
        return [
            gate,
            F["sum"](gate * gate, axis=1),
            F["max"](F["exp"](h), axis=0),
            F["relu"](F["matmul"](gate, w)),
        ]

    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=s).astype(np.float32) for s in ((33, 20), (20, 20))]
    inputs = [input_tensor(Spec(a.shape, a.dtype), "x") for a in arrays]
    graph = Graph(inputs, network(*inputs))
    fused, plain = compile_graph(graph), compile_graph(graph, fusing=False)
    assert len(fused.instructions) < len(plain.instructions)
    for a, b in zip(fused(arrays), plain(arrays)):
        np.testing.assert_array_equal(a, b)
    for got, wanted in zip(fused(arrays), evaluate(graph, arrays)):
        close(got, wanted, np.float32)
