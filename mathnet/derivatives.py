"""Derivatives of functions: grad and its kin.

Each traces the function at every call and finds the plan by the structure of the graph, so captured arrays are live and captured Python
values belong to that call.  All of them nest, in any order, and work on tensors inside of traced functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, GradientError, ShapeError, require_function
from mathnet.functions import TracedCall, run
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.graph import walk
from mathnet.graph.op import FUNCTIONS, INPUT, VARIABLE, as_tensor, constant, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.tree import Structure, flatten, unflatten
from mathnet.ops.control import CUSTOM_VJP, identity
from mathnet.ops.scan import scan as scan_tensors
from mathnet.transform.batching import vectorized
from mathnet.transform.forward_mode import tangents as forward
from mathnet.transform.gradient import gradient

Argnums = int | tuple[int, ...]
#: Elements that the passes of a Jacobian may take as one batch.
BATCHED = 1 << 22


# ---- gradients of scalars ----------------------------------------------------------------------------------------------


def grad(f: Callable, argnums: Argnums = 0) -> Callable:
    """The gradient of a function with a scalar result: ``grad(f)(x)`` has the nesting, shapes and types of ``x``.

    argnums: the argument to differentiate by, or a tuple of them (then the result is a tuple).  Arguments are nested dicts, lists
    and tuples of arrays, or floats.  Raises GradientError when the result is no scalar, or goes through an operation without a
    derivative, and DTypeError when the argument or the result is not float32 or float64.

    >>> import mathnet as mn
    >>> mn.grad(lambda x: mn.sum(x * x))(np.array([1.0, 2.0]))
    array([2., 4.])
    """
    build = _value_and_grad(f, argnums, "grad")

    def gradient_of(*args: Any, **kwargs: Any) -> Any:
        return build(*args, **kwargs)[1]

    return _transformed(gradient_of, f, "grad")


def value_and_grad(f: Callable, argnums: Argnums = 0) -> Callable:
    """(value, gradient) of a function with a scalar result; see :func:`grad`.

    >>> import mathnet as mn
    >>> value, g = mn.value_and_grad(lambda x: mn.sum(x * x))(np.array([1.0, 2.0]))
    >>> float(value), g.tolist()
    (5.0, [2.0, 4.0])
    """
    return _transformed(_value_and_grad(f, argnums, "value_and_grad"), f, "value_and_grad")


def hvp(f: Callable, argnums: Argnums = 0) -> Callable:
    """Hessian times vector: ``hvp(f)(x, v)`` = ∇²f(x)·v, nested like ``x``; the vector is the last argument.

    The cost is a few times that of ``f``; the Hessian is never formed.  With a tuple for ``argnums`` the vector is a tuple.

    >>> import mathnet as mn
    >>> mn.hvp(lambda x: mn.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """
    build = _value_and_grad(f, argnums, "hvp")

    def product_of(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            raise ArgumentError(
                "hvp: the arguments of the function and then the vector are needed: hvp(f)(x, v)"
            )
        *rest, vector = args
        leaves, structure = _wrt(rest, argnums, "hvp")
        _, slopes = build(*rest, **kwargs)
        directions = _matching(vector, structure, leaves, "hvp: the vector")
        found = gradient(flatten(slopes)[0], directions, leaves)
        return unflatten(structure, _or_zeros(found, leaves))

    return _transformed(product_of, f, "hvp")


def vhp(f: Callable, argnums: Argnums = 0) -> Callable:
    """Vector times Hessian: ``vhp(f)(x, v)`` = vᵀ·∇²f(x), as the gradient of the slope along v (reverse over forward mode).

    It equals :func:`hvp` where the second derivatives are continuous; the two go through the rules of the operations in another order,
    so each checks the other.  Arguments as in :func:`hvp`.

    >>> import mathnet as mn
    >>> mn.vhp(lambda x: mn.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
    array([6., 0.])
    """

    def product_of(*args: Any, **kwargs: Any) -> Any:
        if len(args) < 2:
            raise ArgumentError(
                "vhp: the arguments of the function and then the vector are needed: vhp(f)(x, v)"
            )
        *rest, vector = args
        leaves, structure = _wrt(rest, argnums, "vhp")
        value = _scalar(f(*rest, **kwargs), "vhp")
        directions = _matching(vector, structure, leaves, "vhp: the vector")
        pairs = [(t, d) for t, d in zip(leaves, directions) if d is not None]
        (slope,) = forward([value], [t for t, _ in pairs], [d for _, d in pairs])
        found = (
            [None] * len(leaves) if slope is None else gradient([slope], [constant(1.0, slope.dtype)], leaves)
        )
        return unflatten(structure, _or_zeros(found, leaves))

    return _transformed(product_of, f, "vhp")


def _value_and_grad(f: Callable, argnums: Argnums, name: str) -> Callable:
    """The graph side of :func:`value_and_grad`."""

    def build(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        leaves, structure = _wrt(args, argnums, name)
        value = _scalar(f(*args, **kwargs), name)
        found = gradient([value], [constant(1.0, value.dtype)], leaves)
        return value, unflatten(structure, _or_zeros(found, leaves))

    return build


def _scalar(value: Any, name: str) -> Tensor:
    """The result of a function whose gradient is wanted."""
    if isinstance(value, (tuple, list, dict)) or value is None:
        raise GradientError(
            f"{name}: the function returned a {type(value).__name__}; it must return one scalar"
        )
    value = as_tensor(value, f"{name}: result of the function")
    if value.shape != ():
        raise GradientError(
            f"{name}: the function returned shape {show_shape(value.shape)}, but a gradient needs a scalar; "
            "reduce it with mn.sum or mn.mean, or use mn.jacobian or mn.vjp"
        )
    if not is_float(value.dtype):
        raise DTypeError(
            f"{name}: the function returned {value.dtype}; a derivative needs float32 or float64"
        )
    return value


# ---- products with the Jacobian ----------------------------------------------------------------------------------------


def vjp(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """(value, pullback) at ``primals``: ``pullback(cotangent)`` = cotangentᵀ·J.

    The cotangent is nested like the value; the pullback returns one array for one primal, else a tuple.  Primals are copied, so
    that the pullback belongs to their present values.  A pullback is one plan that runs the forward pass again.

    >>> import mathnet as mn
    >>> value, pullback = mn.vjp(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pullback(np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    if not primals:
        raise ArgumentError("vjp: at least one primal is needed: value, pullback = vjp(f, x)")
    require_function("vjp: f", f)
    leaves, structure = flatten(primals)
    primals = unflatten(structure, [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves])
    call = TracedCall(f, primals, {}, "vjp")
    arguments, _ = flatten(call.args)
    if not any(isinstance(t, Tensor) and is_float(t.dtype) for t in arguments):
        _require_float(arguments[0] if arguments else None, "vjp: the first primal")

    def pullback(cotangent: Any) -> Any:
        def build(cotangent: Any, *_: Any) -> Any:
            directions = _matching(cotangent, call.structure, call.outputs, "pullback: the cotangent")
            wanted = [t for t in arguments if isinstance(t, Tensor) and is_float(t.dtype)]
            slopes = iter(_or_zeros(gradient(call.outputs, directions, wanted), wanted))
            found = [next(slopes) if isinstance(t, Tensor) and is_float(t.dtype) else None for t in arguments]
            return tuple(unflatten(_with_none(structure, found), [d for d in found if d is not None]))

        made = TracedCall(build, (cotangent,), {}, "vjp", along=call).result()
        return made[0] if len(primals) == 1 else made

    return call.result(), pullback


def jvp(f: Callable, primals: Sequence, tangents: Sequence) -> tuple[Any, Any]:
    """(value, tangent): ``f`` at ``primals`` and J·tangents, nested like the value.

    primals, tangents: tuples, one entry per argument of ``f``.  Raises GradientError when an operation has no forward derivative
    (a custom_vjp function without ``jvp=``).

    >>> import mathnet as mn
    >>> value, tangent = mn.jvp(lambda x: x * x, (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    >>> tangent
    array([ 2., 40.])
    """
    require_function("jvp: f", f)
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, (tuple, list)):
            raise ArgumentError(
                f"jvp: {name} must be a tuple with one entry per argument, not {type(given).__name__}"
            )

    def build(primals: Any, tangents: Any) -> tuple[Any, Any]:
        leaves, structure = flatten(primals)
        value = f(*primals)
        made, shape = flatten(value)
        outputs = [as_tensor(t, f"jvp: result {k} of the function") for k, t in enumerate(made)]
        directions = _matching(tangents, structure, leaves, "jvp: the tangents")
        pairs = [(t, d) for t, d in zip(leaves, directions) if d is not None]
        for tensor, _ in pairs:
            _require_float(tensor, "jvp: a tangent was given for a primal that")
        found = forward(outputs, [t for t, _ in pairs], [d for _, d in pairs])
        return value, unflatten(shape, _or_zeros(found, outputs))

    return run(build, (tuple(primals), tuple(tangents)), {}, "jvp")


def linearize(f: Callable, *primals: Any) -> tuple[Any, Callable]:
    """(value, pushforward) at ``primals``: ``pushforward(*tangents)`` = J·tangents, nested like the value.

    The linear function belongs to the values that the primals have now; it takes one tangent per primal and is one plan.

    >>> import mathnet as mn
    >>> value, pushforward = mn.linearize(lambda x: x * x, np.array([1.0, 2.0]))
    >>> pushforward(np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    if not primals:
        raise ArgumentError("linearize: at least one primal is needed: value, pushforward = linearize(f, x)")
    require_function("linearize: f", f)
    leaves, structure = flatten(primals)
    held = unflatten(structure, [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves])

    def pushforward(*tangents: Any) -> Any:
        if len(tangents) != len(primals):
            raise ArgumentError(
                f"pushforward: {len(primals)} tangents are needed, one per primal, not {len(tangents)}"
            )
        return jvp(f, held, tangents)[1]

    return run(lambda *args: f(*args), held, {}, "linearize"), pushforward


# ---- whole matrices ----------------------------------------------------------------------------------------------------


def jacobian(f: Callable, argnums: Argnums = 0, mode: str | None = None) -> Callable:
    """All derivatives of all results: shape of the result + shape of the argument, nested as result and then argument.

    mode: "forward" builds it column by column, in as many passes as the argument has elements; "reverse" row by row, as many as the
    result has; None takes the shorter one.  The passes run together as a batch inside of the plan, or in a loop when that would
    take too much memory.

    >>> import mathnet as mn
    >>> mn.jacobian(lambda x: x * x)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """
    if mode not in (None, "forward", "reverse"):
        raise ArgumentError(f"jacobian: mode must be 'forward', 'reverse' or None, not {mode!r}")

    def build(*args: Any, **kwargs: Any) -> Any:
        leaves, structure = _wrt(args, argnums, "jacobian")
        made, shape = flatten(f(*args, **kwargs))
        outputs = [as_tensor(t, f"jacobian: result {k} of the function") for k, t in enumerate(made)]
        _require_known(outputs, leaves)
        if _forward_pays(outputs, leaves) if mode is None else mode == "forward":
            try:
                columns = [_columns(outputs, leaf) for leaf in leaves]
                return unflatten(shape, [unflatten(structure, list(row)) for row in zip(*columns)])
            except GradientError:
                if mode == "forward":
                    raise
        return unflatten(shape, [unflatten(structure, _rows(t, leaves)) for t in outputs])

    return _transformed(build, f, "jacobian")


def hessian(f: Callable, argnums: Argnums = 0) -> Callable:
    """Second derivatives of a function with a scalar result: for an array of shape s, an array of shape s + s.

    For nested arguments, a nest of nests.  One forward pass through the gradient per element of the argument.

    >>> import mathnet as mn
    >>> mn.hessian(lambda x: mn.sum(x**3))(np.array([1.0, 2.0]))
    array([[ 6.,  0.],
           [ 0., 12.]])
    """
    build = _value_and_grad(f, argnums, "hessian")

    def slopes(*args: Any, **kwargs: Any) -> Any:
        return build(*args, **kwargs)[1]

    made = jacobian(slopes, argnums)
    return _transformed(made, f, "hessian")


def _require_known(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> None:
    for output in outputs:
        if not is_float(output.dtype):
            raise DTypeError(
                f"jacobian: the function returned {output.dtype}; a derivative needs float32 or float64"
            )
        if any(isinstance(s, Dim) for t in (output, *leaves) for s in t.shape):
            raise ShapeError(
                f"jacobian: the sizes in {show_shape(output.shape)} must be known; the model's batch size is not"
            )


def _forward_pays(outputs: Sequence[Tensor], leaves: Sequence[Tensor]) -> bool:
    return sum(map(_elements, leaves)) <= sum(map(_elements, outputs)) > 1


def _elements(x: Tensor) -> int:
    size = product(x.shape)
    assert isinstance(size, int)  # _require_known has seen to that
    return size


def _rows(output: Tensor, leaves: Sequence[Tensor]) -> list[Tensor]:
    """∂output/∂leaf for each leaf, of shape output.shape + leaf.shape."""

    def row(unit: Tensor) -> list[Tensor]:
        return _or_zeros(gradient([output], [unit], leaves), leaves)

    found = _for_units(row, output)
    return [FUNCTIONS["reshape"](t, (*output.shape, *leaf.shape)) for t, leaf in zip(found, leaves)]


def _columns(outputs: Sequence[Tensor], leaf: Tensor) -> list[Tensor]:
    """∂output/∂leaf for each output, of shape output.shape + leaf.shape."""

    def column(unit: Tensor) -> list[Tensor]:
        return _or_zeros(forward(outputs, [leaf], [unit]), outputs)

    found = [FUNCTIONS["moveaxis"](t, 0, -1) for t in _for_units(column, leaf)]
    return [FUNCTIONS["reshape"](t, (*output.shape, *leaf.shape)) for t, output in zip(found, outputs)]


def _for_units(make: Callable[[Tensor], list[Tensor]], like: Tensor) -> list[Tensor]:
    """``make`` of every unit vector of the shape of ``like``, stacked: as a batch, or in a loop where that is large."""
    size = _elements(like)
    if size == 1:
        one = FUNCTIONS["reshape"](constant(1.0, like.dtype), like.shape)
        return [FUNCTIONS["expand_dims"](t, 0) for t in make(one)]
    unit = input_tensor(Spec(like.shape, like.dtype), "unit")
    made = make(unit)
    inside = sum(_elements(t) for node in walk(made, stop=[unit]) for t in node.outputs)
    if size * inside <= BATCHED:
        units = as_tensor(np.eye(size, dtype=like.dtype).reshape(size, *like.shape))
        return vectorized(made, [unit], [units], size)
    positions = as_tensor(np.arange(size))

    def body(carry: None, position: Tensor) -> tuple[None, list[Tensor]]:
        one = FUNCTIONS["cast"](FUNCTIONS["equal"](positions, position), like.dtype)
        return None, make(FUNCTIONS["reshape"](one, like.shape))

    return list(scan_tensors(body, None, positions)[1])


# ---- a derivative of one's own -----------------------------------------------------------------------------------------


def custom_vjp(f: Callable, vjp: Callable, jvp: Callable | None = None) -> Callable:
    """``f`` with the derivative ``vjp``, both made of mathnet functions.

    vjp: ``(dy, *inputs, out=…, **settings)`` → one cotangent per argument of ``f`` (one alone, or a tuple; None for zero); ``out`` is
    the value of ``f`` and ``dy`` its cotangent, nested like it.  It is differentiated as it stands for higher orders.
    jvp: ``(tangents, *inputs, out=…, **settings)`` → tangent of ``out``, for forward mode; tangents is a tuple.
    Keyword arguments of a call are settings: they go to ``f`` and to the rules unchanged.  Every tensor that ``f`` depends on must be
    an argument; a GradientError says so otherwise.

    >>> import mathnet as mn
    >>> clipped = mn.custom_vjp(lambda x: x, lambda dy, x, out: mn.clip(dy, -1.0, 1.0))
    >>> float(mn.grad(lambda x: 5.0 * clipped(x))(2.0))
    1.0
    """
    for argument, function in (("f", f), ("vjp", vjp), *([] if jvp is None else [("jvp", jvp)])):
        require_function(f"custom_vjp: {argument}", function)
    name = getattr(f, "__name__", type(f).__name__)

    def build(*args: Any, **settings: Any) -> Any:
        leaves, structure = flatten(args)
        positions = [k for k, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and is_float(leaf.dtype)]
        inside = list(leaves)
        for k in positions:
            inside[k] = identity(leaves[k])
        stand_ins = [inside[k] for k in positions]
        made, shape = flatten(f(*unflatten(structure, inside), **settings))
        results = [as_tensor(t, f"{name}: result {k}") for k, t in enumerate(made)]
        _refuse_captured(results, stand_ins, leaves, name)

        def filled(tensors: Sequence[Tensor]) -> tuple:
            whole = list(leaves)
            for k, tensor in zip(positions, tensors):
                whole[k] = tensor
            return unflatten(structure, whole)

        def rule(dy: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Tensor | None]:
            dy = dy if isinstance(dy, tuple) else (dy,)
            cotangent = unflatten(shape, _or_zeros(dy, outputs))
            found = vjp(cotangent, *filled(inputs), out=unflatten(shape, outputs), **settings)
            if len(args) == 1 and not isinstance(found, tuple):
                found = (found,)
            if not isinstance(found, (tuple, list)) or len(found) != len(args):
                raise GradientError(
                    f"{name}: its vjp must return {len(args)} cotangents, one per argument, not {found!r}"
                )
            flat: list[Any] = []
            for given, child in zip(found, structure.children):
                count = _leaf_count(child)
                parts = [None] * count if given is None else _leaves_or_none(given)
                if len(parts) != count:
                    raise GradientError(
                        f"{name}: its vjp returned {len(parts)} arrays for an argument of {count}"
                    )
                flat += parts
            return [flat[k] for k in positions]

        def forward_rule(tangents: Sequence[Any], inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Any:
            whole: list[Any] = [None] * len(leaves)
            for k, tensor in zip(positions, _or_zeros(tangents, inputs)):
                whole[k] = tensor
            given = tuple(unflatten(structure, whole))
            found, _ = flatten(jvp(given, *filled(inputs), out=unflatten(shape, outputs), **settings))  # type: ignore[misc]
            return [as_tensor(t) for t in found] if len(outputs) > 1 else as_tensor(found[0])

        nodes = CUSTOM_VJP(
            *results,
            *[leaves[k] for k in positions],
            results=len(results),
            rule=rule,
            forward_rule=None if jvp is None else forward_rule,
            name=name,
        )
        return unflatten(shape, [nodes] if isinstance(nodes, Tensor) else nodes)

    def call(*args: Any, **settings: Any) -> Any:
        return run(functools.partial(build, **settings), args, {}, "custom_vjp")

    return functools.update_wrapper(call, f, updated=()) if hasattr(f, "__name__") else call


def _refuse_captured(
    results: Sequence[Tensor], stand_ins: Sequence[Tensor], leaves: Sequence[Any], name: str
) -> None:
    arguments = [t for t in leaves if isinstance(t, Tensor)]
    for node in walk(results, stop=[*stand_ins, *arguments]):
        if node.op is INPUT or node.op is VARIABLE:
            raise GradientError(
                f"{name}: a function with a derivative of its own (custom_vjp) uses {node.outputs[0]!r}, which is none of its arguments, "
                "so its derivative would be lost; pass it as an argument"
            )


# ---- loops -------------------------------------------------------------------------------------------------------------


def scan(
    f: Callable, init: Any, xs: Any = None, axis: int = 0, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """Runs ``carry, y = f(carry, x)`` over the slices of ``xs`` along ``axis``; returns (last carry, stacked ys).

    init: nested arrays or numbers; every carry keeps shape and type.  xs: nested arrays with one slice per iteration, or None with
    ``length`` given (``x`` is then None).  reverse: from the last slice to the first; ys stay in the order of xs.  The ys are stacked
    along ``axis``.  The whole loop is one instruction of the plan, with derivatives of any order; what the body computes
    from arrays outside alone is computed once.  Random draws differ from iteration to iteration; states cannot be assigned.

    Raises ShapeError or DTypeError when the carry changes, when xs differ in length, and when a length is missing.

    >>> import mathnet as mn
    >>> total, sums = mn.scan(lambda total, x: (total + x, total + x), 0.0, np.array([1.0, 2.0, 3.0]))
    >>> float(total), sums.tolist()
    (6.0, [1.0, 3.0, 6.0])
    """

    require_function("scan: f", f)

    def build(init: Any, xs: Any) -> tuple[Any, Any]:
        return scan_tensors(f, init, xs, axis, length, reverse)

    return TracedCall(build, (init, xs), {}, "scan", fresh=False).result()


# ---- what they share ---------------------------------------------------------------------------------------------------


def _transformed(build: Callable, f: Callable, name: str) -> Callable:
    """``build``, a function on tensors, for arrays and tensors; it keeps the name and text of ``f``."""
    require_function(f"{name}: f", f, f"; give the function itself, not its value: mn.{name}(f)(x)")

    def call(*args: Any, **kwargs: Any) -> Any:
        return run(build, args, kwargs, name)

    return functools.update_wrapper(call, f, updated=()) if hasattr(f, "__name__") else call


def _wrt(args: Sequence, argnums: Argnums, name: str) -> tuple[list[Tensor], Structure]:
    """The tensors to differentiate by, and how the result nests."""
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    for k in wanted:
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)):
            raise ArgumentError(f"{name}: argnums must be an int or a tuple of ints, not {argnums!r}")
        if not -len(args) <= k < len(args):
            raise ArgumentError(
                f"{name}: argnums={argnums!r}, but the function was called with {len(args)} positional arguments"
            )
    chosen = tuple([args[k] for k in wanted])
    leaves, structure = flatten(chosen if isinstance(argnums, tuple) else chosen[0])
    for k in wanted:
        for leaf in flatten(args[k])[0]:
            _require_float(leaf, f"{name}: argument {k}")
    return leaves, structure


def _require_float(leaf: Any, where: str) -> None:
    if not isinstance(leaf, Tensor) or not is_float(leaf.dtype):
        what = leaf.dtype if isinstance(leaf, Tensor) else f"{type(leaf).__name__} {leaf!r}"
        raise DTypeError(
            f"{where} holds {what}; derivatives are taken by float32 and float64 arrays and by floats: convert it, or leave it out"
        )


def _matching(given: Any, structure: Structure, like: Sequence[Any], where: str) -> list[Any]:
    """The leaves of ``given``, which must nest like ``structure`` and have the shapes of ``like``; None means zero."""
    leaves = _leaves_or_none(given)
    if len(leaves) != len(like):
        raise ShapeError(
            f"{where} has {len(leaves)} arrays, but {len(like)} are needed, nested like what it belongs to"
        )
    found: list[Any] = []
    for position, (leaf, target) in enumerate(zip(leaves, like)):
        if leaf is None:
            found.append(None)
            continue
        tensor = as_tensor(leaf, where)
        if not isinstance(target, Tensor):
            _require_float(target, f"{where}: array {position} is given for a value that")
        if tensor.shape != target.shape:
            shown = f"{show_shape(tensor.shape)}, but {show_shape(target.shape)} is needed"
            raise ShapeError(
                f"{where} has shape {shown}"
                if len(like) == 1
                else f"{where}: array {position} has shape {shown}"
            )
        if not is_float(tensor.dtype) and is_float(target.dtype):
            tensor = FUNCTIONS["cast"](tensor, target.dtype)
        found.append(tensor)
    return found


def _or_zeros(found: Sequence[Tensor | None], like: Sequence[Tensor]) -> list[Tensor]:
    return [FUNCTIONS["zeros_like"](t) if d is None else d for d, t in zip(found, like)]


def _leaves_or_none(tree: Any) -> list[Any]:
    """Leaves in which None counts as one."""
    if tree is None:
        return [None]
    if isinstance(tree, dict):
        return [leaf for child in tree.values() for leaf in _leaves_or_none(child)]
    if isinstance(tree, (list, tuple)):
        return [leaf for child in tree for leaf in _leaves_or_none(child)]
    return [tree]


def _leaf_count(structure: Structure) -> int:
    return 1 if structure.kind == "leaf" else sum(_leaf_count(child) for child in structure.children)


def _with_none(structure: Structure, values: Sequence[Any]) -> Structure:
    """``structure`` with every leaf whose value is None replaced by None."""
    stream = iter(values)

    def rebuild(node: Structure) -> Structure:
        if node.kind == "leaf":
            return Structure("none", (), ()) if next(stream) is None else node
        return Structure(node.kind, node.keys, tuple(rebuild(child) for child in node.children))

    return rebuild(structure)
