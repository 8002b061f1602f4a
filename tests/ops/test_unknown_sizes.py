"""Sizes that are not known while the graph is built, on any axis: shape rules, binding, derivatives."""

import numpy as np
import pytest
from graph_interpreter import evaluate

import mathnet.ops  # noqa: F401
from mathnet.errors import ShapeError
from mathnet.graph.dim import Dim
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import as_tensor, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.gradient import gradient

N, T = Dim("n"), Dim("t")


def tensor(*shape, dtype=np.float64):
    return input_tensor(Spec(shape, np.dtype(dtype)), "x")


W = np.linspace(-1, 1, 12).reshape(3, 4)
K = np.linspace(-1, 1, 36).reshape(2, 2, 3, 3)

#: name → (shape with unknown sizes, function, shape of the result)
CASES = {
    "broadcasting": ((N, 3), lambda x: x * np.arange(3.0) + 1.0, (N, 3)),
    "a size of 1 broadcasts": ((N, 3), lambda x: x + x[:, :1], (N, 3)),
    "matmul": ((N, 3), lambda x: x @ W, (N, 4)),
    "matmul of a sequence": ((N, T, 3), lambda x: x @ W, (N, T, 4)),
    "both sides": ((N, 3), lambda x: F["transpose"](x) @ x, (3, 3)),
    "sum over it": ((N, 3), lambda x: F["sum"](x, axis=0), (3,)),
    "mean over it": ((N, 3), lambda x: F["mean"](F["square"](x)), ()),
    "mean over both": ((N, T), lambda x: F["mean"](x * x, axis=(0, 1), keepdims=True), (1, 1)),
    "max over it": ((N, 3), lambda x: F["max"](x, axis=0), (3,)),
    "softmax along it": ((N, T), lambda x: F["softmax"](x, axis=1), (N, T)),
    "logsumexp": ((N, 3), lambda x: F["logsumexp"](x, axis=0), (3,)),
    "reshape": ((N, 2, 3), lambda x: F["reshape"](x, (-1, 6)), (N, 6)),
    "flatten": ((N, T, 3), lambda x: F["reshape"](x, (-1,)), (3 * N * T,)),
    "fold into rows": ((N, T, 3), lambda x: F["reshape"](x, (x.shape[0] * x.shape[1], 3)), (N * T, 3)),
    "concatenate along it": ((N, 3), lambda x: F["concatenate"]([x, x * 2.0, x[:, ::-1]]), (3 * N, 3)),
    "concatenate beside it": ((N, 3), lambda x: F["concatenate"]([x, x * 2.0], axis=1), (N, 6)),
    "stack": ((N,), lambda x: F["stack"]([x, x * x], axis=1), (N, 2)),
    "slice beside it": ((N, 3), lambda x: x[:, 1:], (N, 2)),
    "index beside it": ((N, 3), lambda x: x[..., -1], (N,)),
    "pad": ((N, 3), lambda x: F["pad"](x, ((1, 2), (0, 0)), constant_values=0.5), (N + 3, 3)),
    "moveaxis": ((N, 3, T), lambda x: F["moveaxis"](x, 0, -1), (3, T, N)),
    "expand and squeeze": ((N, 3), lambda x: F["squeeze"](F["expand_dims"](x, 1) * 2.0, 1), (N, 3)),
    "like": ((N, 3), lambda x: x * F["ones_like"](x) + F["zeros_like"](x), (N, 3)),
    "conv2d": ((N, 2, 5, 6), lambda x: F["conv2d"](x, K, padding=1), (N, 2, 5, 6)),
    "conv2d same": ((N, 2, T, 6), lambda x: F["conv2d"](x, K, padding="same"), (N, 2, T, 6)),
    "max_pool2d": ((N, 2, 4, 6), lambda x: F["max_pool2d"](x, 2), (N, 2, 2, 3)),
    "avg_pool2d": ((N, 2, T, 6), lambda x: F["avg_pool2d"](x, 2), (N, 2, (T - 2) // 2 + 1, 3)),
    "cross_entropy": ((N, 3), lambda x: F["cross_entropy"](x, F["argmax"](x, axis=1)), (N,)),
    "take beside it": ((N, 3), lambda x: F["take"](x, [2, 0], axis=1), (N, 2)),
    "index arrays beside it": ((N, 3), lambda x: x[:, [2, 0, 0]], (N, 3)),
    "index array along it": ((N, 3), lambda x: x[F["argmax"](x, axis=0)], (3, 3)),
    "an element of each row": ((3, N), lambda x: x[[0, 2, 2], F["argmax"](x, axis=1)], (3,)),
    "writing beside it": ((N, 3), lambda x: F["index_update"](x, (..., [0, 2]), x[:, :2] * 2.0), (N, 3)),
    "adding along it": (
        (N, 3),
        lambda x: F["index_add"](x, F["argmax"](x, axis=0), F["sum"](x, axis=0)),
        (N, 3),
    ),
    "sort along it": ((N, 3), lambda x: F["sort"](x, axis=0), (N, 3)),
    "sort beside it": ((N, 3), lambda x: F["top_k"](x, 2)[0], (N, 2)),
    "take_along_axis": ((N, T), lambda x: F["take_along_axis"](x, F["argsort"](x)), (N, T)),
    "reflected border beside it": ((N, 3), lambda x: F["pad"](x, ((0, 0), (2, 1)), "reflect"), (N, 6)),
    "triangle of both": ((N, T), lambda x: F["tril"](x, -1), (N, T)),
    "diagonal of a square": ((N, N), lambda x: F["diagonal"](x) + F["trace"](x), (N,)),
    "matrix with it on the diagonal": ((N,), lambda x: F["diag"](x, 1), (N + 1, N + 1)),
    "tile": ((N, 3), lambda x: F["tile"](x, (2, 1, 2)), (2, N, 6)),
    "repeat along it": ((N, 3), lambda x: F["repeat"](x, 2, axis=0), (2 * N, 3)),
    "roll beside it": ((N, 3), lambda x: F["roll"](x, 1, 1), (N, 3)),
    "split beside it": ((N, 4), lambda x: F["split"](x, 2, axis=1)[1], (N, 2)),
    "einsum": ((N, T), lambda x: F["einsum"]("nt,mt,nk->mk", x, x, x), (N, T)),
    "einsum of a stack": ((N, T, 2), lambda x: F["einsum"]("nti,ntj->nij", x, x), (N, 2, 2)),
    "einsum of a diagonal": ((N, N), lambda x: F["einsum"]("ii->i", x), (N,)),
    "tensordot over it": ((N, 3), lambda x: F["tensordot"](x, x, axes=(0, 0)), (3, 3)),
    "outer": ((N,), lambda x: F["outer"](x, x), (N, N)),
    "kron": ((N,), lambda x: F["kron"](x, np.array([1.0, 2.0])), (2 * N,)),
}
SIZES = [{N: 3, T: 4}, {N: 1, T: 1 + 1}, {N: 5, T: 7}]


def bound_shape(shape, sizes):
    return tuple(s.evaluate(sizes) if isinstance(s, Dim) else s for s in shape)


@pytest.mark.parametrize("name", CASES)
def test_shapes_follow(name):
    shape, f, wanted = CASES[name]
    assert f(tensor(*shape)).shape == wanted


@pytest.mark.parametrize("sizes", SIZES, ids=["3,4", "1,2", "5,7"])
@pytest.mark.parametrize("name", CASES)
def test_a_graph_that_is_bound_later_computes_the_same(name, sizes):
    shape, f, _ = CASES[name]
    x = tensor(*shape)
    array = np.random.default_rng(0).normal(size=bound_shape(shape, sizes))
    later = Graph([x], [f(x)]).bind(sizes).verify()
    y = tensor(*array.shape)
    (wanted,) = evaluate(Graph([y], [f(y)]), [array])
    (got,) = compile_graph(later)([array])
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_derivatives_that_are_built_before_the_sizes_are_known(name):
    shape, f, _ = CASES[name]
    sizes = SIZES[0]

    def slopes(x):
        number = F["sum"](F["tanh"](f(x)))
        (first,) = gradient([number], [as_tensor(1.0)], [x])
        (second,) = gradient([F["sum"](first * first)], [as_tensor(1.0)], [x])
        return [first, second if second is not None else F["zeros_like"](x)]

    x = tensor(*shape)
    array = np.random.default_rng(0).normal(size=bound_shape(shape, sizes))
    later = Graph([x], slopes(x)).bind(sizes).verify()
    y = tensor(*array.shape)
    for got, wanted in zip(compile_graph(later)([array]), evaluate(Graph([y], slopes(y)), [array])):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11)


def test_two_unknown_sizes_are_not_taken_for_equal():
    with pytest.raises(ShapeError, match="broadcast"):
        tensor(N, 3) + tensor(T, 3)
    with pytest.raises(ShapeError, match="inner sizes"):
        tensor(3, N) @ tensor(T, 3)
    with pytest.raises(ShapeError, match="concatenate"):
        F["concatenate"]([tensor(3, N), tensor(3, T)])


def test_an_unknown_size_is_not_taken_for_1():
    with pytest.raises(ShapeError, match="broadcast"):
        tensor(N, 3) + tensor(2, 3)
    with pytest.raises(ShapeError, match="size"):
        F["squeeze"](tensor(N, 3), 0)


def test_parts_of_an_unknown_size_are_refused_with_the_axis():
    for index in (0, slice(1, None), slice(None, None, 2)):
        with pytest.raises(ShapeError, match="axis 0 has the unknown size"):
            tensor(N, 3)[index]
