"""Attention: mixtures of values, weighted by how well their keys answer a query; and encodings of positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import FLOAT32, FLOAT64, graph_dtype, is_float, promote
from mathnet.graph.op import FUNCTIONS, as_tensor, broadcast_shapes, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.dot_attention import DOT_ATTENTION, WrittenAttention
from mathnet.ops.matmul import matmul
from mathnet.ops.recurrent import sequence_positions
from mathnet.ops.shape import broadcast_to, concatenate, expand_dims, reshape, stack, transpose


def _operands(query: Any, key: Any, value: Any) -> tuple[Tensor, Tensor, Tensor]:
    name = "scaled_dot_product_attention"
    q, k, v = (as_tensor(x, f"{name}: {a}") for a, x in (("query", query), ("key", key), ("value", value)))
    for argument, x in (("query", q), ("key", k), ("value", v)):
        if not is_float(x.dtype):
            raise DTypeError(
                f"{name}: {argument} has element type {x.dtype}; a float type is needed, use mn.cast"
            )
        if x.ndim != q.ndim or x.ndim < 2:
            raise ShapeError(
                f"{name}: query, key and value must have the same number of axes, at least two, but their shapes are "
                f"{show_shape(q.shape)}, {show_shape(k.shape)} and {show_shape(v.shape)}"
            )
    if q.shape[-1] != k.shape[-1]:
        raise ShapeError(
            f"{name}: the last axes of query {show_shape(q.shape)} and key {show_shape(k.shape)} must have equal sizes"
        )
    if k.shape[:-1] != v.shape[:-1]:
        raise ShapeError(
            f"{name}: key {show_shape(k.shape)} and value {show_shape(v.shape)} must have equal sizes but for the last axis"
        )
    return q, k, v


@graph_function
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_mask: Any = None,
) -> Tensor:
    """softmax(Q Kᵀ · scale + mask) V.

    query (…, H, Tq, D), key (…, G, Tk, D), value (…, G, Tk, E) → (…, H, Tq, E).  Where H is a multiple of G, each head of keys and
    values serves H / G consecutive heads of queries (grouped queries); for tensors of two or three axes there are no heads to share.
    The matrix of weights is never held as a whole, forward or backward, so memory grows with Tq + Tk; with a dropout_mask it is.
    A query's result has the same bits whatever queries stand beside it.
    attn_mask, broadcast to (…, H, Tq, Tk): bool, True where a query may see a key; or float, added to the scores.  A query that may see
    nothing (False or −∞ everywhere) gives zeros.  is_causal: query i sees keys 0 … i only.  scale: 1/√D by default.
    dropout_mask, broadcast like attn_mask: multiplies the weights.
    Sources: Vaswani et al., Attention Is All You Need, 2017; Ainslie et al., GQA, 2023; Rabe and Staats, Self-attention Does Not Need
    O(n²) Memory, 2021; Dao et al., FlashAttention, 2022.  Names as in PyTorch.

    >>> import numpy as np, mathnet as mn
    >>> q, k, v = np.zeros((1, 2, 4)), np.zeros((1, 3, 4)), np.array([[[0.0], [3.0], [6.0]]])
    >>> mn.scaled_dot_product_attention(q, k, v, is_causal=True)[0]
    array([[0. ],
           [1.5]])
    """
    q, k, v = _operands(query, key, value)
    heads, groups = (q.shape[-3], k.shape[-3]) if q.ndim > 3 else (1, 1)
    unknown = isinstance(heads, Dim) or isinstance(groups, Dim)
    if heads != groups and (unknown or groups == 0 or heads % groups):
        raise ShapeError(
            f"scaled_dot_product_attention: {heads} heads of the query are no multiple of the {groups} heads of key and value"
        )
    if isinstance(scale, Tensor):
        q, scale = q * scale, 1.0
    elif scale is None:
        scale = float(max(q.shape[-1], 1)) ** -0.5
    elif isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise ArgumentError(f"scaled_dot_product_attention: scale must be a number, not {scale!r}")
    weights = (*q.shape[:-1], k.shape[-2])  # their shape
    masks = [] if attn_mask is None else [_mask("attn_mask", attn_mask, weights)]
    if any(m.dtype.kind not in "bf" for m in masks):
        raise DTypeError(
            f"scaled_dot_product_attention: attn_mask has element type {masks[0].dtype}; give bools, True where a query may see a "
            "key (mask > 0), or floats to be added to the scores"
        )
    floats = [q, k, v, *[m for m in masks if m.dtype != np.bool_]]
    dtype, _ = promote([t.spec for t in floats])
    lead = q.shape[: max(q.ndim - 3, 1)]
    q, k, v = (_four_axes(_typed(x, dtype), lead) for x in (q, k, v))
    masks = [_four_axes(m if m.dtype == np.bool_ else _typed(m, dtype), lead, alone=True) for m in masks]
    if dropout_mask is None:
        y = DOT_ATTENTION(q, k, v, *masks, causal=bool(is_causal), scale=float(scale))
    else:
        written = WrittenAttention(q, k, v, tuple(masks), bool(is_causal), float(scale))
        kept = _four_axes(_typed(_mask("dropout_mask", dropout_mask, weights), dtype), lead, alone=True)
        y = written.heads(matmul(written.weights * written.grouped_mask(kept), written.v))
    return reshape(transpose(y, (0, 2, 1, 3)), (*weights[:-1], y.shape[-1]))


def _typed(x: Tensor, dtype: Any) -> Tensor:
    return x if x.dtype == dtype else FUNCTIONS["cast"](x, dtype)


def _mask(argument: str, mask: Any, weights: tuple) -> Tensor:
    """A mask with as many axes as the weights."""
    name = "scaled_dot_product_attention"
    mask = as_tensor(mask, f"{name}: {argument}")
    if mask.ndim > len(weights) or broadcast_shapes(name, weights, mask.shape) != weights:
        raise ShapeError(
            f"{name}: {argument} of shape {show_shape(mask.shape)} does not broadcast to the weights' shape {show_shape(weights)}"
        )
    return reshape(mask, (*(1,) * (len(weights) - mask.ndim), *mask.shape))


def _four_axes(x: Tensor, lead: tuple, alone: bool = False) -> Tensor:
    """(…, H, T, F) as (N, H, T, F); two and three axes have no heads.  lead: sizes that the first axes are broadcast to; alone: only
    where several of them become one."""
    if x.ndim == 2:
        return expand_dims(x, (0, 1))
    if x.ndim == 3:
        x = expand_dims(x, 1)
    first = x.shape[:-3]
    if first != lead and not (alone and all(size == 1 or x.ndim == 4 for size in first)):
        x = broadcast_to(x, (*lead, *x.shape[-3:]))
    return x if x.ndim == 4 else reshape(x, (product(x.shape[:-3]), *x.shape[-3:]))


def _angles(name: str, places: Any, count: int, base: float) -> Tensor:
    """places · base^(−k/count) for k = 0 … count − 1, in float64: long sequences keep their phase."""
    if isinstance(base, bool) or not isinstance(base, (int, float, np.integer, np.floating)) or not base > 0:
        raise ArgumentError(f"{name}: base must be a positive number, not {base!r}")
    found = as_tensor(places, f"{name}: positions")
    rates = float(base) ** (-np.arange(count) / count)
    return expand_dims(FUNCTIONS["cast"](found, FLOAT64), -1) * as_tensor(rates)


@graph_function
def sinusoidal_encoding(positions: Any, features: int, base: float = 10000.0, dtype: Any = FLOAT32) -> Tensor:
    """Codes of positions: feature 2k is sin(p · base^(−2k/features)), feature 2k + 1 the cosine of the same angle.

    positions: how many, counted from 0, or an array of them (…) → (…, features); features: even; dtype of the result.
    Source: Vaswani et al., Attention Is All You Need, 2017.

    >>> import mathnet as mn
    >>> mn.sinusoidal_encoding(2, 2)
    array([[0.        , 1.        ],
           [0.84147096, 0.5403023 ]], dtype=float32)
    """
    name = "sinusoidal_encoding"
    _even(name, "features", features)
    if isinstance(positions, (Dim, int, np.integer)) and not isinstance(positions, bool):
        positions = sequence_positions(positions)
    angles = _angles(name, positions, features // 2, base)
    both = stack([FUNCTIONS["sin"](angles), FUNCTIONS["cos"](angles)], axis=-1)
    return FUNCTIONS["cast"](
        reshape(both, (*angles.shape[:-1], features)), graph_dtype(dtype, f"{name}: dtype")
    )


@graph_function
def rotary_embedding(
    x: Any, positions: Any = None, base: float = 10000.0, interleaved: bool = False
) -> Tensor:
    """Pairs of features turned by an angle that grows with the position: products of two depend on their distance only.

    With θₖ = p · base^(−2k/D), (a, b) → (a·cos θₖ − b·sin θₖ, a·sin θₖ + b·cos θₖ) for the pairs (xₖ, xₖ₊D/2), or with interleaved
    (x₂ₖ, x₂ₖ₊₁).  x (…, T, D) with D even; positions, broadcast to (…, T): 0 … T − 1 by default → (…, T, D).
    Source: Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021.

    >>> import numpy as np, mathnet as mn
    >>> mn.rotary_embedding(np.array([[1.0, 0.0], [1.0, 0.0]]))
    array([[1.        , 0.        ],
           [0.54030231, 0.84147098]])
    """
    name = "rotary_embedding"
    x = as_tensor(x, f"{name}: x")
    if not is_float(x.dtype):
        raise DTypeError(f"{name}: x has element type {x.dtype}; a float type is needed, use mn.cast")
    if x.ndim < 2:
        raise ShapeError(f"{name}: x must have the axes (…, T, D), but its shape is {show_shape(x.shape)}")
    features = x.shape[-1]
    _even(name, "the last axis of x", features)
    half = features // 2
    positions = (
        sequence_positions(x.shape[-2]) if positions is None else as_tensor(positions, f"{name}: positions")
    )
    if broadcast_shapes(name, positions.shape, x.shape[:-1]) != x.shape[:-1]:
        raise ShapeError(
            f"{name}: positions of shape {show_shape(positions.shape)} do not broadcast to the axes {show_shape(x.shape[:-1])} of x"
        )
    angles = _angles(name, positions, half, base)
    cosine, sine = (FUNCTIONS["cast"](FUNCTIONS[f](angles), x.dtype) for f in ("cos", "sin"))
    if interleaved:
        pairs = reshape(x, (*x.shape[:-1], half, 2))
        a, b = pairs[..., 0], pairs[..., 1]
        return reshape(stack([a * cosine - b * sine, a * sine + b * cosine], axis=-1), x.shape)
    a, b = x[..., :half], x[..., half:]
    return concatenate([a * cosine - b * sine, a * sine + b * cosine], axis=-1)


def _even(name: str, argument: str, value: Any) -> None:
    if isinstance(value, (bool, Dim)) or not hasattr(value, "__index__") or value < 2 or value % 2:
        raise ShapeError(f"{name}: {argument} must be a positive even number, not {value!r}")
