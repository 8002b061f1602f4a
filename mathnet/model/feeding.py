"""Where fit takes its steps from: rows of arrays in memory, or batches that somebody else makes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import ArgumentError, DataError
from mathnet.model.class_weight import example_weights
from mathnet.model.order import Run

if TYPE_CHECKING:
    from mathnet.model.trainer import Trainer


class Rows:
    """Shuffled batches of arrays; they are not copied."""

    def __init__(
        self, trainer: Trainer, data: Sequence[np.ndarray], weighted: bool, batch_size: int, shuffle: bool
    ) -> None:
        self._trainer, self._data, self._weighted, self._batch = trainer, data, weighted, batch_size
        self.steps_per_epoch: int | None = -(-len(data[0]) // batch_size)
        trainer.order.begin(len(data[0]), shuffle and batch_size < len(data[0]))

    def steps(self, limit: int) -> tuple[np.ndarray, bool]:
        """At most ``limit`` steps: their losses, and whether the epoch is over."""
        run = self._trainer.order.next_run(self._batch, limit)
        losses = np.empty(run.steps)
        over = self._trainer.run(self._data, run, losses, self._weighted, summed=True)
        return losses, over


class Batches:
    """Batches of an iterable, one step each; a function is called with the number of the epoch and gives the iterable.

    An epoch is one pass, or ``steps_per_epoch`` batches, for which an iterable is begun again when it ends.
    """

    def __init__(
        self,
        trainer: Trainer,
        batches: Any,
        steps_per_epoch: int | None,
        weights: dict[int, float] | None = None,
    ) -> None:
        if not callable(batches) and not hasattr(batches, "__iter__"):
            raise ArgumentError(
                "fit: without y, x must be an iterable of batches (x, y) or (x, y, sample_weight), or a function of the epoch "
                f"that gives one, not {type(batches).__name__}"
            )
        self._trainer, self._batches, self._weights = trainer, batches, weights
        self.steps_per_epoch = steps_per_epoch
        self._iterator: Iterator[Any] | None = None
        self._done = 0  # batches of this epoch
        trainer.order.leave()

    def steps(self, limit: int) -> tuple[np.ndarray, bool]:
        """One step: its loss, and whether the epoch is over; no loss when there was no more batch."""
        batch = self._next()
        if batch is None:
            self._end()
            return np.empty(0), True
        data, weighted = self._arrays(batch)
        losses = np.empty(1)
        rows = len(data[0])
        run = Run(np.arange(rows, dtype=np.int64), rows)
        self._trainer.run(data, run, losses, weighted, summed=True, ordered=False)
        self._done += 1
        over = self._done == self.steps_per_epoch
        if over:
            self._end()
        return losses, over

    def _end(self) -> None:
        self._trainer.order.end_epoch()
        self._done = 0
        if self.steps_per_epoch is None or callable(self._batches):
            self._iterator = None

    def _next(self) -> Any:
        """The next batch; None at the end of a pass that is an epoch."""
        fresh = self._iterator is None
        if self._iterator is None:
            self._iterator = self._begun()
        for batch in self._iterator:
            return batch
        if self.steps_per_epoch is None and not fresh:
            return None
        self._iterator = None if fresh else self._begun()
        for batch in self._iterator or ():
            return batch
        wanted = "" if self.steps_per_epoch is None else f" of {self.steps_per_epoch}"
        raise DataError(
            f"fit: epoch {self._trainer.epoch} got {self._done}{wanted} batches, then there were no more; an iterator gives its "
            "batches once: pass a list, an object with __iter__, or a function of the epoch that makes a new one"
        )

    def _begun(self) -> Iterator[Any]:
        if not callable(self._batches):
            return iter(self._batches)
        make: Callable[..., Any] = self._batches
        takes_epoch = bool(inspect.signature(make).parameters)
        return iter(make(self._trainer.epoch) if takes_epoch else make())

    def _arrays(self, batch: Any) -> tuple[list[np.ndarray], bool]:
        trainer = self._trainer
        if trainer.definition is not None:
            return trainer.data(batch, None), False
        if not isinstance(batch, (tuple, list)) or len(batch) not in (2, 3):
            raise ArgumentError(
                f"fit: batch {self._done} must be (x, y) or (x, y, sample_weight), not {type(batch).__name__}"
                + (f" of {len(batch)} items" if isinstance(batch, (tuple, list)) else "")
            )
        weight = batch[2] if len(batch) == 3 else None
        data = trainer.data(batch[0], batch[1], weight)
        return weighted_by_class(trainer, data, weight is not None, self._weights)


def weighted_by_class(
    trainer: Trainer, data: list[np.ndarray], weighted: bool, weights: dict[int, float] | None
) -> tuple[list[np.ndarray], bool]:
    """Data of a Trainer with the weights of classes multiplied into those of the examples; and whether they are weighted."""
    if weights is None:
        return data, weighted
    if len(trainer.model.outputs) != 1 or trainer.definition is not None:
        raise ArgumentError(
            "fit: class_weight is for models of one output with a loss of targets; use sample_weight"
        )
    found = example_weights(weights, data[len(trainer.model.inputs)], trainer.model.dtype)
    return ([*data[:-1], data[-1] * found] if weighted else [*data, found]), True
