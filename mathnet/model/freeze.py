"""Frozen models: for inference only, with weights that cannot be written and whatever follows from them computed beforehand."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.dim import Dim
from mathnet.graph.graph import Graph
from mathnet.graph.op import CAPTURE
from mathnet.graph.tensor import Node, Tensor
from mathnet.model.calls import BoundCall
from mathnet.model.folding import constant_parts, scaled_weights
from mathnet.model.model import Model
from mathnet.plan import compile_graph


class FrozenModel(Model):
    """What :meth:`Model.freeze` gives: the model as it is now, independent of the one that it came from.

    What depends on weights and running values alone is computed once when a plan is made; a batch normalisation after a dense or
    convolutional layer becomes part of that layer's weights, so results may differ from the original's by rounding.  Small weights of
    convolutions are kept in transformed form too, and those of dense layers in the order in which one example reads them.
    Weights cannot be written and a Trainer refuses the model.  Pickles and copies are frozen too; a file loads as a Model.
    """

    __slots__ = ()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._folded: dict[Any, np.ndarray] = {}
        self._prepared = {}  # weights as kernels like them best
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
        graph = scaled_weights(graph)
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
