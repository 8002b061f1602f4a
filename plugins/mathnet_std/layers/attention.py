"""Attention and MultiHeadAttention."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import fraction
from mathnet_std.layers.dropout import kept
from mathnet_std.layers.head_maps import HeadMaps, operands
from mathnet_std.layers.positions import positions


def _arranged(mask: Any) -> Any:
    """A mask (N, Tk), (N, Tq, Tk) or (N, H, Tq, Tk) in the axes of the weights (N, H, Tq, Tk)."""
    if mask is None or mask.ndim == 4:
        return mask
    if mask.ndim not in (2, 3):
        raise mn.ShapeError(
            f"mask must have the axes (N, Tk), (N, Tq, Tk) or (N, heads, Tq, Tk), but its shape is {tuple(mask.shape)}"
        )
    return mn.expand_dims(mask, (1, 2) if mask.ndim == 2 else 1)


@mn.layer("attention")
class Attention(mn.Layer):
    """y = softmax(scale · Q Kᵀ) V, without weights of its own.

    Called on [query (N, Tq, D), value (N, Tk, E)] or [query, value, key (N, Tk, D)] → (N, Tq, E); key is value by default, as in Keras.
    scale is 1, or with use_scale=True a weight ``scale`` that starts at 1.  causal: query i sees keys 0 … i.  dropout: of the weights,
    in training.  ``layer(x, mask=…)``: (N, Tk) or (N, Tq, Tk); bool, True where a key may be seen, or float, added to the scores.
    Source: Luong et al., Effective Approaches to Attention-based Neural Machine Translation, 2015.

    >>> import mathnet as mn
    >>> query, value = mn.Input((5, 8)), mn.Input((7, 8))
    >>> mn.layers.Attention()([query, value]).shape
    (batch, 5, 8)
    """

    def __init__(
        self, use_scale: bool = False, dropout: float = 0.0, causal: bool = False, name: str | None = None
    ) -> None:
        self.use_scale, self.dropout, self.causal = (
            use_scale,
            fraction("Attention", "dropout", dropout),
            causal,
        )

    def build(self, input_shape: Any) -> None:
        self.scale = self.param("scale", (), "ones") if self.use_scale else None

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        query, value, key = operands(x)
        if self.scale is not None:
            query = query * self.scale
        shape = (query.shape[0], 1, query.shape[1], key.shape[1])
        query, value, key = (mn.expand_dims(item, 1) for item in (query, value, key))
        y = mn.scaled_dot_product_attention(
            query, key, value, _arranged(mask), self.causal, 1.0, kept(self.dropout, shape, query, training)
        )
        return mn.squeeze(y, 1)


@mn.layer("multi_head_attention")
class MultiHeadAttention(HeadMaps):
    """Several attentions side by side on linear maps of query, key and value: y = concat(softmax(QᵢKᵢᵀ/√key_dim) Vᵢ) W_o + b_o.

    Called on x (N, T, F) (self-attention), [query (N, Tq, F), value (N, Tk, G)] or [query, value, key] → (N, Tq, F).

    Parameters
    ----------
    num_heads, key_dim: number of heads, features of each for queries and keys; value_dim: features of values (default: key_dim).
    num_key_value_heads: heads of keys and values, each of which serves num_heads / num_key_value_heads heads of queries.
    dropout: of the weights, in training.  use_bias: whether the four maps have biases.
    output_shape: features of the result (default: those of the query).
    causal: query i sees keys 0 … i only.
    rotary_base: a number turns queries and keys by their positions (:func:`mathnet.rotary_embedding`, usually 10000); None does not.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: of all four maps.

    ``layer(x, mask=…)``: (N, Tk), (N, Tq, Tk) or (N, heads, Tq, Tk); bool, True where a key may be seen, or float, added to the scores.
    Weights: query_kernel (F, heads·key_dim), key_kernel, value_kernel, output_kernel, and a bias for each.
    In self-attention a mask (N, T) of bools hides steps as if they were absent: rotary positions count the others only.
    Within ``model.session()`` causal self-attention keeps keys and values: a call sees all positions of the calls before, and has the
    bits of one call on all of them; a mask is then (N, T) bool, which steps of this call count, and hidden ones are not kept.  Other
    attention sees the operands of the call; that to an encoder's result computes its keys and values once in each call.
    Sources: Vaswani et al., Attention Is All You Need, 2017; Ainslie et al., GQA, 2023.

    >>> import mathnet as mn
    >>> mn.layers.MultiHeadAttention(num_heads=4, key_dim=8, causal=True)(mn.Input((20, 32))).shape
    (batch, 20, 32)
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | None = None,
        num_key_value_heads: int | None = None,
        causal: bool = False,
        rotary_base: float | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        self._take_sizes(num_heads, key_dim, value_dim, num_key_value_heads, output_shape, use_bias)
        self._kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        self._bias = (bias_initializer, bias_regularizer, bias_constraint)
        if rotary_base is not None and key_dim % 2:
            raise mn.ArgumentError(f"MultiHeadAttention: rotary_base needs an even key_dim, not {key_dim}")
        self.dropout, self.causal, self.rotary_base = (
            fraction("MultiHeadAttention", "dropout", dropout),
            causal,
            rotary_base,
        )

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        query, value, key = operands(x)
        itself = key is query and value is query
        q, k, v = self.heads(query, key, value)
        causal = self.causal
        memory = self.session if causal and itself else None
        counting = mask if itself and mask is not None and mask.ndim == 2 and mask.dtype == "bool" else None
        if memory is not None:
            place = positions(self, query.shape[1], mask, limited=True)
            q, k = self._turned(place, q, k)
            k, v = (memory.keep(self, name, x, place, mask) for name, x in (("keys", k), ("values", v)))
            mask = mn.arange(k.shape[1]) <= mn.expand_dims(place, -1)
            mask = mn.expand_dims(mask, 1) if mask.ndim == 3 else mask
            causal = False
        else:
            q, k = self._turned(positions(self, query.shape[1], counting, continued=False), q, k)
            mask = _arranged(mask)
        q, k, v = (mn.transpose(item, (0, 2, 1, 3)) for item in (q, k, v))
        weights = (q.shape[0], self.num_heads, q.shape[2], k.shape[2])
        y = mn.scaled_dot_product_attention(
            q, k, v, mask, causal, dropout_mask=kept(self.dropout, weights, q, training)
        )
        return self.joined(mn.transpose(y, (0, 2, 1, 3)))

    def _turned(self, place: Any, *parts: Any) -> Any:
        """Queries and keys (N, T, heads, features), turned by their positions (T) or (N, T); None: 0 … T − 1."""
        if self.rotary_base is None:
            return parts
        by_heads = [mn.transpose(item, (0, 2, 1, 3)) for item in parts]
        if place is not None and place.ndim == 2:
            place = mn.expand_dims(place, 1)
        turned = [mn.rotary_embedding(item, place, self.rotary_base) for item in by_heads]
        return [mn.transpose(item, (0, 2, 1, 3)) for item in turned]
