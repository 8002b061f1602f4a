"""Schedule: a hyper-parameter as a function of the epoch."""

import inspect
from typing import Any

import mathnet as mn
from mathnet_std.callbacks.monitoring import check_settable


@mn.callback("schedule")
class Schedule(mn.Callback):
    """Sets a hyper-parameter at the beginning of every epoch.

    schedule: a schedule, its key, or a function of the epoch, which counts from 0; of two arguments, it is given the present value too, as
    Keras's LearningRateScheduler does it.  parameter: a name in ``trainer.hyper``, such as "learning_rate", "momentum" or "clip_norm".
    For a value that changes with every step there is ``mn.Trainer(…, schedules={name: schedule})``, which computes it in the step.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> trainer = mn.Trainer(model, "mse", mn.optimizers.SGD(0.1, momentum=0.5))
    >>> rate = mn.callbacks.Schedule(mn.schedules.Step(0.1, step_size=2))
    >>> more = mn.callbacks.Schedule(lambda epoch, now: now + 0.125, "momentum")
    >>> history = trainer.fit(np.ones((8, 2)), np.ones(8), epochs=3, callbacks=[rate, more])
    >>> round(trainer.hyper["learning_rate"], 6), trainer.hyper["momentum"]
    (0.01, 0.875)
    """

    def __init__(self, schedule: Any, parameter: str = "learning_rate") -> None:
        self.schedule, self.parameter = mn.schedules.get(schedule), parameter
        if not isinstance(parameter, str):
            raise mn.ArgumentError(
                f"Schedule: parameter must be a name in trainer.hyper such as 'learning_rate', not {parameter!r}"
            )
        self._takes_value = inspect.isroutine(self.schedule) and _needed(self.schedule) == 2

    def on_train_begin(self, trainer: Any) -> None:
        check_settable("Schedule", trainer, [self.parameter])

    def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
        arguments = [float(epoch), trainer.hyper[self.parameter]][: 2 if self._takes_value else 1]
        trainer.hyper[self.parameter] = float(self.schedule(*arguments))


def _needed(function: Any) -> int:
    """The number of arguments without a default."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(function).parameters.values()
    return sum(p.kind in kinds and p.default is p.empty for p in parameters)
