"""Batching rules: every operation on several examples at once against one example after the other."""

import numpy as np
import pytest
from ops.operation_samples import samples

from mathnet.graph.graph import Graph
from mathnet.graph.op import input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.batching import vectorized

N = 3
#: Operations with operands that belong to each other: they are tested through the functions that make them.
_SHARED = {
    "dot_attention_backward",
    "eigenvalue_splitting",
    "simple_spectrum",
    "searchsorted",
    "max_pool2d_backward",
    "max_pool2d_gather",
}


def varied(array, example):
    """The sample's operand for one of the examples: other numbers, other order of indices."""
    if array.dtype.kind == "f":
        return array * (1.0 + 0.01 * example)
    return np.roll(array, example) if array.dtype.kind == "i" else array


def cases():
    found = []
    for p in samples():
        sample = p.values[0]
        k = len(sample.arrays)
        wanted = {tuple([True] * k), *[tuple([i == j for i in range(k)]) for j in range(k)]}
        for flags in sorted(wanted, reverse=True):
            if k and sample.op.name not in _SHARED:
                found.append(pytest.param(sample, flags, id=f"{p.id}-{''.join('01'[f] for f in flags)}"))
    return found


@pytest.mark.parametrize(("sample", "flags"), cases())
def test_many_at_once_are_one_by_one(sample, flags):
    stacks = [np.stack([varied(a, e) for e in range(N)]) if m else a for a, m in zip(sample.values(), flags)]
    inputs = [input_tensor(Spec(a.shape, a.dtype), "x") for a in stacks]
    examples = [
        input_tensor(Spec(a.shape[1:], a.dtype), "x") if m else t for a, t, m in zip(stacks, inputs, flags)
    ]
    outputs = sample.build(examples)
    made = vectorized(
        outputs, [e for e, m in zip(examples, flags) if m], [t for t, m in zip(inputs, flags) if m], N
    )
    whole = compile_graph(Graph(inputs, made))([np.array(a, order="C") for a in stacks])
    for e in range(N):
        arrays = [np.array(a[e], order="C") if m else a for a, m in zip(stacks, flags)]
        for found, wanted in zip(whole, compile_graph(sample.graph())(arrays)):
            wanted = np.asarray(wanted)
            scale = max(1.0, np.max(np.abs(wanted), initial=0.0)) if wanted.dtype.kind == "f" else 1
            np.testing.assert_allclose(found[e], wanted, rtol=1e-12, atol=1e-12 * scale, equal_nan=True)
