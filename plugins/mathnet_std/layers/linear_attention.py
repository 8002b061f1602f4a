"""LinearAttention: attention whose time and memory grow with the number of steps, not with its square."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.head_maps import HeadMaps, operands
from mathnet_std.layers.positions import counted


@mn.layer("linear_attention")
class LinearAttention(HeadMaps):
    """Heads of attention whose weights are products of features: yᵢ = Σⱼ (φ(qᵢ)·φ(kⱼ)) vⱼ / Σⱼ φ(qᵢ)·φ(kⱼ), joined by a linear map.

    Called on x (N, T, F) (self-attention), [query (N, Tq, F), value (N, Tk, G)] or [query, value, key] → (N, Tq, F).

    Parameters
    ----------
    num_heads, key_dim, value_dim, num_key_value_heads, use_bias, output_shape: as in MultiHeadAttention.
    causal: query i sees keys 0 … i only; there are as many queries as keys.
    feature_map φ: elu(x) + 1 by default, or the key, object or function of an activation with values ≥ 0.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: of all four maps.

    ``layer(x, mask=…)``: (N, Tk) bool, True where a key may be seen.  Weights as in MultiHeadAttention.
    Within ``model.session()`` causal self-attention goes on from call to call, of any number: it keeps one matrix for each head and the
    keys and values of at most 64 steps.  Parts have the bits of the whole; with a mask, hidden steps are skipped.
    Source: Katharopoulos et al., Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention, 2020;
    :func:`mathnet.linear_attention`.

    >>> import mathnet as mn
    >>> mn.layers.LinearAttention(num_heads=4, key_dim=8, causal=True)(mn.Input((20, 32))).shape
    (batch, 20, 32)
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        use_bias: bool = True,
        output_shape: int | None = None,
        num_key_value_heads: int | None = None,
        causal: bool = False,
        feature_map: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        self._take_sizes(num_heads, key_dim, value_dim, num_key_value_heads, output_shape, use_bias)
        self.causal = causal
        self.feature_map = None if feature_map is None else mn.activations.get(feature_map)
        self._kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        self._bias = (bias_initializer, bias_regularizer, bias_constraint)

    def call(self, x: Any, mask: Any = None) -> Any:
        query, value, key = operands(x)
        q, k, v = (mn.transpose(item, (0, 2, 1, 3)) for item in self.heads(query, key, value))
        mask = counted(mask, key.shape[:2])
        memory = self.session if self.causal and key is query and value is query else None
        settings = {"mask": mask, "is_causal": self.causal, "feature_map": self.feature_map}
        if memory is None:
            y = mn.linear_attention(q, k, v, **settings)
        else:
            names = ("sums", "keys", "values", "count")
            first = mn.linear_attention_state(k, v, self.feature_map)
            state = [memory.recall(self, n, tuple(item.shape), item.dtype) for n, item in zip(names, first)]
            y, state = mn.linear_attention(q, k, v, state=state, **settings)
            for name, item in zip(names, state):
                memory.remember(self, name, item)
        return self.joined(mn.transpose(y, (0, 2, 1, 3)))
