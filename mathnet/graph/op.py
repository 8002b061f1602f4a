"""The whole contract of one operation, and the two tables: operations by name, graph functions by name.

Everything that is known of an operation stands in one class below ``mathnet/ops``; the graph, the derivatives and the plan
only ever ask the class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import GradientError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import FLOAT64, graph_dtype
from mathnet.graph.tensor import Node, Spec, Tensor, user_site

OPS: dict[str, Op] = {}
FUNCTIONS: dict[str, Callable] = {}


class NoDerivative:
    """In the place of a cotangent that a rule cannot give: an error, with this reason, if it is asked for."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class Op:
    """One operation.  Subclasses are instantiated once; ``op(*tensors, **attrs)`` builds a node.

    A subclass must give ``name``, ``infer`` and one of ``lower`` (kernels), ``program`` (elementwise, see
    :class:`mathnet.ops.elementwise.Elementwise`) or ``expansion`` (other operations).  The rest is derived where it can be.
    """

    name: ClassVar[str]
    #: Formula in plain text, with x, y, … for the inputs.
    formula: ClassVar[str] = ""
    #: Where the function is defined, as text.
    domain: ClassVar[str] = "all real numbers"
    #: Points where the derivative jumps → the value promised there.
    kinks: ClassVar[dict[float, float]] = {}
    #: Subset of {"random", "host"}: such nodes are never merged or folded.
    effects: ClassVar[frozenset[str]] = frozenset()
    #: Output i is input i; the node matters to derivatives only, and a plan drops it.
    transparent: ClassVar[bool] = False
    #: Epilogues that ``lower`` can take as keywords: "bias" (along ``bias_axis``), "activation" (relu, tanh, sigmoid), "accumulate".
    absorbs: ClassVar[tuple[str, ...]] = ()
    #: Where the first input is a variable that takes the result, and nothing else reads it, the result is written to the variable's
    #: memory as it is computed, not when the call commits.
    at_once: ClassVar[bool] = False
    #: "sum", "max", "min" or "prod" over ``axes(spec, **attrs)``: the elementwise machine runs it, with what comes before it.
    reduction: ClassVar[str | None] = None
    #: Its name in ONNX, where the two mean the same.
    onnx: ClassVar[str | None] = None

    def infer(self, *specs: Spec, **attrs: Any) -> Spec | tuple[Spec, ...]:
        """Shape and type rule; raises ShapeError or DTypeError that names the operation, the argument and the shapes."""
        raise TypeError(f"operation {self.name!r} has no shape rule")

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | NoDerivative | None]:
        """Cotangents of the inputs, built from visible values only: None is zero, a NoDerivative an error if it is needed.

        ``dy``: a Tensor, or for several outputs a tuple (None = zero).
        """
        raise GradientError(f"operation {self.name!r} has no derivative")

    #: A class may set ``expansion`` to a method (self, *inputs, **attrs) → tensor(s) of simpler operations.
    expansion: Callable[..., Any] | None = None
    #: Forward-mode rule (tangents, inputs, outputs, **attrs) → tangents of the outputs, a NoDerivative where there is none;
    #: None: derived from the vjp.
    jvp: Callable[..., Any] | None = None
    #: Batching rule (n, inputs, mapped, **attrs) → outputs, see :mod:`mathnet.transform.batching`; None: through the expansion,
    #: else a loop.
    batch: Callable[..., Any] | None = None
    #: For loops: (body, sizes, mode) → the body with its sizes replaced; see :meth:`Graph.bind`.
    bind_body: Callable[..., Any] | None = None
    #: (node, positions of the outputs that are read) → the smaller node; see :mod:`mathnet.transform.prune`.
    prune: Callable[..., Any] | None = None
    #: What an error says when a derivative is asked for and there is none.
    without_derivative: ClassVar[str] = (
        "keep it off the path with mn.stop_gradient, or give it one with mn.custom_vjp"
    )
    #: (emit, inputs: tuple[View], outputs: tuple[View], **attrs, **absorbed) → None; writes kernel instructions.
    lower: Callable[..., None] | None = None
    #: (view, **attrs) → View of the same memory, or None when a copy is needed; for operations that only rearrange.
    view: Callable[..., Any] | None = None

    def oracle(self, *arrays: np.ndarray, **attrs: Any) -> Any:
        """The value in float64 NumPy, independent of the kernels; for tests."""
        raise TypeError(f"operation {self.name!r} has no oracle")

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        """(input arrays, attributes) that tests and the conformance kit use."""
        return []

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        """(floating-point operations, bytes moved)."""
        return sum(count(s) for s in outputs), sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str | None:
        """Words for a status that a kernel of this operation returned."""
        return None

    def __call__(self, *inputs: Tensor, **attrs: Any) -> Any:
        """Builds a node; one output is returned as a Tensor, several as a tuple."""
        specs = self.infer(*[t.spec for t in inputs], **attrs)
        single = isinstance(specs, Spec)
        node = Node(self, inputs, attrs, (specs,) if single else tuple(specs), user_site())  # type: ignore[arg-type]
        return node.outputs[0] if single else node.outputs

    @property
    def differentiable(self) -> bool:
        return type(self).vjp is not Op.vjp or self.expansion is not None

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def count(spec: Spec) -> int:
    """Number of elements; an unknown size counts as 1."""
    return int(product(tuple(1 if isinstance(s, Dim) else s for s in spec.shape)))


def register(op: Op) -> Op:
    """Puts ``op`` into the table of operations; a name stands for one operation only."""
    if op.name in OPS:
        raise ValueError(f"an operation named {op.name!r} exists already")
    OPS[op.name] = op
    return op


def graph_function(f: Callable) -> Callable:
    """Marks a function that builds nodes as public: ``mathnet.<name>`` is this function applied to arrays or tensors."""
    name = f.__name__.rstrip("_")  # sum_, any_: a module must not hide Python's own
    if name in FUNCTIONS:
        raise ValueError(f"a graph function named {name!r} exists already")
    f.__name__ = f.__qualname__ = name
    FUNCTIONS[name] = f
    return f


# ---- leaves ----


class Leaf(Op):
    """A node without inputs whose spec is an attribute."""

    def infer(self, *specs: Spec, **attrs: Any) -> Spec:
        return attrs["spec"]


class _Input(Leaf):
    """A value given at every call.  Attributes: spec, name."""

    name = "input"


class _Variable(Leaf):
    """A value that lives in a store.  Attributes: spec, variable (an object with ``name``, ``spec`` and ``array``)."""

    name = "variable"


class _Capture(Leaf):
    """An array found while tracing; a live input of the call.  Attributes: spec, array."""

    name = "capture"


class _Constant(Leaf):
    """A Python number, part of the program.  Attributes: spec, value."""

    name = "constant"


INPUT, VARIABLE, CAPTURE, CONSTANT = (
    register(_Input()),
    register(_Variable()),
    register(_Capture()),
    register(_Constant()),
)
LEAVES = (INPUT, VARIABLE, CAPTURE, CONSTANT)


def input_tensor(spec: Spec, name: str = "") -> Tensor:
    return INPUT(spec=spec, name=name)


def constant(value: bool | int | float, dtype: Any = None) -> Tensor:
    """A number as a tensor of rank 0: weak unless ``dtype`` is given."""
    if dtype is not None:
        return CONSTANT(spec=Spec((), np.dtype(dtype)), value=value)
    kind = (
        np.dtype(bool)
        if isinstance(value, (bool, np.bool_))
        else np.dtype(np.int64)
        if isinstance(value, (int, np.integer))
        else FLOAT64
    )
    return CONSTANT(spec=Spec((), kind, weak=True), value=value)


def as_tensor(value: Any, where: str = "operand") -> Tensor:
    """A tensor for anything a graph function may be given: tensor, variable, number, array or nested list of numbers."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (bool, int, float, np.generic)) and not isinstance(value, (np.str_, np.bytes_)):
        if isinstance(value, np.generic):
            graph_dtype(value.dtype, where)
            value = value.item()
        return constant(value)
    if hasattr(value, "__mathnet_tensor__"):
        return value.__mathnet_tensor__()
    array = np.asarray(value)
    dtype = graph_dtype(array.dtype, where)
    return CAPTURE(
        spec=Spec(array.shape, dtype), array=array if array.dtype == dtype else array.astype(dtype)
    )


def batched(x: Tensor, n: Any, mapped: bool, rank: int | None = None) -> Tensor:
    """For batching rules: x (…) or, when ``mapped``, (n, …), as (n, …), with ones after n up to ``rank`` axes behind it."""
    if not mapped:
        return OPS["broadcast_to"](x if rank is None else widened(x, rank), shape=(n, *_wide(x.shape, rank)))
    wide = (n, *_wide(x.shape[1:], rank))
    return x if wide == x.shape else OPS["reshape"](x, shape=wide)


def widened(x: Tensor, rank: int) -> Tensor:
    """x with ones before its axes, up to ``rank``."""
    return x if x.ndim >= rank else OPS["reshape"](x, shape=_wide(x.shape, rank))


def _wide(shape: tuple, rank: int | None) -> tuple:
    return (1,) * ((rank or 0) - len(shape)) + tuple(shape)


def broadcast_shapes(name: str, *shapes: tuple) -> tuple:
    """The common shape by NumPy's rule; an unknown size equals only itself and 1."""
    rank = max((len(shape) for shape in shapes), default=0)
    result: list = [1] * rank
    for shape in shapes:
        for axis, size in enumerate(shape, rank - len(shape)):
            if result[axis] == 1:
                result[axis] = size
            elif size != 1 and size != result[axis]:
                shown = " and ".join(show_shape(s) for s in shapes)
                raise ShapeError(
                    f"{name}: shapes {shown} do not broadcast (axis {axis - rank}: {result[axis]} against {size})"
                )
    return tuple(result)


def normalize_axis(name: str, axis: Any, rank: int) -> int:
    """``axis`` counted from 0, or an error that names the operation and the rank."""
    try:
        position = axis.__index__()
    except AttributeError:
        raise ShapeError(f"{name}: axis must be an integer, not {axis!r}") from None
    if not -rank <= position < rank:
        raise ShapeError(f"{name}: axis {position} is out of range for a tensor of rank {rank}")
    return position % rank


def normalize_axes(name: str, axes: Any, rank: int) -> tuple[int, ...]:
    """None → all axes; int or tuple → sorted axes counted from 0 without repeats."""
    if axes is None:
        return tuple(range(rank))
    wanted = axes if isinstance(axes, (tuple, list)) else (axes,)
    found = [normalize_axis(name, axis, rank) for axis in wanted]
    if len(set(found)) != len(found):
        raise ShapeError(f"{name}: axis {tuple(wanted)} names an axis twice")
    return tuple(sorted(found))
