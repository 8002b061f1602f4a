"""Equations solved by iteration inside of a plan, with derivatives by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError, require_function
from mathnet.functions import TracedCall
from mathnet.graph.dtypes import is_float
from mathnet.graph.graph import Graph
from mathnet.graph.op import as_tensor, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.tree import flatten, unflatten
from mathnet.ops.enclosure import enclose, frozen_states, matched
from mathnet.ops.implicit import FIXED_POINT, FROZEN, LINEAR_SOLVE, require_linear

METHODS = ("bicgstab", "cg", "normal")


def fixed_point(
    f: Callable, init: Any, *parameters: Any, tolerance: float | None = None, max_steps: int = 1000
) -> Any:
    """x with x = f(x, *parameters), found by x ← f(x, *parameters) from ``init``.

    The iteration has converged when no element changes by more than tolerance · max(1, largest |x|), for every array of a nested x and,
    under ``vmap``, for every example.  tolerance: None is 1e-12 for float64 and 1e-6 for float32.  The derivatives by parameters and by
    tensors from outside do not go through the iteration: by the implicit function theorem they are fixed points of the linearised
    equation, which converge as fast; they exist to any order, forward and reverse.  The derivative by ``init`` is zero.

    Raises ShapeError or DTypeError when f changes x, and DataError when there is no convergence within ``max_steps``.
    (Krantz & Parks, The Implicit Function Theorem, 2002; Bai, Kolter & Koltun, 2019.)

    >>> import mathnet as mn
    >>> root = lambda a: mn.fixed_point(lambda x, a: 0.5 * (x + a / x), 1.0, a)
    >>> float(root(9.0)), round(float(mn.grad(root)(9.0)), 9)
    (3.0, 0.166666667)
    """
    require_function("fixed_point: f", f)
    tolerance, max_steps = _checked("fixed_point", tolerance, max_steps)

    def build(init: Any, parameters: Any) -> Any:
        starts, structure, body, outside = _body("fixed_point", lambda x: f(x, *parameters), init, "init")
        made = FIXED_POINT(
            *starts,
            *outside,
            body=body,
            count=len(starts),
            examples=0,
            max_steps=max_steps,
            tolerance=tolerance,
            unit=True,
        )
        return unflatten(structure, made)

    return TracedCall(build, (init, parameters), {}, "fixed_point", fresh=False).result()


def linear_solve(
    operator: Callable,
    b: Any,
    *parameters: Any,
    method: str = "bicgstab",
    tolerance: float | None = None,
    max_steps: int | None = None,
) -> Any:
    """x with operator(x, *parameters) = b, for a linear operator that is a function; its matrix is never formed.

    b and x: nested arrays of one element type and of equal structure.  method: "cg" for symmetric positive definite operators, else
    "bicgstab"; "normal" (conjugate gradients on AᵀA) converges for every invertible operator, in about the square of the steps.
    The residual is at most tolerance · |b| (for "normal" that of the normal equations); None is 1e-12 for float64 and 1e-6 for float32.
    max_steps: None is ten times the number of elements.  The derivatives by b, parameters and tensors from outside solve with the same
    operator or its transpose, to any order, forward and reverse.  Under ``vmap`` every example has a solution of its own.

    Raises GradientError when the operator is not linear, ShapeError or DTypeError when it changes structure, shapes or types, and DataError
    when there is no convergence, as for a singular operator.  (Hestenes & Stiefel, 1952; van der Vorst, 1992.)

    >>> import mathnet as mn
    >>> mn.linear_solve(lambda x: 2.0 * x + mn.roll(x, 1), np.array([4.0, 5.0])).round(9)
    array([1., 2.])
    """
    require_function("linear_solve: operator", operator, "; mn.linalg.solve takes a matrix")
    if method not in METHODS:
        raise ArgumentError(f"linear_solve: method={method!r}, but it must be one of {', '.join(METHODS)}")
    tolerance, limit = _checked("linear_solve", tolerance, 1 if max_steps is None else max_steps)

    def build(b: Any, parameters: Any) -> Any:
        right, structure, body, outside = _body("linear_solve", lambda x: operator(x, *parameters), b, "b")
        if len({t.dtype for t in right}) > 1:
            raise DTypeError(
                "linear_solve: the arrays of b must have one element type; convert them with mn.cast"
            )
        require_linear(body, len(right))
        made = LINEAR_SOLVE(
            *right,
            *outside,
            body=body,
            count=len(right),
            examples=0,
            max_steps=10 * max(sum(t.size for t in right), 1) if max_steps is None else limit,
            tolerance=tolerance,
            method=method,
        )
        return unflatten(structure, made)

    return TracedCall(build, (b, parameters), {}, "linear_solve", fresh=False).result()


def _body(name: str, f: Callable, start: Any, what: str) -> tuple[list[Tensor], Any, Graph, list[Tensor]]:
    """(start, structure, the function as a Graph of unknowns and constants, values of the constants)."""
    leaves, structure = flatten(start)
    starts = [as_tensor(leaf, f"{name}: {what}") for leaf in leaves]
    if not starts:
        raise ShapeError(f"{name}: {what} holds no arrays")
    for tensor in starts:
        if not is_float(tensor.dtype):
            raise DTypeError(f"{name}: {what} holds {tensor.dtype}; float32 or float64 is needed")
    unknowns = [input_tensor(Spec(t.shape, t.dtype), "unknown") for t in starts]
    with frozen_states(FROZEN.format(name)):
        made, made_structure = flatten(f(unflatten(structure, unknowns)))
        where = f"{name}: what the function returns"
        results = matched(made, made_structure, [t.spec for t in unknowns], structure, where)
    constants, outside, inside = enclose(results, unknowns)
    return starts, structure, Graph([*unknowns, *constants], inside, name=f"{name} body"), outside


def _checked(name: str, tolerance: Any, max_steps: Any) -> tuple[float | None, int]:
    if tolerance is not None:
        number = isinstance(tolerance, (int, float, np.floating)) and not isinstance(tolerance, bool)
        if not number or not 0.0 <= tolerance < 1.0:
            raise ArgumentError(f"{name}: tolerance={tolerance!r}, but a number from 0 to 1 is needed")
        tolerance = float(tolerance)
    if isinstance(max_steps, bool) or not hasattr(max_steps, "__index__") or max_steps.__index__() < 1:
        raise ArgumentError(f"{name}: max_steps={max_steps!r}, but an int of 1 or more is needed")
    return tolerance, max_steps.__index__()
