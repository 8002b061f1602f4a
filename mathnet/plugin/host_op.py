"""HostOp: an operation written in NumPy by a plugin.  It runs on the caller's thread, with the GIL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import DTypeError, GradientError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import FLOAT64, graph_dtype, promote
from mathnet.graph.op import FUNCTIONS, Op, as_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.plugin.blame import blamed
from mathnet.plugin.records import record_of, snake_case


class HostOp:
    """An operation with NumPy code.

    A subclass gives ``shape(*inputs, **settings)`` (a shape, or a list of shapes for several outputs; inputs have ``.shape`` and
    ``.dtype``), ``forward(*arrays, **settings)`` (an array or a tuple of them) and, for a first derivative,
    ``vjp(dy, *arrays, out, **settings)`` (one array or None per input; dy and out are tuples for several outputs).
    ``dtype(*inputs, **settings)`` gives the element type where it is not the inputs' common one.  Settings are keywords.

    >>> import mathnet as mn
    >>> @mn.op("sort_rows")
    ... class SortRows(mn.HostOp):
    ...     def shape(self, x):
    ...         return x.shape
    ...     def forward(self, x):
    ...         return np.sort(x, axis=-1)
    """

    vjp: Callable[..., Any] | None = None

    def shape(self, *inputs: Spec, **settings: Any) -> Any:
        raise ShapeError(f"host operation {type(self).__name__} has no method shape")

    def forward(self, *arrays: np.ndarray, **settings: Any) -> Any:
        raise TypeError(f"host operation {type(self).__name__} has no method forward")

    def dtype(self, *inputs: Spec, **settings: Any) -> Any:
        """Element type of the outputs (or a list of types): by default the inputs' common type."""
        return promote(inputs)[0] if inputs else FLOAT64

    @property
    def key(self) -> str:
        record = record_of(type(self))
        return record.key if record is not None else snake_case(type(self).__name__)

    def operation(self) -> Op:
        """The graph's side of this operation."""
        return HostCall(self)

    def on_tensors(self, *operands: Any, **settings: Any) -> Any:
        """The node of this operation over ``operands``."""
        inputs = [as_tensor(operand, f"{self.key}: operand") for operand in operands]
        return HostCall(self)(*inputs, **settings)

    def __call__(self, *operands: Any, **settings: Any) -> Any:
        """Arrays in: arrays out; any tensor in: a node."""
        if any(isinstance(operand, Tensor) or hasattr(operand, "__mathnet_tensor__") for operand in operands):
            return self.on_tensors(*operands, **settings)
        arrays = []
        for position, operand in enumerate(operands):
            array = np.asarray(operand)
            arrays.append(
                array.astype(graph_dtype(array.dtype, f"{self.key}: operand {position}"), copy=False)
            )
        specs = HostCall(self).specs([Spec(a.shape, a.dtype) for a in arrays], settings)
        with blamed(self, "forward"):
            results = _checked(self.key, "forward", self.forward(*arrays, **settings), specs, len(specs))
        return results[0] if len(results) == 1 else tuple(results)


class HostCall(Op):
    """The graph's side of a HostOp."""

    effects = frozenset({"host"})
    name = "host"

    def __init__(self, host: HostOp) -> None:
        self.host = self.plugin = host
        self.name = f"{host.key}@{id(host):x}"  # type: ignore[misc]

    def specs(self, inputs: Sequence[Spec], settings: dict[str, Any]) -> tuple[Spec, ...]:
        with blamed(self.host, "shape"):
            shapes = self.host.shape(*inputs, **settings)
        single = not isinstance(shapes, list) and not (
            isinstance(shapes, tuple) and shapes and isinstance(shapes[0], tuple)
        )
        shapes = [shapes] if single else list(shapes)
        dtypes = self.host.dtype(*inputs, **settings)
        dtypes = list(dtypes) if isinstance(dtypes, (list, tuple)) else [dtypes] * len(shapes)
        if any(not isinstance(shape, tuple) for shape in shapes):
            raise ShapeError(
                f"{self.host.key}: shape() must return a tuple of sizes, or a list of such tuples, not {shapes[0]!r}"
            )
        return tuple(
            [
                Spec(shape, graph_dtype(dtype, f"{self.host.key}: dtype()"))
                for shape, dtype in zip(shapes, dtypes)
            ]
        )

    def infer(self, *specs: Spec, **settings: Any) -> Spec | tuple[Spec, ...]:
        found = self.specs(specs, settings)
        return found[0] if len(found) == 1 else found

    def lower(self, emit: Any, inputs: tuple, outputs: tuple, **settings: Any) -> None:
        specs = [view.spec for view in outputs]

        def run(arrays: tuple[np.ndarray, ...], targets: tuple[np.ndarray, ...]) -> None:
            with blamed(self.host, "forward"):
                results = _checked(
                    self.host.key, "forward", self.host.forward(*arrays, **settings), specs, len(specs)
                )
            for target, result in zip(targets, results):
                target[...] = result

        emit.host(run, inputs, outputs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **settings: Any
    ) -> Sequence[Tensor | None]:
        if self.host.vjp is None:
            raise GradientError(f"host operation {self.host.key!r} has no vjp, so it has no derivative")
        cotangents = dy if isinstance(dy, tuple) else (dy,)
        cotangents = tuple(
            FUNCTIONS["zeros_like"](out) if one is None else one for one, out in zip(cotangents, outputs)
        )
        wanted = [index for index, tensor in enumerate(inputs) if tensor.dtype.kind == "f"]
        made = HostVjp(self.host, len(inputs), len(outputs))(*cotangents, *inputs, *outputs, **settings)
        made = made if isinstance(made, tuple) else (made,)
        found: list[Tensor | None] = [None] * len(inputs)
        for index, tensor in zip(wanted, made):
            found[index] = tensor
        return found


class HostVjp(Op):
    """The derivative of a HostOp: inputs are the cotangents, the inputs and the outputs; one output per float input.  First order."""

    effects = frozenset({"host"})
    name = "host_vjp"

    def __init__(self, host: HostOp, n_inputs: int, n_outputs: int) -> None:
        self.host, self.n_inputs, self.n_outputs = host, n_inputs, n_outputs
        self.name = f"{host.key}_vjp@{id(host):x}"  # type: ignore[misc]

    def infer(self, *specs: Spec, **settings: Any) -> tuple[Spec, ...] | Spec:
        inputs = specs[self.n_outputs : self.n_outputs + self.n_inputs]
        found = tuple(Spec(s.shape, s.dtype) for s in inputs if s.dtype.kind == "f")
        return found[0] if len(found) == 1 else found

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **settings: Any
    ) -> Sequence[Tensor | None]:
        raise GradientError(f"host operation {self.host.key!r} has a first derivative only")

    def lower(self, emit: Any, inputs: tuple, outputs: tuple, **settings: Any) -> None:
        cut = self.n_outputs + self.n_inputs
        places = [i for i, view in enumerate(inputs[self.n_outputs : cut]) if view.dtype.kind == "f"]
        specs = [inputs[self.n_outputs + i].spec for i in range(self.n_inputs)]

        def run(arrays: tuple[np.ndarray, ...], targets: tuple[np.ndarray, ...]) -> None:
            dy, out = arrays[: self.n_outputs], arrays[cut:]
            single = self.n_outputs == 1
            assert self.host.vjp is not None
            with blamed(self.host, "vjp"):
                results = self.host.vjp(
                    dy[0] if single else dy,
                    *arrays[self.n_outputs : cut],
                    out=out[0] if single else out,
                    **settings,
                )
                checked = _checked(self.host.key, "vjp", results, specs, self.n_inputs)
            for target, place in zip(targets, places):
                target[...] = 0.0 if checked[place] is None else checked[place]

        emit.host(run, inputs, outputs)


def _checked(key: str, method: str, results: Any, specs: Sequence[Spec], count: int) -> list[Any]:
    """Results of a plugin's method as a list of arrays of the promised shapes (None stays)."""
    found = list(results) if isinstance(results, (tuple, list)) else [results]
    if len(found) != count:
        raise ShapeError(
            f"host operation {key!r}: {method}() returned {len(found)} results, but {count} are expected"
        )
    checked: list[Any] = []
    for position, (result, spec) in enumerate(zip(found, specs)):
        if result is None and method == "vjp":
            checked.append(None)
            continue
        array = np.asarray(result)
        if array.shape != spec.shape:
            raise ShapeError(
                f"host operation {key!r}: result {position} of {method}() has shape {show_shape(array.shape)}, "
                f"but {show_shape(spec.shape)} is expected"
            )
        if array.dtype.kind not in "fiub":
            raise DTypeError(
                f"host operation {key!r}: result {position} of {method}() has elements of type {array.dtype}"
            )
        checked.append(array.astype(spec.dtype, copy=False))
    return checked
