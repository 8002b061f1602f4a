"""KernelOp: a plugin's compiled kernel in plans and derivatives, on threads; what is refused, and what the kit catches."""

import ctypes
import gc
import shlex
import subprocess
import sysconfig
import threading
from pathlib import Path

import numpy as np
import pytest

import mathnet as mn
from mathnet._kernels.dispatch import read_table

SOURCE = Path(__file__).with_name("plugin_kernels.c")
new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = (
    ctypes.py_object,
    [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p],
)
KEPT = []  # libraries and the name of their capsules live as long as the process


@pytest.fixture(scope="session")
def capsule(tmp_path_factory):
    """``capsule(name, real)``: the table of that name in plugin_kernels.c."""
    folder = tmp_path_factory.mktemp("plugin_kernels")
    libraries = {}
    for real, kind in (("float32", "float"), ("float64", "double")):
        target = folder / f"{real}.so"
        command = shlex.split(sysconfig.get_config_var("CC") or "cc")
        command += ["-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror", f"-I{mn.get_include()}"]
        command += [f"-DREAL={kind}", f'-DREAL_NAME="{real}"', str(SOURCE), "-o", str(target)]
        subprocess.run(command, check=True)
        libraries[real] = ctypes.CDLL(str(target))
    name = ctypes.create_string_buffer(b"mathnet.kernels")
    KEPT.append((libraries, name))

    def make(table="table", real="float64"):
        place = ctypes.addressof(ctypes.c_char.in_dll(libraries[real], table))
        return new_capsule(place, ctypes.cast(name, ctypes.c_char_p), None)

    return make


@pytest.fixture(scope="session")
def tables(capsule):
    return capsule(real="float32"), capsule(real="float64")


def lookup_op(found):
    @mn.op("lookup", samples=[mn.Sample((4,), np.array([3, 0, 0]))])
    class Lookup(mn.KernelOp):
        """table[indices]."""

        tables = found
        operands = ("real", "int64")

        def shape(self, table, indices):
            return indices.shape

        def fields(self, table, indices):
            return {"n": int(np.prod(indices.shape)), "limit": table.shape[0]}

        def vjp(self, dy, table, indices, *, out):
            hits = mn.cast(mn.expand_dims(indices, 1) == np.arange(table.shape[0]), dy.dtype)
            return mn.sum(hits * mn.expand_dims(dy, 1), axis=0), None

        def message(self, code, position, value):
            return f"lookup: index {value:.0f} at position {position} is outside of the table"

    return Lookup


def vector_op(key, found, result=lambda x: x.shape):
    """An operation of one operand whose kernel has the field n."""

    class Operation(mn.KernelOp):
        """A kernel of plugin_kernels.c."""

        tables = found

        def shape(self, x):
            return result(x)

        def fields(self, x):
            return {"n": int(np.prod(x.shape))}

        def vjp(self, dy, x, *, out):
            return mn.broadcast_to(dy, x.shape)

    return mn.op(key, samples=[mn.Sample((2500,)), mn.Sample((3, 4))])(Operation)


@pytest.fixture
def lookup(tables):
    return lookup_op(tables)


@pytest.fixture
def total(tables):
    return vector_op("total", tables, lambda x: ())


X = np.random.default_rng(0).standard_normal((3, 5))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_called_on_arrays(lookup, dtype):
    table = X[0].astype(dtype)
    found = lookup()(table, [[4, 0], [1, 1]])
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, table[[[4, 0], [1, 1]]])
    assert lookup()(table, np.zeros((0, 2), int)).shape == (0, 2)


def test_operands_are_converted_and_refused(lookup, total):
    assert lookup()([1, 2, 3], [2]).dtype == np.float64  # integers are float64, as everywhere
    assert total()(np.float32([1, 2])).dtype == np.float32
    assert float(total()(2.5)) == 2.5
    np.testing.assert_allclose(total()(X.T[::2]), X.T[::2].sum())  # strided
    with pytest.raises(mn.DTypeError, match="'lookup': operand 1 must be of type int64, not float64"):
        lookup()(X[0], X[0])
    with pytest.raises(mn.ArgumentError, match="takes 2 operands, but 1 were given"):
        lookup()(X[0])


def test_in_graphs_and_derivatives(lookup, total):
    indices = np.array([2, 0, 2])

    def f(table):
        return total()(mn.square(lookup()(2.0 * table, indices)))

    table = X[0]
    np.testing.assert_allclose(mn.function(f)(table), np.sum((2 * table[indices]) ** 2))
    expected = np.zeros(5)
    np.add.at(expected, indices, 8 * table[indices])
    np.testing.assert_allclose(mn.grad(f)(table), expected)
    np.testing.assert_allclose(mn.hessian(f)(table), np.diag([8.0, 0, 16, 0, 0]))
    _, tangent = mn.jvp(f, (table,), (np.ones(5),))
    np.testing.assert_allclose(tangent, expected.sum())


def test_in_models(lookup, total, tmp_path):
    with mn.Runtime([lookup], autoload=False, seed=0):

        @mn.layer("table_layer")
        class Table(mn.Layer):
            def build(self, input_shape):
                self.table = self.param("table", (4,), "normal")

            def call(self, x):
                return lookup()(self.table, x)

        mn.register(Table)
        x = mn.Input((3,), dtype="int64")
        model = mn.Model(x, Table()(x))
        rows = np.array([[0, 1, 2], [3, 3, 3]])
        y = model.predict(rows)
        np.testing.assert_array_equal(y, model.parameters["table_layer/table"][rows])
        model.save(tmp_path / "table.mathnet")
        np.testing.assert_array_equal(mn.load(tmp_path / "table.mathnet").predict(rows), y)


def test_a_status_becomes_an_error_with_its_words(lookup, total):
    with pytest.raises(mn.DataError, match="index 7 at position 1 is outside of the table"):
        lookup()(X[0], [1, 7])

    class Silent(lookup):
        def message(self, code, position, value):
            return None

        kernel = "lookup"

    with pytest.raises(mn.DataError, match="silent"):
        Silent()(X[0], [1, 7])


def test_sums_over_chunks_are_the_same_on_any_number_of_threads(total):
    x = np.random.default_rng(1).standard_normal(100_000)
    found = []
    for threads in (1, 2, 4):
        with mn.Runtime(autoload=False, threads=threads):
            found.append(mn.function(lambda x: total()(x))(x))
    assert found[0] == found[1] == found[2]
    np.testing.assert_allclose(found[0], x.sum())


def test_the_interpreter_is_free_while_a_kernel_runs(tables):
    """The kernel waits for another Python thread, which could not release it if the lock of the interpreter were held."""
    ((libraries, _),) = KEPT
    entered, released = [
        ctypes.c_int32.in_dll(libraries["float64"], name) for name in ("entered", "released")
    ]

    def release():
        while not entered.value:
            pass
        released.value = 1

    thread = threading.Thread(target=release)
    thread.start()
    waiting = vector_op("wait_for_release", tables, lambda x: ())()
    assert waiting(X[0]) == 1.0
    thread.join()


def test_a_plan_keeps_its_kernels(tables):
    def made():
        op = vector_op("total", tables, lambda x: ())()
        return mn.function(lambda x: op(x))

    call = made()
    call(X)
    gc.collect()
    np.testing.assert_allclose(call(X), X.sum())


def test_another_abi_version_is_refused_with_both_versions(capsule):
    with pytest.raises(
        mn.PluginError, match=r"operation 'lookup'.*ABI version 2.*this mathnet has ABI version 1"
    ):
        lookup_op(capsule("future"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("misplaced", "field n of kernel lookup does not lie in its descriptor"),
        ("elsewhere", "'quantum'"),
    ],
)
def test_tables_that_cannot_be_right_are_refused(capsule, name, words):
    with pytest.raises(mn.PluginError, match=words):
        lookup_op(capsule(name))


def test_wrong_classes_are_refused(capsule, tables):
    with pytest.raises(mn.PluginError, match=r"'totl'.*did you mean 'total'"):
        vector_op("totl", tables)
    with pytest.raises(mn.PluginError, match="must name its kernel tables"):
        vector_op("total", None)
    with pytest.raises(mn.PluginError, match="has neither __table__ nor __tables__"):
        vector_op("total", np)
    with pytest.raises(mn.PluginError, match="invalid PyCapsule"):
        vector_op("total", [3])
    with pytest.raises(mn.PluginError, match="No module named 'nowhere'"):
        vector_op("total", "nowhere")
    single = vector_op("total", capsule(real="float64"), lambda x: ())()
    with pytest.raises(mn.DTypeError, match="has a kernel for float64 only, not for float32"):
        single(np.float32([1]))


def test_wrong_methods_are_named(tables):
    class Wrong(vector_op("total", tables, lambda x: ())):
        kernel = "total"

    Wrong.fields = lambda self, x: {"m": 1}
    with pytest.raises(mn.PluginError, match=r"'wrong': fields.*no field 'm'"):
        Wrong()(X)
    Wrong.fields = lambda self, x: {"n": "many"}
    with pytest.raises(mn.PluginError, match="field n cannot hold 'many'"):
        Wrong()(X)
    Wrong.fields = lambda self, x: {"n": x.shape[0]}
    Wrong.vjp = lambda self, dy, x, out: mn.ones((2, 2))
    with pytest.raises(
        mn.ShapeError, match=r"result 0 of vjp\(\) has shape \(2, 2\), but its input has \(3, 5\)"
    ):
        mn.grad(lambda x: Wrong()(x))(X)
    Wrong.vjp = None
    with pytest.raises(mn.GradientError, match="'wrong' has no derivative"):
        mn.grad(lambda x: Wrong()(x))(X)
    Wrong.shape = lambda self, x: 3
    with pytest.raises(mn.ShapeError, match="must return a tuple of sizes"):
        Wrong()(X)


def test_a_rejected_descriptor_is_an_error(lookup):
    class Negative(lookup):
        kernel = "lookup"

        def fields(self, table, indices):
            return {"n": -1, "limit": 1}

    with pytest.raises(mn.ArgumentError, match="'negative': kernel lookup rejects the descriptor"):
        Negative()(X[0], [1])


def test_the_kit_passes_good_kernels(lookup, total):
    for good in (lookup, total):
        assert "kernel_writes" in {name for _, _, name in mn.testing.check_plugin(good).passed}


@pytest.mark.parametrize(
    ("key", "words"),
    [("forgetful", "does kernel 'forgetful' write every element"), ("careless", "wrote beside")],
)
def test_the_kit_catches_kernels_that_write_wrongly(tables, key, words):
    with pytest.raises(mn.CheckError, match=words) as caught:
        mn.testing.check_plugin(vector_op(key, tables))
    assert "kernel_writes" in {name for _, _, name, _ in caught.value.failures}


def test_a_table_holds_its_kernels_by_name(capsule):
    assert set(read_table(capsule())) == {"lookup", "total", "forgetful", "careless", "wait_for_release"}


def test_on_many_examples_at_once(total):
    np.testing.assert_allclose(mn.vmap(lambda x: total()(2.0 * x))(X), (2 * X).sum(axis=1))
