"""Cells, one step of a recurrence each: SimpleRNNCell, LSTMCell, GRUCell and StackedRNNCells."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.dropout import kept
from mathnet_std.layers.recurrent_units import GRUUnit, LSTMUnit, RecurrentUnit, SimpleUnit, scaled


def state_sizes(owner: str, cell: Any) -> tuple:
    """The sizes of a cell's states."""
    size = getattr(cell, "state_size", None)
    if not isinstance(cell, mn.Layer) or size is None:
        raise mn.ArgumentError(f"{owner}: cell must be a Layer with an attribute state_size, not {cell!r}")
    return tuple(size) if isinstance(size, (tuple, list)) else (size,)


def output_size(cell: Any) -> Any:
    """Features of a cell's output."""
    size = cell.state_size
    return getattr(cell, "output_size", size[0] if isinstance(size, (tuple, list)) else size)


class _Cell(RecurrentUnit):
    """Common parts of the cells."""

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
    ) -> None:
        self._take(
            units, activation, use_bias, (kernel_initializer, kernel_regularizer, kernel_constraint),
            (recurrent_initializer, recurrent_regularizer, recurrent_constraint),
            (bias_initializer, bias_regularizer, bias_constraint), dropout, recurrent_dropout,
        )  # fmt: skip
        self.state_size = (self.units,) * self.states

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, list) or len(input_shape) != 2:
            raise mn.ShapeError("the input must be one step, a tensor with the axes (batch, features)")
        self.make_weights(input_shape[1])

    def for_sequence(self, shape: tuple, like: Any, training: bool) -> tuple:
        """Factors of dropout, drawn once for all steps of a sequence: of the features of x (N, F) and of the state (N, units)."""
        return (
            kept(self.dropout, shape, like, training),
            kept(self.recurrent_dropout, (shape[0], self.units), like, training),
        )

    def call(self, x: Any, states: Any = None, shared: Any = None, training: bool = False) -> Any:
        if states is None:
            states = [mn.zeros((x.shape[0], self.units), x.dtype)] * self.states
        elif not isinstance(states, (list, tuple)):
            states = [states]
        if len(states) != self.states:
            raise mn.ArgumentError(f"states: {self.states} are wanted, but {len(states)} were given")
        of_input, of_state = shared or self.for_sequence(tuple(x.shape), x, training)
        new = self.step(self.inputs(scaled(x, of_input)), list(states), of_state)
        return new[0], new


_SHAPES = """x (N, F), states: a list of {states} (N, U), zeros by default → (output (N, U), new states).  float32 or float64, as the input.
    Settings, weights and formula as in :class:`{layer}`; dropout draws anew in every call, within ``RNN`` once for each sequence."""


@mn.layer("simple_rnn_cell")
class SimpleRNNCell(_Cell, SimpleUnit):
    __doc__ = f"""One step of SimpleRNN: h' = activation(x W + h R + b).

    {_SHAPES.format(states="one state", layer="SimpleRNN")}
    Source: Elman, Finding Structure in Time, 1990.

    >>> import mathnet as mn
    >>> mn.layers.RNN(mn.layers.SimpleRNNCell(8), return_sequences=True)(mn.Input((20, 3))).shape
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
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout,
        )  # fmt: skip


@mn.layer("lstm_cell")
class LSTMCell(_Cell, LSTMUnit):
    __doc__ = f"""One step of LSTM: (i, f, g, o) = x W + h R + b;  c' = σ(f)·c + σ(i)·tanh(g);  h' = σ(o)·tanh(c').

    {_SHAPES.format(states="the two states h and c, each", layer="LSTM")}
    Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Gers et al., Learning to Forget, 2000.

    >>> import mathnet as mn
    >>> mn.layers.RNN(mn.layers.LSTMCell(8))(mn.Input((20, 3))).shape
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
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout,
        )  # fmt: skip
        self._take_gates(recurrent_activation, unit_forget_bias)


@mn.layer("gru_cell")
class GRUCell(_Cell, GRUUnit):
    __doc__ = f"""One step of GRU: h' = (1 − z)·n + z·h with gates r and z and a candidate n.

    {_SHAPES.format(states="one state", layer="GRU")}
    Source: Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, 2014.

    >>> import mathnet as mn
    >>> mn.layers.RNN(mn.layers.GRUCell(8))(mn.Input((20, 3))).shape
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
        reset_after: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint,
            dropout, recurrent_dropout,
        )  # fmt: skip
        self._take_gates(recurrent_activation, reset_after)


@mn.layer("stacked_rnn_cells")
class StackedRNNCells(mn.Layer):
    """Cells one above the other as one cell: at each step the output of each is the input of the next.

    x (N, F) → (N, U), U features of the last cell's output.

    cells: a list of cells, as for RNN.  The states are those of all cells, in their order; the output is that of the last cell.
    ``RNN([cell, cell])`` makes it of a list.  Layers of LSTM, one after the other with return_sequences=True, compute the same and run
    faster, since a whole sequence is one instruction; a stack of cells needs no memory for the sequences between them.

    >>> import mathnet as mn
    >>> cells = mn.layers.StackedRNNCells([mn.layers.LSTMCell(8), mn.layers.GRUCell(4)])
    >>> cells.state_size
    (8, 8, 4)
    """

    def __init__(self, cells: Any, name: str | None = None) -> None:
        if not isinstance(cells, (list, tuple)) or not cells:
            raise mn.ArgumentError(f"StackedRNNCells: cells must be a list of cells, not {cells!r}")
        self.cells = list(cells)
        self.parts = [state_sizes("StackedRNNCells", cell) for cell in self.cells]
        self.state_size = tuple(size for part in self.parts for size in part)
        self.output_size = output_size(self.cells[-1])

    def for_sequence(self, shape: tuple, like: Any, training: bool) -> list:
        """What each cell wants of its own for a sequence."""
        found = []
        for cell in self.cells:
            found.append(cell.for_sequence(shape, like, training) if hasattr(cell, "for_sequence") else None)
            shape = (shape[0], output_size(cell))
        return found

    def call(self, x: Any, states: Any = None, shared: Any = None, training: bool = False) -> Any:
        states = (
            [mn.zeros((x.shape[0], n), x.dtype) for n in self.state_size] if states is None else list(states)
        )
        if len(states) != len(self.state_size):
            raise mn.ArgumentError(f"states: {len(self.state_size)} are wanted, but {len(states)} were given")
        found = []
        for k, (cell, part) in enumerate(zip(self.cells, self.parts)):
            own = {} if shared is None or shared[k] is None else {"shared": shared[k]}
            x, new = cell(x, states=states[: len(part)], training=training, **own)
            states = states[len(part) :]
            found += list(new) if isinstance(new, (list, tuple)) else [new]
        return x, found
