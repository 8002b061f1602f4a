"""One element for each index along an axis: take_along_axis and its transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.op import (
    OPS,
    Op,
    as_tensor,
    broadcast_shapes,
    count,
    graph_function,
    normalize_axis,
    register,
)
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.indexing import SCATTER_ADD, TAKE, WRAP_INDEX, index_tensor
from mathnet.ops.shape import RESHAPE, broadcast_to, moveaxis


def _places(indices: Tensor, n: Any, axis: int, where: str) -> Tensor:
    """Indices along the last axis, of size n, as places in the flattened array."""
    wrapped = WRAP_INDEX(indices, size=n, axis=axis, where=where)
    lines = np.arange(int(product(indices.shape[:-1]))) * n
    return OPS["add"](wrapped, as_tensor(lines.reshape(*indices.shape[:-1], 1)))


class TakeAlong(Op):
    """y[…, j] = x[…, i[…, j]] along the last axis; negative indices count from its end.

    Inputs: x (…, n), int64 indices (…, m) with the same leading axes.  Attributes for errors: axis and where, the words they begin with.
    """

    name, formula, onnx = "take_along", "x[…, i[…, j]]", "GatherElements"

    def infer(self, x: Spec, indices: Spec, axis: int, where: str) -> Spec:  # type: ignore[override]
        if x.shape[:-1] != indices.shape[:-1]:
            raise ShapeError(
                f"{where}: x of shape {show_shape(x.shape)} and indices of shape {show_shape(indices.shape)} "
                "differ in other axes than the last"
            )
        return Spec(indices.shape, x.dtype, x.weak)

    def expansion(self, x: Tensor, indices: Tensor, axis: int, where: str) -> Tensor:  # type: ignore[override]
        places = _places(indices, x.shape[-1], axis, where)
        return TAKE(RESHAPE(x, shape=(product(x.shape),)), places)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], axis: int, where: str
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, indices = inputs
        return SCATTER_ALONG(dy, indices, size=x.shape[-1], axis=axis, where=where), None

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 0, 2 * count(outputs[0]) * (outputs[0].dtype.itemsize + 8)

    def oracle(self, x: np.ndarray, indices: np.ndarray, axis: int, where: str) -> np.ndarray:  # type: ignore[override]
        return np.take_along_axis(x, indices, -1)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(14)
        x, indices = rng.uniform(-1, 1, (2, 3, 4)), rng.integers(-4, 4, (2, 3, 5))
        return [
            ((a, i), {"axis": 0, "where": "x"})
            for a, i in ((x, indices), (x[0, 0], indices[0, 0]), (x[:0], indices[:0]), (x, indices[..., :0]))
        ]


class ScatterAlong(Op):
    """The transpose of :class:`TakeAlong`: zeros of ``size`` along the last axis, to which dy[…, j] is added at i[…, j]."""

    name, formula = "scatter_along", "Σ dy over equal i[…, j]"

    def infer(self, dy: Spec, indices: Spec, size: Any, axis: int, where: str) -> Spec:  # type: ignore[override]
        return Spec((*dy.shape[:-1], size), dy.dtype)

    def expansion(self, dy: Tensor, indices: Tensor, size: int, axis: int, where: str) -> Tensor:  # type: ignore[override]
        shape = (*dy.shape[:-1], size)
        added = SCATTER_ADD(dy, _places(indices, size, axis, where), rows=product(shape))
        return RESHAPE(added, shape=shape)

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        size: Any,
        axis: int,
        where: str,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return TAKE_ALONG(dy, inputs[1], axis=axis, where=where), None

    def oracle(self, dy: np.ndarray, indices: np.ndarray, size: int, axis: int, where: str) -> np.ndarray:  # type: ignore[override]
        y = np.zeros((*dy.shape[:-1], size), dy.dtype)
        for place in np.ndindex(indices.shape):
            y[(*place[:-1], indices[place])] += dy[place]
        return y

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(15)
        dy, indices = rng.uniform(-1, 1, (2, 3, 4)), rng.integers(-5, 5, (2, 3, 4))
        return [
            ((a, i), {"size": 5, "axis": 0, "where": "x"})
            for a, i in ((dy, indices), (dy[0, 0], indices[0, 0]), (dy[:0], indices[:0]))
        ]


TAKE_ALONG, SCATTER_ALONG = register(TakeAlong()), register(ScatterAlong())


@graph_function
def take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Tensor:
    """One element of x for each index along ``axis``, as :func:`argsort` and :func:`argmax` give indices; negative ones count from the end.

    indices: as many axes as x; all but ``axis`` are broadcast against those of x.  axis None: elements of the flattened x, at indices of
    one axis.  Raises DataError for an index out of range.

    >>> import mathnet as mn
    >>> mn.take_along_axis([[10.0, 30.0, 20.0]], [[0, 2, 1]], axis=1)
    array([[10., 20., 30.]])
    """
    x, indices = as_tensor(x, "take_along_axis: x"), index_tensor("take_along_axis", indices)
    if axis is None:
        x, axis = OPS["reshape"](x, shape=(product(x.shape),)), 0
    if x.ndim == 0 or indices.ndim != x.ndim:
        raise ShapeError(
            f"take_along_axis: indices of shape {show_shape(indices.shape)} must have as many axes as x of shape "
            f"{show_shape(x.shape)}, at least one"
        )
    position = normalize_axis("take_along_axis", axis, x.ndim)
    front, wanted = moveaxis(x, position, -1), moveaxis(indices, position, -1)
    lead = broadcast_shapes("take_along_axis", front.shape[:-1], wanted.shape[:-1])
    front, wanted = (broadcast_to(t, (*lead, t.shape[-1])) for t in (front, wanted))
    return moveaxis(TAKE_ALONG(front, wanted, axis=position, where="take_along_axis"), -1, position)
