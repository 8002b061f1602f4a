"""Fit: epochs of training with validation, metrics, callbacks and history."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import ArgumentError, DataError
from mathnet.model.predict import check_batch_size
from mathnet.plugin.bases import Callback
from mathnet.plugin.registry import get, resolve

if TYPE_CHECKING:
    from mathnet.model.trainer import Trainer

CHUNK_SECONDS = 0.05  # how long steps run between two looks of a progress bar


def fit(
    trainer: Trainer,
    x: Any,
    y: Any,
    epochs: int,
    batch_size: int,
    sample_weight: Any,
    validation_split: float,
    validation_data: Any,
    callbacks: Sequence[Any],
    shuffle: bool,
    progress: bool | None,
) -> dict[str, list[float]]:
    """See :meth:`Trainer.fit`."""
    check_batch_size(batch_size)
    if isinstance(epochs, bool) or not hasattr(epochs, "__index__") or epochs < 1:
        raise ArgumentError(f"fit: epochs must be a positive integer, not {epochs!r}")
    data = trainer.data(x, y, sample_weight)
    weighted = sample_weight is not None
    _refuse_nan(trainer, data)
    validation: list[np.ndarray] | None = None
    if validation_data is not None:
        if validation_split:
            raise ArgumentError("fit: give validation_data or validation_split, not both")
        validation = trainer.evaluator.data(*_checked_validation(validation_data))
    elif validation_split:
        cut = _cut(len(data[0]), validation_split)
        validation = [a[cut:] for a in data] + (
            [] if weighted else [np.ones(len(data[0]) - cut, trainer.model.dtype)]
        )
        data = [a[:cut] for a in data]
    listed = _callbacks(callbacks, progress)
    trainer.callbacks = listed
    for callback, state in zip(listed, trainer.callback_state):
        callback.restore(state)
    trainer.callback_state = []
    trainer.stop_training = False
    trainer.steps_per_epoch = -(-len(data[0]) // batch_size)
    trainer.order.begin(len(data[0]), shuffle and batch_size < len(data[0]))
    try:
        for callback in listed:
            callback.on_train_begin(trainer)
        for _ in range(epochs):
            epoch = trainer.order.epoch
            if trainer.summed_epoch != epoch:
                trainer.sums.clear()
                trainer.summed_epoch = epoch
            for callback in listed:
                callback.on_epoch_begin(trainer, epoch)
            _run_epoch(trainer, data, batch_size, weighted, listed)
            losses, metrics, penalty = trainer.sums.numbers()
            penalized = bool(trainer.objective.penalties) or penalty != 0.0
            logs = trainer.objective.report(losses, metrics, penalty if penalized else None)
            if validation is not None:
                found = trainer.evaluator.over(validation, max(batch_size, 256))
                logs.update({f"val_{name}": value for name, value in found.items()})
            for name, value in logs.items():
                trainer.history.setdefault(name, []).append(value)
            for callback in listed:
                callback.on_epoch_end(trainer, epoch, logs)
            if trainer.stop_training:
                break
    finally:
        for callback in listed:
            callback.on_train_end(trainer)
    return trainer.history


def _run_epoch(
    trainer: Trainer,
    data: Sequence[np.ndarray],
    batch_size: int,
    weighted: bool,
    callbacks: Sequence[Callback],
) -> None:
    """The steps of one epoch: in one go, or in pieces where a callback wants to know of steps."""
    watching = [c for c in callbacks if type(c).on_step_end is not Callback.on_step_end]
    every = any(c.every_step for c in watching)
    limit = 1 if every or watching else 2**62
    over = False
    while not over:
        run = trainer.order.next_run(batch_size, limit)
        first = trainer.step_count
        losses = np.empty(run.steps)
        begun = time.perf_counter()
        over = trainer.run(data, run, losses, weighted, summed=True)
        for offset, loss in enumerate(losses.tolist()):
            for callback in watching:
                callback.on_step_end(trainer, first + offset, loss)
        if watching and trainer.stop_training:
            return
        if watching and not every:
            seconds = (time.perf_counter() - begun) / run.steps
            limit = max(1, int(CHUNK_SECONDS / max(seconds, 1e-9)))


def _callbacks(given: Sequence[Any], progress: bool | None) -> list[Callback]:
    listed = [resolve("callback", c, "callbacks") for c in given]
    if progress or (progress is None and sys.stderr.isatty()):
        listed.append(get("callback", "progress", always=True))
    return listed


def _cut(rows: int, share: float) -> int:
    """The row at which the validation data begin."""
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0.0 < share < 1.0:
        raise ArgumentError(f"fit: validation_split must lie between 0 and 1, not {share!r}")
    cut = int(rows * (1.0 - share))
    if cut in (0, rows):
        raise ArgumentError(
            f"fit: validation_split={share} of {rows} rows leaves no rows for {'training' if cut == 0 else 'validation'}"
        )
    return cut


def _checked_validation(given: Any) -> tuple[Any, ...]:
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise ArgumentError("fit: validation_data must be (x, y) or (x, y, sample_weight)")
    return tuple(given)


def _refuse_nan(trainer: Trainer, data: Sequence[np.ndarray]) -> None:
    """NaN targets are found before the first step instead of in the middle of an epoch."""
    start = len(trainer.model.inputs)
    for name, array in zip(trainer.model.output_names, data[start:]):
        if array.dtype.kind == "f" and np.isnan(array.min(initial=0.0)):
            row = int(np.argwhere(np.isnan(array))[0][0])
            raise DataError(f"targets of output {name!r}: NaN in row {row}; nothing was changed")
