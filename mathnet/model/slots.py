"""Slots: the scalars of a training that plans read at run time, so that they may change without a new plan."""

from __future__ import annotations

import copy
import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError, UnknownKeyError, nearest
from mathnet.graph.dim import show_shape
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.plugin.records import Configured, record_of_instance
from mathnet.plugin.registry import resolve
from mathnet.store import Variable, allocate


def slot(name: str, value: float = 0.0) -> Variable:
    """A float64 scalar that takes the type of the arrays it meets."""
    (variable,) = allocate([name], [()], np.float64, "slot", weak=True)
    variable.array[...] = value
    return variable


class HyperParameters(Mapping[str, float]):
    """``trainer.hyper``: numeric settings by name; setting one holds from the next step on.

    Settings of the optimizer stand under their own name (``learning_rate``), those of a schedule, loss or regularizer under
    ``learning_rate.gamma``, ``loss.delta``, ``dense/kernel.strength``.
    """

    def __init__(self) -> None:
        self._slots: dict[str, Variable] = {}
        self._refused: dict[str, str] = {}  # why a setting may not be set

    def add(self, name: str, value: float) -> Variable:
        if name in self._slots:
            raise ArgumentError(f"two settings of this training are named {name!r}; leave one of them out")
        self._slots[name] = slot(name, value)
        return self._slots[name]

    def slot(self, name: str) -> Variable:
        if name not in self._slots:
            known = ", ".join(self._slots) or "none"
            raise UnknownKeyError(
                f"no hyper-parameter is named {name!r}{nearest(name, self._slots)}; there are: {known}"
            )
        return self._slots[name]

    def refuse(self, variable: Variable, reason: str) -> None:
        """From now on the setting in ``variable`` keeps its value; ``reason`` tells why and what to do instead."""
        self._refused.update({name: reason for name, held in self._slots.items() if held is variable})

    def refused(self, name: str) -> str | None:
        """Why the setting may not be set; None when it may."""
        return self._refused.get(name)

    def __getitem__(self, name: str) -> float:
        return float(self.slot(name).array)

    def __setitem__(self, name: str, value: float) -> None:
        variable = self.slot(name)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float, np.integer, np.floating))
            or math.isnan(value)
        ):
            raise ArgumentError(f"hyper-parameter {name!r} must be a number, not {value!r}")
        if name in self._refused and value != self[name]:
            raise ArgumentError(f"hyper-parameter {name!r} cannot be set to {value:g}: {self._refused[name]}")
        variable.array[...] = value

    def __contains__(self, name: object) -> bool:
        return name in self._slots

    def __iter__(self) -> Iterator[str]:
        return iter(self._slots)

    def __len__(self) -> int:
        return len(self._slots)

    def __repr__(self) -> str:
        return f"<hyper-parameters {', '.join(f'{name}={self[name]:g}' for name in self)}>"


class Adjustable:
    """A loss, regularizer, schedule or optimizer in use, whose float settings are slots.

    prefix: what their names start with; hyper: where they are kept; None leaves the settings constants; shared: slots of another
    one that hold some of the settings.
    """

    def __init__(
        self,
        used: Any,
        prefix: str,
        hyper: HyperParameters | None,
        shared: Mapping[str, Variable] = MappingProxyType({}),
    ) -> None:
        self.used = used
        self.slots: dict[str, Variable] = {}
        if hyper is not None:
            for name, value in float_settings(used).items():
                self.slots[name] = shared[name] if name in shared else hyper.add(prefix + name, value)

    @property
    def label(self) -> str:
        return label_of(self.used)

    def within(self, trace: Trace) -> Any:
        """The object as a trace sees it: its float settings are tensors."""
        if not self.slots:
            return self.used
        values = {name: trace.read(variable) for name, variable in self.slots.items()}
        if isinstance(self.used, Configured):
            return functools.partial(self.used, **values)
        seen = copy.copy(self.used)
        for name, value in values.items():
            setattr(seen, name, value)
        return seen


class Scheduled:
    """Hyper-parameters that are functions of the step: ``{"momentum": schedule}``.

    In a training step their slots read as the schedule's value; afterwards ``hyper`` shows the value of the last step.
    """

    def __init__(self, schedules: Mapping[str, Any] | None, hyper: HyperParameters) -> None:
        if schedules is not None and not isinstance(schedules, Mapping):
            raise ArgumentError(
                f'schedules must be a mapping such as {{"learning_rate": lambda step: 0.1 / (step + 1.0)}}, not {type(schedules).__name__}'
            )
        self._schedules: list[tuple[str, Variable, Adjustable]] = []
        self.updates: list[tuple[Variable, Tensor]] = []
        for name, given in (schedules or {}).items():
            variable = hyper.slot(name)
            schedule = resolve("schedule", given, f"schedules[{name!r}]")
            if not callable(schedule):
                raise ArgumentError(f"schedules[{name!r}] must be a schedule, not {given!r}")
            reason = hyper.refused(name)
            if reason is not None:
                raise ArgumentError(f"schedules[{name!r}] would have no effect: {reason}")
            self._schedules.append((name, variable, Adjustable(schedule, f"{name}.", hyper)))
        for name, variable, _ in self._schedules:
            hyper.refuse(variable, f"a schedule sets it; change the settings of the schedule, {name}.…")

    def enter(self, trace: Trace, step: Tensor) -> None:
        """Within ``trace`` the slots are the schedules' values at ``step``."""
        self.updates = []
        for name, variable, schedule in self._schedules:
            value = as_tensor(schedule.within(trace)(step))
            if value.shape != ():
                raise ShapeError(
                    f"schedules[{name!r}] must give a single number, but gave shape {show_shape(value.shape)}"
                )
            trace.substitute(variable, value)
            self.updates.append((variable, FUNCTIONS["cast"](value, np.dtype(np.float64))))


def float_settings(used: Any) -> dict[str, float]:
    """Settings whose values are floats, or integers where the default is a float; without those declared ``static``."""
    record = record_of_instance(used)
    static = record.static if record is not None else ()
    if isinstance(used, Configured):
        values, defaults = used.config, used.record.settings
    elif inspect.isfunction(used) or inspect.isclass(used):
        return {}
    else:
        parameters = inspect.signature(type(used)).parameters
        values = {name: getattr(used, name) for name in parameters if hasattr(used, name)}
        defaults = {name: p.default for name, p in parameters.items()}
    found = {}
    for name, value in values.items():
        whole = (
            isinstance(value, int) and not isinstance(value, bool) and isinstance(defaults.get(name), float)
        )
        if name not in static and (isinstance(value, (float, np.floating)) or whole):
            found[name] = float(value)
    return found


def label_of(used: Any) -> str:
    """The name that users know an object by: its key, or that of its function or class."""
    record = record_of_instance(used)
    if record is not None:
        return record.key
    return getattr(used, "__name__", None) or type(used).__name__
