"""Compiled kernels of plugins: what they write, by themselves, outside of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet._kernels import Kernel
from mathnet.graph.graph import Graph
from mathnet.graph.op import input_tensor
from mathnet.graph.tensor import Spec
from mathnet.graph.tree import flatten
from mathnet.plugin.kernel_op import KernelCall, KernelOp
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import trials

MARGIN = 256  # bytes before and after each output


@check("op")
def kernel_writes(subject: Subject) -> None:
    """A compiled kernel writes every element of its outputs and nothing beside them, whatever stood there, in any order of chunks."""
    record = subject.record
    if not (record.is_class and issubclass(record.object, KernelOp)):
        return
    for trial in trials(subject):
        for dtype in ("float32", "float64"):
            inputs = trial.inputs(dtype)
            with subject.entered():
                tensors = [input_tensor(Spec(a.shape, a.dtype)) for a in inputs]
                outputs = flatten(trial.callable("")(*tensors))[0]
                (node,) = [node for node in Graph(tensors, outputs).nodes if isinstance(node.op, KernelCall)]
                call: Any = node.op
                arrays = [array.astype(t.dtype) for array, t in zip(inputs, node.inputs)]
                specs = [Spec(t.shape, t.dtype) for t in node.inputs]
                made = [Spec(t.shape, t.dtype) for t in node.outputs]
                kernel, descriptor = call.plugin.instruction(specs, made, node.attrs)
            chunks = list(range(kernel.sizes(descriptor).chunks))
            first = _written(kernel, descriptor, arrays, made, chunks, 0xFF)
            second = _written(kernel, descriptor, arrays, made, chunks[::-1], 0x55)
            for position, (one, other) in enumerate(zip(first, second)):
                require(
                    one == other,
                    f"output {position} ({dtype}) has other bits when other values stood in it and in the scratch memory and the "
                    f"chunks run backwards: does kernel {kernel.name!r} write every element, each in one chunk?",
                )


def _written(
    kernel: Kernel,
    descriptor: bytes,
    inputs: list[np.ndarray],
    outputs: list[Spec],
    order: list[int],
    filling: int,
) -> list[bytes]:
    """The bytes of the outputs after all chunks; AssertionError when something else was written to."""
    held: list[Any] = [np.ascontiguousarray(array) for array in inputs]
    before = [array.tobytes() for array in held]
    memory: list[Any] = []
    for spec in outputs:
        size = int(np.prod(spec.shape, dtype=np.int64)) * spec.dtype.itemsize
        memory.append(np.full(MARGIN + size + MARGIN, filling, np.uint8))
    kernel.run(descriptor, [*held, *[block[MARGIN : len(block) - MARGIN] for block in memory]], order=order)
    for position, (array, bits) in enumerate(zip(held, before)):
        require(array.tobytes() == bits, f"kernel {kernel.name!r} wrote to its input {position}")
    for position, block in enumerate(memory):
        beside = np.concatenate([block[:MARGIN], block[len(block) - MARGIN :]])
        require(bool((beside == filling).all()), f"kernel {kernel.name!r} wrote beside its output {position}")
    return [block[MARGIN : len(block) - MARGIN].tobytes() for block in memory]
