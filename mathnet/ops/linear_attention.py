"""Attention that is linear in the number of steps: weights are products of features, so that sums over keys can be kept.

Causal sums go by blocks of the sequence: within a block as a small matrix of weights, before it as one sum over all earlier blocks.
Blocks begin at multiples of their size counted from the first step ever, so parts of a sequence have the bits of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError, require_function
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import BOOL, INT64, is_float, promote
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, graph_function, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.branch import cond
from mathnet.ops.comparison import equal, where
from mathnet.ops.cumulative import cumsum
from mathnet.ops.filled import ones, zeros
from mathnet.ops.indexing import take
from mathnet.ops.matmul import matmul
from mathnet.ops.shape import concatenate, expand_dims, reshape, transpose

BLOCK = 64  # steps whose weights are a matrix


def _swap(x: Tensor) -> Tensor:
    return transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _blocks(x: Tensor, block: int) -> Tensor:
    """(…, L, F) → (…, L / block, block, F)."""
    return reshape(x, (*x.shape[:-2], x.shape[-2] // block, block, x.shape[-1]))


def _lengthened(x: Tensor, steps: int) -> Tensor:
    """x (…, T, F) with zeros behind, up to so many steps."""
    missing = steps - x.shape[-2]
    if missing == 0:
        return x
    return concatenate([x, zeros((*x.shape[:-2], missing, x.shape[-1]), x.dtype)], axis=-2)


class CausalLinearAttention(Op):
    """yᵢ = Σ_{j ≤ i} (qᵢ·kⱼ) vⱼ, without a division.

    Inputs: q (N, H, T, D), k (N, G, T, D), v (N, G, T, E), G a divisor of H; and perhaps what was before them: the sum of k vᵀ over
    complete blocks (N, G, D, E), k (N, G, block, D) and v (N, G, block, E) of the block that is not complete, and how many steps there
    were, a number.  Attribute: block.  Output y (N, H, T, E), and where something was before, sum, k and v for what follows.
    """

    name, formula = "causal_linear_attention", "Σ_{j≤i} (qᵢ·kⱼ) vⱼ"

    def infer(self, q: Spec, k: Spec, v: Spec, *before: Spec, block: int) -> Any:  # type: ignore[override]
        n, h, t, d = q.shape
        g = k.shape[1]
        fits = (k.shape[0], *k.shape[2:]) == (n, t, d) and v.shape[:-1] == k.shape[:-1]
        if not fits or isinstance(h, Dim) or isinstance(g, Dim) or h % g:
            raise ShapeError(f"{self.name}: query {q!r}, key {k!r} and value {v!r} do not fit to each other")
        y = Spec((n, h, t, v.shape[-1]), q.dtype)
        if not before:
            return y
        kept = [(n, g, d, v.shape[-1]), (n, g, block, d), (n, g, block, v.shape[-1]), ()]
        if [s.shape for s in before] != kept:
            raise ShapeError(
                f"{self.name}: the state has the shapes {', '.join(show_shape(s.shape) for s in before)}, "
                f"but {', '.join(map(show_shape, kept))} are wanted"
            )
        return (y, *[Spec(s.shape, q.dtype) for s in before[:3]])

    def expansion(self, q: Tensor, k: Tensor, v: Tensor, *before: Tensor, block: int) -> Any:  # type: ignore[override]
        n, h, steps, d = q.shape
        g = k.shape[1]
        q = reshape(q, (n, g, h // g, steps, d))
        if not before:
            y = self._whole(q, k, v, block)
        elif isinstance(steps, Dim):
            raise ShapeError(f"{self.name}: with a state the number of steps must be known")
        elif steps == 1:
            y, *after = self._one(q, k, v, *before, block=block)
        else:
            y, *after = self._part(q, k, v, *before, block=block)
        y = reshape(y, (n, h, steps, v.shape[-1]))
        return (y, *after) if before else y

    @staticmethod
    def _whole(q: Tensor, k: Tensor, v: Tensor, block: int) -> Tensor:
        steps = k.shape[2]
        if isinstance(steps, Dim) or steps <= block:
            return _within(q, k, v)
        length = -(-steps // block) * block
        q, k, v = (_lengthened(x, length) for x in (q, k, v))
        k, v = _blocks(k, block), _blocks(v, block)
        y = _by_blocks(q, k, v, _sums(k, v, None), block)
        return y[..., :steps, :]

    @staticmethod
    def _one(
        q: Tensor, k: Tensor, v: Tensor, total: Tensor, keys: Tensor, values: Tensor, count: Tensor, *, block: int
    ) -> tuple[Tensor, ...]:  # fmt: skip
        place = count % block
        seats = as_tensor(np.arange(block))
        here = expand_dims(equal(seats, place), 1)
        keys, values = where(here, k, keys), where(here, v, values)
        weights = matmul(q, expand_dims(_swap(keys), 2))
        weights = where(FUNCTIONS["less_equal"](seats, place), weights, 0.0)
        y = matmul(weights, expand_dims(values, 2)) + matmul(q, expand_dims(total, 2))
        complete = equal(place, block - 1)
        total = cond(
            complete, lambda s, a, b: s + matmul(_swap(a), b), lambda s, a, b: s, (total, keys, values)
        )
        return y, total, keys, values

    @staticmethod
    def _part(
        q: Tensor, k: Tensor, v: Tensor, total: Tensor, keys: Tensor, values: Tensor, count: Tensor, *, block: int
    ) -> tuple[Tensor, ...]:  # fmt: skip
        steps = k.shape[2]
        length = -(-(block - 1 + steps) // block) * block
        first = count % block  # where this part begins in its block
        places = as_tensor(np.arange(length))
        place = places - first
        fresh = FUNCTIONS["logical_and"](place >= 0, place < steps)
        # What the block held, then this part, then zeros.
        source = where(fresh, place + block, where(place < 0, places, block + steps))
        k, v = (
            take(concatenate([old, _lengthened(new, steps + 1)], axis=2), source, axis=2)
            for old, new in ((keys, k), (values, v))
        )
        q = take(q, FUNCTIONS["clip"](place, 0, steps - 1), axis=3)
        by_blocks = _blocks(k, block), _blocks(v, block)
        sums = _sums(*by_blocks, total)
        y = take(_by_blocks(q, *by_blocks, sums, block), as_tensor(np.arange(steps)) + first, axis=3)
        complete = (first + steps) // block
        seats = FUNCTIONS["minimum"](complete * block + as_tensor(np.arange(block)), length - 1)
        return y, take(sums, complete, axis=2), take(k, seats, axis=2), take(v, seats, axis=2)

    def oracle(  # type: ignore[override]
        self, q: np.ndarray, k: np.ndarray, v: np.ndarray, *before: np.ndarray, block: int
    ) -> Any:
        r = q.shape[1] // k.shape[1]
        sums = np.zeros((*k.shape[:2], k.shape[3], v.shape[3])) if not before else before[0].copy()
        count = int(before[3]) % block if before else 0
        keys = before[1].copy() if before else np.zeros((*k.shape[:2], block, k.shape[3]))
        values = before[2].copy() if before else np.zeros((*v.shape[:2], block, v.shape[3]))
        running = sums + np.einsum("ngtd,ngte->ngde", keys[:, :, :count], values[:, :, :count])
        ys = []
        for t in range(q.shape[2]):
            keys[:, :, count], values[:, :, count] = k[:, :, t], v[:, :, t]
            running = running + k[:, :, t, :, None] * v[:, :, t, None, :]
            ys.append(np.einsum("nhd,nhde->nhe", q[:, :, t], np.repeat(running, r, axis=1)))
            count += 1
            if count == block:
                sums, count = running.copy(), 0
        y = np.stack(ys, axis=2)
        return (y, sums, keys, values) if before else y

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(8)
        q, k, v = (rng.uniform(-1, 1, s) for s in ((2, 4, 7, 3), (2, 2, 7, 3), (2, 2, 7, 2)))
        return [((q, k, v), {"block": 3}), ((q[:, :2], k, v), {"block": 8})]


def _within(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Σ over the steps of the same block: q (…, R, C, D) with k and v (…, C, …)."""
    steps = k.shape[-2]
    places = FUNCTIONS["sequence_positions"](steps)
    weights = matmul(q, expand_dims(_swap(k), 2))
    weights = where(FUNCTIONS["greater_equal"](expand_dims(places, 1), places), weights, 0.0)
    return matmul(weights, expand_dims(v, 2))


def _sums(k: Tensor, v: Tensor, before: Tensor | None) -> Tensor:
    """Of k vᵀ over the blocks before each block, and over all of them: (N, G, B + 1, D, E)."""
    own = matmul(_swap(k), v)
    first = (
        zeros((*own.shape[:2], 1, *own.shape[3:]), own.dtype) if before is None else expand_dims(before, 2)
    )
    return cumsum(concatenate([first, own], axis=2), axis=2)


def _by_blocks(q: Tensor, k: Tensor, v: Tensor, sums: Tensor, block: int) -> Tensor:
    """q (N, G, R, L, D), k and v by blocks, sums (N, G, B + 1, D, E) → (N, G, R, L, E)."""
    lead, length = q.shape[:3], q.shape[3]
    q = _blocks(q, block)
    y = _within(q, k, v) + matmul(q, expand_dims(sums[:, :, :-1], 2))
    return reshape(y, (*lead, length, v.shape[-1]))


CAUSAL_LINEAR_ATTENTION = register(CausalLinearAttention())


# ---- functions ----


def _positive(x: Tensor) -> Tensor:
    """elu(x) + 1, without loss of digits on the left."""
    return where(FUNCTIONS["greater"](x, 0.0), x + 1.0, FUNCTIONS["exp"](FUNCTIONS["minimum"](x, 0.0)))


def _checked(query: Any, key: Any, value: Any) -> tuple[Tensor, ...]:
    name = "linear_attention"
    found = [as_tensor(x, f"{name}: {a}") for a, x in (("query", query), ("key", key), ("value", value))]
    for argument, x in zip(("query", "key", "value"), found):
        if not is_float(x.dtype):
            raise DTypeError(
                f"{name}: {argument} has element type {x.dtype}; a float type is needed, use mn.cast"
            )
        if x.ndim != 4:
            raise ShapeError(
                f"{name}: {argument} must have the axes (N, heads, T, features), but its shape is {show_shape(x.shape)}"
            )
    q, k, v = found
    heads, groups = q.shape[1], k.shape[1]
    if isinstance(heads, Dim) or isinstance(groups, Dim) or groups < 1 or heads % groups:
        raise ShapeError(
            f"{name}: {heads} heads of the query are no multiple of the {groups} heads of key and value"
        )
    if q.shape[0] != k.shape[0] or k.shape[:-1] != v.shape[:-1]:
        raise ShapeError(
            f"{name}: query {show_shape(q.shape)}, key {show_shape(k.shape)} and value {show_shape(v.shape)} "
            "must have equal sizes N, and key and value equal ones but for the last axis"
        )
    dtype, _ = promote([t.spec for t in found])
    return tuple(x if x.dtype == dtype else FUNCTIONS["cast"](x, dtype) for x in found)


@graph_function
def linear_attention_state(key: Any, value: Any, feature_map: Callable | None = None) -> tuple[Tensor, ...]:
    """The state from which causal :func:`linear_attention` begins: zeros, in shapes for such keys and values.

    key (N, G, T, D), value (N, G, T, E), of any T → (sums (N, G, D', E + 1), keys (N, G, 64, D'), values (N, G, 64, E + 1), count ()), with
    D' features that feature_map makes of D.

    >>> import numpy as np, mathnet as mn
    >>> [x.shape for x in mn.linear_attention_state(np.zeros((1, 2, 5, 3)), np.zeros((1, 2, 5, 4)))]
    [(1, 2, 3, 5), (1, 2, 64, 3), (1, 2, 64, 5), ()]
    """
    k, k, v = _checked(key, key, value)
    k = (feature_map or _positive)(k)
    lead, d, e = k.shape[:2], k.shape[3], v.shape[3] + 1
    shapes = ((*lead, d, e), (*lead, BLOCK, d), (*lead, BLOCK, e))
    return (*[zeros(shape, k.dtype) for shape in shapes], zeros((), INT64))


@graph_function
def linear_attention(
    query: Any,
    key: Any,
    value: Any,
    mask: Any = None,
    is_causal: bool = False,
    feature_map: Callable | None = None,
    state: Sequence[Any] | None = None,
) -> Any:
    """yᵢ = Σⱼ (φ(qᵢ)·φ(kⱼ)) vⱼ / Σⱼ φ(qᵢ)·φ(kⱼ): attention in time and memory that grow with T, not with its square.

    query (N, H, Tq, D), key (N, G, Tk, D), value (N, G, Tk, E) → (N, H, Tq, E); each head of keys and values serves H / G heads of queries.
    is_causal: only j ≤ i, with Tq = Tk.  mask (N, Tk) bool: False hides a key.  feature_map φ: a function of the features, by default
    elu(x) + 1 = x + 1 for x > 0, eˣ below.  Queries that see nothing, and those for which the sum below is 0, give zeros.
    state, for causal attention: what the call before returned, at first :func:`linear_attention_state`; the result is then (y, new state),
    and parts of a sequence have the bits of the whole.  A step costs the same wherever it stands.
    Source: Katharopoulos et al., Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention, 2020.

    >>> import numpy as np, mathnet as mn
    >>> q, v = np.zeros((1, 1, 3, 2)), np.array([0.0, 3.0, 6.0]).reshape(1, 1, 3, 1)
    >>> mn.linear_attention(q, q, v, is_causal=True)[0, 0]
    array([[0. ],
           [1.5],
           [3. ]])
    """
    name = "linear_attention"
    q, k, v = _checked(query, key, value)
    if feature_map is not None:
        require_function(f"{name}: feature_map", feature_map)
    q, k = ((feature_map or _positive)(x) for x in (q, k))
    if q.shape[3] != k.shape[3]:
        raise ShapeError(
            f"{name}: the features of query {show_shape(q.shape)} and key {show_shape(k.shape)} must have equal sizes"
        )
    v = concatenate([v, ones((*v.shape[:3], 1), v.dtype)], axis=3)  # the last column sums the weights
    if mask is not None:
        mask = as_tensor(mask, f"{name}: mask")
        if mask.dtype != BOOL or mask.shape != (k.shape[0], k.shape[2]):
            raise ShapeError(
                f"{name}: mask must hold bools in the shape (N, Tk), {show_shape((k.shape[0], k.shape[2]))}, "
                f"but it is {mask.dtype} {show_shape(mask.shape)}"
            )
        seen = expand_dims(mask, (1, 3))
        k, v = where(seen, k, 0.0), where(seen, v, 0.0)
    if state is not None and not is_causal:
        raise ArgumentError(f"{name}: state belongs to is_causal=True")
    after: tuple = ()
    if not is_causal:
        n, h, t, d = q.shape
        sums = expand_dims(matmul(_swap(k), v), 2)
        y = matmul(reshape(q, (n, k.shape[1], h // k.shape[1], t, d)), sums)
        y = reshape(y, (n, h, t, v.shape[3]))
    elif q.shape[2] != k.shape[2]:
        raise ShapeError(
            f"{name}: is_causal wants as many queries as keys, not {show_shape(q.shape)} and {show_shape(k.shape)}"
        )
    elif state is None:
        y = CAUSAL_LINEAR_ATTENTION(q, k, v, block=BLOCK)
    else:
        if not isinstance(state, (tuple, list)) or len(state) != 4:
            raise ArgumentError(
                f"{name}: state must be what linear_attention_state or the call before gave, four tensors"
            )
        before = [as_tensor(x, f"{name}: state") for x in state]
        before = [
            x if x.dtype == t else FUNCTIONS["cast"](x, t) for x, t in zip(before, (*[q.dtype] * 3, INT64))
        ]
        y, *kept = CAUSAL_LINEAR_ATTENTION(q, k, v, *before, block=BLOCK)
        after = (*kept, before[3] + q.shape[2])
    total = y[..., -1:]
    nothing = equal(total, 0.0)
    y = where(nothing, 0.0, y[..., :-1] / where(nothing, 1.0, total))
    return (y, after) if state is not None else y
