"""Activations that are more than a function of their input: PReLU has weights, GumbelSoftmax draws noise."""

from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.layers.arguments import number


@mn.layer("prelu", name="PReLU")
class PReLU(mn.Layer):
    """y = x for x > 0, else alpha·x with learned slopes; the derivative at 0 is alpha.

    alpha_initializer: default 0.25 everywhere (the paper's and PyTorch's; Keras begins with "zeros"); alpha_regularizer,
    alpha_constraint: key, object or function.
    shared_axes: axes along which one slope holds, counted as in x.  By default each element of an example has its own (as in Keras);
    ``shared_axes=(2, 3)`` gives one per channel of pictures, all axes from 1 on one alone (PyTorch's default).
    Weights: alpha, of the shape of an example with 1 at the shared axes.  May be given as ``activation=``.
    Source: He et al., Delving Deep into Rectifiers, ICCV 2015.

    >>> import numpy as np, mathnet as mn
    >>> mn.layers.PReLU()(np.array([[-2.0, 0.0, 2.0]]))
    array([[-0.5,  0. ,  2. ]])
    """

    def __init__(
        self,
        alpha_initializer: Any = None,
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        name: str | None = None,
    ) -> None:
        self.alpha_initializer = alpha_initializer
        self.alpha_regularizer, self.alpha_constraint = alpha_regularizer, alpha_constraint
        self.shared_axes = (
            tuple(shared_axes or ()) if isinstance(shared_axes, (tuple, list, type(None))) else (shared_axes,)
        )

    def build(self, input_shape: tuple) -> None:
        rank = len(input_shape)
        for axis in self.shared_axes:
            if not isinstance(axis, (int, np.integer)) or not -rank < axis < rank or axis == 0:
                raise mn.ArgumentError(
                    f"PReLU: shared_axes must be axes of the input after the batch axis, not {axis!r}; the input has {rank} axes"
                )
        shared = {axis % rank for axis in self.shared_axes}
        shape = tuple(1 if k in shared else input_shape[k] for k in range(1, rank))
        initializer = self.alpha_initializer
        if initializer is None:
            initializer = mn.initializers.get("constant", value=0.25)
        self.alpha = self.param("alpha", shape, initializer, self.alpha_regularizer, self.alpha_constraint)

    def call(self, x: Any) -> Any:
        return mn.where(x > 0, x, self.alpha * x)


@mn.layer("gumbel_softmax")
class GumbelSoftmax(mn.Layer):
    """In training y = softmax((x + g)/temperature) with Gumbel noise g = −log(−log u), u uniform; otherwise without the noise.

    A choice among the categories with the scores x along ``axis`` that can be differentiated: the lower the temperature, the nearer it is
    to a one-hot draw.  hard: y is one-hot, and its derivative is that of the soft y (straight-through).
    PyTorch's function draws in prediction too.  Source: Jang et al., Categorical Reparameterization with Gumbel-Softmax, ICLR 2017.

    >>> import numpy as np, mathnet as mn
    >>> mn.layers.GumbelSoftmax(hard=True)(np.array([[1.0, 3.0, 2.0]]))
    array([[0., 1., 0.]])
    """

    def __init__(
        self, temperature: float = 1.0, hard: bool = False, axis: int = -1, name: str | None = None
    ) -> None:
        self.temperature = number(
            "GumbelSoftmax", "temperature", temperature, "a number above 0", lambda x: x > 0
        )
        self.hard, self.axis = hard, axis

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            u = mn.random.uniform(x.shape, like=x)
            x = x - mn.log(-mn.log(mn.maximum(u, 1e-20)))
        soft = mn.softmax(x / self.temperature, axis=self.axis)
        if not self.hard:
            return soft
        chosen = mn.one_hot(mn.argmax(soft, axis=self.axis), soft.shape[self.axis], self.axis, soft.dtype)
        return soft + mn.stop_gradient(chosen - soft)
