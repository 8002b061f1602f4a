"""Expressions written as text and as LaTeX; brackets only where the binding asks for them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from mathnet.study.expression import ONE, Expression, terms
from mathnet.study.pieces import Piece

# Strength of binding: choices, sums, products, powers, things that need no brackets.
CHOICE, SUM, PRODUCT, POWER, ATOM = range(5)
_NUMBERS = {
    math.pi: ("π", r"\pi"),
    math.sqrt(0.5): ("1/√2", r"\tfrac{1}{\sqrt2}"),
    2 / math.sqrt(math.pi): ("2/√π", r"\tfrac{2}{\sqrt\pi}"),
    1 / math.sqrt(2 * math.pi): ("1/√(2π)", r"\tfrac{1}{\sqrt{2\pi}}"),
    math.sqrt(2 / math.pi): ("√(2/π)", r"\sqrt{\tfrac{2}{\pi}}"),
}
_NAMES = {
    "sigmoid": ("σ", r"\sigma"),
    "normal_cdf": ("Φ", r"\Phi"),
    "lgamma": ("log Γ", r"\log\Gamma"),
    "digamma": ("ψ", r"\psi"),
    "maximum": ("max", r"\max"),
    "minimum": ("min", r"\min"),
    **{name: (name, rf"\{name}") for name in ("exp", "log", "tanh", "sin", "cos", "tan", "sinh", "cosh")},
}
_COMPARE = {
    "greater": (" > ", " > "),
    "greater_equal": (" ≥ ", r" \ge "),
    "less": (" < ", " < "),
    "less_equal": (" ≤ ", r" \le "),
    "equal": (" = ", " = "),
    "not_equal": (" ≠ ", r" \ne "),
}


class Writer:
    """Writes expressions in one of the two forms."""

    def __init__(self, latex: bool) -> None:
        self.latex = latex

    def pieces(self, found: Sequence[Piece], belongs: dict[float, float]) -> str:
        """Expressions by intervals; a border belongs to the piece before it when ``belongs`` gives that piece's value there."""
        if len(found) == 1:
            return self.of(found[0].expression)
        lines = []
        for piece in found[:-1]:
            sign = self._pick((" ≤ ", r" \le ")) if piece.end in belongs else " < "
            lines.append((self.of(piece.expression, SUM), f"x{sign}{self.number(piece.end)}"))
        last = self.of(found[-1].expression, SUM)
        if self.latex:
            rows = r" \\ ".join(
                rf"{value} & {condition}" for value, condition in [*lines, (last, r"\text{else}")]
            )
            return rf"\begin{{cases}} {rows} \end{{cases}}"
        return " else ".join([*[f"{value} if {condition}" for value, condition in lines], last])

    def of(self, e: Expression, least: int = CHOICE) -> str:
        text, strength = self._written(e)
        return text if strength >= least else self._brackets(text)

    def number(self, value: float) -> str:
        return ("-" if value < 0 else "") + self._magnitude(abs(value))

    def _pick(self, pair: tuple[str, str]) -> str:
        return pair[self.latex]

    def _brackets(self, text: str) -> str:
        return rf"\left({text}\right)" if self.latex else f"({text})"

    def _magnitude(self, value: float) -> str:
        for known, shown in _NUMBERS.items():
            if math.isclose(value, known, rel_tol=1e-14):
                return self._pick(shown)
        fraction = _fraction(value, self.latex)
        if fraction is not None and self.latex:
            return rf"\tfrac{{{fraction.numerator}}}{{{fraction.denominator}}}"
        return f"{value:.10g}" if fraction is None else str(fraction)

    def _written(self, e: Expression) -> tuple[str, int]:
        kind = e[0]
        if kind == "x":
            return "x", ATOM
        if kind == "number":
            text = self.number(e[1])
            return text, SUM if text.startswith("-") else PRODUCT if "/" in text else ATOM
        if kind == "sum":
            return self._sum(terms(e))
        if kind == "product":
            return self._product(e[1], 1.0)
        return self._call(e[1], e[2:])

    def _sum(self, found: Sequence[tuple[Expression, float]]) -> tuple[str, int]:
        if len(found) == 1:
            base, coefficient = found[0]
            sign = "-" if coefficient < 0 else ""
            factors = base[1] if base[0] == "product" else ((base, 1.0),)
            text, strength = self._product(factors, abs(coefficient))
            return sign + text, SUM if sign else strength
        text = ""
        for base, coefficient in sorted(
            found, key=lambda term: term[1] < 0
        ):  # a sum begins with what is added
            term = (
                self._magnitude(abs(coefficient))
                if base == ONE
                else self.of(_once(base, abs(coefficient)), PRODUCT)
            )
            text += (
                f" {'-' if coefficient < 0 else '+'} {term}" if text else f"{'-' * (coefficient < 0)}{term}"
            )
        return text, SUM

    def _product(self, found: Sequence[tuple[Expression, float]], front: float) -> tuple[str, int]:
        top = [pair for pair in found if pair[1] > 0]
        bottom = [(base, -p) for base, p in found if p < 0]
        fraction = _fraction(front, self.latex or bool(bottom))
        if fraction is None and front == int(front):
            fraction = Fraction(int(front))
        over = fraction if fraction is not None and (bottom or fraction.denominator > 1) else None
        above = self._factors(top, alone=over is not None and over.numerator == 1)
        below = self._factors(bottom, alone=over is not None and over.denominator == 1)
        if over is not None:
            if over.numerator != 1 or not above:
                above.insert(0, str(over.numerator))
            if over.denominator != 1:
                below.insert(0, str(over.denominator))
        elif front != 1.0:
            above.insert(0, self._magnitude(front))
        if not below:
            return self._joined(above)
        if self.latex:
            return rf"\frac{{{self._joined(above)[0]}}}{{{self._joined(below)[0]}}}", PRODUCT
        divisor, strength = self._joined(below)
        return (
            f"{self._joined(above)[0]}/{self._brackets(divisor) if strength == PRODUCT else divisor}",
            PRODUCT,
        )

    def _factors(self, found: Sequence[tuple[Expression, float]], alone: bool) -> list[str]:
        """Each factor written; one that is ``alone`` above or below a fraction's line needs no brackets."""
        if self.latex and alone and len(found) == 1 and found[0][1] == 1.0:
            return [self.of(found[0][0])]
        return [self._power(base, p) for base, p in found]

    def _joined(self, factors: list[str]) -> tuple[str, int]:
        if len(factors) == 1:
            return factors[0], POWER
        return (r" \cdot " if self.latex else "·").join(factors), PRODUCT

    def _power(self, base: Expression, exponent: float) -> str:
        if exponent == 1.0:
            return self.of(base, POWER)
        if exponent == 0.5:
            return rf"\sqrt{{{self.of(base)}}}" if self.latex else f"√{self.of(base, ATOM)}"
        inside = self.of(base, ATOM)
        if self.latex:
            return f"{inside}^{{{self.number(exponent)}}}"
        return inside + {2.0: "²", 3.0: "³"}.get(exponent, f"^{self.number(exponent)}")

    def _call(self, name: str, arguments: Sequence[Expression]) -> tuple[str, int]:
        if name in _COMPARE:
            a, b = arguments
            return f"{self.of(a)}{self._pick(_COMPARE[name])}{self.of(b)}", SUM
        if name == "where":
            condition, a, b = arguments
            return self._choice(self.of(a, SUM), self.of(condition), self.of(b))
        inside = ", ".join(self.of(a) for a in arguments)
        if name == "exp" and self.latex:
            return f"e^{{{inside}}}", POWER
        if name == "abs":
            return (rf"\left|{inside}\right|" if self.latex else f"|{inside}|"), ATOM
        shown = self._pick(_NAMES.get(name, (name, rf"\operatorname{{{name.replace('_', ' ')}}}")))
        return f"{shown}{self._brackets(inside)}", ATOM

    def _choice(self, value: str, condition: str, other: str) -> tuple[str, int]:
        if self.latex:
            return rf"\begin{{cases}} {value} & {condition} \\ {other} & \text{{else}} \end{{cases}}", ATOM
        return f"{value} if {condition} else {other}", CHOICE


def _once(base: Expression, coefficient: float) -> Expression:
    return base if coefficient == 1.0 else ("sum", ((base, coefficient),))


def _fraction(value: float, halves: bool) -> Fraction | None:
    """The value as a fraction of small numbers when it is one; those with a short decimal, such as 0.25, only for ``halves``."""
    found = Fraction(value).limit_denominator(12)
    if found.denominator in (1, 5, 10) or (found.denominator in (2, 4, 8) and not halves):
        return None
    return found if math.isclose(float(found), value, rel_tol=1e-14) else None
