"""Where data enter a model: ``Input``, and the rules by which given arrays or tensors fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError, nearest
from mathnet.graph.dim import Dim, evaluate, show_shape
from mathnet.graph.dtypes import graph_dtype, is_float
from mathnet.graph.op import FUNCTIONS, INPUT
from mathnet.graph.tensor import Spec, Tensor

#: The batch size of every Input that names no other one.
BATCH = Dim("batch")


def Input(
    shape: Sequence[int | Dim | None] | int,
    dtype: Any = "float32",
    name: str | None = None,
    batch: Dim | int | None = None,
) -> Tensor:
    """The symbolic start of a model: an array of shape ``(batch, *shape)``.

    shape: sizes without the batch axis; None or a Dim leaves one free.  dtype: "float32" and "float64" set the type in which
    the model computes, "int64" and "bool" are for indices and masks.  batch: another batch size than the common one.

    >>> import mathnet as mn
    >>> mn.Input((784,)).shape
    (batch, 784)
    """
    sizes = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    checked: list[int | Dim] = []
    for axis, size in enumerate(sizes):
        if size is None:
            size = Dim(f"size{axis + 1}")
        elif not isinstance(size, Dim):
            if isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 1:
                raise ShapeError(
                    f"Input: axis {axis} of shape {sizes!r} must be a positive integer, a Dim or None (leave the batch size out)"
                )
            size = size.__index__()
        checked.append(size)
    return INPUT(
        spec=Spec((BATCH if batch is None else batch, *checked), graph_dtype(dtype, "Input")), name=name or ""
    )


def arrange(value: Any, names: Sequence[str], what: str) -> list[Any]:
    """``value`` as one item per name: an item alone, a list or tuple in order, or a mapping by name."""
    if isinstance(value, Mapping):
        for key in value:
            if key not in names:
                raise ArgumentError(
                    f"{what} {key!r} does not exist; there are {', '.join(map(repr, names))}{nearest(key, names)}"
                )
        for name in names:
            if name not in value:
                raise ArgumentError(f"{what} {name!r} is missing in the mapping that was given")
        return [value[name] for name in names]
    if len(names) == 1 and not (isinstance(value, tuple) and len(value) == 1 and hasattr(value[0], "shape")):
        return [value]
    if not isinstance(value, (list, tuple)):
        raise ArgumentError(
            f"{what}s: {len(names)} are wanted ({', '.join(map(repr, names))}) as a list, tuple or mapping, "
            f"but one {type(value).__name__} was given"
        )
    if len(value) != len(names):
        raise ArgumentError(
            f"{what}s: {len(names)} are wanted ({', '.join(map(repr, names))}), but {len(value)} were given"
        )
    return list(value)


def convert(value: Any, dtype: np.dtype, where: str) -> np.ndarray:
    """``value`` as a C-contiguous array of ``dtype``; the array itself when it is one already.

    Floats, integers and bools become floats; floats never become integers.
    """
    if (
        type(value) is np.ndarray
        and value.dtype == dtype
        and value.flags.c_contiguous
        and value.flags.aligned
    ):
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ShapeError(f"{where}: not a regular array ({error})") from None
    known = graph_dtype(array.dtype, where)
    if is_float(known) and not is_float(dtype):
        raise DTypeError(
            f"{where} wants {dtype} elements, but {array.dtype} was given; convert with .astype({dtype.name!r}) if that is meant"
        )
    return np.require(array, dtype, ["C_CONTIGUOUS", "ALIGNED"]).view(np.ndarray)


def match(inputs: Sequence[Tensor], given: Sequence[Any], names: Sequence[str], owner: str) -> dict[Dim, Any]:
    """Sizes of the unknowns of ``inputs`` that make them the shapes of ``given`` (arrays or tensors), or an error."""
    sizes: dict[Dim, Any] = {}
    for tensor, item, name in zip(inputs, given, names):
        wanted, shape = tensor.shape, tuple(item.shape)
        where = f"{owner}: input {name!r}"
        if len(shape) != len(wanted):
            missing = len(shape) == len(wanted) - 1 and _fits(wanted[1:], shape)
            hint = "; the batch axis is missing: pass x[None] for one example" if missing else ""
            raise ShapeError(
                f"{where} has shape {show_shape(wanted)}, but an array of shape {show_shape(shape)} was given{hint}"
            )
        for axis, (want, size) in enumerate(zip(wanted, shape)):
            if (
                isinstance(want, Dim)
                and len(want.terms) == 1
                and want not in sizes
                and evaluate(want, sizes) == want
            ):
                sizes[want] = size
            elif evaluate(want, sizes) != size:
                raise ShapeError(
                    f"{where} has shape {show_shape(wanted)}, but an array of shape {show_shape(shape)} was given"
                    f" (axis {axis}: {size} where {evaluate(want, sizes)} is wanted)"
                )
    return sizes


def _fits(wanted: tuple, shape: tuple) -> bool:
    return all(isinstance(want, Dim) or want == size for want, size in zip(wanted, shape))


def cast_to(tensor: Tensor, dtype: np.dtype, where: str) -> Tensor:
    """``tensor`` in the element type of an input; the same rules as for arrays."""
    if tensor.dtype == dtype and not tensor.spec.weak:
        return tensor
    if is_float(tensor.dtype) and not is_float(dtype):
        raise DTypeError(f"{where} wants {dtype} elements, but a {tensor.dtype} tensor was given")
    return FUNCTIONS["cast"](tensor, dtype)
