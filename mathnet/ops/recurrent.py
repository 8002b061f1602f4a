"""Recurrent networks over sequences: simple, long short-term memory and gated recurrent units.

Each is a scan over a cell, so that derivatives of any order follow.  The product with the inputs is one matrix product for all steps,
before the loop; a step is one product with the state for all gates and one pass of elementwise operations over the gates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import FUNCTIONS, as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.activation import relu, sigmoid, tanh
from mathnet.ops.comparison import less, where
from mathnet.ops.filled import zeros
from mathnet.ops.matmul import matmul
from mathnet.ops.scan import scan
from mathnet.ops.shape import expand_dims

States = tuple[Tensor, ...]
#: (slice of the inputs, states) → new states, products of states with weights
Step = Callable[[Tensor, States], tuple[States, States]]
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
    """The operands of a recurrence, checked against each other, and its walk over the sequence."""

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
        self.recurrent = as_tensor(recurrent_kernel, f"{name}: recurrent_kernel")
        shape = self.recurrent.shape
        if self.recurrent.ndim != 2 or shape[1] != gates * shape[0]:
            wanted = "units, units" if gates == 1 else f"units, {gates}·units"
            raise ShapeError(
                f"{name}: recurrent_kernel must have the shape ({wanted}), not {show_shape(shape)}"
            )
        self.units = shape[0]
        kernel = self.parameter("kernel", kernel, (x.shape[2], shape[1]))
        self.batch, self.steps, self.dtype = x.shape[0], x.shape[1], x.dtype
        self.mask = self._mask(mask, lengths)
        if self.mask is not None:
            x = where(
                self.mask, x, 0.0
            )  # so that not even a NaN of the padding reaches a result or a derivative
        self.inputs = matmul(x, kernel)
        if bias is not None:
            self.inputs = self.inputs + self.parameter("bias", bias, (shape[1],))

    def parameter(self, argument: str, value: Any, shape: tuple) -> Tensor:
        found = as_tensor(value, f"{self.name}: {argument}")
        if found.shape != shape:
            raise ShapeError(
                f"{self.name}: {argument} must have the shape {show_shape(shape)}, not {show_shape(found.shape)}"
            )
        return found

    def _mask(self, mask: Any, lengths: Any) -> Tensor | None:
        """(N, T, 1): whether a place counts."""
        if mask is not None and lengths is not None:
            raise ArgumentError(f"{self.name}: give mask or lengths, not both")
        if mask is not None:
            mask = self.parameter("mask", mask, (self.batch, self.steps))
            return expand_dims(mask if mask.dtype == np.bool_ else FUNCTIONS["not_equal"](mask, 0), 2)
        if lengths is None:
            return None
        lengths = self.parameter("lengths", lengths, (self.batch,))
        return expand_dims(_counting(self.name, lengths, self.steps), 2)

    def state(self, argument: str, value: Any) -> Tensor:
        """An initial state; None: zeros."""
        shape = (self.batch, self.units)
        if value is None:
            return zeros(shape, self.dtype)
        found = self.parameter(argument, value, shape)
        return found if found.dtype == self.dtype else FUNCTIONS["cast"](found, self.dtype)

    def gate(self, product: Tensor, position: int) -> Tensor:
        """The columns of one gate."""
        return product[:, position * self.units : (position + 1) * self.units]

    def run(self, step: Step, states: States, reverse: bool) -> Any:
        """(outputs (N, T, units), last states): ``step`` makes new states of a slice of the inputs; the first one is the output.

        At a place that does not count the states stay and the output is 0.  The products of the states with the recurrent kernel are
        handed out of the loop for its derivative, which then need not compute them again; without one they are not kept.
        """

        def body(states: States, items: tuple[Tensor, Tensor | None]) -> Any:
            x, counts = items
            new, products = step(x, states)
            if counts is None:
                return new, (new[0], products)
            kept = tuple([where(counts, after, before) for after, before in zip(new, states)])
            return kept, (where(counts, new[0], 0.0), products)

        last, (outputs, _) = scan(body, states, (self.inputs, self.mask), axis=1, reverse=bool(reverse))
        return outputs, last


def _activation(name: str, argument: str, value: Any) -> Callable[[Tensor], Tensor]:
    if callable(value):
        return value
    if value not in ACTIVATIONS:
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

    def step(x: Tensor, states: States) -> tuple[States, States]:
        product = matmul(states[0], w.recurrent)
        return (f(x + product),), (product,)

    outputs, (h,) = w.run(step, (w.state("initial_state", initial_state),), reverse)
    return outputs, h


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

    def step(x: Tensor, states: States) -> tuple[States, States]:
        h, c = states
        product = matmul(h, w.recurrent)
        i, forget, g, o = (w.gate(x, k) + w.gate(product, k) for k in range(4))
        c = squash(forget) * c + squash(i) * f(g)
        return (squash(o) * f(c), c), (product,)

    start = (w.state("initial_state h", initial_state[0]), w.state("initial_state c", initial_state[1]))
    outputs, (h, c) = w.run(step, start, reverse)
    return outputs, h, c


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
        recurrent_bias = w.parameter("recurrent_bias", recurrent_bias, (3 * w.units,))
    cut = 2 * w.units

    def after(x: Tensor, states: States) -> tuple[States, States]:
        (h,) = states
        product = matmul(h, w.recurrent)
        if recurrent_bias is not None:
            product = product + recurrent_bias
        r, z = (squash(w.gate(x, k) + w.gate(product, k)) for k in range(2))
        n = f(w.gate(x, 2) + r * w.gate(product, 2))
        return (n + z * (h - n),), (product,)

    def before(x: Tensor, states: States) -> tuple[States, States]:
        (h,) = states
        product = matmul(h, w.recurrent[:, :cut])
        r, z = (squash(w.gate(x, k) + w.gate(product, k)) for k in range(2))
        inner = matmul(r * h, w.recurrent[:, cut:])
        n = f(w.gate(x, 2) + inner)
        return (n + z * (h - n),), (product, inner)

    start = (w.state("initial_state", initial_state),)
    outputs, (h,) = w.run(after if reset_after else before, start, reverse)
    return outputs, h
