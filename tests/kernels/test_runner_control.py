"""Loops, branches and host operations of the runner.  Oracle: the same written in Python."""

import gc
import signal
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathnet._kernels import runner
from mathnet._kernels.runner import Program, StatusError

X, Y, Z, W = (("external", index, 0) for index in range(4))


def arena(offset):
    return ("arena", offset)


def floats(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


# ---- Loops -------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    length=st.integers(0, 9),
    modulo=st.sampled_from([0, 1, 2, 3, 4, 7]),
    reverse=st.booleans(),
    read_reverse=st.booleans(),
)
def test_bindings_step_wrap_and_reverse(kernels, length, modulo, reverse, read_reverse):
    """y[j] = 2·x[j' % modulo]."""
    width = 3
    body = Program([kernels.affine(X, Y, width, 2)], 0, 2, 1)
    bindings = [(0, X, 4 * width, modulo, read_reverse), (1, Y, 4 * width, 0, reverse)]
    program = Program([("loop", body, length, bindings, (), "scan")], 0, 2, 1)
    x, y = floats(max(length, modulo, 1), width), np.full((length, width), np.nan, dtype=np.float32)
    program.run([x, y])
    expected = np.empty_like(y)
    for i in range(length):
        source = length - 1 - i if read_reverse else i
        target = length - 1 - i if reverse else i
        expected[target] = 2 * x[source % modulo if modulo else source]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("length", [1, 2, 5, 6])
def test_a_carry_alternates_between_two_buffers(kernels, length):
    """h ← 0.5·h + x_i: read at i % 2, written at (i + 1) % 2 by a step backwards from the second buffer."""
    width = 4
    nbytes = 4 * width
    body = Program([kernels.affine(X, arena(0), width, 0.5), kernels.add(arena(0), Y, Z, width)], 64, 3, 2)
    bindings = [
        (0, arena(0), nbytes, 2, False),
        (1, Y, nbytes, 0, False),
        (2, arena(nbytes), -nbytes, 2, False),
    ]
    program = Program(
        [
            kernels.affine(X, arena(0), width, 1),
            ("loop", body, length, bindings, (), "scan"),
            kernels.affine(arena(nbytes * (length % 2)), Z, width, 1),
        ],
        2 * nbytes,
        3,
        3,
    )
    h, x, y = floats(width), floats(length, width), np.empty(width, dtype=np.float32)
    program.run([h, x, y])
    expected = h
    for row in x:
        expected = np.float32(0.5) * expected + row
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("index_reverse", [False, True])
def test_the_body_reads_the_loop_index(kernels, index_reverse):
    body = Program([kernels.instruction("to_float", [X, Y])], 0, 2, 1)
    program = Program([("loop", body, 4, [(1, X, 4, 0, False)], (), "count", 0, index_reverse)], 0, 1, 1)
    y = np.empty(4, dtype=np.float32)
    program.run([y])
    np.testing.assert_array_equal(y, np.arange(4)[::-1] if index_reverse else np.arange(4))


def test_nested_loops_have_memory_and_pointers_of_their_own(kernels):
    """y[i, j] = 3·(2·x[i])[j] + x[i, j], with one body used in two places."""
    rows, columns = 3, 5
    cell = Program([kernels.affine(X, arena(0), 1, 3), kernels.add(arena(0), Y, Z, 1)], 64, 3, 2, name="cell")
    inner_bindings = [(0, arena(0), 4, 0, False), (1, X, 4, 0, False), (2, Y, 4, 0, False)]
    row = Program(
        [kernels.affine(X, arena(0), columns, 2), ("loop", cell, columns, inner_bindings, (), "columns")],
        64,
        2,
        2,
        name="row",
    )
    bindings = [(0, X, 4 * columns, 0, False), (1, Y, 4 * columns, 0, True)]
    program = Program(
        [
            ("loop", row, rows, bindings, (), "rows"),
            ("loop", row, 1, [(0, X, 0, 0, False), (1, Z, 0, 0, False)], (), "call"),
        ],
        0,
        3,
        2,
    )
    x, y, z = (
        floats(rows, columns),
        np.empty((rows, columns), dtype=np.float32),
        np.empty(columns, dtype=np.float32),
    )
    for _ in range(2):
        program.run([x, y, z])
        np.testing.assert_array_equal(y[::-1], np.float32(3) * (2 * x) + x)
        np.testing.assert_array_equal(z, np.float32(3) * (2 * x[0]) + x[0])


def test_a_failure_in_a_nested_body_tells_the_path_and_the_iterations(kernels):
    check = Program([kernels.affine(X, arena(0), 1, 1), kernels.refuse_nan(X, 1)], 64, 1, 2)
    inner = Program([("loop", check, 3, [(0, X, 4, 0, False)], (), "inner")], 0, 1, 1)
    program = Program(
        [kernels.affine(X, arena(0), 1, 1), ("loop", inner, 2, [(0, X, 12, 0, False)], (), "outer")], 64, 1, 2
    )
    x = np.zeros((2, 3), dtype=np.float32)
    x[1, 2] = np.nan
    with pytest.raises(StatusError) as caught:
        program.run([x])
    assert caught.value.path == (1, 0, 1) and caught.value.iterations == (1, 2)
    assert caught.value.instruction == 1 and caught.value.label == "refuse_nan"
    assert "instruction 1.0.1 (refuse_nan)" in str(caught.value)


def test_bodies_may_have_bound_externals_and_must_have_all(kernels):
    body = Program([kernels.add(X, Y, Z, 2)], 0, 3, 1, name="cell")
    program = Program([("loop", body, 2, [(0, X, 8, 0, False), (2, Y, 8, 0, False)], (), "scan")], 0, 2, 1)
    x, y = np.ones((2, 2), dtype=np.float32), np.empty((2, 2), dtype=np.float32)
    with pytest.raises(
        ValueError, match=r"instruction 0 \(scan\) leaves externals \[1\] of its body 'cell' without a value"
    ):
        program.run([x, y])
    body.bind_external(1, np.array([10, 20], dtype=np.float32))
    program.run([x, y])
    np.testing.assert_array_equal(y, [[11, 21], [11, 21]])
    with pytest.raises(ValueError, match="bound already"):
        Program([("loop", body, 2, [(1, X, 0, 0, False)], (), "scan")], 0, 2, 1)


def test_nesting_is_bounded(kernels):
    program = Program([], 0, 0, 0)
    for _ in range(15):
        program = Program([("loop", program, 1, [], (), "call")], 0, 0, 1)
    program.run()
    with pytest.raises(ValueError, match="17 deep; at most 16"):
        Program([("loop", program, 1, [], (), "call")], 0, 0, 1)


# ---- Branches ----------------------------------------------------------------------------------------------


def test_a_branch_runs_one_of_its_bodies(kernels):
    double = Program([kernels.affine(X, Y, 3, 2)], 0, 2, 1)
    negate = Program([kernels.affine(X, arena(0), 3, -1), kernels.affine(arena(0), Y, 3, 1)], 64, 2, 2)
    bindings = [(0, Y, 0, 0, False), (1, Z, 0, 0, False)]
    program = Program([("branch", X, double, negate, bindings, "cond")], 0, 3, 1)
    x, y = floats(3), np.empty(3, dtype=np.float32)
    program.run([np.array(True), x, y])
    np.testing.assert_array_equal(y, 2 * x)
    program.run([np.array(False), x, y])
    np.testing.assert_array_equal(y, -x)


def test_a_failure_in_a_branch_names_the_side(kernels):
    check = Program([kernels.refuse_nan(X, 1)], 0, 1, 1)
    nothing = Program([], 0, 1, 0)
    program = Program([("branch", X, nothing, check, [(0, Y, 0, 0, False)], "cond")], 0, 2, 1)
    bad = np.full(1, np.nan, dtype=np.float32)
    program.run([np.array(True), bad])
    with pytest.raises(StatusError) as caught:
        program.run([np.array(False), bad])
    assert (
        caught.value.path == (0, 0) and caught.value.iterations == (1,) and caught.value.label == "refuse_nan"
    )


# ---- Host operations ---------------------------------------------------------------------------------------


def host(callable, inputs, outputs, label="host"):
    return ("host", callable, inputs, outputs, label)


@pytest.mark.parametrize("work", [5.0, 1e6], ids=["with the GIL", "without"])
def test_a_host_operation_reads_and_fills_arrays(kernels, work):
    seen = []

    def cumulate(inputs, outputs):
        (x,) = inputs
        seen.append((x.shape, x.dtype, x.flags.writeable, outputs[0].flags.writeable))
        outputs[0][...] = np.cumsum(x, axis=1)
        outputs[1][...] = x.max()

    program = Program(
        [
            kernels.affine(X, arena(0), 6, 2, work=work),
            host(
                cumulate,
                [(arena(0), np.float32, (2, 3))],
                [(arena(64), np.float32, (2, 3)), (Z, np.float64, ())],
            ),
            kernels.affine(arena(64), Y, 6, 1),
        ],
        128,
        3,
        3,
    )
    x, y, top = floats(2, 3), np.empty((2, 3), dtype=np.float32), np.zeros(())
    program.run([x, y, top])
    np.testing.assert_array_equal(y, np.cumsum(2 * x, axis=1))
    assert top == (2 * x).max() and seen == [((2, 3), np.float32, False, True)]


def test_an_exception_passes_unchanged_and_nothing_is_committed(kernels):
    class Odd(Exception):
        pass

    error = Odd("as it was")

    def fail(inputs, outputs):
        raise error

    count = np.zeros(())
    body = Program([host(fail, [], [])], 0, 0, 1)
    for instruction in (host(fail, [], []), ("loop", body, 2, [], (), "scan")):
        program = Program([instruction, kernels.instruction("increment", [X])], 0, 1, 1)
        with pytest.raises(Odd) as caught:
            program.run([count])
        assert caught.value is error and count == 0
    last = caught.traceback[-1]
    assert last.name == "fail"  # the user's line is where the traceback ends


def test_host_operations_run_in_the_applications_float_mode(kernels):
    results = []

    def halve(inputs, outputs):
        results.append(np.float32(2e-38) * np.float32(0.5))

    tiny, y = np.full(1, 2e-38, dtype=np.float32), np.empty(1, dtype=np.float32)
    program = Program([host(halve, [], []), kernels.affine(X, Y, 1, 0.5)], 0, 2, 2, flush=True)
    program.run([tiny, y])
    assert results == [np.float32(1e-38)] and y[0] == 0


def test_a_host_operation_may_run_another_program_and_the_same_one(kernels):
    depth = []

    def again(inputs, outputs):
        outputs[0][...] = 0
        if len(depth) < 3:
            depth.append(None)
            program.run([inputs[0].copy(), outputs[0]])

    program = Program(
        [
            kernels.affine(X, arena(0), 4, 1, 1),
            host(again, [(arena(0), np.float32, (4,))], [(arena(64), np.float32, (4,))]),
            kernels.add(arena(0), arena(64), Y, 4),
        ],
        128,
        2,
        3,
    )
    x, y = np.zeros(4, dtype=np.float32), np.empty(4, dtype=np.float32)
    program.run([x, y])
    np.testing.assert_array_equal(y, 1 + 2 + 3 + 4)


def test_arrays_kept_by_a_host_operation_stay_readable(kernels):
    kept = []
    x, y = np.ones(64, dtype=np.float32), np.empty(64, dtype=np.float32)
    program = Program(
        [
            host(
                lambda inputs, outputs: kept.extend(inputs),
                [(X, np.float32, (64,)), (arena(0), np.float32, (64,))],
                [],
            ),
            kernels.affine(X, Y, 64, 1),
        ],
        256,
        2,
        2,
    )
    program.run([x, y])
    finished = weakref.ref(program)
    del program, x
    gc.collect()
    assert finished() is None
    np.testing.assert_array_equal(kept[0], 1)  # the argument itself is kept
    assert kept[1].sum() is not None  # the workspace too


def test_another_python_thread_runs_while_a_long_instruction_does(kernels):
    """The spinning program ends only if Python code in another thread got the GIL to set the flag."""
    entered, flag = threading.Event(), threading.Event()
    program = Program(
        [
            host(lambda i, o: entered.set(), [], []),
            kernels.spin(20_000),
            host(lambda i, o: flag.wait(5) or 1 / 0, [], []),
        ],
        0,
        0,
        3,
    )

    def set_flag():
        entered.wait(5)
        flag.set()

    thread = threading.Thread(target=set_flag)
    thread.start()
    program.run()
    thread.join()


# ---- Interrupts --------------------------------------------------------------------------------------------


def test_an_interrupt_before_the_commit_leaves_everything(kernels):
    count = np.zeros(())

    def interrupt(inputs, outputs):
        signal.raise_signal(signal.SIGINT)

    program = Program([host(interrupt, [], []), kernels.instruction("increment", [X])], 0, 1, 1)
    with pytest.raises(KeyboardInterrupt):
        program.run([count])
    assert count == 0


class Tripped(Exception):
    pass


@pytest.fixture
def alarm():
    """A signal 60 ms from now, whose handler raises Tripped."""

    def trip(number, frame):
        raise Tripped

    before = signal.signal(signal.SIGALRM, trip)
    signal.setitimer(signal.ITIMER_REAL, 0.06)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_ends_a_long_loop(kernels, alarm):
    count = np.zeros(())
    body = Program([kernels.spin(500)], 0, 0, 1)
    program = Program(
        [("loop", body, 1_000_000, [], (), "for ever"), kernels.instruction("increment", [X])], 0, 1, 1
    )
    with pytest.raises(Tripped):
        program.run([count])
    assert count == 0


def test_a_signal_ends_a_loop_over_nothing(alarm):
    program = Program([("loop", Program([], 0, 0, 0), 1 << 62, [], (), "for ever")], 0, 0, 1)
    with pytest.raises(Tripped):
        program.run()


def test_a_signal_ends_a_serial_instruction_of_many_chunks(kernels, alarm):
    program = Program([kernels.spin(500, chunks=1_000_000)], 0, 0, 1, threads=1)
    with pytest.raises(Tripped):
        program.run()


def test_a_signal_ends_a_divided_instruction(kernels, alarm):
    before = runner.threads()
    runner.set_threads(3)
    try:
        program = Program([kernels.spin(500, chunks=1_000_000)], 0, 0, 1)
        with pytest.raises(Tripped):
            program.run()
        Program([kernels.spin(10, chunks=40)], 0, 0, 1).run()  # the pool is free again
    finally:
        runner.set_threads(before)


def test_the_commit_part_is_not_interrupted(kernels, alarm):
    count = np.zeros(())
    spin = kernels.spin(500, chunks=400)
    program = Program([spin, kernels.instruction("increment", [X])], 0, 1, 0, threads=1)
    try:
        program.run([count])
    except Tripped:
        pass  # raised by Python once the run was over
    assert count == 1
