"""Dense: the fully connected layer."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import positive
from mathnet_std.layers.kernel_and_bias import KernelAndBias


@mn.layer("dense")
class Dense(KernelAndBias):
    """y = activation(x W + b) over the last axis.

    x (…, in) → y (…, units); kernel W (in, units), bias b (units).  float32 or float64, as the input.

    Parameters
    ----------
    units: number of outputs.
    activation: key, object or function; None for none.
    use_bias: whether b is there.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: key, object or function.
    name: name in the model.

    Raises ShapeError when the input has no last axis of fixed size.

    >>> import mathnet as mn
    >>> mn.layers.Dense(10, activation="relu")(mn.Input((784,))).shape
    (batch, 10)
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
        self.units = positive("Dense", "units", units)
        kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = (bias_initializer, bias_regularizer, bias_constraint)
        self._take(activation, use_bias, kernel, bias)

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) < 2:
            raise mn.ShapeError("the input must be one tensor with at least two axes, (batch, features)")
        self._make((input_shape[-1], self.units), (self.units,))

    def call(self, x: Any) -> Any:
        if x.shape[-1] != self.kernel.shape[0]:
            raise mn.ShapeError(
                f"the kernel has shape {self.kernel.shape}, so the last axis of the input must have {self.kernel.shape[0]} elements, "
                f"not {x.shape[-1]}"
            )
        y = x @ self.kernel
        if self.bias is not None:
            y = y + self.bias
        return self.activated(y)
