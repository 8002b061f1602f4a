"""Views of memory and the emitter: what an operation's ``lower`` writes its instructions with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet import _kernels
from mathnet.graph.dtypes import FLOAT32, FLOAT64, is_float
from mathnet.graph.tensor import Node, Spec

#: The type of a view whose elements are drawn as an elementwise program reads them: zeros and ones of any float type.
DRAWN = np.dtype("V8")
STORAGE_CODES = {"float32": 0, "float64": 1, "int64": 2, "bool": 3, "int32": 4, "uint64": 5, DRAWN.name: 6}
COPY_RANK = 6
NO_LIMIT = 2**62  # iterations of a loop that only its flag ends


class Buffer:
    """A piece of memory.

    kind: "arena" (the planner chooses the offset), "input", "capture", "output" (pointers given at every call) or "fixed"
    (a variable's segment or a constant: ``array`` is the memory).
    """

    __slots__ = ("array", "first", "index", "kind", "last", "nbytes", "offset")

    def __init__(self, kind: str, nbytes: int, index: int = -1, array: np.ndarray | None = None) -> None:
        self.kind, self.nbytes, self.index, self.array = kind, nbytes, index, array
        self.offset = -1
        self.first = self.last = -1


class View:
    """A strided array inside a buffer; ``offset`` and ``strides`` count elements."""

    __slots__ = ("buffer", "dtype", "offset", "shape", "strides")

    def __init__(
        self, buffer: Buffer, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype
    ) -> None:
        self.buffer, self.offset, self.shape, self.strides, self.dtype = buffer, offset, shape, strides, dtype

    @property
    def size(self) -> int:
        total = 1
        for n in self.shape:
            total *= n
        return total

    @property
    def nbytes(self) -> int:
        return self.buffer.nbytes if self.dtype == DRAWN else self.size * self.dtype.itemsize

    @property
    def spec(self) -> Spec:
        return Spec(self.shape, self.dtype)

    @property
    def dense(self) -> bool:
        """C-contiguous (axes of size 1 do not count, nor does anything when there are no elements)."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides)):
            if size != 1:
                if stride != expected:
                    return 0 in self.shape
                expected *= size
        return True

    def with_shape(
        self, shape: tuple[int, ...], strides: tuple[int, ...] | None = None, offset: int = 0
    ) -> View:
        """Another look at the same memory; dense strides unless given; ``offset`` is added."""
        return View(
            self.buffer,
            self.offset + offset,
            shape,
            dense_strides(shape) if strides is None else strides,
            self.dtype,
        )

    def reshaped(self, shape: tuple[int, ...]) -> View | None:
        """The elements in row-major order under another shape, or None when only a copy can give that."""
        if self.dense:
            return self.with_shape(shape)
        strides: list[int] = []
        sizes, walked = collapse(self.shape, (self.strides,))
        runs = list(zip(sizes, walked[0]))  # axes that are walked as one, outermost first
        size, stride = runs.pop()
        for n in reversed(shape):  # innermost first
            if n == 1:
                strides.append(0)
                continue
            while size == 1 and runs:
                size, stride = runs.pop()
            if size % n:
                return None
            strides.append(stride)
            size, stride = size // n, stride * n
        return self.with_shape(shape, tuple(reversed(strides)))

    def broadcast(self, shape: tuple[int, ...]) -> View:
        """The view stretched to ``shape`` with strides of 0."""
        lead = len(shape) - len(self.shape)
        strides = (0,) * lead + tuple(
            [0 if old == 1 and new != 1 else s for old, new, s in zip(self.shape, shape[lead:], self.strides)]
        )
        return View(self.buffer, self.offset, shape, strides, self.dtype)

    def __repr__(self) -> str:
        return f"<View {self.dtype}{self.shape} strides {self.strides} of {self.buffer.kind}+{self.offset}>"


def dense_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides = [1] * len(shape)
    for axis in range(len(shape) - 2, -1, -1):
        strides[axis] = strides[axis + 1] * max(shape[axis + 1], 1)
    return tuple(strides)


class Instruction:
    """One step of a plan before it has addresses."""

    __slots__ = (
        "bindings",
        "bodies",
        "descriptor",
        "function",
        "in_place",
        "inputs",
        "kernel",
        "kind",
        "length",
        "nodes",
        "outputs",
        "program",
        "running",
        "shared",
        "sizes",
    )

    def __init__(self, kind: str, inputs: Sequence[View], outputs: Sequence[View]) -> None:
        self.kind, self.inputs, self.outputs = kind, tuple(inputs), tuple(outputs)
        self.kernel: Any = None
        self.descriptor = b""
        self.sizes: Any = None
        self.shared: View | None = None
        self.function: Callable | None = None
        self.bodies: tuple = ()  # plans: one of a loop, two of a branch
        self.bindings: list = []
        self.length = 1
        self.running: View | None = None  # the flag of a loop that ends when it is false
        self.nodes: tuple[Node, ...] = ()
        self.program: Any = None  # the elementwise program, kept for merging and for explain
        self.in_place: frozenset[tuple[int, int]] = frozenset()  # (input, output) pairs that may share memory

    @property
    def operands(self) -> tuple[View, ...]:
        return (
            (*self.inputs, *self.outputs)
            if self.shared is None
            else (*self.inputs, *self.outputs, self.shared)
        )


class Emitter:
    """Collects instructions.

    compile_body: turns a Graph into a sub-plan for loops; prepared: see :meth:`prepare`, None where weights may be written to.
    """

    def __init__(self, compile_body: Callable | None = None, prepared: dict | None = None) -> None:
        self.instructions: list[Instruction] = []
        self.nodes: tuple[Node, ...] = ()  # what is being lowered now
        self._compile_body = compile_body
        self._prepared = prepared

    def _add(self, instruction: Instruction) -> None:
        instruction.nodes = self.nodes
        self.instructions.append(instruction)

    # ---- memory ----
    def temporary(self, shape: tuple[int, ...], dtype: Any) -> View:
        """A new dense array in the workspace; its contents are undefined."""
        dtype = np.dtype(dtype)
        view = View(Buffer("arena", 0), 0, tuple(shape), dense_strides(tuple(shape)), dtype)
        view.buffer.nbytes = max(view.nbytes, 1)
        return view

    def drawn(self, draw: View, shape: tuple[int, ...]) -> View:
        """What elementwise programs read as the elements of a draw, of which ``draw`` holds what the kernels know."""
        return View(draw.buffer, 0, shape, dense_strides(shape), DRAWN)

    def dense(self, view: View) -> View:
        """``view`` itself when it is C-contiguous, else a dense copy (an instruction)."""
        if view.dense:
            return view
        copied = self.temporary(view.shape, FLOAT32 if view.dtype == DRAWN else view.dtype)
        self.copy(view, copied)
        return copied

    def cast(self, view: View, dtype: Any) -> View:
        """``view`` itself when it has this type, else a converted dense copy."""
        dtype = np.dtype(dtype)
        if view.dtype == dtype:
            return view
        made = self.temporary(view.shape, dtype)
        self.convert(view, made)
        return made

    def convert(self, source: View, target: View) -> None:
        """Copies with conversion of the element type, by an elementwise program of one copy."""
        from mathnet.plan.elementwise import copy_program

        copy_program(self, source, target)

    def copy(self, source: View, target: View) -> None:
        """Copies elements of one type between strided arrays of one shape."""
        if source.dtype != target.dtype:
            self.convert(source, target)
            return
        if source.size == 0:
            return
        shape, (s, t) = collapse(source.shape, (source.strides, target.strides))
        if len(shape) > COPY_RANK:  # one copy for each index of the outermost axis
            for index in range(shape[0]):
                part = source.with_shape(shape[1:], s[1:], index * s[0])
                self.copy(part, target.with_shape(shape[1:], t[1:], index * t[0]))
            return
        self.kernel(
            "copy",
            [source],
            [target],
            itemsize=source.dtype.itemsize,
            rank=len(shape),
            shape=shape,
            source_stride=s,
            target_stride=t,
            source_offset=0,
            target_offset=0,
        )

    def prepare(self, weights: View, key: tuple, make: Callable[[np.ndarray], np.ndarray]) -> View | None:
        """``make(weights)`` for weights that never change, made once for all plans of a frozen model; None for all others.

        key: tells what ``make`` makes from the same weights.
        """
        memory = weights.buffer.array
        if self._prepared is None or memory is None or not weights.dense:
            return None
        full = (id(memory), weights.offset, weights.shape, key)
        if full not in self._prepared:
            values = memory.reshape(-1)[weights.offset : weights.offset + weights.size]
            self._prepared[full] = (memory, make(values.reshape(weights.shape)))
        made = self._prepared[full][1]
        return View(
            Buffer("fixed", made.nbytes, array=made), 0, made.shape, dense_strides(made.shape), made.dtype
        )

    def fill(self, target: View, value: float) -> None:
        """Sets every element of a dense array to the number ``value``."""
        if target.size:
            bits = int.from_bytes(np.asarray(value, target.dtype).tobytes(), sys.byteorder)
            self.kernel("fill", [], [target], n=target.size, itemsize=target.dtype.itemsize, value=bits)

    # ---- instructions ----
    def kernel(
        self,
        name: str,
        inputs: Sequence[View],
        outputs: Sequence[View],
        real: Any = None,
        tail: bytes = b"",
        **fields: Any,
    ) -> None:
        """Adds kernel ``name``; ``real`` chooses the table (default: the type of the first float operand, else float32)."""
        self.kernel_instruction(name, inputs, outputs, real, tail, fields)

    def kernel_instruction(
        self,
        name: str,
        inputs: Sequence[View],
        outputs: Sequence[View],
        real: Any,
        tail: bytes,
        fields: dict[str, Any],
    ) -> Instruction:
        if real is None:
            real = next((v.dtype for v in (*outputs, *inputs) if is_float(v.dtype)), FLOAT32)
        kernel = _kernels.kernel(name, str(np.dtype(real)))
        return self.packed(kernel, kernel.pack(tail, **fields), inputs, outputs)

    def packed(
        self, kernel: _kernels.Kernel, descriptor: bytes, inputs: Sequence[View], outputs: Sequence[View]
    ) -> Instruction:
        """Adds a kernel, of any table, with its packed descriptor."""
        instruction = Instruction("kernel", inputs, outputs)
        instruction.kernel = kernel
        instruction.descriptor = descriptor
        instruction.sizes = kernel.sizes(descriptor)
        if instruction.sizes.shared:
            instruction.shared = self.temporary((instruction.sizes.shared,), np.uint8)
        self._add(instruction)
        return instruction

    def host(self, function: Callable, inputs: Sequence[View], outputs: Sequence[View]) -> None:
        """Adds a call of Python: ``function(arrays in, arrays out)`` fills the outputs."""
        instruction = Instruction("host", [self.dense(v) for v in inputs], outputs)
        instruction.function = function
        self._add(instruction)

    def loop(
        self,
        body: Any,
        length: int,
        reverse: bool,
        carries: Sequence[tuple[View, View | None]],
        xs: Sequence[View],
        consts: Sequence[View],
        ys: Sequence[View],
        finals: Sequence[View],
        index: bool = False,
    ) -> None:
        """Adds ``length`` runs of ``body`` (a Graph: inputs carries, xs, consts[, index]; outputs carries, ys).

        carries: (initial value, stack) pairs; the stack of shape (length+1, …) receives every carry in the order of the axis
        (in reverse the initial value is its last entry); None: only the last carry is kept.
        xs, ys: stacked along axis 0; finals: where the last carries go.
        """
        plan = self._compile_body(body)  # type: ignore[misc]
        instruction = Instruction("loop", (), ())
        instruction.bodies, instruction.length = (plan,), length
        reads: list[View] = []
        writes: list[View] = []
        bindings: list[
            tuple[str, int, View, int, int, bool, int]
        ] = []  # role, index, view, step bytes, modulo, reverse, start bytes
        after: list[tuple[View, View]] = []
        for k, ((init, stack), final) in enumerate(zip(carries, finals)):
            item = init.size
            step = init.nbytes
            if stack is not None:
                store, modulo, first, last = stack, 0, length * reverse, length * (not reverse)
                read, written = (step * reverse, step), (step * (not reverse), step)  # start and stride
            else:
                store, modulo, first, last = self.temporary((2, *init.shape), init.dtype), 2, 0, length % 2
                read, written = (0, step), (step, -step)  # two slots in turn
            backwards = reverse and stack is not None
            self.copy(init, store.with_shape(init.shape, offset=first * item))
            bindings.append(("input", k, store, read[1], modulo, backwards, read[0]))
            bindings.append(("output", k, store, written[1], modulo, backwards, written[0]))
            writes.append(store)
            after.append((store.with_shape(init.shape, offset=last * item), final))
        n_carry = len(carries)
        for k, x in enumerate(xs):
            x = self.dense(x)
            step = x.nbytes // max(length, 1)
            bindings.append(("input", n_carry + k, x, step, 0, reverse, 0))
            reads.append(x)
        for k, value in enumerate(consts):
            value = self.dense(value)
            bindings.append(("input", n_carry + len(xs) + k, value, 0, 0, False, 0))
            reads.append(value)
        for k, y in enumerate(ys):
            step = y.nbytes // max(length, 1)
            bindings.append(("output", n_carry + k, y, step, 0, reverse, 0))
            writes.append(y)
        instruction.inputs, instruction.outputs = tuple(reads), tuple(writes)
        instruction.bindings = bindings
        instruction.function = None
        instruction.program = ("reverse" if reverse else "forward") if index else None
        self._add(instruction)
        for source, final in after:
            self.copy(source, final)

    def loop_while(
        self,
        body: Any,
        limit: int,
        inits: Sequence[View],
        consts: Sequence[View],
        finals: Sequence[View],
        index: bool = False,
    ) -> None:
        """Adds runs of ``body`` (a Graph: inputs carries, consts[, index]; outputs carries) while its first carry, a bool, is true.

        The carries live in ``finals``, which every run overwrites.  The loop fails when the flag is true after ``limit`` runs.
        """
        for init, final in zip(inits, finals):
            self.copy(init, final)
        consts = [self.dense(value) for value in consts]
        instruction = Instruction("loop", [*finals, *consts], finals)
        instruction.bodies = (self._compile_body(body, in_place=len(finals)),)  # type: ignore[misc]
        instruction.length, instruction.running = limit, finals[0]
        instruction.bindings = [
            *[("input", k, view, 0, 0, False, 0) for k, view in enumerate([*finals, *consts])],
            *[("output", k, view, 0, 0, False, 0) for k, view in enumerate(finals)],
        ]
        instruction.program = "forward" if index else None
        self._add(instruction)

    def require_ended(self, running: View, body: Any) -> None:
        """Adds a failure for the case that the flag of a loop before is true; ``body`` is an empty Graph."""
        instruction = Instruction("loop", [running], [])
        instruction.bodies = (self._compile_body(body),)  # type: ignore[misc]
        instruction.length, instruction.running = 0, running
        self._add(instruction)

    def branch(
        self, predicate: View, then: Any, otherwise: Any, inputs: Sequence[View], outputs: Sequence[View]
    ) -> None:
        """Adds one run of ``then`` where the bool is true, else of ``otherwise``: Graphs of the same inputs and outputs."""
        inputs = [self.dense(view) for view in inputs]
        instruction = Instruction("branch", [predicate, *inputs], outputs)
        instruction.bodies = tuple([self._compile_body(body) for body in (then, otherwise)])  # type: ignore[misc]
        instruction.bindings = [
            *[("input", k, view, 0, 0, False, 0) for k, view in enumerate(inputs)],
            *[("output", k, view, 0, 0, False, 0) for k, view in enumerate(outputs)],
        ]
        self._add(instruction)


def collapse(
    shape: tuple[int, ...], strides: Sequence[tuple[int, ...]]
) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """Merges neighbouring axes that every operand walks as one, and drops axes of size 1; at least one axis is left."""
    sizes: list[int] = []
    walked: list[list[int]] = [[] for _ in strides]
    for axis, size in enumerate(shape):
        if size == 1:
            continue
        if sizes and all(w[-1] == s[axis] * size for w, s in zip(walked, strides)):
            sizes[-1] *= size
            for w, s in zip(walked, strides):
                w[-1] = s[axis]
        else:
            sizes.append(size)
            for w, s in zip(walked, strides):
                w.append(s[axis])
    if not sizes:
        return (1,), [(1,)] * len(strides)
    return tuple(sizes), [tuple(w) for w in walked]


__all__ = [
    "DRAWN",
    "FLOAT64",
    "STORAGE_CODES",
    "Buffer",
    "Emitter",
    "Instruction",
    "View",
    "collapse",
    "dense_strides",
]
