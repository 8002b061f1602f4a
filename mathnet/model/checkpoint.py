"""Checkpoints: everything that a training needs to go on as if it had never stopped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from mathnet.errors import ArgumentError, FileFormatError
from mathnet.graph.dim import show_shape
from mathnet.model import container
from mathnet.model.history import History
from mathnet.model.values import Decoder, Encoder

if TYPE_CHECKING:
    from mathnet.model.trainer import Trainer

METRIC = "slot/metric/"  # what names of sums of metrics begin with


def stored(trainer: Trainer) -> dict[str, np.ndarray]:
    """Every array that steps change, by name in the file."""
    arrays = {f"weight/{name}": variable.array for name, variable in trainer.model.named_variables()}
    arrays.update({f"state/{name}": variable.array for name, variable in trainer.updates.named_state.items()})
    arrays.update({f"slot/{name}": variable.array for name, variable in trainer.named_slots.items()})
    arrays.update({f"training/{name}": v.array for name, v in trainer.named_arrays.items()})
    return arrays


def save(trainer: Trainer, path: str | os.PathLike) -> None:
    """See :meth:`Trainer.save`."""
    encoder = Encoder("checkpoint")
    states = [callback.state() for callback in trainer.callbacks] or trainer.callback_state
    description = {
        "optimizer": type(trainer.optimizer).__name__,
        "seed": trainer.seed,
        "order": encoder.encode(trainer.order.state(), "order"),
        "summed_epoch": trainer.summed_epoch,
        "history": encoder.encode(dict(trainer.history), "history"),
        "callbacks": [encoder.encode(state, "state of a callback") for state in states],
    }
    with trainer.model.lock:
        arrays = {name: array.copy() for name, array in stored(trainer).items()}
    container.write(path, "checkpoint", description, {**arrays, **encoder.tensors})


def restore(trainer: Trainer, path: str | os.PathLike) -> None:
    """See :meth:`Trainer.restore`.  The whole file is checked before anything is changed."""
    with container.read(path, "checkpoint") as file:
        _compare(trainer, file, stored(trainer))
        tensors = file.tensors()
        found = file.description
        try:
            decoder = Decoder(tensors)
            order, history = decoder.decode(found["order"]), decoder.decode(found["history"])
            callbacks = [decoder.decode(state) for state in found["callbacks"]]
            seed, summed_epoch = int(found["seed"]), int(found["summed_epoch"])
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise FileFormatError(f"{os.fspath(path)}: the description is damaged ({error!r})") from None
    trainer.sums.adopt({n.removeprefix("slot/"): a.shape for n, a in tensors.items() if n.startswith(METRIC)})
    with trainer.model.lock:
        for name, array in stored(trainer).items():
            array[...] = tensors[name] if name in tensors else 0.0  # sums of metrics before the first epoch
    trainer.seed, trainer.summed_epoch, trainer.history = seed, summed_epoch, History(history)
    trainer.leave_plan()  # it may have been made for another seed
    trainer.order.restore(order)
    trainer.callbacks, trainer.callback_state = [], callbacks


def _compare(trainer: Trainer, file: container.Container, mine: dict[str, np.ndarray]) -> None:
    """The file must hold the arrays of this Trainer, no more and no fewer.

    Sums of metrics are made by the first epoch, so that one side may have them alone, for metrics that both have.
    """
    theirs = {
        name: spec
        for name, spec in file.specs.items()
        if name.split("/")[0] in ("weight", "state", "slot", "training")
    }
    optimizer = type(trainer.optimizer).__name__
    late = tuple([f"{METRIC}{m.name}/" for m in trainer.objective.metrics if not m.averages])
    for name in [*mine, *theirs]:
        if name.startswith(late) and not (name in mine and name in theirs):
            continue
        if name not in theirs or name not in mine:
            lacking = "the checkpoint" if name in mine else "this Trainer"
            raise ArgumentError(
                f"{file.path}: {lacking} has no {name!r}; it was written for another model or optimizer "
                f"({file.description.get('optimizer')}; here it is {optimizer})"
            )
        shape, dtype = theirs[name]
        if shape != mine[name].shape or dtype != mine[name].dtype:
            raise ArgumentError(
                f"{file.path}: {name!r} is {dtype}{show_shape(shape)}, "
                f"but this Trainer has {mine[name].dtype}{show_shape(mine[name].shape)}"
            )
