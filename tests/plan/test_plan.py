"""Plans: what they compute, what they merge and alias, when they commit, and what they say of themselves."""

import numpy as np
import pytest

import mathnet as mn
import mathnet.ops
from mathnet.errors import DataError, GraphError
from mathnet.graph.dim import Dim
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import VARIABLE, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import PlanCache, compile_graph
from mathnet.store import allocate

F32, F64 = np.dtype("float32"), np.dtype("float64")


def given(*shapes, dtype=F32):
    return [input_tensor(Spec(shape, dtype), f"x{k}") for k, shape in enumerate(shapes)]


def arrays(*shapes, dtype=F32):
    return [np.random.default_rng(k).uniform(-1, 1, s).astype(dtype) for k, s in enumerate(shapes)]


def kernels(plan):
    return [i.kernel.name if i.kind == "kernel" else i.kind for i in plan.instructions]


def test_a_region_of_elementwise_operations_is_one_instruction():
    x, b = given((4, 8), (8,))
    plan = compile_graph(Graph([x, b], [F["tanh"](x * 2.0 + b) - b]))
    assert kernels(plan) == ["elementwise"]
    ax, ab = arrays((4, 8), (8,))
    np.testing.assert_allclose(plan([ax, ab])[0], np.tanh(ax * 2 + ab) - ab, rtol=1e-5)


def test_a_path_that_leaves_a_region_does_not_come_back_to_it():
    x, w = given((4, 4), (4, 4))
    a = F["exp"](x)
    y = a + F["matmul"](a, w)  # the product lies between the two elementwise operations
    plan = compile_graph(Graph([x, w], [y]))
    ax, aw = arrays((4, 4), (4, 4))
    np.testing.assert_allclose(plan([ax, aw])[0], np.exp(ax) + np.exp(ax) @ aw, rtol=1e-5)


def test_product_bias_and_activation_are_one_instruction():
    x, w, b = given((5, 3), (3, 7), (7,))
    plan = compile_graph(Graph([x, w, b], [F["relu"](F["matmul"](x, w) + b)]))
    assert kernels(plan) == ["gemm"]
    ax, aw, ab = arrays((5, 3), (3, 7), (7,))
    np.testing.assert_allclose(plan([ax, aw, ab])[0], np.maximum(ax @ aw + ab, 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [F32, F64])
def test_fused_and_unfused_plans_have_equal_bits(dtype):
    x, w, b = given((6, 5), (5, 9), (9,), dtype=dtype)
    h = F["tanh"](F["matmul"](x, w) + b)
    y = F["sum"](F["square"](h) * h + F["exp"](-h), axis=1)
    z = F["mean"](F["relu"](h) / (1.0 + F["abs"](h)))
    graph = Graph([x, w, b], [y, z, h])
    inputs = arrays((6, 5), (5, 9), (9,), dtype=dtype)
    fused, plain = compile_graph(graph), compile_graph(graph, fusing=False)
    assert len(fused.instructions) < len(plain.instructions)
    for a, b in zip(fused(inputs), plain(inputs)):
        assert a.tobytes() == b.tobytes()


def test_views_cost_no_instruction_and_products_read_through_them():
    x, w = given((3, 4), (5, 3))
    y = F["matmul"](F["transpose"](x), F["transpose"](w))
    plan = compile_graph(Graph([x, w], [F["reshape"](y[1:3], (10,))]))
    assert kernels(plan) == ["gemm", "copy"]  # the copy puts the slice where the result belongs
    ax, aw = arrays((3, 4), (5, 3))
    np.testing.assert_allclose(plan([ax, aw])[0], (ax.T @ aw.T)[1:3].reshape(10), rtol=1e-5)


def test_one_tensor_returned_twice_and_an_input_returned():
    (x,) = given((3,))
    y = F["exp"](x)
    a, b, c = compile_graph(Graph([x], [y, y, x]))([np.ones(3, F32)])
    assert a is not b and a.tobytes() == b.tobytes()
    np.testing.assert_array_equal(c, 1)


# ---- the commit part ----


def variables(*shapes, dtype=F32):
    made = allocate([f"v{k}" for k in range(len(shapes))], shapes, dtype)
    for k, v in enumerate(made):
        v.array[...] = np.random.default_rng(k).uniform(-1, 1, v.shape)
    return made, [VARIABLE(spec=v.spec, variable=v) for v in made]


def test_all_reads_see_the_values_from_before_the_step():
    (a, b), (ta, tb) = variables((4,), (4,))
    before = a.array.copy(), b.array.copy()
    compile_graph(Graph([], [], [(a, tb * 2.0), (b, ta + 1.0)]))([])
    np.testing.assert_array_equal(a.array, before[1] * 2)
    np.testing.assert_array_equal(b.array, before[0] + 1)


def test_an_update_that_reads_its_variable_reversed_is_right():
    (a,), (ta,) = variables((5,))
    before = a.array.copy()
    compile_graph(Graph([], [], [(a, ta + F["flip"](ta))]))([])
    np.testing.assert_array_equal(a.array, before + before[::-1])


def test_a_variable_assigned_another_and_swapped():
    (a, b), (ta, tb) = variables((3,), (3,))
    before = a.array.copy(), b.array.copy()
    compile_graph(Graph([], [], [(a, tb), (b, ta)]))([])
    np.testing.assert_array_equal(a.array, before[1])
    np.testing.assert_array_equal(b.array, before[0])


def test_updates_of_one_segment_are_one_instruction():
    made, tensors = variables((3, 5), (5,), (7, 2))
    x = input_tensor(Spec((3, 5), F32), "x")
    grads = [
        F["square"](x),
        F["sum"](x, axis=0),
        F["matmul"](F["exp"](F["reshape"](x, (15, 1)))[:7], x[:1, :2]),
    ]
    plan = compile_graph(Graph([x], [], [(v, t - 0.5 * g) for v, t, g in zip(made, tensors, grads)]))
    before = [v.array.copy() for v in made]
    (ax,) = arrays((3, 5))
    plan([ax])
    wanted = [ax**2, ax.sum(0), np.exp(ax.reshape(15, 1))[:7] @ ax[:1, :2]]
    for v, old, g in zip(made, before, wanted):
        np.testing.assert_allclose(v.array, old - 0.5 * g, rtol=1e-5, atol=1e-6)
    assert len(plan.instructions) - plan.program.commit <= 2


def test_a_failing_instruction_leaves_every_variable_as_it_was():
    (a,), (ta,) = variables((4,))
    scores = input_tensor(Spec((2, 3), F32), "scores")
    labels = input_tensor(Spec((2,), np.dtype("int64")), "labels")
    loss = F["mean"](F["cross_entropy"](scores, labels))
    plan = compile_graph(Graph([scores, labels], [loss], [(a, ta + loss)]))
    before = a.array.copy()
    with pytest.raises(DataError, match=r"label 3 of example 1 .*nothing was changed"):
        plan([np.zeros((2, 3), F32), np.array([0, 3])])
    np.testing.assert_array_equal(a.array, before)
    plan([np.zeros((2, 3), F32), np.array([0, 2])])
    assert not np.array_equal(a.array, before)


# ---- what a plan says ----


def test_explain_and_profile_name_operations_shapes_and_costs():
    x, w = given((8, 16), (16, 4))
    plan = compile_graph(Graph([x, w], [F["exp"](F["matmul"](x, w))], name="small"))
    text = plan.explain()
    assert "plan small" in text and "gemm float32" in text and "(8, 16) (16, 4) → (8, 4)" in text
    assert plan.flops == 2 * 8 * 16 * 4 + 8 * 4
    report = str(plan.profile(*arrays((8, 16), (16, 4)), repeats=3))
    assert "GFLOP/s" in report and "exp" in report


def test_profile_puts_variables_back():
    (a,), (ta,) = variables((4,))
    before = a.array.copy()
    compile_graph(Graph([], [], [(a, ta + 1.0)])).profile(repeats=2)
    np.testing.assert_array_equal(a.array, before)


def test_profile_of_weights_that_must_not_change():
    (a,), (ta,) = variables((4,))
    a.array.flags.writeable = False
    assert "add" in str(compile_graph(Graph([], [ta + 1.0])).profile(repeats=2))


def test_unknown_sizes_are_refused():
    x = input_tensor(Spec((Dim("n"), 3), F32), "x")
    with pytest.raises(GraphError, match=r"'x' is not known yet; bind"):
        compile_graph(Graph([x], [F["exp"](x)]))


def test_wrong_arrays_are_refused():
    (x,) = given((3,))
    plan = compile_graph(Graph([x], [F["exp"](x)]))
    with pytest.raises(DataError, match=r"float64\(3,\)"):
        plan([np.zeros(3)])


def test_the_cache_finds_plans_by_structure_and_is_bounded():
    cache = PlanCache(size=2)

    def graph(scale):
        (x,) = given((3,))
        return Graph([x], [x * scale])

    first = cache.get(graph(2.0))
    assert cache.get(graph(2.0)) is first
    cache.get(graph(3.0))
    cache.get(graph(4.0))
    assert len(cache) == 2
    assert cache.get(graph(2.0)) is not first


def test_a_cached_plan_keeps_no_data_alive():
    import weakref

    class Data(np.ndarray):
        pass

    def use_once():
        big = np.ones(1000).view(Data)
        mn.grad(lambda w: mn.sum(w * big))(np.ones(1000))
        return weakref.ref(big)

    assert use_once()() is None


def test_deep_graphs_need_no_recursion():
    (x,) = given((2,), dtype=F64)
    y = x
    for _ in range(20_000):
        y = F["tanh"](y)
    assert compile_graph(Graph([x], [y]))([np.ones(2)])[0].shape == (2,)


def test_the_stated_bytes_are_those_that_a_run_takes():
    x, w = given((64, 100), (100, 50))
    h = F["tanh"](F["matmul"](x, w))
    plan = compile_graph(
        Graph([x, w], [F["sum"](F["softmax"](F["matmul"](h, F["transpose"](h)), axis=-1) * 2.0)])
    )
    plan(arrays((64, 100), (100, 50)))
    assert plan.program.idle_bytes == plan.nbytes > plan.arena_bytes > 0


@pytest.mark.parametrize("axes", [(0, 2, 4), (1, 3), (0, 2, 4, 6), (5,)])
def test_many_axes_reduced_in_turns(axes):
    shape = (2, 3, 2, 2, 3, 2, 2)
    (x,) = given(shape, dtype=F64)
    (ax,) = arrays(shape, dtype=F64)
    plan = compile_graph(
        Graph([x], [F["sum"](F["exp"](x), axis=axes), F["max"](x, axis=axes, keepdims=True)])
    )
    total, largest = plan([ax])
    np.testing.assert_allclose(total, np.exp(ax).sum(axes), rtol=1e-13)
    np.testing.assert_array_equal(largest, ax.max(axes, keepdims=True))


def test_many_axes_broadcast_and_transposed():
    a, b = (2, 1, 3, 1, 2, 1, 3, 1), (1, 2, 1, 3, 1, 2, 1, 2)
    x, y = given(a, b, dtype=F64)
    ax, ay = arrays(a, b, dtype=F64)
    plan = compile_graph(Graph([x, y], [x * y, F["transpose"](x * y, (7, 1, 6, 0, 5, 2, 4, 3))]))
    product, moved = plan([ax, ay])
    np.testing.assert_array_equal(product, ax * ay)
    np.testing.assert_array_equal(moved, (ax * ay).transpose(7, 1, 6, 0, 5, 2, 4, 3))
