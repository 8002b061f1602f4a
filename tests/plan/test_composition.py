"""Random compositions of operations: fused and unfused plans have equal bits, values and derivatives are those of float64 NumPy."""

import numpy as np
import pytest
from graph_interpreter import evaluate

import mathnet.ops  # noqa: F401
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS as F
from mathnet.graph.op import constant, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.gradient import gradient

F32, F64 = np.dtype("float32"), np.dtype("float64")
SHAPES = [(3, 4), (4,), (3, 1), (2, 3, 4), ()]
UNARY = ["tanh", "sigmoid", "sin", "cos", "negative", "square", "softplus", "abs", "relu", "exp"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum"]


def draw(rng, inputs, depth):
    """A random tensor over ``inputs``; bounded, so that nothing overflows, and away from the edges of domains."""
    pool = list(inputs)
    for _ in range(depth):
        x = pool[rng.integers(len(pool))]
        kind = rng.integers(9)
        if kind < 3:
            x = F[UNARY[rng.integers(len(UNARY))]](F["tanh"](x) if rng.integers(2) else x)
            x = F["sin"](x) if rng.integers(3) == 0 else x
        elif kind < 5:
            y = pool[rng.integers(len(pool))]
            try:
                x = F[BINARY[rng.integers(len(BINARY))]](x, y)
            except ValueError:  # shapes that do not broadcast
                continue
        elif kind == 5 and x.ndim:
            axis = int(rng.integers(x.ndim))
            x = F[["sum", "mean", "max", "logsumexp"][rng.integers(4)]](
                x, axis=axis, keepdims=bool(rng.integers(2))
            )
        elif kind == 6 and x.ndim > 1:
            x = F["transpose"](x) if rng.integers(2) else F["reshape"](x, (-1,))
        elif kind == 7 and x.ndim > 1:
            x = F["matmul"](x, F["transpose"](x)) if x.ndim == 2 else F["softmax"](x, axis=-1)
        elif kind == 8:
            x = (
                F["where"](x > 0.1, x * 0.5, F["tanh"](x) - 0.25)
                if rng.integers(2)
                else x / (1.5 + F["square"](x))
            )
        else:
            continue
        pool.append(F["tanh"](x) if x.ndim < 4 else x)  # keeps values small and adds a consumer
    return pool[len(inputs) :][-4:] or [F["tanh"](inputs[0])]


def example(seed, dtype):
    rng = np.random.default_rng(seed)
    shapes = [SHAPES[k] for k in rng.integers(len(SHAPES), size=3)]
    inputs = [input_tensor(Spec(shape, dtype), f"x{k}") for k, shape in enumerate(shapes)]
    arrays = [rng.uniform(-1.5, 1.5, shape).astype(dtype) for shape in shapes]
    return Graph(inputs, draw(rng, inputs, int(rng.integers(1, 13)))), arrays


@pytest.mark.parametrize("block", range(10))
def test_values_and_bits(block):
    for seed in range(50 * block, 50 * block + 50):
        for dtype, tolerance in ((F32, 2e-5), (F64, 1e-10)):
            graph, arrays = example(seed, dtype)
            fused, plain = compile_graph(graph)(arrays), compile_graph(graph, fusing=False)(arrays)
            for a, b in zip(fused, plain):
                assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), f"seed {seed} {dtype}\n{graph}"
            for a, want in zip(fused, evaluate(graph, arrays)):
                np.testing.assert_allclose(
                    a, want, rtol=tolerance, atol=tolerance, err_msg=f"seed {seed}\n{graph}"
                )


@pytest.mark.parametrize("block", range(5))
def test_derivatives_along_random_directions(block):
    for seed in range(1000 + 20 * block, 1020 + 20 * block):
        graph, arrays = example(seed, F64)
        rng = np.random.default_rng(seed)
        loss = F["sum"](F["stack"]([F["sum"](F["sin"](output)) for output in graph.outputs]))
        grads = gradient([loss], [constant(1.0, F64)], graph.inputs)
        known = [k for k, g in enumerate(grads) if g is not None]
        plan = compile_graph(Graph(graph.inputs, [grads[k] for k in known]))
        direction = [rng.normal(size=a.shape) for a in arrays]
        slope = sum(np.sum(g * direction[k]) for k, g in zip(known, plan(arrays)))

        def along(t, graph=graph, loss=loss, arrays=arrays, direction=direction):
            moved = [a + t * d for a, d in zip(arrays, direction)]
            return evaluate(Graph(graph.inputs, [loss]), moved)[0]

        h = 1e-6
        numeric = (along(h) - along(-h)) / (2 * h)
        near_kink = abs((along(h) - along(0.0)) - (along(0.0) - along(-h))) > 1e-9 * max(1.0, abs(numeric))
        if not near_kink:
            assert abs(slope - numeric) <= 1e-6 * max(1.0, abs(numeric)), (
                f"seed {seed}: {slope} against {numeric}\n{graph}"
            )
