"""Evaluates graphs in float64 NumPy, one operation after the other, by the oracles of the operations.

It shares nothing with the plan and the kernels, so it is what they are compared with.  Floats of either width are computed as
float64, integers as int64.  Every value is held against the shape and the kind of element that the graph states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mathnet.graph.graph import Graph, walk
from mathnet.graph.op import CAPTURE, CONSTANT, INPUT, VARIABLE, Op
from mathnet.graph.tensor import Node, Tensor


class InterpreterError(AssertionError):
    """An operation has no oracle, or its value contradicts its shape rule."""


def widened(value: Any) -> np.ndarray:
    """``value`` as float64, int64 or bool."""
    array = np.asarray(value)
    kinds = {"f": np.float64, "i": np.int64, "u": np.int64, "b": np.bool_}
    if array.dtype.kind not in kinds:
        raise InterpreterError(f"elements of type {array.dtype} have no meaning in a graph")
    return array.astype(kinds[array.dtype.kind])


def evaluate(
    graph: Graph, inputs: Sequence[Any] = (), variables: Mapping[Any, Any] | None = None
) -> list[np.ndarray]:
    """The outputs of ``graph``, then the new values of its updates.

    inputs: arrays for ``graph.inputs``; variables: values that stand in for the stored ones.
    """
    return run(graph.results, dict(zip(graph.inputs, inputs, strict=True)), variables)


def run(
    outputs: Sequence[Tensor], known: Mapping[Tensor, Any], variables: Mapping[Any, Any] | None = None
) -> list[np.ndarray]:
    """The values of ``outputs`` when the tensors in ``known`` have the given ones."""
    values = {id(tensor): widened(value) for tensor, value in known.items()}
    for node in walk(outputs, stop=list(known)):
        if all(id(t) in values for t in node.outputs):
            continue
        made = _leaf(node, variables or {}) if not node.inputs else None
        if made is None:
            with np.errstate(all="ignore"):
                made = _apply(node, [values[id(t)] for t in node.inputs])
        for tensor, value in zip(node.outputs, made, strict=True):
            values.setdefault(id(tensor), _checked(node, tensor, value))
    return [values[id(t)] for t in outputs]


def _leaf(node: Node, variables: Mapping[Any, Any]) -> tuple | None:
    if node.op is CAPTURE:
        return (node.attrs["array"],)
    if node.op is CONSTANT:
        return (np.asarray(node.attrs["value"], node.outputs[0].dtype),)
    if node.op is VARIABLE:
        variable = node.attrs["variable"]
        return (variables.get(variable, variable.array),)
    if node.op is INPUT:
        raise InterpreterError(f"input {node.attrs.get('name')!r} has no value")
    return None


def _apply(node: Node, arrays: list[np.ndarray]) -> tuple:
    rule = _RULES.get(node.op.name)
    if rule is not None:
        return rule(arrays, **node.attrs)
    if type(node.op).oracle is not Op.oracle:
        made = node.op.oracle(*arrays, **node.attrs)
    elif node.op.expansion is not None:
        simpler = node.op.expansion(*node.inputs, **node.attrs)
        simpler = (simpler,) if isinstance(simpler, Tensor) else tuple(simpler)
        return tuple(run(simpler, dict(zip(node.inputs, arrays))))
    else:
        raise InterpreterError(f"operation {node.op.name!r} has neither an oracle nor an expansion")
    return made if isinstance(made, tuple) else (made,)


def _checked(node: Node, tensor: Tensor, value: Any) -> np.ndarray:
    array = widened(value)
    if array.shape != tensor.shape:
        raise InterpreterError(
            f"{node!r}: the oracle gives shape {array.shape}, the shape rule says {tensor.shape}"
        )
    kind = "i" if tensor.dtype.kind == "u" else tensor.dtype.kind
    if array.dtype.kind != kind:
        raise InterpreterError(f"{node!r}: the oracle gives {array.dtype}, the type rule says {tensor.dtype}")
    return array


# ---- operations that hold graphs ------------------------------------------------------------------------------------------


def _custom_vjp(arrays: list[np.ndarray], results: int, **attrs: Any) -> tuple:
    return tuple(arrays[:results])


def _scan(
    arrays: list[np.ndarray],
    body: Graph,
    length: int,
    reverse: bool,
    n_carry: int,
    n_xs: int,
    index: bool,
    stacked: tuple[bool, ...],
) -> tuple:
    """The loop, turn by turn; stacks in the order of the axis, as :class:`mathnet.ops.scan.Scan` states."""
    carries, xs, constants = arrays[:n_carry], arrays[n_carry : n_carry + n_xs], arrays[n_carry + n_xs :]
    stacks = [[carry] for carry in carries]
    ys: list[list[np.ndarray]] = [[] for _ in body.outputs[n_carry:]]
    for turn in range(length):
        j = length - 1 - turn if reverse else turn
        position = [np.float64(j)] if index else []
        results = evaluate(body, [*carries, *[x[j] for x in xs], *constants, *position])
        carries = results[:n_carry]
        for stack, carry in zip(stacks, carries):
            stack.append(carry)
        for y, value in zip(ys, results[n_carry:]):
            y.append(value)
    if reverse:
        stacks, ys = [s[::-1] for s in stacks], [y[::-1] for y in ys]
    empty = [np.zeros((0, *t.shape)) for t in body.outputs[n_carry:]]
    return (
        *carries,
        *[np.stack(y) if y else e for y, e in zip(ys, empty)],
        *[np.stack(s) for s, keep in zip(stacks, stacked) if keep],
    )


_RULES: dict[str, Callable[..., tuple]] = {"custom_vjp": _custom_vjp, "scan": _scan}


# ---- finite differences ---------------------------------------------------------------------------------------------------


def finite_difference(f: Callable[[np.ndarray], np.ndarray], x: Any, step: float = 1e-5) -> np.ndarray:
    """Derivative of the number ``f(x)`` for every element of x, by central differences of fourth order in float64."""
    x = np.array(x, np.float64)
    flat = x.reshape(-1)
    slope = np.empty(flat.size)
    for i in range(flat.size):
        kept, values = flat[i], []
        for shift in (-2, -1, 1, 2):
            flat[i] = kept + shift * step
            values.append(float(f(x)))
        flat[i] = kept
        slope[i] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    return slope.reshape(x.shape)
