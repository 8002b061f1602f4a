"""KernelOp: an operation whose compiled kernel a plugin brings.  It runs in the plan, on all threads, without the GIL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from mathnet._kernels import Kernel, KernelLookupError, lookup, plugin_kernels
from mathnet.errors import ArgumentError, DTypeError, GradientError, PluginError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT32, FLOAT64, graph_dtype, is_float, promote
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.plugin.blame import blamed
from mathnet.plugin.host import current_runtime
from mathnet.plugin.records import record_of, snake_case

OPERANDS = ("real", "int64", "bool")


class KernelOp:
    """An operation with a compiled kernel.

    A subclass names where the kernel is: ``tables``, an extension module with ``__table__`` or ``__tables__`` (one capsule of ``abi.h``,
    or several: one for each real type, and for each instruction set if it likes), its dotted name, or the capsules themselves; and
    ``kernel``, its name there (by default the key).  It gives

    - ``shape(*inputs, **settings)``: the shape of the output, or a list of shapes; inputs have ``.shape`` and ``.dtype``;
    - ``fields(*inputs, **settings)``: the descriptor's fields by name; all sizes are numbers there;
    - for a derivative ``vjp(dy, *inputs, out, **settings)``: one tensor or None for each input, made by ``mn`` functions or by another
      KernelOp.  ``dy`` and ``out`` are tuples where there are several outputs.

    The kernel is given dense operands: inputs, then outputs, then the shared buffer if it asks for one.  Inputs are of the common float
    type, unless ``operands`` says otherwise: for each input ``"real"``, ``"int64"`` or ``"bool"``.  Outputs are of the float type, unless
    ``dtype(*inputs, **settings)`` says otherwise.  Results without elements are made without a call.  ``message(code, position, value,
    **settings)`` words a status that the kernel returned; ``cost(inputs, outputs, **settings)`` counts operations and bytes; ``formula``
    is text.  Settings are keywords and constants of a plan.

    Raises PluginError, where the class is decorated, when there is no such kernel or its table has another ABI version.

    >>> import mathnet as mn
    >>> class Plain(mn.KernelOp):
    ...     pass
    >>> mn.op("plain")(Plain)
    Traceback (most recent call last):
    mathnet.errors.PluginError: operation 'plain': class Plain must name its kernel tables: set `tables` to the extension module...
    """

    tables: ClassVar[Any] = None
    kernel: ClassVar[str] = ""
    operands: ClassVar[tuple[str, ...]] = ()
    formula: ClassVar[str] = ""
    vjp: Callable[..., Any] | None = None
    cost: Callable[..., tuple[int, int]] | None = None

    def shape(self, *inputs: Spec, **settings: Any) -> Any:
        raise ShapeError(f"operation {self.key!r} has no method shape")

    def fields(self, *inputs: Spec, **settings: Any) -> dict[str, Any]:
        raise PluginError(f"operation {self.key!r} has no method fields")

    def dtype(self, *inputs: Spec, **settings: Any) -> Any:
        """Element type of the outputs (or a list of types): by default that of the real inputs."""
        return next((spec.dtype for spec in inputs if is_float(spec.dtype)), FLOAT32)

    def message(self, code: int, position: int, value: float, **settings: Any) -> str | None:
        """Words for a status that the kernel returned; None: the usual ones."""
        return None

    @property
    def key(self) -> str:
        return _key(type(self))

    # ---- the kernel ----------------------------------------------------------------------------------------------------------
    @classmethod
    def find_kernels(cls, key: str = "") -> dict[str, Kernel]:
        """The kernel for each real type that there is one for.  PluginError when it cannot be found or used.

        key: that of the class while it is being decorated.
        """
        found = cls.__dict__.get("_found")
        if found is None:
            key = key or _key(cls)
            owner = f"operation {key!r}"
            try:
                tables = plugin_kernels(_capsules(cls, owner))
            except (ImportError, ValueError) as error:
                raise PluginError(f"{owner}: {error}") from error
            name = cls.kernel or key
            try:
                found = {real: lookup(kernels, name, f"its {real} table") for real, kernels in tables.items()}
            except KernelLookupError as error:
                raise PluginError(f"{owner}: {error}") from None
            if not found:
                raise PluginError(
                    f"{owner}: none of its kernel tables is for an instruction set of this processor"
                )
            if any(kind not in OPERANDS for kind in cls.operands):
                raise PluginError(
                    f"{owner}: operands must be of {', '.join(map(repr, OPERANDS))}, not {cls.operands!r}"
                )
            cls._found = found  # type: ignore[attr-defined]
        return found

    def instruction(
        self, inputs: Sequence[Spec], outputs: Sequence[Spec], settings: dict[str, Any]
    ) -> tuple[Kernel, bytes]:
        """The kernel and its packed descriptor for inputs and outputs of known sizes."""
        real = next((s.dtype.name for s in (*inputs, *outputs) if is_float(s.dtype)), "float32")
        kernels = self.find_kernels()
        if real not in kernels:
            raise DTypeError(
                f"operation {self.key!r} has a kernel for {' and '.join(kernels)} only, not for {real}"
            )
        with blamed(self, "fields"):
            fields = self.fields(*inputs, **settings)
            try:
                descriptor = kernels[real].pack(**fields)
            except (KernelLookupError, ValueError, TypeError) as error:
                raise PluginError(f"operation {self.key!r}: fields() returned {fields!r}: {error}") from error
            try:
                kernels[real].sizes(descriptor)
            except ValueError as error:
                raise ArgumentError(f"operation {self.key!r}: {error}") from None
        return kernels[real], descriptor

    # ---- calling -------------------------------------------------------------------------------------------------------------
    def __call__(self, *operands: Any, **settings: Any) -> Any:
        """Arrays in: arrays out; any tensor in: a node."""
        if any(isinstance(operand, Tensor) or hasattr(operand, "__mathnet_tensor__") for operand in operands):
            return self._node(operands, settings)
        arrays: list[np.ndarray] = []
        inputs: list[Tensor] = []
        symbols: list[Tensor] = []
        for position, operand in enumerate(operands):
            if isinstance(operand, (bool, int, float)):
                symbols.append(as_tensor(operand))
                continue
            given = np.asarray(operand)
            array = np.require(
                given, graph_dtype(given.dtype, f"{self.key}: operand {position}"), ["C", "ALIGNED"]
            )
            arrays.append(array)
            inputs.append(input_tensor(Spec(array.shape, array.dtype)))
            symbols.append(inputs[-1])
        made = self._node(symbols, settings)
        outputs = list(made) if isinstance(made, tuple) else [made]
        graph = Graph(inputs, outputs, name=self.key)
        values = current_runtime().plan_for(graph)(arrays, [])
        return tuple(values) if isinstance(made, tuple) else values[0]

    def _node(self, operands: Sequence[Any], settings: dict[str, Any]) -> Any:
        """The node of this operation, its operands converted to what the kernel reads."""
        inputs = [as_tensor(operand, f"{self.key}: operand") for operand in operands]
        kinds = self.operands or ("real",) * len(inputs)
        if len(kinds) != len(inputs):
            raise ArgumentError(
                f"operation {self.key!r} takes {len(kinds)} operands, but {len(inputs)} were given"
            )
        specs = [t.spec for t, kind in zip(inputs, kinds) if kind == "real"]
        real = promote(specs)[0] if specs else FLOAT32
        real = real if is_float(real) else FLOAT64
        for position, (tensor, kind) in enumerate(zip(inputs, kinds)):
            wanted = real if kind == "real" else np.dtype(kind)
            if (kind != "real" and is_float(tensor.dtype)) or (kind == "bool" and tensor.dtype.kind != "b"):
                raise DTypeError(
                    f"operation {self.key!r}: operand {position} must be of type {kind}, not {tensor.dtype}"
                )
            if tensor.dtype != wanted or tensor.spec.weak:
                inputs[position] = FUNCTIONS["cast"](tensor, wanted)
        return self.operation()(*inputs, **settings)

    def operation(self) -> KernelCall:
        """The graph's side of this operation."""
        if "_call" not in self.__dict__:
            self._call = KernelCall(self)
        return self._call


class KernelCall(Op):
    """The graph's side of a KernelOp; one for each instance."""

    name = "kernel"

    def __init__(self, plugin: KernelOp) -> None:
        self.plugin = plugin
        self.formula = plugin.formula  # type: ignore[misc]
        self.name = f"{plugin.key}@{id(plugin):x}"  # type: ignore[misc]

    def infer(self, *specs: Spec, **settings: Any) -> Spec | tuple[Spec, ...]:
        plugin = self.plugin
        with blamed(plugin, "shape"):
            found = plugin.shape(*specs, **settings)
            several = isinstance(found, list) or (
                isinstance(found, tuple) and bool(found) and isinstance(found[0], tuple)
            )
            shapes = list(found) if several else [found]
            types = plugin.dtype(*specs, **settings)
        types = list(types) if isinstance(types, (list, tuple)) else [types] * len(shapes)
        if any(not isinstance(shape, tuple) for shape in shapes) or len(types) != len(shapes):
            raise ShapeError(
                f"operation {plugin.key!r}: shape() must return a tuple of sizes or a list of such tuples, and dtype() as many types; "
                f"they returned {found!r} and {types!r}"
            )
        made = [Spec(s, graph_dtype(np.dtype(t), f"{plugin.key}: dtype()")) for s, t in zip(shapes, types)]
        return tuple(made) if several else made[0]

    def lower(self, emit: Any, inputs: tuple, outputs: tuple, **settings: Any) -> None:
        if all(view.size == 0 for view in outputs):
            return
        kernel, descriptor = self.plugin.instruction(
            [view.spec for view in inputs], [view.spec for view in outputs], settings
        )
        places = [view if view.dense else emit.temporary(view.shape, view.dtype) for view in outputs]
        emit.packed(kernel, descriptor, [emit.dense(view) for view in inputs], places)
        for place, view in zip(places, outputs):
            if place is not view:
                emit.copy(place, view)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **settings: Any
    ) -> Sequence[Tensor | None]:
        plugin = self.plugin
        if plugin.vjp is None:
            raise GradientError(
                f"operation {plugin.key!r} has no derivative: its class has no method vjp; {self.without_derivative}"
            )
        if isinstance(dy, tuple):
            dy = tuple(
                [
                    FUNCTIONS["zeros_like"](out) if one is None else as_tensor(one)
                    for one, out in zip(dy, outputs)
                ]
            )
        out = outputs if isinstance(dy, tuple) else outputs[0]
        with blamed(plugin, "vjp"):
            found = plugin.vjp(dy, *inputs, out=out, **settings)
        found = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(found) != len(inputs):
            raise ShapeError(
                f"operation {plugin.key!r}: vjp() returned {len(found)} results, but there are {len(inputs)} inputs"
            )
        for position, (made, given) in enumerate(zip(found, inputs)):
            if made is None:
                continue
            found[position] = made = as_tensor(made)
            if made.shape != given.shape:
                raise ShapeError(
                    f"operation {plugin.key!r}: result {position} of vjp() has shape {show_shape(made.shape)}, but its input has "
                    f"{show_shape(given.shape)}"
                )
        return found

    def message(self, code: int, position: int, value: float, **settings: Any) -> str | None:
        return self.plugin.message(code, position, value, **settings)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **settings: Any) -> tuple[int, int]:
        if self.plugin.cost is None:
            return super().cost(inputs, outputs, **settings)
        return self.plugin.cost(inputs, outputs, **settings)


def _key(cls: type) -> str:
    record = record_of(cls)
    return record.key if record is not None else snake_case(cls.__name__)


def _capsules(cls: type[KernelOp], owner: str) -> list[Any]:
    """The capsules of ``tables``."""
    tables = cls.tables
    if tables is None:
        raise PluginError(
            f"{owner}: class {cls.__name__} must name its kernel tables: set `tables` to the extension module that holds them"
        )
    if isinstance(tables, str):
        tables = import_module(tables)
    if isinstance(tables, (tuple, list)):
        return list(tables)
    if hasattr(tables, "__tables__"):
        return list(tables.__tables__)
    if hasattr(tables, "__table__"):
        return [tables.__table__]
    if type(tables).__name__ == "PyCapsule":
        return [tables]
    raise PluginError(f"{owner}: {tables!r} has neither __table__ nor __tables__")
