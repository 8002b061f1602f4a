"""Order along an axis: sort, argsort, the largest k, places in a sorted array.

NumPy sorts, on the caller's thread; the order is stable, and NaN counts as larger than every number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import INT64, promote
from mathnet.graph.op import OPS, Op, as_tensor, count, graph_function, normalize_axis, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.along_axis import SCATTER_ALONG
from mathnet.ops.shape import moveaxis


class Sort(Op):
    """(values, indices) of x in order along the last axis; equal elements keep their order, also in a descending one.

    Attributes: descending; first, how many of them are wanted, None for all.
    """

    name, formula = "sort", "x[i₁] ≤ x[i₂] ≤ …"

    def infer(self, x: Spec, descending: bool, first: Any) -> tuple[Spec, Spec]:  # type: ignore[override]
        shape = x.shape if first is None else (*x.shape[:-1], first)
        return Spec(shape, x.dtype, x.weak), Spec(shape, INT64)

    def batch(
        self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any
    ) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return self(inputs[0], **attrs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], descending: bool, first: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        if dy[0] is None:
            return (None,)
        x = inputs[0]
        return (SCATTER_ALONG(dy[0], outputs[1], size=x.shape[-1], axis=x.ndim - 1, where="sort"),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, descending: bool, first: Any) -> None:  # type: ignore[override]
        def sort(arrays: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> None:
            order = _order(arrays[0], descending)[..., :first]
            targets[0][...] = np.take_along_axis(arrays[0], order, -1)
            targets[1][...] = order

        if outputs[0].size:
            emit.host(sort, inputs, outputs)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        n = inputs[0].shape[-1]
        comparisons = count(inputs[0]) * (n.bit_length() if isinstance(n, int) else 1)
        return comparisons, count(inputs[0]) * inputs[0].dtype.itemsize + count(outputs[0]) * 16

    def oracle(self, x: np.ndarray, descending: bool, first: Any) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[override]
        order = np.empty(x.shape, np.int64)
        for line in np.ndindex(x.shape[:-1]):
            places = sorted(range(x.shape[-1]), key=lambda i: (-x[line][i] if descending else x[line][i], i))
            order[line] = places
        order = order[..., :first]
        return np.take_along_axis(x, order, -1), order

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(16).permutation(36).reshape(2, 3, 6) / 8.0
        cases: list[tuple[Any, bool, Any]] = [
            (x, False, None),
            (x, True, None),
            (x, True, 2),
            (x[0, 0], False, None),
            (x[:0], True, 1),
            (x[..., :0], False, None),
            (x.astype(np.int64) % 3, True, 4),
        ]
        return [((a,), {"descending": descending, "first": first}) for a, descending, first in cases]


def _order(x: np.ndarray, descending: bool) -> np.ndarray:
    """Indices that sort the last axis; a descending order is an ascending one of the reversed line, read backwards."""
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    return x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]


class SearchSorted(Op):
    """Where values belong in a sorted line: how many of its elements are smaller (side left), or not larger (side right)."""

    name, formula = "searchsorted", "#{k: xₖ < v}"

    def infer(self, x: Spec, values: Spec, side: str) -> Spec:  # type: ignore[override]
        return Spec(values.shape, INT64)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], side: str) -> Tensor | None:  # type: ignore[override]
        return None if mapped[0] else self(*inputs, side=side)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], side: str
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return None, None

    def lower(self, emit: Any, inputs: Any, outputs: Any, side: str) -> None:  # type: ignore[override]
        def search(arrays: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> None:
            targets[0][...] = np.searchsorted(*arrays, side=side)  # type: ignore[call-overload]

        if outputs[0].size:
            emit.host(search, inputs, outputs)

    def oracle(self, x: np.ndarray, values: np.ndarray, side: str) -> np.ndarray:  # type: ignore[override]
        line = x.reshape((-1, *[1] * values.ndim))
        return np.asarray(np.sum(line < values if side == "left" else line <= values, axis=0))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x, values = np.array([0.0, 1.0, 1.0, 2.5]), np.array([[-1.0, 0.0, 1.0], [1.5, 2.5, 3.0]])
        return [
            ((a, v), {"side": side})
            for a, v in ((x, values), (x, values[0, 2]), (x[:0], values), (x, values[:0]))
            for side in ("left", "right")
        ]


SORT, SEARCH_SORTED = register(Sort()), register(SearchSorted())


def _sorted(name: str, x: Any, axis: Any, descending: bool, first: Any = None) -> tuple[Tensor, Tensor]:
    x = as_tensor(x, name)
    if axis is None:
        x, axis = OPS["reshape"](x, shape=(product(x.shape),)), 0
    if x.ndim == 0:
        raise ShapeError(f"{name}: a number has no axis to be sorted along")
    position = normalize_axis(name, axis, x.ndim)
    n = x.shape[position]
    if first is not None and not isinstance(n, Dim) and first > n:
        raise ShapeError(
            f"{name}: k = {first} elements are wanted of axis {position} of shape {show_shape(x.shape)}"
        )
    values, indices = SORT(moveaxis(x, position, -1), descending=bool(descending), first=first)
    return moveaxis(values, -1, position), moveaxis(indices, -1, position)


@graph_function
def sort(x: Any, axis: int | None = -1, descending: bool = False) -> Tensor:
    """x in order along ``axis`` (None: flattened); NaN is larger than every number.  The derivative goes where the element came from.

    >>> import mathnet as mn
    >>> mn.sort([3.0, 1.0, 2.0])
    array([1., 2., 3.])
    """
    return _sorted("sort", x, axis, descending)[0]


@graph_function
def argsort(x: Any, axis: int | None = -1, descending: bool = False) -> Tensor:
    """Indices that sort x along ``axis`` (None: flattened); equal elements keep their order.

    >>> import mathnet as mn
    >>> mn.argsort([3.0, 1.0, 1.0])
    array([1, 2, 0])
    """
    return _sorted("argsort", x, axis, descending)[1]


@graph_function
def top_k(x: Any, k: int, axis: int = -1) -> tuple[Tensor, Tensor]:
    """(values, indices) of the k largest elements along ``axis``, the largest first; of equal ones the first.

    Raises ShapeError when the axis has fewer than k elements.

    >>> import mathnet as mn
    >>> mn.top_k([3.0, 1.0, 7.0], 2)
    (array([7., 3.]), array([2, 0]))
    """
    if isinstance(k, bool) or not hasattr(k, "__index__") or isinstance(k, Tensor) or k.__index__() < 0:
        raise ArgumentError(
            f"top_k: k must be an integer ≥ 0 that is known when the graph is built, not {k!r}"
        )
    return _sorted("top_k", x, axis, True, k.__index__())


@graph_function
def searchsorted(x: Any, v: Any, side: str = "left") -> Tensor:
    """Where the values v belong in x, which must be sorted and have one axis, so that it stays sorted.

    side: ``"left"`` for the first such place, ``"right"`` for the last.

    >>> import mathnet as mn
    >>> mn.searchsorted([1.0, 2.0, 3.0], [2.0, 2.5])
    array([1, 2])
    """
    x, v = as_tensor(x, "searchsorted: x"), as_tensor(v, "searchsorted: v")
    if x.ndim != 1:
        raise ShapeError(f"searchsorted: x must have one axis, not shape {show_shape(x.shape)}")
    if side not in ("left", "right"):
        raise ArgumentError(f"searchsorted: side must be 'left' or 'right', not {side!r}")
    dtype, _ = promote((x.spec, v.spec))
    x, v = (t if t.dtype == dtype else OPS["cast"](t, dtype=dtype) for t in (x, v))
    return SEARCH_SORTED(x, v, side=side)
