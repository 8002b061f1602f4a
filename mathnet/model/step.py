"""The training step as one graph: forward pass, loss, penalties, gradient, clipping, updates, statistics, counters.

All reads see the values from before the step; everything that changes is an update of the graph, so the step happens as a whole or not
at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mathnet.errors import GradientError, ShapeError
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, constant, input_tensor
from mathnet.graph.tensor import Spec, Tensor, site_of
from mathnet.graph.trace import Trace
from mathnet.graph.tree import Structure
from mathnet.model.accumulation import folded
from mathnet.model.inputs import match
from mathnet.model.ratio import Ratio
from mathnet.model.updates import Updates
from mathnet.store import Variable
from mathnet.transform.gradient import gradient

if TYPE_CHECKING:
    from mathnet.model.trainer import Trainer


class Signature(NamedTuple):
    """What a step's plan is made for: specs of inputs and targets, whether examples are weighted, whether sums are kept.

    structure: how the inputs of a defined step are nested in its batch.
    """

    inputs: tuple[Spec, ...]
    targets: tuple[Spec, ...]
    weighted: bool
    summed: bool
    structure: Structure | None = None

    @property
    def batch(self) -> int:
        return self.inputs[0].shape[0]


class TracedLoss(NamedTuple):
    """The loss of a step in a trace.

    inputs: of the graph; total: the loss; losses: its averages, and parts: the same with their factors; outputs, targets, weight: what it
    was computed from (a defined loss has none).
    """

    name: str
    inputs: list[Tensor]
    total: Tensor
    losses: list[Ratio]
    parts: list[Ratio]
    penalty: Tensor | None
    outputs: list[Tensor]
    targets: list[Tensor]
    weight: Tensor | None


def supervised(trainer: Trainer, trace: Trace, signature: Signature) -> TracedLoss:
    """The loss of a model's outputs and their targets; inputs x…, targets…, [weights]."""
    model, objective = trainer.model, trainer.objective
    names = model.output_names
    x = [input_tensor(spec, name) for spec, name in zip(signature.inputs, model.input_names)]
    y = [input_tensor(spec, f"targets of output {name!r}") for spec, name in zip(signature.targets, names)]
    weight = (
        input_tensor(Spec((signature.batch,), model.dtype), "sample_weight") if signature.weighted else None
    )
    sizes = match(model.inputs, x, model.input_names, "model")
    outputs = model.graph.bind(sizes, x, training=True).outputs
    for output, name in zip(outputs, names):
        if output.shape[:1] != (signature.batch,):
            raise ShapeError(
                f"output {name!r} has shape {output.shape}, but training needs one row per example, {signature.batch} here"
            )
    losses = objective.loss_terms(trace, outputs, y, weight)
    penalty = objective.penalty(trace, weight)
    total = objective.total(losses, penalty)
    inputs = [*x, *y, *([weight] if weight is not None else [])]
    name = f"step of {model.name or 'model'}(batch {signature.batch})"
    return TracedLoss(
        name, inputs, total, losses, objective.weighted(losses), penalty, list(outputs), y, weight
    )


def step_graph(trainer: Trainer, signature: Signature) -> Graph:
    """The graph of one step: inputs as the loss has them; output the loss; updates of everything that a step changes."""
    with training_trace(trainer) as trace:
        loss = trainer.traced(trace, signature)
        updates = training_updates(trainer, trace, loss)
        if signature.summed:
            updates += summed_updates(trainer, trace, loss)
    return trainer.model.constants.settle(Graph(loss.inputs, [loss.total], updates, name=loss.name))


def summed_updates(trainer: Trainer, trace: Trace, loss: TracedLoss) -> list[tuple[Variable, Tensor]]:
    """The sums of an epoch after a step."""
    metrics = trainer.objective.metric_sums(trace, loss.outputs, loss.targets, loss.weight)
    return trainer.sums.updates(trace, loss.losses, metrics, loss.penalty)


@contextmanager
def training_trace(trainer: Trainer) -> Iterator[Trace]:
    """A trace of a step: in training mode, with its number, and with the scheduled hyper-parameters at their values."""
    with Trace(training=True, seed=trainer.seed) as trace:
        step = trace.step = trace.read(trainer.step_slot)
        if trainer.accumulation is not None:
            step = trainer.accumulation.updates_before(step)
        trainer.scheduled.enter(trace, step)
        yield trace


def training_updates(trainer: Trainer, trace: Trace, loss: TracedLoss) -> list[tuple[Variable, Tensor]]:
    """What a step changes but for sums of an epoch: parameters, optimizer, averages, running values, counters."""
    step = trace.step
    assert step is not None and isinstance(trainer.updates, Updates)
    accumulation, total = trainer.accumulation, loss.total
    wrt = [trace.read(trained.variable) for trained in trainer.updates.trained]
    summed: list[tuple[Variable, Tensor]] = []
    if accumulation is None:
        number, due = step, None
        gradients = gradient([total], [constant(1.0, total.dtype)], wrt)
    else:
        number, due = accumulation.updates_before(step), accumulation.due(step)
        gradients, summed = accumulation.trace(trace, folded(loss.parts, loss.penalty), wrt, due)
    if all(g is None for g in gradients):
        raise GradientError("the loss does not depend on any trainable weight, so there is nothing to train")
    with site_of(None):
        norms = trainer.gradient_norms
        watched = [] if norms is None else norms.trace(trace, gradients, due)
        gradients = trainer.clipping.clipped(trace, gradients)
        updates = trainer.updates.trace(trace, gradients, number)
        if trainer.average is not None:
            updates += trainer.average.trace(trace, updates, number)
        if due is not None:
            where = FUNCTIONS["where"]
            updates = [(v, where(due, new, trace.read(v))) for v, new in updates]
    updates += [*summed, *watched, *trainer.scheduled.updates, *trace.updates.items()]
    updates.append((trainer.step_slot, step + 1.0))
    return updates
