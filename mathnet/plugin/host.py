"""Runtime: plugins, registry, random state and thread budget of one embedding, as a value."""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any
from weakref import WeakSet

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.plugin.loader import Loader
from mathnet.plugin.offers import Plugin
from mathnet.plugin.records import Record
from mathnet.plugin.registry import Registry

#: The Runtimes that were entered in this context, the current one last.
_entered: ContextVar[tuple[Runtime, ...]] = ContextVar("mathnet_runtimes", default=())
#: The number of the current Runtime: what functions that keep a plan at hand compare, without holding on to the Runtime.
_token: ContextVar[int] = ContextVar("mathnet_runtime_token", default=0)
current_token = _token.get
_tokens = itertools.count(1)
_default: Runtime | None = None
_default_lock = threading.Lock()


class Runtime:
    """Everything that would otherwise be global.

    Parameters
    ----------
    plugins: modules, module names or decorated objects to use, besides the standard plugin; a broken one raises PluginError.
    autoload: whether installed plugins are found through their entry points.
    allow, block: names of the distributions that may, or may not, be loaded in this way; block wins, and a blocked plugin is not
        imported.  None: MATHNET_PLUGINS and MATHNET_BLOCK.  A name that no installed plugin has is a PluginError.
    strict: whether an installed plugin that cannot be used raises PluginError instead of being warned of.  None: MATHNET_STRICT.
    threads: worker threads of a parallel step; None: MATHNET_NUM_THREADS, else the CPUs that affinity and quota allow.
    seed: of initial weights and of draws outside trainers; None: a fresh one.

    ``with runtime:`` makes it the current one in this context (thread or coroutine); new threads start with the default.

    >>> import mathnet as mn
    >>> runtime = mn.Runtime(autoload=False, threads=1, seed=0)
    >>> with runtime:
    ...     layer = mn.layers.Dense(3)
    """

    def __init__(
        self,
        plugins: Iterable[Any] = (),
        autoload: bool = True,
        threads: int | None = None,
        seed: int | None = None,
        *,
        allow: Iterable[str] | None = None,
        block: Iterable[str] | None = None,
        strict: bool | None = None,
    ) -> None:
        if threads is not None and (
            isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1
        ):
            raise ArgumentError(f"Runtime: threads must be a positive integer or None, not {threads!r}")
        self._threads = None if threads is None else int(threads)
        self.token = next(_tokens)
        self._count_lock = threading.Lock()
        self.reseed(seed)
        self._loader = Loader(autoload, allow, block, strict)
        self._loader.load_named([plugins] if isinstance(plugins, str) else list(plugins))

    def like(
        self, *, plugins: Iterable[Any] = (), threads: int | None = None, seed: int | None = None
    ) -> Runtime:
        """A new Runtime that knows the plugins of this one, and ``plugins`` besides; nothing else is shared."""
        loader = self._loader
        return Runtime(
            [*loader.named, *plugins], loader.autoload, threads, seed,
            allow=loader.allow, block=loader.block, strict=loader.strict,
        )  # fmt: skip

    # ---- plugins -------------------------------------------------------------------------------------------------------
    @property
    def registry(self) -> Registry:
        return self._loader.registry

    def register(self, obj: Any) -> Any:
        """Registers a decorated object, or a plugin module, in this Runtime; the same object again does nothing; returns ``obj``."""
        self._loader.load_named([obj])
        return obj

    def unregister(self, obj: Any) -> None:
        """Takes out what was registered in this Runtime; what it replaced is found again.  Raises PluginError when it is not there."""
        self._loader.unregister(obj)

    @contextmanager
    def registered(self, *objects: Any) -> Iterator[None]:
        """Registers objects and plugin modules within a ``with`` block; what was registered before stays so after it."""
        entered = self._loader.enter_scope(objects)
        try:
            yield
        finally:
            self._loader.leave_scope(entered)

    def offered_by(self, plugin: Any) -> list[Record]:
        """The records that a plugin module or object, one that is loaded, offers."""
        return self._loader.offered_by(plugin)

    def plugins(self) -> list[Plugin]:
        """Every plugin with its keys, or with the error that keeps it from being used; loads all of them."""
        self._loader.load_standard()
        self._loader.load_installed()
        return list(self._loader.plugins)

    # ---- random state --------------------------------------------------------------------------------------------------
    def reseed(self, seed: int | None) -> None:
        """Starts the random state anew."""
        if seed is not None and (
            isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64
        ):
            raise ArgumentError(f"seed must be an integer from 0 to 2**64 - 1 or None, not {seed!r}")
        with self._count_lock:
            self.seed = int.from_bytes(os.urandom(8), "little") if seed is None else int(seed)
            self.count = 0

    def next_count(self) -> int:
        """The number of draws made before, outside trainers: takes the place of the step in their key."""
        with self._count_lock:
            count = self.count
            self.count += 1
        return count

    def generator(self) -> np.random.Generator:
        """A NumPy generator for one initial weight: a function of seed and counter."""
        return np.random.default_rng([self.seed, self.next_count()])

    # ---- threads -------------------------------------------------------------------------------------------------------
    @property
    def threads(self) -> int:
        """The thread budget."""
        if self._threads is not None:
            return self._threads
        from mathnet._kernels import runner

        try:
            return runner.threads()
        except ValueError as error:
            raise ArgumentError(str(error)) from None

    # ---- plans ----
    @cached_property
    def workspaces(self) -> Any:
        """Idle workspaces of the plans of this Runtime, bounded in bytes."""
        from mathnet._kernels import runner

        return runner.WorkspacePool()

    @cached_property
    def _plans(self) -> Any:
        from mathnet.plan import PlanCache

        return PlanCache()

    @property
    def plan_options(self) -> dict[str, Any]:
        """Keywords for ``compile_graph``: thread budget (0: the process's) and workspaces."""
        return {"threads": self._threads or 0, "workspaces": self.workspaces}

    def plan_for(self, graph: Any) -> Any:
        """The plan for the structure of ``graph`` from this Runtime's bounded cache; it takes the captures of ``graph``."""
        return self._plans.get(graph, **self.plan_options)

    @cached_property
    def _array_calls(self) -> dict[Callable, OrderedDict[tuple, Any]]:
        return {}

    def array_calls(self, function: Callable) -> OrderedDict[tuple, Any]:
        """What calls of an array function made in this Runtime, by the signature of their arguments."""
        found = self._array_calls.get(function)
        return self._array_calls.setdefault(function, OrderedDict()) if found is None else found

    @cached_property
    def traced(self) -> WeakSet[Any]:
        """The ``mn.function``s that keep plans of this Runtime; each has a method ``forget(runtime)``."""
        return WeakSet()

    def close(self) -> None:
        """Gives up the plans of functions and all idle working memory; what is used again afterwards is made again.

        Models keep their own plans.  Worker threads belong to the process: a Runtime only bounds how many of them take part.
        """
        for entries in (
            self._array_calls.values()
        ):  # emptied, not dropped: functions hold on to those of the default Runtime
            entries.clear()
        for function in list(self.traced):
            function.forget(self)
        self._plans.clear()
        self.workspaces.max_idle_bytes = 0

    # ---- being current -------------------------------------------------------------------------------------------------
    def __enter__(self) -> Runtime:
        _entered.set((*_entered.get(), self))
        _token.set(self.token)
        return self

    def __exit__(self, *exception: object) -> None:
        outer = _entered.get()[:-1]
        _entered.set(outer)
        _token.set(outer[-1].token if outer else 0)

    def __repr__(self) -> str:
        return f"<Runtime with {len(self._loader.plugins)} plugins loaded, seed {self.seed}>"


def current_runtime() -> Runtime:
    """The Runtime of this context; the default one is made on first use."""
    entered = _entered.get()
    return entered[-1] if entered else default_runtime()


def default_runtime() -> Runtime:
    """The Runtime that is current where no other was entered."""
    global _default
    if _default is None:
        with _default_lock:
            if _default is None:
                made = Runtime()
                made.token = 0
                _default = made
    return _default


def seed(value: int) -> None:
    """Seeds initial weights and draws outside trainers, in the current Runtime.

    >>> import mathnet as mn
    >>> mn.seed(0)
    """
    current_runtime().reseed(value)


def register(obj: Any) -> Any:
    """Registers a decorated object in the current Runtime; usable without packaging anything.

    Another object under a used key is a PluginError; the same object again does nothing.  Returns ``obj``.

    >>> import mathnet as mn
    >>> @mn.activation("cube")
    ... def cube(x):
    ...     return x ** 3
    >>> _ = mn.register(cube)
    """
    return current_runtime().register(obj)


def unregister(obj: Any) -> None:
    """Takes out what ``mn.register`` put into the current Runtime.  Raises PluginError when it is not there.

    >>> import mathnet as mn
    >>> fourth = mn.register(mn.activation("fourth_power")(lambda x: x ** 4))
    >>> mn.unregister(fourth)
    """
    current_runtime().unregister(obj)


def registered(*objects: Any) -> AbstractContextManager[None]:
    """Registers decorated objects or plugin modules in the current Runtime within a ``with`` block.

    >>> import mathnet as mn
    >>> fifth = mn.activation("fifth_power")(lambda x: x ** 5)
    >>> with mn.registered(fifth):
    ...     float(mn.activations.get("fifth_power")(2.0))
    32.0
    """
    return current_runtime().registered(*objects)
