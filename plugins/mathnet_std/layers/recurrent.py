"""SimpleRNN, LSTM and GRU over sequences."""

from collections.abc import Callable
from typing import Any

import mathnet as mn
from mathnet_std.layers.dropout import kept
from mathnet_std.layers.recurrent_units import (
    GRUUnit,
    LSTMUnit,
    RecurrentUnit,
    SimpleUnit,
    known,
    scaled,
)
from mathnet_std.layers.stepping import counting, reversed_steps, sequence_of, walk


class _Recurrent(RecurrentUnit):
    """Common parts: states of several kinds, dropout, what is returned."""

    #: (x, initial states or none, mask, lengths and reverse) → all outputs, then the last states
    run: Callable[[Any, list, dict[str, Any]], Any]

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        return_sequences: bool,
        return_state: bool,
        go_backwards: bool,
        stateful: bool,
    ) -> None:
        self._take(
            units, activation, use_bias, (kernel_initializer, kernel_regularizer, kernel_constraint),
            (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            (bias_initializer, bias_regularizer, bias_constraint), dropout, recurrent_dropout,
        )  # fmt: skip
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
        self.make_weights(shape[2])

    def call(self, x: Any, mask: Any = None, lengths: Any = None, training: bool = False) -> Any:
        x, given = sequence_of(x)
        if given and len(given) != self.states:
            raise mn.ArgumentError(f"initial_state: {self.states} are wanted, but {len(given)} were given")
        memory = self.session if self.stateful else None
        names = ("h", "c")[: self.states]
        if memory is not None and not given:
            shape = (x.shape[0], self.units)
            given = [memory.recall(self, name, shape, x.dtype) for name in names]
        factors = kept(self.dropout, (x.shape[0], 1, x.shape[2]), x, training)
        x = scaled(x, factors)
        if training and self.recurrent_dropout:
            outputs, *last = self._stepped(x, given, counting(x, mask, lengths))
        else:
            outputs, *last = self.run(
                x, given, {"mask": mask, "lengths": lengths, "reverse": self.go_backwards}
            )
        if memory is not None:
            for name, value in zip(names, last):
                memory.recall(self, name, tuple(value.shape), value.dtype)
                memory.remember(self, name, value)
        if self.go_backwards and self.return_sequences:
            outputs = reversed_steps(outputs)
        result = outputs if self.return_sequences else last[0]
        return [result, *last] if self.return_state else result

    def _stepped(self, x: Any, states: list, mask: Any) -> list:
        """``run`` with dropout of the states: one draw for all steps of a sequence."""
        shape = (x.shape[0], self.units)
        factors = kept(self.recurrent_dropout, shape, x, True)
        if mask is not None:
            x = mn.where(mn.expand_dims(mask, 2), x, 0.0)
        states = states or [mn.zeros(shape, x.dtype) for _ in range(self.states)]

        def step(given: Any, states: list) -> tuple[Any, list]:
            new = self.step(given, states, factors)
            return new[0], new

        _, outputs, last = walk(step, self.inputs(x), states, self.units, mask, self.go_backwards)
        return [outputs, *last]


_SHAPES = """x (N, T, F) → the last output (N, U); with return_sequences=True all of them (N, T, U), with return_state=True a list of
    that and the last states.  float32 or float64, as the input.

    Parameters
    ----------
    units: U.
"""

_OTHERS = """use_bias, kernel_…, recurrent_… and bias_initializer, …_regularizer, …_constraint: of the weights; the recurrent kernel is
        orthogonal at first.
    dropout, recurrent_dropout: in training the features of xₜ and of hₜ₋₁ are multiplied by 0 with these probabilities, else by
        1/(1 − rate), before W and R: one draw for all steps of a sequence and all gates (Gal and Ghahramani, A Theoretically Grounded
        Application of Dropout in Recurrent Neural Networks, 2016).  With recurrent_dropout a training step runs as a loop, several times
        slower.
    return_sequences, return_state: see above.
    go_backwards: from the last step to the first; all outputs then come in that order (as in Keras).
    stateful: within ``model.session()`` a call starts with the states that the call before left; outside of a session, with zeros.

    Called as ``layer(x, initial_state=…, mask=…, lengths=…)``: initial_state (N, U), one tensor for each state of the layer (zeros by
    default); lengths (N) int64: how many steps of each example count, or mask (N, T) bool: which ones.  At other steps the states stay
    and the output is 0 (Keras repeats the last one), so the last output is that of the last step that counts.
    Convolutions have channels on axis 1: put Permute((2, 1)) between them and this layer.
"""


@mn.layer("simple_rnn")
class SimpleRNN(_Recurrent, SimpleUnit):
    __doc__ = f"""hₜ = activation(xₜ W + hₜ₋₁ R + b).

    {_SHAPES}    activation: key, object or function.
    {_OTHERS}
    kernel W (F, U), recurrent_kernel R (U, U), bias b (U).  Source: Elman, Finding Structure in Time, 1990; :func:`mathnet.rnn`.

    >>> import mathnet as mn
    >>> mn.layers.SimpleRNN(8, return_sequences=True)(mn.Input((20, 3))).shape
    (batch, 20, 8)
    """

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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, return_sequences, return_state, go_backwards, stateful,
        )  # fmt: skip

    def run(self, x: Any, states: list, settings: dict[str, Any]) -> Any:
        return mn.rnn(
            x, self.kernel, self.recurrent_kernel, self.bias, states[0] if states else None, activation=known(self.activation), **settings
        )  # fmt: skip


@mn.layer("lstm")
class LSTM(_Recurrent, LSTMUnit):
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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout, return_sequences, return_state, go_backwards, stateful,
        )  # fmt: skip
        self._take_gates(recurrent_activation, unit_forget_bias)

    def run(self, x: Any, states: list, settings: dict[str, Any]) -> Any:
        return mn.lstm(
            x, self.kernel, self.recurrent_kernel, self.bias, tuple(states) or None, activation=known(self.activation),
            recurrent_activation=known(self.recurrent_activation), **settings,
        )  # fmt: skip


@mn.layer("gru")
class GRU(_Recurrent, GRUUnit):
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
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
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
            dropout, recurrent_dropout, return_sequences, return_state, go_backwards, stateful,
        )  # fmt: skip
        self._take_gates(recurrent_activation, reset_after)

    def run(self, x: Any, states: list, settings: dict[str, Any]) -> Any:
        return mn.gru(
            x, self.kernel, self.recurrent_kernel, self.bias, self.recurrent_bias, states[0] if states else None,
            reset_after=self.reset_after, activation=known(self.activation),
            recurrent_activation=known(self.recurrent_activation), **settings,
        )  # fmt: skip
