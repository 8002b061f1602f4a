"""Trainer: one compiled call per training step, and the state that goes with it."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mathnet._kernels import runner
from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.tensor import Spec
from mathnet.graph.trace import Trace
from mathnet.graph.tree import Structure, flatten, unflatten
from mathnet.model.accumulation import Accumulation, checked_count
from mathnet.model.average import Average
from mathnet.model.calls import BoundCall, Recent
from mathnet.model.clipping import Clipping
from mathnet.model.definition import Definition, defined
from mathnet.model.driven import Driven, DrivenCall, drives
from mathnet.model.epoch_sums import NO_EPOCH, EpochSums
from mathnet.model.evaluate import Evaluator
from mathnet.model.gradient_norms import GradientNorms
from mathnet.model.history import History
from mathnet.model.inputs import match
from mathnet.model.model import Model
from mathnet.model.objective import Objective
from mathnet.model.order import Order, Run
from mathnet.model.predict import check_batch_size, check_rows
from mathnet.model.rate_search import RateSearch
from mathnet.model.refusals import checks_of, refused
from mathnet.model.slots import HyperParameters, Scheduled, slot
from mathnet.model.step import Signature, TracedLoss, step_graph, supervised
from mathnet.model.updates import Updates
from mathnet.plan import Plan
from mathnet.store import Variable

PLANS = 16  # signatures whose plans a Trainer keeps


class Trainer:
    """Trains a model: forward pass, loss, gradient, clipping and update are one plan, entered once per step.

    Parameters
    ----------
    model: the Model.
    loss: a key such as ``"cross_entropy"``, a configured loss, or a function (y_pred, y_true) → one value per example (or values and
        weights); for several outputs a list, or a mapping by output name.  None: see :meth:`define`.
    optimizer: a key such as ``"adam"``, or an optimizer.  A driver such as ``"lbfgs"`` evaluates the loss of a batch several times in a
        step; clipping, groups, schedules and accumulation are errors with it.
    clip_norm: the largest global norm of the gradient, penalties included; longer ones are scaled down; clip_parameter_norm: the same
        for the gradient of each parameter; clip_value: the largest size of an element.  They act in the order value, parameter, all.
    seed: drives the order of rows, dropout and noise.
    metrics: keys, metrics, or functions (y_pred, y_true) → one value per example, which is averaged.
    loss_weights: factors of the losses of several outputs.
    groups: settings of the optimizer that differ for some parameters, by patterns of their names:
        ``{"embedding/*": {"learning_rate": 1e-4}, "*/bias": {"weight_decay": 0.0}}``.  The first pattern that fits counts; ``hyper``
        has them as ``"embedding/*.learning_rate"``.
    schedules: hyper-parameters as functions of the update: ``{"momentum": lambda step: …}``.
    accumulate: batches whose gradients make one update: numerators and Σ w are summed and divided once, which equals one large batch to
        rounding.  ``step_count`` counts batches, schedules see updates; batches left at the end of an epoch count for the next one.
    ema: decay d of an exponential average of the weights, ā ← d ā + (1 − d) θ after each update; swa: the update from which on the
        plain mean of the weights is taken.  ``averaged_model()`` is a model with these, ``averaged_weights()`` puts them in for a while.

    A loss is Σ w·l / Σ w over the batch plus penalties, so that a weight k equals k repeats of an example (Keras divides by their number
    instead).  Weights are trained whose layers were ``trainable`` when the Trainer was made; constraints hold after every update.
    A step that fails, or is interrupted, leaves weights, optimizer and counters as they were.  ``hyper`` is the mapping of numeric
    settings: ``trainer.hyper["learning_rate"] = 1e-4`` holds from the next step on; a setting whose value is not read by the plan,
    such as a momentum of 0, refuses a new one.

    >>> import mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(2,))
    >>> trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1))
    >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> first = trainer.step(x, np.array([0, 1, 1, 0], np.float32))
    """

    def __init__(
        self,
        model: Model,
        loss: Any,
        optimizer: Any,
        clip_norm: float | None = None,
        seed: int = 0,
        metrics: Any = (),
        loss_weights: Any = None,
        clip_value: float | None = None,
        clip_parameter_norm: float | None = None,
        groups: Mapping[str, Mapping[str, Any]] | None = None,
        schedules: Mapping[str, Any] | None = None,
        accumulate: int = 1,
        ema: float | None = None,
        swa: int | None = None,
    ) -> None:
        if not isinstance(model, Model):
            raise ArgumentError(f"Trainer: a mn.Model is needed, not {type(model).__name__}")
        self.model = model
        self.seed = _checked_seed(seed)
        self.hyper = HyperParameters()
        trainable = [(n, v) for n, v in model.named_variables() if v.kind == "parameter" and v.trainable]
        if not trainable:
            raise ArgumentError(f"Trainer: {model!r} has no trainable weights")
        limits = (clip_value, clip_parameter_norm, clip_norm)
        self.updates: Updates | Driven
        if drives(optimizer):
            self.updates = Driven(optimizer, trainable, self.hyper, model.dtype)
            refused_options = {"groups": groups, "schedules": schedules, "accumulate": accumulate != 1}
            self.updates.refuse({**refused_options, "clipping": any(c is not None for c in limits)})
        else:
            self.updates = Updates(optimizer, trainable, self.hyper, groups)
        self.definition: Definition | None = None  # the objective, when the loss is defined by a function
        if loss is None:
            self.definition = Definition(model, metrics, loss_weights, self.hyper)
        self.objective = self.definition or Objective(model, loss, metrics, loss_weights, self.hyper)
        self.clipping = Clipping(*limits, self.hyper)
        names, variables = [n for n, _ in trainable], [v for _, v in trainable]
        count = checked_count(accumulate)
        self.accumulation = (
            Accumulation(count, len(self.objective.loss_weights), names, variables) if count > 1 else None
        )
        averages = ema is not None or swa is not None
        self.average = Average(names, variables, ema, swa, self.hyper) if averages else None
        self.scheduled = Scheduled(schedules, self.hyper)
        self.step_slot = slot("step")
        self.sums = EpochSums(len(self.objective.loss_weights), self.objective.metrics)
        self.summed_epoch = NO_EPOCH  # the epoch that the sums belong to, until it is in the history
        self.order = Order(self.seed)
        self.history = History()
        self.callbacks: list[Any] = []
        self.callback_state: list[dict[str, Any]] = []  # restored, for callbacks that fit is given later
        self.gradient_norms: GradientNorms | None = None  # kept from watch_gradients on
        self.stop_training = False
        self.interrupted = False  # fit has ended, or is ending, by an exception
        self.validated = False  # whether fit evaluated validation data in the latest epoch
        self.steps_per_epoch: int | None = None
        self.evaluator = Evaluator(model, self.objective)
        self._bound: Recent[BoundCall | DrivenCall] = Recent(PLANS)
        self._call: Callable[..., float] = self._rebind  # later the latest plan's Call
        self._seen: tuple[tuple[Spec, ...], tuple[Spec, ...]] | None = None
        self._structure: Structure | None = None  # of the latest batch of a defined step
        self._nested: tuple[Structure, Callable[..., float]] | None = (
            None  # that batch's nest and its plan's Call
        )

    # ---- where it stands ---------------------------------------------------------------------------------------------
    @property
    def optimizer(self) -> Any:
        return self.updates.used

    @property
    def step_count(self) -> int:
        """Steps done so far."""
        return int(self.step_slot.array)

    @property
    def epoch(self) -> int:
        """Epochs completed so far."""
        return self.order.epoch

    def __repr__(self) -> str:
        return (
            f"<Trainer of {self.model!r} with {type(self.optimizer).__name__}, {self.step_count} steps done>"
        )

    # ---- single steps ------------------------------------------------------------------------------------------------
    def define(self, function: Callable[[Model, Any], Any]) -> Trainer:
        """Makes ``function(model, batch)`` the loss of a Trainer made with ``loss=None``; returns the Trainer.

        batch: what :meth:`step` was given, an array or a nest of arrays, as tensors; floats are in the model's type.  The function is
        traced: it computes with tensors and calls ``model`` (in training mode, unless told training=False) and other models as it
        likes, and returns a single number or a mapping of such, which are added up.  Penalties on weights come on top.  Only the weights
        of this Trainer's model are trained, so that two Trainers may play against each other.

        >>> import mathnet as mn
        >>> inputs = mn.Input((2,))
        >>> model = mn.Model(inputs, mn.layers.Dense(2)(inputs))
        >>> trainer = mn.Trainer(model, None, mn.optimizers.SGD(0.1))
        >>> trainer = trainer.define(lambda model, batch: mn.mean(mn.square(model(batch["a"]) - batch["b"])))
        >>> loss = trainer.step({"a": np.ones((4, 2)), "b": np.zeros((4, 2))})
        """
        if self.definition is None:
            raise ArgumentError("define: this Trainer has a loss already; make it with loss=None")
        if not callable(function):
            raise ArgumentError(
                f"define: a function (model, batch) → loss is needed, not {type(function).__name__}"
            )
        self.definition.function = function
        self._bound.clear()
        self.leave_plan()
        return self

    def step(self, x: Any, y: Any = None, sample_weight: Any = None) -> float:
        """One update on one batch; returns the loss before it.  A defined step takes the batch alone.

        x, y: arrays with one row per example (lists or mappings of arrays for several inputs or outputs); sample_weight (N,).
        Raises ShapeError, DTypeError or DataError, with nothing changed, for data that do not fit: wrong shapes, a label out of
        range, NaN in targets, weights that sum to zero.
        """
        if sample_weight is not None:
            return self._call(x, y, sample_weight)
        return self._call(x, y) if y is not None else self._step_on_nest(x)

    def leave_plan(self) -> None:
        """Lets go of the plan at hand: the next step looks its plan up."""
        self._call, self._nested = self._rebind, None

    def _step_on_nest(self, batch: Any) -> float:
        """A step on a batch that is one nest of arrays; the plan at hand takes its leaves when it is nested as the latest was."""
        if self._nested is not None:
            structure, call = self._nested
            leaves, found = flatten(batch)
            if found == structure:
                return call(*leaves)
        return self._rebind(batch)

    def _rebind(self, x: Any, y: Any = None, sample_weight: Any = None) -> float:
        """A step that the plan at hand does not fit: converts the arrays, finds or makes their plan."""
        data = self.data(x, y, sample_weight)
        bound = self.bound(self.signature(data, len(data[0]), sample_weight is not None))
        if isinstance(bound, BoundCall):
            if self.definition is None:
                self._call = bound.call
            elif self._structure is not None:
                self._nested = self._structure, bound.call
        return bound.call(*data)

    def data(self, x: Any, y: Any, sample_weight: Any = None) -> list[np.ndarray]:
        """Inputs, targets and weights as checked arrays of the right types; arrays that are right already are not copied."""
        model = self.model
        if self.definition is not None:
            if y is not None or sample_weight is not None:
                raise ArgumentError(
                    "a defined step takes one batch; put targets and weights into it: {'x': x, 'y': y}"
                )
            arrays, self._structure = self.definition.arrays(x)
            return arrays
        if y is None:
            raise ArgumentError("training needs targets: give y")
        inputs = model.arrays(x)
        match(model.inputs, inputs, model.input_names, model._owner)
        lead = model.inputs[0].shape[:1]
        for tensor, name in zip(model.inputs, model.input_names):
            if tensor.shape[:1] != lead:
                raise ShapeError(
                    f"training needs one row per example in every input, but input {name!r} has shape {show_shape(tensor.shape)}"
                )
        rows = check_rows(inputs, [f"input {name!r}" for name in model.input_names])
        targets = self.objective.targets(y, rows)
        self.objective.check(targets)
        weights = [] if sample_weight is None else [self.objective.weights(sample_weight, rows)]
        return [*inputs, *targets, *weights]

    def signature(
        self, data: Sequence[np.ndarray], batch: int, weighted: bool, summed: bool = False
    ) -> Signature:
        specs = tuple([Spec((batch, *a.shape[1:]), a.dtype) for a in data])
        if self.definition is not None:
            self._seen = specs, ()
            return Signature(specs, (), False, summed, self._structure)
        cut = len(self.model.inputs)
        self._seen = specs[:cut], specs[cut : cut + len(self.model.outputs)]
        return Signature(*self._seen, weighted, summed)

    def bound(self, signature: Signature) -> BoundCall | DrivenCall:
        """The plan of a step, made at first use."""
        return self._bound.get((signature, self.seed), lambda: self._bind(signature))

    def traced(self, trace: Trace, signature: Signature) -> TracedLoss:
        """The loss of a step within a trace of it."""
        return (supervised if self.definition is None else defined)(self, trace, signature)

    def _bind(self, signature: Signature) -> BoundCall | DrivenCall:
        specs = [*signature.inputs, *signature.targets]
        checks = checks_of(specs, len(signature.inputs), len(signature.targets))
        if isinstance(self.updates, Driven):
            return DrivenCall(self, self.updates, signature, checks, self._names(signature.weighted))
        graph = step_graph(self, signature)
        structure = signature.structure
        rebind: Callable[..., float] = self._rebind
        if structure is not None:  # the Call was given the leaves of a batch

            def rebind(*leaves: Any) -> float:
                return self._rebind(unflatten(structure, leaves))

        def worded(error: runner.StatusError, plan: Plan, arguments: tuple) -> BaseException:
            return refused(error, plan, self._names(signature.weighted), arguments)

        return BoundCall(graph, rebind, self.model.runtime, worded, self.model.lock, True, checks)

    def _names(self, weighted: bool) -> list[str]:
        model = self.model
        if self.definition is not None:
            return [f"batch: array {index}" for index in range(len(self._seen[0] if self._seen else ()))]
        targets = [
            f"targets of output {name!r} (loss {loss.label!r})"
            for name, loss in zip(model.output_names, self.objective.losses)
        ]
        return [
            *[f"input {n!r}" for n in model.input_names],
            *targets,
            *(["sample_weight"] if weighted else []),
        ]

    # ---- many steps --------------------------------------------------------------------------------------------------
    def steps(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        count: int = 1,
        sample_weight: Any = None,
        shuffle: bool = True,
    ) -> np.ndarray:
        """``count`` steps over shuffled epochs of the data without returning to Python; gives their losses (count,).

        The last batch of an epoch holds what remains.  A further call goes on where this one stopped.  Ctrl-C ends it between two steps.
        """
        check_batch_size(batch_size)
        if isinstance(count, bool) or not hasattr(count, "__index__") or count < 0:
            raise ArgumentError(f"steps: count must be an integer from 0, not {count!r}")
        data = self.data(x, y, sample_weight)
        rows = len(data[0])
        losses = np.empty(count)
        self.order.begin(rows, shuffle and batch_size < rows)  # one batch of all rows needs no order
        done = 0
        while done < count:
            run = self.order.next_run(batch_size, count - done, across=True)
            self.run(data, run, losses[done : done + run.steps], sample_weight is not None)
            done += run.steps
        return losses

    def run(
        self,
        data: Sequence[np.ndarray],
        run: Run,
        losses: np.ndarray,
        weighted: bool,
        summed: bool = False,
        ordered: bool = True,
    ) -> bool:
        """Steps over given rows; notes what was done also when it fails half-way.  True at the end of an epoch.

        ordered: the rows come from this Trainer's order, which advances.
        """
        bound = self.bound(self.signature(data, run.batch, weighted, summed))
        try:
            bound.steps(data, run.rows, losses)
        except runner.StatusError as error:
            step = error.step or 0
            rows = run.rows[step * run.batch : (step + 1) * run.batch]
            raise refused(error, bound.plan, self._names(weighted), data, rows) from None
        finally:
            over = ordered and self.order.advance(bound.completed_steps * run.batch)
        return over

    def find_learning_rate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        sample_weight: Any = None,
        lowest: float = 1e-6,
        highest: float = 10.0,
        count: int = 100,
    ) -> RateSearch:
        """Trains ``count`` steps with rates that grow geometrically, and puts everything back as it was.

        It ends early when the loss explodes.  ``.suggestion`` is the rate at which the smoothed loss falls most steeply; ``.rates``,
        ``.losses`` and ``.smoothed`` are for a plot.  Source: Smith, Cyclical Learning Rates for Training Neural Networks, WACV 2017.
        """
        from mathnet.model.rate_search import find_learning_rate

        return find_learning_rate(self, x, y, batch_size, sample_weight, lowest, highest, count)

    # ---- whole trainings ---------------------------------------------------------------------------------------------
    def fit(
        self,
        x: Any,
        y: Any = None,
        epochs: int = 1,
        batch_size: int = 32,
        sample_weight: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        callbacks: Sequence[Any] = (),
        shuffle: bool = True,
        progress: bool | None = None,
        class_weight: Any = None,
        validation_freq: int = 1,
        steps_per_epoch: int | None = None,
    ) -> History:
        """Trains for ``epochs`` epochs; returns the history of this Trainer: figures by name, one float per epoch.

        x, y: arrays with one row per example (lists or mappings of them for several inputs or outputs).  Without y, x is an iterable
        of batches (x, y) or (x, y, sample_weight), or a function of the number of the epoch that gives one; a pass is an epoch, or
        ``steps_per_epoch`` batches are.  A defined step takes a nest of arrays as x, or an iterable (list, generator) of batches.
        class_weight: weights by class number, a mapping or a sequence; they are multiplied into ``sample_weight``.
        validation_split: share of the data, taken from the end before shuffling, that is only evaluated; validation_data: a pair
        (x, y) or triple (x, y, sample_weight), or a list of such batches, instead; it is evaluated after every ``validation_freq``-th
        epoch, and the history has NaN for the others.  callbacks: keys, or objects with the methods of ``mn.Callback``.  progress: show
        a bar; None: on a terminal only.  The order of epoch e is a function of (seed, e).  Ctrl-C ends the training between two
        steps: callbacks are told, the weights are those of the last step, and KeyboardInterrupt goes on.  A checkpoint holds the
        position in arrays; a training with batches of others is taken up at the start of its epoch.
        """
        from mathnet.model.fit import fit

        return fit(
            self, x, y, epochs, batch_size, sample_weight, validation_split, validation_data, callbacks, shuffle, progress,
            class_weight, validation_freq, steps_per_epoch,
        )  # fmt: skip

    def evaluate(self, x: Any, y: Any, sample_weight: Any = None, batch_size: int = 256) -> dict[str, Any]:
        """ "loss", "penalty" and metrics on data in inference mode."""
        if self.definition is not None:
            raise ArgumentError(
                "evaluate: a defined loss belongs to training steps; use model.evaluate(x, y, loss)"
            )
        return self.evaluator.run(x, y, sample_weight, batch_size)

    def direction(self, name: str) -> str | None:
        """Which values of a figure in logs and history are better: "min" for losses, "max" or "min" where a metric says so, else None."""
        return self.objective.direction(name)

    def predict(self, x: Any, batch_size: int = 256) -> Any:
        return self.model.predict(x, batch_size)

    # ---- gradients ----------------------------------------------------------------------------------------------------
    def watch_gradients(self) -> GradientNorms:
        """From now on each step notes the norms of the gradients, before clipping; returns where they are found.

        The first call makes new plans.
        """
        if self.gradient_norms is None:
            self.gradient_norms = GradientNorms(self.updates.parameters)
            self._bound.clear()
            self._call = self._rebind
        return self.gradient_norms

    # ---- averaged weights ---------------------------------------------------------------------------------------------
    def averaged_model(self) -> Model:
        """A copy of the model with the averaged weights (``ema=`` or ``swa=``); running values are those of now."""
        average = self._average()
        with self.model.lock:
            copied = copy.deepcopy(self.model)
            for name, held in average.named.items():
                copied.parameters[name] = held.array
        return copied

    @contextmanager
    def averaged_weights(self) -> Iterator[Model]:
        """Within it the model has the averaged weights, for evaluation or saving; do not train meanwhile."""
        average, variables = self._average(), dict(self.model.named_variables())
        with self.model.lock:
            average.swap(variables)
        try:
            yield self.model
        finally:
            with self.model.lock:
                average.swap(variables)

    def _average(self) -> Average:
        if self.average is None:
            raise ArgumentError(
                "this Trainer keeps no average of the weights; make it with ema=0.999 or swa=update"
            )
        return self.average

    # ---- the plan ----------------------------------------------------------------------------------------------------
    def plan(self, batch: int, targets: Any = None) -> Plan:
        """The plan of a step on ``batch`` examples: ``explain()`` shows its instructions, ``profile(x, y)`` times them.

        targets: an example of the targets.  Without it: targets like those of the last step; before any step, class
        indices where the loss takes them, else targets in the scores' shape.
        """
        check_batch_size(batch)
        if self.definition is not None:
            if self._seen is None:
                raise ArgumentError("plan: the batch of a defined step is not known before the first step")
            known = tuple([Spec((batch, *s.shape[1:]), s.dtype) for s in self._seen[0]])
            return self.bound(Signature(known, (), False, False, self._structure)).plan
        inputs = tuple(
            [
                Spec((batch, *_known(t.shape[1:], n)), t.dtype)
                for t, n in zip(self.model.inputs, self.model.input_names)
            ]
        )
        if targets is not None:
            found = self.objective.targets(targets, len(np.asarray(_first(targets))))
            wanted = tuple([Spec((batch, *a.shape[1:]), a.dtype) for a in found])
        elif self._seen is not None:
            wanted = tuple([Spec((batch, *s.shape[1:]), s.dtype) for s in self._seen[1]])
        else:
            wanted = self._guessed(batch)
        return self.bound(Signature(inputs, wanted, False, False)).plan

    def _guessed(self, batch: int) -> tuple[Spec, ...]:
        """Specs of targets that the losses take: class indices (N,), else the scores' shape."""
        scores = [
            Spec((batch, *_known(t.shape[1:], n)), t.dtype)
            for t, n in zip(self.model.outputs, self.model.output_names)
        ]
        indices = [
            Spec((batch,), np.dtype(np.int64)) if s.ndim == 2 and s.shape[1] > 1 else s for s in scores
        ]
        for specs in (indices, scores):
            try:
                self.objective.check([np.empty(s.shape, s.dtype) for s in specs])
            except ShapeError:
                continue
            return tuple(specs)
        raise ArgumentError("plan: the targets of this loss cannot be guessed; give an example as targets=")

    # ---- checkpoints -------------------------------------------------------------------------------------------------
    def save(self, path: str | os.PathLike) -> None:
        """Writes weights, optimizer, counters, position in the data, history and callbacks' state to one file."""
        from mathnet.model.checkpoint import save

        save(self, path)

    def restore(self, path: str | os.PathLike) -> None:
        """Takes a checkpoint of a like Trainer back; training then goes on as if it had never stopped, bit for bit."""
        from mathnet.model.checkpoint import restore

        restore(self, path)

    @property
    def named_arrays(self) -> Mapping[str, Variable]:
        """Sums and averages laid out like the parameters, by name; for checkpoints."""
        named = {f"sum/{n}": v for n, v in self.accumulation.named.items()} if self.accumulation else {}
        if self.average is not None:
            named.update({f"average/{n}": v for n, v in self.average.named.items()})
        return named

    @property
    def named_slots(self) -> Mapping[str, Variable]:
        """Every scalar of the training by name; for checkpoints."""
        named = {f"hyper/{name}": self.hyper.slot(name) for name in self.hyper}
        return {**named, **self.sums.named, "step": self.step_slot}


def _checked_seed(seed: Any) -> int:
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed.__index__() < 2**64:
        raise ArgumentError(f"seed must be an integer from 0 to 2**64 - 1, not {seed!r}")
    return seed.__index__()


def _known(shape: tuple, name: str) -> tuple[int, ...]:
    for size in shape:
        if isinstance(size, Dim):
            raise ShapeError(
                f"plan: the size {size} of {name!r} is free, so there is no one plan; call step with data first"
            )
    return shape


def _first(targets: Any) -> Any:
    if isinstance(targets, Mapping):
        return next(iter(targets.values()))
    return targets
