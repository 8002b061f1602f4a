"""The order of instructions: what lets memory go runs as soon as it can.

A graph lists weight gradients behind the whole backward pass.  Run there, each keeps the gradient of its layer's output alive until
then; run as soon as it is the last reader, it frees that memory for the next layer, and finds its operands in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence

from mathnet.plan.emit import Instruction, View

# Kernels that cannot fail, so that moving them never changes which failure of a step comes first.
_MOVABLE = ("elementwise", "gemm")
_MOVABLE_FAMILY = "_backward_weight"


# From here on the order is kept: looking for overlaps costs the square of the number of writers of one buffer.
_LIMIT = 4000
# Last readers of one buffer that may run together.
_TOGETHER = 4


def release_early(instructions: Sequence[Instruction], commit: int) -> list[Instruction]:
    """The instructions in an order with the same results: those that free more than they make follow at once what they waited for.

    The last few readers of a buffer count together: the gradient of a layer's output is read by a product for its weight and by a sum for
    its bias.

    All others, and everything from ``commit`` on, keep their order.
    """
    if commit > _LIMIT:
        return list(instructions)
    before = _dependencies(instructions[:commit])
    after: list[list[int]] = [[] for _ in before]
    waits = [len(found) for found in before]
    for index, found in enumerate(before):
        for earlier in found:
            after[earlier].append(index)
    users: dict[int, set[int]] = {}  # of each arena buffer: instructions still to come
    for index, instruction in enumerate(instructions):
        for view in instruction.operands:
            if view.buffer.kind == "arena":
                users.setdefault(id(view.buffer), set()).add(index)
    alive: set[int] = set()
    ordered: list[int] = []
    done = [False] * commit

    def run(index: int) -> None:
        ordered.append(index)
        done[index] = True
        for later in after[index]:
            waits[later] -= 1
        for view in instructions[index].operands:
            if view.buffer.kind == "arena":
                alive.add(id(view.buffer))
                users[id(view.buffer)].discard(index)

    def frees(group: set[int]) -> bool:
        """Whether the memory that ends with these instructions is more than what they begin."""
        buffers = {
            id(v.buffer): v.buffer
            for index in group
            for v in instructions[index].operands
            if v.buffer.kind == "arena"
        }
        released = sum(b.nbytes for key, b in buffers.items() if key in alive and users[key] <= group)
        begun = sum(b.nbytes for key, b in buffers.items() if key not in alive and not users[key] <= group)
        return released > begun

    for start in range(commit):
        pending = [] if done[start] else [start]
        while pending:
            index = pending.pop()
            if done[index]:
                continue
            run(index)
            for view in instructions[index].operands:
                group = users.get(id(view.buffer), set())
                if (
                    0 < len(group) <= _TOGETHER
                    and max(group) < commit
                    and not any(waits[last] for last in group)
                    and all(_movable(instructions[last]) for last in group)
                    and frees(group)
                ):
                    pending += sorted(group, reverse=True)
    return [*[instructions[index] for index in ordered], *instructions[commit:]]


def _movable(instruction: Instruction) -> bool:
    if instruction.kind != "kernel":
        return False
    name = instruction.kernel.name
    return name in _MOVABLE or name.endswith(_MOVABLE_FAMILY)


def _dependencies(instructions: Sequence[Instruction]) -> list[set[int]]:
    """For each instruction those that must run before it: who wrote what it reads or writes, and who reads what it overwrites."""
    found: list[set[int]] = []
    writes: dict[int, list[tuple[int, int, int]]] = {}  # buffer → (first element, end, instruction)
    reads: dict[int, list[tuple[int, int, int]]] = {}
    for index, instruction in enumerate(instructions):
        needed: set[int] = set()
        written = (
            instruction.outputs if instruction.shared is None else (*instruction.outputs, instruction.shared)
        )
        for view in (*instruction.inputs, *written):
            needed |= _overlapping(writes, view)
        for view in written:
            needed |= _overlapping(reads, view)
        for table, views in ((reads, instruction.inputs), (writes, written)):
            for view in views:
                table.setdefault(id(view.buffer), []).append((*_extent(view), index))
        needed.discard(index)
        found.append(needed)
    return found


def _overlapping(table: dict[int, list[tuple[int, int, int]]], view: View) -> set[int]:
    first, end = _extent(view)
    return {index for low, high, index in table.get(id(view.buffer), ()) if low < end and first < high}


def _extent(view: View) -> tuple[int, int]:
    """Bytes of the buffer from the first to behind the last that the view may touch."""
    item = view.dtype.itemsize
    steps = [(n - 1) * s for n, s in zip(view.shape, view.strides) if n > 1]
    first = view.offset + sum(s for s in steps if s < 0)
    last = view.offset + sum(s for s in steps if s > 0)
    return first * item, (last + 1) * item
