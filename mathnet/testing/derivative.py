"""Derivatives against finite differences along random directions: fast when they are right, and exact about where they are wrong.

A direction in which the function has a kink within reach of the differences says nothing about the derivative: it is told apart by
differences over two lengths that disagree with each other, noted, and another one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.derivatives import grad
from mathnet.errors import GradientError
from mathnet.functions import function
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tree import flatten

STEP, RTOL, ATOL = 1e-3, 1e-6, 1e-7
#: Directions that are tried before a function counts as nowhere smooth.
ATTEMPTS = 8
#: Elements whose partial derivatives are compared to find the worst one.
ELEMENTS = 200
WORDS = {1: "derivative", 2: "second derivative"}


def compare_derivatives(
    f: Callable, point: Sequence[np.ndarray], names: Sequence[str], order: int, note: Callable[[str], None]
) -> None:
    """Raises GradientError when a derivative of ``f`` up to ``order`` is wrong at ``point``, float64 arrays.

    names: of the arguments, for messages; note: is told of kinks.
    """
    rng = np.random.default_rng(0)
    weights: list[np.ndarray] = []

    def scalar(*values: Any) -> Any:
        results = [as_tensor(y) for y in flatten(f(*values))[0]]
        results = [y for y in results if is_float(y.dtype)]
        if not weights:
            weights.extend(rng.uniform(0.5, 1.5, y.shape) for y in results)
        return sum_of(results, weights)

    target: Callable = scalar
    for level in range(1, order + 1):
        slopes = grad(target, tuple(range(len(point))))
        _compare(function(target), function(slopes), point, names, WORDS[level], rng, note)
        along = [rng.uniform(0.5, 1.5, p.shape) for p in point]

        def target(*values: Any, slopes: Any = slopes, along: Any = along) -> Any:
            return sum_of(slopes(*values), along)


def sum_of(tensors: Sequence[Any], weights: Sequence[np.ndarray]) -> Any:
    """Σ weights·tensors, a number."""
    terms = [FUNCTIONS["sum"](FUNCTIONS["multiply"](t, w)) for t, w in zip(tensors, weights)]
    total = terms[0] if terms else as_tensor(0.0)
    for term in terms[1:]:
        total = FUNCTIONS["add"](total, term)
    return total


def _compare(
    value: Callable,
    slopes: Callable,
    point: Sequence[np.ndarray],
    names: Sequence[str],
    what: str,
    rng: np.random.Generator,
    note: Callable[[str], None],
) -> None:
    found = [np.asarray(g) for g in slopes(*point)]

    def difference(k: int, direction: np.ndarray, h: float) -> float:
        def moved(t: float) -> float:
            return float(value(*[p + t * direction if j == k else p for j, p in enumerate(point)]))

        return (8 * (moved(h) - moved(-h)) - (moved(2 * h) - moved(-2 * h))) / (12 * h)

    for k, at in enumerate(point):
        if at.size == 0:
            continue
        largest = float(np.max(np.abs(found[k])))
        for attempt in range(ATTEMPTS):
            direction = np.asarray(rng.choice([-1.0, 1.0], at.shape) * rng.uniform(0.5, 1.0, at.shape))
            h = STEP * max(1.0, float(np.max(np.abs(at)))) / 2**attempt
            wide, near = difference(k, direction, h), difference(k, direction, h / 4)
            tolerance = ATOL + RTOL * max(largest * float(np.sum(np.abs(direction))), abs(wide))
            if not abs(wide - near) <= tolerance:
                continue
            got = float(np.sum(found[k] * direction))
            if not abs(got - near) <= tolerance:
                raise _wrong(what, names[k], k, found[k], at, h, largest, difference, (got, near, tolerance))
            break
        else:
            raise GradientError(
                f"the {what} by {names[k]} could not be checked: differences over {ATTEMPTS} lengths disagree in {ATTEMPTS} "
                "directions, so the function is nowhere smooth there; give samples= at points where it is"
            )
        if attempt:
            note(f"{what}: a kink within {2 * h:.2g} of {names[k]} in {attempt} of {attempt + 1} directions")


def _wrong(
    what: str,
    name: str,
    k: int,
    found: np.ndarray,
    at: np.ndarray,
    h: float,
    largest: float,
    difference: Callable[[int, np.ndarray, float], float],
    along: tuple[float, float, float],
) -> GradientError:
    """The error that names the worst element, or the direction when no single element is wrong by itself."""
    worst, where = (
        0.0,
        "along a random direction it is {:.8g}, but finite differences give {:.8g} (tolerance {:.2g})",
    )
    text = where.format(*along)
    for flat in np.linspace(0, at.size - 1, min(at.size, ELEMENTS)).astype(int):
        unit = np.zeros(at.shape)
        unit.flat[flat] = 1.0
        got, expected = float(found.flat[flat]), difference(k, unit, h)
        tolerance = ATOL + RTOL * max(largest, abs(expected))
        error = abs(got - expected) / tolerance
        if not error <= max(worst, 1.0):
            worst = error if error == error else np.inf
            index = tuple(int(i) for i in np.unravel_index(flat, at.shape))
            text = (
                f"worst at element {index}, where it is {got:.8g}, but finite differences give {expected:.8g} "
                f"(difference {abs(got - expected):.3g}, tolerance {tolerance:.2g})"
            )
    return GradientError(f"the {what} by {name} is wrong: {text}")
