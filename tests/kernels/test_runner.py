"""Programs: operands, chunks, statuses, describing and profiling.  Oracle: NumPy."""

import doctest
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathnet._kernels import runner
from mathnet._kernels.runner import Program, StatusError

X, Y, Z = (("external", index, 0) for index in range(3))


def arena(offset):
    return ("arena", offset)


def test_kernels_run_in_order_and_pass_values_through_the_arena(kernels):
    x = np.arange(10, dtype=np.float32)
    y = np.empty_like(x)
    program = Program(
        [
            kernels.affine(X, arena(0), 10, 2.0, 1.0),
            kernels.affine(arena(0), arena(64), 10, 3.0),
            kernels.add(arena(0), arena(64), Y, 10),
        ],
        arena_bytes=128,
        externals=2,
        commit=3,
    )
    program.run([x, y])
    np.testing.assert_array_equal(y, (2 * x + 1) * 4)


def test_operand_offsets_apply_to_arena_externals_and_bound_externals(kernels):
    x = np.arange(8, dtype=np.float32)
    y = np.zeros(8, dtype=np.float32)
    program = Program([kernels.add(("external", 0, 4), ("external", 2, 8), ("external", 1, 12), 3)], 0, 3, 1)
    bound = np.arange(100, 108, dtype=np.float32)
    program.bind_external(2, bound)
    program.run([x, y])
    np.testing.assert_array_equal(y, [0, 0, 0, 1 + 102, 2 + 103, 3 + 104, 0, 0])


def test_a_bound_array_is_live_and_kept(kernels):
    program = Program([kernels.add(X, Y, Z, 4)], 0, 3, 1)
    program.bind_external(1, np.full(4, 5, dtype=np.float32))  # no other reference
    x, z = np.ones(4, dtype=np.float32), np.empty(4, dtype=np.float32)
    program.run([x, None, z])
    np.testing.assert_array_equal(z, 6)
    assert program.unbound == (0, 2)


def test_binding_after_a_run_reaches_recycled_workspaces(kernels):
    program = Program([kernels.add(X, Y, Z, 4)], 0, 3, 1)
    one, z = np.ones(4, dtype=np.float32), np.empty(4, dtype=np.float32)
    program.run([one, one, z])
    program.bind_external(1, np.full(4, 9, dtype=np.float32))
    program.run([one, None, z])
    np.testing.assert_array_equal(z, 10)


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(0, 5000),
    chunk=st.integers(1, 700),
    threads=st.sampled_from([1, 2, 5]),
    parallel=st.booleans(),
)
def test_bits_do_not_depend_on_threads(kernels, n, chunk, threads, parallel):
    x = np.random.default_rng(n).standard_normal(n).astype(np.float32)
    chunks = -(-n // chunk)
    shared = 64 * (1 + n // 16)
    program = Program(
        [
            kernels.affine(X, arena(0), n, 1.5, 0.25, chunk, work=1e6 if parallel else 1),
            kernels.sum(arena(0), Y, arena(shared), n, chunk, work=1e6),
        ],
        arena_bytes=shared + 4 * chunks,
        externals=2,
        commit=2,
        threads=threads,
    )
    y = np.empty((), dtype=np.float32)
    before = runner.threads()
    runner.set_threads(5)
    try:
        program.run([x, y])
    finally:
        runner.set_threads(before)
    terms = np.float32(1.5) * x + np.float32(0.25)
    total = np.float32(0)
    for start in range(0, n, chunk):
        part = np.float32(0)
        for term in terms[start : start + chunk]:
            part += term
        total += part
    assert y.tobytes() == total.tobytes()


def test_each_worker_has_scratch_of_its_own(kernels):
    chunks, n = 64, 500
    sizes = type(kernels.affine(X, Y, 1, 1)[4])(chunks=chunks, scratch=8 * n, work=1e6)
    program = Program([kernels.instruction("fill_scratch", [X], struct.pack("qq", n, 20), sizes)], 0, 1, 1)
    y = np.empty(chunks)
    program.run([y])
    np.testing.assert_array_equal(y, np.arange(chunks) * n)
    assert program.scratch_bytes == 8 * n


@pytest.mark.parametrize("work", [1.0, 1e6], ids=["serial", "parallel"])
def test_a_failing_kernel_names_instruction_position_and_value(kernels, work):
    x = np.zeros(1000, dtype=np.float32)
    x[[350, 351, 777]] = np.nan
    program = Program(
        [kernels.affine(X, Y, 1000, 1), kernels.refuse_nan(X, 1000, 100, work)], 0, 2, 2, name="step"
    )
    y = np.empty_like(x)
    for _ in range(20):  # always the lowest failing chunk, however the threads race
        with pytest.raises(StatusError) as caught:
            program.run([x, y])
        error = caught.value
        assert (error.code, error.instruction, error.position, error.value) == (2, 1, 350, 3.0)
        assert error.label == "refuse_nan" and error.path == (1,) and error.step is None
    assert str(error) == "NaN in instruction 1 (refuse_nan): position 350, value 3"


def test_nothing_after_a_failure_runs(kernels):
    x = np.full(4, np.nan, dtype=np.float32)
    count = np.zeros(())
    program = Program([kernels.refuse_nan(X, 4), kernels.instruction("increment", [Y])], 0, 2, 1)
    with pytest.raises(StatusError):
        program.run([x, count])
    assert count == 0
    program.run([np.zeros(4, dtype=np.float32), count])
    assert count == 1


@pytest.mark.parametrize("chunk, results", [(100, 7), (7, 100), (1000, 50), (100, 1)])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_second_stage_sees_all_of_the_first(kernels, chunk, results, threads):
    n = 1000
    instruction = kernels.multiples_of_sum(X, Y, arena(0), n, chunk, results, work=1e6)
    program = Program([instruction], 4096, 2, 1, threads=threads)
    x, y = np.arange(n, dtype=np.float32), np.empty(results, dtype=np.float32)
    before = runner.threads()
    runner.set_threads(3)
    try:
        for scale in range(1, 20):
            program.run([x * np.float32(scale), y])
            np.testing.assert_array_equal(y, scale * 499500 * np.arange(1, results + 1, dtype=np.float32))
    finally:
        runner.set_threads(before)


def test_an_empty_program_and_empty_arrays(kernels):
    Program([], 0, 0, 0).run()
    empty = np.empty(0, dtype=np.float32)
    total = np.full((), 7, dtype=np.float32)
    Program([kernels.sum(X, Y, arena(0), 0, 16)], 64, 2, 1).run([empty, total])
    assert total == 0  # no chunks, but the finishing call


def test_flush_to_zero_is_set_for_the_program_and_restored(kernels):
    tiny = np.full(100_000, 2e-38, dtype=np.float32)  # half of it is denormal
    y = np.empty_like(tiny)
    for flush in (False, True):
        program = Program([kernels.affine(X, Y, tiny.size, 0.5, chunk=1000, work=1e7)], 0, 2, 1, flush=flush)
        program.run([tiny, y])
        np.testing.assert_array_equal(y, 0 if flush else np.float32(1e-38))
        assert np.float32(2e-38) * np.float32(0.5) == np.float32(1e-38) != 0  # the caller's own mode


def test_describe_and_profile(kernels):
    body = Program([kernels.affine(X, Y, 4, 2)], 0, 2, 1, name="body")
    program = Program(
        [
            kernels.affine(X, arena(0), 4, 2, work=20_000.0),
            ("loop", body, 3, [(0, arena(0), 0, 0, False), (1, Y, 0, 0, False)], (), "repeat"),
        ],
        64,
        2,
        2,
        name="twice",
    )
    first, second = program.describe()
    assert first == {
        "kind": "kernel",
        "label": "affine",
        "chunks": 1,
        "work": 20_000.0,
        "scratch": 0,
        "threads": 1,
    }
    assert second["kind"] == "loop" and second["length"] == 3 and second["bodies"][0][0]["label"] == "affine"
    assert program.arena_bytes == 64 and program.commit == 2 and program.externals == 2 and len(program) == 2
    assert program.work > 20_000 and not program.keeps_gil and body.keeps_gil
    assert "twice" in repr(program)
    x, y = np.ones(4, dtype=np.float32), np.empty(4, dtype=np.float32)
    seconds = program.profile([x, y], repeats=5)
    assert len(seconds) == 2 and all(0 <= value < 1 for value in seconds)
    np.testing.assert_array_equal(y, 4)


def test_profile_attributes_time_to_the_instruction_that_took_it(kernels):
    program = Program([kernels.affine(X, Y, 1, 1), kernels.spin(300), kernels.affine(X, Y, 1, 1)], 0, 2, 3)
    x = np.ones(1, dtype=np.float32)
    seconds = program.profile([x, x.copy()], repeats=3)
    assert seconds[1] >= 3e-4 and seconds[1] == max(seconds)


def bad_programs(kernels):
    good = kernels.affine(X, Y, 4, 1)
    sizes = good[4]
    body = Program([good], 0, 2, 1)
    yield "kinds", [("jump", 3)], "begins with one of kernel, loop, branch, host"
    yield "empty", [()], "begins with one of"
    yield (
        "arena",
        [kernels.affine(arena(65), Y, 4, 1)],
        r"instruction 0 \(affine\).*outside the arena of 64 bytes",
    )
    yield "external", [kernels.affine(X, ("external", 2, 0), 4, 1)], "there are 2 externals"
    yield "operand", [kernels.affine(X, ("heap", 0), 4, 1)], "expected .'arena', offset."
    yield "address", [("kernel", 0, b"", (), sizes, "none")], r"\(none\): the kernel's address is 0"
    yield "chunks", [("kernel", 1, b"", (), sizes._replace(chunks=-1), "bad")], "chunks=-1"
    yield "arguments", [("kernel", 1, b"")], "malformed 'kernel' instruction"
    yield "body", [("loop", None, 3, [], (), "l")], "malformed 'loop' instruction"
    yield "operands", [("loop", body, 3, [], (X,), "l")], "operands are those of its bindings"
    yield "length", [("loop", body, -1, [], (), "l")], r"\(l\): length -1"
    yield (
        "binding",
        [("loop", body, 1, [(2, X, 0, 0, False)], (), "l")],
        "a binding for external 2, but the body has 2 externals",
    )
    yield "modulo", [("loop", body, 1, [(0, X, 0, -1, False)], (), "l")], "modulo -1"
    yield "index", [("loop", body, 1, [], (), "l", 2)], "index_external 2"


def test_malformed_instructions_are_refused_by_name(kernels):
    for _, instructions, message in bad_programs(kernels):
        with pytest.raises(ValueError, match=message) as caught:
            Program(instructions, 64, 2, 0, name="plan")
        assert "Program 'plan', instruction 0" in str(caught.value)


def test_bad_arguments_of_programs_and_runs_are_refused(kernels):
    good = kernels.affine(X, Y, 4, 1)
    with pytest.raises(ValueError, match="commit=2 with 1 instructions"):
        Program([good], 0, 2, 2)
    program = Program([good], 0, 2, 1, name="plan")
    x = np.ones(4, dtype=np.float32)
    with pytest.raises(ValueError, match="external 1 is neither given nor bound"):
        program.run([x])
    with pytest.raises(ValueError, match="3 arrays for 2 externals"):
        program.run([x, x, x])
    with pytest.raises(ValueError, match="expected an ndarray, not list"):
        program.run([[1.0], x])
    with pytest.raises(ValueError, match="C-contiguous"):
        program.run([np.ones(8, dtype=np.float32)[::2], x])
    with pytest.raises(ValueError, match="no external 2"):
        program.bind_external(2, x)
    program.bind_external(0, x)
    program.bind_external(0, x)  # the same again does nothing
    with pytest.raises(ValueError, match="bound already"):
        program.bind_external(0, x.copy())
    with pytest.raises(ValueError, match="give None for it"):
        program.run([x, x])
    with pytest.raises(ValueError, match="threads=-1"):
        program.threads = -1
    with pytest.raises(ValueError, match=r"profile\(repeats=0\)"):
        program.profile([None, x], repeats=0)
    with pytest.raises(TypeError, match="twice"):
        program.__init__([], 0, 0, 0)


def test_the_examples_in_the_docstrings_hold():
    results = doctest.testmod(runner)
    assert results.failed == 0 < results.attempted
