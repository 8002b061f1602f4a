"""Records: what a decorator says about an object that can be looked up by kind and key.  One frozen type per kind.

A record carries the key and version that model files store, how a configured object is made from it, and what the
conformance kit needs to know (``gradient``, ``static``).
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from mathnet.errors import ArgumentError, PluginError, nearest
from mathnet.plugin.examples import examples

RECORD_ATTRIBUTE = "__mathnet_record__"
_KEY = re.compile(r"[a-z][a-z0-9_]*")


class Sample:
    """One way to use a plugin object, for the conformance kit: ``mn.Sample((6, 5), filters=3)``.

    inputs: for each input the shape of one example, which stands for normal numbers, or an array of examples; of objects that take no
    examples (regularizers, operations) the shape or the array itself.  config: the settings.  Text settings may hold
    ``{folder}``, which becomes the name of an empty folder.

    >>> import mathnet as mn
    >>> mn.Sample((4,), units=3)
    Sample((4,), units=3)
    """

    __slots__ = ("config", "inputs")

    def __init__(self, *inputs: Any, **config: Any) -> None:
        self.inputs, self.config = inputs, config

    def __repr__(self) -> str:
        shown = [repr(x) if isinstance(x, tuple) else f"array {getattr(x, 'shape', x)}" for x in self.inputs]
        return f"Sample({', '.join([*shown, *(f'{name}={value!r}' for name, value in self.config.items())])})"


@dataclasses.dataclass(frozen=True)
class Record:
    """A registered object.

    key: name in snake_case; object: the function or class; version: raised by the author when the meaning changes; name: the
    attribute in the kind's namespace (``mn.losses.MSE``); distribution, distribution_version, module: where it comes from;
    gradient: ``"surrogate"`` declares a straight-through derivative; replaces: the distribution whose object of the same key
    gives way; yields: whether it gives way itself to any other object of its key; static: constructor arguments that are constants of a
    plan although they are floats; samples: ways to use it, or a function that returns them; promises: properties that the
    conformance kit proves; upgrade: the settings of this version from those of an older one; direction: of a metric, which values are
    better, ``"max"`` or ``"min"``.
    """

    key: str
    object: Any
    version: int = 1
    name: str = ""
    distribution: str | None = None
    distribution_version: str | None = None
    module: str = ""
    gradient: str | None = None
    replaces: str | None = None
    yields: bool = False
    static: tuple[str, ...] = ()
    samples: Sequence[Sample] | Callable[[], Sequence[Sample]] = ()
    promises: tuple[str, ...] = ()
    upgrade: Callable[[dict[str, Any], int], dict[str, Any]] | None = None
    direction: str | None = None

    kind: ClassVar[str]
    plural: ClassVar[str]
    #: Positional arguments that a function of this kind is called with; what follows them are its settings.
    arguments: ClassVar[tuple[str, ...]] = ()
    #: Whether these are data: examples, which may be lists and bools too when they are no tensors.
    takes_examples: ClassVar[bool] = False
    #: What may be decorated: "function", "class" or both.
    takes: ClassVar[tuple[str, ...]] = ("function", "class")
    #: For classes: the classes in mathnet.plugin.bases of which they must extend one.
    base: ClassVar[tuple[str, ...]] = ()
    #: For classes without such a base: alternatives of method names, one of which must be there completely.
    methods: ClassVar[tuple[tuple[str, ...], ...]] = ()
    #: Properties that an object of this kind may promise.
    known_promises: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not _KEY.fullmatch(self.key):
            raise PluginError(
                f"@mn.{self.kind}: the key must be a name in snake_case such as 'group_lasso', not {self.key!r}"
            )
        if isinstance(self.version, bool) or not isinstance(self.version, int) or self.version < 1:
            raise PluginError(
                f"@mn.{self.kind}({self.key!r}): version must be a positive integer, not {self.version!r}"
            )
        if self.gradient not in (None, "surrogate"):
            raise PluginError(
                f"@mn.{self.kind}({self.key!r}): gradient must be 'surrogate' or left out, not {self.gradient!r}"
            )
        for promise in self.promises:
            if promise not in self.known_promises:
                offered = ", ".join(self.known_promises) or "nothing"
                raise PluginError(
                    f"@mn.{self.kind}({self.key!r}): unknown promise {promise!r}{nearest(promise, self.known_promises)}; "
                    f"this kind may promise {offered}"
                )
        if self.direction is not None and (self.kind != "metric" or self.direction not in ("max", "min")):
            raise PluginError(
                f"@mn.{self.kind}({self.key!r}): direction says which values of a metric are better, 'max' or 'min', "
                f"not {self.direction!r}" + ("" if self.kind == "metric" else f"; a {self.kind} has none")
            )
        self.check()

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.object)

    def check(self) -> None:
        """Raises PluginError when the object cannot be one of this kind."""
        found = (
            "class" if self.is_class else "function" if callable(self.object) else type(self.object).__name__
        )
        if found not in self.takes:
            raise PluginError(
                f"@mn.{self.kind}({self.key!r}): a {' or '.join(self.takes)} is needed, not {self.object!r}"
            )
        if not self.is_class:
            positional = [
                p for p in _parameters(self.object) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            ]
            open_ended = any(p.kind is p.VAR_POSITIONAL for p in _parameters(self.object))
            if len(positional) < len(self.arguments) and not open_ended:
                raise PluginError(
                    f"@mn.{self.kind}({self.key!r}): the function must take ({', '.join(self.arguments)}, …), "
                    f"but its signature is {inspect.signature(self.object)}"
                )
        elif self.base:
            from mathnet.plugin import bases

            if not issubclass(self.object, tuple([getattr(bases, name) for name in self.base])):
                wanted = " or ".join(f"mn.{name}" for name in self.base)
                raise PluginError(
                    f"@mn.{self.kind}({self.key!r}): class {self.object.__name__} must be a subclass of {wanted}"
                )
        elif self.methods and not any(
            all(callable(getattr(self.object, m, None)) for m in group) for group in self.methods
        ):
            wanted = ", or ".join(" and ".join(f"{m}()" for m in group) for group in self.methods)
            raise PluginError(
                f"@mn.{self.kind}({self.key!r}): class {self.object.__name__} must have {wanted}"
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Names of the settings and their defaults (``inspect.Parameter.empty`` when there is none)."""
        skip = 0 if self.is_class else len(self.arguments)
        return {
            p.name: p.default
            for p in _parameters(self.object)[skip:]
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        }

    @cached_property
    def _plain(self) -> Configured:
        return Configured(self, self._bind((), {}))

    def make(self, *values: Any, **config: Any) -> Any:
        """The object for one use: an instance of a class, a :class:`Configured` for a function."""
        if self.is_class:
            self._check_names(config)
            return self.object(*values, **config)
        if not values and not config:
            return self._plain
        return Configured(self, self._bind(values, config))

    def _check_names(self, config: Mapping[str, Any]) -> None:
        settings = self.settings
        for name in config:
            if name not in settings and not any(p.kind is p.VAR_KEYWORD for p in _parameters(self.object)):
                known = f"its settings are {', '.join(settings)}" if settings else "it has no settings"
                raise ArgumentError(
                    f"{self.kind} {self.key!r} has no setting {name!r}{nearest(name, settings)}; {known}"
                )

    def _bind(self, values: tuple, config: Mapping[str, Any]) -> dict[str, Any]:
        """All settings: the given ones in their places, defaults for the others."""
        settings = self.settings
        if len(values) > len(settings):
            raise ArgumentError(
                f"{self.kind} {self.key!r} takes {len(settings)} settings ({', '.join(settings)}), but {len(values)} values were given"
            )
        given = dict(zip(settings, values))
        for name in config:
            if name in given:
                raise ArgumentError(f"{self.kind} {self.key!r}: setting {name!r} was given twice")
        self._check_names(config)
        full = {**settings, **given, **config}
        for name, value in full.items():
            if value is inspect.Parameter.empty:
                raise ArgumentError(
                    f"{self.kind} {self.key!r}: setting {name!r} has no default and must be given"
                )
        return full

    def __repr__(self) -> str:
        origin = f" from {self.distribution}" if self.distribution else ""
        return f"<{self.kind} {self.key!r} v{self.version}{origin}>"


@lru_cache(maxsize=4096)
def _parameters(obj: Callable) -> tuple[inspect.Parameter, ...]:
    try:
        return tuple(inspect.signature(obj).parameters.values())
    except ValueError:  # a built-in without a signature takes what it takes
        free = inspect.Parameter
        return (free("arguments", free.VAR_POSITIONAL), free("settings", free.VAR_KEYWORD))


class ActivationRecord(Record):
    """``f(x, **settings)`` → a tensor of the shape of x, or with fewer elements along one axis where it promises that it ``narrows``.

    For an activation with parameters a Layer class.
    """

    kind, plural, arguments = "activation", "activations", ("x",)
    known_promises = ("bounded", "monotone", "odd", "narrows")


class RegularizerRecord(Record):
    """``f(w, **settings)`` → a scalar that is added to the loss."""

    kind, plural, arguments = "regularizer", "regularizers", ("w",)
    known_promises = ("non_negative", "zero_at_zero")


class ConstraintRecord(Record):
    """``f(w, **settings)`` → the admissible weight nearest to w; applied after each update."""

    kind, plural, arguments = "constraint", "constraints", ("w",)


class LossRecord(Record):
    """``f(y_pred, y_true, **settings)`` → one value per example, or (values, weights) per example."""

    kind, plural, arguments, takes_examples = "loss", "losses", ("y_pred", "y_true"), True


class MetricRecord(Record):
    """``f(y_pred, y_true, **settings)`` → one value per example, averaged over examples with their weights; or a subclass of
    mathnet.Metric, whose figure comes from sums over the examples.
    """

    kind, plural, arguments, base = "metric", "metrics", ("y_pred", "y_true"), ("Metric",)
    takes_examples = True


class ScheduleRecord(Record):
    """``f(step, **settings)`` → the rate at ``step``; the first update is step 0."""

    kind, plural, arguments = "schedule", "schedules", ("step",)


class InitializerRecord(Record):
    """``f(shape, rng, **settings)`` → ndarray; rng: numpy.random.Generator."""

    kind, plural, arguments = "initializer", "initializers", ("shape", "rng")


class OptimizerRecord(Record):
    """A class with ``init(param)`` and ``update(param, grad, state, learning_rate)``, or with ``minimize(evaluate, theta, state)``.

    The constructor's ``learning_rate`` is kept as an attribute when ``__init__`` does not do it: ``update`` is given it as an argument.
    """

    kind, plural, takes, methods = "optimizer", "optimizers", ("class",), (("init", "update"), ("minimize",))

    def check(self) -> None:
        super().check()
        if "learning_rate" in self.settings:
            _keep_argument(self.object, "learning_rate")


def _keep_argument(made: type, name: str) -> None:
    """Lets the constructor of ``made`` set the attribute ``name`` to the argument of that name when it leaves it unset."""
    constructor = made.__init__  # type: ignore[misc]
    signature = inspect.signature(constructor)

    @functools.wraps(constructor)
    def keeping(self: Any, *args: Any, **kwargs: Any) -> None:
        constructor(self, *args, **kwargs)
        if not hasattr(self, name):
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            setattr(self, name, bound.arguments[name])

    made.__init__ = keeping  # type: ignore[misc]


class LayerRecord(Record):
    """A subclass of mathnet.Layer."""

    kind, plural, takes, base = "layer", "layers", ("class",), ("Layer",)


class CallbackRecord(Record):
    """A subclass of mathnet.Callback."""

    kind, plural, takes, base = "callback", "callbacks", ("class",), ("Callback",)


class OpRecord(Record):
    """A function of tensors and keyword settings built from other operations, or a subclass of mathnet.HostOp (NumPy code) or
    mathnet.KernelOp (a compiled kernel).
    """

    kind, plural, base = "op", "ops", ("HostOp", "KernelOp")

    def check(self) -> None:
        super().check()
        from mathnet.plugin.bases import KernelOp

        if self.is_class and issubclass(self.object, KernelOp):
            self.object.find_kernels(self.key)  # now, so that a table that cannot be used is refused by name


class DistributionRecord(Record):
    """A class of probability distributions with ``log_prob(x)`` and ``sample(shape=(), seed=None)``.

    Its constructor takes the parameters.  It may have more: ``cdf``, ``entropy``, ``rsample``, ``fit``, ``mean``, ``variance``, ``stddev``.
    """

    kind, plural, takes = "distribution", "distributions", ("class",)
    methods = (("log_prob", "sample"),)


class FormatRecord(Record):
    """A class with ``suffixes`` and ``write(model, path)``, ``read(path)`` or both."""

    kind, plural, takes, methods = "format", "formats", ("class",), (("write",), ("read",))

    def check(self) -> None:
        super().check()
        suffixes = getattr(self.object, "suffixes", None)
        if (
            not isinstance(suffixes, (tuple, list))
            or not suffixes
            or any(not isinstance(s, str) or not re.fullmatch(r"\.[a-z0-9][a-z0-9._-]*", s) for s in suffixes)
        ):
            raise PluginError(
                f"@mn.format({self.key!r}): class {self.object.__name__} must have suffixes, a tuple of lower-case file suffixes "
                f"such as ('.npz',), not {suffixes!r}"
            )


class ReportRecord(Record):
    """``f(model, **settings)`` → a ``mn.Report``, or a text; ``model`` is a model or a trainer."""

    kind, plural, arguments = "report", "reports", ("model",)


KINDS: dict[str, type[Record]] = {
    record.kind: record
    for record in (
        ActivationRecord, RegularizerRecord, ConstraintRecord, LossRecord, MetricRecord, ScheduleRecord, InitializerRecord,
        OptimizerRecord, LayerRecord, CallbackRecord, OpRecord, DistributionRecord, FormatRecord, ReportRecord,
    )
}  # fmt: skip


class Configured:
    """A registered function with its settings fixed: ``mn.regularizers.L2(1e-4)``, ``mn.activations.get("swish", beta=2.0)``.

    ``config`` holds every setting, defaults included; call it with the arguments of its kind.  Keywords of a call override
    settings, which is how a Trainer puts its scalar slots in their places.
    """

    __slots__ = ("config", "record")

    def __init__(self, record: Record, config: dict[str, Any]) -> None:
        self.record, self.config = record, config

    @property
    def kind(self) -> str:
        return self.record.kind

    @property
    def key(self) -> str:
        return self.record.key

    @property
    def __name__(self) -> str:
        return self.record.key

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        record = self.record
        if record.takes_examples:
            arguments = tuple(
                [examples(x, f"{record.key}: {name}") for x, name in zip(arguments, record.arguments)]
            ) + tuple(arguments[len(record.arguments) :])
        try:
            return record.object(*arguments, **{**self.config, **settings})
        except Exception as error:
            from mathnet.plugin.blame import blame

            blame(error, record)
            raise

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Configured)
            and self.record.object is other.record.object
            and self.config == other.config
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.key))

    def __repr__(self) -> str:
        return f"{public_name(self.record)}({', '.join(f'{name}={value!r}' for name, value in self.config.items())})"


def record_of(obj: Any) -> Record | None:
    """The record that a decorator attached to this very object (not to a base class), or None."""
    if isinstance(obj, Configured):
        return obj.record
    return getattr(obj, "__dict__", {}).get(RECORD_ATTRIBUTE)


def record_of_instance(obj: Any) -> Record | None:
    """The record of an object in use: of a Configured, a decorated function, or the class of an instance."""
    return record_of(obj) or record_of(type(obj))


def direction_of(metric: Any) -> str | None:
    """Which values of a metric are better, "max" or "min"; None when it does not say."""
    record = record_of_instance(metric)
    declared = record.direction if record is not None else None
    return declared or getattr(metric, "direction", None)


def config_of(obj: Any) -> dict[str, Any]:
    """The settings that make ``obj`` again: of a Configured or a Layer the captured ones, else the attributes named like
    the arguments of the constructor."""
    made_by: Any = type(obj)
    captured = getattr(obj, "config", None)
    if isinstance(captured, dict):
        return captured
    if inspect.isfunction(obj):
        return {}
    names = [p.name for p in _parameters(made_by) if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    missing = [name for name in names if not hasattr(obj, name)]
    if missing:
        raise PluginError(
            f"{type(obj).__name__} cannot be stored: its constructor takes {missing[0]!r}, but the object has no attribute of that name; "
            f"set self.{missing[0]} in __init__"
        )
    return {name: getattr(obj, name) for name in names}


def cap_words(key: str) -> str:
    """``group_lasso`` → ``GroupLasso``."""
    return "".join(part[:1].upper() + part[1:] for part in key.split("_"))


def snake_case(name: str) -> str:
    """``GroupLasso`` → ``group_lasso``, ``Conv2D`` → ``conv2d``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z0-9])(?=[A-Z][a-z])", "_", name).lower()


def public_name(record: Record) -> str:
    """The attribute under which a record stands in its namespace."""
    return record.name or (record.object.__name__ if record.is_class else cap_words(record.key))
