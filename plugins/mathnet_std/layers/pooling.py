"""Pooling: the largest and the mean value of each window, of everything, or of a given number of windows."""

from typing import Any, ClassVar

import mathnet as mn
from mathnet_std.layers.windows import check_axes, numbers


class _Pool(mn.Layer):
    axes: ClassVar[int]

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: Any = "valid",
        ceil_mode: bool = False,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        self.pool_size = numbers(kind, "pool_size", pool_size, self.axes)
        self.strides = self.pool_size if strides is None else numbers(kind, "strides", strides, self.axes)
        self.padding, self.ceil_mode = padding, bool(ceil_mode)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, self.axes)


class _MaxPool(_Pool):
    def call(self, x: Any) -> Any:
        pool = {1: mn.max_pool1d, 2: mn.max_pool2d, 3: mn.max_pool3d}[self.axes]
        return pool(x, self.pool_size, stride=self.strides, padding=self.padding, ceil_mode=self.ceil_mode)


class _AvgPool(_Pool):
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: Any = "valid",
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(pool_size, strides, padding, ceil_mode, name)
        self.count_include_pad = bool(count_include_pad)

    def call(self, x: Any) -> Any:
        pool = {1: mn.avg_pool1d, 2: mn.avg_pool2d, 3: mn.avg_pool3d}[self.axes]
        settings = {"ceil_mode": self.ceil_mode, "count_include_pad": self.count_include_pad}
        return pool(x, self.pool_size, stride=self.strides, padding=self.padding, **settings)


@mn.layer("max_pool1d")
class MaxPool1D(_MaxPool):
    """y[n, c, i] = max of the window of x at i.

    x (N, C, T) → y (N, C, T').  pool_size, strides: int; padding: "valid", "same", int or (before, after); else as in MaxPool2D.

    >>> import mathnet as mn
    >>> mn.layers.MaxPool1D(2)(mn.Input((8, 100))).shape
    (batch, 8, 50)
    """

    axes = 1


@mn.layer("max_pool2d")
class MaxPool2D(_MaxPool):
    """y[n, c, i, j] = max of the window of x at (i, j).

    x (N, C, H, W) → y (N, C, H', W').  pool_size, strides (default: pool_size): int or pair; padding: "valid", "same", int, pair or
    ((top, bottom), (left, right)), which no maximum is taken from; ceil_mode: whether a last window that reaches beyond the end counts.
    At ties the first element gets the derivative.

    >>> import mathnet as mn
    >>> mn.layers.MaxPool2D(2)(mn.Input((8, 28, 28))).shape
    (batch, 8, 14, 14)
    """

    axes = 2


@mn.layer("max_pool3d")
class MaxPool3D(_MaxPool):
    """y[n, c, i, j, k] = max of the box of x at (i, j, k).

    x (N, C, D, H, W) → y (N, C, D', H', W').  pool_size, strides: int or triple; else as in MaxPool2D.

    >>> import mathnet as mn
    >>> mn.layers.MaxPool3D(2)(mn.Input((8, 4, 28, 28))).shape
    (batch, 8, 2, 14, 14)
    """

    axes = 3


@mn.layer("avg_pool1d")
class AvgPool1D(_AvgPool):
    """y[n, c, i] = mean of the window of x at i.  Arguments as in MaxPool1D, padding as in AvgPool2D.

    >>> import mathnet as mn
    >>> mn.layers.AvgPool1D(2)(mn.Input((8, 100))).shape
    (batch, 8, 50)
    """

    axes = 1


@mn.layer("avg_pool2d")
class AvgPool2D(_AvgPool):
    """y[n, c, i, j] = mean of the window of x at (i, j).

    Arguments and shapes as in MaxPool2D.  Numeric padding is counted in the mean (as in PyTorch) unless count_include_pad is False; that
    of "same" is not (as in Keras).

    >>> import mathnet as mn
    >>> mn.layers.AvgPool2D(2)(mn.Input((8, 28, 28))).shape
    (batch, 8, 14, 14)
    """

    axes = 2


@mn.layer("avg_pool3d")
class AvgPool3D(_AvgPool):
    """y[n, c, i, j, k] = mean of the box of x at (i, j, k).  Arguments as in MaxPool3D, padding as in AvgPool2D.

    >>> import mathnet as mn
    >>> mn.layers.AvgPool3D(2)(mn.Input((8, 4, 28, 28))).shape
    (batch, 8, 2, 14, 14)
    """

    axes = 3


class _GlobalPool(mn.Layer):
    def __init__(self, keepdims: bool = False, name: str | None = None) -> None:
        self.keepdims = bool(keepdims)

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) < 3:
            raise mn.ShapeError("the input must be one tensor with at least three axes, (batch, channels, …)")


@mn.layer("global_avg_pool")
class GlobalAvgPool(_GlobalPool):
    """y[n, c] = mean of x[n, c] over all further axes.

    x (N, C, …) → y (N, C), or (N, C, 1, …) with keepdims.  Source: Lin, Chen and Yan, Network In Network, 2013.

    >>> import mathnet as mn
    >>> mn.layers.GlobalAvgPool()(mn.Input((8, 7, 7))).shape
    (batch, 8)
    """

    def call(self, x: Any) -> Any:
        return mn.mean(x, axis=tuple(range(2, x.ndim)), keepdims=self.keepdims)


@mn.layer("global_max_pool")
class GlobalMaxPool(_GlobalPool):
    """y[n, c] = max of x[n, c] over all further axes; shapes as in GlobalAvgPool.

    >>> import mathnet as mn
    >>> mn.layers.GlobalMaxPool()(mn.Input((8, 7, 7))).shape
    (batch, 8)
    """

    def call(self, x: Any) -> Any:
        return mn.max(x, axis=tuple(range(2, x.ndim)), keepdims=self.keepdims)


class _AdaptivePool2D(mn.Layer):
    def __init__(self, output_size: Any, name: str | None = None) -> None:
        self.output_size = numbers(type(self).__name__, "output_size", output_size, 2)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)


@mn.layer("adaptive_avg_pool2d")
class AdaptiveAvgPool2D(_AdaptivePool2D):
    """Means of output_size windows that share the picture evenly: window i covers rows ⌊i·H/H'⌋ to ⌈(i+1)·H/H'⌉ − 1.

    x (N, C, H, W) → y (N, C, *output_size); output_size: int or pair.

    >>> import mathnet as mn
    >>> mn.layers.AdaptiveAvgPool2D(3)(mn.Input((8, 7, 10))).shape
    (batch, 8, 3, 3)
    """

    def call(self, x: Any) -> Any:
        return mn.adaptive_avg_pool2d(x, self.output_size)


@mn.layer("adaptive_max_pool2d")
class AdaptiveMaxPool2D(_AdaptivePool2D):
    """Maxima of output_size windows that share the picture evenly; windows and shapes as in AdaptiveAvgPool2D.

    >>> import mathnet as mn
    >>> mn.layers.AdaptiveMaxPool2D((1, 2))(mn.Input((8, 7, 10))).shape
    (batch, 8, 1, 2)
    """

    def call(self, x: Any) -> Any:
        return mn.adaptive_max_pool2d(x, self.output_size)
