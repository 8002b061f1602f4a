"""einsum: any sum of products, as products of pairs of operands.

The text is read into labels per operand; what only one operand has is summed first, then the operands are contracted in pairs in the
order that ``numpy.einsum_path`` finds, each pair by a matrix product over stacks (or a broadcast product where nothing is summed).
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import BOOL
from mathnet.graph.op import FUNCTIONS, OPS, as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.diagonal import diagonal
from mathnet.ops.matmul import matmul
from mathnet.ops.shape import reshape, transpose

_LETTERS = string.ascii_letters
#: Stands for an unknown size in the search for a cheap order.
_NOMINAL = 32


@graph_function
def einsum(subscripts: Any, *operands: Any, optimize: Any = "greedy") -> Tensor:
    """Σ of products by labels of axes: ``einsum("ij,jk->ik", x, y)`` is the matrix product.

    subscripts: labels of the axes of each operand, between commas; after ``->`` the labels of the result (left out: those that occur
    once, in alphabetical order).  A label twice in one operand takes the diagonal; ``...`` stands for all other axes, which are
    broadcast.  NumPy's other form, ``einsum(x, [0, 1], y, [1, 2], [0, 2])``, is taken too.  optimize: ``"greedy"``, ``"optimal"``, False
    (from left to right) or a path of ``numpy.einsum_path``.

    Raises ArgumentError for a text that means nothing, ShapeError for labels with different sizes.

    >>> import mathnet as mn
    >>> mn.einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 10.0])
    array([21., 43.])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _interleaved((subscripts, *operands))
    tensors = [as_tensor(x, f"einsum: operand {k}") for k, x in enumerate(operands)]
    if tensors and all(t.dtype == BOOL for t in tensors):
        raise DTypeError("einsum: bools have no sums of products; use mn.cast")
    labels, result = read(subscripts, [t.shape for t in tensors])
    sizes = _sizes(subscripts, labels, tensors)
    terms = [_Term(t, names).reduced(sizes) for t, names in zip(tensors, labels)]
    for pair in _path(terms, result, sizes, optimize):
        chosen = [terms[k] for k in pair]
        terms = [t for k, t in enumerate(terms) if k not in pair]
        needed = {*result, *[name for t in terms for name in t.names]}
        merged = chosen[0].summed_to(needed | {n for t in chosen[1:] for n in t.names})
        for position, other in enumerate(chosen[1:]):
            later = needed | {n for t in chosen[position + 2 :] for n in t.names}
            merged = _contract(merged, other.summed_to(later | set(merged.names)), later)
        terms.append(merged)
    (last,) = terms
    last = last.summed_to(set(result))
    missing = [name for name in result if name not in last.names]  # labels whose axes all had size 1
    whole = reshape(last.tensor, (*last.tensor.shape, *[1] * len(missing)))
    names = (*last.names, *missing)
    return transpose(whole, tuple([names.index(name) for name in result]))


# ---- reading -------------------------------------------------------------------------------------------------------------------


def read(subscripts: str, shapes: Sequence[tuple]) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Labels of each operand and of the result.  An axis under ``...`` is labelled by its place from the right: ``.0``, ``.1``, …"""
    text = "".join(subscripts.split())
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(shapes):
        raise ArgumentError(
            f"einsum: {subscripts!r} describes {len(parts)} operands, but {len(shapes)} are given"
        )
    labels = [_labels(subscripts, part, shape, k) for k, (part, shape) in enumerate(zip(parts, shapes))]
    hidden = max((sum(name[0] == "." for name in names) for names in labels), default=0)
    dots = tuple([f".{k}" for k in reversed(range(hidden))])
    if not arrow:
        letters = [name for names in labels for name in names if name[0] != "."]
        return labels, (*dots, *sorted(name for name in set(letters) if letters.count(name) == 1))
    if right.count("...") > 1 or not set(right.replace("...", "")) <= set(_LETTERS):
        raise ArgumentError(f"einsum: {right!r} in {subscripts!r} is no list of labels")
    before, found, after = right.partition("...")
    if hidden and not found:
        raise ArgumentError(
            f"einsum: the result of {subscripts!r} needs '...' for the axes that '...' stands for"
        )
    result = (*before, *(dots if found else ()), *after)
    known = {name for names in labels for name in names}
    for name in result:
        if name not in known:
            raise ArgumentError(f"einsum: label {name!r} of the result of {subscripts!r} is in no operand")
    if len(set(result)) != len(result):
        raise ArgumentError(
            f"einsum: the result of {subscripts!r} has a label twice; use mn.diag for diagonals"
        )
    return labels, result


def _labels(subscripts: str, part: str, shape: tuple, position: int) -> tuple[str, ...]:
    before, dots, after = part.partition("...")
    if not set(before + after) <= set(_LETTERS):
        raise ArgumentError(
            f"einsum: {part!r} in {subscripts!r} is no list of labels (letters, and '...' once)"
        )
    hidden = len(shape) - len(before) - len(after)
    if hidden < 0 or (hidden and not dots):
        raise ShapeError(
            f"einsum: {part!r} in {subscripts!r} names {len(before) + len(after)} axes, "
            f"but operand {position} has shape {show_shape(shape)}"
        )
    return (*before, *[f".{k}" for k in reversed(range(hidden))], *after)


def _interleaved(given: Sequence[Any]) -> tuple[str, tuple]:
    """The text for NumPy's form of operands followed by lists of numbers."""
    operands, lists = given[0::2], list(given[1::2])
    result = None
    if len(given) % 2:
        result = operands[-1]
        operands = operands[:-1]
    if not operands or not all(
        isinstance(x, (list, tuple)) for x in (*lists, *([] if result is None else [result]))
    ):
        raise ArgumentError(
            "einsum: the first argument must be a text of labels, or operands and lists of labels in turn"
        )

    def text(entries: Any) -> str:
        found = []
        for entry in entries:
            if entry is not Ellipsis and not (
                hasattr(entry, "__index__") and 0 <= entry.__index__() < len(_LETTERS)
            ):
                raise ArgumentError(
                    f"einsum: {entry!r} in a list of labels is no integer from 0 to {len(_LETTERS) - 1}, and not '...'"
                )
            found.append("..." if entry is Ellipsis else _LETTERS[entry.__index__()])
        return "".join(found)

    return ",".join(map(text, lists)) + ("" if result is None else "->" + text(result)), tuple(operands)


def _sizes(subscripts: str, labels: Sequence[tuple[str, ...]], tensors: Sequence[Tensor]) -> dict[str, Any]:
    """The size of each label; axes of size 1 are broadcast."""
    sizes: dict[str, Any] = {}
    for position, (names, tensor) in enumerate(zip(labels, tensors)):
        for axis, (name, n) in enumerate(zip(names, tensor.shape)):
            known = sizes.get(name, 1)
            if known == 1:
                sizes[name] = n
            elif n != 1 and n != known:
                shown = "an axis of '...'" if name[0] == "." else f"label {name!r}"
                raise ShapeError(
                    f"einsum {subscripts!r}: {shown} has size {n} in axis {axis} of operand {position} of shape "
                    f"{show_shape(tensor.shape)}, but size {known} before"
                )
    return sizes


# ---- contracting ------------------------------------------------------------------------------------------------------------


class _Term:
    """A tensor and the labels of its axes."""

    def __init__(self, tensor: Tensor, names: Sequence[str]) -> None:
        self.tensor, self.names = tensor, tuple(names)

    def reduced(self, sizes: dict[str, Any]) -> _Term:
        """Without axes of size 1 that are broadcast, and with the diagonal for every repeated label."""
        keep = [k for k, name in enumerate(self.names) if self.tensor.shape[k] == sizes[name]]
        term = _Term(
            reshape(self.tensor, tuple([self.tensor.shape[k] for k in keep])), [self.names[k] for k in keep]
        )
        while len(set(term.names)) < len(term.names):
            name = next(name for name in term.names if term.names.count(name) > 1)
            first = term.names.index(name)
            second = term.names.index(name, first + 1)
            rest = [n for k, n in enumerate(term.names) if k not in (first, second)]
            term = _Term(diagonal(term.tensor, 0, first, second), [*rest, name])
        return term

    def summed_to(self, names: set[str]) -> _Term:
        """Summed over all other labels."""
        axes = [k for k, name in enumerate(self.names) if name not in names]
        if not axes:
            return self
        summed = FUNCTIONS["sum"](self.tensor, axis=tuple(axes))
        return _Term(summed, [name for name in self.names if name in names])

    def ordered(self, names: Sequence[str]) -> Tensor:
        """The tensor with its axes in the order of ``names``, which holds all of them; an axis of size 1 for each other one."""
        present = [name for name in names if name in self.names]
        turned = transpose(self.tensor, tuple([self.names.index(name) for name in present]))
        sizes = iter(turned.shape)
        return reshape(turned, tuple([next(sizes) if name in self.names else 1 for name in names]))


def _contract(x: _Term, y: _Term, needed: set[str]) -> _Term:
    """The product of two terms, summed over the labels that both have and nobody needs."""
    shared = [name for name in x.names if name in y.names]
    inside = [name for name in shared if name not in needed]
    stack = [name for name in shared if name in needed]
    rows = [name for name in x.names if name not in shared]
    columns = [name for name in y.names if name not in shared]
    names = (*stack, *rows, *columns)
    if not inside or not (rows or columns):
        everything = (*names, *inside)
        both = OPS["multiply"](x.ordered(everything), y.ordered(everything))
        return _Term(both, everything).summed_to(set(names))
    left, right = x.ordered((*stack, *rows, *inside)), y.ordered((*stack, *inside, *columns))
    cut = len(stack)
    lead, k = left.shape[:cut], product(left.shape[cut + len(rows) :])
    m, n = left.shape[cut : cut + len(rows)], right.shape[cut + len(inside) :]
    made = matmul(reshape(left, (*lead, product(m), k)), reshape(right, (*lead, k, product(n))))
    return _Term(reshape(made, (*lead, *m, *n)), names)


def _path(
    terms: Sequence[_Term], result: tuple[str, ...], sizes: dict[str, Any], optimize: Any
) -> list[tuple[int, ...]]:
    """Positions of the terms that are contracted next; what they give is put at the end."""
    if len(terms) == 1:
        return []
    if optimize is False:
        optimize = ["einsum_path", tuple(range(len(terms)))]
    if len(terms) == 2 and isinstance(optimize, (str, bool)):
        return [(0, 1)]
    known = sorted(sizes)
    if len(known) > len(_LETTERS):
        raise ArgumentError(f"einsum: {len(known)} labels are more than {len(_LETTERS)}")
    letter = dict(zip(known, _LETTERS))
    text = ",".join("".join(letter[name] for name in t.names) for t in terms)
    used = {name for t in terms for name in t.names}
    text += "->" + "".join(letter[name] for name in result if name in used)
    shapes = [tuple([_NOMINAL if isinstance(n, Dim) else max(n, 1) for n in t.tensor.shape]) for t in terms]
    stand_ins = [np.broadcast_to(np.float32(0), shape) for shape in shapes]  # no memory behind them
    try:
        path = np.einsum_path(text, *stand_ins, optimize=optimize)[0]
    except (TypeError, KeyError, ValueError, RuntimeError, IndexError) as error:
        raise ArgumentError(
            f"einsum: optimize must be 'greedy', 'optimal', True, False or a path of numpy.einsum_path, not {optimize!r} ({error})"
        ) from None
    left, steps = len(terms), [tuple(step) for step in path[1:]]
    for step in steps:
        if len(set(step)) != len(step) or not all(0 <= k < left for k in step):
            raise ArgumentError(
                f"einsum: step {step} of the path {optimize!r} does not choose among {left} operands"
            )
        left -= len(step) - 1
    if left != 1:
        raise ArgumentError(f"einsum: the path {optimize!r} leaves {left} operands")
    return steps
