"""Graph: inputs, outputs and updates of variables; walked, bound to sizes, verified and printed without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from mathnet.errors import GraphError
from mathnet.graph.dim import Dim, evaluate_shape, show_shape
from mathnet.graph.op import CAPTURE, CONSTANT, INPUT, LEAVES, VARIABLE
from mathnet.graph.tensor import Node, Spec, Tensor


def walk(outputs: Iterable[Tensor], stop: Iterable[Tensor] = ()) -> list[Node]:
    """All nodes that ``outputs`` depend on, each after its inputs, in an order that depends on the graph only.

    Nodes of which every output is in ``stop`` are not entered.
    """
    halted = {id(t) for t in stop}
    seen: set[int] = set()
    order: list[Node] = []
    for output in outputs:
        if id(output) in halted or id(output.node) in seen:
            continue
        stack: list[tuple[Node, int]] = [(output.node, 0)]
        seen.add(id(output.node))
        while stack:
            node, position = stack.pop()
            inputs = node.inputs
            while position < len(inputs):
                tensor = inputs[position]
                position += 1
                if id(tensor.node) not in seen and id(tensor) not in halted:
                    seen.add(id(tensor.node))
                    stack.append((node, position))
                    stack.append((tensor.node, 0))
                    break
            else:
                order.append(node)
    return order


class Rewriter:
    """Rebuilds a graph node by node: ``self[old tensor]`` is the new one.

    ``replace(node, inputs)`` returns the new outputs, or None to rebuild the node over the new inputs as it is
    (the very same node when no input changed).
    """

    def __init__(self, known: Mapping[Tensor, Tensor] | None = None) -> None:
        self._new: dict[int, Tensor] = {}
        self._alive: list[Tensor] = []  # ids stay valid only while their tensors live
        for old, new in (known or {}).items():
            self.set(old, new)

    def set(self, old: Tensor, new: Tensor) -> None:
        self._new[id(old)] = new
        self._alive.append(old)

    def __getitem__(self, old: Tensor) -> Tensor:
        return self._new[id(old)]

    def run(
        self,
        outputs: Sequence[Tensor],
        replace: Callable[[Node, tuple[Tensor, ...]], Sequence[Tensor] | None] | None = None,
        nodes: Sequence[Node] | None = None,
    ) -> list[Tensor]:
        """The new outputs; ``nodes``: the walk to them, where it is known already."""
        new = self._new
        if nodes is None:
            nodes = walk(outputs, stop=list(self._alive))
        for node in nodes:
            inputs = tuple([new[id(t)] for t in node.inputs])
            made = replace(node, inputs) if replace is not None else None
            if made is None:
                made = (
                    node.outputs
                    if all(a is b for a, b in zip(inputs, node.inputs))
                    else rebuild(node, inputs).outputs
                )
            for old, tensor in zip(node.outputs, made):
                if id(old) not in new:
                    new[id(old)] = tensor
                    self._alive.append(old)
        return [new[id(t)] for t in outputs]


def rebuild(node: Node, inputs: tuple[Tensor, ...], attrs: dict[str, Any] | None = None) -> Node:
    """The same operation over other inputs (its shape rule runs again); keeps the user's line."""
    attrs = node.attrs if attrs is None else attrs
    specs = node.op.infer(*[t.spec for t in inputs], **attrs)
    return Node(node.op, inputs, attrs, (specs,) if isinstance(specs, Spec) else tuple(specs), node.site)


def _substitute(value: Any, sizes: Mapping[Dim, int]) -> Any:
    if isinstance(value, Dim):
        return value.evaluate(sizes)
    if type(value) is tuple:
        return tuple([_substitute(v, sizes) for v in value])
    if isinstance(value, Spec):
        return Spec(evaluate_shape(value.shape, sizes), value.dtype, value.weak)
    return value


class Graph:
    """A traced computation.

    inputs: tensors of the operation ``input``; outputs: tensors; updates: (variable, tensor) pairs that become the commit
    part of a plan.  ``nodes`` is the topological order.
    """

    def __init__(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        updates: Sequence[tuple[Any, Tensor]] = (),
        name: str = "graph",
    ) -> None:
        self.inputs, self.outputs, self.updates, self.name = (
            tuple(inputs),
            tuple(outputs),
            tuple(updates),
            name,
        )
        self._nodes: list[Node] | None = None

    @property
    def results(self) -> tuple[Tensor, ...]:
        """Outputs, then the new values of the updated variables."""
        return (*self.outputs, *[tensor for _, tensor in self.updates])

    @property
    def nodes(self) -> list[Node]:
        if self._nodes is None:
            self._nodes = walk(self.results)
        return self._nodes

    @property
    def all_nodes(self) -> list[Node]:
        """The nodes with those in the bodies of loops, each body after its loop."""
        found: list[Node] = []
        for node in self.nodes:
            found.append(node)
            for value in node.attrs.values():
                if isinstance(value, Graph):
                    found += value.all_nodes
        return found

    @property
    def captures(self) -> list[Node]:
        """Nodes that hold arrays found while tracing, in order."""
        return [node for node in self.nodes if node.op is CAPTURE]

    @property
    def variables(self) -> list[Any]:
        """Variables that are read or updated, each once."""
        found = [node.attrs["variable"] for node in self.nodes if node.op is VARIABLE] + [
            v for v, _ in self.updates
        ]
        return list({id(v): v for v in found}.values())

    def replace(
        self,
        f: Callable[[Node, tuple[Tensor, ...]], Sequence[Tensor] | None],
        known: Mapping[Tensor, Tensor] | None = None,
    ) -> Graph:
        """The graph with every node rewritten by ``f`` (see :class:`Rewriter`)."""
        rewriter = Rewriter(known)
        results = rewriter.run(self.results, f, None if known else self.nodes)
        cut = len(self.outputs)
        inputs = [rewriter._new.get(id(t), t) for t in self.inputs]
        return Graph(
            inputs, results[:cut], [(v, t) for (v, _), t in zip(self.updates, results[cut:])], self.name
        )

    def bind(self, sizes: Mapping[Dim, Any], inputs: Sequence[Tensor] | None = None, **mode: Any) -> Graph:
        """The graph with unknown sizes replaced; operations with ``trace(inputs, mode, **attrs)`` are traced into.

        inputs: tensors that take the place of the graph's inputs, which puts the graph into another one.
        """

        def bound(node: Node, inputs: tuple[Tensor, ...]) -> Sequence[Tensor] | None:
            attrs = node.attrs
            if sizes:
                attrs = {key: _substitute(value, sizes) for key, value in attrs.items()}
            for key, value in attrs.items():
                if isinstance(value, Graph) and node.op.bind_body is not None:  # the body of a loop
                    attrs = {**attrs, key: node.op.bind_body(value, sizes, mode)}
            trace = getattr(node.op, "trace", None)
            if trace is not None:
                return trace(inputs, mode, **attrs)
            known_before = attrs.get("value") is node.attrs.get("value")  # a constant may be a size
            if node.op in LEAVES and known_before and attrs["spec"] == node.attrs["spec"]:
                return node.outputs
            if all(a is b for a, b in zip(inputs, node.inputs)) and attrs == node.attrs:
                return None
            return rebuild(node, inputs, attrs).outputs

        known: dict[Tensor, Tensor] = dict(zip(self.inputs, inputs)) if inputs is not None else {}
        for tensor in self.inputs if inputs is None else ():
            spec = _substitute(tensor.spec, sizes)
            if spec != tensor.spec:
                known[tensor] = INPUT(spec=spec, name=tensor.node.attrs.get("name", ""))
        return self.replace(bound, known)

    def verify(self) -> Graph:
        """Checks the graph against the contract of its operations; returns it."""
        nodes = {id(node) for node in self.nodes}
        given = {id(tensor) for tensor in self.inputs}
        for node in self.nodes:
            if node.op is INPUT and id(node.outputs[0]) not in given:
                raise GraphError(
                    f"graph {self.name!r}: input {node.attrs.get('name')!r} is used but is not among the inputs of the graph"
                )
            for tensor in node.inputs:
                if id(tensor.node) not in nodes or tensor.node.outputs[tensor.index] is not tensor:
                    raise GraphError(
                        f"graph {self.name!r}: {node!r} has an input that is no output of a node"
                    )
            specs = node.op.infer(*[t.spec for t in node.inputs], **node.attrs)
            specs = (specs,) if isinstance(specs, Spec) else tuple(specs)
            if specs != tuple(t.spec for t in node.outputs):
                raise GraphError(
                    f"graph {self.name!r}: {node!r} disagrees with its shape rule, which says {specs}"
                )
        for variable, tensor in self.updates:
            if tensor.shape != variable.spec.shape:
                raise GraphError(
                    f"graph {self.name!r}: {variable.name!r} of shape {show_shape(variable.spec.shape)} "
                    f"is assigned a value of shape {show_shape(tensor.shape)}"
                )
        return self

    def key(self) -> tuple:
        """Structural key: equal for graphs that compute the same function of their inputs, captures and variables."""
        number: dict[int, int] = {}
        for tensor in self.inputs:
            number[id(tensor)] = len(number)
        parts: list = [tuple(t.spec._key() for t in self.inputs)]
        for node in self.nodes:
            if node.op is INPUT:
                continue
            attrs = _attr_key(node)
            parts.append(
                (
                    node.op.name if node.op.name else id(node.op),
                    tuple([number[id(t)] for t in node.inputs]),
                    attrs,
                )
            )
            for tensor in node.outputs:
                number[id(tensor)] = len(number)
        parts.append(tuple(number[id(t)] for t in self.results))
        parts.append(tuple(id(v) for v, _ in self.updates))
        return tuple(parts)

    def __str__(self) -> str:
        """One line per node: ``%3 = add(%1, %2) float32(4, 8)``."""
        number: dict[int, str] = {}
        lines = [f"graph {self.name}"]
        for node in self.nodes:
            for tensor in node.outputs:
                number[id(tensor)] = f"%{len(number)}"
            arguments = [number[id(t)] for t in node.inputs]
            for key, value in node.attrs.items():
                if key == "spec":
                    continue
                shown = getattr(value, "name", None) or (
                    f"<array {value.shape}>" if isinstance(value, np.ndarray) else repr(value)
                )
                arguments.append(f"{key}={shown}")
            outputs = ", ".join(number[id(t)] for t in node.outputs)
            lines.append(
                f"  {outputs} = {node.op.name}({', '.join(arguments)}) {', '.join(repr(t.spec) for t in node.outputs)}"
            )
        lines.append("  return " + ", ".join(number[id(t)] for t in self.outputs))
        lines += [f"  {variable.name} ← {number[id(tensor)]}" for variable, tensor in self.updates]
        return "\n".join(lines)


def _attr_key(node: Node) -> Any:
    if not node.attrs:
        return ()
    if node.op is CAPTURE:
        return node.attrs["spec"]._key()
    if node.op is CONSTANT:
        value = node.attrs["value"]
        # 0.0 == -0.0 and 1 == True == 1.0 in Python; they are different constants.
        return (type(value), str(value), node.attrs["spec"]._key())
    if node.op is VARIABLE:
        return id(node.attrs["variable"])
    if node.op.transparent:  # attributes matter to derivatives only, and rules are new objects in every trace
        return ()
    return tuple([(key, _freeze(value)) for key, value in node.attrs.items()])


def _freeze(value: Any) -> Any:
    if isinstance(value, float):
        return ("float", value.hex())
    if isinstance(value, Graph):
        return value.key()
    if isinstance(value, (list, tuple)):
        return tuple([_freeze(v) for v in value])
    if isinstance(value, dict):
        return tuple([(k, _freeze(v)) for k, v in value.items()])
    if isinstance(value, (int, str, bool, bytes, type(None), np.dtype, Dim)):
        return (type(value).__name__, value)
    if isinstance(value, slice):
        return ("slice", value.start, value.stop, value.step)
    return ("object", id(value))
