"""Conv2D: two-dimensional convolution (cross-correlation, as everywhere in this field)."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.windows import pair, window_padding


@mn.layer("conv2d")
class Conv2D(mn.Layer):
    """y[n, o] = activation(Σ_c w[o, c] ⋆ x[n, c] + b[o]).

    x (N, C, H, W) → y (N, filters, H', W'); kernel (filters, C/groups, kh, kw), bias (filters).  float32 or float64, as the input.

    Parameters
    ----------
    filters: number of output channels.
    kernel_size, strides, dilation_rate: int or pair.
    padding: "valid" (none), "same" (H' = ⌈H/stride⌉, the odd zero at the end), an int, a pair, or ((top, bottom), (left, right)).
    groups: number of groups of channels that do not mix.
    activation, use_bias, kernel_…, bias_…, name: as in Dense.

    >>> import mathnet as mn
    >>> mn.layers.Conv2D(32, 3, padding="same")(mn.Input((1, 28, 28))).shape
    (batch, 32, 28, 28)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: Any = "valid",
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
        name: str | None = None,
    ) -> None:
        self.filters, self.groups = filters, groups
        for argument, value in (("filters", filters), ("groups", groups)):
            if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
                raise mn.ArgumentError(f"Conv2D: {argument} must be a positive integer, not {value!r}")
        if filters % groups:
            raise mn.ArgumentError(f"Conv2D: filters={filters} cannot be divided into groups={groups}")
        self.kernel_size = pair("Conv2D", "kernel_size", kernel_size)
        self.strides = pair("Conv2D", "strides", strides)
        self.dilation_rate = pair("Conv2D", "dilation_rate", dilation_rate)
        self.padding = padding
        self.activation = mn.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self.kernel_regularizer, self.bias_regularizer = kernel_regularizer, bias_regularizer
        self.kernel_constraint, self.bias_constraint = kernel_constraint, bias_constraint

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) != 4:
            raise mn.ShapeError(
                "the input must be one tensor with four axes, (batch, channels, height, width)"
            )
        channels = input_shape[1]
        if isinstance(channels, int) and channels % self.groups:
            raise mn.ShapeError(f"{channels} channels cannot be divided into groups={self.groups}")
        self.kernel = self.param(
            "kernel",
            (self.filters, channels // self.groups, *self.kernel_size),
            self.kernel_initializer,
            self.kernel_regularizer,
            self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.param(
                "bias", (self.filters,), self.bias_initializer, self.bias_regularizer, self.bias_constraint
            )

    def call(self, x: Any) -> Any:
        padding = window_padding(x.shape, self.kernel_size, self.strides, self.padding, self.dilation_rate)
        y = mn.conv2d(
            x,
            self.kernel,
            self.bias,
            stride=self.strides,
            padding=padding,
            dilation=self.dilation_rate,
            groups=self.groups,
        )
        return y if self.activation is None else self.activation(y)
