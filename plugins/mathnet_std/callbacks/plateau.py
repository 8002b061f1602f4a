"""Plateau: a smaller learning rate once a figure no longer improves."""

import math
from collections.abc import Sequence
from typing import Any

import mathnet as mn
from mathnet_std.callbacks.monitoring import Monitor, check_settable
from mathnet_std.callbacks.settings import number, parameter_names, whole


@mn.callback("plateau")
class Plateau(mn.Callback):
    """Multiplies a hyper-parameter by ``factor`` when ``monitor`` has not improved for more than ``patience`` epochs.

    Rules and defaults as in PyTorch's ReduceLROnPlateau.  It is a callback and no schedule because it looks at the history; the rate
    itself must be a number, not a schedule.

    Parameters
    ----------
    monitor: a name in the history; None: "val_loss", or "loss" without validation data.
    parameter: a name in ``trainer.hyper``, or several, such as the rates of groups: ("learning_rate", "embedding/*.learning_rate").
    factor: below 1; patience: epochs without improvement that are borne (of those with validation, when that is monitored).
    threshold, threshold_mode: an improvement is more than |best|·threshold for "rel", threshold for "abs".
    cooldown: epochs after a reduction in which none is counted.  minimum: the parameter never falls below it.
    mode: "min", "max", or "auto", as in EarlyStopping.  epsilon: a reduction by no more than this is left out.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(1e-9))  # too small a rate to improve anything
    >>> plateau = mn.callbacks.Plateau("loss", factor=0.5, patience=1)
    >>> history = trainer.fit(np.ones((8, 2)), np.ones(8), epochs=4, callbacks=[plateau])
    >>> trainer.hyper["learning_rate"] / 1e-9
    1.0
    >>> trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(1e-4))
    >>> history = trainer.fit(np.ones((8, 2)), np.ones(8), epochs=4, callbacks=[mn.callbacks.Plateau("loss", patience=1, threshold=0.9)])
    >>> round(trainer.hyper["learning_rate"], 8)
    1e-05
    """

    def __init__(
        self,
        monitor: str | None = None,
        parameter: str | Sequence[str] = "learning_rate",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        minimum: float = 0.0,
        mode: str = "auto",
        epsilon: float = 1e-8,
    ) -> None:
        self._monitor = Monitor("Plateau", monitor, mode)
        if not number("Plateau", "factor", factor, 0.0) < 1.0:
            raise mn.ArgumentError(f"Plateau: factor must be a number from 0 and below 1, not {factor!r}")
        if threshold_mode not in ("rel", "abs"):
            raise mn.ArgumentError(f"Plateau: threshold_mode must be 'rel' or 'abs', not {threshold_mode!r}")
        self.monitor, self.mode, self.threshold_mode = monitor, mode, threshold_mode
        self.parameter, self._names = parameter, parameter_names("Plateau", parameter)
        self.factor = float(factor)
        self.patience = whole("Plateau", "patience", patience, 0)
        self.cooldown = whole("Plateau", "cooldown", cooldown, 0)
        self.threshold = number("Plateau", "threshold", threshold, 0.0)
        self.minimum = number("Plateau", "minimum", minimum)
        self.epsilon = number("Plateau", "epsilon", epsilon, 0.0)
        self._restored = False
        self._forget()

    def _forget(self) -> None:
        self.best = math.nan  # the best value so far
        self._waited = self._cooling = 0

    def on_train_begin(self, trainer: Any) -> None:
        check_settable("Plateau", trainer, self._names)
        if not self._restored:
            self._forget()
        self._restored = False

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        value = self._monitor.value(trainer, logs)
        if value is None:
            return
        margin = abs(self.best) * self.threshold if self.threshold_mode == "rel" else self.threshold
        if not math.isfinite(self.best):
            margin = 0.0
        if self._monitor.gain(trainer, logs, self.best) > margin:
            self.best, self._waited = value, 0
        else:
            self._waited += 1
        if self._cooling > 0:
            self._cooling -= 1
            self._waited = 0
        if self._waited > self.patience:
            self._reduce(trainer)
            self._cooling, self._waited = self.cooldown, 0

    def _reduce(self, trainer: Any) -> None:
        for name in self._names:
            now = trainer.hyper[name]
            smaller = max(now * self.factor, self.minimum)
            if now - smaller > self.epsilon:
                trainer.hyper[name] = smaller

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self._waited, "cooling": self._cooling}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self._waited, self._cooling = state["best"], state["waited"], state["cooling"]
        self._restored = True
