"""A function of one number and its derivative as text and as LaTeX, read off the very graphs that are computed.

The derivative is the one that training uses: the graph of the vector–Jacobian product, with the operations' own names for what is no
elementary function.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import mathnet.ops  # noqa: F401  fills the tables
from mathnet.derivatives import grad
from mathnet.errors import ArgumentError, UnknownKeyError, nearest
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, OPS, constant, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.study.expression import value
from mathnet.study.pieces import Piece, pieces
from mathnet.study.writing import Writer
from mathnet.transform.gradient import gradient
from mathnet.transform.simplify import merge

FLOAT = np.dtype(np.float64)


class Formula:
    """f, f′ and f″ of a function of one number.

    text, derivative, second: f(x), f′(x) and f″(x) as text; latex: the first two as LaTeX, latex_parts: all three; domain: as the
    operation states it ("" if it does not); kinks: where f′ jumps, and its value there.
    """

    def __init__(
        self,
        name: str,
        parts: Sequence[str],
        latex_parts: Sequence[str],
        domain: str,
        kinks: dict[float, float],
    ) -> None:
        self.name = name
        self.text, self.derivative, self.second = parts
        self.latex_parts = tuple(latex_parts)
        self.latex = f"f(x) = {latex_parts[0]}, \\qquad f'(x) = {latex_parts[1]}"
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
    except (TypeError, ValueError, LookupError, ArithmeticError) as error:
        raise ArgumentError(f"formula: {name!r} is no function of one number ({error})") from error
    if not isinstance(y, Tensor) or y.shape != ():
        raise ArgumentError(f"formula: {name!r} does not give one number for one number")
    orders = [y]
    while len(orders) < 3:
        slope = gradient([orders[-1]], [constant(1.0, FLOAT)], [x])[0]
        orders.append(constant(0.0, FLOAT) if slope is None else slope)
    found = [pieces(tensor) for tensor in merge(Graph([x], orders)).outputs]
    kinks, belongs = _jumps(f, found[1])
    text, latex = Writer(latex=False), Writer(latex=True)
    parts = [text.pieces(one, belongs) for one in found]
    op = OPS.get(name)
    if op is not None and op.formula and y.node.op is op and len(y.node.inputs) >= 1:
        parts[0] = op.formula
    return Formula(
        name,
        parts,
        [latex.pieces(one, belongs) for one in found],
        op.domain if op else "",
        {**kinks, **(op.kinks if op else {})},
    )


def _jumps(f: Callable, slope: list[Piece]) -> tuple[dict[float, float], dict[float, float]]:
    """Where f′ jumps and its value there, and those of these places at which it has the value from the left."""
    kinks, belongs = {}, {}
    for piece, following in pairwise(slope):
        before, after = (value(one.expression, piece.end) for one in (piece, following))
        if math.isclose(before, after, rel_tol=1e-12, abs_tol=1e-12):
            continue
        kinks[piece.end] = float(grad(f)(np.float64(piece.end))) + 0.0
        if math.isclose(kinks[piece.end], before, rel_tol=1e-12, abs_tol=1e-12):
            belongs[piece.end] = before
    return kinks, belongs


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
