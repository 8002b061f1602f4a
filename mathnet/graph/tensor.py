"""Tensor: one output of a node, a symbolic array."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import GraphError
from mathnet.graph.dim import Dim, show_shape

if TYPE_CHECKING:
    from mathnet.graph.op import Op

#: Folders whose frames are not the user's; the standard plugin adds its own.
HIDDEN_FOLDERS = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep]


class Spec:
    """Shape and element type of a tensor; ``weak`` says that the type gives way to that of the arrays it meets."""

    __slots__ = ("dtype", "shape", "weak")

    def __init__(self, shape: tuple, dtype: np.dtype, weak: bool = False) -> None:
        self.shape, self.dtype, self.weak = shape, dtype, weak

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def _key(self) -> tuple:
        return self.shape, self.dtype, self.weak

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"{self.dtype}{show_shape(self.shape)}" + ("~" if self.weak else "")


#: Numbers that tell which of two nodes was made first.
node_numbers = itertools.count()


class Node:
    """One application of an operation: inputs, attributes, outputs and the user's line that made it.

    ``number`` grows from node to node.
    """

    __slots__ = ("attrs", "inputs", "number", "op", "outputs", "site")

    op: Op
    inputs: tuple[Tensor, ...]
    attrs: dict[str, Any]
    outputs: tuple[Tensor, ...]
    site: tuple[str, int] | None

    def __init__(
        self,
        op: Op,
        inputs: tuple[Tensor, ...],
        attrs: dict[str, Any],
        specs: tuple[Spec, ...],
        site: tuple[str, int] | None,
    ) -> None:
        self.op, self.inputs, self.attrs, self.site = op, inputs, attrs, site
        self.number = next(node_numbers)
        self.outputs = tuple([Tensor(self, index, spec) for index, spec in enumerate(specs)])

    def __repr__(self) -> str:
        return f"<{self.op.name} {', '.join(repr(t.spec) for t in self.outputs)}>"


class SiteOf(threading.local):
    """``with site_of(site):`` nodes made inside carry ``site``: what a rewrite makes belongs to the line of the node that it stems from."""

    fixed: tuple = ()

    def __call__(self, site: tuple[str, int] | None) -> SiteOf:
        self.fixed = (*self.fixed, site)
        return self

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        self.fixed = self.fixed[:-1]


site_of = SiteOf()


def user_site() -> tuple[str, int] | None:
    """File and line of the nearest caller outside of the package."""
    if site_of.fixed:
        return site_of.fixed[-1]
    frame = sys._getframe(1)
    hidden = tuple(HIDDEN_FOLDERS)
    while frame is not None:
        if not frame.f_code.co_filename.startswith(hidden):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


class Operators:
    """Python's operators, NumPy's array methods and NumPy's calls, each as the graph function of its name.

    For symbolic values: tensors, and variables, which enter a graph as tensors (``__mathnet_tensor__``).
    """

    __slots__ = ()

    # ndarray @ tensor and np.float32(2) * tensor ask this class first.
    __array_priority__ = 1000

    @property
    def T(self) -> Tensor:
        return _call("transpose", self)

    # ---- operators: each looks its operation up by name ----
    def __add__(self, other: Any) -> Tensor:
        return _call("add", self, other)

    def __radd__(self, other: Any) -> Tensor:
        return _call("add", other, self)

    def __sub__(self, other: Any) -> Tensor:
        return _call("subtract", self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return _call("subtract", other, self)

    def __mul__(self, other: Any) -> Tensor:
        return _call("multiply", self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return _call("multiply", other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return _call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return _call("divide", other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return _call("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return _call("floor_divide", other, self)

    def __mod__(self, other: Any) -> Tensor:
        return _call("remainder", self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return _call("remainder", other, self)

    def __pow__(self, other: Any) -> Tensor:
        return _call("power", self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return _call("power", other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return _call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return _call("matmul", other, self)

    def __neg__(self) -> Tensor:
        return _call("negative", self)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]  # Tensor is the only subclass

    def __abs__(self) -> Tensor:
        return _call("abs", self)

    def __lt__(self, other: Any) -> Tensor:
        return _call("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return _call("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return _call("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return _call("greater_equal", self, other)

    def __and__(self, other: Any) -> Tensor:
        return _call("logical_and", self, other)

    __rand__ = __and__

    def __or__(self, other: Any) -> Tensor:
        return _call("logical_or", self, other)

    __ror__ = __or__

    def __invert__(self) -> Tensor:
        return _call("logical_not", self)

    def __getitem__(self, index: Any) -> Tensor:
        return _call("getitem", self, index)

    __iter__: Any = None  # else Python would iterate by __getitem__ without end

    # ---- array methods that NumPy users reach for ----
    def reshape(self, *shape: Any) -> Tensor:
        return _call(
            "reshape", self, shape[0] if len(shape) == 1 and not isinstance(shape[0], (int, Dim)) else shape
        )

    def transpose(self, *axes: Any) -> Tensor:
        if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))):
            return _call("transpose", self, axes[0] or None)
        return _call("transpose", self, axes or None)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return _call("sum", self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return _call("mean", self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return _call("max", self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Tensor:
        return _call("min", self, axis=axis, keepdims=keepdims)

    def astype(self, dtype: Any) -> Tensor:
        return _call("cast", self, dtype)

    # ---- NumPy asks ----
    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Tensor:
        return _numpy_call(ufunc.__name__, method == "__call__" and not kwargs, args, kwargs)

    def __array_function__(self, function: Any, types: Any, args: tuple, kwargs: dict) -> Any:
        return _numpy_call(function.__name__, True, args, kwargs)


class Tensor(Operators):
    """A symbolic array: ``shape`` (ints and Dims), ``dtype`` and the node that makes it.

    Operators and the functions of ``mathnet`` on tensors build nodes.  A tensor has no value: using it where Python or NumPy
    needs one raises an error that names the function to use instead.
    """

    __slots__ = ("__weakref__", "index", "node", "spec")

    def __init__(self, node: Node, index: int, spec: Spec) -> None:
        self.node, self.index, self.spec = node, index, spec

    @property
    def shape(self) -> tuple:
        return self.spec.shape

    @property
    def dtype(self) -> np.dtype:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.spec.shape)

    @property
    def size(self) -> Any:
        from mathnet.graph.dim import product

        return product(self.spec.shape)

    @property
    def name(self) -> str:
        """The name given to an input, variable or layer, else the operation's name."""
        attrs = self.node.attrs
        return attrs.get("name") or getattr(attrs.get("layer"), "name", None) or self.node.op.name

    def __repr__(self) -> str:
        shape = (
            "("
            + ", ".join("None" if isinstance(s, Dim) else str(s) for s in self.shape)
            + ("," if self.ndim == 1 else "")
            + ")"
        )
        return f"<Tensor {self.name} {shape} {self.dtype}>"

    # ---- comparisons build nodes too, so hashing goes by identity ----
    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return _call("equal", self, other)

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return _call("not_equal", self, other)

    __hash__ = object.__hash__

    # ---- uses that need a value ----
    def _no_value(self, use: str, instead: str) -> GraphError:
        return GraphError(f"{self!r} is symbolic and has no value yet, so it cannot be used {use}; {instead}")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise self._no_value(
            "as a NumPy array",
            "use the mathnet function (mn.where, mn.stack, …), or run a Model or mn.function to get numbers",
        )

    def __bool__(self) -> bool:
        raise self._no_value("as a truth value (if, while, and, or, assert)", "use mn.where(condition, a, b)")

    def __float__(self) -> float:
        raise self._no_value("as a Python float", "run a Model or mn.function to get numbers")

    def __int__(self) -> int:
        raise self._no_value("as a Python int", "run a Model or mn.function to get numbers")

    def __index__(self) -> int:
        raise self._no_value("as an index or size", "sizes must be known when the graph is built")

    def __complex__(self) -> complex:
        raise self._no_value("as a complex number", "complex numbers are not supported")

    def __iter__(self) -> Any:
        if not self.shape or isinstance(self.shape[0], Dim):
            raise self._no_value("in a loop", "use mn.scan to loop over an axis")
        return (self[i] for i in range(self.shape[0]))

    def __len__(self) -> int:
        if not self.shape:
            raise GraphError(f"len() of {self!r}: a tensor of rank 0 has no length")
        return self.shape[0].__index__()

    def __contains__(self, item: object) -> bool:
        raise self._no_value("with 'in'", "use mn.equal and a reduction")

    def __setitem__(self, index: Any, value: Any) -> None:
        raise self._no_value(
            "as a target of assignment", "build the new value with mn.where or mn.concatenate"
        )


def _call(name: str, *args: Any, **kwargs: Any) -> Any:
    from mathnet.graph.op import FUNCTIONS

    return FUNCTIONS[name](*args, **kwargs)


_NUMPY_NAMES = {
    "true_divide": "divide",
    "absolute": "abs",
    "conjugate": "positive",
    "amax": "max",
    "amin": "min",
}


def _numpy_call(name: str, plain: bool, args: tuple, kwargs: dict) -> Any:
    """What ``np.<name>`` means for tensors: the mathnet function of that name with the same arguments."""
    from mathnet.errors import nearest
    from mathnet.graph.op import FUNCTIONS

    known = _NUMPY_NAMES.get(name, name)
    if known not in FUNCTIONS:
        raise GraphError(
            f"np.{name} does not work on a symbolic tensor, and mathnet has no function of that name{nearest(name, FUNCTIONS)}"
        )
    if not plain:
        raise GraphError(
            f"np.{name} with {', '.join(kwargs) or 'a ufunc method'} does not work on a symbolic tensor; use mn.{known}"
        )
    try:
        return FUNCTIONS[known](*args, **kwargs)
    except TypeError as error:
        raise GraphError(f"np.{name} on a symbolic tensor: {error}; use mn.{known}") from None
