"""The commit part of a plan: which updates are made in place, and where what they read must lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mathnet.graph.graph import Graph
from mathnet.graph.op import LEAVES, VARIABLE
from mathnet.graph.tensor import Tensor
from mathnet.plan.emit import Buffer, View, dense_strides
from mathnet.transform.fuse import Unit

# Operations that give every dense array another shape, in the same memory.
_RESHAPES = ("reshape", "expand_dims", "squeeze")

Place = tuple[int, int]  # a variable's memory: (id of its buffer, offset)


class CommitPart:
    """Elementwise units that write variables in place, after everything that may fail.

    Such a unit makes new values of variables and nothing else, reads its variables only at the index that it writes,
    and no other unit of the commit part reads them.  All other updates are computed before and copied.

    units: unit → {id of an output: the view of its variable}; placed: id of a tensor → the view it must be written to.
    """

    def __init__(self, graph: Graph, units: Sequence[Unit], memory_of: Callable[[Any], View]) -> None:
        self._memory_of = memory_of
        self.units: dict[Unit, dict[int, View]] = self._candidates(graph, units)
        self._drop_conflicts()
        self.placed = self._align_with_segments({id(t) for t in graph.outputs})

    def _candidates(self, graph: Graph, units: Sequence[Unit]) -> dict[Unit, dict[int, View]]:
        variables: dict[int, list[Any]] = {}
        for variable, tensor in graph.updates:
            variables.setdefault(id(tensor), []).append(variable)
        used = {id(t) for t in graph.outputs} | {id(t) for unit in units for t in unit.inputs}
        chosen = {}
        for unit in units:
            if unit.kind != "elementwise" or not unit.outputs:
                continue
            if any(len(variables.get(id(t), ())) != 1 or id(t) in used for t in unit.outputs):
                continue
            targets = {id(t): self._memory_of(variables[id(t)][0]) for t in unit.outputs}
            alike = all(
                targets[id(t)].dtype == t.dtype and targets[id(t)].shape == t.shape for t in unit.outputs
            )
            if alike and self._same_index(unit, targets):
                chosen[unit] = targets
        return chosen

    def _place(self, variable_tensor: Tensor) -> Place:
        view = self._memory_of(variable_tensor.node.attrs["variable"])
        return id(view.buffer), view.offset

    def _same_index(self, unit: Unit, targets: dict[int, View]) -> bool:
        written = {(id(v.buffer), v.offset) for v in targets.values()}
        for tensor in unit.inputs:
            root = _root(tensor)
            if root is not tensor and root.node.op is VARIABLE and self._place(root) in written:
                return False
        return True

    def _drop_conflicts(self) -> None:
        """Takes units out until no variable written in place is read by another unit of the commit part."""
        reads = {
            unit: {self._place(root) for root in map(_root, unit.inputs) if root.node.op is VARIABLE}
            for unit in self.units
        }
        readers: dict[Place, int] = {}
        for places in reads.values():
            for place in places:
                readers[place] = readers.get(place, 0) + 1
        for unit, targets in list(self.units.items()):
            written = [(id(v.buffer), v.offset) for v in targets.values()]
            if any(readers.get(place, 0) > (place in reads[unit]) for place in written):
                del self.units[unit]
                for place in reads[unit]:
                    readers[place] -= 1

    def _align_with_segments(self, results: set[int]) -> dict[int, View]:
        """Places what updates of one segment read (gradients) at the offsets of the variables that they write.

        Then the instructions of neighbouring variables differ by one shift, and :mod:`mathnet.plan.merge` makes one of them.
        """
        alike: dict[tuple, list[tuple[Unit, View]]] = {}
        for unit, targets in self.units.items():
            target = targets[id(unit.outputs[0])]
            names = tuple([node.op.name for node in unit.nodes])
            alike.setdefault((id(target.buffer), names, len(unit.inputs)), []).append((unit, target))
        placed: dict[int, View] = {}
        for members in alike.values():
            for k in range(len(members[0][0].inputs) if len(members) > 1 else 0):
                block = Buffer("arena", members[0][1].buffer.nbytes)
                for unit, target in members:
                    tensor = unit.inputs[k]
                    if tensor.shape != target.shape or tensor.dtype != target.dtype:
                        continue
                    while tensor.node.op.name in _RESHAPES:
                        tensor = tensor.node.inputs[0]
                    if tensor.node.op in LEAVES or tensor.node.op.view is not None or id(tensor) in results:
                        continue
                    place = View(
                        block, target.offset, tensor.shape, dense_strides(tensor.shape), tensor.dtype
                    )
                    placed.setdefault(id(tensor), place)
        return placed


def _root(tensor: Tensor) -> Tensor:
    """The tensor whose memory ``tensor`` is a view of."""
    while tensor.node.op.view is not None and tensor.node.inputs:
        tensor = tensor.node.inputs[0]
    return tensor
