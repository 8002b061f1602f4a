"""Recurrences that kernels know: the simple one with tanh or relu, long short-term memory, gated recurrent units of both forms.

An operation walks the whole sequence; its derivative walks back through time over the gates that the forward pass has kept.  Derivatives
of that derivative are those of the loop which says the same in simpler operations (:mod:`mathnet.ops.recurrent_cells`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mathnet.graph.dtypes import BOOL
from mathnet.graph.op import OPS, Op, count, register
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.ops.activation import relu, sigmoid, tanh
from mathnet.ops.control import identity
from mathnet.ops.recurrent_cells import Step, gru_step, loop, lstm_step, rnn_step

#: What the kernels call the cells (``families/recurrent/recurrence.pxi``).
TANH_CELL, RELU_CELL, LSTM_CELL, GRU_AFTER_CELL, GRU_BEFORE_CELL = range(5)


class Operands(NamedTuple):
    """The inputs of a recurrence by name."""

    x: Any
    kernel: Any
    recurrent: Any
    biases: tuple
    states: tuple
    mask: Any


class Recurrence(Op):
    """Common parts: (x (N, T, F), kernel (F, G·U), recurrent kernel (U, G·U), bias (G·U)[, recurrent bias], states (N, U)…[, mask (N, T)])
    → ([outputs (N, T, U),] last states (N, U)…).

    Attributes: reverse; sequences: whether the outputs of all steps are wanted; what else chooses the cell.
    """

    gates: ClassVar[int]
    states: ClassVar[int] = 1

    def cell(self, **settings: Any) -> int:
        """The kernels' number of the cell."""
        raise NotImplementedError

    def step(self, o: Operands, **settings: Any) -> Step:
        """The cell in simpler operations."""
        raise NotImplementedError

    def numpy_step(self, x: Any, recurrent: Any, biases: tuple, states: tuple, **settings: Any) -> tuple:
        """The cell in NumPy, for real and complex numbers: new states of x·kernel and states."""
        raise NotImplementedError

    def operands(self, inputs: Sequence[Any], **settings: Any) -> Operands:
        states = 4 + (self.cell(**settings) == GRU_AFTER_CELL)
        mask = states + self.states
        x, kernel, recurrent = inputs[:3]
        counting = inputs[mask] if len(inputs) > mask else None
        return Operands(x, kernel, recurrent, tuple(inputs[3:states]), tuple(inputs[states:mask]), counting)

    def width(self, units: Any, **settings: Any) -> Any:
        """Numbers that are kept for one example and step beside the states."""
        return units * (self.gates + (self.cell(**settings) == GRU_AFTER_CELL))

    def infer(self, *specs: Spec, reverse: bool, sequences: bool, **settings: Any) -> tuple[Spec, ...]:
        x, units = specs[0], specs[2].shape[0]
        last = (Spec((x.shape[0], units), x.dtype),) * self.states
        return (Spec((*x.shape[:2], units), x.dtype), *last) if sequences else last

    def expansion(
        self, *inputs: Tensor, reverse: bool, sequences: bool, **settings: Any
    ) -> tuple[Tensor, ...]:  # type: ignore[override]
        o = self.operands(inputs, **settings)
        found = loop(self.step(o, **settings), o.x, o.kernel, o.biases[0], o.states, o.mask, reverse)
        return found if sequences else found[1:]

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        sequences: bool,
        **settings: Any,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        arriving: tuple[Any, ...] = (() if sequences else (None,)) + (dy if isinstance(dy, tuple) else (dy,))
        wanted = len(inputs) - (inputs[-1].dtype == BOOL)
        made = OPS[f"{self.name}_backward"](
            outputs[-self.states], *inputs, *[d for d in arriving if d is not None],
            given=tuple([d is not None for d in arriving]), wanted=(True,) * wanted, **settings,
        )  # fmt: skip
        return made if wanted == len(inputs) else (*made, None)

    def jvp(
        self,
        tangents: Sequence[Tensor | None],
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        **attrs: Any,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        from mathnet.transform.forward_mode import tangents as forward

        stand_ins = [identity(t) for t in inputs]
        found = forward(self.expansion(*stand_ins, **attrs), stand_ins, tangents)
        return found if len(outputs) > 1 else found[0]  # type: ignore[return-value]

    def prune(self, node: Node, used: set[int]) -> tuple[list[int], Callable] | None:
        """Without the outputs of all steps when only the last states are read."""
        if not node.attrs["sequences"] or 0 in used:
            return None

        def build(inputs: Sequence[Tensor]) -> list[Tensor | None]:
            return [None, *self(*inputs, **{**node.attrs, "sequences": False})]

        return list(range(len(node.inputs))), build

    # ---- kernels ----
    def kept(self, *specs: Spec, reverse: bool, sequences: bool, **settings: Any) -> tuple[Spec, ...]:
        """In the order of the walk: the states before each step, gates, for an LSTM the cells."""
        (n, steps, _), units, dtype = specs[0].shape, specs[2].shape[0], specs[0].dtype
        found = Spec((steps * n, units), dtype), Spec((steps * n, self.width(units, **settings)), dtype)
        return (*found, Spec(((steps + 1) * n, units), dtype)) if self.states == 2 else found

    def fields(self, o: Operands, reverse: bool, **settings: Any) -> dict[str, int]:
        n, steps, features = o.x.shape
        return {
            "n": n, "steps": steps, "features": features, "units": o.recurrent.shape[0],
            "cell": self.cell(**settings), "reverse": int(reverse), "masked": int(o.mask is not None),
        }  # fmt: skip

    def lower(self, emit: Any, inputs: Any, outputs: Any, **attrs: Any) -> None:
        self._walk(emit, inputs, outputs, keep=0, **attrs)

    def lower_keeping(self, emit: Any, inputs: Any, outputs: Any, **attrs: Any) -> None:
        self._walk(emit, inputs, outputs, keep=1, **attrs)

    def _walk(
        self, emit: Any, inputs: Any, outputs: Any, keep: int, reverse: bool, sequences: bool, **settings: Any
    ) -> None:
        fields = self.fields(self.operands(inputs, **settings), reverse, **settings)
        if fields["n"] * fields["units"]:
            dense = [emit.dense(v) for v in inputs]
            emit.kernel("recurrent_forward", dense, outputs, sequences=int(sequences), keep=keep, **fields)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        steps = count(Spec(inputs[0].shape[:2], inputs[0].dtype))
        products = count(inputs[1]) + count(inputs[2])
        gates = 10 * count(Spec(inputs[2].shape[1:], inputs[2].dtype))
        moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return steps * (2 * products + gates), moved

    # ---- for tests ----
    def oracle(self, *arrays: np.ndarray, reverse: bool, sequences: bool, **settings: Any) -> tuple:  # type: ignore[override]
        o = self.operands(arrays, **settings)
        n, steps, _ = o.x.shape
        states = tuple([np.asarray(s) for s in o.states])
        ys = np.zeros((n, steps, o.recurrent.shape[0]), np.result_type(*arrays))
        for t in reversed(range(steps)) if reverse else range(steps):
            counts = np.ones((n, 1), bool) if o.mask is None else o.mask[:, t, None]
            x = np.where(counts, o.x[:, t], 0.0)
            new = self.numpy_step(x @ o.kernel + o.biases[0], o.recurrent, o.biases, states, **settings)
            states = tuple([np.where(counts, after, before) for after, before in zip(new, states)])
            ys[:, t] = np.where(counts, new[0], 0.0)
        return (ys, *states) if sequences else states

    #: settings and reverse, and whether there is a mask, of each sample
    cases: ClassVar[tuple[tuple[dict[str, Any], bool], ...]]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(12)
        n, steps, features, units = 2, 3, 2, 3
        found = []
        for settings, masked in self.cases:
            biases = [self.gates * units, 3 * units]
            chosen = {k: v for k, v in settings.items() if k != "reverse"}
            shapes = [
                (n, steps, features), (features, self.gates * units), (units, self.gates * units),
                *[(b,) for b in biases[: 1 + (self.cell(**chosen) == GRU_AFTER_CELL)]], *[(n, units)] * self.states,
            ]  # fmt: skip
            arrays = [rng.uniform(-1, 1, shape) for shape in shapes]
            mask = [np.array([[True, False, True], [True, True, False]])] if masked else []
            found.append(((*arrays, *mask), {**settings, "sequences": True}))
        return found


def _squash(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


class SimpleRecurrence(Recurrence):
    """hₜ = f(xₜW + hₜ₋₁R + b); activation: "tanh" or "relu"."""

    name, formula, gates = "rnn", "hₜ = f(xₜW + hₜ₋₁R + b)", 1
    cases = (
        ({"activation": "tanh", "reverse": False}, True),
        ({"activation": "relu", "reverse": True}, False),
    )

    def cell(self, activation: str) -> int:  # type: ignore[override]
        return RELU_CELL if activation == "relu" else TANH_CELL

    def step(self, o: Operands, activation: str) -> Step:  # type: ignore[override]
        return rnn_step(o.recurrent, relu if activation == "relu" else tanh)

    def numpy_step(self, x: Any, recurrent: Any, biases: tuple, states: tuple, activation: str) -> tuple:  # type: ignore[override]
        z = x + states[0] @ recurrent
        return (np.where(z.real > 0, z, 0.0) if activation == "relu" else np.tanh(z),)


class Lstm(Recurrence):
    """(i, f, g, o) = xₜW + hₜ₋₁R + b;  cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g);  hₜ = σ(o)·tanh(cₜ)."""

    name, formula, gates, states = "lstm", "cₜ = σ(f)·cₜ₋₁ + σ(i)·tanh(g), hₜ = σ(o)·tanh(cₜ)", 4, 2
    cases = (({"reverse": True}, True),)

    def cell(self) -> int:  # type: ignore[override]
        return LSTM_CELL

    def step(self, o: Operands) -> Step:  # type: ignore[override]
        return lstm_step(o.recurrent, tanh, sigmoid)

    def numpy_step(self, x: Any, recurrent: Any, biases: tuple, states: tuple) -> tuple:  # type: ignore[override]
        i, f, g, o = np.split(x + states[0] @ recurrent, 4, axis=1)
        c = _squash(f) * states[1] + _squash(i) * np.tanh(g)
        return _squash(o) * np.tanh(c), c


class Gru(Recurrence):
    """hₜ = (1 − z)·n + z·hₜ₋₁; reset_after: whether r scales the product hₜ₋₁Rₙ (then with a recurrent bias) or hₜ₋₁ itself."""

    name, formula, gates = "gru", "hₜ = (1 - z)·n + z·hₜ₋₁", 3
    cases = (({"reset_after": True, "reverse": False}, True), ({"reset_after": False, "reverse": True}, True))

    def cell(self, reset_after: bool) -> int:  # type: ignore[override]
        return GRU_AFTER_CELL if reset_after else GRU_BEFORE_CELL

    def step(self, o: Operands, reset_after: bool) -> Step:  # type: ignore[override]
        return gru_step(o.recurrent, o.biases[1] if reset_after else None, reset_after, tanh, sigmoid)

    def numpy_step(self, x: Any, recurrent: Any, biases: tuple, states: tuple, reset_after: bool) -> tuple:  # type: ignore[override]
        (h,) = states
        xr, xz, xn = np.split(x, 3, axis=1)
        rr, rz, rn = np.split(recurrent, 3, axis=1)
        dr, dz, dn = np.split(biases[1], 3) if reset_after else (0.0, 0.0, 0.0)
        r, z = _squash(xr + h @ rr + dr), _squash(xz + h @ rz + dz)
        n = np.tanh(xn + (r * (h @ rn + dn) if reset_after else (r * h) @ rn))
        return ((1 - z) * n + z * h,)


SIMPLE_WALK, LSTM_WALK, GRU_WALK = register(SimpleRecurrence()), register(Lstm()), register(Gru())
