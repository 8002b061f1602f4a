"""Layers around what is done at each step of a sequence: RNN over a cell, Bidirectional, TimeDistributed."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.recurrent_cells import StackedRNNCells, output_size, state_sizes
from mathnet_std.layers.stepping import counting, reversed_steps, sequence_of, walk


@mn.layer("rnn")
class RNN(mn.Layer):
    """A cell, stepped over a sequence: of one's own, or SimpleRNNCell, LSTMCell, GRUCell, or a list of cells, one above the other.

    cell: a Layer with ``state_size`` (int, or a tuple of ints for several states) and ``call(x, states)`` → (output, new states),
    where x is one step (N, F), states a list of (N, size) and the output (N, output_size): of the first state's size, unless the cell
    has another ``output_size``.  A cell with a method ``for_sequence(shape, like, training)`` is given what that returns as ``shared=`` at
    every step: values drawn once for each sequence, such as the factors of dropout; shape: (N, F), like: a tensor of the input's type.
    x (N, T, F) → the last output; with return_sequences=True all of them (N, T, …); with return_state=True a list of that and the last
    states.  go_backwards, stateful, and the call's initial_state, mask and lengths as in LSTM.

    >>> import mathnet as mn
    >>> class Leaky(mn.Layer):
    ...     state_size = 3
    ...     def call(self, x, states):
    ...         h = 0.9 * states[0] + 0.1 * x
    ...         return h, [h]
    >>> mn.layers.RNN(Leaky(), return_sequences=True)(mn.Input((20, 3))).shape
    (batch, 20, 3)
    >>> mn.layers.RNN([mn.layers.LSTMCell(8), mn.layers.GRUCell(4)])(mn.Input((20, 3))).shape
    (batch, 4)
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        name: str | None = None,
    ) -> None:
        self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        self.sizes = state_sizes("RNN", self.cell)
        self.output_size = output_size(self.cell)
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful = go_backwards, stateful

    def __call__(self, x: Any, *more: Any, initial_state: Any = None, **keywords: Any) -> Any:
        if initial_state is not None:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
            x = [x, *states]
        return super().__call__(x, *more, **keywords)

    def call(self, x: Any, mask: Any = None, lengths: Any = None, training: bool = False) -> Any:
        x, states = sequence_of(x)
        if states and len(states) != len(self.sizes):
            raise mn.ArgumentError(
                f"initial_state: {len(self.sizes)} are wanted, but {len(states)} were given"
            )
        memory = self.session if self.stateful else None
        shapes = [(x.shape[0], size) for size in self.sizes]
        if not states and memory is not None:
            states = [memory.recall(self, f"state{k}", shape, x.dtype) for k, shape in enumerate(shapes)]
        elif not states:
            states = [mn.zeros(shape, x.dtype) for shape in shapes]
        shared = {}
        if hasattr(self.cell, "for_sequence"):
            shared = {"shared": self.cell.for_sequence((x.shape[0], x.shape[2]), x, training)}

        def step(item: Any, states: list) -> Any:
            return self.cell(item, states=states, training=training, **shared)

        output, outputs, last = walk(
            step, x, states, self.output_size, counting(x, mask, lengths), self.go_backwards
        )
        if memory is not None:
            for k, value in enumerate(last):
                memory.recall(self, f"state{k}", tuple(value.shape), value.dtype)
                memory.remember(self, f"state{k}", value)
        if self.return_sequences:
            output = reversed_steps(outputs) if self.go_backwards else outputs
        return [output, *last] if self.return_state else output


@mn.layer("bidirectional")
class Bidirectional(mn.Layer):
    """A recurrent layer and its mirror image: one reads the sequence from the first step on, the other from the last.

    layer: SimpleRNN, LSTM, GRU or RNN; merge_mode: how the two outputs are joined: "concat" (along the features), "sum", "mul", "ave",
    or None for a list of both.  backward_layer: the second layer, with go_backwards=True; by default a copy of the settings of the
    first.  Outputs of the second stand where their inputs stand.  With return_state=True a list of the joined output, the states of
    the first and those of the second; initial_state in the same order.  mask and lengths as in LSTM.
    With stateful=True in ``layer``, within ``model.session()`` the first layer goes on from call to call; the second one, which comes from
    the other end, sees each call alone (Keras lets it start where it ended in the call before).
    Sources: Schuster and Paliwal, Bidirectional Recurrent Neural Networks, 1997; Zhang et al., Highway LSTM RNNs for Distant Speech
    Recognition, 2016, for parts of sequences.

    >>> import mathnet as mn
    >>> mn.layers.Bidirectional(mn.layers.LSTM(8, return_sequences=True))(mn.Input((20, 3))).shape
    (batch, 20, 16)
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        backward_layer: Any = None,
        name: str | None = None,
    ) -> None:
        for argument, item in (("layer", layer), ("backward_layer", backward_layer)):
            if item is not None and not (isinstance(item, mn.Layer) and hasattr(item, "go_backwards")):
                raise mn.ArgumentError(
                    f"Bidirectional: {argument} must be SimpleRNN, LSTM, GRU or RNN, not {item!r}"
                )
        if merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise mn.ArgumentError(
                f"Bidirectional: merge_mode must be 'concat', 'sum', 'mul', 'ave' or None, not {merge_mode!r}"
            )
        self.merge_mode = merge_mode
        self.forward = layer
        self.backward = backward_layer or _mirrored(layer)
        if self.forward.go_backwards == self.backward.go_backwards:
            raise mn.ArgumentError(
                "Bidirectional: one of the two layers must have go_backwards=True, the other not"
            )
        for argument in ("return_sequences", "return_state"):
            if getattr(self.forward, argument) != getattr(self.backward, argument):
                raise mn.ArgumentError(f"Bidirectional: both layers need the same {argument}")
        if (self.forward if self.forward.go_backwards else self.backward).stateful:
            raise mn.ArgumentError(
                "Bidirectional: the layer with go_backwards=True cannot be stateful, because it comes from the end that is still to come"
            )

    def __call__(self, x: Any, *more: Any, initial_state: Any = None, **keywords: Any) -> Any:
        return super().__call__(x if initial_state is None else [x, *initial_state], *more, **keywords)

    def call(self, x: Any, mask: Any = None, lengths: Any = None, training: bool = False) -> Any:
        x, *states = x if isinstance(x, (list, tuple)) else [x]
        if len(states) % 2:
            raise mn.ArgumentError(f"initial_state: {len(states)} were given, but both layers need as many")
        half = len(states) // 2
        found = []
        for layer, start in ((self.forward, states[:half]), (self.backward, states[half:])):
            keywords = {k: v for k, v in (("mask", mask), ("lengths", lengths)) if v is not None}
            made = layer([x, *start] if start else x, training=training, **keywords)
            output, *last = made if layer.return_state else [made]
            if layer.go_backwards and layer.return_sequences:
                output = reversed_steps(output)
            found.append((output, last))
        (first, first_states), (second, second_states) = found
        joined = self._joined(first, second)
        if not self.forward.return_state:
            return joined
        return [*(joined if isinstance(joined, list) else [joined]), *first_states, *second_states]

    def _joined(self, first: Any, second: Any) -> Any:
        if self.merge_mode is None:
            return [first, second]
        if self.merge_mode == "concat":
            return mn.concatenate([first, second], axis=-1)
        if self.merge_mode == "mul":
            return first * second
        return (first + second) * (0.5 if self.merge_mode == "ave" else 1.0)


def _mirrored(layer: Any) -> Any:
    """A layer of the same settings that reads in the other direction; cells within are made anew."""
    config = {key: _anew(value) for key, value in layer.config.items()}
    return type(layer)(**{**config, "go_backwards": not layer.go_backwards, "stateful": False, "name": None})


def _anew(setting: Any) -> Any:
    """A setting with its layers made once more."""
    if isinstance(setting, mn.Layer):
        return type(setting)(**{key: _anew(value) for key, value in setting.config.items()})
    return [_anew(item) for item in setting] if isinstance(setting, (list, tuple)) else setting


@mn.layer("time_distributed")
class TimeDistributed(mn.Layer):
    """The same layer at every step of a sequence: x (N, T, …) is given to it as N·T examples.

    layer: any layer of one input and one output.

    >>> import mathnet as mn
    >>> mn.layers.TimeDistributed(mn.layers.Conv2D(4, 3))(mn.Input((10, 1, 8, 8))).shape
    (batch, 10, 4, 6, 6)
    """

    def __init__(self, layer: mn.Layer, name: str | None = None) -> None:
        if not isinstance(layer, mn.Layer):
            raise mn.ArgumentError(f"TimeDistributed: layer must be a Layer, not {layer!r}")
        self.layer = layer

    def call(self, x: Any, training: bool = False) -> Any:
        if isinstance(x, list) or x.ndim < 3:
            raise mn.ShapeError("the input must be one tensor with at least three axes, (batch, steps, …)")
        lead = tuple(x.shape[:2])
        y = self.layer(mn.reshape(x, (lead[0] * lead[1], *x.shape[2:])), training=training)
        return mn.reshape(y, (*lead, *y.shape[1:]))
