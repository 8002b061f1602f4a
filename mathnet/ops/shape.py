"""Rearrangement: other shapes, orders and parts of the same elements.

Most of these operations are views: they cost no instruction, and the kernels behind them read through their strides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import promote
from mathnet.graph.op import (
    Op,
    as_tensor,
    batched,
    broadcast_shapes,
    graph_function,
    normalize_axes,
    normalize_axis,
    register,
)
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.elementwise import match, unbroadcast

Shape = tuple[Any, ...]


class Rearrangement(Op):
    """Moves elements and computes nothing."""

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 0


class Reshape(Rearrangement):
    """The elements in row-major order under another shape."""

    name, formula, onnx = "reshape", "x", "Reshape"

    def infer(self, x: Spec, shape: Shape) -> Spec:  # type: ignore[override]
        if product(x.shape) != product(shape):
            raise ShapeError(
                f"reshape: {show_shape(x.shape)} cannot become {show_shape(shape)}: the numbers of elements differ"
            )
        return Spec(tuple(shape), x.dtype, x.weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], shape: Shape) -> Tensor:  # type: ignore[override]
        return self(inputs[0], shape=(n, *shape))

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], shape: Shape
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (RESHAPE(dy, shape=inputs[0].shape),)

    def view(self, view: Any, shape: Shape) -> Any:  # type: ignore[override]
        return view.reshaped(tuple(shape))

    def oracle(self, x: np.ndarray, shape: Shape) -> np.ndarray:  # type: ignore[override]
        return np.reshape(x, shape)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(12.0).reshape(3, 4)
        return [((x,), {"shape": shape}) for shape in ((12,), (2, 6), (3, 1, 4), (2, 3, 2))] + [
            ((x[:0],), {"shape": (4, 0)})
        ]


class Transpose(Rearrangement):
    """Axes in another order: axis k of the result is axis ``axes[k]`` of x."""

    name, formula, onnx = "transpose", "xᵀ", "Transpose"

    def infer(self, x: Spec, axes: tuple[int, ...]) -> Spec:  # type: ignore[override]
        return Spec(tuple([x.shape[a] for a in axes]), x.dtype, x.weak)

    def batch(
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axes: tuple[int, ...]
    ) -> Tensor:  # type: ignore[override]
        return self(inputs[0], axes=(0, *[a + 1 for a in axes]))

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axes: tuple[int, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (TRANSPOSE(dy, axes=tuple([axes.index(k) for k in range(len(axes))])),)

    def view(self, view: Any, axes: tuple[int, ...]) -> Any:  # type: ignore[override]
        return view.with_shape(tuple([view.shape[a] for a in axes]), tuple([view.strides[a] for a in axes]))

    def oracle(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:  # type: ignore[override]
        return np.transpose(x, axes)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(24.0).reshape(2, 3, 4)
        return [((x,), {"axes": axes}) for axes in ((2, 1, 0), (0, 2, 1), (1, 0, 2), (0, 1, 2))]


class BroadcastTo(Rearrangement):
    """Repeated along new axes and axes of size 1."""

    name, formula, onnx = "broadcast_to", "x", "Expand"

    def infer(self, x: Spec, shape: Shape) -> Spec:  # type: ignore[override]
        if broadcast_shapes("broadcast_to", x.shape, tuple(shape)) != tuple(shape):
            raise ShapeError(f"broadcast_to: {show_shape(x.shape)} does not broadcast to {show_shape(shape)}")
        return Spec(tuple(shape), x.dtype, x.weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], shape: Shape) -> Tensor:  # type: ignore[override]
        return self(batched(inputs[0], n, True, len(shape)), shape=(n, *shape))

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], shape: Shape
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (unbroadcast(dy, inputs[0]),)

    def view(self, view: Any, shape: Shape) -> Any:  # type: ignore[override]
        return view.broadcast(tuple(shape))

    def oracle(self, x: np.ndarray, shape: Shape) -> np.ndarray:  # type: ignore[override]
        return np.broadcast_to(x, shape)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(3.0).reshape(3, 1)
        return [
            ((x,), {"shape": (3, 4)}),
            ((x,), {"shape": (2, 3, 5)}),
            ((np.array(2.0),), {"shape": (2, 2)}),
        ]


class Slice(Rearrangement):
    """Part of x: along each axis ``starts[k] + i·steps[k]`` for i < ``sizes[k]``; steps may be negative."""

    name, formula, onnx = "slice", "x[start:stop:step]", "Slice"

    def infer(self, x: Spec, starts: tuple[int, ...], steps: tuple[int, ...], sizes: Shape) -> Spec:  # type: ignore[override]
        return Spec(tuple(sizes), x.dtype, x.weak)

    def batch(  # type: ignore[override]
        self,
        n: Any,
        inputs: Sequence[Tensor],
        mapped: Sequence[bool],
        starts: tuple[int, ...],
        steps: tuple[int, ...],
        sizes: Shape,
    ) -> Tensor:
        return self(inputs[0], starts=(0, *starts), steps=(1, *steps), sizes=(n, *sizes))

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        starts: tuple[int, ...],
        steps: tuple[int, ...],
        sizes: Shape,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (UNSLICE(dy, shape=inputs[0].shape, starts=starts, steps=steps),)

    def view(self, view: Any, starts: tuple[int, ...], steps: tuple[int, ...], sizes: Shape) -> Any:  # type: ignore[override]
        offset = sum([start * stride for start, stride in zip(starts, view.strides)])
        strides = tuple([step * stride for step, stride in zip(steps, view.strides)])
        return view.with_shape(tuple(sizes), strides, 0 if 0 in sizes else offset)

    def oracle(
        self, x: np.ndarray, starts: tuple[int, ...], steps: tuple[int, ...], sizes: Shape
    ) -> np.ndarray:  # type: ignore[override]
        return x[np.ix_(*[start + step * np.arange(n) for start, step, n in zip(starts, steps, sizes)])]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.arange(30.0).reshape(5, 6)
        cases = [
            ((1, 0), (1, 1), (3, 6)),
            ((4, 5), (-1, -2), (5, 3)),
            ((0, 1), (2, 3), (3, 2)),
            ((2, 2), (1, 1), (0, 2)),
        ]
        return [((x,), {"starts": a, "steps": b, "sizes": c}) for a, b, c in cases]


class Unslice(Rearrangement):
    """The transpose of :class:`Slice`: dy at the places that it was taken from, zero elsewhere."""

    name, formula = "unslice", "dy at [start:stop:step], else 0"

    def infer(self, dy: Spec, shape: Shape, starts: tuple[int, ...], steps: tuple[int, ...]) -> Spec:  # type: ignore[override]
        return Spec(tuple(shape), dy.dtype, dy.weak)

    def batch(  # type: ignore[override]
        self,
        n: Any,
        inputs: Sequence[Tensor],
        mapped: Sequence[bool],
        shape: Shape,
        starts: tuple[int, ...],
        steps: tuple[int, ...],
    ) -> Tensor:
        return self(inputs[0], shape=(n, *shape), starts=(0, *starts), steps=(1, *steps))

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        shape: Shape,
        starts: tuple[int, ...],
        steps: tuple[int, ...],
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (SLICE(dy, starts=starts, steps=steps, sizes=inputs[0].shape),)

    def lower(
        self,
        emit: Any,
        inputs: Any,
        outputs: Any,
        shape: Shape,
        starts: tuple[int, ...],
        steps: tuple[int, ...],
    ) -> None:  # type: ignore[override]
        (dy,), (dx,) = inputs, outputs
        emit.fill(dx, 0)
        emit.copy(dy, SLICE.view(dx, starts, steps, dy.shape))  # type: ignore[misc]

    def oracle(
        self, dy: np.ndarray, shape: Shape, starts: tuple[int, ...], steps: tuple[int, ...]
    ) -> np.ndarray:  # type: ignore[override]
        dx = np.zeros(shape, dy.dtype)
        dx[np.ix_(*[start + step * np.arange(n) for start, step, n in zip(starts, steps, dy.shape)])] = dy
        return dx

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((np.arange(6.0).reshape(2, 3),), {"shape": (5, 4), "starts": (4, 0), "steps": (-2, 1)})]


class Concatenate(Rearrangement):
    """Tensors one after the other along ``axis``."""

    name, formula, onnx = "concatenate", "[x, y, …]", "Concat"

    def infer(self, *specs: Spec, axis: int) -> Spec:  # type: ignore[override]
        first = specs[0].shape
        total: Any = 0
        for position, spec in enumerate(specs):
            alike = spec.ndim == len(first) and all(
                a == b for k, (a, b) in enumerate(zip(spec.shape, first)) if k != axis
            )
            if not alike:
                raise ShapeError(
                    f"concatenate along axis {axis}: operand {position} of shape {show_shape(spec.shape)} "
                    f"does not fit to {show_shape(first)}; "
                    "all other axes must be equal"
                )
            total = total + spec.shape[axis]
        dtype, weak = promote(specs)
        return Spec((*first[:axis], total, *first[axis + 1 :]), dtype, weak)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], axis: int) -> Tensor:  # type: ignore[override]
        return self(*[batched(x, n, m) for x, m in zip(inputs, mapped)], axis=axis + 1)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        parts, start = [], 0
        for x in inputs:
            starts = tuple([start if k == axis else 0 for k in range(x.ndim)])
            parts.append(match(SLICE(dy, starts=starts, steps=(1,) * x.ndim, sizes=x.shape), x))
            start = start + x.shape[axis]
        return parts

    def lower(self, emit: Any, inputs: Any, outputs: Any, axis: int) -> None:  # type: ignore[override]
        (target,), start = outputs, 0
        for x in inputs:
            emit.copy(x, target.with_shape(x.shape, target.strides, start * target.strides[axis]))
            start += x.shape[axis]

    def oracle(self, *xs: np.ndarray, axis: int) -> np.ndarray:  # type: ignore[override]
        return np.concatenate(xs, axis)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x, y = np.arange(6.0).reshape(2, 3), np.arange(10.0, 16.0).reshape(2, 3)
        return [((x, y), {"axis": 0}), ((x, y, x), {"axis": 1}), ((x[:0], y), {"axis": 0})]


RESHAPE, TRANSPOSE, BROADCAST_TO, SLICE, UNSLICE, CONCATENATE = (
    register(op()) for op in (Reshape, Transpose, BroadcastTo, Slice, Unslice, Concatenate)
)


def _size(name: str, value: Any) -> Any:
    if isinstance(value, Dim):
        return value
    if isinstance(value, Tensor) or not hasattr(value, "__index__"):
        raise ShapeError(f"{name}: a shape holds whole numbers, not {value!r}")
    return value.__index__()


@graph_function
def reshape(x: Any, shape: Any) -> Tensor:
    """x under another shape; one size may be −1 and follows from the others.

    >>> import mathnet as mn
    >>> mn.reshape([[1.0, 2.0], [3.0, 4.0]], (-1,))
    array([1., 2., 3., 4.])
    """
    x = as_tensor(x, "reshape")
    sizes = [_size("reshape", s) for s in (shape if isinstance(shape, (tuple, list)) else (shape,))]
    unknown = [k for k, s in enumerate(sizes) if not isinstance(s, Dim) and s == -1]
    if len(unknown) > 1 or any(not isinstance(s, Dim) and s < -1 for s in sizes):
        raise ShapeError(
            f"reshape: {show_shape(tuple(sizes))} is no shape; sizes are ≥ 0 and at most one is -1"
        )
    if unknown:
        rest = product(tuple([s for k, s in enumerate(sizes) if k != unknown[0]]))
        total = product(x.shape)
        if isinstance(rest, int) and rest == 0:
            raise ShapeError(
                f"reshape: -1 in {show_shape(tuple(sizes))} is not determined, because another size is 0"
            )
        sizes[unknown[0]] = total // rest
        if rest * sizes[unknown[0]] != total:
            raise ShapeError(
                f"reshape: {show_shape(x.shape)} cannot become {show_shape(tuple(sizes))}: the numbers of elements differ"
            )
    return x if tuple(sizes) == x.shape else RESHAPE(x, shape=tuple(sizes))


@graph_function
def transpose(x: Any, axes: Any = None) -> Tensor:
    """x with its axes in the order ``axes`` (None: reversed).

    >>> import mathnet as mn
    >>> mn.transpose([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 3.],
           [2., 4.]])
    """
    x = as_tensor(x, "transpose")
    order = (
        tuple(range(x.ndim - 1, -1, -1))
        if axes is None
        else tuple([normalize_axis("transpose", a, x.ndim) for a in axes])
    )
    if sorted(order) != list(range(x.ndim)):
        raise ShapeError(
            f"transpose: axes {tuple(axes)} must name each of the {x.ndim} axes of {show_shape(x.shape)} once"
        )
    return x if order == tuple(range(x.ndim)) else TRANSPOSE(x, axes=order)


@graph_function
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """x with the axes ``source`` at the positions ``destination``; the others keep their order.

    >>> import mathnet as mn
    >>> mn.moveaxis([[[1.0, 2.0]]], 2, 0).shape
    (2, 1, 1)
    """
    x = as_tensor(x, "moveaxis")
    pairs = [axis if isinstance(axis, (tuple, list)) else (axis,) for axis in (source, destination)]
    if len(pairs[0]) != len(pairs[1]):
        raise ShapeError(f"moveaxis: {len(pairs[0])} axes cannot move to {len(pairs[1])} positions")
    froms, tos = ([normalize_axis("moveaxis", a, x.ndim) for a in pair] for pair in pairs)
    if len(set(froms)) != len(froms) or len(set(tos)) != len(tos):
        raise ShapeError(f"moveaxis: source {source} or destination {destination} names an axis twice")
    order = [k for k in range(x.ndim) if k not in froms]
    for to, origin in sorted(zip(tos, froms)):
        order.insert(to, origin)
    return transpose(x, tuple(order))


@graph_function
def expand_dims(x: Any, axis: Any) -> Tensor:
    """x with new axes of size 1 at the positions ``axis`` of the result.

    >>> import mathnet as mn
    >>> mn.expand_dims([1.0, 2.0], 0)
    array([[1., 2.]])
    """
    x = as_tensor(x, "expand_dims")
    wanted = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = normalize_axes("expand_dims", tuple(wanted), x.ndim + len(wanted))
    old = iter(x.shape)
    return reshape(x, tuple([1 if k in axes else next(old) for k in range(x.ndim + len(wanted))]))


@graph_function
def squeeze(x: Any, axis: Any = None) -> Tensor:
    """x without the axes of size 1 among ``axis`` (None: all of them).

    >>> import mathnet as mn
    >>> mn.squeeze([[1.0, 2.0]])
    array([1., 2.])
    """
    x = as_tensor(x, "squeeze")
    axes = (
        [k for k, s in enumerate(x.shape) if s == 1]
        if axis is None
        else normalize_axes("squeeze", axis, x.ndim)
    )
    for k in axes:
        if x.shape[k] != 1:
            raise ShapeError(f"squeeze: axis {k} of shape {show_shape(x.shape)} has size {x.shape[k]}, not 1")
    return reshape(x, tuple([s for k, s in enumerate(x.shape) if k not in axes]))


@graph_function
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """x repeated to ``shape`` by NumPy's broadcasting.

    >>> import mathnet as mn
    >>> mn.broadcast_to([1.0, 2.0], (2, 2))
    array([[1., 2.],
           [1., 2.]])
    """
    x = as_tensor(x, "broadcast_to")
    sizes = tuple(
        [_size("broadcast_to", s) for s in (shape if isinstance(shape, (tuple, list)) else (shape,))]
    )
    return x if sizes == x.shape else BROADCAST_TO(x, shape=sizes)


@graph_function
def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """A sequence of tensors joined along an axis that they have.

    >>> import mathnet as mn
    >>> mn.concatenate([[1.0], [2.0, 3.0]])
    array([1., 2., 3.])
    """
    tensors = [as_tensor(x, f"concatenate: operand {k}") for k, x in enumerate(xs)]
    if not tensors:
        raise ArgumentError("concatenate: at least one operand is needed")
    if tensors[0].ndim == 0:
        raise ShapeError("concatenate: numbers have no axis to be joined along; use mn.stack")
    position = normalize_axis("concatenate", axis, tensors[0].ndim)
    return tensors[0] if len(tensors) == 1 else CONCATENATE(*tensors, axis=position)


@graph_function
def stack(xs: Any, axis: int = 0) -> Tensor:
    """A sequence of tensors of one shape joined along a new axis.

    >>> import mathnet as mn
    >>> mn.stack([[1.0, 2.0], [3.0, 4.0]], axis=1)
    array([[1., 3.],
           [2., 4.]])
    """
    tensors = [as_tensor(x, f"stack: operand {k}") for k, x in enumerate(xs)]
    if not tensors:
        raise ArgumentError("stack: at least one operand is needed")
    for k, x in enumerate(tensors):
        if x.shape != tensors[0].shape:
            raise ShapeError(
                f"stack: operand {k} has shape {show_shape(x.shape)}, the first {show_shape(tensors[0].shape)}"
            )
    position = normalize_axis("stack", axis, tensors[0].ndim + 1)
    return concatenate([expand_dims(x, position) for x in tensors], position)


@graph_function
def flip(x: Any, axis: Any = None) -> Tensor:
    """x in reverse order along ``axis`` (None: all axes).

    >>> import mathnet as mn
    >>> mn.flip([1.0, 2.0, 3.0])
    array([3., 2., 1.])
    """
    x = as_tensor(x, "flip")
    axes = normalize_axes("flip", axis, x.ndim)
    for k in axes:
        if isinstance(x.shape[k], Dim):
            raise ShapeError(
                f"flip: axis {k} has the unknown size {x.shape[k]}, which has no last element yet"
            )
    if not axes:
        return x
    starts = tuple([max(n - 1, 0) if k in axes else 0 for k, n in enumerate(x.shape)])
    return SLICE(
        x, starts=starts, steps=tuple([-1 if k in axes else 1 for k in range(x.ndim)]), sizes=x.shape
    )
