"""What SimpleRNN, LSTM and GRU have in common with their cells: settings, weights, one step, dropout."""

from collections.abc import Callable
from typing import Any

import mathnet as mn
from mathnet_std.activations import relu, sigmoid, tanh
from mathnet_std.layers.arguments import fraction, positive


def known(activation: Any) -> Any:
    """The name of an activation of this package that recurrences have kernels for; any other one as it is."""
    for function in (tanh, sigmoid, relu):
        if activation == mn.activations.get(function):
            return function.__name__
    return activation


def scaled(x: Any, factors: Any) -> Any:
    return x if factors is None else x * factors


class RecurrentUnit(mn.Layer):
    """Units of a recurrence.  A kind of them gives ``gates``, ``states`` and ``step``; a layer or a cell the rest."""

    gates: int
    states = 1
    bias: Any
    #: (x W + b of one step (N, gates·units), states, factors of the states that are multiplied by R) → new states, the output first
    step: Callable[[Any, list, Any], list]

    def _take(
        self, units: Any, activation: Any, use_bias: bool, kernel: tuple, recurrent: tuple, bias: tuple,
        dropout: float, recurrent_dropout: float,
    ) -> None:  # fmt: skip
        """kernel, recurrent, bias: (initializer, regularizer, constraint) of each."""
        kind = type(self).__name__
        self.units = positive(kind, "units", units)
        self.activation = mn.activations.get(activation)
        self.use_bias = use_bias
        self._kernel, self._recurrent, self._bias = kernel, recurrent, bias
        self.dropout = fraction(kind, "dropout", dropout)
        self.recurrent_dropout = fraction(kind, "recurrent_dropout", recurrent_dropout)

    def make_weights(self, features: int) -> None:
        width = self.gates * self.units
        self.kernel = self.param("kernel", (features, width), *self._kernel)
        self.recurrent_kernel = self.param("recurrent_kernel", (self.units, width), *self._recurrent)
        self.bias = self.param("bias", (width,), *self._bias) if self.use_bias else None

    def inputs(self, x: Any) -> Any:
        """x W + b."""
        y = x @ self.kernel
        return y if self.bias is None else y + self.bias

    def gate(self, products: Any, position: int, count: int = 1) -> Any:
        """The columns of ``count`` gates."""
        return products[:, position * self.units : (position + count) * self.units]


class SimpleUnit(RecurrentUnit):
    gates = 1

    def step(self, given: Any, states: list, factors: Any) -> list:
        return [self.activation(given + scaled(states[0], factors) @ self.recurrent_kernel)]


class _ForgetBias:
    """Initial biases with ones for the forget gate."""

    def __init__(self, initializer: Any, units: int) -> None:
        self.initializer, self.units = initializer, units

    def __call__(self, shape: tuple, rng: Any) -> Any:
        values = mn.initializers.get(self.initializer)(shape, rng)
        values[self.units : 2 * self.units] = 1.0
        return values


class LSTMUnit(RecurrentUnit):
    gates, states = 4, 2

    def _take_gates(self, recurrent_activation: Any, unit_forget_bias: bool) -> None:
        self.recurrent_activation = mn.activations.get(recurrent_activation)
        if unit_forget_bias:
            self._bias = (_ForgetBias(self._bias[0], self.units), *self._bias[1:])

    def step(self, given: Any, states: list, factors: Any) -> list:
        h, c = states
        products = given + scaled(h, factors) @ self.recurrent_kernel
        i, f, o = (self.recurrent_activation(self.gate(products, k)) for k in (0, 1, 3))
        c = f * c + i * self.activation(self.gate(products, 2))
        return [o * self.activation(c), c]


class GRUUnit(RecurrentUnit):
    gates = 3

    def _take_gates(self, recurrent_activation: Any, reset_after: bool) -> None:
        self.recurrent_activation = mn.activations.get(recurrent_activation)
        self.reset_after = reset_after

    def make_weights(self, features: int) -> None:
        super().make_weights(features)
        both = self.use_bias and self.reset_after
        self.recurrent_bias = self.param("recurrent_bias", (3 * self.units,), *self._bias) if both else None

    def step(self, given: Any, states: list, factors: Any) -> list:
        h = scaled(states[0], factors)
        cut = 2 * self.units
        if self.reset_after:
            products = h @ self.recurrent_kernel
            if self.recurrent_bias is not None:
                products = products + self.recurrent_bias
            r, z = (self.recurrent_activation(self.gate(given, k) + self.gate(products, k)) for k in (0, 1))
            n = self.activation(self.gate(given, 2) + r * self.gate(products, 2))
        else:
            products = h @ self.recurrent_kernel[:, :cut]
            r, z = (self.recurrent_activation(self.gate(given, k) + self.gate(products, k)) for k in (0, 1))
            n = self.activation(self.gate(given, 2) + (r * h) @ self.recurrent_kernel[:, cut:])
        return [n + z * (states[0] - n)]
