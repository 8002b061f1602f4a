"""The sum of example weights, refused when it is zero: an operation, so that the refusal comes before anything changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.op import FUNCTIONS, Op, register
from mathnet.graph.tensor import Spec, Tensor


class CheckWeight(Op):
    """``total``, when ``1 / total`` is finite; an error before the commit part otherwise.

    Inputs: total and its reciprocal, both of rank 0.  Attribute ``where``: what the error names.
    """

    name = "check_weight"
    formula = "total"
    domain = "total ≠ 0, finite"

    def infer(self, total: Spec, reciprocal: Spec, where: str) -> Spec:
        return total

    def vjp(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], where: str
    ) -> Sequence[Tensor | None]:
        return dy, None

    def lower(self, emit: Any, inputs: tuple, outputs: tuple, where: str) -> None:  # type: ignore[override]
        emit.kernel("check_finite", [inputs[1]], [], n=1)
        emit.copy(inputs[0], outputs[0])

    def oracle(self, total: np.ndarray, reciprocal: np.ndarray, where: str) -> np.ndarray:
        return np.asarray(total, np.float64)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((np.array(4.0), np.array(0.25)), {"where": "loss"})]

    def message(self, code: int, position: int, value: float, where: str) -> str:  # type: ignore[override]
        return f"{where}: the weights of the examples of this batch sum to zero or are not finite, so the average is not defined"


CHECK_WEIGHT = register(CheckWeight())


def total_weight(weights: Tensor, where: str) -> Tensor:
    """Σ w, checked."""
    total = FUNCTIONS["sum"](weights)
    return CHECK_WEIGHT(total, FUNCTIONS["reciprocal"](total), where=where)
