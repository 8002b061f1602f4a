"""Quotients by the gaps between eigenvalues, and what becomes of them where eigenvalues repeat.

Where λᵢ = λⱼ the eigenvectors are not determined, only the space that they span.  A function of that space, or one that is symmetric
in the repeated eigenvalues, has a derivative all the same: in its formula the numerators over the gap vanish.  So a numerator that
vanishes (to rounding) gives 0 there, and any other is an error; division by a rounding error is never done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import GradientError
from mathnet.graph.op import FUNCTIONS, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.linear_algebra.matrices import MatrixOp, swap, transposed

GAP = 16  # eigenvalues closer than GAP·n·ε·max|λ| count as repeated
VANISHING = 1024  # a numerator below VANISHING·n·ε·(largest term) counts as 0


def repeated(values: np.ndarray) -> np.ndarray:
    """(…, n, n): whether two eigenvalues or singular values are the same to rounding; the diagonal is true."""
    n, eps = values.shape[-1], np.finfo(values.dtype).eps
    scale = np.abs(values).max(-1, initial=0)[..., None, None]
    return np.abs(values[..., :, None] - values[..., None, :]) <= GAP * n * eps * scale


def negligible(terms: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Whether ``terms`` are rounding errors of a sum whose parts are as large as ``scale`` (…, n, n)."""
    n, eps = terms.shape[-1], np.finfo(terms.dtype).eps
    return np.abs(terms) <= VANISHING * n * eps * np.abs(scale).max((-1, -2), keepdims=True, initial=0)


class Quotient(MatrixOp):
    """Zᵢⱼ = (Kᵢⱼ − Kⱼᵢ)/(λⱼ − λᵢ), 0 on the diagonal: how eigenvectors turn.  A numerator over a gap of 0 must vanish."""

    name, formula = "gap_quotient", "(Kᵢⱼ − Kⱼᵢ)/(λⱼ − λᵢ)"

    def infer(self, values: Spec, k: Spec) -> Spec:  # type: ignore[override]
        return Spec(k.shape, k.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        values, _ = inputs
        return _values_slope(values, dy * outputs[0]), DIVIDED(values, dy + swap(dy))

    def compute(self, values: np.ndarray, k: np.ndarray) -> np.ndarray:  # type: ignore[override]
        numerator = k - transposed(k)
        same = repeated(values)
        if np.any(same & ~negligible(numerator, k)):
            raise GradientError(
                "eigenvectors of repeated eigenvalues have no derivative; only functions of the space that they span, such as "
                "V·Vᵀ over all of them, have one"
            )
        gap = values[..., None, :] - values[..., :, None]
        return np.where(same, 0, numerator / np.where(same, 1, gap))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(48)
        values, k = np.array([[-1.0, 0.5, 2.0], [0.3, 1.0, 4.0]]), rng.uniform(-1, 1, (2, 3, 3))
        return [((values, k), {}), ((values[0], k[0]), {}), ((values[:0], k[:0]), {})]


class Divided(MatrixOp):
    """Zᵢⱼ = Sᵢⱼ/(λⱼ − λᵢ), 0 on the diagonal, for gaps that are not 0: the second derivative needs that."""

    name, formula = "gap_divided", "Sᵢⱼ/(λⱼ − λᵢ)"
    domain = "eigenvalues without repetition"

    def infer(self, values: Spec, s: Spec) -> Spec:  # type: ignore[override]
        return Spec(s.shape, s.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        values, _ = inputs
        return _values_slope(values, dy * outputs[0]), DIVIDED(values, dy)

    def compute(self, values: np.ndarray, s: np.ndarray) -> np.ndarray:  # type: ignore[override]
        n = values.shape[-1]
        same = repeated(values)
        if np.any(same & ~np.eye(n, dtype=bool)):
            raise GradientError(
                "a derivative of second order, or in forward mode, of an eigenvalue or singular value decomposition needs values that "
                "do not repeat; the first one in reverse mode does not"
            )
        gap = values[..., None, :] - values[..., :, None]
        return np.where(same, 0, s / np.where(same, 1, gap))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return QUOTIENT.samples()


class SameWhereRepeated(MatrixOp):
    """The cotangents of eigenvalues, unchanged; those of repeated ones must be equal: else the function has no derivative there."""

    name, formula = "same_where_repeated", "c"

    def infer(self, values: Spec, cotangent: Spec) -> Spec:  # type: ignore[override]
        return Spec(cotangent.shape, cotangent.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return None, dy

    def compute(self, values: np.ndarray, cotangent: np.ndarray) -> np.ndarray:  # type: ignore[override]
        difference = cotangent[..., :, None] - cotangent[..., None, :]
        scale = np.abs(cotangent[..., :, None]) + np.abs(cotangent[..., None, :])
        if np.any(repeated(values) & ~negligible(difference, scale)):
            raise GradientError(
                "a single one of several equal eigenvalues or singular values has no derivative; functions that treat the equal ones "
                "alike, such as their sum, have one"
            )
        return cotangent

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        values, k = QUOTIENT.samples()[0][0]
        return [((values, k[:, 0]), {}), ((values[0], k[0, 0]), {})]


QUOTIENT, DIVIDED = register(Quotient()), register(Divided())
SAME_WHERE_REPEATED = register(SameWhereRepeated())


def _values_slope(values: Tensor, weighted: Tensor) -> Tensor:
    """Cotangent of the values: every quotient is divided by λⱼ − λᵢ once more."""
    twice = DIVIDED(values, weighted)
    return FUNCTIONS["sum"](twice, axis=-1) - FUNCTIONS["sum"](twice, axis=-2)
