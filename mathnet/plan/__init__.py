"""Graph → plan: fusion and lowering, memory, execution.

:func:`compile_graph` makes a plan; a :class:`PlanCache` finds one by the structure of the graph.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any

from mathnet.graph.graph import Graph
from mathnet.graph.op import CAPTURE
from mathnet.plan.plan import Plan, Profile

CACHE_SIZE = 512

__all__ = ["Plan", "PlanCache", "Profile", "compile_graph"]


def compile_graph(
    graph: Graph,
    name: str = "",
    flush: bool = False,
    threads: int = 0,
    fusing: bool = True,
    workspaces: Any = None,
    prepared: dict | None = None,
) -> Plan:
    """A new plan for a graph whose sizes are all known.

    threads: 0 means the process's budget; flush: denormals count as zero; prepared: given where weights never change, what kernels
    made of them for this and other plans.
    """
    return Plan(graph, name, flush, threads, fusing, workspaces, prepared)


class PlanCache:
    """Plans by the structure of their graphs; the least recently used one is dropped when there are too many."""

    def __init__(self, size: int = CACHE_SIZE) -> None:
        self.size = size
        self._plans: OrderedDict[tuple, Plan] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._plans)

    def get(self, graph: Graph, **options: Any) -> Plan:
        """The plan of a graph of this structure, made when there is none.

        Arrays that the graph captured are inputs of the plan: give it this graph's captures, not those of the graph that made it.
        """
        key = (graph.key(), tuple(sorted(options.items())))
        with self._lock:
            plan = self._plans.get(key)
            if plan is not None:
                self._plans.move_to_end(key)
                return plan
        plan = Plan(_without_arrays(graph), **options)
        with self._lock:
            self._plans[key] = plan
            while len(self._plans) > self.size:
                self._plans.popitem(last=False)
        return plan

    def clear(self) -> None:
        with self._lock:
            self._plans.clear()


def _without_arrays(graph: Graph) -> Graph:
    """The graph with captures that hold no array, so that a cached plan keeps no data alive."""
    return graph.replace(
        lambda node, inputs: (CAPTURE(spec=node.attrs["spec"], array=None),) if node.op is CAPTURE else None
    )
