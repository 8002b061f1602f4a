"""Frozen models: for inference only, with weights that cannot be written and whatever follows from them computed beforehand."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.dim import Dim
from mathnet.graph.graph import Graph
from mathnet.graph.op import CAPTURE, CONSTANT, VARIABLE
from mathnet.graph.tensor import Node, Tensor
from mathnet.model.calls import BoundCall
from mathnet.model.model import Model
from mathnet.plan import compile_graph

_SOURCES = (VARIABLE, CAPTURE, CONSTANT)


class FrozenModel(Model):
    """What :meth:`Model.freeze` gives: the model as it is now, independent of the one that it came from.

    What depends on weights and running values alone, such as γ/√(σ² + ε) of a batch normalisation, is computed once when a plan is
    made.  Weights cannot be written and a Trainer refuses the model.  Pickles and copies are frozen too; a file loads as a Model.
    """

    __slots__ = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._folded: dict[Any, np.ndarray] = {}
        for _, variable in self.named_variables():
            variable.trainable = False
            variable.array.flags.writeable = False

    def freeze(self) -> FrozenModel:
        """Itself."""
        return self

    def _bind(self, sizes: Mapping[Dim, int], training: bool) -> BoundCall:
        if training:
            raise ArgumentError(f"frozen {self._owner}: it has inference mode only; call the original model")
        return super()._bind(sizes, training)

    def settled(self, graph: Graph) -> Graph:
        """The graph ready for its plan: constant parts are arrays."""
        return super().settled(self._with_constants(graph))

    def _with_constants(self, graph: Graph) -> Graph:
        wanted = constant_parts(graph)
        if not wanted:
            return graph
        keys = [Graph((), [tensor]).key() for tensor in wanted]
        missing = {key: tensor for key, tensor in zip(keys, wanted) if key not in self._folded}
        if missing:
            part = Graph((), list(missing.values()), name="constant parts")
            plan = compile_graph(part, **self.runtime.plan_options)
            values = plan([], [node.attrs["array"] for node in part.captures])
            self._folded.update(zip(missing, values))
        places = {id(tensor): self._folded[key] for key, tensor in zip(keys, wanted)}

        def replaced(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            array = places.get(id(node.outputs[0]))
            return None if array is None else (CAPTURE(spec=node.outputs[0].spec, array=array),)

        return graph.replace(replaced)


def freeze(model: Model) -> FrozenModel:
    """See :meth:`Model.freeze`."""
    with model.lock:
        state = copy.deepcopy(model.__getstate__())
    frozen = FrozenModel.__new__(FrozenModel)
    frozen.__setstate__(state)
    return frozen


def constant_parts(graph: Graph) -> list[Tensor]:
    """Results that depend on variables and constants alone and that others, which depend on more, or nobody use.

    Operations with effects (draws, code of the host) and those that make more elements than they read are left in the plan.
    """
    constant: set[int] = set()
    for node in graph.nodes:
        if node.op in _SOURCES:
            constant.add(id(node))
        elif (
            node.inputs
            and len(node.outputs) == 1
            and not node.op.effects
            and all(id(t.node) in constant for t in node.inputs)
        ):
            largest = max(_count(t) for t in node.inputs)
            if _count(node.outputs[0]) <= largest and node.outputs[0].spec.dtype.kind == "f":
                constant.add(id(node))
    used = [t for node in graph.nodes if id(node) not in constant for t in node.inputs]
    found: dict[int, Tensor] = {}
    for tensor in (*used, *graph.outputs):
        if id(tensor.node) in constant and tensor.node.op not in _SOURCES:
            found[id(tensor)] = tensor
    return list(found.values())


def _count(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64))
