"""MaxPool2D and AvgPool2D: the largest and the mean value of each window."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.windows import pair, window_padding


class _Pool2D(mn.Layer):
    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: Any = "valid", name: str | None = None
    ) -> None:
        kind = type(self).__name__
        self.pool_size = pair(kind, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else pair(kind, "strides", strides)
        self.padding = padding

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) != 4:
            raise mn.ShapeError(
                "the input must be one tensor with four axes, (batch, channels, height, width)"
            )


@mn.layer("max_pool2d")
class MaxPool2D(_Pool2D):
    """y[n, c, i, j] = max of the window of x at (i, j).

    x (N, C, H, W) → y (N, C, H', W').  pool_size, strides (default: pool_size): int or pair; padding: "valid", "same", int, pair or
    ((top, bottom), (left, right)), which no maximum is taken from.  At ties the first element gets the derivative.

    >>> import mathnet as mn
    >>> mn.layers.MaxPool2D(2)(mn.Input((8, 28, 28))).shape
    (batch, 8, 14, 14)
    """

    def call(self, x: Any) -> Any:
        padding = window_padding(x.shape, self.pool_size, self.strides, self.padding)
        return mn.max_pool2d(x, self.pool_size, stride=self.strides, padding=padding)


@mn.layer("avg_pool2d")
class AvgPool2D(_Pool2D):
    """y[n, c, i, j] = mean of the window of x at (i, j).

    Arguments and shapes as in MaxPool2D.  Numeric padding is counted in the mean (as in PyTorch), that of "same" is not (as in Keras).

    >>> import mathnet as mn
    >>> mn.layers.AvgPool2D(2)(mn.Input((8, 28, 28))).shape
    (batch, 8, 14, 14)
    """

    def call(self, x: Any) -> Any:
        padding = window_padding(x.shape, self.pool_size, self.strides, self.padding)
        return mn.avg_pool2d(
            x, self.pool_size, stride=self.strides, padding=padding, count_include_pad=self.padding != "same"
        )
