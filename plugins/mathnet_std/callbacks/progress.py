"""Progress: a bar per epoch."""

import sys
from typing import Any

import mathnet as mn


@mn.callback("progress")
class Progress(mn.Callback):
    """Shows a bar with the running loss, and each epoch's figures, on standard error.  Figures that are arrays are left out.

    always: show it also where standard error is no terminal.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> bar = mn.callbacks.Progress()
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer="sgd", epochs=2, callbacks=[bar])
    """

    every_step = False

    def __init__(self, always: bool = False) -> None:
        self.always = always
        self._bar: Any = None

    def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
        if not self.always and not sys.stderr.isatty():
            return
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        total = getattr(trainer, "steps_per_epoch", None)
        self._bar = tqdm(
            total=total, desc=f"epoch {epoch + 1}", unit="step", file=sys.stderr, mininterval=0.1
        )

    def on_step_end(self, trainer: Any, step: int, loss: float) -> None:
        # update is true when the bar was drawn: formatting every loss would cost more than a step
        if self._bar is not None and self._bar.update(1):
            self._bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        if self._bar is not None:
            shown = [f"{name} {value:.4g}" for name, value in logs.items() if isinstance(value, float)]
            self._bar.set_postfix_str(", ".join(shown))
        self._close()

    def on_train_end(self, trainer: Any) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
