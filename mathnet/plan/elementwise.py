"""Instructions of the elementwise machine: registers chosen, axes collapsed, descriptors filled."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from mathnet.graph.dtypes import FLOAT64, INT64
from mathnet.graph.op import OPS
from mathnet.plan.emit import STORAGE_CODES, Emitter, Instruction, View, collapse
from mathnet.plan.peephole import combine
from mathnet.plan.program import Program, Value

MAX_OPERANDS = 16
MAX_REGISTERS = 48
RANK = 4
_TAIL = struct.Struct("<HHHHHHHHd")
_REDUCTIONS = {None: 0, "sum": 1, "max": 2, "min": 3, "prod": 4}


class Packed:
    """Registers chosen: the tail bytes and what the memory planner must know."""

    __slots__ = ("in_place", "listing", "n_ops", "n_registers", "tail")

    def __init__(
        self, tail: bytes, n_ops: int, n_registers: int, in_place: frozenset, listing: list[str]
    ) -> None:
        self.tail, self.n_ops, self.n_registers, self.in_place, self.listing = (
            tail,
            n_ops,
            n_registers,
            in_place,
            listing,
        )


_PACKED_LIMIT = 4096
_packed: dict[tuple, Packed] = {}


def pack(program: Program, shared: Sequence[tuple[int, int]] = ()) -> Packed:
    """Chooses registers; a program that was packed before is not packed again.

    shared: (input, output) pairs that are the same memory; such an output is written after the last read of its input.
    """
    key = (program.signature(), tuple(shared))
    found = _packed.get(key)
    if found is None:
        if len(_packed) >= _PACKED_LIMIT:
            _packed.clear()
        found = _packed[key] = _choose_registers(program, shared)
    return found


def _choose_registers(program: Program, shared: Sequence[tuple[int, int]]) -> Packed:
    shared_input = {o: i for i, o in shared}
    overwritten = {i: o for i, o in shared}
    outputs = combine(program.outputs, program.real)
    # an output that repeats an input whose memory another output takes over needs a copy made before that happens
    position = {id(v): k for k, v in enumerate(program.inputs)}
    for o, value in enumerate(outputs):
        k = position.get(id(value))
        if k is not None and overwritten.get(k, o) != o:
            outputs[o] = Value("copy", (value,))
    program.outputs = outputs
    order = program.order()
    n_inputs, n_outputs, end = len(program.inputs), len(outputs), len(order)
    last = {id(a): k for k, value in enumerate(order) for a in value.args}
    produced = {id(v): k for k, v in enumerate(order)}
    # written at the end: outputs that are an input, a second output of one value, or whose memory is still read
    direct: dict[int, int] = {}
    copies: list[int] = []
    for o, value in enumerate(outputs):
        made = produced.get(id(value), end)
        late = o in shared_input and last.get(id(program.inputs[shared_input[o]]), -1) > made
        if value.op == "input" or id(value) in direct or late:
            copies.append(o)
        else:
            direct[id(value)] = o
    for o in copies:
        last[id(outputs[o])] = end
    register = {id(v): k for k, v in enumerate(program.inputs)}
    free: list[int] = []
    top = n_inputs + n_outputs
    opcodes = program._opcodes
    tail: list[bytes] = []
    listing: list[str] = []
    for k, value in enumerate(order):
        source = [register[id(a)] for a in value.args]
        for a in {id(a): a for a in value.args}.values():
            if last.get(id(a)) == k and register[id(a)] >= n_inputs + n_outputs:
                free.append(register[id(a)])
        if id(value) in direct:
            target = n_inputs + direct[id(value)]
        elif free:
            target = free.pop()
        else:
            target, top = top, top + 1
        register[id(value)] = target
        reads = (*source, 0, 0, 0, 0)[:4]
        tail.append(_TAIL.pack(opcodes[value.op], target, *reads, 0, 0, value.immediate))
        listing.append(value.op)
    for o in copies:
        tail.append(_TAIL.pack(opcodes["copy"], n_inputs + o, register[id(outputs[o])], 0, 0, 0, 0, 0, 0.0))
    in_place = frozenset(
        [
            (i, o)
            for o, value in enumerate(outputs)
            for i, v in enumerate(program.inputs)
            if value is v
            or (
                last.get(id(v), -1) < end
                and last.get(id(v), -1) <= (end if o in copies else produced[id(value)])
            )
        ]
    )
    return Packed(b"".join(tail), len(tail), top, in_place, listing)


def emit_program(
    emit: Emitter,
    program: Program,
    shape: tuple[int, ...],
    inputs: Sequence[View],
    outputs: Sequence[View],
    reduce: str | None = None,
    reduced: Sequence[int] = (),
    shared: Sequence[tuple[int, int]] = (),
) -> Instruction | None:
    """Adds the instruction of ``program`` over ``shape``; inputs are broadcast to it, outputs have it (or 1 on reduced axes)."""
    if all(t.size == 0 for t in outputs):
        return None
    packed = pack(program, shared)
    views = [v if v.shape == shape else v.broadcast(shape) for v in inputs]
    if 0 in shape:
        views = [
            v.with_shape(shape, (0,) * len(shape)) for v in views
        ]  # nothing is read, so any strides will do
    targets = list(outputs)
    flags = tuple([int(axis in reduced) for axis in range(len(shape))])
    for attempt in range(3):
        strides = [v.strides for v in views] + [
            t.strides if t.shape == shape else t.broadcast(shape).strides for t in targets
        ]
        # reduced and kept axes never merge: the flags take part as one more operand
        sizes, walked, kept = _collapse_flagged(shape, strides, flags)
        if len(sizes) <= RANK:
            break
        if attempt == 0:
            views = [v if v.dense else emit.dense(v) for v in views]
        else:  # kept and reduced axes in turn: only another order of the axes lets them merge
            order = sorted(range(len(shape)), key=lambda axis: flags[axis])
            views = [emit.dense(_permuted(v, order)) for v in views]
            targets = [_permuted(t, order) for t in targets]
            shape, flags = tuple([shape[a] for a in order]), tuple([flags[a] for a in order])
    else:
        raise AssertionError(f"elementwise program of rank {len(sizes)}")
    kernel = "elementwise_i64" if program.real == INT64 else "elementwise"
    table = FLOAT64 if program.real == INT64 else program.real
    stride = [0] * (MAX_OPERANDS * RANK)
    for k, w in enumerate(walked):
        stride[k * RANK : k * RANK + len(w)] = w
    fields: dict[str, Any] = {
        "rank": len(sizes),
        "shape": sizes,
        "n_inputs": len(views),
        "n_outputs": len(targets),
        "n_registers": packed.n_registers,
        "n_ops": packed.n_ops,
        "reduce": _REDUCTIONS[reduce],
        "reduced": kept,
        "dtype": [STORAGE_CODES[v.dtype.name] for v in (*views, *targets)],
        "stride": stride,
    }
    instruction = emit.kernel_instruction(kernel, views, targets, table, packed.tail, fields)
    instruction.program = (kernel, table, packed, fields)
    if reduce is None:
        instruction.in_place = packed.in_place
    return instruction


def _permuted(view: View, order: Sequence[int]) -> View:
    return view.with_shape(tuple([view.shape[a] for a in order]), tuple([view.strides[a] for a in order]))


def _collapse_flagged(
    shape: tuple[int, ...], strides: Sequence[tuple[int, ...]], flags: tuple[int, ...]
) -> tuple[tuple[int, ...], list[tuple[int, ...]], tuple[int, ...]]:
    """:func:`collapse` that keeps reduced axes apart from the others."""
    if not any(flags):
        sizes, walked = collapse(shape, strides)
        return sizes, walked, (0,) * len(sizes)
    pieces: list[tuple[tuple[int, ...], list[tuple[int, ...]], int]] = []
    start = 0
    for axis in range(1, len(shape) + 1):
        if axis == len(shape) or flags[axis] != flags[start]:
            sizes, walked = collapse(shape[start:axis], [s[start:axis] for s in strides])
            # a kept axis of size 1 between reduced ones stays: sums then have the order that they have in a larger batch
            if sizes != (1,) or flags[start] or (start > 0 and axis < len(shape)):
                pieces.append((sizes, walked, flags[start]))
            start = axis
    sizes = sum([p[0] for p in pieces], ())
    walked = [sum([p[1][k] for p in pieces], ()) for k in range(len(strides))]
    return sizes, walked, sum([(p[2],) * len(p[0]) for p in pieces], ())


def copy_program(emit: Emitter, source: View, target: View) -> None:
    """Conversion of element types, as a program of one copy."""
    program = Program(OPS["cast"].real([source.spec], target.spec))  # type: ignore[attr-defined]
    program.outputs.append(program("copy", program.input()))
    emit_program(emit, program, target.shape, [source], [target])
