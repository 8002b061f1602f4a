"""TransformerEncoderBlock and TransformerDecoderBlock."""

from typing import Any

import mathnet as mn


class _Block(mn.Layer):
    """Common parts: settings, and sublayers with a residual connection and a normalisation around each."""

    feed_forward: list

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        num_key_value_heads: int | None = None,
        rotary_base: float | None = None,
    ) -> None:
        for argument, size in (("intermediate_dim", intermediate_dim), ("num_heads", num_heads)):
            if isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 1:
                raise mn.ArgumentError(
                    f"{type(self).__name__}: {argument} must be a positive integer, not {size!r}"
                )
        self.intermediate_dim, self.num_heads, self.activation = intermediate_dim, num_heads, activation
        self.epsilon, self.normalize_first = layer_norm_epsilon, normalize_first
        self.num_key_value_heads, self.rotary_base = num_key_value_heads, rotary_base
        self.initializers = {"kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer}
        self.dropout, self.rate = mn.layers.Dropout(dropout), dropout

    def _features(self, input_shape: Any) -> int:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        if len(shape) != 3:
            raise mn.ShapeError(
                f"the input must have the axes (batch, steps, features), but its shape is {tuple(shape)}"
            )
        if shape[2] % self.num_heads:
            raise mn.ShapeError(f"the {shape[2]} features cannot be divided into num_heads={self.num_heads}")
        return shape[2]

    def _attention(self, features: int, causal: bool, rotary: bool = True) -> Any:
        return mn.layers.MultiHeadAttention(
            self.num_heads, features // self.num_heads, dropout=self.rate, num_key_value_heads=self.num_key_value_heads,
            causal=causal, rotary_base=self.rotary_base if rotary else None, **self.initializers,
        )  # fmt: skip

    def _norm(self) -> Any:
        return mn.layers.LayerNorm(epsilon=self.epsilon)

    def _feed_forward(self, features: int) -> list:
        return [
            mn.layers.Dense(self.intermediate_dim, self.activation, **self.initializers),
            mn.layers.Dense(features, **self.initializers),
        ]

    def _added(self, x: Any, part: Any, norm: Any, training: bool) -> Any:
        """x + part(x), with dropout of the part and the normalisation before the part or after the sum."""
        y = part(norm(x)) if self.normalize_first else part(x)
        y = x + self.dropout(y, training=training)
        return y if self.normalize_first else norm(y)

    def _fed(self, x: Any) -> Any:
        for layer in self.feed_forward:
            x = layer(x)
        return x


_SETTINGS = """intermediate_dim: features between the two Dense maps of the feed-forward part; num_heads: of attention, F a multiple of it.
    dropout: of attention weights and of each part's result; activation: between the two maps; layer_norm_epsilon: of LayerNorm.
    kernel_initializer, bias_initializer: of all maps.
    normalize_first: LayerNorm before each part (Xiong et al., 2020) instead of after each sum.
    num_key_value_heads, rotary_base: as in MultiHeadAttention."""


@mn.layer("transformer_encoder_block")
class TransformerEncoderBlock(_Block):
    __doc__ = f"""Self-attention and a feed-forward network, each added to its input and normalised.

    h = LayerNorm(x + MultiHeadAttention(x));  y = LayerNorm(h + W₂ activation(W₁ h + b₁) + b₂).  x (N, T, F) → (N, T, F).

    Parameters
    ----------
    {_SETTINGS}
    causal: each step sees itself and those before only: the block of a language model; within ``model.session()`` it keeps keys and
        values, so that a call sees the calls before.

    ``layer(x, mask=…)`` as in MultiHeadAttention: (N, T) bool says which steps may be seen.
    Source: Vaswani et al., Attention Is All You Need, 2017.  Names as in KerasHub's TransformerEncoder.

    >>> import mathnet as mn
    >>> mn.layers.TransformerEncoderBlock(intermediate_dim=64, num_heads=4)(mn.Input((20, 32))).shape
    (batch, 20, 32)
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        num_key_value_heads: int | None = None,
        rotary_base: float | None = None,
        causal: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            intermediate_dim, num_heads, dropout, activation, layer_norm_epsilon, kernel_initializer, bias_initializer,
            normalize_first, num_key_value_heads, rotary_base,
        )  # fmt: skip
        self.causal = causal

    def build(self, input_shape: Any) -> None:
        features = self._features(input_shape)
        self.attention, self.attention_norm = self._attention(features, self.causal), self._norm()
        self.feed_forward, self.feed_forward_norm = self._feed_forward(features), self._norm()

    def call(self, x: Any, mask: Any = None, training: bool = False) -> Any:
        seen = {} if mask is None else {"mask": mask}
        x = self._added(
            x, lambda y: self.attention(y, training=training, **seen), self.attention_norm, training
        )
        return self._added(x, self._fed, self.feed_forward_norm, training)


@mn.layer("transformer_decoder_block")
class TransformerDecoderBlock(_Block):
    __doc__ = f"""Causal self-attention, attention to an encoder and a feed-forward network, each added to its input and normalised.

    Called on [x (N, T, F), encoded (N, S, G)] → (N, T, F); on x alone there is no attention to an encoder.

    Parameters
    ----------
    {_SETTINGS} rotary_base concerns self-attention.

    ``layer([x, encoded], mask=…, encoder_mask=…)``: which steps of x and of encoded may be seen, (N, T) and (N, S) bool, or the other
    forms of MultiHeadAttention.  Within ``model.session()`` self-attention keeps keys and values; encoded is given in each call.
    Source: Vaswani et al., Attention Is All You Need, 2017.  Names as in KerasHub's TransformerDecoder.

    >>> import mathnet as mn
    >>> x, encoded = mn.Input((20, 32)), mn.Input((15, 32))
    >>> mn.layers.TransformerDecoderBlock(intermediate_dim=64, num_heads=4)([x, encoded]).shape
    (batch, 20, 32)
    """

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-5,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        num_key_value_heads: int | None = None,
        rotary_base: float | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            intermediate_dim, num_heads, dropout, activation, layer_norm_epsilon, kernel_initializer, bias_initializer,
            normalize_first, num_key_value_heads, rotary_base,
        )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        features = self._features(input_shape)
        self.attention, self.attention_norm = self._attention(features, True), self._norm()
        if isinstance(input_shape, list) and len(input_shape) > 1:
            self.cross_attention, self.cross_norm = (
                self._attention(features, False, rotary=False),
                self._norm(),
            )
        else:
            self.cross_attention = None
        self.feed_forward, self.feed_forward_norm = self._feed_forward(features), self._norm()

    def call(self, x: Any, mask: Any = None, encoder_mask: Any = None, training: bool = False) -> Any:
        x, *encoded = x if isinstance(x, (list, tuple)) else [x]
        if len(encoded) != (self.cross_attention is not None):
            raise mn.ShapeError(
                "the block was built "
                + ("with" if self.cross_attention else "without")
                + " an encoder's result"
            )
        seen = {} if mask is None else {"mask": mask}
        x = self._added(
            x, lambda y: self.attention(y, training=training, **seen), self.attention_norm, training
        )
        if encoded:
            seen = {} if encoder_mask is None else {"mask": encoder_mask}
            x = self._added(
                x,
                lambda y: self.cross_attention([y, encoded[0]], training=training, **seen),
                self.cross_norm,
                training,
            )
        return self._added(x, self._fed, self.feed_forward_norm, training)
