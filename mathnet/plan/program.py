"""Programs of the elementwise virtual machine: what operations write, in single assignment form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mathnet import _kernels

# opcode → (opcode with the right operand as immediate, opcode with the left operand as immediate, which may give another number)
_IMMEDIATE: dict[str, tuple[str | None, str | None]] = {
    "add": ("add_imm", "add_imm"),
    "sub": (None, "rsub_imm"),
    "mul": ("mul_imm", "mul_imm"),
    "div": ("div_imm", "rdiv_imm"),
    "pow": ("pow_imm", None),
    "elu": ("elu_imm", None),
    "elu_slope": ("elu_imm_slope", None),
    "max": ("max_imm", "max_imm"),
    "min": ("min_imm", "min_imm"),
    "lt": ("lt_imm", "gt_imm"),
    "le": ("le_imm", "ge_imm"),
    "gt": ("gt_imm", "lt_imm"),
    "ge": ("ge_imm", "le_imm"),
    "eq": ("eq_imm", "eq_imm"),
    "ne": ("ne_imm", "ne_imm"),
}


_SLOPES = frozenset(_kernels.OPCODE_SLOPES.values())


class Value:
    """A value of a program: an input (``op`` is "input"), a number ("number") or the result of an opcode."""

    __slots__ = ("args", "immediate", "number", "op")

    def __init__(
        self, op: str, args: tuple[Value, ...] = (), immediate: float = 0.0, number: int = 0
    ) -> None:
        self.op, self.args, self.immediate = op, args, immediate
        self.number = number  # place in its program: opcodes from 0, inputs from −1 downwards


def in_order(outputs: Iterable[Value]) -> list[Value]:
    """The values that ``outputs`` need, inputs among them, each after its arguments."""
    return _after_arguments(outputs, lambda value: value.args)


def scheduled(outputs: Sequence[Value]) -> list[Value]:
    """The same in the order in which they run: the longest way from the inputs first, so that few registers are needed.

    What forms a pair with its reader (``_kernels.OPCODE_PAIRS``) comes right before it: the machine runs both in one loop.
    So it does with a function and its slope (``_kernels.OPCODE_SLOPES``), which follow each other too.
    """
    depth: dict[int, int] = {}
    for value in in_order(outputs):
        depth[id(value)] = 1 + max([depth[id(a)] for a in value.args], default=0)

    def arguments(value: Value) -> list[Value]:
        return sorted(value.args, key=lambda a: ((a.op, value.op) in _kernels.OPCODE_PAIRS, -depth[id(a)]))

    return _slopes_after_functions(_after_arguments(sorted(outputs, key=lambda v: -depth[id(v)]), arguments))


def _slopes_after_functions(order: list[Value]) -> list[Value]:
    """The same order, but where there are a function and its slope the later one comes right behind the other, the slope last."""
    slopes = {(v.op, v.args, v.immediate): v for v in order if v.op in _SLOPES}
    if not slopes:
        return order
    pairs: dict[int, list[Value]] = {}
    for value in order:
        slope = slopes.get((_kernels.OPCODE_SLOPES.get(value.op, ""), value.args, value.immediate))
        if slope is not None:
            pairs[id(value)] = pairs[id(slope)] = [value, slope]
    result: list[Value] = []
    placed: set[int] = set()
    for value in order:
        if id(value) not in placed:
            result += pairs.get(id(value), [value])
            placed.update(id(v) for v in result[-2:])
    return result


def _after_arguments(outputs: Iterable[Value], arguments: Callable[[Value], Sequence[Value]]) -> list[Value]:
    done: set[int] = set()
    result: list[Value] = []
    for output in outputs:
        stack = [(output, iter(arguments(output)))]
        while stack:
            value, rest = stack[-1]
            if id(value) in done:
                stack.pop()
                continue
            for argument in rest:
                if id(argument) not in done:
                    stack.append((argument, iter(arguments(argument))))
                    break
            else:
                stack.pop()
                done.add(id(value))
                result.append(value)
    return result


class Program:
    """A program over one iteration shape in one real type.  Call it to append an opcode: ``program("add", a, b)``."""

    def __init__(self, real: np.dtype) -> None:
        self.real = real
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self._opcodes = _kernels.OPCODES
        self._seen: dict[tuple, Value] = {}

    def input(self) -> Value:
        value = Value("input", number=-1 - len(self.inputs))
        self.inputs.append(value)
        return value

    def number(self, x: float) -> Value:
        return Value("number", immediate=float(x))

    def __call__(self, opcode: str, *args: Value, immediate: float = 0.0) -> Value:
        if len(args) == 2 and opcode in _IMMEDIATE:
            right, left = _IMMEDIATE[opcode]
            a, b = args
            if b.op == "number" and a.op != "number":
                if right is not None:
                    return self._append(right, (a,), b.immediate)
                if opcode == "sub":
                    return self._append("add_imm", (a,), -b.immediate)
            elif a.op == "number" and b.op != "number" and left is not None:
                return self._append(left, (b,), a.immediate)
        return self._append(opcode, args, immediate)

    def _append(self, opcode: str, args: tuple[Value, ...], immediate: float) -> Value:
        if opcode not in self._opcodes:
            raise KeyError(f"the elementwise machine has no opcode {opcode!r}")
        args = tuple([self._load(a) for a in args])
        if opcode == "sigmoid" and args[0].op == "mul_imm":
            opcode, args, immediate = "sigmoid_scaled", args[0].args, args[0].immediate
        return self._value(opcode, args, float(immediate))

    def _value(self, opcode: str, args: tuple[Value, ...], immediate: float) -> Value:
        """The value of an opcode over these arguments, which is computed once."""
        key = (opcode, tuple([a.number for a in args]), immediate.hex())
        value = self._seen.get(key)
        if value is None:
            value = self._seen[key] = Value(opcode, args, immediate, len(self._seen))
        return value

    def _load(self, value: Value) -> Value:
        """Numbers that no opcode takes as an immediate fill a register."""
        return self._value("constant", (), value.immediate) if value.op == "number" else value

    def signature(self) -> tuple:
        """Equal for programs that do the same."""
        self.outputs = [self._load(v) for v in self.outputs]
        return self.real, len(self.inputs), tuple(self._seen), tuple([v.number for v in self.outputs])

    def order(self) -> list[Value]:
        """The opcodes that the outputs need, each after its arguments."""
        return [value for value in scheduled(self.outputs) if value.op != "input"]
