"""TerminateOnNaN: ends a training whose loss is no longer a number."""

import math
from typing import Any

import mathnet as mn


@mn.callback("terminate_on_nan", name="TerminateOnNaN")
class TerminateOnNaN(mn.Callback):
    """Stops the training within a fraction of a second of a step whose loss is NaN or infinite.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> stop = mn.callbacks.TerminateOnNaN()
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer="sgd", epochs=2, callbacks=[stop])
    """

    every_step = False

    def on_step_end(self, trainer: Any, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            trainer.stop_training = True
