"""Rules of update: an optimizer with its settings, for all parameters or for a group of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, MathnetError, ShapeError, nearest
from mathnet.graph.dim import show_shape
from mathnet.graph.op import as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import Trace
from mathnet.model.slots import Adjustable, HyperParameters
from mathnet.plugin.registry import resolve
from mathnet.store import Variable


class Rule:
    """An optimizer whose settings are slots of ``hyper``, and its learning rate.

    prefix: what the names of its slots start with; base: the rule whose slots it shares but for the settings named in ``own``.
    """

    def __init__(
        self,
        optimizer: Any,
        hyper: HyperParameters,
        prefix: str = "",
        base: Rule | None = None,
        own: Sequence[str] = (),
    ) -> None:
        self.used = resolve("optimizer", optimizer, "optimizer")
        label = type(self.used).__name__
        self.label = f"optimizer {label}"
        if not callable(getattr(self.used, "update", None)) or not callable(getattr(self.used, "init", None)):
            raise ArgumentError(
                f"{self.label}: a Trainer needs init(param) and update(param, grad, state, learning_rate), or minimize(…)"
            )
        if not hasattr(self.used, "learning_rate"):
            raise ArgumentError(
                f"{self.label} has no attribute learning_rate; set self.learning_rate = learning_rate in __init__"
            )
        shared = {} if base is None else {n: v for n, v in base.slots.items() if n not in own}
        self.optimizer: Adjustable = Adjustable(self.used, prefix, hyper, shared)
        self.rate: Adjustable | Variable
        if base is not None and "learning_rate" not in own:
            self.rate = base.rate
        else:
            self.rate = self._resolved_rate(hyper, prefix + "learning_rate")

    def _resolved_rate(self, hyper: HyperParameters, name: str) -> Adjustable | Variable:
        rate = self.used.learning_rate
        if isinstance(rate, (int, float, np.integer, np.floating)) and not isinstance(rate, bool):
            return hyper.slot(name) if name in hyper else hyper.add(name, float(rate))
        schedule = resolve("schedule", rate, f"{self.label}: learning_rate")
        if schedule is None:
            raise ArgumentError(f"{self.label}: learning_rate must be a number or a schedule, not None")
        return Adjustable(schedule, f"{name}.", hyper)

    @property
    def slots(self) -> dict[str, Variable]:
        """The slots of the optimizer's settings by name."""
        return self.optimizer.slots

    def within(self, trace: Trace) -> Any:
        """The optimizer as a trace sees it."""
        return self.optimizer.within(trace)

    def rate_at(self, trace: Trace, step: Tensor) -> Tensor:
        """The learning rate of a step, a scalar tensor."""
        if isinstance(self.rate, Variable):
            return trace.read(self.rate)
        rate = as_tensor(self.rate.within(trace)(step))
        if rate.shape != ():
            raise ShapeError(
                f"schedule {self.rate.label!r} must give a single number, but gave shape {show_shape(rate.shape)}"
            )
        return rate


class Rules:
    """The rule of each parameter: that of the first group whose pattern its name matches, else the common one.

    groups: a mapping from patterns of parameter names (``"dense/*"``, ``"*/bias"``; ``*`` and ``?`` as in a shell) to
    settings of the optimizer that differ there, ``{"dense/*": {"learning_rate": 1e-4}}``.  They are slots of their own, named
    ``"dense/*.learning_rate"``; all other settings stay the common ones.
    """

    def __init__(
        self,
        optimizer: Any,
        names: Sequence[str],
        hyper: HyperParameters,
        groups: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.common = Rule(optimizer, hyper)
        if groups is not None and not isinstance(groups, Mapping):
            raise ArgumentError(
                "groups must be a mapping from patterns of names to settings, such as "
                f'{{"dense/*": {{"learning_rate": 1e-4}}}}, not {type(groups).__name__}'
            )
        self._groups = {
            pattern: self._group(pattern, settings, names, hyper)
            for pattern, settings in (groups or {}).items()
        }

    def __iter__(self) -> Iterator[Rule]:
        yield self.common
        yield from self._groups.values()

    def of(self, name: str) -> Rule:
        """The rule of the parameter of that name."""
        for pattern, rule in self._groups.items():
            if fnmatchcase(name, pattern):
                return rule
        return self.common

    def _group(self, pattern: str, settings: Any, names: Sequence[str], hyper: HyperParameters) -> Rule:
        where = f"groups[{pattern!r}]"
        if not isinstance(pattern, str) or not any(fnmatchcase(name, pattern) for name in names):
            raise ArgumentError(
                f"{where}: no trained parameter has such a name{nearest(str(pattern), names)}; there are: {', '.join(names)}"
            )
        if not isinstance(settings, Mapping) or not settings:
            raise ArgumentError(
                f'{where} must be a mapping of settings such as {{"learning_rate": 1e-4}}, not {settings!r}'
            )
        used = self.common.used
        known = [n for n in inspect.signature(type(used)).parameters if hasattr(used, n)]
        for name in settings:
            if name not in known:
                raise ArgumentError(
                    f"{where}: {type(used).__name__} has no setting {name!r}{nearest(str(name), known)}; it has: {', '.join(known)}"
                )
        try:
            changed = type(used)(**{**{n: getattr(used, n) for n in known}, **settings})
            return Rule(changed, hyper, f"{pattern}.", self.common, tuple(settings))
        except MathnetError as error:
            error.args = (f"{where}: {error}",)
            raise
