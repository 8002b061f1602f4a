"""softmax(Q Kᵀ·scale + mask) V as one operation, whose kernels never hold the whole matrix of weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import BOOL, is_float
from mathnet.graph.op import Op, broadcast_shapes, count, register
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.ops.comparison import greater_equal, logical_and, not_equal, where
from mathnet.ops.elementwise import unbroadcast
from mathnet.ops.matmul import MATMUL
from mathnet.ops.recurrent import sequence_positions
from mathnet.ops.reduction import SUM
from mathnet.ops.shape import expand_dims, reshape, transpose
from mathnet.ops.softmax import SOFTMAX

#: Score of a key that a query must not see: its weight is exactly 0 beside any other, and no arithmetic on it makes NaN.
UNSEEN = -1e30
_MASKS = {False: 2, True: 1}  # whether it is of bools → the kernels' kind


def _swap(x: Tensor) -> Tensor:
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _by_heads(x: Tensor) -> Tensor:
    """(N, T, H, F) ↔ (N, H, T, F)."""
    return transpose(x, (0, 2, 1, 3))


class WrittenAttention:
    """The attention written out, in tensors with an axis of groups G and one of the R heads that share a group."""

    def __init__(
        self, q: Tensor, k: Tensor, v: Tensor, masks: tuple[Tensor, ...], causal: bool, scale: float
    ) -> None:
        self.shape, self.scale = (q.shape[0], k.shape[1], q.shape[1] // k.shape[1]), scale
        self.q = self.grouped(q)
        self.k, self.v = expand_dims(k, 2), expand_dims(v, 2)
        scores = MATMUL(self.q, _swap(self.k)) * scale
        allowed = None
        if causal:
            places = [sequence_positions(n) for n in scores.shape[-2:]]
            allowed = greater_equal(expand_dims(places[0], 1), places[1])
        for mask in masks:
            mask = self.grouped_mask(mask)
            seen = mask if mask.dtype == BOOL else not_equal(mask, -np.inf)
            if mask.dtype != BOOL:
                scores = scores + where(seen, mask, 0.0)
            allowed = seen if allowed is None else logical_and(allowed, seen)
        if allowed is not None:
            scores = where(allowed, scores, UNSEEN)
        self.weights = SOFTMAX(scores, axis=4)
        if allowed is not None:
            self.weights = where(allowed, self.weights, 0.0)  # matters to queries that may see nothing

    def grouped(self, x: Tensor) -> Tensor:
        """(N, H, …) → (N, G, R, …)."""
        return reshape(x, (*self.shape, *x.shape[2:]))

    def grouped_mask(self, mask: Tensor) -> Tensor:
        parts = (1, 1) if mask.shape[1] == 1 else self.shape[1:]
        return reshape(mask, (mask.shape[0], *parts, *mask.shape[2:]))

    def heads(self, x: Tensor) -> Tensor:
        """(N, G, R, T, F) → (N, T, H, F)."""
        return _by_heads(reshape(x, (x.shape[0], self.shape[1] * self.shape[2], *x.shape[3:])))

    def groups(self, x: Tensor) -> Tensor:
        """(N, G, R, T, F) → (N, T, G, F), summed over the heads of each group."""
        return _by_heads(SUM(x, axis=(2,), keepdims=False))

    def slopes(self, dy: Tensor) -> Tensor:
        """The cotangent of the scores with mask."""
        toward = MATMUL(dy, _swap(self.v))
        return self.weights * (toward - SUM(self.weights * toward, axis=(4,), keepdims=True))


class _DotAttention(Op):
    """Common parts.  Attributes: causal, scale."""

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        k, q = inputs[-2 - len(inputs) % 2], outputs[0]
        moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return 4 * count(q) * (k.shape[2] if isinstance(k.shape[2], int) else 1), moved


class DotAttention(_DotAttention):
    """softmax(Q Kᵀ·scale + mask) V.

    Inputs: q (N, H, Tq, D), k (N, G, Tk, D), v (N, G, Tk, E), G a divisor of H, and perhaps a mask that broadcasts to (N, H, Tq, Tk):
    bools, True where a query may see a key, or floats to add.  causal: query i sees keys 0 … i.  Output (N, Tq, H, E): heads side by
    side, as the map behind them wants them.  Whoever may see nothing gives zeros.
    """

    name, formula = "dot_attention", "softmax(q·kᵀ·scale + mask)·v"

    def infer(self, q: Spec, k: Spec, v: Spec, *masks: Spec, causal: bool, scale: float) -> Spec:  # type: ignore[override]
        n, h, tq, d = q.shape
        if (
            k.shape[0] != n
            or k.shape[-1] != d
            or v.shape[:-1] != k.shape[:-1]
            or len({s.dtype for s in (q, k, v)}) > 1
        ):
            raise ShapeError(f"{self.name}: query {q!r}, key {k!r} and value {v!r} do not fit to each other")
        for mask in masks:
            weights = (n, h, tq, k.shape[2])
            if len(mask.shape) != 4 or broadcast_shapes(self.name, weights, mask.shape) != weights:
                raise ShapeError(
                    f"{self.name}: mask {mask!r} does not broadcast to the weights' shape {show_shape(weights)}"
                )
        return Spec((n, tq, h, v.shape[-1]), q.dtype)

    def expansion(  # type: ignore[override]
        self, q: Tensor, k: Tensor, v: Tensor, *masks: Tensor, causal: bool, scale: float
    ) -> Tensor:
        written = WrittenAttention(q, k, v, masks, causal, scale)
        return written.heads(MATMUL(written.weights, written.v))

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], causal: bool, scale: float
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        made = DOT_ATTENTION_BACKWARD(dy, *inputs, *outputs, causal=causal, scale=scale)
        found: list[Tensor | None] = [_by_heads(x) for x in made]
        for mask in inputs[3:]:
            slope = None
            if is_float(mask.dtype):
                written = WrittenAttention(inputs[0], inputs[1], inputs[2], inputs[3:], causal, scale)
                slopes = written.slopes(written.grouped(_by_heads(dy)))
                slope = reshape(unbroadcast(slopes, written.grouped_mask(mask)), mask.shape)
            found.append(slope)
        return found

    def kept(self, q: Spec, k: Spec, v: Spec, *masks: Spec, causal: bool, scale: float) -> tuple[Spec, ...]:
        """Of each query the largest score, and one over the sum of the exponentials above it."""
        return (Spec((*q.shape[:3], 2), q.dtype),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, causal: bool, scale: float) -> None:  # type: ignore[override]
        q = inputs[0]
        self.lower_keeping(
            emit, inputs, (*outputs, emit.temporary((*q.shape[:3], 2), q.dtype)), causal, scale
        )

    def lower_keeping(self, emit: Any, inputs: Any, outputs: Any, causal: bool, scale: float) -> None:
        views, fields = _operands(emit, inputs, causal, scale)
        emit.kernel("attention_forward", views, outputs, **fields)

    def oracle(  # type: ignore[override]
        self, q: np.ndarray, k: np.ndarray, v: np.ndarray, *masks: np.ndarray, causal: bool, scale: float
    ) -> np.ndarray:
        return np.moveaxis(_weights(q, k, masks, causal, scale) @ _shared(v, q), 1, 2)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(5)
        q, k, v = (rng.uniform(-1, 1, s) for s in ((2, 4, 3, 5), (2, 2, 4, 5), (2, 2, 4, 6)))
        seen = rng.uniform(0, 1, (2, 1, 3, 4)) > 0.3
        seen[0, 0, 1] = False
        return [
            ((q, k, v), {"causal": False, "scale": 0.5}),
            ((q, k, v), {"causal": True, "scale": 1.0}),
            ((q, k[:, :1].copy(), v[:, :1].copy(), seen), {"causal": True, "scale": 0.7}),
            ((q, k, v, rng.uniform(-1, 1, (1, 4, 1, 4))), {"causal": False, "scale": 0.5}),
        ]


class DotAttentionBackward(_DotAttention):
    """The cotangents of q, k and v, with heads behind the steps as in y.  y is an input for Σ dy·y, and so that what the forward pass
    kept beside it can be found."""

    name = "dot_attention_backward"
    formula = "dS·k, dSᵀ·q, Pᵀ·dy with P = softmax(q·kᵀ·scale + mask), dS = P∘(dy·vᵀ - Σ dy·y)·scale"

    def infer(self, dy: Spec, q: Spec, k: Spec, v: Spec, *rest: Spec, causal: bool, scale: float) -> Any:  # type: ignore[override]
        return tuple([Spec((s.shape[0], s.shape[2], s.shape[1], s.shape[3]), s.dtype) for s in (q, k, v)])

    def expansion(  # type: ignore[override]
        self, dy: Tensor, q: Tensor, k: Tensor, v: Tensor, *rest: Tensor, causal: bool, scale: float
    ) -> tuple[Tensor, ...]:
        written = WrittenAttention(q, k, v, rest[:-1], causal, scale)
        toward = written.grouped(_by_heads(dy))
        slopes = written.slopes(toward) * scale
        return (
            written.heads(MATMUL(slopes, written.k)),
            written.groups(MATMUL(_swap(slopes), written.q)),
            written.groups(MATMUL(_swap(written.weights), toward)),
        )

    def uses_kept(self, node: Node) -> Node | None:
        forward = node.inputs[-1].node
        same = forward.op is DOT_ATTENTION and all(
            a is b for a, b in zip(forward.inputs, node.inputs[1:-1], strict=True)
        )
        return forward if same else None

    def lower(  # type: ignore[override]
        self, emit: Any, inputs: Any, outputs: Any, causal: bool, scale: float, kept: Any = None
    ) -> None:
        dy, *operands, y = inputs
        views, fields = _operands(emit, operands, causal, scale)
        if kept is None:
            q = operands[0]
            again = emit.temporary(y.shape, y.dtype), emit.temporary((*q.shape[:3], 2), q.dtype)
            emit.kernel("attention_forward", views, again, **fields)
            kept = again[1:]
        emit.kernel("attention_backward", [emit.dense(dy), *views, emit.dense(y), *kept], outputs, **fields)

    def oracle(  # type: ignore[override]
        self,
        dy: np.ndarray,
        q: np.ndarray,
        k: np.ndarray,
        v: np.ndarray,
        *rest: np.ndarray,
        causal: bool,
        scale: float,
    ) -> tuple[np.ndarray, ...]:
        weights, dy = _weights(q, k, rest[:-1], causal, scale), np.moveaxis(dy, 2, 1)
        toward = dy @ np.swapaxes(_shared(v, q), -1, -2)
        slopes = weights * (toward - (weights * toward).sum(-1, keepdims=True)) * scale

        def grouped(x: np.ndarray) -> np.ndarray:
            return x.reshape(k.shape[0], k.shape[1], -1, *x.shape[2:]).sum(2)

        found = (
            slopes @ _shared(k, q),
            *[grouped(np.swapaxes(a, -1, -2) @ b) for a, b in ((slopes, q), (weights, dy))],
        )
        return tuple([np.moveaxis(x, 1, 2) for x in found])

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        found = []
        for arrays, attrs in DOT_ATTENTION.samples():
            y = np.ascontiguousarray(DOT_ATTENTION.oracle(*arrays, **attrs))
            found.append(((np.linspace(-1, 1, y.size).reshape(y.shape), *arrays, y), attrs))
        return found


def _operands(emit: Any, inputs: Any, causal: bool, scale: float) -> tuple[list, dict[str, Any]]:
    """(views, fields) for the kernels: any strides but along the features."""
    views = [
        x if x.shape[-1] <= 1 or (x.strides[-1] == 1 and min(x.strides) >= 0) else emit.dense(x)
        for x in inputs[:3]
    ]
    q, k, v = views
    fields = {
        "batch": q.shape[0],
        "heads": q.shape[1],
        "groups": k.shape[1],
        "queries": q.shape[2],
        "keys": k.shape[2],
        "width": q.shape[3],
        "value_width": v.shape[3],
        "q": q.strides[:3],
        "k": k.strides[:3],
        "v": v.strides[:3],
        "mask_kind": 0,
        "mask": (0, 0, 0, 0),
        "causal": int(causal),
        "scale": scale,
    }
    for mask in inputs[3:]:
        mask = mask if mask.dtype == BOOL else emit.cast(mask, q.dtype)
        views.append(mask)
        whole = (*q.shape[:3], k.shape[2])
        fields.update(mask_kind=_MASKS[mask.dtype == BOOL], mask=mask.broadcast(whole).strides)
    return views, fields


def _shared(x: np.ndarray, q: np.ndarray) -> np.ndarray:
    return np.repeat(x, q.shape[1] // x.shape[1], 1)


def _weights(q: np.ndarray, k: np.ndarray, masks: tuple, causal: bool, scale: float) -> np.ndarray:
    scores = q @ np.swapaxes(_shared(k, q), -1, -2) * scale
    for mask in masks:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=np.bool_), scores, -np.inf)
    largest = scores.max(-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isneginf(largest), 0.0, largest))
    total = weights.sum(-1, keepdims=True)
    return weights / np.where(total == 0, 1.0, total)


DOT_ATTENTION, DOT_ATTENTION_BACKWARD = register(DotAttention()), register(DotAttentionBackward())
