"""PositionalEncoding and RotaryEmbedding: where in a sequence a step stands."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import number


def positions(
    layer: mn.Layer, steps: Any, mask: Any = None, limited: bool = False, continued: bool = True
) -> Any:
    """Positions of the steps of this call: from 0, or within a session from where the call before ended; None for 0 … steps − 1.

    mask (N, T) bool: only such steps count, and the positions are (N, T), elsewhere that of the step before, −1 in front of the first.
    limited: the session has room for so many positions only; continued: whether sessions matter.
    """
    memory = layer.session if continued else None
    if mask is None:
        return None if memory is None else memory.advance(layer, steps, limited) + mn.arange(steps)
    found = mn.cumsum(mn.cast(mask, "int64"), axis=1) - 1
    if memory is None:
        return found
    return mn.expand_dims(memory.advance(layer, steps, limited, mask), 1) + found


def counted(mask: Any, shape: tuple) -> Any:
    """A mask that says which steps count, checked."""
    if mask is not None and (mask.dtype != "bool" or tuple(mask.shape) != tuple(shape)):
        raise mn.ShapeError(
            f"mask must hold bools with the axes (batch, steps), here {tuple(shape)}, but it is {mask.dtype} {tuple(mask.shape)}"
        )
    return mask


def base_of(layer: str, argument: str, value: Any) -> float:
    """The base of the angles' rates."""
    return number(layer, argument, value, "a positive number", lambda x: x > 0)


@mn.layer("positional_encoding")
class PositionalEncoding(mn.Layer):
    """y = x + code of the position.

    x (N, T, F) → (N, T, F).  kind: "sinusoidal" for fixed codes sin(p·base^(−2k/F)) and cos of the same angles (F even), or "learned"
    for weights ``embedding`` (max_length, F), drawn by embedding_initializer; embedding_regularizer: their penalty;
    then no sequence may be longer than max_length.
    ``layer(x, mask=…)``: (N, T) bool; only steps where it is True take a position, so that padding in front moves nothing.
    Within ``model.session()`` positions go on from call to call.
    Sources: Vaswani et al., Attention Is All You Need, 2017; Gehring et al., 2017; :func:`mathnet.sinusoidal_encoding`.

    >>> import mathnet as mn
    >>> mn.layers.PositionalEncoding()(mn.Input((20, 8))).shape
    (batch, 20, 8)
    """

    def __init__(
        self,
        kind: str = "sinusoidal",
        max_length: int | None = None,
        base: float = 10000.0,
        embedding_initializer: Any = "uniform",
        embedding_regularizer: Any = None,
        name: str | None = None,
    ) -> None:
        if kind not in ("sinusoidal", "learned"):
            raise mn.ArgumentError(
                f"PositionalEncoding: kind must be 'sinusoidal' or 'learned', not {kind!r}"
            )
        if kind == "learned" and (
            not isinstance(max_length, int) or isinstance(max_length, bool) or max_length < 1
        ):
            raise mn.ArgumentError(
                f"PositionalEncoding: kind='learned' needs max_length, a positive integer, not {max_length!r}"
            )
        self.kind, self.max_length, self.base = kind, max_length, base_of("PositionalEncoding", "base", base)
        self.embedding_initializer, self.embedding_regularizer = embedding_initializer, embedding_regularizer

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, list) or len(input_shape) != 3:
            raise mn.ShapeError("the input must be one tensor with the axes (batch, steps, features)")
        if self.kind == "learned":
            self.embedding = self.param(
                "embedding",
                (self.max_length, input_shape[2]),
                self.embedding_initializer,
                self.embedding_regularizer,
            )

    def call(self, x: Any, mask: Any = None) -> Any:
        steps = x.shape[1]
        found = positions(self, steps, counted(mask, x.shape[:2]))
        if mask is not None:
            found = mn.maximum(found, 0)  # steps in front of the first
        if self.kind == "sinusoidal":
            return x + mn.sinusoidal_encoding(
                steps if found is None else found, x.shape[2], self.base, x.dtype
            )
        if isinstance(steps, int) and steps > self.embedding.shape[0]:
            raise mn.ShapeError(f"the input has {steps} steps, but max_length is {self.max_length}")
        if found is None and isinstance(steps, int):
            return x + self.embedding[:steps]
        return x + mn.take(self.embedding, mn.sequence_positions(steps) if found is None else found)


@mn.layer("rotary_embedding")
class RotaryEmbedding(mn.Layer):
    """Pairs of features turned by an angle that grows with the position, so that products of two steps depend on their distance only.

    x (…, T, D), D even → the same shape: for queries and keys of attention, (N, heads, T, D).  base, interleaved: as in
    :func:`mathnet.rotary_embedding`.  ``layer(x, mask=…)``: (N, T) bool, where steps take a position.  Within ``model.session()``
    positions go on from call to call.
    Source: Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021.

    >>> import mathnet as mn
    >>> mn.layers.RotaryEmbedding()(mn.Input((2, 20, 8))).shape
    (batch, 2, 20, 8)
    """

    def __init__(self, base: float = 10000.0, interleaved: bool = False, name: str | None = None) -> None:
        self.base, self.interleaved = base_of("RotaryEmbedding", "base", base), interleaved

    def call(self, x: Any, mask: Any = None) -> Any:
        if isinstance(x, list) or x.ndim < 3:
            raise mn.ShapeError(
                "the input must be one tensor with at least three axes, (batch, …, steps, features)"
            )
        found = positions(self, x.shape[-2], counted(mask, (x.shape[0], x.shape[-2])))
        if mask is not None:
            found = mn.expand_dims(found, tuple(range(1, x.ndim - 2)))
        return mn.rotary_embedding(x, found, self.base, self.interleaved)
