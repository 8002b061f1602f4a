"""What layers with one kernel and perhaps a bias share: their settings, their weights, the activation behind them."""

from typing import Any

import mathnet as mn


class KernelAndBias(mn.Layer):
    """A subclass calls ``_take`` in its constructor and ``_make`` in ``build``; kernel, bias: (initializer, regularizer, constraint)."""

    def _take(self, activation: Any, use_bias: bool, kernel: tuple, bias: tuple) -> None:
        self.activation = mn.activations.get(activation)
        self.use_bias = use_bias
        self._kernel, self._bias = kernel, bias

    def _make(self, kernel_shape: tuple, bias_shape: tuple) -> None:
        self.kernel = self.param("kernel", kernel_shape, *self._kernel)
        self.bias = self.param("bias", bias_shape, *self._bias) if self.use_bias else None

    def activated(self, y: Any) -> Any:
        return y if self.activation is None else self.activation(y)
