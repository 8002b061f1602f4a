"""EarlyStopping: ends a training that no longer improves, and keeps the best weights."""

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.callbacks.monitoring import Monitor
from mathnet_std.callbacks.settings import number, whole


@mn.callback("early_stopping")
class EarlyStopping(mn.Callback):
    """Stops when ``monitor`` has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor: a name in the history; None: "val_loss", or "loss" without validation data.
    patience: epochs without improvement that are borne (of those with validation, when that is monitored).
    min_delta: what counts as an improvement.
    mode: "min", "max", or "auto": what a metric says of itself (accuracy, f1, auc: max), min for losses; of a metric that says nothing
        max when its name ends with "accuracy", else min.
    restore_best: whether the model gets back the weights of its best epoch when training ends (not when it is interrupted).

    >>> import mathnet as mn
    >>> stop = mn.callbacks.EarlyStopping(patience=3)
    """

    def __init__(
        self,
        monitor: str | None = None,
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best: bool = True,
    ) -> None:
        self._monitor = Monitor("EarlyStopping", monitor, mode)
        self.monitor, self.mode = monitor, mode
        self.patience = whole("EarlyStopping", "patience", patience, 0)
        self.min_delta = abs(number("EarlyStopping", "min_delta", min_delta))
        self.restore_best = restore_best
        self._restored = False
        self._forget()

    def _forget(self) -> None:
        self.best = math.nan  # the best value so far, and its epoch
        self.best_epoch: int | None = None
        self._waited = 0
        self._weights: dict[str, np.ndarray] = {}

    def on_train_begin(self, trainer: Any) -> None:
        if not self._restored:  # a resumed training goes on from its state
            self._forget()
        self._restored = False

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        value = self._monitor.value(trainer, logs)
        if value is None:
            return
        if self._monitor.gain(trainer, logs, self.best) > self.min_delta:
            self.best, self.best_epoch, self._waited = value, epoch, 0
            if self.restore_best:
                self._weights = {key: np.array(array) for key, array in _weights(trainer.model).items()}
            return
        self._waited += 1
        if self._waited >= max(self.patience, 1):
            trainer.stop_training = True

    def on_train_end(self, trainer: Any) -> None:
        if getattr(trainer, "interrupted", False):
            return  # the weights stay those of the last step, from where it may go on
        live = _weights(trainer.model)
        for key, array in self._weights.items():
            live[key][...] = array

    def state(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "best_epoch": self.best_epoch,
            "waited": self._waited,
            "weights": dict(self._weights),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch, self._waited = state["best"], state["best_epoch"], state["waited"]
        self._weights = dict(state["weights"])
        self._restored = True


def _weights(model: Any) -> dict[str, np.ndarray]:
    return {**model.parameters, **model.statistics}
