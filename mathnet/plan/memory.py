"""The memory planner: lifetimes of workspace buffers → offsets in one arena."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from mathnet.plan.emit import Buffer, Instruction, View, dense_strides

ALIGNMENT = 64
# Largest-first placement packs better, and its cost grows with the square of the number of buffers.
_LARGEST_FIRST_LIMIT = 600


def plan_memory(instructions: Sequence[Instruction]) -> int:
    """Sets ``offset`` of every arena buffer; returns the size of the arena in bytes.

    Buffers whose lifetimes overlap never overlap in memory, except an elementwise output that takes over a dying input.
    """
    buffers = _lifetimes(instructions)
    heirs = _share_in_place(instructions)
    roots = [b for b in buffers if id(b) not in heirs]
    size = _largest_first(roots) if len(roots) <= _LARGEST_FIRST_LIMIT else _first_fit_in_time(roots)
    for buffer in buffers:
        root = buffer
        while id(root) in heirs:
            root = heirs[id(root)]
        buffer.offset = root.offset
    return size


def _lifetimes(instructions: Sequence[Instruction]) -> list[Buffer]:
    found: dict[int, Buffer] = {}
    for index, instruction in enumerate(instructions):
        for view in instruction.operands:
            buffer = view.buffer
            if buffer.kind == "arena":
                if id(buffer) not in found:
                    found[id(buffer)] = buffer
                    buffer.first = index
                buffer.last = index
    return list(found.values())


def _whole(view: View) -> bool:
    return (
        view.buffer.kind == "arena"
        and view.offset == 0
        and view.nbytes == view.buffer.nbytes
        and view.strides == dense_strides(view.shape)
    )


def _share_in_place(instructions: Sequence[Instruction]) -> dict[int, Buffer]:
    """Output buffer (by id) → the input buffer whose memory it takes over."""
    heirs: dict[int, Buffer] = {}
    for index, instruction in enumerate(instructions):
        taken: set[int] = set()
        for i, o in sorted(instruction.in_place):
            source, target = instruction.inputs[i], instruction.outputs[o]
            a, b = source.buffer, target.buffer
            if a is b or id(a) in taken or id(b) in heirs or not (_whole(source) and _whole(target)):
                continue
            if (
                source.shape != target.shape
                or source.dtype != target.dtype
                or a.last != index
                or b.first != index
            ):
                continue
            if any(
                v.buffer is a and (k, o) not in instruction.in_place for k, v in enumerate(instruction.inputs)
            ):
                continue
            if any(
                v.buffer is a and v is not source and v.strides != source.strides for v in instruction.inputs
            ):
                continue
            taken.add(id(a))
            root = a
            while id(root) in heirs:
                root = heirs[id(root)]
            heirs[id(b)] = root
            root.last = max(root.last, b.last)
    return heirs


def _round(nbytes: int) -> int:
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def _largest_first(buffers: list[Buffer]) -> int:
    """Greedy by size: each buffer at the lowest offset that is free during its life."""
    placed: list[Buffer] = []
    top = 0
    for buffer in sorted(buffers, key=lambda b: (-b.nbytes, b.first)):
        size = _round(buffer.nbytes)
        offset = 0
        for other in placed:  # sorted by offset
            if other.last < buffer.first or buffer.last < other.first:
                continue
            if offset + size <= other.offset:
                break
            offset = max(offset, other.offset + _round(other.nbytes))
        buffer.offset = offset
        top = max(top, offset + size)
        position = len(placed)
        while position and placed[position - 1].offset > offset:
            position -= 1
        placed.insert(position, buffer)
    return top


def _first_fit_in_time(buffers: list[Buffer]) -> int:
    """Walks through time with a list of free holes: near-linear in the number of buffers."""
    holes: list[tuple[int, int]] = []  # (offset, size), sorted
    alive: list[tuple[int, int, int]] = []  # (last, offset, size)
    top = 0
    for buffer in sorted(buffers, key=lambda b: (b.first, -b.nbytes)):
        while alive and alive[0][0] < buffer.first:
            _, offset, size = heapq.heappop(alive)
            holes = _with_hole(holes, offset, size)
        size = _round(buffer.nbytes)
        fitting = [k for k, hole in enumerate(holes) if hole[1] >= size]
        if fitting:
            k = min(fitting, key=lambda k: holes[k][1])
            offset, room = holes.pop(k)
            if room > size:
                holes.insert(k, (offset + size, room - size))
        else:
            offset, top = top, top + size
        buffer.offset = offset
        heapq.heappush(alive, (buffer.last, offset, size))
    return top


def _with_hole(holes: list[tuple[int, int]], offset: int, size: int) -> list[tuple[int, int]]:
    """``holes`` with one more, joined to its neighbours."""
    result: list[tuple[int, int]] = []
    for hole in sorted([*holes, (offset, size)]):
        if result and result[-1][0] + result[-1][1] == hole[0]:
            result[-1] = (result[-1][0], result[-1][1] + hole[1])
        else:
            result.append(hole)
    return result
