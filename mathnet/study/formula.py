"""A function of one number and its derivative as text and as LaTeX, read off the very graphs that are computed.

The derivative is the one that training uses: the graph of the vector–Jacobian product, with the operations' own names for what is no
elementary function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet.ops  # noqa: F401  fills the tables
from mathnet.errors import ArgumentError, UnknownKeyError, nearest
from mathnet.graph.graph import Graph
from mathnet.graph.op import CONSTANT, FUNCTIONS, INPUT, OPS, constant, input_tensor
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.transform.gradient import gradient
from mathnet.transform.simplify import merge

FLOAT = np.dtype(np.float64)
# Strength of binding: sums, products, signs, powers, things that need no brackets.
SUM, PRODUCT, SIGN, POWER, ATOM = range(5)
_NUMBERS = {
    np.pi: ("π", r"\pi"),
    np.sqrt(0.5): ("1/√2", r"\tfrac{1}{\sqrt2}"),
    2 / np.sqrt(np.pi): ("2/√π", r"\tfrac{2}{\sqrt\pi}"),
    1 / np.sqrt(2 * np.pi): ("1/√(2π)", r"\tfrac{1}{\sqrt{2\pi}}"),
}
_NAMES = {
    "sigmoid": ("σ", r"\sigma"),
    "normal_cdf": ("Φ", r"\Phi"),
    "exp": ("exp", r"\exp"),
    "log": ("log", r"\log"),
    "tanh": ("tanh", r"\tanh"),
    "sin": ("sin", r"\sin"),
    "cos": ("cos", r"\cos"),
    "maximum": ("max", r"\max"),
    "minimum": ("min", r"\min"),
}
_COMPARE = {
    "greater": (" > ", " > "),
    "greater_equal": (" ≥ ", r" \ge "),
    "less": (" < ", " < "),
    "less_equal": (" ≤ ", r" \le "),
    "equal": (" = ", " = "),
    "not_equal": (" ≠ ", r" \ne "),
}


class Formula:
    """f and f′ of a function of one number.

    text, derivative: f(x) and f′(x) as text; latex: both as LaTeX; domain, kinks: as the operation states them ("" and {} if it does not).
    """

    def __init__(
        self, name: str, text: str, derivative: str, latex: str, domain: str, kinks: dict[float, float]
    ) -> None:
        self.name, self.text, self.derivative, self.latex = name, text, derivative, latex
        self.domain, self.kinks = domain, kinks

    def __str__(self) -> str:
        lines = [f"{self.name}(x) = {self.text}", f"{self.name}′(x) = {self.derivative}"]
        if self.domain and self.domain != "all real numbers":
            lines.append(f"for {self.domain}")
        lines += [f"{self.name}′({at:g}) = {value:g} by convention" for at, value in self.kinks.items()]
        return "\n".join(lines)

    __repr__ = __str__


def formula(what: str | Callable[[Tensor], Tensor]) -> Formula:
    """The formula of an operation, a registered activation or any function of one tensor, and that of its derivative.

    what: a name ("gelu") or a function.  Raises UnknownKeyError for an unknown name, ArgumentError for what is no function of one number.

    >>> import mathnet as mn
    >>> print(mn.formula("tanh"))
    tanh(x) = tanh(x)
    tanh′(x) = 1 - tanh(x)²
    """
    name, f = _function(what)
    x = input_tensor(Spec((), FLOAT), "x")
    try:
        y = f(x)
        slope = (
            gradient([y], [constant(1.0, FLOAT)], [x])[0] if isinstance(y, Tensor) and y.shape == () else None
        )
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise ArgumentError(f"formula: {name!r} is no function of one number ({error})") from error
    if not isinstance(y, Tensor) or y.shape != ():
        raise ArgumentError(f"formula: {name!r} does not give one number for one number")
    results = [y] if slope is None else [y, slope]
    outputs = merge(Graph([x], results)).outputs
    op = OPS.get(name)
    own = (
        op.formula if op is not None and outputs[0].node.op is op and len(outputs[0].node.inputs) >= 1 else ""
    )
    text = own or _Writer(latex=False).of(outputs[0])
    tex = _Writer(latex=True)
    derivative = _Writer(latex=False).of(outputs[1]) if slope is not None else "0"
    second = tex.of(outputs[1]) if slope is not None else "0"
    latex = f"f(x) = {tex.of(outputs[0])}, \\qquad f'(x) = {second}"
    return Formula(name, text, derivative, latex, op.domain if op else "", dict(op.kinks) if op else {})


def _function(what: Any) -> tuple[str, Callable]:
    if callable(what):
        return getattr(what, "__name__", "f").replace("<lambda>", "f"), what
    if what in FUNCTIONS:
        return what, FUNCTIONS[what]
    from mathnet.plugin.host import current_runtime

    try:
        return what, current_runtime().registry.get("activation", what)
    except UnknownKeyError:
        known = [n for n, f in FUNCTIONS.items() if len(inspect.signature(f).parameters) == 1]
        raise UnknownKeyError(
            f"formula: no operation or activation is named {what!r}{nearest(str(what), known)}"
        ) from None


class _Writer:
    """Writes a tensor as an expression; brackets only where the binding asks for them."""

    def __init__(self, latex: bool) -> None:
        self.latex = latex

    def of(self, tensor: Tensor, least: int = SUM) -> str:
        text, strength = self._written(tensor)
        return text if strength >= least else self._brackets(text)

    def _brackets(self, text: str) -> str:
        return rf"\left({text}\right)" if self.latex else f"({text})"

    def _pick(self, pair: tuple[str, str]) -> str:
        return pair[self.latex]

    def _written(self, tensor: Tensor) -> tuple[str, int]:
        node = tensor.node
        if node.op is INPUT:
            return "x", ATOM
        if node.op is CONSTANT:
            return self._number(float(node.attrs["value"]))
        rule = getattr(self, f"_{node.op.name}", None)
        if rule is not None:
            return rule(node, *node.inputs)
        if node.op.name in _COMPARE:
            a, b = node.inputs
            return f"{self.of(a)}{self._pick(_COMPARE[node.op.name])}{self.of(b)}", SUM
        shown = self._pick(
            _NAMES.get(node.op.name, (node.op.name, rf"\operatorname{{{node.op.name.replace('_', ' ')}}}"))
        )
        return f"{shown}{self._brackets(', '.join(self.of(t) for t in node.inputs))}", ATOM

    def _number(self, value: float) -> tuple[str, int]:
        for known, shown in _NUMBERS.items():
            if np.isclose(abs(value), known, rtol=1e-14, atol=0):
                return ("-" if value < 0 else "") + self._pick(shown), SIGN if value < 0 else PRODUCT
        return f"{value:.10g}", SIGN if value < 0 else ATOM

    def _add(self, node: Node, a: Tensor, b: Tensor) -> tuple[str, int]:
        right = self.of(b)
        joined = f"{self.of(a)} - {right[1:]}" if right.startswith("-") else f"{self.of(a)} + {right}"
        return joined, SUM

    def _subtract(self, node: Node, a: Tensor, b: Tensor) -> tuple[str, int]:
        return f"{self.of(a)} - {self.of(b, PRODUCT)}", SUM

    def _multiply(self, node: Node, a: Tensor, b: Tensor) -> tuple[str, int]:
        dot = r" \cdot " if self.latex else "·"
        return f"{self.of(a, PRODUCT)}{dot}{self.of(b, POWER)}", PRODUCT

    def _divide(self, node: Node, a: Tensor, b: Tensor) -> tuple[str, int]:
        if self.latex:
            return rf"\frac{{{self.of(a)}}}{{{self.of(b)}}}", ATOM
        return f"{self.of(a, PRODUCT)}/{self.of(b, POWER)}", PRODUCT

    def _reciprocal(self, node: Node, a: Tensor) -> tuple[str, int]:
        return (rf"\frac{{1}}{{{self.of(a)}}}", ATOM) if self.latex else (f"1/{self.of(a, POWER)}", PRODUCT)

    def _negative(self, node: Node, a: Tensor) -> tuple[str, int]:
        return f"-{self.of(a, SIGN)}", SIGN

    def _square(self, node: Node, a: Tensor) -> tuple[str, int]:
        return f"{self.of(a, ATOM)}{'^2' if self.latex else '²'}", POWER

    def _gaussian(self, node: Node, a: Tensor) -> tuple[str, int]:
        if self.latex:
            return rf"e^{{-{self.of(a, ATOM)}^2/2}}", ATOM
        return f"exp(-{self.of(a, ATOM)}²/2)", ATOM

    def _power(self, node: Node, a: Tensor, b: Tensor) -> tuple[str, int]:
        return (
            f"{self.of(a, ATOM)}^{{{self.of(b)}}}"
            if self.latex
            else f"{self.of(a, ATOM)}^{self.of(b, ATOM)}",
            POWER,
        )

    def _sqrt(self, node: Node, a: Tensor) -> tuple[str, int]:
        return (rf"\sqrt{{{self.of(a)}}}" if self.latex else f"√{self.of(a, ATOM)}"), ATOM

    def _abs(self, node: Node, a: Tensor) -> tuple[str, int]:
        return (rf"\left|{self.of(a)}\right|" if self.latex else f"|{self.of(a)}|"), ATOM

    def _one_minus_square(self, node: Node, y: Tensor) -> tuple[str, int]:
        return f"1 - {self._square(node, y)[0]}", SUM

    def _sigmoid_slope(self, node: Node, y: Tensor) -> tuple[str, int]:
        dot = r" \cdot " if self.latex else "·"
        return f"{self.of(y, ATOM)}{dot}{self._brackets(f'1 - {self.of(y, PRODUCT)}')}", PRODUCT

    def _cast(self, node: Node, a: Tensor) -> tuple[str, int]:
        return self._bracketed(a) if a.dtype == np.bool_ else self._written(a)

    def _bracketed(self, condition: Tensor) -> tuple[str, int]:
        """Iverson's bracket: 1 where the condition holds, else 0."""
        return f"[{self.of(condition)}]", ATOM

    def _where(self, node: Node, condition: Tensor, a: Tensor, b: Tensor) -> tuple[str, int]:
        return self._cases(self.of(a), self.of(condition), self.of(b))

    def _relu_mask(self, node: Node, dy: Tensor, y: Tensor) -> tuple[str, int]:
        return self._cases(self.of(dy), f"{self.of(y)} > 0", "0")

    def _cases(self, value: str, condition: str, other: str) -> tuple[str, int]:
        if self.latex:
            return rf"\begin{{cases}} {value} & {condition} \\ {other} & \text{{else}} \end{{cases}}", ATOM
        return f"{value} if {condition} else {other}", SUM - 1
