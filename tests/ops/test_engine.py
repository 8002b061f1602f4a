"""Every operation's samples through the compiled engine, against the oracles in float64."""

import numpy as np
import pytest
from graph_interpreter import evaluate
from ops.operation_samples import samples

from mathnet.graph.graph import Graph
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


def _whole(shape, **changes):
    return {"starts": (0,) * len(shape), "steps": (1,) * len(shape), "sizes": shape, **changes}


@pytest.mark.parametrize("sample", samples())
def test_operands_that_are_transposed_views(sample):
    def after(x, shape):
        return OPS["transpose"](x, axes=tuple(range(len(shape)))[::-1]) if len(shape) > 1 else x

    _through(sample, np.float32, np.transpose, after)


@pytest.mark.parametrize("sample", samples())
def test_operands_that_are_reversed_views(sample):
    def after(x, shape):
        if not shape or 0 in shape:
            return x
        return OPS["slice"](x, starts=tuple([n - 1 for n in shape]), steps=(-1,) * len(shape), sizes=shape)

    _through(sample, np.float64, lambda a: a[(slice(None, None, -1),) * a.ndim] if a.size else a, after)


@pytest.mark.parametrize("sample", samples())
def test_operands_that_are_every_second_element(sample):
    def before(a):
        if not a.ndim:
            return a
        wide = np.full((*a.shape[:-1], 2 * a.shape[-1] + 1), 77, a.dtype)  # what must not be read
        wide[..., 1::2] = a
        return wide

    def after(x, shape):
        if not shape:
            return x
        ends = len(shape) - 1
        return OPS["slice"](x, starts=(0,) * ends + (1,), steps=(1,) * ends + (2,), sizes=shape)

    _through(sample, np.float32, before, after)


@pytest.mark.parametrize("sample", samples())
def test_results_do_not_depend_on_fusion(sample):
    graph, arrays = sample.graph(np.float32), sample.values(np.float32)
    for a, b in zip(compile_graph(graph)(arrays), compile_graph(graph, fusing=False)(arrays)):
        np.testing.assert_array_equal(a, b)
