"""The memory planner: lifetimes that overlap never share bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathnet.plan import memory
from mathnet.plan.emit import Buffer, Instruction, View, dense_strides


def view(size: int, kind: str = "arena") -> View:
    made = View(Buffer(kind, 4 * size), 0, (size,), dense_strides((size,)), np.dtype("float32"))
    return made


def overlapping(a: Buffer, b: Buffer) -> bool:
    in_time = a.first <= b.last and b.first <= a.last
    in_space = a.offset < b.offset + b.nbytes and b.offset < a.offset + a.nbytes
    return in_time and in_space


def check(buffers: list[Buffer]) -> None:
    for k, a in enumerate(buffers):
        assert a.offset >= 0 and a.offset % memory.ALIGNMENT == 0
        for b in buffers[:k]:
            assert not overlapping(a, b), (a.offset, b.offset)


sizes = st.lists(st.integers(1, 300), min_size=1, max_size=30)


@given(sizes, st.data(), st.booleans())
def test_no_two_live_buffers_share_bytes(sizes, data, largest_first):
    views = [view(size) for size in sizes]
    instructions = []
    for k, made in enumerate(views):
        reads = data.draw(st.lists(st.sampled_from(views[:k]), max_size=3)) if k else []
        instructions.append(Instruction("kernel", reads, [made]))
    memory._LARGEST_FIRST_LIMIT, saved = (600 if largest_first else 0), memory._LARGEST_FIRST_LIMIT
    try:
        total = memory.plan_memory(instructions)
    finally:
        memory._LARGEST_FIRST_LIMIT = saved
    check([v.buffer for v in views])
    assert total >= max(v.buffer.offset + v.buffer.nbytes for v in views)


def test_dead_memory_is_used_again():
    a, b, c = view(1000), view(1000), view(1000)
    chain = [Instruction("kernel", [], [a]), Instruction("kernel", [a], [b]), Instruction("kernel", [b], [c])]
    assert memory.plan_memory(chain) < 3 * 4000


def test_an_elementwise_output_takes_over_a_dying_input():
    a, b = view(1000), view(1000)
    step = Instruction("kernel", [a], [b])
    step.in_place = frozenset({(0, 0)})
    memory.plan_memory([Instruction("kernel", [], [a]), step])
    assert a.buffer.offset == b.buffer.offset


def test_an_input_that_is_read_later_is_not_taken_over():
    a, b, c = view(1000), view(1000), view(10)
    step = Instruction("kernel", [a], [b])
    step.in_place = frozenset({(0, 0)})
    memory.plan_memory([Instruction("kernel", [], [a]), step, Instruction("kernel", [a, b], [c])])
    assert not overlapping(a.buffer, b.buffer)


def test_the_check_of_this_test_can_fail():
    a, b = Buffer("arena", 100), Buffer("arena", 100)
    for buffer in (a, b):
        buffer.offset, buffer.first, buffer.last = 0, 0, 1
    with pytest.raises(AssertionError):
        check([a, b])
