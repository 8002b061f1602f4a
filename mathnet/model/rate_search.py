"""The search for a learning rate: a short training whose rate grows until the loss explodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mathnet.errors import ArgumentError

if TYPE_CHECKING:
    from mathnet.model.trainer import Trainer

SMOOTHING = 0.9  # of the running mean of the losses
EXPLODED = 4.0  # times the smallest smoothed loss ends the search


class RateSearch(NamedTuple):
    """Learning rates tried, the losses at them, their smoothed values, and the rate at which the loss falls most steeply."""

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float


def find_learning_rate(
    trainer: Trainer,
    x: Any,
    y: Any,
    batch_size: int,
    sample_weight: Any,
    lowest: float,
    highest: float,
    count: int,
) -> RateSearch:
    """See :meth:`Trainer.find_learning_rate`."""
    from mathnet.model.checkpoint import stored

    if "learning_rate" not in trainer.hyper or trainer.hyper.refused("learning_rate") is not None:
        raise ArgumentError(
            "find_learning_rate: the learning rate follows a schedule, or there is none; make a Trainer whose rate is a number"
        )
    if not 0.0 < lowest < highest < math.inf:
        raise ArgumentError(
            f"find_learning_rate: 0 < lowest < highest must hold, not {lowest!r} and {highest!r}"
        )
    if isinstance(count, bool) or not hasattr(count, "__index__") or count < 3:
        raise ArgumentError(f"find_learning_rate: count must be an integer from 3, not {count!r}")
    arrays = stored(trainer)
    before = {name: array.copy() for name, array in arrays.items()}
    order = trainer.order.state()
    rates = np.geomspace(lowest, highest, count)
    losses: list[float] = []
    smoothed: list[float] = []
    mean = 0.0
    try:
        for index, rate in enumerate(rates):
            trainer.hyper["learning_rate"] = float(rate)
            loss = float(trainer.steps(x, y, batch_size, 1, sample_weight)[0])
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss
            value = mean / (1.0 - SMOOTHING ** (index + 1))
            if not math.isfinite(loss) or (len(smoothed) > 2 and value > EXPLODED * min(smoothed)):
                break
            losses.append(loss)
            smoothed.append(value)
    finally:
        with trainer.model.lock:
            for name, array in arrays.items():
                array[...] = before[name]
        trainer.order.restore(order)
    if len(smoothed) < 3:
        raise ArgumentError(
            f"find_learning_rate: the loss exploded after {len(smoothed)} steps already; begin with a lower rate than {lowest:g}"
        )
    steepest = int(np.argmin(np.gradient(np.array(smoothed))))
    return RateSearch(rates[: len(losses)], np.array(losses), np.array(smoothed), float(rates[steepest]))
