"""Training by a driver: an optimizer that evaluates loss, gradient and curvature of a batch as often as it likes in one step.

``minimize(evaluate, theta, state)`` → (theta, state), theta being all trained parameters in one flat array.  The evaluations are plans
of which the parameters are an input, so that nothing changes until the one plan that commits the step.
"""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mathnet._kernels import runner
from mathnet.errors import ArgumentError, DataError, GradientError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, constant, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import Trace
from mathnet.model.calls import BoundCall
from mathnet.model.refusals import refused
from mathnet.model.slots import Adjustable, HyperParameters
from mathnet.model.step import Signature, TracedLoss, summed_updates, training_trace
from mathnet.plan import Plan
from mathnet.plugin.blame import blamed
from mathnet.plugin.registry import resolve
from mathnet.store import Variable, allocate
from mathnet.transform.forward_mode import tangents
from mathnet.transform.gradient import gradient

if TYPE_CHECKING:
    from mathnet.model.trainer import Trainer


def drives(optimizer: Any) -> bool:
    """Whether an optimizer, or what its key stands for, is a driver: it has ``minimize`` and no ``update``."""
    found = resolve("optimizer", optimizer, "optimizer")
    return callable(getattr(found, "minimize", None)) and not callable(getattr(found, "update", None))


class _Piece(NamedTuple):
    """A trained parameter and its place in the flat array."""

    name: str
    variable: Variable
    start: int
    stop: int


class Driven:
    """A driver at work on the parameters of a model.

    Float settings of the driver become slots of ``hyper``.  ``init(theta)``, where it has one, gives the state of the start: a dict of
    arrays and numbers, kept in float64, whose names and shapes stay.
    """

    def __init__(
        self,
        optimizer: Any,
        parameters: Sequence[tuple[str, Variable]],
        hyper: HyperParameters,
        dtype: np.dtype,
    ) -> None:
        self.used = resolve("optimizer", optimizer, "optimizer")
        self.label = f"optimizer {type(self.used).__name__}"
        if callable(getattr(self.used, "learning_rate", None)):
            raise ArgumentError(
                f"{self.label}: a driver takes no schedule as its learning rate; give a number and set trainer.hyper['learning_rate']"
            )
        self.optimizer = Adjustable(self.used, "", hyper)
        self.dtype = dtype
        self.pieces: list[_Piece] = []
        for name, variable in parameters:
            start = self.pieces[-1].stop if self.pieces else 0
            self.pieces.append(_Piece(name, variable, start, start + math.prod(variable.shape)))
        self.size = self.pieces[-1].stop
        with blamed(self.used, "init"):
            initial = self.used.init(self.theta()) if callable(getattr(self.used, "init", None)) else {}
        if not isinstance(initial, Mapping):
            raise ArgumentError(f"{self.label}: init must return a dict, not {type(initial).__name__}")
        arrays = {name: np.asarray(value, np.float64) for name, value in initial.items()}
        self.named_state: dict[str, Variable] = {}
        for name, array in arrays.items():
            (variable,) = allocate([name], [array.shape], np.float64, "slot")
            variable.array[...] = array
            self.named_state[name] = variable
        self.lock = threading.Lock()  # one step at a time: it reads the parameters first and commits last

    def refuse(self, given: Mapping[str, Any]) -> None:
        """Options of a Trainer that are for optimizers with ``update``."""
        for name, value in given.items():
            if value:
                raise ArgumentError(
                    f"{self.label} is a driver, which evaluates loss and gradient itself: {name} cannot be used with it"
                )

    @property
    def parameters(self) -> list[tuple[str, Variable]]:
        """The trained parameters with their names."""
        return [(piece.name, piece.variable) for piece in self.pieces]

    def theta(self) -> np.ndarray:
        """The parameters as they are, one flat array of float64."""
        return np.concatenate([p.variable.array.astype(np.float64).ravel() for p in self.pieces])

    def split(self, theta: Tensor) -> list[tuple[Variable, Tensor]]:
        """The parameters as parts of a flat tensor."""
        parts = []
        for piece in self.pieces:
            part = FUNCTIONS["reshape"](theta[piece.start : piece.stop], piece.variable.shape)
            if part.dtype != piece.variable.dtype:
                part = FUNCTIONS["cast"](part, piece.variable.dtype)
            parts.append((piece.variable, part))
        return parts

    def joined(self, parts: Sequence[Tensor | None]) -> Tensor:
        """Tensors like the parameters as one flat tensor; None stands for zeros."""
        flat = []
        for piece, part in zip(self.pieces, parts):
            size = piece.stop - piece.start
            if part is None:
                flat.append(FUNCTIONS["zeros"]((size,), self.dtype))
            else:
                part = FUNCTIONS["reshape"](part, (size,))
                flat.append(part if part.dtype == self.dtype else FUNCTIONS["cast"](part, self.dtype))
        return flat[0] if len(flat) == 1 else FUNCTIONS["concatenate"](flat, axis=0)

    def minimized(self, evaluate: Evaluate) -> tuple[np.ndarray, list[np.ndarray]]:
        """New parameters and state by the driver, checked; changes nothing."""
        driver = copy.copy(self.used)
        for name, variable in self.optimizer.slots.items():
            setattr(driver, name, float(variable.array))
        state = {name: np.array(v.array) for name, v in self.named_state.items()}
        with blamed(self.used, "minimize"):
            returned = driver.minimize(evaluate, self.theta(), state)
        if not isinstance(returned, tuple) or len(returned) != 2 or not isinstance(returned[1], Mapping):
            raise ArgumentError(f"{self.label}: minimize must return (theta, state)")
        theta, new_state = np.asarray(returned[0], np.float64), returned[1]
        if theta.shape != (self.size,):
            raise ShapeError(
                f"{self.label}: minimize returned parameters of shape {show_shape(theta.shape)} instead of ({self.size},)"
            )
        if list(new_state) != list(self.named_state):
            raise ArgumentError(
                f"{self.label}: minimize returned the state {{{', '.join(new_state)}}}, but init made {{{', '.join(self.named_state)}}}"
            )
        arrays = [np.asarray(value, np.float64) for value in new_state.values()]
        for (name, variable), array in zip(self.named_state.items(), arrays):
            if array.shape != variable.shape:
                raise ShapeError(
                    f"{self.label}: state {name!r} has shape {show_shape(array.shape)} instead of {show_shape(variable.shape)}"
                )
        if not np.isfinite(theta).all():
            raise DataError(
                f"{self.label}: minimize returned parameters that are not finite; nothing was changed"
            )
        return theta, arrays


class Evaluate:
    """The loss of one batch as a function of the parameters, all with the same draws of dropout and noise.

    ``evaluate(theta)`` → (loss, gradient); ``evaluate.hvp(theta, v)``: the Hessian times v; ``evaluate.ggn(theta, v)``: the generalized
    Gauss–Newton matrix Jᵀ H J times v, with J the Jacobian of the model's outputs and H the Hessian of the loss in them, plus the Hessian
    of the penalties.  theta, v, gradient and products are flat float64 arrays; computed in the type of the model.
    """

    def __init__(self, call: DrivenCall, data: Sequence[np.ndarray]) -> None:
        self._call, self._data = call, data

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slopes = self._call.run("gradient", self._data, theta)
        return float(loss), slopes.astype(np.float64)

    def hvp(self, theta: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self._call.run("hvp", self._data, theta, v)[0].astype(np.float64)

    def ggn(self, theta: np.ndarray, v: np.ndarray) -> np.ndarray:
        return self._call.run("ggn", self._data, theta, v)[0].astype(np.float64)


class DrivenCall:
    """The steps of a driver on batches of one signature: ``call(*arrays)`` is one step and gives the loss before it."""

    def __init__(
        self,
        trainer: Trainer,
        driven: Driven,
        signature: Signature,
        checks: dict[int, Any],
        names: Sequence[str],
    ) -> None:
        self._trainer, self._driven, self._signature = trainer, driven, signature
        self._checks, self._names = checks, names
        self._calls: dict[str, BoundCall] = {}
        self._source: tuple[Sequence[np.ndarray], np.ndarray | None] = ((), None)
        self.completed_steps = 0

    @property
    def plan(self) -> Plan:
        """The plan of loss and gradient."""
        return self._bound("gradient").plan

    def call(self, *arrays: np.ndarray) -> float:
        with self._driven.lock:
            self._source = arrays, None
            return self._step(arrays)

    def steps(self, data: Sequence[np.ndarray], rows: np.ndarray, losses: np.ndarray) -> None:
        """One step for each loss, on the next rows of the data; ``completed_steps`` tells how many were done when it fails."""
        self.completed_steps = 0
        batch = self._signature.batch
        for index in range(len(losses)):
            taken = rows[index * batch : (index + 1) * batch]
            with self._driven.lock:
                self._source = data, taken
                losses[index] = self._step([array[taken] for array in data])
            self.completed_steps = index + 1

    def _step(self, arrays: Sequence[np.ndarray]) -> float:
        theta, state = self._driven.minimized(Evaluate(self, arrays))
        return float(self.run("commit", arrays, theta, *state)[0])

    def run(self, which: str, data: Sequence[np.ndarray], theta: np.ndarray, *more: np.ndarray) -> list[Any]:
        """The outputs of one of the plans; vectors like theta are brought into the type of the model."""
        flat = [self._flat(theta)]
        flat += list(more) if which == "commit" else [self._flat(vector) for vector in more]
        return self._bound(which).run([*data, *flat])

    def _flat(self, vector: np.ndarray) -> np.ndarray:
        driven = self._driven
        array = np.ascontiguousarray(vector, driven.dtype)
        if array.shape != (driven.size,):
            raise ShapeError(
                f"{driven.label}: a flat array of {driven.size} numbers is needed, not of shape {show_shape(array.shape)}"
            )
        return array

    def _bound(self, which: str) -> BoundCall:
        if which not in self._calls:
            trainer = self._trainer
            graph = trainer.model.constants.settle(getattr(self, f"_{which}_graph")())

            def worded(error: runner.StatusError, plan: Plan, arguments: tuple) -> BaseException:
                data, rows = self._source
                return refused(error, plan, self._names, data, rows)

            self._calls[which] = BoundCall(
                graph, _mismatch, trainer.model.runtime, worded, trainer.model.lock, False, self._checks
            )
        return self._calls[which]

    # ---- graphs ------------------------------------------------------------------------------------------------------
    def _at(self, trace: Trace) -> tuple[Tensor, list[Tensor], TracedLoss]:
        """The flat parameters as an input, cut into parameters, and the loss at them."""
        theta = input_tensor(Spec((self._driven.size,), self._driven.dtype), "theta")
        parts = self._driven.split(theta)
        for variable, part in parts:
            trace.substitute(variable, part)
        return theta, [part for _, part in parts], self._trainer.traced(trace, self._signature)

    def _vector(self) -> tuple[Tensor, list[Tensor]]:
        vector = input_tensor(Spec((self._driven.size,), self._driven.dtype), "v")
        return vector, [part for _, part in self._driven.split(vector)]

    def _gradient_graph(self) -> Graph:
        with training_trace(self._trainer) as trace:
            theta, wrt, loss = self._at(trace)
            slopes = _slopes(loss.total, wrt)
        outputs = [loss.total, self._driven.joined(slopes)]
        return Graph([*loss.inputs, theta], outputs, name=f"loss and gradient of {loss.name}")

    def _hvp_graph(self) -> Graph:
        with training_trace(self._trainer) as trace:
            theta, wrt, loss = self._at(trace)
            vector, directions = self._vector()
            product = _hessian_product(loss.total, wrt, directions)
        return Graph(
            [*loss.inputs, theta, vector], [self._driven.joined(product)], name=f"hvp of {loss.name}"
        )

    def _ggn_graph(self) -> Graph:
        with training_trace(self._trainer) as trace:
            theta, wrt, loss = self._at(trace)
            if not loss.outputs:
                raise GradientError(
                    f"{self._driven.label}: the Gauss–Newton matrix needs a loss of outputs and targets, which a loss given to define() "
                    "is not; use the optimizer 'newton_cg' or 'lbfgs'"
                )
            vector, directions = self._vector()
            data_loss = loss.total if loss.penalty is None else loss.total - loss.penalty
            product = _gauss_newton_product(data_loss, loss.outputs, wrt, directions)
            if loss.penalty is not None:
                curved = _hessian_product(loss.penalty, wrt, directions)
                product = [b if a is None else a if b is None else a + b for a, b in zip(product, curved)]
        return Graph(
            [*loss.inputs, theta, vector], [self._driven.joined(product)], name=f"ggn of {loss.name}"
        )

    def _commit_graph(self) -> Graph:
        """The step as a whole: the loss at the old parameters, and all that a step changes."""
        trainer, driven = self._trainer, self._driven
        with training_trace(trainer) as trace:
            step = trace.step
            assert step is not None
            loss = trainer.traced(trace, self._signature)
            theta = input_tensor(Spec((driven.size,), driven.dtype), "theta")
            state = [input_tensor(Spec(v.shape, v.dtype), name) for name, v in driven.named_state.items()]
            updates = [
                (v, new if v.constraint is None else v.constraint(new)) for v, new in driven.split(theta)
            ]
            if trainer.average is not None:
                updates += trainer.average.trace(trace, updates, step)
            if trainer.gradient_norms is not None:
                slopes = _slopes(loss.total, [trace.read(piece.variable) for piece in driven.pieces])
                updates += trainer.gradient_norms.trace(trace, slopes, None)
            updates += [*zip(driven.named_state.values(), state), *trace.updates.items()]
            updates.append((trainer.step_slot, step + 1.0))
            if self._signature.summed:
                updates += summed_updates(trainer, trace, loss)
        return Graph([*loss.inputs, theta, *state], [loss.total], updates, name=loss.name)


def _slopes(total: Tensor, wrt: Sequence[Tensor]) -> list[Tensor | None]:
    found = gradient([total], [constant(1.0, total.dtype)], wrt)
    if all(g is None for g in found):
        raise GradientError("the loss does not depend on any trainable weight, so there is nothing to train")
    return found


def _hessian_product(
    total: Tensor, wrt: Sequence[Tensor], directions: Sequence[Tensor]
) -> list[Tensor | None]:
    """∇(∇total · v), parameter by parameter."""
    found = gradient([total], [constant(1.0, total.dtype)], wrt)
    kept = [(slope, v) for slope, v in zip(found, directions) if slope is not None]
    if not kept:
        return [None] * len(wrt)
    return gradient([slope for slope, _ in kept], [v for _, v in kept], wrt)


def _gauss_newton_product(
    total: Tensor, outputs: Sequence[Tensor], wrt: Sequence[Tensor], directions: Sequence[Tensor]
) -> list[Tensor | None]:
    """Jᵀ H J v: forward through the model, through the loss's second derivative, and back."""
    moved = tangents(outputs, wrt, directions)
    slopes = gradient([total], [constant(1.0, total.dtype)], outputs)
    kept = [(slope, move) for slope, move in zip(slopes, moved) if slope is not None and move is not None]
    if not kept:
        return [None] * len(wrt)
    curved = gradient([slope for slope, _ in kept], [move for _, move in kept], outputs)
    return gradient(outputs, curved, wrt)


def _mismatch(*arrays: np.ndarray) -> Any:
    raise ShapeError("the arrays of a driver's step do not fit its plan")
