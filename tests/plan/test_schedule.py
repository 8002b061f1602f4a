"""The order of instructions: same results, and memory is let go early."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mathnet as mn
from mathnet.plan import lower, schedule
from mathnet.plan.emit import Buffer, Instruction, View


def part(buffer: Buffer, first: int, size: int, step: int = 1) -> View:
    return View(buffer, first, (size,), (step,), np.dtype("float32"))


def instruction(name: str, reads: list[View], writes: list[View]) -> Instruction:
    made = Instruction("kernel", reads, writes)
    made.kernel = SimpleNamespace(name=name)
    return made


def elements(view: View) -> list[int]:
    return [view.offset + k * view.strides[0] for k in range(view.shape[0])]


def executed(instructions: list[Instruction]) -> dict[tuple[int, int], int]:
    """What each element of memory holds at the end, when an instruction writes a hash of itself and of all it reads."""
    memory: dict[tuple[int, int], int] = {}
    for made in instructions:
        read = tuple(memory.get((id(v.buffer), e), 0) for v in made.inputs for e in elements(v))
        for view in made.outputs:
            for element in elements(view):
                memory[id(view.buffer), element] = hash((id(made), element, read))
    return memory


@given(st.data())
def test_any_order_gives_the_same_memory(data):
    buffers = [Buffer(data.draw(st.sampled_from(["arena", "arena", "fixed"])), 4 * n) for n in (3, 9, 12, 20)]

    def view() -> View:
        buffer = data.draw(st.sampled_from(buffers))
        size = data.draw(st.integers(1, buffer.nbytes // 4))
        first = data.draw(st.integers(0, buffer.nbytes // 4 - size))
        if data.draw(st.booleans()):
            return part(buffer, first, size)
        return part(buffer, first + size - 1, size, -1)

    count = data.draw(st.integers(0, 14))
    names = st.sampled_from(["gemm", "elementwise", "check_finite"])
    given_order = [
        instruction(data.draw(names), [view() for _ in range(data.draw(st.integers(0, 3)))], [view()])
        for _ in range(count)
    ]
    commit = data.draw(st.integers(0, count))
    made = schedule.release_early(given_order, commit)
    assert sorted(map(id, made)) == sorted(map(id, given_order)) and made[commit:] == given_order[commit:]
    fixed = [i for i in made if i.kernel.name == "check_finite"]
    assert fixed == [i for i in given_order if i.kernel.name == "check_finite"]
    assert executed(made) == executed(given_order)


def test_the_last_reader_of_a_large_buffer_follows_at_once():
    x, dy, dx, dw, later = (part(Buffer("arena", 4 * n), 0, n) for n in (100, 100, 100, 5, 100))
    make = instruction("check_finite", [], [dy])
    through, weight = instruction("conv2d_backward_input", [dy], [dx]), instruction("gemm", [x, dy], [dw])
    next_layer = instruction("conv2d_backward_input", [dx], [later])
    end = instruction("copy", [later, dw, x], [part(Buffer("output", 40), 0, 10)])
    first = instruction("copy", [], [x])
    order = [first, make, through, next_layer, weight, end]
    assert schedule.release_early(order, 6) == [first, make, through, weight, next_layer, end]
    assert schedule.release_early(order, 4) == order  # what the commit part does stays there


def test_the_last_readers_of_a_buffer_follow_together():
    x, dy, dx, dw, db, later = (part(Buffer("arena", 4 * n), 0, n) for n in (100, 100, 100, 5, 2, 100))
    first, make = instruction("copy", [], [x]), instruction("check_finite", [], [dy])
    through, weight = instruction("conv2d_backward_input", [dy], [dx]), instruction("gemm", [x, dy], [dw])
    next_layer, bias = instruction("check_finite", [dx], [later]), instruction("elementwise", [dy], [db])
    end = instruction("copy", [later, dw, db], [part(Buffer("output", 40), 0, 10)])
    order = [first, make, through, next_layer, bias, weight, end]
    assert schedule.release_early(order, 7) == [first, make, through, bias, weight, next_layer, end]
    slow = instruction("check_finite", [dy], [db])  # may fail, so it stays; the product is not alone
    order = [first, make, through, next_layer, slow, weight, end]
    assert schedule.release_early(order, 7) == order


def test_long_plans_keep_their_order(monkeypatch):
    monkeypatch.setattr(schedule, "_LIMIT", 1)
    x, y = part(Buffer("arena", 400), 0, 100), part(Buffer("arena", 4), 0, 1)
    order = [instruction("copy", [], [x]), instruction("copy", [], [y]), instruction("gemm", [x], [y])]
    assert schedule.release_early(order, 3) == order


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_step_keeps_its_bits_and_needs_less(optimizer, monkeypatch):
    def trained() -> tuple[list[np.ndarray], int]:
        layers = [mn.layers.Dense(64, activation="tanh") for _ in range(5)]
        model = mn.Sequential([*layers, mn.layers.Dense(3)], input_shape=(16,))
        trainer = mn.Trainer(model, loss="mse", optimizer=optimizer, seed=1)
        rng = np.random.default_rng(0)
        x, y = rng.standard_normal((256, 16), np.float32), rng.standard_normal((256, 3), np.float32)
        for _ in range(3):
            trainer.step(x, y)
        return [np.array(value) for value in model.parameters.values()], trainer.plan(batch=256).arena_bytes

    mn.seed(0)
    early, small = trained()
    monkeypatch.setattr(lower, "release_early", lambda instructions, commit: instructions)
    mn.seed(0)
    late, large = trained()
    assert small < large
    for a, b in zip(early, late):
        np.testing.assert_array_equal(a, b)
