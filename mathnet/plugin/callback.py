"""Callback: what a user runs between the steps of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class Callback:
    """Methods that ``Trainer.fit`` calls; a subclass overrides those that it needs.

    ``logs`` holds the epoch's figures: "loss", the metrics, and the same with ``val_`` in front when there are validation data.  A figure
    is a float; of metrics such as ``confusion_matrix`` an array, which :meth:`columns` takes apart.
    ``trainer.stop_training = True`` ends the training: at once when it is set in ``on_step_end``, else after the epoch.
    ``trainer.model`` and ``trainer.hyper`` may be read and changed.  A callback that remembers something between epochs
    returns it from ``state`` and takes it back in ``restore``; checkpoints store it.

    >>> import mathnet as mn
    >>> class Log(mn.Callback):
    ...     def on_epoch_end(self, trainer, epoch, logs):
    ...         print(epoch, logs["loss"])
    """

    #: False: ``on_step_end`` may come a little later, for several steps in a row, so that steps run without returning to Python.
    every_step: bool = True
    #: True: its ``on_epoch_end`` comes after those of the others, so that a checkpoint which it writes holds what they decided.
    last: bool = False

    def on_train_begin(self, trainer: Any) -> None:
        """Before the first epoch."""

    def on_train_end(self, trainer: Any) -> None:
        """After the last epoch, also when training was stopped, or ended by an exception: then ``trainer.interrupted`` is true."""

    def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
        """Before the first step of an epoch; epochs count from 0."""

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        """After the last step of an epoch and its validation."""

    def on_step_end(self, trainer: Any, step: int, loss: float) -> None:
        """After each step; steps count from 0 over the whole training."""

    def state(self) -> dict[str, Any]:
        """What must be stored to go on later: plain values and arrays."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Takes back what :meth:`state` returned."""

    @staticmethod
    def columns(logs: Mapping[str, Any]) -> dict[str, float]:
        """Figures as floats by the names of their columns in a table: an array has one for each element, ``f1[0]``, ``counts[0,1]``."""
        found: dict[str, float] = {}
        for name, value in logs.items():
            array = np.asarray(value, np.float64)
            if array.ndim == 0:
                found[name] = float(array)
            for index in np.ndindex(array.shape) if array.ndim else ():
                found[f"{name}[{','.join(map(str, index))}]"] = float(array[index])
        return found
