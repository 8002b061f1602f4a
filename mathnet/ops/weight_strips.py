"""Weights of dense layers in the order in which one example reads them, for models whose weights never change."""

from __future__ import annotations

import numpy as np

STRIP = 64  # columns: 256 bytes of float32, as many as one row of the product keeps in registers with AVX2
# Elements: fewer come from the nearest caches in any order; of more, a second copy is not worth its memory.
FEWEST, MOST = 1 << 14, 1 << 20


def keeps_strips(k: int, n: int) -> bool:
    """Whether a frozen model keeps weights (k, n) in strips too, for the plan of one example.  The bits are the same."""
    return n > STRIP and FEWEST <= k * n <= MOST


def strips_of_weights(weight: np.ndarray) -> np.ndarray:
    """Weights (k, n) as the kernel ``gemv_prepared`` reads them: strips of columns, one after the other."""
    columns = range(0, weight.shape[1], STRIP)
    return np.concatenate([weight[:, first : first + STRIP].ravel() for first in columns])


__all__ = ["STRIP", "keeps_strips", "strips_of_weights"]
