"""Lowering: units of a graph become instructions over views, the commit part last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.graph import Graph
from mathnet.graph.op import CAPTURE, CONSTANT, OPS, VARIABLE
from mathnet.graph.tensor import Node, Tensor
from mathnet.plan.commit import CommitPart
from mathnet.plan.draws import find_draws
from mathnet.plan.elementwise import emit_program
from mathnet.plan.emit import Buffer, Emitter, Instruction, View, dense_strides
from mathnet.plan.merge import merge_updates
from mathnet.plan.program import Program, Value
from mathnet.plan.schedule import release_early
from mathnet.transform.fuse import Unit, partition


class Draft:
    """Instructions with views instead of addresses; from ``commit`` on they change variables."""

    def __init__(self, instructions: list[Instruction], commit: int) -> None:
        self.instructions, self.commit = instructions, commit


class Lowering:
    """Lowers one simplified graph."""

    def __init__(
        self,
        graph: Graph,
        captures: Sequence[Node],
        compile_body: Any,
        fusing: bool = True,
        prepared: dict | None = None,
        in_place: int = 0,
    ) -> None:
        self.graph, self._in_place = graph, in_place
        self._captures = {id(node): index for index, node in enumerate(captures)}
        self.emit = Emitter(compile_body, None if graph.updates else prepared)
        self.units = partition(graph, fusing)
        self.views: dict[int, View] = {}
        self.kept: dict[int, tuple[View, ...]] = {}
        self._segments: dict[int, Buffer] = {}
        self._constants: dict[tuple, View] = {}
        self._output_of: dict[int, int] = {}
        for index, tensor in enumerate(graph.outputs[in_place:], in_place):
            self._output_of.setdefault(id(tensor), index)
        for index, tensor in enumerate(graph.outputs[in_place:], in_place):
            self._output_of.setdefault(id(_unshaped(tensor)), index)
        self._placed: dict[int, View] = {}
        self._draws = find_draws(self.units, graph.results)
        self._forward_keeps = self._find_kept()

    def run(self) -> Draft:
        self._bind_leaves()
        part = CommitPart(self.graph, self.units, self._variable)
        commit_units, self._placed = part.units, {**part.placed, **self._written_at_once()}
        for unit in self.units:
            if unit not in commit_units:
                self._lower(unit)
        self._finish_outputs()
        copies = self._updates_by_copy(commit_units)
        commit = len(self.emit.instructions)
        for unit, targets in commit_units.items():
            self._lower(unit, targets)
        merged = merge_updates(self.emit, commit)
        self.emit.instructions[commit:] = merged
        for source, target, nodes in copies:
            self.emit.nodes = nodes
            self.emit.copy(source, target)
        return Draft(release_early(self.emit.instructions, commit), commit)

    # ---- leaves ----
    def _bind_leaves(self) -> None:
        for index, tensor in enumerate(self.graph.inputs):
            self._leaf(tensor, "input", index)
        for node in self.graph.nodes:
            if node.op is CAPTURE and id(node) in self._captures:
                self._leaf(node.outputs[0], "capture", self._captures[id(node)])
            elif node.op is CAPTURE:  # an expansion's own array
                self.views[id(node.outputs[0])] = self._array(node.attrs["array"])
            elif node.op is VARIABLE:
                self.views[id(node.outputs[0])] = self._variable(node.attrs["variable"])

    def _leaf(self, tensor: Any, kind: str, index: int) -> None:
        view = View(Buffer(kind, 0, index), 0, tensor.shape, dense_strides(tensor.shape), tensor.dtype)
        view.buffer.nbytes = view.nbytes
        self.views[id(tensor)] = view

    @staticmethod
    def _array(array: np.ndarray) -> View:
        array = np.ascontiguousarray(array)
        buffer = Buffer("fixed", array.nbytes, array=array)
        return View(buffer, 0, array.shape, dense_strides(array.shape), array.dtype)

    def _variable(self, variable: Any) -> View:
        segment = variable.segment
        buffer = self._segments.get(id(segment))
        if buffer is None:
            buffer = self._segments[id(segment)] = Buffer("fixed", segment.data.nbytes, array=segment.data)
        return View(buffer, variable.offset, variable.shape, dense_strides(variable.shape), variable.dtype)

    def view_of(self, tensor: Tensor) -> View:
        if tensor.node.op is CONSTANT:
            value, dtype = tensor.node.attrs["value"], tensor.dtype
            key = (str(value), dtype)
            if key not in self._constants:
                array = np.asarray(value, dtype).reshape(1)
                self._constants[key] = View(Buffer("fixed", array.nbytes, array=array), 0, (), (), dtype)
            return self._constants[key]
        return self.views[id(tensor)]

    # ---- updates ----
    def _updates_by_copy(
        self, commit_units: dict[Unit, dict[int, View]]
    ) -> list[tuple[View, View, tuple[Node, ...]]]:
        """(computed value, variable) pairs of the other updates; values that alias a variable are saved first."""
        in_place = {id(t) for unit in commit_units for t in unit.outputs}
        copies: list[tuple[View, View, tuple[Node, ...]]] = []
        for variable, tensor in self.graph.updates:
            if id(tensor) in in_place:
                continue
            source, target = self.view_of(tensor), self._variable(variable)
            self.emit.nodes = (tensor.node,)
            there = source.buffer is target.buffer and source.offset == target.offset
            if there and (tensor.node.op is VARIABLE or id(tensor) in self._placed):
                continue
            if source.buffer.kind == "fixed" and tensor.node.op is not CONSTANT:
                saved = self.emit.temporary(source.shape, source.dtype)
                self.emit.copy(source, saved)
                source = saved
            copies.append(
                (
                    source if source.shape == target.shape else source.broadcast(target.shape),
                    target,
                    (tensor.node,),
                )
            )
        return copies

    def _written_at_once(self) -> dict[int, View]:
        """Id of a result → the variable whose memory it is written to as it is computed; see :attr:`Op.at_once`."""
        read = [t for unit in self.units for node in unit.nodes for t in node.inputs] + list(
            self.graph.outputs
        )
        readers = Counter(id(t.node.attrs["variable"]) for t in read if t.node.op is VARIABLE)
        found = {}
        for variable, tensor in self.graph.updates:
            node = tensor.node
            if node.op.at_once and node.inputs[0].node.op is VARIABLE:
                if node.inputs[0].node.attrs["variable"] is variable and readers[id(variable)] == 1:
                    found[id(tensor)] = self._variable(variable)
        return found

    # ---- units ----
    def _target(self, tensor: Tensor) -> View:
        """Where a tensor that an instruction makes is put."""
        placed = self._placed.get(id(tensor))
        if placed is not None:
            return placed
        index = self._output_of.get(id(tensor))
        if index is None:
            return self.emit.temporary(tensor.shape, tensor.dtype)
        view = View(Buffer("output", 0, index), 0, tensor.shape, dense_strides(tensor.shape), tensor.dtype)
        view.buffer.nbytes = view.nbytes
        return view

    def _lower(self, unit: Unit, targets: dict[int, View] | None = None) -> None:
        self.emit.nodes = tuple(unit.nodes)
        if unit.kind == "elementwise":
            self._elementwise(unit, targets or {})
        elif unit.kind == "reduce":
            self._reduce(unit)
        elif unit.kind == "view":
            self._view(unit.nodes[0])
        elif getattr(unit.nodes[0].op, "reduction", None) is not None:
            self._reduce(unit)
        else:
            self._call(unit)

    def _view(self, node: Node) -> None:
        source = self.view_of(node.inputs[0])
        made = node.op.view(source, **node.attrs)  # type: ignore[misc]
        if made is None:
            made = node.op.view(self.emit.dense(source), **node.attrs)  # type: ignore[misc]
        self.views[id(node.outputs[0])] = made

    def _program(
        self, nodes: Sequence[Node], outputs: Sequence[Tensor]
    ) -> tuple[Program, list[View], list[Tensor]]:
        first = nodes[0]
        program = Program(first.op.real([t.spec for t in first.inputs], first.outputs[0].spec))  # type: ignore[attr-defined]
        values: dict[int, Value] = {}
        views: list[View] = []
        tensors: list[Tensor] = []
        for node in nodes:
            arguments = []
            for tensor in node.inputs:
                value = values.get(id(tensor))
                if value is None:
                    if tensor.node.op is CONSTANT:
                        value = program.number(tensor.node.attrs["value"])
                    else:
                        value = program.input()
                        views.append(self.view_of(tensor))
                        tensors.append(tensor)
                    values[id(tensor)] = value
                arguments.append(value)
            values[id(node.outputs[0])] = node.op.program(program, *arguments, **node.attrs)  # type: ignore[attr-defined]
        program.outputs = [values[id(t)] for t in outputs]
        return program, views, tensors

    def _elementwise(self, unit: Unit, targets: dict[int, View]) -> None:
        program, views, tensors = self._program(unit.nodes, unit.outputs)
        outputs = [targets.get(id(t)) or self._target(t) for t in unit.outputs]
        kept = [k for k, t in enumerate(tensors) if self._draws.get(id(t)) is unit]
        program.outputs += [program.inputs[k] for k in kept]
        outputs += [self.emit.temporary(tensors[k].shape, tensors[k].dtype) for k in kept]
        shared = [
            (i, o)
            for o, target in enumerate(outputs)
            for i, view in enumerate(views)
            if target.buffer is view.buffer and target.buffer.kind == "fixed" and _overlap(target, view)
        ]
        emit_program(self.emit, program, unit.outputs[0].shape, views, outputs, shared=shared)
        for tensor, view in zip([*unit.outputs, *[tensors[k] for k in kept]], outputs):
            self.views[id(tensor)] = view

    def _reduce(self, unit: Unit) -> None:
        """A reduction of a region, or of a plain tensor (a region of one copy): one kernel, so fused and unfused bits are equal."""
        node = unit.reduction or unit.nodes[0]
        source, result = node.inputs[0], node.outputs[0]
        region = [n for n in unit.nodes if n is not node]
        if region:
            program, views, _ = self._program(region, [source])
        else:
            program = Program(OPS["cast"].real([source.spec], result.spec))  # type: ignore[attr-defined]
            program.outputs.append(program("copy", program.input()))
            views = [self.view_of(source)]
        axes = node.op.axes(source.spec, **node.attrs)  # type: ignore[attr-defined]
        target = self._target(result)
        kept = tuple([1 if axis in axes else n for axis, n in enumerate(source.shape)])
        emit_program(
            self.emit, program, source.shape, views, [target.with_shape(kept)], node.op.reduction, axes
        )  # type: ignore[attr-defined]
        self.views[id(result)] = target

    def _call(self, unit: Unit) -> None:
        node = unit.nodes[0]
        keywords = dict(node.attrs)
        if id(node.outputs[0]) in self._draws:
            counters = [self.view_of(t) for t in node.inputs]
            self.views[id(node.outputs[0])] = node.op.drawn(self.emit, counters, **keywords)  # type: ignore[attr-defined]
            return
        if unit.bias is not None:
            bias = self.view_of(unit.bias)
            keywords["bias"] = self.emit.dense(bias).with_shape((bias.size,))
        if unit.activation is not None:
            keywords["activation"] = unit.activation
        outputs = node.outputs
        if unit.nodes[-1] is not node:  # the epilogue's result stands for the first output
            outputs = (unit.nodes[-1].outputs[0], *outputs[1:])
        views = tuple([self._target(t) for t in outputs])
        inputs = tuple([self.view_of(t) for t in node.inputs])
        extra = self._forward_keeps.get(id(node))
        if extra == "keeps":
            specs = node.op.kept(*[t.spec for t in node.inputs], **node.attrs)  # type: ignore[attr-defined]
            self.kept[id(node)] = tuple([self.emit.temporary(s.shape, s.dtype) for s in specs])
            node.op.lower_keeping(self.emit, inputs, views + self.kept[id(node)], **keywords)  # type: ignore[attr-defined]
        else:
            if isinstance(extra, Node):
                keywords["kept"] = self.kept[id(extra)]
            node.op.lower(self.emit, inputs, views, **keywords)  # type: ignore[misc]
        for tensor, view in zip(outputs, views):
            self.views[id(tensor)] = view

    # ---- kept values ----
    def _find_kept(self) -> dict[int, Any]:
        """Forward nodes that must keep more than their outputs ("keeps"), and for each vjp node the forward node it draws from."""
        found: dict[int, Any] = {}
        known = {id(n) for unit in self.units for n in unit.nodes}
        for unit in self.units:
            node = unit.nodes[0]
            uses = getattr(node.op, "uses_kept", None)
            if uses is None:
                continue
            forward = uses(node)
            if forward is not None and id(forward) in known:
                found[id(forward)] = "keeps"
                found[id(node)] = forward
        return found

    # ---- results ----
    def _finish_outputs(self) -> None:
        """Copies results that no instruction wrote in place: views, leaves and tensors returned twice."""
        views = [self.view_of(tensor) for tensor in self.graph.outputs]
        for index, (tensor, view) in enumerate(zip(self.graph.outputs, views)):
            if self._in_place and view.buffer.kind == "input" and view.buffer.index < self._in_place:
                self.emit.nodes = (tensor.node,)  # another output may be written over it first
                views[index] = self.emit.temporary(view.shape, view.dtype)
                self.emit.copy(view, views[index])
        for index, (tensor, view) in enumerate(zip(self.graph.outputs, views)):
            own = view.buffer.kind == "output" and view.buffer.index == index
            if own and view.dense and view.size == tensor.size and view.dtype == tensor.dtype:
                continue
            self.emit.nodes = (tensor.node,)
            target = View(
                Buffer("output", 0, index), 0, tensor.shape, dense_strides(tensor.shape), tensor.dtype
            )
            target.buffer.nbytes = target.nbytes
            self.emit.copy(view if view.shape == tensor.shape else view.broadcast(tensor.shape), target)


def _unshaped(tensor: Tensor) -> Tensor:
    """What a result is computed as, before reshapes, which leave the elements where they are."""
    while tensor.node.op.name == "reshape":
        tensor = tensor.node.inputs[0]
    return tensor


def _overlap(a: View, b: View) -> bool:
    return a.offset < b.offset + b.size and b.offset < a.offset + a.size


__all__ = ["Draft", "Lowering"]
