"""Plan: a compiled graph.  It runs, tells what it does (``explain``) and how long each part takes (``profile``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet._kernels import runner
from mathnet.errors import DataError, GraphError, MathnetError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.graph import Graph
from mathnet.plan.emit import NO_LIMIT, Instruction, View
from mathnet.plan.lower import Lowering
from mathnet.plan.memory import plan_memory
from mathnet.transform.simplify import simplify

COPY_BELOW = 4096  # bytes: smaller float inputs are copied into the workspace, larger ones are read in place


class Plan:
    """A graph as instructions over one arena.

    inputs: arrays for ``graph.inputs``, then ``graph.captures``; outputs: fresh arrays.  Updates of variables are the commit part:
    they happen when everything before them has succeeded.  in_place: so many outputs may be given the memory of the inputs of the
    same number: they are written when everything else has been read.
    """

    def __init__(
        self,
        graph: Graph,
        name: str = "",
        flush: bool = False,
        threads: int = 0,
        fusing: bool = True,
        workspaces: Any = None,
        prepared: dict | None = None,
        in_place: int = 0,
    ) -> None:
        self.graph, self.name = graph, name or graph.name
        for tensor in graph.inputs:
            if any(isinstance(size, Dim) for size in tensor.shape):
                raise GraphError(
                    f"plan {self.name!r}: the shape {show_shape(tensor.shape)} of input {tensor.name!r} is not known yet; "
                    "bind the graph to sizes first"
                )
        body = self._body(flush, threads, workspaces)
        lowering = Lowering(simplify(graph), graph.captures, body, fusing, prepared, in_place)
        draft = lowering.run()
        self.instructions = draft.instructions
        self.captures = [node.attrs["array"] for node in graph.captures]
        self.input_specs = [t.spec for t in graph.inputs] + [node.outputs[0].spec for node in graph.captures]
        self.output_specs = [t.spec for t in graph.outputs]
        self.arena_bytes = plan_memory(self.instructions)
        self._fixed: dict[int, tuple[int, np.ndarray]] = {}
        self._first_fixed = len(self.input_specs) + len(self.output_specs)
        entries = [self._entry(i) for i in self.instructions]
        self.program = runner.Program(
            entries,
            self.arena_bytes,
            self._first_fixed + len(self._fixed),
            draft.commit,
            self.name,
            flush=flush,
            threads=threads,
            workspaces=workspaces,
        )
        for index, array in self._fixed.values():
            self.program.bind_external(index, array)
        self._variables = graph.variables  # keeps the segments alive
        self._call: runner.Call | None = None

    @staticmethod
    def _body(flush: bool, threads: int, workspaces: Any) -> Callable[..., Plan]:
        return lambda graph, in_place=0: Plan(
            graph, graph.name, flush, threads, workspaces=workspaces, in_place=in_place
        )

    # ---- addresses ----
    def _external(self, view: View) -> int:
        buffer = view.buffer
        if buffer.kind == "input":
            return buffer.index
        if buffer.kind == "capture":
            return len(self.graph.inputs) + buffer.index
        if buffer.kind == "output":
            return len(self.input_specs) + buffer.index
        array = buffer.array
        assert array is not None
        if id(array) not in self._fixed:
            self._fixed[id(array)] = (self._first_fixed + len(self._fixed), array)
        return self._fixed[id(array)][0]

    def _operand(self, view: View, extra: int = 0) -> tuple:
        shift = view.offset * view.dtype.itemsize + extra
        if view.buffer.kind == "arena":
            return ("arena", view.buffer.offset + shift)
        return ("external", self._external(view), shift)

    def _entry(self, instruction: Instruction) -> tuple:
        label = _label(instruction)
        if instruction.kind == "kernel":
            operands = tuple([self._operand(v) for v in instruction.operands])
            return (
                "kernel",
                instruction.kernel.address,
                instruction.descriptor,
                operands,
                instruction.sizes,
                label,
            )
        if instruction.kind == "host":
            inputs = tuple([(self._operand(v), v.dtype, v.shape) for v in instruction.inputs])
            outputs = tuple([(self._operand(v), v.dtype, v.shape) for v in instruction.outputs])
            return ("host", instruction.function, inputs, outputs, label)
        body: Plan = instruction.bodies[0]
        first_output = len(body.input_specs)
        bindings = tuple(
            [
                (
                    (index if role == "input" else first_output + index),
                    self._operand(view, start),
                    step,
                    modulo,
                    reverse,
                )
                for role, index, view, step, modulo, reverse, start in instruction.bindings
            ]
        )
        if instruction.kind == "branch":
            then, otherwise = instruction.bodies
            predicate = self._operand(instruction.inputs[0])
            return ("branch", predicate, then.program, otherwise.program, bindings, label)
        return (
            "loop",
            body.program,
            instruction.length,
            bindings,
            (),
            label,
            first_output - 1 if instruction.program else -1,  # the loop index is the body's last input
            instruction.program == "reverse",
            None if instruction.running is None else self._operand(instruction.running),
            instruction.running is not None,
        )

    # ---- running ----
    def call(
        self,
        rebind: Callable,
        lock: Any = None,
        scalar: bool = False,
        checks: dict[int, Any] | None = None,
        worded: Callable | None = None,
    ) -> runner.Call:
        """The hot path: takes the input arrays, then the captures; ``rebind`` is asked when they are not exactly right.

        checks: position of an input → "nan" or ("index", limit), what its values must fulfil; worded: (StatusError, arguments) → the
        exception to raise in its place.
        """
        inputs = []
        for index, spec in enumerate(self.input_specs):
            check = (checks or {}).get(index, "none")
            small = int(product(spec.shape)) * spec.dtype.itemsize < COPY_BELOW
            inputs.append(
                runner.InputSpec(
                    index,
                    spec.dtype,
                    spec.shape,
                    copy=small or (check != "none" and spec.dtype == np.int64),
                    check=check,
                )
            )
        outputs = [
            runner.OutputSpec(len(inputs) + k, s.dtype, s.shape) for k, s in enumerate(self.output_specs)
        ]
        return runner.Call(self.program, inputs, outputs, rebind, lock, scalar, worded)

    def __call__(
        self, inputs: Sequence[np.ndarray], captures: Sequence[np.ndarray] | None = None
    ) -> list[np.ndarray]:
        """Runs once on arrays of exactly the right types and shapes; returns the outputs as a list."""
        if self._call is None:
            self._call = self.call(_mismatch)
        try:
            result = self._call(*inputs, *(self.captures if captures is None else captures))
        except runner.StatusError as error:
            raise self.worded(error) from None
        if len(self.output_specs) == 1:
            return [result]
        return [] if result is None else list(result)

    def worded(self, error: runner.StatusError) -> MathnetError:
        """The user's exception for a status of the runner: names the operation, its line, the position and the value."""
        if error.input is not None:
            name = (
                self.graph.inputs[error.input].name
                if error.input < len(self.graph.inputs)
                else "captured array"
            )
            return DataError(f"input {name!r}: {_refusal(error)}; nothing was changed")
        plan, path = self, list(error.path)
        for iteration in error.iterations:
            bodies = plan.instructions[path.pop(0)].bodies
            plan = bodies[iteration if len(bodies) == 2 else 0]
        instruction = plan.instructions[path[0]]
        for node in instruction.nodes:
            words = node.op.message(error.code, error.position, error.value, **node.attrs)
            if words:
                return DataError(f"{words}{_shown_inputs(node)}{_site(node)}; nothing was changed")
        names = ", ".join(node.op.name for node in instruction.nodes) or error.label
        site = _site(instruction.nodes[0]) if instruction.nodes else ""
        return DataError(f"{names}: {_refusal(error)}{site}; nothing was changed")

    # ---- what it is ----
    @property
    def nbytes(self) -> int:
        """Bytes of the workspace: arena and scratch of all threads."""
        return self.program.workspace_bytes

    @property
    def flops(self) -> int:
        """Floating-point operations of one run, by the operations' own counts."""
        return sum(_cost(i)[0] for i in self.instructions)

    def explain(self) -> str:
        """A table with one line per instruction: operations, kernel, shapes, bytes, FLOPs, arena offset of the first output."""
        rows = [("#", "instruction", "fused operations", "shapes", "bytes", "FLOPs", "arena")]
        for index, instruction in enumerate(self.instructions):
            flops, nbytes = _cost(instruction)
            mark = "*" if index >= self.program.commit else ""
            rows.append(
                (
                    f"{index}{mark}",
                    _kernel_name(instruction),
                    _fused(instruction),
                    _shapes(instruction),
                    f"{nbytes:,}",
                    f"{flops:,}",
                    _place(instruction),
                )
            )
        text = _table(rows)
        for index, instruction in enumerate(self.instructions):
            for title, body in zip(_titles(instruction), instruction.bodies):
                inner = body.explain().splitlines()
                text += f"\n{title.format(index)}:\n" + "\n".join("  " + line for line in inner)
        return (
            f"plan {self.name}: {len(self.instructions)} instructions ({len(self.instructions) - self.program.commit} commit, marked *), "
            f"{self.arena_bytes:,} arena bytes, {self.flops:,} FLOPs\n{text}"
        )

    def profile(self, *arrays: Any, repeats: int = 20) -> Profile:
        """Median time of each instruction over ``repeats`` runs.  Variables and slots are put back afterwards."""
        inputs = [
            np.ascontiguousarray(a, s.dtype)
            for a, s in zip(
                [*arrays, *self.captures[: len(self.input_specs) - len(arrays)]], self.input_specs
            )
        ]
        for index, (array, spec) in enumerate(zip(inputs, self.input_specs)):
            if array.shape != spec.shape:
                raise DataError(
                    f"profile of plan {self.name!r}: input {index} has shape {show_shape(array.shape)}, "
                    f"the plan is for {show_shape(spec.shape)}"
                )
        if len(inputs) != len(self.input_specs):
            raise DataError(
                f"profile of plan {self.name!r}: {len(self.input_specs)} arrays are needed, {len(arrays)} were given"
            )
        outputs = [np.empty(s.shape, s.dtype) for s in self.output_specs]
        writable = [v for v in self._variables if v.array.flags.writeable]
        saved = [(v, v.array.copy()) for v in writable]
        try:
            seconds = self.program.profile([*inputs, *outputs], repeats)
        except runner.StatusError as error:
            raise self.worded(error) from None
        finally:
            for variable, value in saved:
                variable.array[...] = value
        return Profile(self, seconds)

    def __repr__(self) -> str:
        return f"<Plan {self.name}: {len(self.instructions)} instructions, {self.arena_bytes:,} arena bytes>"


class Profile:
    """Times of a plan's instructions: ``seconds`` per instruction; ``str()`` gives a table."""

    def __init__(self, plan: Plan, seconds: Sequence[float]) -> None:
        self.plan, self.seconds = plan, list(seconds)

    @property
    def total(self) -> float:
        return sum(self.seconds)

    def __str__(self) -> str:
        rows = [("#", "instruction", "fused operations", "µs", "share", "GFLOP/s", "GB/s")]
        for index, (instruction, seconds) in enumerate(zip(self.plan.instructions, self.seconds)):
            flops, nbytes = _cost(instruction)
            rate = (f"{flops / seconds / 1e9:.1f}", f"{nbytes / seconds / 1e9:.1f}") if seconds else ("", "")
            rows.append(
                (
                    str(index),
                    _kernel_name(instruction),
                    _fused(instruction),
                    f"{seconds * 1e6:.2f}",
                    f"{seconds / self.total:.1%}" if self.total else "",
                    *rate,
                )
            )
        return f"plan {self.plan.name}: {self.total * 1e6:.1f} µs\n{_table(rows)}"


def _mismatch(*args: Any, **kwargs: Any) -> Any:
    shown = ", ".join(
        f"{a.dtype}{show_shape(a.shape)}" if isinstance(a, np.ndarray) else type(a).__name__ for a in args
    )
    raise DataError(
        f"a plan was called with ({shown}), which are not the contiguous arrays that it was made for"
    )


def _refusal(error: runner.StatusError) -> str:
    if error.code == runner.STATUS_CODES["index_out_of_range"]:
        return f"index {int(error.value)} at position {error.position} is out of range"
    if error.code == runner.STATUS_CODES["nan"]:
        return f"NaN at position {error.position}"
    text = runner.STATUS_TEXTS.get(error.code, f"status {error.code}")
    return f"{text} (position {error.position}, value {error.value:g})"


def _shown_inputs(node: Any) -> str:
    return (
        f" (operands of shape {', '.join(show_shape(t.shape) for t in node.inputs)})" if node.inputs else ""
    )


def _site(node: Any) -> str:
    return f" (built at {node.site[0]}:{node.site[1]})" if node is not None and node.site else ""


def _kernel_name(instruction: Instruction) -> str:
    if instruction.kind != "kernel":
        return instruction.kind
    return f"{instruction.kernel.name} {instruction.kernel.real}"


def _fused(instruction: Instruction) -> str:
    return " ".join(node.op.name for node in instruction.nodes)


def _label(instruction: Instruction) -> str:
    return _fused(instruction) or _kernel_name(instruction)


def _shapes(instruction: Instruction) -> str:
    inputs = " ".join(show_shape(v.shape) for v in instruction.inputs)
    return f"{inputs} → {' '.join(show_shape(v.shape) for v in instruction.outputs)}"


def _titles(instruction: Instruction) -> tuple[str, ...]:
    if instruction.kind == "branch":
        return "then of {}", "else of {}"
    if instruction.running is not None:
        return (
            ("body of {}, while its flag is true",)
            if instruction.length == NO_LIMIT
            else (f"body of {{}}, while its flag is true, at most {instruction.length} times",)
        )
    return (f"body of {{}}, {instruction.length} times",)


def _place(instruction: Instruction) -> str:
    for view in instruction.outputs:
        return (
            str(view.buffer.offset + view.offset * view.dtype.itemsize)
            if view.buffer.kind == "arena"
            else view.buffer.kind
        )
    return ""


def _cost(instruction: Instruction) -> tuple[int, int]:
    """(FLOPs, bytes moved) of an instruction: the operations' FLOPs, and each operand once."""
    if instruction.bodies:
        # A branch costs as much as its dearer side; of a loop that ends when its flag is false one iteration is counted.
        times = 1 if instruction.kind == "branch" or instruction.running is not None else instruction.length
        inner = [[_cost(i) for i in body.instructions] for body in instruction.bodies]
        flops, moved = max((sum(f for f, _ in side), sum(b for _, b in side)) for side in inner)
        return times * flops, times * moved
    flops = 0
    if instruction.kernel is None or instruction.kernel.name != "copy":
        for node in instruction.nodes:
            flops += node.op.cost(
                [t.spec for t in node.inputs], [t.spec for t in node.outputs], **node.attrs
            )[0]
    return flops, sum(
        v.buffer.nbytes if 0 in v.strides else v.nbytes for v in (*instruction.inputs, *instruction.outputs)
    )


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    right = {"bytes", "FLOPs", "µs", "share", "GFLOP/s", "GB/s", "arena"}
    lines = []
    for row in rows:
        cells = [
            cell.rjust(w) if rows[0][k] in right else cell.ljust(w)
            for k, (cell, w) in enumerate(zip(row, widths))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
