"""Monitor: a figure of the logs that callbacks watch; and the hyper-parameters that they set."""

import math
from collections.abc import Sequence
from typing import Any

import mathnet as mn

MODES = ("auto", "min", "max")


class Monitor:
    """A name in the history, and which of its values are better.

    name: None stands for "val_loss", or "loss" without validation data.  mode: "min", "max", or "auto": what the metric says of itself
    (``direction``), of one that says nothing max for names that end with "accuracy", else min.
    """

    def __init__(self, owner: str, name: str | None, mode: str) -> None:
        if name is not None and not isinstance(name, str):
            raise mn.ArgumentError(f"{owner}: monitor must be a name in the history or None, not {name!r}")
        if mode not in MODES:
            raise mn.ArgumentError(f"{owner}: mode must be 'auto', 'min' or 'max', not {mode!r}")
        self._owner, self._name, self._mode = owner, name, mode

    def name(self, logs: dict[str, Any]) -> str:
        return self._name or ("val_loss" if "val_loss" in logs else "loss")

    def value(self, trainer: Any, logs: dict[str, Any]) -> float | None:
        """The figure of this epoch; None when validation_freq leaves the epoch out."""
        name = self.name(logs)
        if name not in logs:
            raise mn.ArgumentError(
                f"{self._owner}: there is no {name!r} to monitor; the history has {', '.join(logs)}"
            )
        if not isinstance(logs[name], (int, float)):
            raise mn.ArgumentError(
                f"{self._owner}: {name!r} is an array, of which no value is better than another; monitor a number"
            )
        if name.startswith("val_") and not getattr(trainer, "validated", True):
            return None
        return float(logs[name])

    def larger(self, trainer: Any, logs: dict[str, Any]) -> bool:
        """Whether larger values are better."""
        if self._mode != "auto":
            return self._mode == "max"
        name = self.name(logs)
        ask = getattr(trainer, "direction", None)
        direction = ask(name) if ask is not None else None
        return direction == "max" if direction is not None else name.endswith("accuracy")

    def gain(self, trainer: Any, logs: dict[str, Any], best: float) -> float:
        """By how much this epoch is better than ``best``; infinite for a number after NaN, NaN for NaN."""
        value = float(logs[self.name(logs)])
        if math.isnan(best) and not math.isnan(value):
            return math.inf
        return value - best if self.larger(trainer, logs) else best - value


def check_settable(owner: str, trainer: Any, names: Sequence[str]) -> None:
    """Raises an error for a hyper-parameter that is not there, or that something else sets, before the first epoch."""
    for name in names:
        trainer.hyper[name]
        reason = trainer.hyper.refused(name)
        if reason is not None:
            raise mn.ArgumentError(f"{owner}: hyper-parameter {name!r} cannot be set: {reason}")
