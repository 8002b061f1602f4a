"""Compiled calls of a model: one plan per signature, the latest one at hand, a bounded number kept."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np

from mathnet._kernels import runner
from mathnet.graph.graph import Graph
from mathnet.graph.op import CAPTURE, VARIABLE
from mathnet.graph.tensor import Node, Tensor
from mathnet.plan import Plan, compile_graph
from mathnet.plugin.host import Runtime
from mathnet.store import Variable, allocate

Built = TypeVar("Built")


class Recent(Generic[Built]):
    """The most recently used things by key, made on demand; safe to use from several threads."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: OrderedDict[Hashable, Built] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Built]) -> Built:
        """What is held under ``key``, made by ``make`` when there is nothing; two threads may both make it, one is kept."""
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
                return found
        made = make()
        with self._lock:
            made = self._items.setdefault(key, made)
            while len(self._items) > self._size:
                self._items.popitem(last=False)
        return made

    def clear(self) -> None:
        with self._lock:
            self._items.clear()

    def __len__(self) -> int:
        return len(self._items)


class Constants:
    """Arrays that a model's graph and layers hold, as variables, so that a plan binds them once instead of at every call.

    An array is copied when it is first met; the copy is shared by all plans for as long as the array lives.
    """

    def __init__(self) -> None:
        self._made: dict[int, tuple[weakref.ref[np.ndarray], Variable]] = {}

    def settle(self, graph: Graph) -> Graph:
        """The graph with its captured arrays turned into variables."""
        if not graph.captures:
            return graph
        return graph.replace(self._settled)

    def _settled(self, node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if node.op is not CAPTURE:
            return None
        variable = self.variable(node.attrs["array"])
        return (VARIABLE(spec=node.attrs["spec"], variable=variable),)

    def variable(self, array: np.ndarray) -> Variable:
        key = id(array)
        found = self._made.get(key)
        if found is None:
            (variable,) = allocate(["constant"], [array.shape], array.dtype, "constant")
            variable.array[...] = array
            # An array that layers make at every trace dies soon, and its id may become another one's.
            alive = weakref.ref(array, lambda _: self._made.pop(key, None))
            found = self._made.setdefault(key, (alive, variable))
        return found[1]


Worded = Callable[[runner.StatusError, Plan, tuple], BaseException]


class BoundCall:
    """A plan, and the object that runs it: ``call(*arrays)``.

    rebind: asked when the arguments are not exactly the plan's; worded: makes the user's exception of a status, None leaves the status.
    """

    __slots__ = ("call", "plan")

    def __init__(
        self,
        graph: Graph,
        rebind: Callable[..., Any],
        runtime: Runtime,
        worded: Worded | None = None,
        lock: runner.StepLock | None = None,
        scalar: bool = False,
        checks: dict[int, Any] | None = None,
        prepared: dict | None = None,
    ) -> None:
        plan = self.plan = compile_graph(
            graph, graph.name, flush=True, prepared=prepared, **runtime.plan_options
        )
        in_words = None if worded is None else lambda error, arguments: worded(error, plan, arguments)
        self.call = plan.call(rebind, lock, scalar, checks, in_words)

    def steps(self, data: Sequence[np.ndarray], rows: np.ndarray, losses: np.ndarray) -> None:
        """One call for each loss, on the next rows of the data; ``completed_steps`` tells how many were done when it fails."""
        runner.run_steps(self.call, data, rows, losses)

    @property
    def completed_steps(self) -> int:
        return self.call.completed_steps

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs as a list."""
        result = self.call(*arrays)
        return [result] if len(self.plan.output_specs) == 1 else list(result)
