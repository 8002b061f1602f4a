"""The derivatives of recurrences, back through time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.graph.op import Op, count, register
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.ops.control import identity
from mathnet.ops.filled import zeros
from mathnet.ops.recurrence import GRU_WALK, LSTM_WALK, SIMPLE_WALK, Operands, Recurrence


class RecurrenceBackward(Op):
    """(last h, inputs of the forward operation…, gradients of its results…) → gradients of its inputs.

    Attributes: given: for outputs and last states, whether a gradient is given; wanted: for each float input, whether its gradient is
    an output; the others as of the forward operation.  The last h is an input only so that what was kept beside it can be found.
    """

    forward: ClassVar[Recurrence]

    def parts(self, inputs: Sequence[Any], given: tuple[bool, ...]) -> tuple[Sequence[Any], list[Any]]:
        """The forward operation's inputs; the gradients of outputs and last states, None where there is none."""
        end = len(inputs) - sum(given)
        arriving = iter(inputs[end:])
        return inputs[1:end], [next(arriving) if there else None for there in given]

    def infer(self, *specs: Spec, wanted: tuple[bool, ...], **attrs: Any) -> tuple[Spec, ...]:
        return tuple([Spec(s.shape, s.dtype) for s, there in zip(specs[1:], wanted) if there])

    def expansion(  # type: ignore[override]
        self, *inputs: Tensor, given: tuple[bool, ...], wanted: tuple[bool, ...], **settings: Any
    ) -> tuple[Tensor, ...]:
        from mathnet.graph.graph import walk
        from mathnet.transform.gradient import accumulate

        operands, arriving = self.parts(inputs, given)
        stand_ins = [identity(t) for t in operands]
        outputs = self.forward.expansion(*stand_ins, sequences=True, **settings)
        floats = stand_ins[: len(wanted)]
        found = accumulate(walk(outputs, stop=stand_ins), outputs, arriving, floats)
        return tuple(
            [
                zeros(t.shape, t.dtype) if d is None else d
                for d, t, there in zip(found, floats, wanted)
                if there
            ]
        )

    def prune(self, node: Node, used: set[int]) -> tuple[list[int], Callable] | None:
        """Without the gradients that nobody reads."""
        positions = [k for k, there in enumerate(node.attrs["wanted"]) if there]
        if len(used) == len(positions):
            return None
        read = {positions[k] for k in used}
        wanted = tuple([k in read for k in range(len(node.attrs["wanted"]))])

        def build(inputs: Sequence[Tensor]) -> list[Tensor | None]:
            made = iter(self(*inputs, **{**node.attrs, "wanted": wanted}))
            return [next(made) if k in read else None for k in positions]

        return list(range(len(node.inputs))), build

    def uses_kept(self, node: Node) -> Node | None:
        made = node.inputs[0].node
        own = {k: v for k, v in node.attrs.items() if k not in ("given", "wanted")}
        theirs = {k: v for k, v in made.attrs.items() if k != "sequences"}
        same = made.op is self.forward and own == theirs
        return made if same and all(a is b for a, b in zip(made.inputs, node.inputs[1:])) else None

    # ---- kernels ----
    def lower(
        self, emit: Any, inputs: Any, outputs: Any, given: tuple[bool, ...], wanted: tuple[bool, ...],
        reverse: bool, kept: Any = None, **settings: Any,
    ) -> None:  # fmt: skip
        operands, arriving = self.parts([emit.dense(v) for v in inputs], given)
        o = self.forward.operands(operands, **settings)
        n, steps, _ = o.x.shape
        targets = iter(outputs)
        results = [next(targets) if there else None for there in wanted]
        if not n * steps * o.recurrent.shape[0]:
            self._without_steps(emit, o, arriving, results)
            return
        if kept is None:
            kept = self._again(emit, operands, reverse=reverse, **settings)
        biases, states = self._always(emit, o, results)
        made = Operands(results[0], results[1], results[2], biases, states, None)
        emit.kernel(
            "recurrent_backward",
            [
                o.x, o.kernel, o.recurrent, *kept, *([] if o.mask is None else [o.mask]),
                *[d for d in arriving if d is not None],
            ],
            [
                *made.states, *made.biases,
                *[v for v in (made.kernel, made.recurrent, made.x) if v is not None],
            ],
            given_outputs=int(given[0]),
            given_h=int(given[1]),
            given_c=int(given[-1]) if self.forward.states == 2 else 0,
            wanted_x=int(made.x is not None),
            wanted_kernel=int(made.kernel is not None),
            wanted_recurrent=int(made.recurrent is not None),
            **self.forward.fields(o, reverse, **settings),
        )  # fmt: skip

    @staticmethod
    def _always(emit: Any, o: Operands, results: list) -> tuple[tuple, tuple]:
        """Where the gradients of biases and states go, which the kernel computes in any case."""
        places = [
            emit.temporary(v.shape, v.dtype) if target is None else target
            for v, target in zip((*o.biases, *o.states), results[3:])
        ]
        return tuple(places[: len(o.biases)]), tuple(places[len(o.biases) :])

    def _again(self, emit: Any, operands: Sequence[Any], **settings: Any) -> tuple:
        """What the forward pass would have kept, computed anew."""
        specs = [v.spec for v in operands]
        attrs = {**settings, "sequences": False}
        results = self.forward.infer(*specs, **attrs)
        places = [emit.temporary(s.shape, s.dtype) for s in (*results, *self.forward.kept(*specs, **attrs))]
        self.forward.lower_keeping(emit, operands, tuple(places), **attrs)
        return tuple(places[len(results) :])

    def _without_steps(self, emit: Any, o: Operands, arriving: list, results: list) -> None:
        """An empty sequence or batch: states pass through, and nothing else has a gradient."""
        first = 3 + len(o.biases)
        for k, target in enumerate(results):
            if target is None:
                continue
            passing = arriving[1 + k - first] if k >= first else None
            if passing is None:
                emit.fill(target, 0)
            else:
                emit.copy(passing, target)

    def cost(  # type: ignore[override]
        self, inputs: Sequence[Spec], outputs: Sequence[Spec], wanted: tuple[bool, ...] = (), **attrs: Any
    ) -> tuple[int, int]:
        x, kernel, recurrent = inputs[1:4]
        steps = count(Spec(x.shape[:2], x.dtype))
        products = count(recurrent) * (1 + wanted[2]) + count(kernel) * (wanted[0] + wanted[1])
        gates = 10 * count(Spec(recurrent.shape[1:], recurrent.dtype))
        moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return steps * (2 * products + gates), moved

    # ---- for tests ----
    def oracle(  # type: ignore[override]
        self, *arrays: np.ndarray, given: tuple[bool, ...], wanted: tuple[bool, ...], **settings: Any
    ) -> tuple:
        """By steps of 10⁻³⁰·i in every operand, which no rounding disturbs."""
        operands, arriving = self.parts(arrays, given)
        small = 1e-30
        found = []
        for k, there in enumerate(wanted):
            if not there:
                continue
            gradient = np.zeros(operands[k].shape)
            for place in np.ndindex(gradient.shape):
                moved = [np.array(a, complex) if j == k else a for j, a in enumerate(operands)]
                moved[k][place] += 1j * small
                results = self.forward.oracle(*moved, sequences=True, **settings)
                gradient[place] = sum(
                    np.sum(d * np.imag(y)) / small for d, y in zip(arriving, results) if d is not None
                )
            found.append(gradient)
        return tuple(found)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(13)
        found = []
        for k, (arrays, attrs) in enumerate(self.forward.samples()):
            settings = {key: value for key, value in attrs.items() if key != "sequences"}
            results = self.forward.oracle(*arrays, **attrs)
            given = tuple([j == 0 or k == 0 for j in range(len(results))])
            arriving = [rng.uniform(-1, 1, y.shape) for y, there in zip(results, given) if there]
            wanted = tuple([True for a in arrays if a.dtype.kind == "f"])
            found.append(((results[1], *arrays, *arriving), {"given": given, "wanted": wanted, **settings}))
        return found


class SimpleRecurrenceBackward(RecurrenceBackward):
    name, formula, forward = "rnn_backward", "dhₜ₋₁ = (dhₜ·f')Rᵀ", SIMPLE_WALK  # type: ignore[assignment]


class LstmBackward(RecurrenceBackward):
    name, formula, forward = "lstm_backward", "dhₜ₋₁ = (di, df, dg, do)Rᵀ, dcₜ₋₁ = dcₜ·σ(f)", LSTM_WALK  # type: ignore[assignment]


class GruBackward(RecurrenceBackward):
    name, formula, forward = "gru_backward", "dhₜ₋₁ = dhₜ·z + (dr, dz, dn)Rᵀ", GRU_WALK  # type: ignore[assignment]


for _op in (SimpleRecurrenceBackward, LstmBackward, GruBackward):
    register(_op())
