"""The base of operations that work on each element alone: broadcasting, result types, derivatives summed to the operands.

A subclass states its opcode of the elementwise virtual machine (or a ``program`` of several), its ``partials`` and its oracle;
the plan fuses neighbours into one instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import DTypeError
from mathnet.graph.dtypes import BOOL, FLOAT32, FLOAT64, INT64, is_float, promote
from mathnet.graph.op import FUNCTIONS, OPS, NoDerivative, Op, as_tensor, batched, broadcast_shapes, register
from mathnet.graph.tensor import Spec, Tensor


class Elementwise(Op):
    """An operation on each element alone, with NumPy's broadcasting.

    arity: number of operands; result: how the element type follows from the operands', ``"promote"`` (their common type),
    ``"float"`` (the same, but integers and bools give float64) or ``"bool"``; opcode: the instruction of the virtual machine, for
    operations that are one; takes: kinds of element types that are accepted (``b`` bool, ``i`` int64, ``f`` floats).
    """

    arity: ClassVar[int] = 1
    result: ClassVar[str] = "promote"
    opcode: ClassVar[str] = ""
    takes: ClassVar[str] = "bif"
    #: Operands of :meth:`samples` are drawn evenly from this interval.
    sample_range: ClassVar[tuple[float, float]] = (-3.0, 3.0)

    def infer(self, *specs: Spec, **attrs: Any) -> Spec:
        for position, spec in enumerate(specs):
            if spec.dtype.kind not in self.takes:
                names = {"b": "bool", "i": "int64", "f": "float32 or float64"}
                wanted = ", ".join(names[kind] for kind in self.takes)
                raise DTypeError(
                    f"{self.name}: operand {position} has element type {spec.dtype}, but {wanted} is needed; use mn.cast"
                )
        shape = (
            specs[0].shape
            if len(specs) == 1
            else broadcast_shapes(self.name, *[spec.shape for spec in specs])
        )
        dtype, weak = self.result_type(*specs, **attrs)
        return Spec(shape, dtype, weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        rank = max(x.ndim - m for x, m in zip(inputs, mapped))
        return self(*[batched(x, n, True, rank) if m else x for x, m in zip(inputs, mapped)], **attrs)

    def result_type(self, *specs: Spec, **attrs: Any) -> tuple[np.dtype, bool]:
        """Element type of the result and whether it is weak."""
        dtype, weak = promote(specs)
        if self.result == "bool":
            return BOOL, weak
        if self.result == "float" and not is_float(dtype):
            return FLOAT64, weak
        return dtype, weak

    def real(self, inputs: Sequence[Spec], output: Spec) -> np.dtype:
        """The type that the virtual machine computes in: a float type, or int64 when no float takes part."""
        if is_float(output.dtype):
            return output.dtype
        dtype, _ = promote(inputs)
        if is_float(dtype):
            return dtype
        return INT64 if INT64 in (dtype, output.dtype) else FLOAT32

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        """Writes virtual machine code: ``emit(opcode, *registers, immediate=0.0)`` returns the register of the result.

        ``emit.real`` is the type that the machine computes in; the integer machine lacks most functions of floats.
        """
        return emit(self.opcode, *registers)

    def partials(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Any]:
        """Cotangents of the operands in the shape of the result; None where the derivative is zero, else Tensor or NoDerivative."""
        return (None,) * len(inputs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | NoDerivative | None]:
        found = self.partials(dy, inputs, outputs, **attrs)
        return [
            d
            if isinstance(d, NoDerivative)
            else None
            if d is None or not is_float(x.dtype)
            else unbroadcast(d, x)
            for d, x in zip(found, inputs)
        ]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [
            (tuple(self.sample(shape, seed) for seed, shape in enumerate(shapes)), {})
            for shapes in _SAMPLE_SHAPES[self.arity]
        ]

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        """One operand for :meth:`samples`."""
        return np.random.default_rng([len(self.name), seed]).uniform(*self.sample_range, shape)


_SAMPLE_SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {
    1: [((3, 5),), ((7,),), ((),), ((0, 3),), ((2, 3, 1, 4),)],
    2: [((3, 5), (3, 5)), ((3, 1), (4,)), ((2, 3), ()), ((1,), (2, 3, 4)), ((0, 3), (1, 3))],
    3: [((3, 5), (3, 5), (3, 5)), ((3, 1), (4,), ()), ((0,), (0,), (1,))],
}


def match(x: Tensor, like: Tensor) -> Tensor:
    """``x`` in the element type of ``like``, and weak if that is."""
    if x.dtype == like.dtype and x.spec.weak == like.spec.weak:
        return x
    return OPS["cast"](x, dtype=like.dtype, weak=like.spec.weak)


def unbroadcast(x: Tensor, like: Tensor) -> Tensor:
    """The transpose of broadcasting: ``x`` summed to the shape of ``like``, in its element type."""
    shape = like.shape
    if x.shape != shape:
        lead = x.ndim - len(shape)
        axes = (
            *range(lead),
            *[lead + i for i, size in enumerate(shape) if size == 1 and x.shape[lead + i] != 1],
        )
        if axes:
            x = OPS["sum"](x, axis=axes, keepdims=True)
        if lead:
            x = OPS["reshape"](x, shape=shape)
    return match(x, like)


def define(op: Elementwise, public: bool = True) -> Callable[..., Tensor]:
    """Registers ``op`` and returns its graph function, which is also made public under the operation's name."""
    register(op)
    if op.arity == 1:

        def function(x: Any) -> Tensor:
            return op(as_tensor(x, op.name))

    elif op.arity == 2:

        def function(x: Any, y: Any) -> Tensor:  # type: ignore[misc]
            return op(as_tensor(x, f"{op.name}: first operand"), as_tensor(y, f"{op.name}: second operand"))

    else:

        def function(*operands: Any) -> Tensor:  # type: ignore[misc]
            return op(*[as_tensor(x, f"{op.name}: operand {i}") for i, x in enumerate(operands)])

    function.__name__ = function.__qualname__ = op.name
    function.__module__ = type(op).__module__
    function.__doc__ = type(op).__doc__
    if public:
        FUNCTIONS[op.name] = function
    return function
