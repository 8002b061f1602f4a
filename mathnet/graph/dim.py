"""Symbolic sizes.

A shape entry is an ``int`` or a :class:`Dim`.  A Dim is a polynomial with integer coefficients over named sizes
and floor divisions, kept in normal form, so that equal expressions are equal objects to ``==`` and ``hash``.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from mathnet.errors import ShapeError

_serial = count()


class _Floor:
    """The indivisible term ``numerator // denominator`` of a Dim."""

    __slots__ = ("denominator", "numerator")

    def __init__(self, numerator: Dim, denominator: int | Dim) -> None:
        self.numerator, self.denominator = numerator, denominator

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Floor) and (self.numerator, self.denominator) == (
            other.numerator,
            other.denominator,
        )

    def __hash__(self) -> int:
        return hash((_Floor, self.numerator, self.denominator))

    def evaluate(self, sizes: Mapping[Dim, int]) -> int | Dim:
        return evaluate(self.numerator, sizes) // evaluate(self.denominator, sizes)

    def __str__(self) -> str:
        return f"({self.numerator})//({self.denominator})"


class _Symbol:
    """A named unknown size; two Dims made with the same name are different sizes."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


class Dim:
    """A size that is not yet known.

    ``Dim("n")`` makes a new unknown; ``+``, ``-``, ``*`` and ``//`` with ints and Dims are exact.

    >>> n = Dim("n")
    >>> (2 * n + n) // 3 == n
    True
    """

    __slots__ = ("_hash", "terms")

    terms: dict[tuple, int]

    def __init__(self, name: str | None = None) -> None:
        self._set({(_Symbol(name or f"dim{next(_serial)}"),): 1})

    def _set(self, terms: dict[tuple, int]) -> None:
        self.terms = terms
        self._hash = hash(frozenset(terms.items()))

    @staticmethod
    def _make(terms: dict[tuple, int]) -> int | Dim:
        terms = {atoms: factor for atoms, factor in terms.items() if factor}
        if not terms:
            return 0
        if len(terms) == 1 and () in terms:
            return terms[()]
        made = object.__new__(Dim)
        made._set(terms)
        return made

    @staticmethod
    def _terms(value: object) -> dict[tuple, int] | None:
        if isinstance(value, Dim):
            return value.terms
        if hasattr(value, "__index__") and not isinstance(value, bool):
            return {(): value.__index__()}  # type: ignore[attr-defined]
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: object) -> int | Dim:
        terms = self._terms(other)
        if terms is None:
            return NotImplemented
        result = dict(self.terms)
        for atoms, factor in terms.items():
            result[atoms] = result.get(atoms, 0) + factor
        return self._make(result)

    __radd__ = __add__

    def __neg__(self) -> int | Dim:
        return self * -1

    def __sub__(self, other: object) -> int | Dim:
        terms = self._terms(other)
        return NotImplemented if terms is None else self + self._make({a: -f for a, f in terms.items()})

    def __rsub__(self, other: object) -> int | Dim:
        return -self + other  # type: ignore[operator]

    def __mul__(self, other: object) -> int | Dim:
        terms = self._terms(other)
        if terms is None:
            return NotImplemented
        result: dict[tuple, int] = {}
        for a, f in self.terms.items():
            for b, g in terms.items():
                atoms = tuple(sorted(a + b, key=lambda atom: (str(atom), id(atom))))
                result[atoms] = result.get(atoms, 0) + f * g
        return self._make(result)

    __rmul__ = __mul__

    def __floordiv__(self, other: object) -> int | Dim:
        if isinstance(other, Dim) and other == self:
            return 1
        if not isinstance(other, Dim):
            divisor = self._terms(other)
            if divisor is None:
                return NotImplemented
            number = divisor.get((), 0)
            if number == 0:
                raise ZeroDivisionError(f"division of the size {self} by zero")
            if all(factor % number == 0 for factor in self.terms.values()):
                return self._make({atoms: factor // number for atoms, factor in self.terms.items()})
        return self._make({(_Floor(self, other),): 1})  # type: ignore[arg-type]

    def __rfloordiv__(self, other: object) -> int | Dim:
        terms = self._terms(other)
        if terms is None:
            return NotImplemented
        made = object.__new__(Dim)
        made._set(terms)
        return self._make({(_Floor(made, self),): 1})

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> tuple:
        return Dim._make, (self.terms,)  # the hash rests on the identity of the symbols: computed anew

    def __index__(self) -> int:
        raise ShapeError(f"the size {self} is not known yet: it cannot be used as a Python integer")

    def evaluate(self, sizes: Mapping[Dim, int]) -> int | Dim:
        """The value with every unknown in ``sizes`` replaced."""
        total: int | Dim = 0
        for atoms, factor in self.terms.items():
            product: int | Dim = factor
            for atom in atoms:
                if isinstance(atom, _Floor):
                    product = product * atom.evaluate(sizes)
                else:
                    alone = self._make({(atom,): 1})
                    product = product * sizes.get(alone, alone)  # type: ignore[arg-type, operator]
            total = total + product
        return total

    def __str__(self) -> str:
        parts = []
        for atoms, factor in self.terms.items():
            names = [str(atom) for atom in atoms]
            if factor != 1 or not names:
                names.insert(0, str(factor))
            parts.append("*".join(names))
        return "+".join(parts).replace("+-", "-")

    def __repr__(self) -> str:
        return str(self)


def evaluate(size: int | Dim, sizes: Mapping[Dim, int]) -> int | Dim:
    """``size`` with the unknowns in ``sizes`` replaced; ints pass through."""
    return size.evaluate(sizes) if isinstance(size, Dim) else size


def evaluate_shape(shape: tuple, sizes: Mapping[Dim, int]) -> tuple:
    """Every entry of ``shape`` evaluated."""
    return tuple([evaluate(size, sizes) for size in shape])


def product(shape: tuple) -> int | Dim:
    """Number of elements of ``shape``."""
    total: int | Dim = 1
    for size in shape:
        total = total * size
    return total


def show_shape(shape: tuple) -> str:
    """``(None, 28)``-like text; an unknown size shows its name."""
    inside = ", ".join(str(size) for size in shape)
    return f"({inside},)" if len(shape) == 1 else f"({inside})"
