"""SimpleRNN, LSTM and GRU over sequences."""

from collections.abc import Callable
from typing import Any

import mathnet as mn
from mathnet_std.activations import relu, sigmoid, tanh


def known(activation: Any) -> Any:
    """The name of an activation of this package that recurrences have kernels for; any other one as it is."""
    for function in (tanh, sigmoid, relu):
        if activation == mn.activations.get(function):
            return function.__name__
    return activation


def reversed_steps(x: Any) -> Any:
    """x (N, T, …) from its last step to its first; T may be unknown."""
    if isinstance(x.shape[1], int):
        return x[:, ::-1]
    return mn.take(x, mn.sequence_positions(x.shape[1], reverse=True), axis=1)


class _Recurrent(mn.Layer):
    """Common parts: weights, states of several kinds, what is returned."""

    gates: int
    states = 1
    #: (x, initial states or none, mask, lengths and reverse) → all outputs, then the last states
    run: Callable[[Any, list, dict[str, Any]], Any]

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
    ) -> None:
        if isinstance(units, bool) or not hasattr(units, "__index__") or units.__index__() < 1:
            raise mn.ArgumentError(f"{type(self).__name__}: units must be a positive integer, not {units!r}")
        self.units = units.__index__()
        self.activation = mn.activations.get(activation)
        self.use_bias = use_bias
        self._kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        self._recurrent = (recurrent_initializer, recurrent_regularizer, recurrent_constraint)
        self._bias = (bias_initializer, bias_regularizer, bias_constraint)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful

    def __call__(self, x: Any, *more: Any, initial_state: Any = None, **keywords: Any) -> Any:
        if initial_state is not None:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            x = [x, *states]
        return super().__call__(x, *more, **keywords)

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        if len(shape) != 3:
            raise mn.ShapeError(
                f"the input must have the axes (batch, steps, features), but its shape is {tuple(shape)}"
            )
        width = self.gates * self.units
        self.kernel = self.param("kernel", (shape[2], width), *self._kernel)
        self.recurrent_kernel = self.param("recurrent_kernel", (self.units, width), *self._recurrent)
        self.bias = self.param("bias", (width,), *self._bias) if self.use_bias else None

    def call(self, x: Any, mask: Any = None, lengths: Any = None) -> Any:
        x, *given = x if isinstance(x, (list, tuple)) else [x]
        if given and len(given) != self.states:
            raise mn.ArgumentError(f"initial_state: {self.states} are wanted, but {len(given)} were given")
        memory = self.session if self.stateful else None
        names = ("h", "c")[: self.states]
        if memory is not None and not given:
            shape = (x.shape[0], self.units)
            given = [memory.recall(self, name, shape, x.dtype) for name in names]
        outputs, *last = self.run(x, given, {"mask": mask, "lengths": lengths, "reverse": self.go_backwards})
        if memory is not None:
            for name, value in zip(names, last):
                memory.recall(self, name, tuple(value.shape), value.dtype)
                memory.remember(self, name, value)
        if self.go_backwards and self.return_sequences:
            outputs = reversed_steps(outputs)
        result = outputs if self.return_sequences else last[0]
        return [result, *last] if self.return_state else result


_SHAPES = """x (N, T, F) → the last output (N, U); with return_sequences=True all of them (N, T, U), with return_state=True a list of
    that and the last states.  float32 or float64, as the input.

    Parameters
    ----------
    units: U.
"""

_OTHERS = """use_bias, kernel_…, recurrent_… and bias_initializer, …_regularizer, …_constraint: of the weights; the recurrent kernel is
        orthogonal at first.
    return_sequences, return_state: see above.
    go_backwards: from the last step to the first; all outputs then come in that order (as in Keras).
    stateful: within ``model.session()`` a call starts with the states that the call before left; outside of a session, with zeros.

    Called as ``layer(x, initial_state=…, mask=…, lengths=…)``: initial_state (N, U), one tensor for each state of the layer (zeros by
    default); lengths (N) int64: how many steps of each example count, or mask (N, T) bool: which ones.  At other steps the states stay
    and the output is 0 (Keras repeats the last one), so the last output is that of the last step that counts.
    Convolutions have channels on axis 1: put Permute((2, 1)) between them and this layer.
"""


@mn.layer("simple_rnn")
class SimpleRNN(_Recurrent):
    __doc__ = f"""hₜ = activation(xₜ W + hₜ₋₁ R + b).

    {_SHAPES}    activation: key, object or function.
    {_OTHERS}
    kernel W (F, U), recurrent_kernel R (U, U), bias b (U).  Source: Elman, Finding Structure in Time, 1990; :func:`mathnet.rnn`.

    >>> import mathnet as mn
    >>> mn.layers.SimpleRNN(8, return_sequences=True)(mn.Input((20, 3))).shape
    (batch, 20, 8)
    """

    gates = 1

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            return_sequences, return_state, go_backwards, stateful,
        )  # fmt: skip

    def run(self, x: Any, states: list, settings: dict[str, Any]) -> Any:
        return mn.rnn(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0] if states else None, activation=known(self.activation), **settings
        )  # fmt: skip


@mn.layer("lstm")
class LSTM(_Recurrent):
    __doc__ = f"""Long short-term memory: (i, f, g, o) = xₜ W + hₜ₋₁ R + b;  cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g);  hₜ = σ(o)·tanh(cₜ).

    {_SHAPES}    activation, recurrent_activation: what stands for tanh and for σ.
    unit_forget_bias: the bias of the forget gate f starts at 1 (Jozefowicz et al., 2015), beside bias_initializer for the others.
    {_OTHERS}
    The states are h and c.  kernel W (F, 4U), recurrent_kernel R (U, 4U), bias b (4U), gates in the order i, f, g, o.
    Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Gers et al., Learning to Forget, 2000; :func:`mathnet.lstm`.

    >>> import mathnet as mn
    >>> mn.layers.LSTM(8)(mn.Input((20, 3))).shape
    (batch, 8)
    """

    gates, states = 4, 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            return_sequences, return_state, go_backwards, stateful,
        )  # fmt: skip
        self.recurrent_activation = mn.activations.get(recurrent_activation)
        if unit_forget_bias:
            self._bias = (_ForgetBias(bias_initializer, self.units), *self._bias[1:])

    def run(self, x: Any, states: list, settings: dict[str, Any]) -> Any:
        return mn.lstm(
            x, self.kernel, self.recurrent_kernel, self.bias, tuple(states) or None, activation=known(self.activation),
            recurrent_activation=known(self.recurrent_activation), **settings,
        )  # fmt: skip


class _ForgetBias:
    """Initial biases with ones for the forget gate."""

    def __init__(self, initializer: Any, units: int) -> None:
        self.initializer, self.units = initializer, units

    def __call__(self, shape: tuple, rng: Any) -> Any:
        values = mn.initializers.get(self.initializer)(shape, rng)
        values[self.units : 2 * self.units] = 1.0
        return values


@mn.layer("gru")
class GRU(_Recurrent):
    __doc__ = f"""Gated recurrent units: hₜ = (1 − z)·n + z·h with h = hₜ₋₁ and

    r = σ(xₜWᵣ + bᵣ + hRᵣ + dᵣ);  z = σ(xₜW_z + b_z + hR_z + d_z);  n = tanh(xₜWₙ + bₙ + r·(hRₙ + dₙ)).

    {_SHAPES}    activation, recurrent_activation: what stands for tanh and for σ.
    reset_after: False for n = tanh(xₜWₙ + bₙ + (r·h)Rₙ), the form of the first paper, without d.
    {_OTHERS}
    kernel W (F, 3U), recurrent_kernel R (U, 3U), bias b (3U) and recurrent_bias d (3U), gates in the order r, z, n (Keras: z, r, n and
    one bias of shape (2, 3U)).  Source: Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, 2014; :func:`mathnet.gru`.

    >>> import mathnet as mn
    >>> mn.layers.GRU(8)(mn.Input((20, 3))).shape
    (batch, 8)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        reset_after: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            return_sequences, return_state, go_backwards, stateful,
        )  # fmt: skip
        self.recurrent_activation = mn.activations.get(recurrent_activation)
        self.reset_after = reset_after

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        both = self.use_bias and self.reset_after
        self.recurrent_bias = self.param("recurrent_bias", (3 * self.units,), *self._bias) if both else None

    def run(self, x: Any, states: list, settings: dict[str, Any]) -> Any:
        return mn.gru(
            x, self.kernel, self.recurrent_kernel, self.bias, self.recurrent_bias, states[0] if states else None,
            reset_after=self.reset_after, activation=known(self.activation),
            recurrent_activation=known(self.recurrent_activation), **settings,
        )  # fmt: skip
