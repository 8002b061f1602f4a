"""Functions of one example on many at once, and functions that are computed again instead of kept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError, require_function
from mathnet.functions import run
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.graph import Rewriter, walk
from mathnet.graph.op import CAPTURE, FUNCTIONS, INPUT, VARIABLE, as_tensor, input_tensor, normalize_axis
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import loop_position
from mathnet.graph.tree import flatten, unflatten
from mathnet.ops.control import BARRIER, CUSTOM_VJP
from mathnet.transform.batching import vectorized
from mathnet.transform.forward_mode import tangents as forward
from mathnet.transform.gradient import gradient

Axes = Any


def vmap(f: Callable, in_axes: Axes = 0, out_axes: Axes = 0) -> Callable:
    """``f``, a function of one example, as a function of many: ``vmap(f)(xs)`` stacks f(x) for every x along an axis of xs.

    in_axes: the axis of the examples in each argument: an int for all arguments or a tuple with one entry per argument, None for an
    argument that all examples share; an entry may be nested like its argument.  out_axes: where the axis goes in the results,
    an int or nested like them.  Every operation runs once on all examples where it knows how; the others run in a loop inside of
    the plan, which ``explain()`` shows.  Nests, and composes with every derivative: ``vmap(grad(loss), (None, 0, 0))`` gives
    per-example gradients.  Random draws differ from example to example.

    Raises ShapeError when the arguments differ in the number of examples, ArgumentError when no argument has any.

    >>> import mathnet as mn
    >>> mn.vmap(lambda x, w: mn.sum(x * w), (0, None))(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 10.0]))
    array([21., 43.])
    """

    require_function("vmap: f", f)

    def build(*args: Any) -> Any:
        leaves, structure = flatten(args)
        axes = _axes_of(args, in_axes)
        values, examples, inside, n = [], [], list(leaves), None
        for k, (leaf, axis) in enumerate(zip(leaves, axes)):
            if axis is None:
                continue
            x = as_tensor(leaf, f"vmap: argument {k}")
            if x.ndim == 0:
                raise ShapeError(
                    f"vmap: array {k} is a number and has no axis of examples; give None for it in in_axes"
                )
            position = normalize_axis("vmap", axis, x.ndim)
            size = x.shape[position]
            if n is not None and size != n:
                raise ShapeError(
                    f"vmap: array {k} of shape {show_shape(x.shape)} has {size} examples along axis {position}, but others have {n}"
                )
            n = size
            values.append(x if position == 0 else FUNCTIONS["moveaxis"](x, position, 0))
            inside[k] = input_tensor(Spec(values[-1].shape[1:], x.dtype), "example")
            examples.append(inside[k])
        if n is None:
            raise ArgumentError(
                "vmap: in_axes gives no argument an axis of examples; call the function itself"
            )
        outputs, shape = _traced(f, unflatten(structure, inside), examples, values, n)
        ends = _axes_of(unflatten(shape, list(range(len(outputs)))), out_axes, results=True)
        moved = [
            t if axis == 0 else FUNCTIONS["moveaxis"](t, 0, normalize_axis("vmap: out_axes", axis, t.ndim))
            for t, axis in zip(outputs, ends)
        ]
        return unflatten(shape, moved)

    def call(*args: Any) -> Any:
        return run(build, args, {}, "vmap")

    return functools.update_wrapper(call, f, updated=()) if hasattr(f, "__name__") else call


def _traced(
    f: Callable, args: Any, examples: Sequence[Tensor], values: Sequence[Tensor], n: Any
) -> tuple[list[Tensor], Any]:
    """The results of f for all examples; draws depend on the number of the example."""
    number = input_tensor(Spec((), FLOAT64), "example")
    outer = loop_position.get()
    token = loop_position.set(number if outer is None else outer * 2.0**26 + number)
    try:
        made, shape = flatten(f(*args))
    finally:
        loop_position.reset(token)
    outputs = [as_tensor(t, f"vmap: result {k}") for k, t in enumerate(made)]
    given, stacks = list(examples), list(values)
    if any(node is number.node for node in walk(outputs)):
        if isinstance(n, Dim):
            raise ShapeError("vmap: random draws need a number of examples that is known")
        given.append(number)
        stacks.append(as_tensor(np.arange(float(n))))
    return vectorized(outputs, given, stacks, n), shape


def _axes_of(tree: Any, axes: Axes, results: bool = False) -> list[int | None]:
    """One axis for every leaf of ``tree``; ``axes`` may be an int, or nested like a part of the tree."""
    name = "out_axes" if results else "in_axes"

    def spread(part: Any, axis: Any) -> list[int | None]:
        if part is None:
            return []
        if (axis is None and not results) or (isinstance(axis, int) and not isinstance(axis, bool)):
            return [axis] * len(flatten(part)[0])
        if isinstance(part, dict) and isinstance(axis, dict) and part.keys() == axis.keys():
            # in the order in which flatten visits the values
            return [a for key in part for a in spread(part[key], axis[key])]
        if isinstance(part, (tuple, list)) and isinstance(axis, (tuple, list)) and len(part) == len(axis):
            return [a for child, sub in zip(part, axis) for a in spread(child, sub)]
        raise ArgumentError(
            f"vmap: {name}={axes!r} is neither an axis nor nested like the results"
            if results
            else f"vmap: {name}={axes!r} is neither an axis, None, nor nested like the arguments"
        )

    return spread(tree, axes)


def checkpoint(f: Callable) -> Callable:
    """``f`` whose inside is not kept for the derivative but computed again there: less memory for more arithmetic, the same bits.

    (Griewank & Walther, 2000; Chen et al., 2016.)  Layers may be called inside; random draws repeat themselves.  The derivative by a value
    that several checkpointed calls share is a sum that is added up call by call, so its last bit can differ.

    >>> import mathnet as mn
    >>> float(mn.grad(mn.checkpoint(lambda x: mn.sin(mn.exp(x))))(0.0)) == float(mn.grad(lambda x: mn.sin(mn.exp(x)))(0.0))
    True
    """

    require_function("checkpoint: f", f)

    def build(*args: Any, **kwargs: Any) -> Any:
        leaves, _ = flatten((args, kwargs))
        made, shape = flatten(f(*args, **kwargs))
        results = [as_tensor(t, f"checkpoint: result {k}") for k, t in enumerate(made)]
        given = [t for t in leaves if isinstance(t, Tensor)]
        known = {id(t) for t in given}
        roots = [
            node.outputs[0]
            for node in walk(results, stop=given)
            if node.op in (VARIABLE, INPUT, CAPTURE) and id(node.outputs[0]) not in known
        ]
        inputs = [*given, *roots]
        if not any(is_float(t.dtype) for t in inputs) or not results:
            return unflatten(shape, results)

        def again(values: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
            """The inputs as other values, and the results computed from these."""
            fresh = [BARRIER(t) if is_float(t.dtype) else t for t in values]
            return fresh, Rewriter(dict(zip(inputs, fresh))).run(results)

        def rule(dy: Any, values: Sequence[Tensor], _: Sequence[Tensor]) -> list[Tensor | None]:
            fresh, copies = again(values)
            arriving = dy if isinstance(dy, tuple) else (dy,)
            pairs = [(c, d) for c, d in zip(copies, arriving) if d is not None]
            return gradient([c for c, _ in pairs], [d for _, d in pairs], fresh)

        def forward_rule(tangents: Sequence[Any], values: Sequence[Tensor], _: Sequence[Tensor]) -> Any:
            fresh, copies = again(values)
            found = forward(copies, fresh, list(tangents))
            made = [FUNCTIONS["zeros_like"](t) if d is None else d for d, t in zip(found, copies)]
            return made if len(results) > 1 else made[0]

        attrs = {"results": len(results), "rule": rule, "forward_rule": forward_rule, "name": "checkpoint"}
        nodes = CUSTOM_VJP(*results, *inputs, **attrs)
        return unflatten(shape, [nodes] if isinstance(nodes, Tensor) else list(nodes))

    def call(*args: Any, **kwargs: Any) -> Any:
        return run(build, args, kwargs, "checkpoint")

    return functools.update_wrapper(call, f, updated=()) if hasattr(f, "__name__") else call
