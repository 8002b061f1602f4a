"""Forward mode of every operation: against finite differences of its oracle, and against reverse mode."""

import numpy as np
import pytest
from graph_interpreter import evaluate, finite_difference, run
from ops.test_derivatives import differentiable, free, scalar

from mathnet.graph.graph import Graph
from mathnet.graph.op import as_tensor
from mathnet.transform.forward_mode import tangents
from mathnet.transform.gradient import gradient


def pushed(sample):
    """(inputs, Σ weights·outputs, its slope along a direction by forward mode and by reverse mode, the direction)."""
    inputs = sample.inputs()
    number = scalar(sample.build(inputs), seed=1)
    wrt = [inputs[k] for k in free(sample)]
    rng = np.random.default_rng(9)
    directions = [rng.uniform(-1, 1, sample.arrays[k].shape) for k in free(sample)]
    (forward,) = tangents([number], wrt, [as_tensor(d) for d in directions])
    backward = gradient([number], [as_tensor(1.0)], wrt)
    wanted = [forward if forward is not None else as_tensor(0.0), *[b for b in backward if b is not None]]
    forward_slope, *slopes = evaluate(Graph(inputs, wanted), sample.arrays)
    pairs = [d for d, b in zip(directions, backward) if b is not None]
    parts = [np.sum(s * d) for s, d in zip(slopes, pairs)]
    scale = 1.0 + sum(np.sum(np.abs(s * d)) for s, d in zip(slopes, pairs))
    return inputs, number, float(forward_slope), float(sum(parts)), directions, scale


@pytest.mark.parametrize("sample", differentiable())
def test_forward_mode(sample):
    inputs, number, forward, backward, directions, scale = pushed(sample)
    assert abs(forward - backward) <= 1e-12 * scale

    def value(t):
        moved = dict(zip(free(sample), directions))
        arrays = [a + t * moved[k] if k in moved else a for k, a in enumerate(sample.arrays)]
        return run([number], dict(zip(inputs, arrays)))[0]

    assert abs(forward - float(finite_difference(value, 0.0))) <= 1e-6 * scale


def test_a_wrong_rule_is_caught(monkeypatch):
    sample = next(p.values[0] for p in differentiable() if p.values[0].op.name == "tanh")
    monkeypatch.setattr(
        type(sample.op), "jvp", lambda self, ts, inputs, outputs: ts[0] * 2.001, raising=False
    )
    with pytest.raises(AssertionError):
        test_forward_mode(sample)
