"""Pruning of loops: nothing that nobody reads is computed, and values stay."""

import numpy as np

import mathnet as mn
from mathnet.functions import TracedCall
from mathnet.graph.graph import Graph
from mathnet.plan import compile_graph
from mathnet.transform.prune import prune

XS = np.random.default_rng(0).normal(size=(5, 2))


def loops(graph):
    return [node for node in graph.nodes if node.op.name == "scan"]


def traced(f, *args):
    call = TracedCall(f, args, {}, "f")
    return call.graph, call.arrays


def test_unread_stacks_are_dropped():
    graph, arrays = traced(lambda x: mn.scan(lambda c, t: (c + t, c), np.zeros(2), x), XS)
    (before,), (after,) = loops(graph), loops(prune(graph))
    assert before.attrs["stacked"] == (True,) and after.attrs["stacked"] == (False,)
    np.testing.assert_allclose(compile_graph(graph)(arrays)[0], XS.sum(0))


def test_unread_carries_ys_slices_and_constants_are_dropped():
    weights = np.ones(2)

    def f(x):
        (a, _), (p, _) = mn.scan(
            lambda c, t: ((c[0] + t[0], c[1] * mn.tanh(t[1] * weights)), (t[0], c[1])),
            (np.zeros(2), np.ones(2)),
            (x, 2 * x),
        )
        return a, p

    graph, arrays = traced(f, XS)
    (loop,) = loops(prune(graph))
    assert (loop.attrs["n_carry"], loop.attrs["n_xs"], len(loop.inputs)) == (1, 1, 2)
    assert len(loop.attrs["body"].outputs) == 2
    a, p = compile_graph(graph)(arrays)
    np.testing.assert_allclose(a, XS.sum(0))
    np.testing.assert_allclose(p, XS)


def test_carries_that_a_read_result_needs_stay():
    def f(x):
        (a, *_), _ = mn.scan(lambda s, t: ((s[0] + s[1], s[1] + s[2], s[2] + t), None), (np.zeros(2),) * 3, x)
        return a

    graph, arrays = traced(f, XS)
    (loop,) = loops(prune(graph))
    assert loop.attrs["n_carry"] == 3
    a = b = c = np.zeros(2)
    for t in XS:
        a, b, c = a + b, b + c, c + t
    np.testing.assert_allclose(compile_graph(graph)(arrays)[0], a)


def test_gradients_by_data_that_nobody_asks_for_are_not_computed():
    graph, _ = traced(
        mn.grad(lambda w: mn.sum(mn.scan(lambda c, t: (mn.tanh(c * w + t), None), np.zeros(2), XS)[0])),
        np.ones(2),
    )
    backward = loops(prune(graph))[-1]
    assert len(backward.attrs["body"].outputs) == backward.attrs["n_carry"]


def test_graphs_without_loops_stay_as_they_are():
    graph, _ = traced(lambda x: mn.tanh(x), XS)
    assert prune(graph) is graph
    assert isinstance(graph, Graph)
