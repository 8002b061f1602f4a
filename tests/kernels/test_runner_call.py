"""Call: signatures, copies, checks, results, locks, workspaces and memory."""

import gc
import threading
import tracemalloc
from copy import deepcopy

import numpy as np
import pytest

from mathnet._kernels import runner
from mathnet._kernels.runner import Call, InputSpec, OutputSpec, Program, StatusError, StepLock, WorkspacePool

X, Y, Z = (("external", index, 0) for index in range(3))


def no_rebind(*args, **kwargs):
    raise AssertionError(f"rebind was called with {args}, {kwargs}")


def add_call(kernels, n=4, copy=False, rebind=no_rebind, work=5.0, **keywords):
    """z = x + y."""
    program = Program([kernels.add(X, Y, Z, n, work=work)], 0, 3, 1, name="add", **keywords)
    inputs = [InputSpec(0, np.float32, (n,), copy), InputSpec(1, np.float32, (n,), copy)]
    return Call(program, inputs, [OutputSpec(2, np.float32, (n,))], rebind)


@pytest.mark.parametrize("copy", [False, True])
def test_a_call_returns_fresh_arrays(kernels, copy):
    call = add_call(kernels, copy=copy)
    x, y = np.arange(4, dtype=np.float32), np.full(4, 10, dtype=np.float32)
    first = call(x, y)
    second = call(y, y)
    np.testing.assert_array_equal(first, x + y)
    np.testing.assert_array_equal(second, y + y)
    assert (
        first.dtype == np.float32
        and first.flags.owndata
        and first.flags.writeable
        and first.flags.c_contiguous
    )
    np.testing.assert_array_equal(call.__call__(*(x, y)), x + y)


def test_anything_else_than_the_signature_goes_to_rebind(kernels):
    calls = []

    def rebind(*args, **kwargs):
        calls.append((args, kwargs))
        return "rebound"

    call = add_call(kernels, rebind=rebind)
    x = np.ones(4, dtype=np.float32)

    class Sub(np.ndarray):
        pass

    odd_offset = np.frombuffer(bytearray(17), dtype=np.uint8)[1:].view(np.float32)
    assert not odd_offset.flags.aligned
    others = [
        x.astype(np.float64),
        x.astype(np.int32),
        np.ones(5, dtype=np.float32),
        np.ones((4, 1), dtype=np.float32),
        np.ones(8, dtype=np.float32)[::2],
        odd_offset,
        x.astype(">f4"),
        x.view(Sub),
        [1.0, 2.0, 3.0, 4.0],
        None,
        3,
    ]
    for other in others:
        assert call(x, other) == "rebound"
        assert calls[-1][0][1] is other and calls[-1][1] == {}
    for args, kwargs in [((), {}), ((x,), {}), ((x, x, x), {}), ((x, x), {"weight": x}), ((x,), {"y": x})]:
        assert call(*args, **kwargs) == "rebound"
        assert calls[-1][1] == kwargs and len(calls[-1][0]) == len(args)
    assert len(calls) == len(others) + 5


def test_an_equal_descriptor_that_is_another_object_is_accepted(kernels):
    descriptor = np.dtype({"names": ["x"], "formats": ["<f4"]})[0].newbyteorder("<")
    y = np.ones(4, dtype=descriptor)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(add_call(kernels)(y, y), 2)


def test_a_call_that_was_never_initialised_refuses_to_run():
    with pytest.raises(TypeError):
        Call.__new__(Call)()


def test_errors_of_rebind_pass_through(kernels):
    with pytest.raises(AssertionError, match="rebind was called"):
        add_call(kernels)()


def test_inputs_read_in_place_and_copied_inputs_are_not_written(kernels):
    for copy in (False, True):
        x = np.ones(4, dtype=np.float32)
        x.flags.writeable = False
        np.testing.assert_array_equal(add_call(kernels, copy=copy)(x, x), 2)


def test_zero_dimensional_results_and_several_results(kernels):
    program = Program(
        [kernels.affine(X, Y, 1, 2), kernels.affine(X, Z, 3, 3), kernels.affine(X, ("external", 3, 0), 1, 4)],
        0,
        4,
        3,
    )
    outputs = [OutputSpec(1, np.float32, ()), OutputSpec(2, np.float32, (3,)), OutputSpec(3, np.float32, ())]
    call = Call(program, [InputSpec(0, np.float32, (3,))], outputs, no_rebind)
    double, triple, quadruple = call(np.ones(3, dtype=np.float32))
    assert type(double) is np.float32 and double == 2 and quadruple == 4
    np.testing.assert_array_equal(triple, 3)
    floats = Call(program, [InputSpec(0, np.float32, (3,))], outputs, no_rebind, scalar=True)(
        np.ones(3, dtype=np.float32)
    )
    assert type(floats[0]) is float and floats[0] == 2.0 and type(floats[1]) is np.ndarray


def test_scalar_results(kernels):
    program = Program([kernels.affine(X, Y, 1, 2)], 0, 2, 1)
    x = np.full(1, 1.5, dtype=np.float32)
    call = Call(
        program, [InputSpec(0, np.float32, (1,))], [OutputSpec(1, np.float32, ())], no_rebind, scalar=True
    )
    assert type(call(x)) is float and call(x) == 3.0
    count = Program([kernels.instruction("increment", [X])], 0, 1, 1)
    double = Call(count, [], [OutputSpec(0, np.float64, ())], no_rebind, scalar=True)
    assert type(double()) is float
    with pytest.raises(ValueError, match="0-d result of int64 has no Python float"):
        Call(count, [], [OutputSpec(0, np.int64, ())], no_rebind, scalar=True)


def test_no_results(kernels):
    count = np.zeros(())
    program = Program([kernels.instruction("increment", [X])], 0, 1, 0)
    program.bind_external(0, count)
    assert Call(program, [], [], no_rebind)() == ()
    assert count == 1


@pytest.mark.parametrize("copy", [False, True])
def test_index_and_nan_checks_come_before_everything(kernels, copy):
    count = np.zeros(())
    program = Program([kernels.instruction("increment", [Z])], 0, 3, 0)
    program.bind_external(2, count)
    inputs = [InputSpec(0, np.int64, (3,), copy, ("index", 10)), InputSpec(1, np.float64, (2,), copy, "nan")]
    call = Call(program, inputs, [], no_rebind)
    good, finite = np.array([0, 9, 5]), np.array([1.0, np.inf])
    call(good, finite)
    for bad in (10, -1, 1 << 40):
        with pytest.raises(StatusError) as caught:
            call(np.array([3, bad, 4]), finite)
        error = caught.value
        assert (error.code, error.instruction, error.input, error.position, error.value) == (1, -1, 0, 1, bad)
        assert str(error) == f"index out of range in input 0: position 1, value {bad:g}"
    with pytest.raises(StatusError) as caught:
        call(good, np.array([1.0, np.nan]))
    assert (caught.value.code, caught.value.input, caught.value.position) == (2, 1, 1)
    call(good, finite)
    assert count == 2


def test_a_nan_far_into_a_large_target_is_found(kernels):
    program = Program([kernels.instruction("nothing", [X])], 0, 1, 1)
    for dtype in (np.float32, np.float64):
        call = Call(program, [InputSpec(0, dtype, (3, 10_007), False, "nan")], [], no_rebind)
        x = np.zeros((3, 10_007), dtype=dtype)
        call(x)
        x[2, 9_999] = np.nan
        with pytest.raises(StatusError) as caught:
            call(x)
        assert caught.value.position == 2 * 10_007 + 9_999


def test_a_status_is_worded_by_the_owner_of_the_call(kernels):
    program = Program([kernels.refuse_nan(X, 4)], 0, 1, 1)
    seen = []

    def worded(error, arguments):
        seen.append((error.position, arguments))
        return LookupError("in words")

    call = Call(program, [InputSpec(0, np.float32, (4,))], [], no_rebind, worded=worded)
    x = np.array([1, 2, np.nan, 4], dtype=np.float32)
    with pytest.raises(LookupError, match="in words"):
        call(x)
    (position, arguments), *more = seen
    assert position == 2 and arguments[0] is x and len(arguments) == 1 and not more
    call(np.ones(4, dtype=np.float32))


def test_a_failing_instruction_raises_and_the_call_works_again(kernels):
    program = Program([kernels.refuse_nan(X, 4), kernels.affine(X, Y, 4, 1)], 0, 2, 2)
    lock = StepLock()
    call = Call(program, [InputSpec(0, np.float32, (4,))], [OutputSpec(1, np.float32, (4,))], no_rebind, lock)
    x = np.ones(4, dtype=np.float32)
    for _ in range(3):
        with pytest.raises(StatusError):
            call(np.array([1, 2, np.nan, 4], dtype=np.float32))
        assert not lock.locked()
        np.testing.assert_array_equal(call(x), x)
    assert program.idle_bytes > 0


def test_host_operations_in_a_call_keep_the_arguments(kernels):
    kept = []
    program = Program(
        [
            ("host", lambda i, o: kept.append(i[0]), [(X, np.float32, (4,))], [], "keep"),
            kernels.affine(X, Y, 4, 1),
        ],
        0,
        2,
        2,
    )
    call = Call(program, [InputSpec(0, np.float32, (4,))], [OutputSpec(1, np.float32, (4,))], no_rebind)
    call(np.full(4, 7, dtype=np.float32))
    gc.collect()
    np.testing.assert_array_equal(kept[0], 7)


def test_externals_must_be_free_and_complete(kernels):
    program = Program([kernels.add(X, Y, Z, 4)], 0, 3, 1, name="add")
    spec = InputSpec(0, np.float32, (4,))
    for inputs in ([spec, spec], [InputSpec(3, np.float32, (4,))]):
        with pytest.raises(ValueError, match="does not exist, is bound or is named twice"):
            Call(program, inputs, [], no_rebind)
    call = Call(program, [spec], [OutputSpec(2, np.float32, (4,))], no_rebind)
    x = np.ones(4, dtype=np.float32)
    with pytest.raises(ValueError, match=r"externals \[1\] are neither arguments nor bound"):
        call(x)
    program.bind_external(1, x)
    np.testing.assert_array_equal(call(x), 2)
    with pytest.raises(ValueError, match="is bound"):
        Call(program, [InputSpec(1, np.float32, (4,))], [], no_rebind)


@pytest.mark.parametrize(
    "dtype, check",
    [(np.int32, ("index", 3)), (np.int64, "nan"), (np.float32, "positive"), (np.float32, ("index", 3))],
)
def test_a_check_must_suit_the_dtype(dtype, check):
    with pytest.raises(ValueError, match=r"InputSpec\(check="):
        InputSpec(0, dtype, (3,), True, check)


# ---- Locks -------------------------------------------------------------------------------------------------


def test_steps_with_one_lock_never_overlap(kernels):
    """Each step reads a counter, dawdles without the GIL, and writes it back: lost updates would show."""
    lock, total = StepLock(), np.zeros(())
    read = []

    def begin(inputs, outputs):
        read.append(float(total))

    def end(inputs, outputs):
        total[...] = read.pop() + 1

    program = Program(
        [("host", begin, [], [], "read"), kernels.spin(30), ("host", end, [], [], "write")], 0, 0, 3
    )
    call = Call(program, [], [], no_rebind, lock)
    threads = [threading.Thread(target=lambda: [call() for _ in range(25)]) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == 150 and not lock.locked()


def test_a_step_inside_a_step_is_an_error_not_a_deadlock(kernels):
    program = Program([("host", lambda i, o: call(), [], [], "step")], 0, 0, 1)
    call = Call(program, [], [], no_rebind, StepLock())
    with pytest.raises(RuntimeError, match="inside a step on the same model"):
        call()
    assert not call.lock.locked()


# ---- Workspaces and memory ---------------------------------------------------------------------------------


def test_concurrent_calls_have_workspaces_of_their_own(kernels):
    n = 1000
    program = Program(
        [kernels.affine(X, ("arena", 0), n, 2), kernels.spin(50), kernels.affine(("arena", 0), Y, n, 1)],
        4 * n,
        2,
        3,
    )
    call = Call(program, [InputSpec(0, np.float32, (n,), True)], [OutputSpec(1, np.float32, (n,))], no_rebind)
    wrong = []

    def work(value):
        x = np.full(n, value, dtype=np.float32)
        for _ in range(40):
            if not (call(x) == 2 * value).all():
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_nothing_is_allocated_per_call(kernels):
    call = add_call(kernels, n=1000)
    x = np.ones(1000, dtype=np.float32)
    out = np.empty(1000, dtype=np.float32)
    program = call.program

    def many():
        for _ in range(2000):
            call(x, x)
            program.run([x, x, out])

    many()
    before_idle = program.idle_bytes
    tracemalloc.start()
    many()
    first = tracemalloc.get_traced_memory()[0]
    many()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 2000  # bytes, over 4,000 runs
    assert program.idle_bytes == before_idle > 0


def test_a_failing_call_leaks_nothing(kernels):
    program = Program([kernels.refuse_nan(X, 1)], 1 << 16, 1, 1)
    call = Call(program, [InputSpec(0, np.float32, (1,), True, "nan")], [], no_rebind)
    unchecked = Call(program, [InputSpec(0, np.float32, (1,))], [], no_rebind)
    bad = np.full(1, np.nan, dtype=np.float32)

    def many():
        for _ in range(500):
            for each in (call, unchecked):
                with pytest.raises(StatusError):
                    each(bad)

    many()
    gc.collect()
    tracemalloc.start()
    many()
    gc.collect()
    first = tracemalloc.get_traced_memory()[0]
    many()
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - first
    tracemalloc.stop()
    assert grown < 10_000


def idle_program(pool, kilobytes, **keywords):
    program = Program([], kilobytes * 1024, 0, 0, workspaces=pool, **keywords)
    program.run()
    return program


def test_idle_memory_is_bounded_and_the_least_recently_used_goes_first(kernels):
    pool = WorkspacePool(300 * 1024)
    first, second = idle_program(pool, 100), idle_program(pool, 100)
    assert pool.idle_bytes == pool.retained_bytes == first.idle_bytes + second.idle_bytes > 200 * 1024
    first.run()
    third = idle_program(pool, 100)
    assert first.idle_bytes and third.idle_bytes and not second.idle_bytes
    assert pool.idle_bytes <= pool.max_idle_bytes
    large = idle_program(pool, 1000)  # runs, but keeps nothing
    assert large.idle_bytes == 0 and pool.retained_bytes <= pool.max_idle_bytes


def test_a_pool_can_be_cleared_and_shrunk(kernels):
    pool = WorkspacePool(1 << 20)
    programs = [idle_program(pool, 100) for _ in range(3)]
    pool.max_idle_bytes = 250 * 1024
    assert 0 < pool.idle_bytes <= 250 * 1024
    programs[2].clear()
    pool.clear()
    assert pool.idle_bytes == pool.retained_bytes == 0
    programs[0].run()
    assert pool.idle_bytes == programs[0].idle_bytes == programs[0].workspace_bytes


def test_a_copy_of_a_pool_has_its_bound_and_no_memory():
    pool = WorkspacePool(12345)
    program = idle_program(pool, 10)
    copied = deepcopy(pool)
    assert copied.max_idle_bytes == 12345 and copied.retained_bytes == 0 < program.workspace_bytes


def test_a_dead_program_gives_its_memory_back():
    pool = WorkspacePool(1 << 20)
    program = idle_program(pool, 10)
    assert pool.retained_bytes > 0
    del program
    gc.collect()
    assert pool.retained_bytes == 0


def test_concurrent_runs_leave_no_more_than_the_bound(kernels):
    pool = WorkspacePool(250 * 1024)
    program = Program(
        [("host", lambda i, o: barrier.wait(10), [], [], "meet")], 100 * 1024, 0, 1, workspaces=pool
    )
    barrier = threading.Barrier(5)
    threads = [threading.Thread(target=program.run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < pool.idle_bytes == pool.retained_bytes <= pool.max_idle_bytes


def test_more_threads_later_mean_a_larger_workspace(kernels):
    sizes = type(kernels.affine(X, Y, 1, 1)[4])(chunks=8, scratch=4096, work=1e6)
    program = Program([kernels.instruction("nothing", [], sizes=sizes)], 0, 0, 1)
    before = runner.threads()
    try:
        runner.set_threads(1)
        program.run()
        small = program.idle_bytes
        runner.set_threads(3)
        program.run()
        assert program.idle_bytes == small + 2 * (4096 + 64)
    finally:
        runner.set_threads(before)


@pytest.mark.parametrize("value", [-1, -(1 << 40)])
def test_negative_bounds_are_refused(value):
    with pytest.raises(ValueError, match="0 or more"):
        WorkspacePool(value)
    with pytest.raises(ValueError, match="0 or more"):
        WorkspacePool(0).max_idle_bytes = value


def add_large(kernels, n=1 << 18):
    return add_call(kernels, n), np.arange(n, dtype=np.float32), np.ones(n, dtype=np.float32)


def test_the_memory_of_a_dead_large_result_is_used_again(kernels):
    call, x, y = add_large(kernels)
    kept = call(x, y)
    dead = call(x, x)
    address = dead.ctypes.data
    assert address % 64 == 0 and dead.flags.owndata
    del dead
    again = call(y, y)
    assert again.ctypes.data == address
    np.testing.assert_array_equal(again, y + y)
    np.testing.assert_array_equal(kept, x + y)


def test_a_large_result_can_be_resized(kernels):
    call, x, y = add_large(kernels)
    result = call(x, y)
    result.resize(x.size // 2, refcheck=False)
    np.testing.assert_array_equal(result, (x + y)[: x.size // 2])
    result.resize(4 * x.size, refcheck=False)
    np.testing.assert_array_equal(result[: x.size // 2], (x + y)[: x.size // 2])
    assert not result[x.size // 2 :].any()
    del result
    np.testing.assert_array_equal(call(x, y), x + y)


def test_many_large_results_live_and_die(kernels):
    call, x, y = add_large(kernels)
    results = [call(x, y) for _ in range(100)]
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        more = [call(x, y) for _ in range(10)]
        assert (
            tracemalloc.get_traced_memory()[0] - before > 10 * x.nbytes
        )  # results are seen like other arrays
        del more
        assert tracemalloc.get_traced_memory()[0] - before < x.nbytes
    finally:
        tracemalloc.stop()
    addresses = {result.ctypes.data for result in results}
    assert len(addresses) == 100
    del results
    again = [call(x, y) for _ in range(100)]
    assert len(addresses & {result.ctypes.data for result in again}) >= 16
    np.testing.assert_array_equal(again[-1], x + y)
