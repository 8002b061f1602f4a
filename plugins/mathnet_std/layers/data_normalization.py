"""Normalization: inputs brought to mean 0 and variance 1 by the moments of a data set."""

from typing import Any

import numpy as np

import mathnet as mn


@mn.layer("normalization")
class Normalization(mn.Layer):
    """y = (x − mean) / √variance with the moments of a data set, which ``adapt`` takes before training.

    axis: the axis (or None for one mean of everything) along which there is a mean each; the last by default.  mean and variance are
    statistics: saved with the model, not trained; 0 and 1 until ``adapt``.  A variance of 0 counts as 1.

    >>> import mathnet as mn
    >>> layer = mn.layers.Normalization()
    >>> layer.adapt(np.array([[1.0], [3.0]]))
    >>> layer(np.array([[5.0]]))
    array([[3.]])
    """

    def __init__(self, axis: int | None = -1, name: str | None = None) -> None:
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, (int, np.integer))):
            raise mn.ArgumentError(f"Normalization: axis must be an integer or None, not {axis!r}")
        self.axis = axis

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or not input_shape:
            raise mn.ShapeError("the input must be one tensor with a batch axis")
        shape: tuple = ()
        if self.axis is not None:
            rank = len(input_shape)
            if not -rank <= self.axis < rank or self.axis % rank == 0:
                raise mn.ShapeError(
                    f"axis={self.axis} is no axis of an input with {rank} axes, the batch axis aside"
                )
            shape = (input_shape[self.axis],)
        self.mean = self.state("mean", shape, "zeros")
        self.variance = self.state("variance", shape, "ones")

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from ``data`` (N, …), an array of inputs."""
        data = np.asarray(data)
        if data.ndim == 0 or data.size == 0:
            raise mn.ShapeError(
                f"Normalization: adapt needs at least one example, not data of shape {data.shape}"
            )
        self(data[:1])
        if self.axis is not None and data.shape[self.axis] != self.mean.shape[0]:
            raise mn.ShapeError(
                f"Normalization: data of shape {data.shape} has {data.shape[self.axis]} values along axis {self.axis}, "
                f"but the layer was made for {self.mean.shape[0]}"
            )
        if not np.isfinite(data).all():
            raise mn.DataError("Normalization: adapt was given NaN or infinite values; drop or fill them")
        kept = None if self.axis is None else self.axis % data.ndim
        others = tuple(k for k in range(data.ndim) if k != kept)
        self.mean.array[...] = data.mean(others, dtype=np.float64)
        variance = data.var(others, dtype=np.float64)
        self.variance.array[...] = np.where(variance > 0, variance, 1.0)

    def call(self, x: Any) -> Any:
        mean, variance = self.mean, self.variance
        if self.axis is not None:
            laid = [1] * x.ndim
            laid[self.axis] = mean.shape[0]
            mean, variance = mn.reshape(mean, tuple(laid)), mn.reshape(variance, tuple(laid))
        return (x - mean) * (1.0 / mn.sqrt(variance))
