"""Fit: epochs of training with validation, metrics, callbacks and history."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import ArgumentError, DataError
from mathnet.model.class_weight import class_weights
from mathnet.model.epoch_sums import NO_EPOCH, without_value
from mathnet.model.feeding import Batches, Rows, weighted_by_class
from mathnet.model.history import History
from mathnet.model.predict import check_batch_size
from mathnet.plugin.bases import Callback
from mathnet.plugin.blame import blamed
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
    class_weight: Any,
    validation_freq: int,
    steps_per_epoch: int | None,
) -> History:
    """See :meth:`Trainer.fit`."""
    check_batch_size(batch_size)
    for argument, number in (("epochs", epochs), ("validation_freq", validation_freq)):
        _check_positive(argument, number)
    if validation_data is not None and validation_split:
        raise ArgumentError("fit: give validation_data or validation_split, not both")
    if trainer.definition is not None and (validation_data is not None or validation_split):
        raise ArgumentError(
            "fit: a defined loss belongs to training steps, so there is no validation with it"
        )
    weights = None if class_weight is None else class_weights(class_weight)
    validation = None if validation_data is None else _validation(trainer, validation_data)
    source: Rows | Batches
    if _gives_batches(trainer, x, y):
        if sample_weight is not None or validation_split:
            raise ArgumentError(
                "fit: batches carry their weights, (x, y, sample_weight), and cannot be split; give validation_data"
            )
        if steps_per_epoch is not None:
            _check_positive("steps_per_epoch", steps_per_epoch)
        source = Batches(trainer, x, steps_per_epoch, weights)
    else:
        if steps_per_epoch is not None:
            raise ArgumentError(
                "fit: steps_per_epoch is for iterables of batches; an epoch of arrays is all of their rows"
            )
        data, weighted = trainer.data(x, y, sample_weight), sample_weight is not None
        _refuse_nan(trainer, data)
        if validation_split:
            cut = _cut(len(data[0]), validation_split)
            held = [a[cut:] for a in data]
            if not weighted:
                held.append(np.ones(len(held[0]), trainer.model.dtype))
            data, validation = [a[:cut] for a in data], [held]
        data, weighted = weighted_by_class(trainer, data, weighted, weights)
        source = Rows(trainer, data, weighted, batch_size, shuffle)
    listed = _callbacks(callbacks, progress)
    trainer.callbacks = listed
    for callback, state in zip(listed, trainer.callback_state):
        with blamed(callback, "restore"):
            callback.restore(state)
    trainer.callback_state = []
    trainer.stop_training, trainer.interrupted = False, True
    trainer.steps_per_epoch = source.steps_per_epoch

    def report(epoch: int) -> None:
        logs = _figures(trainer, epoch, validation, validation_freq, max(batch_size, 256))
        for name, value in logs.items():
            trainer.history.setdefault(name, []).append(value)
        if trainer.order.epoch != epoch:
            trainer.summed_epoch = NO_EPOCH
        for callback in sorted(listed, key=lambda c: bool(c.last)):
            with blamed(callback, "on_epoch_end"):
                callback.on_epoch_end(trainer, epoch, logs)

    try:
        for callback in listed:
            with blamed(callback, "on_train_begin"):
                callback.on_train_begin(trainer)
        if trainer.summed_epoch not in (NO_EPOCH, trainer.order.epoch):  # interrupted behind its last step
            report(trainer.summed_epoch)
        for _ in range(epochs):
            if trainer.stop_training:
                break
            epoch = trainer.order.epoch
            if trainer.summed_epoch != epoch:
                trainer.sums.clear()
                trainer.summed_epoch = epoch
            for callback in listed:
                with blamed(callback, "on_epoch_begin"):
                    callback.on_epoch_begin(trainer, epoch)
            _run_epoch(trainer, source, listed)
            report(epoch)
        trainer.interrupted = False
    finally:
        for callback in listed:
            with blamed(callback, "on_train_end"):
                callback.on_train_end(trainer)
    return trainer.history


def _figures(
    trainer: Trainer, epoch: int, validation: list | None, validation_freq: int, batch_size: int
) -> dict[str, Any]:
    """What the history gets of an epoch whose steps are done."""
    losses, metrics, penalty = trainer.sums.numbers()
    penalized = bool(trainer.objective.penalties) or penalty != 0.0
    logs = trainer.objective.report(losses, metrics, penalty if penalized else None)
    trainer.validated = validation is not None and (epoch + 1) % validation_freq == 0
    if validation is not None:
        found = (
            trainer.evaluator.over_all(validation, batch_size)
            if trainer.validated
            else {name: without_value(value) for name, value in logs.items()}
        )
        logs.update({f"val_{name}": value for name, value in found.items()})
    return logs


def _run_epoch(trainer: Trainer, source: Rows | Batches, callbacks: Sequence[Callback]) -> None:
    """The steps of one epoch: in one go, or in pieces where a callback wants to know of steps."""
    watching = [c for c in callbacks if type(c).on_step_end is not Callback.on_step_end]
    every = any(c.every_step for c in watching)
    limit = 1 if every or watching else 2**62
    over = False
    while not over:
        first = trainer.step_count
        begun = time.perf_counter()
        losses, over = source.steps(limit)
        for offset, loss in enumerate(losses.tolist()):
            for callback in watching:
                with blamed(callback, "on_step_end"):
                    callback.on_step_end(trainer, first + offset, loss)
        if watching and trainer.stop_training:
            return
        if watching and not every:
            seconds = (time.perf_counter() - begun) / max(len(losses), 1)
            limit = max(1, int(CHUNK_SECONDS / max(seconds, 1e-9)))


def _callbacks(given: Sequence[Any], progress: bool | None) -> list[Callback]:
    if isinstance(given, (str, Callback)):
        raise ArgumentError(f"fit: callbacks must be a list: callbacks=[{given!r}]")
    listed = [resolve("callback", c, "callbacks") for c in given]
    if progress or (progress is None and sys.stderr.isatty()):
        listed.append(get("callback", "progress", always=True))
    return listed


def _cut(rows: int, share: float) -> int:
    """The row at which the validation data begin."""
    if (
        isinstance(share, bool)
        or not isinstance(share, (int, float, np.integer, np.floating))
        or not 0.0 < share < 1.0
    ):
        raise ArgumentError(f"fit: validation_split must lie between 0 and 1, not {share!r}")
    cut = int(rows * (1.0 - share))
    if cut in (0, rows):
        raise ArgumentError(
            f"fit: validation_split={share} of {rows} rows leaves no rows for {'training' if cut == 0 else 'validation'}"
        )
    return cut


def _check_positive(name: str, value: Any) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value < 1:
        raise ArgumentError(f"fit: {name} must be a positive integer, not {value!r}")


def _gives_batches(trainer: Trainer, x: Any, y: Any) -> bool:
    """Whether ``x`` gives batches: always without targets; for a defined step when it is no array and no nest of arrays."""
    if trainer.definition is None:
        return y is None
    return not isinstance(x, (np.ndarray, Mapping, tuple))


def _validation(trainer: Trainer, given: Any) -> list[list[np.ndarray]]:
    """The arrays of (x, y), of (x, y, sample_weight), or of each batch of an iterable."""
    data = trainer.evaluator.data
    pair = isinstance(given, (tuple, list)) and len(given) in (2, 3)
    if pair and not (isinstance(given, list) and all(_is_batch(item) for item in given)):
        return [data(*given)]
    plain = hasattr(given, "__iter__") and not isinstance(given, (Mapping, np.ndarray))
    items = list(given) if plain else []
    if not items or not all(_is_batch(item) for item in items):
        raise ArgumentError(
            "fit: validation_data must be (x, y) or (x, y, sample_weight), or an iterable of such tuples"
        )
    return [data(*item) for item in items]


def _is_batch(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) in (2, 3)


def _refuse_nan(trainer: Trainer, data: Sequence[np.ndarray]) -> None:
    """NaN targets are found before the first step instead of in the middle of an epoch."""
    if trainer.definition is not None:
        return  # what its arrays mean only the function knows
    start = len(trainer.model.inputs)
    for name, array in zip(trainer.model.output_names, data[start:]):
        if array.dtype.kind == "f" and np.isnan(array.min(initial=0.0)):
            row = int(np.argwhere(np.isnan(array))[0][0])
            raise DataError(f"targets of output {name!r}: NaN in row {row}; nothing was changed")
