"""Recurrent networks over sequences: simple, long short-term memory and gated recurrent units.

With the usual activations each is one operation with kernels of its own (:mod:`mathnet.ops.recurrence`); with others it is a loop over
a cell (:mod:`mathnet.ops.recurrent_cells`).  Both have derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float, promote
from mathnet.graph.op import FUNCTIONS, as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.activation import relu, sigmoid, tanh
from mathnet.ops.comparison import less
from mathnet.ops.filled import zeros
from mathnet.ops.recurrence import GRU_WALK, LSTM_WALK, SIMPLE_WALK
from mathnet.ops.recurrent_cells import States, Step, gru_step, loop, lstm_step, rnn_step
from mathnet.ops.scan import scan
from mathnet.ops.shape import expand_dims

ACTIVATIONS = {"tanh": tanh, "relu": relu, "sigmoid": sigmoid, None: lambda x: x}


@graph_function
def sequence_positions(steps: Any, reverse: bool = False) -> Tensor:
    """0, 1, …, steps − 1, or with reverse the same from the last to the first; the number of steps may be unknown yet.

    >>> import mathnet as mn
    >>> mn.sequence_positions(3, reverse=True)
    array([2, 1, 0])
    """
    if not isinstance(steps, Dim):
        places = np.arange(_places("sequence_positions", steps))
        return as_tensor(places[::-1].copy() if reverse else places)
    return scan(lambda place, _: (place + 1, place), 0, None, length=steps, reverse=bool(reverse))[1]


def _places(name: str, steps: Any) -> Any:
    """A number of steps, checked."""
    if isinstance(steps, Dim) or (
        not isinstance(steps, bool) and hasattr(steps, "__index__") and steps.__index__() >= 0
    ):
        return steps
    raise ArgumentError(f"{name}: steps must be a number of places, not {steps!r}")


def _counting(name: str, lengths: Tensor, steps: Any) -> Tensor:
    if lengths.dtype.kind not in "iu":
        raise DTypeError(f"{name}: lengths must be integers, not {lengths.dtype}")
    return less(sequence_positions(steps), expand_dims(lengths, -1))


@graph_function
def sequence_mask(lengths: Any, steps: Any) -> Tensor:
    """Which of ``steps`` places count: True at the first ``lengths`` of them.

    lengths (…) int64 → (…, steps) bool.

    >>> import mathnet as mn
    >>> mn.sequence_mask([2, 0], 3)
    array([[ True,  True, False],
           [False, False, False]])
    """
    lengths = as_tensor(lengths, "sequence_mask: lengths")
    return _counting("sequence_mask", lengths, _places("sequence_mask", steps))


class _Weights:
    """The operands of a recurrence, checked against each other and converted to one type."""

    def __init__(
        self,
        name: str,
        x: Any,
        kernel: Any,
        recurrent_kernel: Any,
        bias: Any,
        gates: int,
        mask: Any,
        lengths: Any,
    ) -> None:
        self.name = name
        x = as_tensor(x, f"{name}: x")
        if not is_float(x.dtype):
            raise DTypeError(f"{name}: x has element type {x.dtype}; a float type is needed, use mn.cast")
        if x.ndim != 3:
            raise ShapeError(
                f"{name}: x must have the axes (N, T, features), but its shape is {show_shape(x.shape)}"
            )
        recurrent = as_tensor(recurrent_kernel, f"{name}: recurrent_kernel")
        shape = recurrent.shape
        if recurrent.ndim != 2 or shape[1] != gates * shape[0]:
            wanted = "units, units" if gates == 1 else f"units, {gates}·units"
            raise ShapeError(
                f"{name}: recurrent_kernel must have the shape ({wanted}), not {show_shape(shape)}"
            )
        self.units = shape[0]
        kernel = self.parameter("kernel", kernel, (x.shape[2], shape[1]))
        self.dtype = promote((x.spec, kernel.spec, recurrent.spec))[0]
        self.batch, self.steps = x.shape[0], x.shape[1]
        self.x, self.kernel, self.recurrent = (self._cast(t) for t in (x, kernel, recurrent))
        self.bias = None if bias is None else self.bias_like("bias", bias, shape[1])
        self.mask = self._mask(mask, lengths)

    def parameter(self, argument: str, value: Any, shape: tuple) -> Tensor:
        found = as_tensor(value, f"{self.name}: {argument}")
        if found.shape != shape:
            raise ShapeError(
                f"{self.name}: {argument} must have the shape {show_shape(shape)}, not {show_shape(found.shape)}"
            )
        return found

    def _cast(self, tensor: Tensor) -> Tensor:
        return tensor if tensor.dtype == self.dtype else FUNCTIONS["cast"](tensor, self.dtype)

    def bias_like(self, argument: str, value: Any, size: Any) -> Tensor:
        return self._cast(self.parameter(argument, value, (size,)))

    def _mask(self, mask: Any, lengths: Any) -> Tensor | None:
        """(N, T) bool: whether a place counts."""
        if mask is not None and lengths is not None:
            raise ArgumentError(f"{self.name}: give mask or lengths, not both")
        if mask is not None:
            mask = self.parameter("mask", mask, (self.batch, self.steps))
            return mask if mask.dtype == np.bool_ else FUNCTIONS["not_equal"](mask, 0)
        if lengths is None:
            return None
        return _counting(self.name, self.parameter("lengths", lengths, (self.batch,)), self.steps)

    def state(self, argument: str, value: Any) -> Tensor:
        """An initial state; None: zeros."""
        shape = (self.batch, self.units)
        return (
            zeros(shape, self.dtype) if value is None else self._cast(self.parameter(argument, value, shape))
        )

    def loop(self, step: Step, states: States, reverse: Any) -> tuple[Tensor, ...]:
        return loop(step, self.x, self.kernel, self.bias, states, self.mask, bool(reverse))

    def walk(self, op: Any, recurrent_biases: tuple, states: States, reverse: Any, **settings: Any) -> Any:
        """The operation that kernels know; absent biases are zeros."""
        bias = zeros((self.kernel.shape[1],), self.dtype) if self.bias is None else self.bias
        weights = (self.kernel, self.recurrent, bias, *recurrent_biases)
        counting = () if self.mask is None else (self.mask,)
        return op(self.x, *weights, *states, *counting, reverse=bool(reverse), sequences=True, **settings)


def _activation(name: str, argument: str, value: Any) -> Callable[[Tensor], Tensor]:
    if callable(value):
        return value
    if not (value is None or isinstance(value, str)) or value not in ACTIVATIONS:
        raise ArgumentError(
            f"{name}: {argument} must be 'tanh', 'relu', 'sigmoid', None or a function, not {value!r}"
        )
    return ACTIVATIONS[value]


@graph_function
def rnn(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    lengths: Any = None,
    mask: Any = None,
    reverse: bool = False,
    activation: Any = "tanh",
) -> tuple[Tensor, Tensor]:
    """hₜ = activation(xₜ W + hₜ₋₁ R + b) over the sequence; returns all hₜ and the last one.

    x (N, T, F), kernel W (F, U), recurrent_kernel R (U, U), bias (U), initial_state (N, U) (default: zeros) → (N, T, U), (N, U).
    lengths (N) int64: each example's number of steps that count, or mask (N, T) bool: which ones do; at the others the state stays
    as it is and the output is 0, whatever x holds there.  reverse: from the last step to the first; outputs stand where their inputs
    stand.  activation: "tanh", "relu", "sigmoid", None or a function.
    Source: Elman, Finding Structure in Time, Cognitive Science 1990.

    >>> import numpy as np, mathnet as mn
    >>> ys, h = mn.rnn(np.ones((1, 3, 1)), np.ones((1, 1)), np.ones((1, 1)), activation="relu")
    >>> ys[0, :, 0], h[0]
    (array([1., 2., 3.]), array([3.]))
    """
    w = _Weights("rnn", x, kernel, recurrent_kernel, bias, 1, mask, lengths)
    f = _activation("rnn", "activation", activation)

    start = (w.state("initial_state", initial_state),)
    if f in (tanh, relu):
        return w.walk(SIMPLE_WALK, (), start, reverse, activation="tanh" if f is tanh else "relu")
    return w.loop(rnn_step(w.recurrent, f), start, reverse)  # type: ignore[return-value]


@graph_function
def lstm(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    lengths: Any = None,
    mask: Any = None,
    reverse: bool = False,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory over the sequence; returns all hₜ, the last h and the last c.

    (i, f, g, o) = xₜ W + hₜ₋₁ R + b;  cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g);  hₜ = σ(o)·tanh(cₜ).
    x (N, T, F), kernel W (F, 4U), recurrent_kernel R (U, 4U), bias (4U), gates in the order i, f, g, o; initial_state: (h, c), each
    (N, U) (default: zeros) → (N, T, U), (N, U), (N, U).  lengths, mask, reverse as in :func:`rnn`; activation stands for tanh,
    recurrent_activation for σ.
    Sources: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; Gers et al., Learning to Forget, 2000.

    >>> import numpy as np, mathnet as mn
    >>> ys, h, c = mn.lstm(np.ones((1, 2, 3)), np.zeros((3, 8)), np.zeros((2, 8)), initial_state=(np.zeros((1, 2)), np.ones((1, 2))))
    >>> ys.shape, c[0]
    ((1, 2, 2), array([0.25, 0.25]))
    """
    w = _Weights("lstm", x, kernel, recurrent_kernel, bias, 4, mask, lengths)
    f = _activation("lstm", "activation", activation)
    squash = _activation("lstm", "recurrent_activation", recurrent_activation)
    if initial_state is None:
        initial_state = (None, None)
    elif not isinstance(initial_state, (tuple, list)) or len(initial_state) != 2:
        raise ArgumentError("lstm: initial_state must be a pair (h, c)")

    start = (w.state("initial_state h", initial_state[0]), w.state("initial_state c", initial_state[1]))
    if f is tanh and squash is sigmoid:
        return w.walk(LSTM_WALK, (), start, reverse)
    return w.loop(lstm_step(w.recurrent, f, squash), start, reverse)  # type: ignore[return-value]


@graph_function
def gru(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    recurrent_bias: Any = None,
    initial_state: Any = None,
    lengths: Any = None,
    mask: Any = None,
    reverse: bool = False,
    reset_after: bool = True,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
) -> tuple[Tensor, Tensor]:
    """Gated recurrent units over the sequence; returns all hₜ and the last one.

    r = σ(xₜWᵣ + bᵣ + hRᵣ + dᵣ);  z = σ(xₜW_z + b_z + hR_z + d_z);  n = tanh(xₜWₙ + bₙ + r·(hRₙ + dₙ));  hₜ = (1 − z)·n + z·h,
    where h = hₜ₋₁; with reset_after=False, n = tanh(xₜWₙ + bₙ + (r·h)Rₙ) and there is no d.
    x (N, T, F), kernel W (F, 3U), recurrent_kernel R (U, 3U), bias b (3U), recurrent_bias d (3U), gates in the order r, z, n;
    initial_state (N, U) (default: zeros) → (N, T, U), (N, U).  lengths, mask, reverse as in :func:`rnn`; activation stands for
    tanh, recurrent_activation for σ.  Source: Cho et al., Learning Phrase Representations using RNN Encoder–Decoder, 2014.

    >>> import numpy as np, mathnet as mn
    >>> ys, h = mn.gru(np.ones((1, 2, 3)), np.zeros((3, 6)), np.zeros((2, 6)), initial_state=np.ones((1, 2)))
    >>> h
    array([[0.25, 0.25]])
    """
    w = _Weights("gru", x, kernel, recurrent_kernel, bias, 3, mask, lengths)
    f = _activation("gru", "activation", activation)
    squash = _activation("gru", "recurrent_activation", recurrent_activation)
    if recurrent_bias is not None:
        if not reset_after:
            raise ArgumentError(
                "gru: recurrent_bias belongs to reset_after=True; the other form has only bias"
            )
        recurrent_bias = w.bias_like("recurrent_bias", recurrent_bias, 3 * w.units)
    start = (w.state("initial_state", initial_state),)
    if f is tanh and squash is sigmoid:
        biases: tuple[Tensor, ...] = ()
        if reset_after:
            biases = (zeros((3 * w.units,), w.dtype) if recurrent_bias is None else recurrent_bias,)
        return w.walk(GRU_WALK, biases, start, reverse, reset_after=bool(reset_after))
    step = gru_step(w.recurrent, recurrent_bias, bool(reset_after), f, squash)
    return w.loop(step, start, reverse)  # type: ignore[return-value]
