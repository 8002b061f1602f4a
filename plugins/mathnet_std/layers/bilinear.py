"""Bilinear: a form in two inputs."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import positive
from mathnet_std.layers.kernel_and_bias import KernelAndBias


@mn.layer("bilinear")
class Bilinear(KernelAndBias):
    """y[n, u] = activation(aᵀ[n] W[u] b[n] + bias[u]).

    Inputs [a (N, I), b (N, J)] → y (N, units); kernel W (units, I, J), bias (units).  Arguments as in Dense.

    >>> import mathnet as mn
    >>> a, b = mn.Input((4,)), mn.Input((5,))
    >>> mn.layers.Bilinear(3)([a, b]).shape
    (batch, 3)
    """

    def __init__(
        self,
        units: int,
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
        self.units = positive("Bilinear", "units", units)
        kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = (bias_initializer, bias_regularizer, bias_constraint)
        self._take(activation, use_bias, kernel, bias)

    def build(self, input_shape: Any) -> None:
        if (
            not isinstance(input_shape, list)
            or len(input_shape) != 2
            or any(len(s) != 2 for s in input_shape)
        ):
            raise mn.ShapeError("the input must be a list of two tensors with two axes, (batch, features)")
        (_, left), (_, right) = input_shape
        self._make((self.units, left, right), (self.units,))

    def call(self, x: list) -> Any:
        a, b = x
        units, left, right = self.kernel.shape
        flat = mn.reshape(mn.transpose(self.kernel, (1, 0, 2)), (left, units * right))
        forms = mn.reshape(a @ flat, (a.shape[0], units, right))
        y = mn.sum(forms * mn.expand_dims(b, 1), axis=2)
        if self.bias is not None:
            y = y + self.bias
        return self.activated(y)
