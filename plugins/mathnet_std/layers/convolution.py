"""Conv1D, Conv2D and Conv3D: convolution (cross-correlation, as everywhere in this field) along one, two or three axes."""

from typing import Any, ClassVar

import mathnet as mn
from mathnet_std.layers.arguments import positive
from mathnet_std.layers.kernel_and_bias import KernelAndBias
from mathnet_std.layers.windows import check_axes, numbers


class _Convolution(KernelAndBias):
    axes: ClassVar[int]

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
        exact: bool = False,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        self.filters, self.groups = positive(kind, "filters", filters), positive(kind, "groups", groups)
        if filters % groups:
            raise mn.ArgumentError(f"{kind}: filters={filters} cannot be divided into groups={groups}")
        self.kernel_size = numbers(kind, "kernel_size", kernel_size, self.axes)
        self.strides = numbers(kind, "strides", strides, self.axes)
        self.dilation_rate = numbers(kind, "dilation_rate", dilation_rate, self.axes)
        self.padding, self.exact = padding, bool(exact)
        kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = (bias_initializer, bias_regularizer, bias_constraint)
        self._take(activation, use_bias, kernel, bias)

    def build(self, input_shape: tuple) -> None:
        check_axes(input_shape, self.axes)
        channels = input_shape[1]
        if isinstance(channels, int) and channels % self.groups:
            raise mn.ShapeError(f"{channels} channels cannot be divided into groups={self.groups}")
        self._make((self.filters, channels // self.groups, *self.kernel_size), (self.filters,))

    def call(self, x: Any) -> Any:
        convolve = {1: mn.conv1d, 2: mn.conv2d, 3: mn.conv3d}[self.axes]
        y = convolve(
            x,
            self.kernel,
            self.bias,
            stride=self.strides,
            padding=self.padding,
            dilation=self.dilation_rate,
            groups=self.groups,
            exact=self.exact,
        )
        return self.activated(y)


@mn.layer("conv1d")
class Conv1D(_Convolution):
    """y[n, o] = activation(Σ_c w[o, c] ⋆ x[n, c] + b[o]) along time.

    x (N, C, T) → y (N, filters, T'); kernel (filters, C/groups, k), bias (filters).  Recurrent layers take (N, T, features): put
    ``Permute((2, 1))`` between them.  float32 or float64, as the input.

    Parameters
    ----------
    kernel_size, strides, dilation_rate: int.
    padding: "valid" (none), "same" (T' = ⌈T/stride⌉, the odd zero at the end), "causal" (zeros before only), an int or (before, after).
    filters, groups, activation, use_bias, kernel_…, bias_…, name: as in Conv2D.
    exact: no difference, sums along one axis are always direct.

    >>> import mathnet as mn
    >>> mn.layers.Conv1D(16, 3, padding="causal")(mn.Input((8, 100))).shape
    (batch, 16, 100)
    >>> sequence = mn.Input((100, 8))                            # (batch, time, features)
    >>> mn.layers.Conv1D(16, 3)(mn.layers.Permute((2, 1))(sequence)).shape
    (batch, 16, 98)
    """

    axes = 1


@mn.layer("conv2d")
class Conv2D(_Convolution):
    """y[n, o] = activation(Σ_c w[o, c] ⋆ x[n, c] + b[o]).

    x (N, C, H, W) → y (N, filters, H', W'); kernel (filters, C/groups, kh, kw), bias (filters).  float32 or float64, as the input.

    Parameters
    ----------
    filters: number of output channels.
    kernel_size, strides, dilation_rate: int or pair.
    padding: "valid" (none), "same" (H' = ⌈H/stride⌉, the odd zero at the end), an int, a pair, or ((top, bottom), (left, right)).
    groups: number of groups of channels that do not mix.
    exact: whether all sums are direct, also where Winograd's method is faster (see mn.conv2d).
    activation, use_bias, kernel_…, bias_…, name: as in Dense.

    >>> import mathnet as mn
    >>> mn.layers.Conv2D(32, 3, padding="same")(mn.Input((1, 28, 28))).shape
    (batch, 32, 28, 28)
    """

    axes = 2


@mn.layer("conv3d")
class Conv3D(_Convolution):
    """y[n, o] = activation(Σ_c w[o, c] ⋆ x[n, c] + b[o]) in space or over frames.

    x (N, C, D, H, W) → y (N, filters, D', H', W'); kernel (filters, C/groups, kd, kh, kw), bias (filters).

    Parameters
    ----------
    kernel_size, strides, dilation_rate: int or triple.
    padding: "valid", "same", an int, a triple or ((front, back), (top, bottom), (left, right)).
    filters, groups, exact, activation, use_bias, kernel_…, bias_…, name: as in Conv2D.

    >>> import mathnet as mn
    >>> mn.layers.Conv3D(4, 3, padding="same")(mn.Input((1, 8, 16, 16))).shape
    (batch, 4, 8, 16, 16)
    """

    axes = 3
