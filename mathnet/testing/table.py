"""The table of checks: which check applies to which kinds of plugin objects."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mathnet.plugin.records import KINDS

if TYPE_CHECKING:
    from mathnet.testing.subject import Subject

CHECKS: dict[str, Check] = {}


@dataclasses.dataclass(frozen=True)
class Check:
    """One promise that objects of some kinds keep.

    name: what a failure is listed under; run: raises an exception that says what is wrong; advice: a failure is a warning, unless the
    kit is strict.
    """

    name: str
    kinds: frozenset[str]
    run: Callable[[Subject], None]
    advice: bool = False

    @property
    def summary(self) -> str:
        return (self.run.__doc__ or "").strip().splitlines()[0]


def check(
    *kinds: str, advice: bool = False
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Puts a function into the table, under its name, for objects of ``kinds`` (all kinds when there are none)."""

    def add(run: Callable[[Subject], None]) -> Callable[[Subject], None]:
        if run.__name__ in CHECKS:
            raise ValueError(f"a check named {run.__name__!r} exists already")
        CHECKS[run.__name__] = Check(run.__name__, frozenset(kinds or KINDS), run, advice)
        return run

    return add


def checks_of(kind: str) -> list[Check]:
    """The checks of a kind, in the order in which they run."""
    import mathnet.testing.checks  # noqa: F401  fills the table

    return [entry for entry in CHECKS.values() if kind in entry.kinds]


def require(condition: object, message: str) -> None:
    """Raises AssertionError with ``message`` when ``condition`` does not hold; works under ``python -O`` too."""
    if not condition:
        raise AssertionError(message)


def require_same(found: np.ndarray, expected: np.ndarray, message: str) -> None:
    """Raises AssertionError with ``message`` and the first element that differs, unless shapes and bits are the same."""
    require(
        found.shape == expected.shape, f"{message}: the shape is {found.shape} instead of {expected.shape}"
    )
    if not np.array_equal(found, expected, equal_nan=found.dtype.kind == "f"):
        differs = ~((found == expected) | ((found != found) & (expected != expected)))
        at = tuple(int(i) for i in np.argwhere(differs)[0])
        raise AssertionError(f"{message}: {found[at]!r} instead of {expected[at]!r} at {at}")
