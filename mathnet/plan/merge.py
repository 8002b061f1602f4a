"""Merging of updates: equal elementwise programs over neighbouring memory become one instruction.

An optimizer is traced for each parameter.  Parameters, moments and gradients of one segment lie at the same offsets, so the instructions of
two neighbouring parameters differ by one shift only and run as one over both (the padding between them belongs to no variable).
"""

from __future__ import annotations

from mathnet.plan.elementwise import RANK
from mathnet.plan.emit import Emitter, Instruction, View
from mathnet.store import ALIGNMENT


def merge_updates(emit: Emitter, start: int) -> list[Instruction]:
    """The instructions from ``start`` on, merged where possible."""
    groups: dict[tuple, list[Instruction]] = {}
    result: list[Instruction] = []
    for instruction in emit.instructions[start:]:
        key = _key(instruction)
        if key is None:
            result.append(instruction)
        else:
            groups.setdefault(key, []).append(instruction)
    for members in groups.values():
        members.sort(key=lambda i: _first_vector(i).offset)
        run = [members[0]]
        for instruction in members[1:]:
            if _adjacent(run[-1], instruction):
                run.append(instruction)
            else:
                result.append(_join(emit, run))
                run = [instruction]
        result.append(_join(emit, run))
    return result


def _key(instruction: Instruction) -> tuple | None:
    """Equal for instructions that may merge; None for others.  Scalars must be the same memory, vectors lie in the same buffers."""
    if instruction.program is None or instruction.kind != "kernel":
        return None
    kernel, table, packed, fields = instruction.program
    if fields["rank"] != 1 or fields["reduce"]:
        return None
    operands = []
    for k, view in enumerate(instruction.operands):
        step = int(any(view.strides))
        if step and fields["stride"][k * RANK] != 1:
            return None
        operands.append((id(view.buffer), view.dtype, step, view.offset if step == 0 else None))
    if not any(o[2] for o in operands):
        return None
    return (kernel, table, packed.tail, tuple(operands))


def _vectors(instruction: Instruction) -> list[View]:
    return [v for v in instruction.operands if any(v.strides)]


def _first_vector(instruction: Instruction) -> View:
    return _vectors(instruction)[0]


def _adjacent(a: Instruction, b: Instruction) -> bool:
    """Whether ``b`` starts where ``a`` ends, up to the padding of a segment, by the same shift in every vector."""
    first, second = _vectors(a), _vectors(b)
    shift = second[0].offset - first[0].offset
    length = a.program[3]["shape"][0]
    line = max(ALIGNMENT // v.dtype.itemsize for v in first)
    return (
        all(y.offset - x.offset == shift for x, y in zip(first, second)) and length <= shift < length + line
    )


def _join(emit: Emitter, run: list[Instruction]) -> Instruction:
    if len(run) == 1:
        return run[0]
    first, last = run[0], run[-1]
    kernel, table, packed, fields = first.program
    length = _first_vector(last).offset - _first_vector(first).offset + last.program[3]["shape"][0]
    stride = [0] * len(fields["stride"])
    for k, view in enumerate(first.operands):
        stride[k * RANK] = int(any(view.strides))
    fields = {**fields, "shape": (length,), "stride": stride}

    def longer(view: View) -> View:
        return View(view.buffer, view.offset, (length,), (1,), view.dtype) if any(view.strides) else view

    emit.nodes = tuple([node for instruction in run for node in instruction.nodes])
    inputs, outputs = [longer(v) for v in first.inputs], [longer(v) for v in first.outputs]
    joined = emit.kernel_instruction(kernel, inputs, outputs, table, packed.tail, fields)
    emit.instructions.pop()
    joined.program = (kernel, table, packed, fields)
    return joined
