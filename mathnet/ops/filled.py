"""Arrays filled with one number, counted up, or with a single one per row.  They are views of a number wherever a kernel can read one."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim
from mathnet.graph.dtypes import FLOAT32, FLOAT64, INT64, graph_dtype, is_float
from mathnet.graph.op import FUNCTIONS, OPS, as_tensor, constant, graph_function, normalize_axis
from mathnet.graph.tensor import Tensor


@graph_function
def zeros(shape: Any, dtype: Any = FLOAT64) -> Tensor:
    """Zeros of the given shape.

    >>> import mathnet as mn
    >>> mn.zeros(2)
    array([0., 0.])
    """
    return _filled("zeros", shape, 0, dtype)


@graph_function
def ones(shape: Any, dtype: Any = FLOAT64) -> Tensor:
    """Ones of the given shape.

    >>> import mathnet as mn
    >>> mn.ones((1, 2), "int64")
    array([[1, 1]])
    """
    return _filled("ones", shape, 1, dtype)


@graph_function
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """``fill_value`` repeated to the given shape; dtype: that of the value unless given.

    >>> import mathnet as mn
    >>> mn.full(2, 0.5)
    array([0.5, 0.5])
    """
    return _filled("full", shape, fill_value, dtype)


@graph_function
def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros in the shape of x; dtype: that of x unless given.

    >>> import mathnet as mn
    >>> mn.zeros_like([1.0, 2.0])
    array([0., 0.])
    """
    return full_like(x, 0, dtype)


@graph_function
def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones in the shape of x; dtype: that of x unless given.

    >>> import mathnet as mn
    >>> mn.ones_like([1.0, 2.0])
    array([1., 1.])
    """
    return full_like(x, 1, dtype)


@graph_function
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """``fill_value`` in the shape of x; dtype: that of x unless given.

    >>> import mathnet as mn
    >>> mn.full_like([1.0, 2.0], 7)
    array([7., 7.])
    """
    x = as_tensor(x, "full_like")
    return _filled("full_like", x.shape, fill_value, x.dtype if dtype is None else dtype)


@graph_function
def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None) -> Tensor:
    """Evenly spaced numbers ``start + k·step`` below ``stop``, as NumPy counts them; with ``start`` alone 0, 1, … below it.

    >>> import mathnet as mn
    >>> mn.arange(3)
    array([0, 1, 2])
    """
    for value in (start, step) if stop is None else (start, stop, step):
        if isinstance(value, (Tensor, Dim)):
            raise ArgumentError(f"arange: {value!r} has no value while the graph is built; use plain numbers")
        if not isinstance(value, (int, float, np.integer, np.floating)) or not np.isfinite(value):
            raise ArgumentError(f"arange: start, stop and step must be finite numbers, not {value!r}")
    if step == 0:
        raise ArgumentError("arange: step must not be 0")
    values = np.arange(start, step=step) if stop is None else np.arange(start, stop, step)
    return as_tensor(
        values if dtype is None else values.astype(graph_dtype(dtype, "arange: dtype")), "arange"
    )


@graph_function
def one_hot(indices: Any, size: int, axis: int = -1, dtype: Any = FLOAT32) -> Tensor:
    """Ones where the position along a new axis of ``size`` equals the index, zeros elsewhere; indices out of range give zeros only.

    >>> import mathnet as mn
    >>> mn.one_hot([2, 0], 3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    indices = as_tensor(indices, "one_hot")
    if indices.dtype != INT64:
        raise DTypeError(f"one_hot: indices must be integers, not {indices.dtype}")
    if isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 0:
        raise ArgumentError(f"one_hot: size must be a number of classes, not {size!r}")
    position = normalize_axis("one_hot", axis, indices.ndim + 1)
    shape = [1] * (indices.ndim + 1)
    shape[position] = size.__index__()
    classes = OPS["reshape"](as_tensor(np.arange(shape[position])), shape=tuple(shape))
    equal = FUNCTIONS["equal"](FUNCTIONS["expand_dims"](indices, position), classes)
    return FUNCTIONS["cast"](equal, dtype)


def _filled(name: str, shape: Any, value: Any, dtype: Any) -> Tensor:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    found: list[Any] = []
    for size in sizes:
        if not isinstance(size, Dim):
            try:
                size = size.__index__()
            except (AttributeError, TypeError):
                raise ShapeError(f"{name}: shape must hold integers, not {size!r}") from None
            if size < 0:
                raise ShapeError(f"{name}: shape {sizes} has a negative size")
        found.append(size)
    number = isinstance(value, (bool, int, float))
    if number and dtype is None:
        dtype = constant(value).dtype
    if number:
        dtype = graph_dtype(dtype, f"{name}: dtype")
        kind = float if is_float(dtype) else bool if dtype == np.bool_ else int
        tensor = constant(kind(value), dtype)
    else:
        tensor = as_tensor(value, f"{name}: value")
        tensor = tensor if dtype is None else FUNCTIONS["cast"](tensor, dtype)
    return FUNCTIONS["broadcast_to"](tensor, tuple(found)) if found else tensor
