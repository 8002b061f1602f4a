"""Embedding: a trained vector for each index."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import positive


@mn.layer("embedding")
class Embedding(mn.Layer):
    """y[…] = embeddings[x[…]].

    x int64 of any shape (N, …) with 0 ≤ x < input_dim → y (N, …, output_dim); embeddings (input_dim, output_dim), float32.  An index
    out of range is a DataError and leaves the weights as they are.

    Parameters
    ----------
    input_dim: number of indices.
    output_dim: length of the vectors.
    embeddings_initializer, embeddings_regularizer, embeddings_constraint: key, object or function.

    Source: Bengio et al., A Neural Probabilistic Language Model, JMLR 2003.

    >>> import mathnet as mn
    >>> mn.layers.Embedding(1000, 16)(mn.Input((20,), dtype="int64")).shape
    (batch, 20, 16)
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        self.input_dim = positive("Embedding", "input_dim", input_dim)
        self.output_dim = positive("Embedding", "output_dim", output_dim)
        self.embeddings_initializer = embeddings_initializer
        self.embeddings_regularizer = embeddings_regularizer
        self.embeddings_constraint = embeddings_constraint

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list):
            raise mn.ShapeError("the input must be one tensor of indices")
        self.embeddings = self.param(
            "embeddings",
            (self.input_dim, self.output_dim),
            self.embeddings_initializer,
            self.embeddings_regularizer,
            self.embeddings_constraint,
        )

    def call(self, x: Any) -> Any:
        if x.dtype.kind not in "iu":
            raise mn.DTypeError(
                f'the input holds indices, so its element type must be int64, not {x.dtype}: Input(…, dtype="int64")'
            )
        return mn.take(self.embeddings, x)
