"""Steps that users define: a loss computed from the model and a batch, in place of losses of outputs and targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dtypes import graph_dtype, is_float
from mathnet.graph.op import FUNCTIONS, as_tensor, input_tensor
from mathnet.graph.trace import Trace
from mathnet.graph.tree import Structure, flatten, unflatten
from mathnet.model.inputs import convert
from mathnet.model.objective import Objective, only_scalar, penalties_of
from mathnet.model.predict import check_rows
from mathnet.model.ratio import Ratio
from mathnet.model.slots import HyperParameters
from mathnet.model.step import Signature, TracedLoss

if TYPE_CHECKING:
    from mathnet.model.model import Model
    from mathnet.model.trainer import Trainer


class Definition(Objective):
    """The objective of a Trainer without losses: what the function given to :meth:`Trainer.define` returns, plus penalties."""

    def __init__(self, model: Model, metrics: Any, loss_weights: Any, hyper: HyperParameters) -> None:
        if metrics or loss_weights is not None:
            raise ArgumentError("Trainer: metrics and loss_weights need losses; loss=None is for define()")
        self.model = model
        self.function: Callable[[Any, Any], Any] | None = None
        self.losses, self.metrics, self.loss_weights = [], [], [1.0]
        self.penalties = penalties_of(model, hyper)
        self._seen = set()

    def arrays(self, batch: Any) -> tuple[list[np.ndarray], Structure]:
        """The leaves of a batch as arrays of the graph's types, and how they are nested.

        Floats take the type of the model; every array needs one row per example.
        """
        if self.function is None:
            raise ArgumentError(
                "this Trainer has no loss; give it one, or trainer.define(lambda model, batch: …)"
            )
        leaves, structure = flatten(batch)
        arrays = []
        for index, leaf in enumerate(leaves):
            where = f"batch: array {index}"
            array = np.asarray(leaf)
            known = graph_dtype(array.dtype, where)
            arrays.append(convert(array, self.model.dtype if is_float(known) else known, where))
            if array.ndim == 0:
                raise ShapeError(f"{where} is a single number, but it needs one row per example")
        if not arrays:
            raise ArgumentError("batch: there is no array in it")
        check_rows(arrays, [f"array {index}" for index in range(len(arrays))])
        return arrays, structure


def defined(trainer: Trainer, trace: Trace, signature: Signature) -> TracedLoss:
    """The loss that a user's function gives; inputs the leaves of the batch."""
    definition, structure = trainer.definition, signature.structure
    assert definition is not None and definition.function is not None and structure is not None
    x = [input_tensor(spec, f"array {index}") for index, spec in enumerate(signature.inputs)]
    returned = definition.function(trainer.model, unflatten(structure, x))
    parts = returned.values() if isinstance(returned, Mapping) else [returned]
    scalars = [only_scalar(as_tensor(p, "loss"), "a loss given to define()") for p in parts]
    if not scalars:
        raise ArgumentError("the function given to define() returned no loss")
    loss = scalars[0]
    for scalar in scalars[1:]:
        loss = loss + scalar
    if not is_float(loss.dtype) or loss.dtype != trainer.model.dtype:
        loss = FUNCTIONS["cast"](loss, trainer.model.dtype)
    penalty = definition.penalty(trace)
    total = loss if penalty is None else loss + penalty
    terms = [Ratio(loss, 1.0)]
    name = f"defined step of {trainer.model.name or 'model'}(batch {signature.batch})"
    return TracedLoss(name, x, total, terms, terms, penalty, [], [], None)
