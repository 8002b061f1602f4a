"""Conv2DTranspose, DepthwiseConv2D and SeparableConv2D."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import positive
from mathnet_std.layers.kernel_and_bias import KernelAndBias
from mathnet_std.layers.windows import check_axes, numbers


@mn.layer("conv2d_transpose")
class Conv2DTranspose(KernelAndBias):
    """y = activation(xᵀ-convolution of x with w + b): the transpose of Conv2D, which enlarges pictures.

    x (N, C, H, W) → y (N, filters, H', W') with H' = (H − 1)·stride + dilation·(kh − 1) + 1 − padding + output_padding; kernel
    (C, filters/groups, kh, kw), as in PyTorch; bias (filters).

    Parameters
    ----------
    kernel_size, strides, dilation_rate: int or pair.
    padding: what is cut off: "valid" (nothing), "same" (H' = H·stride), an int, a pair or ((top, bottom), (left, right)).
    output_padding: rows and columns added at the end; int or pair, fewer than the stride or the dilation.
    filters, groups, exact, activation, use_bias, kernel_…, bias_…, name: as in Conv2D.

    Source: Dumoulin and Visin, A Guide to Convolution Arithmetic for Deep Learning, 2016.

    >>> import mathnet as mn
    >>> mn.layers.Conv2DTranspose(8, 3, strides=2, padding="same")(mn.Input((16, 7, 7))).shape
    (batch, 8, 14, 14)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        output_padding: Any = 0,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        exact: bool = False,
        name: str | None = None,
    ) -> None:
        kind = "Conv2DTranspose"
        self.filters, self.groups = positive(kind, "filters", filters), positive(kind, "groups", groups)
        if filters % groups:
            raise mn.ArgumentError(f"{kind}: filters={filters} cannot be divided into groups={groups}")
        self.kernel_size = numbers(kind, "kernel_size", kernel_size, 2)
        self.strides = numbers(kind, "strides", strides, 2)
        self.dilation_rate = numbers(kind, "dilation_rate", dilation_rate, 2)
        self.output_padding = numbers(kind, "output_padding", output_padding, 2, 0)
        self.padding, self.exact = padding, bool(exact)
        kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = (bias_initializer, bias_regularizer, bias_constraint)
        self._take(activation, use_bias, kernel, bias)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)
        channels = input_shape[1]
        if isinstance(channels, int) and channels % self.groups:
            raise mn.ShapeError(f"{channels} channels cannot be divided into groups={self.groups}")
        self._make((channels, self.filters // self.groups, *self.kernel_size), (self.filters,))

    def call(self, x: Any) -> Any:
        y = mn.conv_transpose2d(
            x,
            self.kernel,
            self.bias,
            stride=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            groups=self.groups,
            dilation=self.dilation_rate,
            exact=self.exact,
        )
        return self.activated(y)


@mn.layer("depthwise_conv2d")
class DepthwiseConv2D(KernelAndBias):
    """y[n, c·m + k] = activation(w[c·m + k] ⋆ x[n, c] + b[c·m + k]): every channel is convolved alone, m = depth_multiplier times.

    x (N, C, H, W) → y (N, C·m, H', W'); kernel (C·m, 1, kh, kw), bias (C·m).

    Parameters
    ----------
    kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_…, name: as in Conv2D.
    depth_multiplier: number of outputs for each channel.
    depthwise_initializer, depthwise_regularizer, depthwise_constraint: of the kernel.

    Source: Howard et al., MobileNets, 2017.

    >>> import mathnet as mn
    >>> mn.layers.DepthwiseConv2D(3, padding="same")(mn.Input((8, 28, 28))).shape
    (batch, 8, 28, 28)
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        depth_multiplier: int = 1,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        kind = "DepthwiseConv2D"
        self.kernel_size = numbers(kind, "kernel_size", kernel_size, 2)
        self.strides = numbers(kind, "strides", strides, 2)
        self.dilation_rate = numbers(kind, "dilation_rate", dilation_rate, 2)
        self.depth_multiplier = positive(kind, "depth_multiplier", depth_multiplier)
        self.padding = padding
        kernel = (depthwise_initializer, depthwise_regularizer, depthwise_constraint)
        bias = (bias_initializer, bias_regularizer, bias_constraint)
        self._take(activation, use_bias, kernel, bias)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)
        filters = input_shape[1] * self.depth_multiplier
        self._make((filters, 1, *self.kernel_size), (filters,))

    def call(self, x: Any) -> Any:
        y = mn.conv2d(
            x,
            self.kernel,
            self.bias,
            stride=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=x.shape[1],
        )
        return self.activated(y)


@mn.layer("separable_conv2d")
class SeparableConv2D(mn.Layer):
    """A convolution of every channel alone, then one of 1×1 that mixes them: y = activation(p · (w ⋆ x) + b).

    x (N, C, H, W) → y (N, filters, H', W'); depthwise_kernel w (C·m, 1, kh, kw) with m = depth_multiplier, pointwise_kernel p
    (filters, C·m, 1, 1), bias (filters).  Source: Chollet, Xception, 2017.

    Parameters
    ----------
    filters, kernel_size, strides, padding, dilation_rate, activation, use_bias, bias_…, name: as in Conv2D.
    depth_multiplier: number of outputs of the first convolution for each channel.
    depthwise_…, pointwise_…: initializer, regularizer and constraint of the two kernels.

    >>> import mathnet as mn
    >>> mn.layers.SeparableConv2D(32, 3, padding="same")(mn.Input((8, 28, 28))).shape
    (batch, 32, 28, 28)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        kind = "SeparableConv2D"
        self.filters = positive(kind, "filters", filters)
        self.kernel_size = numbers(kind, "kernel_size", kernel_size, 2)
        self.strides = numbers(kind, "strides", strides, 2)
        self.dilation_rate = numbers(kind, "dilation_rate", dilation_rate, 2)
        self.depth_multiplier = positive(kind, "depth_multiplier", depth_multiplier)
        self.padding = padding
        self.activation = mn.activations.get(activation)
        self.use_bias = use_bias
        self.settings = {
            "depthwise_kernel": (depthwise_initializer, depthwise_regularizer, depthwise_constraint),
            "pointwise_kernel": (pointwise_initializer, pointwise_regularizer, pointwise_constraint),
            "bias": (bias_initializer, bias_regularizer, bias_constraint),
        }

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, 2)
        inner = input_shape[1] * self.depth_multiplier

        def weight(name: str, *shape: int) -> Any:
            return self.param(name, shape, *self.settings[name])

        self.depthwise_kernel = weight("depthwise_kernel", inner, 1, *self.kernel_size)
        self.pointwise_kernel = weight("pointwise_kernel", self.filters, inner, 1, 1)
        self.bias = weight("bias", self.filters) if self.use_bias else None

    def call(self, x: Any) -> Any:
        y = mn.conv2d(
            x,
            self.depthwise_kernel,
            stride=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=x.shape[1],
        )
        y = mn.conv2d(y, self.pointwise_kernel, self.bias)
        return y if self.activation is None else self.activation(y)
