"""Fusion: which nodes of a graph become one instruction.

Three patterns: a region of elementwise nodes over one iteration shape in one real type; such a region with the reduction that alone
consumes it; a product (matmul, conv2d) with the bias and activation behind it.  The result is a list of units in an order that
respects all dependencies.
"""

from __future__ import annotations

import numpy as np

from mathnet.graph.dtypes import BOOL
from mathnet.graph.graph import Graph
from mathnet.graph.op import CONSTANT, LEAVES
from mathnet.graph.tensor import Node, Tensor

# Limits of one region, within those of the elementwise machine (16 operands, 48 registers): a node may take several registers.
_MAX_OPERANDS = 15
_MAX_NODES = 32
_ACTIVATIONS = ("relu", "tanh", "sigmoid")


class Unit:
    """Nodes that are lowered together.

    kind: "view" (no instruction), "elementwise", "reduce" (a region and its reduction, ``reduction`` is the node), "call" (one node,
    with absorbed ``bias`` tensor and ``activation`` name).  ``outputs``: tensors that others read.
    """

    __slots__ = ("activation", "bias", "inputs", "kind", "nodes", "outputs", "reduction")

    def __init__(self, kind: str, nodes: list[Node]) -> None:
        self.kind, self.nodes = kind, nodes
        self.outputs: list[Tensor] = []
        self.inputs: list[Tensor] = []
        self.bias: Tensor | None = None
        self.activation: str | None = None
        self.reduction: Node | None = None

    def __repr__(self) -> str:
        return f"<{self.kind} {' '.join(n.op.name for n in self.nodes)}>"


def elementwise(node: Node) -> bool:
    return getattr(node.op, "program", None) is not None


def partition(graph: Graph, fusing: bool = True) -> list[Unit]:
    """The units of ``graph`` in an order in which they can run."""
    nodes = [node for node in graph.nodes if node.op not in LEAVES]
    position = {id(node): k for k, node in enumerate(nodes)}
    users: dict[int, list[Node]] = {}
    for node in nodes:
        for tensor in node.inputs:
            users.setdefault(id(tensor), []).append(node)
    kept = {id(t) for t in graph.results}
    merger = _Merger(nodes, position, users, kept)
    if fusing:
        merger.epilogues()
        merger.regions()
        merger.reductions()
    return merger.ordered()


class _Merger:
    def __init__(
        self, nodes: list[Node], position: dict[int, int], users: dict[int, list[Node]], kept: set[int]
    ) -> None:
        self.nodes, self.position, self.users, self.kept = nodes, position, users, kept
        self.unit: dict[int, Unit] = {}
        self.space: dict[int, tuple] = {}  # of elementwise nodes: what must agree inside of a region
        for node in nodes:
            if elementwise(node):
                kind, self.space[id(node)] = "elementwise", (node.outputs[0].shape, _real(node))
            else:
                kind = "view" if node.op.view is not None else "call"
            self.unit[id(node)] = Unit(kind, [node])

    # ---- a product, its bias, its activation ----
    def epilogues(self) -> None:
        """Each step of the chain has one user only, so nothing outside can lie between its members.

        Users of a product's further outputs could: there the activation, which reads the product alone, moves up to it.
        """
        early: dict[int, Node] = {}
        for node in self.nodes:
            if not node.op.absorbs:
                continue
            unit, tail = self.unit[id(node)], node.outputs[0]
            if "bias" in node.op.absorbs:
                add = self._only_user(tail)
                if add is not None and add.op.name == "add" and self._free(add):
                    bias = self._bias_of(node, add, tail)
                    if bias is not None:
                        unit.bias, tail = bias, add.outputs[0]
                        self._join(unit, add)
            if "activation" in node.op.absorbs:
                user = self._only_user(tail)
                known = user is not None and user.op.name in _ACTIVATIONS and self._free(user)
                if user is not None and known and user.outputs[0].spec == tail.spec:
                    unit.activation = user.op.name
                    self._join(unit, user)
                    if len(node.outputs) > 1:
                        early[id(unit.nodes[-2])] = user
        if early:
            moved = {id(node) for node in early.values()}
            stay = [node for node in self.nodes if id(node) not in moved]
            self.nodes = [n for node in stay for n in (node, early.get(id(node))) if n is not None]
            self.position = {id(node): k for k, node in enumerate(self.nodes)}

    def _free(self, node: Node) -> bool:
        """Whether no other product has taken the node: of a sum of two products, each could be the other's bias."""
        return self.unit[id(node)].nodes == [node]

    def _only_user(self, tensor: Tensor) -> Node | None:
        users = self.users.get(id(tensor), [])
        return users[0] if len(users) == 1 and id(tensor) not in self.kept else None

    @staticmethod
    def _bias_of(node: Node, add: Node, tail: Tensor) -> Tensor | None:
        """The other operand of ``add`` when it is one number per index of the product's bias axis."""
        other = add.inputs[1] if add.inputs[0] is tail else add.inputs[0]
        if (
            other is tail
            or add.outputs[0].spec != tail.spec
            or other.dtype != tail.dtype
            or other.node.op is CONSTANT
            or not tail.shape
        ):
            return None
        axis = node.op.bias_axis % tail.ndim  # type: ignore[attr-defined]
        wanted = tuple([tail.shape[k] if k == axis else 1 for k in range(tail.ndim)])
        return other if (1,) * (tail.ndim - other.ndim) + tuple(other.shape) == wanted else None

    def _join(self, unit: Unit, node: Node) -> None:
        unit.nodes.append(node)
        self.unit[id(node)] = unit

    # ---- elementwise regions ----
    def regions(self) -> None:
        """Connected elementwise nodes of one stage.

        A node's stage is as late as its users allow, and every edge that cannot be fused separates stages.  So a path that leaves a region
        never comes back to it, and regions of one stage close no cycle.
        """
        stage: dict[int, int] = {}
        unit_of, users_of, fusable = self.unit, self.users, self._fusable
        for node in reversed(self.nodes):
            unit = unit_of[id(node)]
            if node is not unit.nodes[-1]:
                continue
            latest = 0
            for member in unit.nodes:
                for tensor in member.outputs:
                    for user in users_of.get(id(tensor), ()):
                        if unit_of[id(user)] is not unit:
                            earliest = stage[id(user)] - (not fusable(node, user))
                            if earliest < latest:
                                latest = earliest
            for member in unit.nodes:
                stage[id(member)] = latest
        together = _Sets()
        readers: dict[tuple, Node] = {}
        for node in self.nodes:
            if unit_of[id(node)].kind != "elementwise":
                continue
            shape, real = self.space[id(node)]
            own = stage[id(node)]
            for tensor in node.inputs:
                producer = tensor.node
                if stage.get(id(producer)) == own and fusable(producer, node):
                    together.join(id(producer), id(node))
                if shape and tensor.spec.shape == shape:
                    other = readers.setdefault((id(tensor), own, real), node)
                    if other is not node:
                        together.join(id(other), id(node))
        regions: dict[int, list[Node]] = {}
        for node in self.nodes:
            if self.unit[id(node)].kind == "elementwise":
                regions.setdefault(together.root(id(node)), []).append(node)
        for members in regions.values():
            self._split(members)

    def _fusable(self, producer: Node, user: Node) -> bool:
        """Whether a value can stay in a register: both elementwise, over one shape, in one real type.

        An integer made by a program on floats is cut only when it is stored.
        """
        space = self.space.get(id(producer))
        if space is None or space != self.space.get(id(user)):
            return False
        if self.unit[id(producer)].kind != "elementwise" or self.unit[id(user)].kind != "elementwise":
            return False  # taken by an epilogue
        dtype = producer.outputs[0].spec.dtype
        return dtype == space[1] or dtype == BOOL

    def _split(self, members: list[Node]) -> None:
        """One unit, or several where the machine's limits ask for it: pieces in order, so later ones only read earlier ones."""
        start = 0
        while start < len(members):
            size = min(len(members) - start, _MAX_NODES)
            while not self._fits(members[start : start + size]):
                size = size // 2 + 1  # up to 4 nodes always fit
            self._region(members[start : start + size])
            start += size

    def _fits(self, nodes: list[Node]) -> bool:
        if len(nodes) <= 4:
            return True
        inside = {id(n) for n in nodes}
        outside = {
            id(t) for n in nodes for t in n.inputs if id(t.node) not in inside and t.node.op is not CONSTANT
        }
        leaving = sum(self._leaves_region(n.outputs[0], inside) for n in nodes)
        return len(nodes) <= _MAX_NODES and len(outside) + leaving <= _MAX_OPERANDS

    def _region(self, nodes: list[Node]) -> None:
        unit = Unit("elementwise", list(nodes))
        for node in nodes:
            self.unit[id(node)] = unit

    def _leaves_region(self, tensor: Tensor, members: set[int]) -> bool:
        return id(tensor) in self.kept or any(
            id(user) not in members for user in self.users.get(id(tensor), [])
        )

    # ---- reductions ----
    def reductions(self) -> None:
        """A reduction takes over the nodes of a region that only it needs; the rest of the region stays."""
        for node in self.nodes:
            if getattr(node.op, "reduction", None) is None:
                continue
            source = node.inputs[0]
            if source.node.op in LEAVES or self._only_user(source) is not node or not source.shape:
                continue
            region = self.unit[id(source.node)]
            if (
                region.kind != "elementwise"
                or self.space[id(source.node)][1] != node.outputs[0].dtype
                or source.dtype != node.outputs[0].dtype
            ):
                continue
            taken = {id(source.node)}
            for member in reversed(region.nodes):
                if id(member) not in taken and not self._leaves_region(member.outputs[0], taken):
                    taken.add(id(member))
            unit = Unit("reduce", [n for n in region.nodes if id(n) in taken])
            region.nodes = [n for n in region.nodes if id(n) not in taken]
            unit.reduction = node
            for member in unit.nodes:
                self.unit[id(member)] = unit
            self._join(unit, node)

    # ---- order ----
    def ordered(self) -> list[Unit]:
        """Units sorted so that each comes after those it reads, deterministically, near the order of the graph."""
        units = list({id(self.unit[id(n)]): self.unit[id(n)] for n in self.nodes}.values())
        for unit in units:
            members = {id(n) for n in unit.nodes}
            unit.nodes.sort(key=lambda n: self.position[id(n)])
            seen: dict[int, Tensor] = {}
            for n in unit.nodes:
                for t in n.inputs:
                    if id(t.node) not in members:
                        seen[id(t)] = t
            unit.inputs = list(seen.values())
            unit.outputs = [t for n in unit.nodes for t in n.outputs if self._leaves_region(t, members)]
        entered: set[int] = set()
        result: list[Unit] = []
        for root in units:
            if id(root) in entered:
                continue
            entered.add(id(root))
            stack: list[tuple[Unit, int]] = [(root, 0)]
            while stack:
                unit, k = stack.pop()
                while k < len(unit.inputs):
                    source = self.unit.get(id(unit.inputs[k].node))  # None: a leaf
                    k += 1
                    if source is not None and id(source) not in entered:
                        entered.add(id(source))
                        stack.append((unit, k))
                        stack.append((source, 0))
                        break
                else:
                    result.append(unit)
        return result


def _real(node: Node) -> np.dtype:
    return node.op.real([t.spec for t in node.inputs], node.outputs[0].spec)  # type: ignore[attr-defined]


class _Sets:
    """Disjoint sets of ids (union–find with path halving)."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, a: int) -> int:
        parent = self._parent
        while parent.setdefault(a, a) != a:
            parent[a] = a = parent[parent[a]]
        return a

    def join(self, a: int, b: int) -> None:
        self._parent[self.root(b)] = self.root(a)
