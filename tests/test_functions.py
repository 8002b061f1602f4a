"""Functions of arrays and tensors: mn.<name>, mn.function, and what of a call is input, capture and constant."""

import pickle
import threading

import numpy as np
import pytest

import mathnet as mn
from mathnet.functions import ARRAY_CACHE, SIGNATURES, trace
from mathnet.graph.op import FUNCTIONS, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plugin.host import current_runtime

X = np.random.default_rng(0).normal(size=(4, 3))


def symbol(shape=(4, 3), dtype=np.float64):
    return input_tensor(Spec(shape, np.dtype(dtype)), "x")


# ---- array functions -----------------------------------------------------------------------------------------------------


def test_arrays_give_arrays_and_tensors_give_nodes():
    y = mn.tanh(X)
    assert type(y) is np.ndarray
    np.testing.assert_allclose(y, np.tanh(X), rtol=1e-12)
    assert isinstance(mn.tanh(symbol()), mn.Tensor)
    assert isinstance(mn.add(X, symbol()), mn.Tensor)
    assert isinstance(mn.add(x=symbol(), y=X), mn.Tensor)


def test_repeated_calls_of_changing_shapes_and_types():
    for _ in range(3):
        for array in (X, X[0], X.astype(np.float32), X[:, 1], X.T, np.arange(3), X[:0], 0.25):
            y = mn.tanh(array)
            wanted = np.tanh(np.asarray(array, np.float64))
            assert y.shape == wanted.shape
            np.testing.assert_allclose(y, wanted, rtol=1e-5 if y.dtype == np.float32 else 1e-12)


def test_element_types_of_results():
    for given, wanted in [
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        (">f4", "float32"),
    ]:
        assert mn.tanh(np.ones(2, given)).dtype == wanted
    for given in ("int8", "uint16", "int32", "uint64", "int64", ">i4"):
        assert mn.add(np.ones(2, given), 1).dtype == np.int64
    assert mn.add(np.ones(2, np.float32), 1.5).dtype == np.float32
    assert mn.add(np.ones(2, np.float32), np.float64(1.5)).dtype == np.float32
    assert mn.add(np.ones(2, np.float32), np.ones(2)).dtype == np.float64


def test_results_of_rank_0_are_numpy_scalars():
    assert type(mn.tanh(0.5)) is np.float64
    assert type(mn.tanh(np.float32(0.5))) is np.float32
    assert type(mn.sum(X)) is np.float64
    assert type(mn.tanh(np.array(0.5))) is np.float64


def test_lists_of_numbers_are_arrays():
    np.testing.assert_allclose(mn.tanh([0.5, 1]), np.tanh([0.5, 1.0]))
    np.testing.assert_array_equal(mn.add([[1, 2], [3, 4]], 1), [[2, 3], [4, 5]])


def test_settings_may_be_numpys_numbers():
    x, scale, offset = X[:, None], np.zeros(1), np.float32(0.5)
    normal = mn.batch_norm(x, np.ones(1), scale, eps=np.float64(0.5))
    np.testing.assert_array_equal(normal, mn.batch_norm(x, np.ones(1), scale, eps=0.5))
    np.testing.assert_array_equal(mn.pad(X[0], 1, "constant", (offset, 2.0))[[0, -1]], [0.5, 2.0])
    np.testing.assert_array_equal(mn.std(X, ddof=np.float64(1)), mn.std(X, ddof=1))
    assert mn.norm([3.0, -4.0], ord=np.float64(np.inf)) == 4.0
    with pytest.raises(mn.ArgumentError, match="rcond must be None or a number"):
        mn.linalg.pinv(np.eye(2), np.float64(2.0))


def test_arange_counts_as_numpy_does():
    for given in [(3,), (2.5,), (0.5, 2), (0.0, 1.0, 0.25), (3, np.float64(0.5), -1), (np.float32(1), 3)]:
        found, wanted = mn.arange(*given), np.arange(*given)
        np.testing.assert_array_equal(found, wanted)
    for wrong in ["a", None, np.inf]:
        with pytest.raises(mn.ArgumentError, match="arange: start, stop and step must be finite numbers"):
            mn.arange(wrong)


@pytest.mark.parametrize(
    "call",
    [
        mn.grad, mn.value_and_grad, mn.hvp, mn.vhp, mn.jacobian, mn.hessian, mn.function, mn.vmap, mn.checkpoint,
        lambda f: mn.vjp(f, X), lambda f: mn.jvp(f, (X,), (X,)), lambda f: mn.linearize(f, X),
        lambda f: mn.custom_vjp(f, np.sin), lambda f: mn.custom_vjp(np.sin, f), lambda f: mn.scan(f, 0.0, X),
        lambda f: mn.cond(True, f, np.sin, X), lambda f: mn.while_loop(f, np.sin, X),
        lambda f: mn.fixed_point(f, X), lambda f: mn.linear_solve(f, X[0]),
        lambda f: mn.expectation(f, mn.distributions.Normal()),
        lambda f: mn.linear_attention(X[None, None], X[None, None], X[None, None], feature_map=f),
    ],
)  # fmt: skip
def test_what_is_no_function_is_refused(call):
    with pytest.raises(mn.ArgumentError, match="must be a function, not int"):
        call(3)


def test_equal_numbers_that_are_different_constants():
    x = np.array([1.0])
    assert np.signbit(mn.multiply(x, -0.0)) and not np.signbit(mn.multiply(x, 0.0))
    assert mn.add(np.array([1]), 1).dtype == np.int64
    assert mn.add(np.array([1]), 1.0).dtype == np.float64


def test_many_different_numbers_keep_the_cache_bounded():
    x = np.ones(2)
    for k in range(ARRAY_CACHE + 3):
        assert mn.minimum(x, -k)[0] == -k
    assert len(current_runtime().array_calls(FUNCTIONS["minimum"])) == ARRAY_CACHE


def test_arrays_of_other_libraries():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return np.array([1.0, 2.0])

    np.testing.assert_allclose(mn.tanh(Foreign()), np.tanh([1.0, 2.0]))
    np.testing.assert_allclose(mn.grad(lambda x: mn.sum(x * x))(Foreign()), [2.0, 4.0])


def test_element_types_as_arguments():
    for dtype in (np.float32, "float32", np.dtype("float32")):
        assert mn.cast(X, dtype).dtype == np.float32
        assert mn.cast(X, dtype=dtype).dtype == np.float32
    assert mn.zeros((2, 3), np.int64).dtype == np.int64


def test_inputs_are_not_written_to():
    x = X.copy()
    x.flags.writeable = False
    y = mn.tanh(x)
    y[:] = 0
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    "array", [np.array(["a"]), np.ones(2) * 1j, np.array([None]), np.array(["2020"], "M8[Y]")]
)
def test_element_types_that_are_refused(array):
    for _ in range(2):
        with pytest.raises(mn.DTypeError, match="tanh"):
            mn.tanh(array)


def test_name_text_and_pickle():
    assert mn.tanh.__name__ == "tanh" and mn.tanh.__module__ == "mathnet"
    assert pickle.loads(pickle.dumps(mn.tanh)) is mn.tanh


# ---- trace ---------------------------------------------------------------------------------------------------------------


def test_trace_tells_inputs_captures_and_constants_apart():
    graph, structure = trace(lambda x, n: {"y": mn.multiply(x + X, 2.0) * n}, (X, 3))
    assert len(graph.inputs) == 1 and len(graph.captures) == 1
    assert graph.captures[0].attrs["array"] is X
    assert structure.kind == "dict"
    graph.verify()


# ---- mn.function -----------------------------------------------------------------------------------------------------------


def test_function_traces_once_per_signature():
    calls = []

    @mn.function
    def f(x, n=2):
        calls.append(n)
        return mn.sum(x**n)

    for _ in range(3):
        np.testing.assert_allclose(f(X), np.sum(X**2))
    assert calls == [2]
    np.testing.assert_allclose(f(X, 3), np.sum(X**3))
    np.testing.assert_allclose(f(X, n=3), np.sum(X**3))
    np.testing.assert_allclose(f(X[0]), np.sum(X[0] ** 2))
    assert len(calls) == 4
    np.testing.assert_allclose(f(np.asfortranarray(X)), np.sum(X**2))
    np.testing.assert_allclose(f(X.astype(">f8")), np.sum(X**2))
    assert len(calls) == 4
    assert f(X.astype(np.float32)).dtype == np.float32
    assert len(calls) == 5


def test_function_of_floats():
    calls = []

    @mn.function
    def f(x, rate):
        calls.append(1)
        return x * rate

    assert f(2.0, 0.5) == 1.0 and f(3.0, 4.0) == 12.0 and len(calls) == 1
    assert type(f(2.0, 0.5)) is np.float64
    assert f(np.ones(2, np.float32), 0.5).dtype == np.float32


def test_function_of_nested_arguments_and_results():
    f = mn.function(lambda p, *rest: {"s": [p["a"] + r for r in rest], "n": None})
    found = f({"a": X}, 1.0, np.array([2.0, 3.0, 4.0]))
    assert found["n"] is None
    np.testing.assert_allclose(found["s"][0], X + 1)
    np.testing.assert_allclose(found["s"][1], X + np.array([2.0, 3.0, 4.0]))


def test_function_reads_captured_arrays_at_every_call():
    scale = np.array([1.0, 2.0, 3.0])
    table = np.arange(6.0).reshape(3, 2)
    f = mn.function(lambda x: x * scale + table[:, 0])
    for factor in (1.0, 5.0, 7.0):
        scale[:] = factor
        table[:, 0] = factor
        np.testing.assert_allclose(f(X), X * factor + factor)


def test_function_of_a_transform():
    f = mn.function(mn.value_and_grad(lambda x: mn.sum(mn.tanh(x))))
    for x in (X, 2 * X):
        value, slope = f(x)
        np.testing.assert_allclose(value, np.sum(np.tanh(x)))
        np.testing.assert_allclose(slope, 1 - np.tanh(x) ** 2)


def test_function_inside_of_another_trace():
    f = mn.function(lambda x: x * x)
    assert f(3.0) == 9.0
    assert mn.grad(lambda x: f(x) * f(2.0))(3.0) == 24.0
    outer = mn.function(lambda x: mn.function(lambda y: x * y)(2.0))
    assert outer(3.0) == 6.0 and outer(4.0) == 8.0


def test_function_results_that_are_arguments_or_constants():
    f = mn.function(lambda x: (x, x, 1, 2.5, X))
    found = f(np.ones(3))
    np.testing.assert_array_equal(found[0], np.ones(3))
    found[0][0] = 5
    np.testing.assert_array_equal(found[1], np.ones(3))
    assert found[2] == 1 and found[3] == 2.5
    np.testing.assert_array_equal(found[4], X)
    assert found[4] is not X


def test_the_number_of_arguments_is_not_guessed():
    f = mn.function(lambda x: x + X)
    f(X)
    with pytest.raises(TypeError):
        f(X, X)
    with pytest.raises(TypeError):
        f()


def test_function_keeps_a_bounded_number_of_plans():
    f = mn.function(lambda x: x + 1.0)
    for n in range(SIGNATURES + 5):
        f(np.ones(n))
    assert len(f._entries) == SIGNATURES


def test_function_explains_its_plan():
    f = mn.function(lambda x: mn.sum(mn.tanh(x)))
    assert "tanh" in f.plan(X).explain()
    assert "tanh" in repr(mn.function(mn.tanh))


def test_an_argument_that_has_no_place_in_a_signature():
    with pytest.raises(mn.DTypeError, match="neither an array nor part of a signature"):
        mn.function(lambda x, s: x)(X, {1, 2})


def test_errors_while_tracing_leave_no_trace():
    @mn.function
    def f(x):
        if x.shape[0] > 3:
            raise RuntimeError("first time")
        return x + 1.0

    with pytest.raises(RuntimeError):
        f(X)
    np.testing.assert_array_equal(f(np.zeros(3)), np.ones(3))
    from mathnet.graph.trace import current_trace

    assert current_trace() is None


def test_threads_share_a_function():
    f = mn.function(lambda x: mn.sum(x * x))
    failures = []

    def work(k):
        for n in range(1, 8):
            x = np.full(n + k % 2, float(k))
            if f(x) != k * k * x.size:
                failures.append((k, n))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
