"""The table that the objects are entered into, and what several of them are made of."""

from typing import Any

import mathnet as mn

#: (check that must catch it, the object)
MUTANTS: list[tuple[str, Any]] = []


def caught_by(check: str):
    def add(obj):
        MUTANTS.append((check, obj))
        return obj

    return add


def slope(rule):
    """x² with the derivative rule(dy, x)."""
    return mn.custom_vjp(lambda x: x * x, lambda dy, x, out: rule(dy, x))
