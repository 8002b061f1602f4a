"""Checkpoint: files of a training while it goes on."""

import math
import os
import string
from typing import Any

import mathnet as mn
from mathnet_std.callbacks.monitoring import Monitor
from mathnet_std.callbacks.settings import file_path, whole


@mn.callback("checkpoint")
class Checkpoint(mn.Callback):
    """Writes the training, or the model, at the end of epochs.

    A file is written beside its place and put there when it is complete, so that an interrupted one leaves the old file as it was.  What
    the other callbacks decided in this epoch is in it: ``trainer.restore(path)`` and ``fit`` go on as if nothing had happened.

    Parameters
    ----------
    path: of the file; a template may name the epoch, from 0, and figures of the logs: ``"run-{epoch:03d}-{val_loss:.3f}.ckpt"``.
        Folders that are missing are made.
    monitor: a name in the history; None: "val_loss", or "loss" without validation data.
    save_best_only: write only when ``monitor`` is better than ever before; mode: "min", "max", or "auto", as in EarlyStopping.
    content: "training" for all that ``trainer.save`` stores; "model" for a model file, which ``mn.load`` reads.
    keep: how many of the files written last stay; None: all.
    every: write at the end of every ``every``-th epoch.

    ``files`` are those that stay, ``best`` and ``best_epoch`` the best figure.  Raises OSError when a file cannot be written.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> saving = mn.callbacks.Checkpoint("run-{epoch}.ckpt", keep=2)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer="sgd", epochs=4, callbacks=[saving])
    >>> saving.files
    ['run-2.ckpt', 'run-3.ckpt']
    >>> trainer = mn.Trainer(model, "mse", "sgd")
    >>> trainer.restore("run-3.ckpt")
    >>> trainer.epoch
    4
    """

    last = True

    def __init__(
        self,
        path: Any,
        monitor: str | None = None,
        save_best_only: bool = False,
        mode: str = "auto",
        content: str = "training",
        keep: int | None = None,
        every: int = 1,
    ) -> None:
        self.path = file_path("Checkpoint", path)
        try:
            list(string.Formatter().parse(self.path))
        except ValueError as error:
            raise mn.ArgumentError(f"Checkpoint: path {self.path!r} is no template: {error}") from None
        if content not in ("training", "model"):
            raise mn.ArgumentError(f"Checkpoint: content must be 'training' or 'model', not {content!r}")
        self._monitor = Monitor("Checkpoint", monitor, mode)
        self.monitor, self.save_best_only, self.mode = monitor, bool(save_best_only), mode
        self.content = content
        self.keep = None if keep is None else whole("Checkpoint", "keep", keep, 1)
        self.every = whole("Checkpoint", "every", every, 1)
        self._restored = False
        self._forget()

    def _forget(self) -> None:
        self.best = math.nan
        self.best_epoch: int | None = None
        self.files: list[str] = []

    def on_train_begin(self, trainer: Any) -> None:
        if not self._restored:
            self._forget()
        self._restored = False

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        better = self._better(trainer, epoch, logs) if self.save_best_only or self.monitor else True
        if (epoch + 1) % self.every or (self.save_best_only and not better):
            return
        path = self._named(epoch, logs)
        self.files = [*(file for file in self.files if file != path), path]
        stale = self.files[: -self.keep] if self.keep is not None else []
        self.files = self.files[len(stale) :]  # now, so that the file itself says which there are
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        (trainer if self.content == "training" else trainer.model).save(path)
        for file in stale:
            if os.path.exists(file):
                os.remove(file)

    def _better(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> bool:
        value = self._monitor.value(trainer, logs)
        better = value is not None and self._monitor.gain(trainer, logs, self.best) > 0.0
        if value is not None and better:
            self.best, self.best_epoch = value, epoch
        return better

    def _named(self, epoch: int, logs: dict[str, Any]) -> str:
        try:
            return self.path.format(epoch=epoch, **logs)
        except (KeyError, IndexError):
            known = ", ".join(["epoch", *logs])
            raise mn.ArgumentError(
                f"Checkpoint: path {self.path!r} names something that is not there; there are {known}"
            ) from None
        except (ValueError, TypeError) as error:
            raise mn.ArgumentError(f"Checkpoint: path {self.path!r} cannot be filled in: {error}") from None

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "files": list(self.files)}

    def restore(self, state: dict[str, Any]) -> None:
        self.best, self.best_epoch, self.files = state["best"], state["best_epoch"], list(state["files"])
        self._restored = True
