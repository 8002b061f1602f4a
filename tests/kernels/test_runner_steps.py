"""run_steps: gathering, losses, transactions.  Oracle: the steps one by one in NumPy."""

import functools
import signal

import numpy as np
import pytest

from mathnet._kernels.runner import Call, InputSpec, OutputSpec, Program, StatusError, StepLock, run_steps

X, LABEL, LOSS, WEIGHT, COUNT = (("external", index, 0) for index in range(5))
BATCH, WIDTH = 3, 4


class Regression:
    """A made-up step: loss = Σ (2·x + w); w ← w + x[0] and count ← count + 1 in the commit part."""

    def __init__(self, kernels, check=True, before_commit=(), labels=("index", 10)):
        n = BATCH * WIDTH
        size = 4 * n
        instructions = [
            *([kernels.refuse_nan(X, n)] if check else []),
            kernels.affine(X, ("arena", 0), n, 2),
            kernels.add(("arena", 0), WEIGHT, ("arena", 0), WIDTH),
            kernels.sum(("arena", 0), LOSS, ("arena", size), n, n),
            *before_commit,
        ]
        commit = len(instructions)
        instructions += [kernels.add(X, WEIGHT, WEIGHT, WIDTH), kernels.instruction("increment", [COUNT])]
        self.program = Program(instructions, size + 64, 5, commit, name="step")
        self.weight, self.count = np.zeros(WIDTH, dtype=np.float32), np.zeros(())
        self.program.bind_external(3, self.weight)
        self.program.bind_external(4, self.count)
        inputs = [
            InputSpec(0, np.float32, (BATCH, WIDTH), True),
            InputSpec(1, np.int64, (BATCH,), True, labels),
        ]
        self.call = Call(
            self.program, inputs, [OutputSpec(2, np.float32, ())], lambda *a: None, StepLock(), scalar=True
        )


def data(rows=20):
    generator = np.random.default_rng(3)
    return generator.integers(-5, 5, (rows, WIDTH)).astype(np.float32), generator.integers(0, 10, rows)


def test_steps_equal_single_calls(kernels):
    x, labels = data()
    order = np.random.default_rng(4).integers(0, len(x), 8 * BATCH)
    many, single = Regression(kernels), Regression(kernels)
    losses = np.full(8, np.nan)
    assert run_steps(many.call, [x, labels], order, losses) == 8 == many.call.completed_steps
    expected = [single.call(x[rows], labels[rows]) for rows in order.reshape(8, BATCH)]
    np.testing.assert_array_equal(losses, expected)
    np.testing.assert_array_equal(many.weight, single.weight)
    np.testing.assert_array_equal(many.weight, x[order[::BATCH]].sum(axis=0))
    assert many.count == 8
    assert not many.call.lock.locked()


def test_rows_of_a_strided_array_and_read_only_data(kernels):
    x, labels = data()
    wide = np.zeros((len(x), 2, WIDTH), dtype=np.float32)
    wide[:, 0] = x
    strided = wide[:, 0]
    strided.flags.writeable = False
    order = np.arange(2 * BATCH)[::-1].copy()
    losses, expected = np.zeros(2), np.zeros(2)
    run_steps(Regression(kernels).call, [x, labels], order, expected)
    run_steps(Regression(kernels).call, [strided, labels], order, losses)
    np.testing.assert_array_equal(losses, expected)


def test_no_steps(kernels):
    x, labels = data()
    assert run_steps(Regression(kernels).call, [x, labels], np.empty(0, dtype=np.int64), np.empty(0)) == 0


def test_several_results_make_columns(kernels):
    program = Program([kernels.affine(X, LABEL, 1, 2), kernels.affine(X, LOSS, 1, 3)], 0, 3, 2)
    call = Call(
        program,
        [InputSpec(0, np.float32, (1,))],
        [OutputSpec(1, np.float32, ()), OutputSpec(2, np.float32, ())],
        lambda *a: None,
    )
    losses = np.zeros((3, 2))
    run_steps(call, [np.arange(3, dtype=np.float32)], np.arange(3), losses)
    np.testing.assert_array_equal(losses, [[0, 0], [2, 3], [4, 6]])


def test_a_failing_step_says_which_and_leaves_the_finished_ones(kernels):
    x, labels = data()
    x[7, 1] = np.nan
    step = Regression(kernels)
    losses = np.full(5, -1.0)
    with pytest.raises(StatusError) as caught:
        run_steps(step.call, [x, labels], np.arange(15), losses)
    error = caught.value
    assert (error.code, error.step, error.position, error.label) == (2, 2, (7 - 6) * WIDTH + 1, "refuse_nan")
    assert "step 2" in str(error) and step.call.completed_steps == 2
    np.testing.assert_array_equal(step.weight, x[0] + x[3])
    assert (losses[:2] != -1).all() and (losses[2:] == -1).all() and step.count == 2
    assert not step.call.lock.locked()


def test_a_refused_input_says_which_step(kernels):
    x, labels = data()
    labels[4] = 10
    step = Regression(kernels)
    with pytest.raises(StatusError) as caught:
        run_steps(step.call, [x, labels], np.arange(15), np.zeros(5))
    error = caught.value
    assert (error.code, error.step, error.input, error.position, error.value) == (1, 1, 1, 1, 10)
    assert step.count == 1


def test_an_interrupt_leaves_whole_steps(kernels):
    calls = []

    def third_time(inputs, outputs):
        calls.append(None)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)

    x, labels = data()
    step = Regression(kernels, before_commit=[("host", third_time, [], [], "interrupt")])
    with pytest.raises(KeyboardInterrupt):
        run_steps(step.call, [x, labels], np.arange(15), np.zeros(5))
    assert step.count == 2 == step.call.completed_steps
    np.testing.assert_array_equal(step.weight, x[0] + x[3])


def test_a_signal_ends_many_short_steps(kernels):
    class Tripped(Exception):
        pass

    def trip(number, frame):
        raise Tripped

    x, labels = data()
    step = Regression(kernels)
    count = 30_000_000
    order = np.broadcast_to(np.zeros(1, dtype=np.int64), count)  # no memory for the order …
    before = signal.signal(signal.SIGALRM, trip)
    step.call(x[:BATCH], labels[:BATCH])
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(Tripped):
            for _ in range(1000):
                run_steps(step.call, [x, labels], order[: 300_000 * BATCH], np.empty(300_000))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    steps = round(float(step.count))
    np.testing.assert_array_equal(step.weight, x[0] + np.float32(steps - 1) * x[0])


def test_host_errors_pass_through(kernels):
    x, labels = data()
    fail = functools.partial(lambda inputs, outputs: 1 / 0)
    step = Regression(kernels, before_commit=[("host", fail, [], [], "fail")])
    with pytest.raises(ZeroDivisionError):
        run_steps(step.call, [x, labels], np.arange(3), np.zeros(1))
    assert step.count == 0


def test_arguments_that_do_not_fit_are_refused(kernels):
    x, labels = data()
    order, losses = np.arange(6), np.zeros(2)
    call = Regression(kernels).call
    cases = [
        ("1 data arrays for 2 inputs", [x], order, losses),
        ("have .19, 20. rows", [x, labels[:19]], order, losses),
        ("data 0 must be float32 with rows of shape", [x.astype(np.float64), labels], order, losses),
        ("data 0 must be float32 with rows of shape", [x[:, :3], labels], order, losses),
        ("data 1 must be int64", [x, labels.tolist()], order, losses),
        ("rows of data 0 must be C-contiguous", [np.asfortranarray(x), labels], order, losses),
        ("order must be a one-dimensional int64", [x, labels], order.astype(np.int32), losses),
        ("order must be a one-dimensional int64", [x, labels], order.tolist(), losses),
        ("losses must be a C-contiguous float64 array of shape .2,.", [x, labels], order, np.zeros(3)),
        ("losses must be", [x, labels], order, np.zeros(2, dtype=np.float32)),
        ("no multiple of the batch size 3", [x, labels], np.arange(7), losses),
    ]
    for message, arrays, indices, out in cases:
        with pytest.raises(ValueError, match=message):
            run_steps(call, arrays, indices, out)
    for bad in (-1, 20):
        with pytest.raises(IndexError, match="the data have 20 rows"):
            run_steps(call, [x, labels], np.array([0, 1, bad]), np.zeros(1))
    assert not call.lock.locked()


def test_calls_that_are_no_steps_are_refused(kernels):
    program = Program([kernels.affine(X, LABEL, 3, 2)], 0, 2, 1)
    vector = Call(
        program, [InputSpec(0, np.float32, (3,))], [OutputSpec(1, np.float32, (3,))], lambda *a: None
    )
    with pytest.raises(ValueError, match="results must be 0-d"):
        run_steps(vector, [np.zeros(9, dtype=np.float32)], np.arange(3), np.zeros(1))
    scalar = Call(program, [InputSpec(0, np.float32, ())], [OutputSpec(1, np.float32, ())], lambda *a: None)
    with pytest.raises(ValueError, match="same batch size"):
        run_steps(scalar, [np.zeros(9, dtype=np.float32)], np.arange(3), np.zeros(3))
