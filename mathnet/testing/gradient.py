"""Checks that a user, or the tests of a plugin, run on functions: derivatives against finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.derivatives import grad
from mathnet.errors import ArgumentError, DTypeError, GradientError
from mathnet.functions import function, prepare
from mathnet.graph.dtypes import FLOAT64, is_float
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tree import flatten, unflatten


def check_gradient(
    f: Callable,
    args: Sequence,
    *,
    order: int = 1,
    step: float = 1e-3,
    rtol: float = 1e-6,
    atol: float = 1e-7,
    max_elements: int = 200,
    seed: int = 0,
) -> None:
    """Compares the derivatives of ``f`` with finite differences in float64; returns None when they agree.

    All results of ``f`` are combined to one number s(x) = Σ rᵢ·yᵢ with fixed random weights r.  For every float argument the slope along
    a random direction and the partial derivatives (of at most ``max_elements`` elements, drawn at random) are compared with
    (8(s(x+h) − s(x−h)) − (s(x+2h) − s(x−2h))) / 12h, h = step·max(1, |x|).  With order=2 the gradient along a fixed direction
    is checked in the same way, with order=3 once more.  A difference may be atol + rtol·(largest derivative of the argument).

    args: tuple of arguments; floats and float arrays in it, nested too, are converted to float64, others are passed as they are.
    Keep the point away from kinks by more than 2h.  Raises GradientError with the worst index, both values and the tolerance.

    >>> import mathnet as mn
    >>> mn.check_gradient(lambda x: mn.tanh(x), (np.array([0.1, 0.5]),))
    """
    if not isinstance(args, (tuple, list)):
        raise ArgumentError(f"check_gradient: args must be a tuple of arguments, not {type(args).__name__}")
    if order not in (1, 2, 3):
        raise ArgumentError(f"check_gradient: order must be 1, 2 or 3, not {order!r}")
    rng = np.random.default_rng(seed)
    leaves, structure = flatten(tuple(args))
    points = [_float64(leaf) for leaf in leaves]
    moving = [k for k, p in enumerate(points) if p is not None]
    if not moving:
        raise DTypeError(
            "check_gradient: no argument is a float or a float array, so there is nothing to differentiate by"
        )
    weights: list[np.ndarray] = []

    def scalar(*values: Any) -> Any:
        whole = list(leaves)
        for k, value in zip(moving, values):
            whole[k] = value
        results = [
            as_tensor(y, "check_gradient: result") for y in flatten(f(*unflatten(structure, whole)))[0]
        ]
        results = [y for y in results if is_float(y.dtype)]
        if not results:
            raise DTypeError("check_gradient: the function returned no float, so it has no derivative")
        if not weights:
            weights.extend(rng.uniform(0.5, 1.5, y.shape) for y in results)
        return _sum([FUNCTIONS["sum"](FUNCTIONS["multiply"](y, w)) for y, w in zip(results, weights)])

    at = [points[k] for k in moving]
    target: Callable = scalar
    for level in range(1, order + 1):
        _compare(target, at, level, step, rtol, atol, max_elements, rng)  # type: ignore[arg-type]
        target = _slope(target, [rng.uniform(0.5, 1.5, p.shape) for p in at])  # type: ignore[union-attr]


def _slope(target: Callable, directions: Sequence[np.ndarray]) -> Callable:
    """x ↦ ⟨∇target(x), directions⟩."""
    slopes = grad(target, tuple(range(len(directions))))

    def along(*values: Any) -> Any:
        found = slopes(*values)
        return _sum([FUNCTIONS["sum"](FUNCTIONS["multiply"](g, d)) for g, d in zip(found, directions)])

    return along


def _compare(
    target: Callable,
    at: Sequence[np.ndarray],
    level: int,
    step: float,
    rtol: float,
    atol: float,
    max_elements: int,
    rng: np.random.Generator,
) -> None:
    value = function(target)
    found = [np.asarray(g) for g in function(grad(target, tuple(range(len(at)))))(*at)]

    def difference(k: int, direction: np.ndarray) -> float:
        h = step * max(1.0, float(np.max(np.abs(at[k]), initial=0.0, where=direction != 0)))
        h /= float(np.max(np.abs(direction)))

        def moved(t: float) -> float:
            return float(value(*[p + t * direction if j == k else p for j, p in enumerate(at)]))

        return (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)

    for k, point in enumerate(at):
        if point.size == 0:
            continue
        scale = float(np.max(np.abs(found[k])))
        worst: tuple[float, Any, float, float, float] = (0.0, None, 0.0, 0.0, 0.0)
        direction = rng.choice([-1.0, 1.0], point.shape) * rng.uniform(0.5, 1.0, point.shape)
        probes: list[tuple[Any, np.ndarray]] = [("a random direction", np.asarray(direction))]
        chosen = rng.permutation(point.size)[:max_elements]
        for flat in np.sort(chosen):
            unit = np.zeros(point.shape)
            unit.flat[flat] = 1.0
            probes.append((tuple(int(i) for i in np.unravel_index(flat, point.shape)), unit))
        for index, unit in probes:
            expected = difference(k, unit)
            got = float(np.sum(found[k] * unit))
            tolerance = atol + rtol * max(scale * float(np.sum(np.abs(unit))), abs(expected))
            error = abs(got - expected) / tolerance
            if not error <= worst[0]:  # also when it is NaN
                worst = (error if error == error else np.inf, index, got, expected, tolerance)
        if worst[0] > 1:
            _, index, got, expected, tolerance = worst
            what = {1: "derivative", 2: "second derivative", 3: "third derivative"}[level]
            where = (
                f"element {index}"
                if isinstance(index, tuple) and index
                else f"{index}"
                if index
                else "the number"
            )
            raise GradientError(
                f"check_gradient: the {what} by float argument {k} is wrong: at {where} it is {got:.10g}, but finite differences give "
                f"{expected:.10g} (difference {abs(got - expected):.3g}, tolerance {tolerance:.3g}); "
                "is the point within two steps of a kink?"
            )


def _float64(leaf: Any) -> np.ndarray | None:
    if isinstance(leaf, (bool, int, str)) or leaf is None or callable(leaf):
        return None
    array = prepare(leaf, "check_gradient: argument")
    return np.array(array, FLOAT64) if is_float(array.dtype) else None


def _sum(terms: Sequence[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = FUNCTIONS["add"](total, term)
    return total
