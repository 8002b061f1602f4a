"""Ratios: weighted averages over examples, still in parts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import FUNCTIONS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.model.weights import total_weight


class Ratio(NamedTuple):
    """A weighted average still in parts, so that batches can be added up: ``numerator / denominator``.

    The denominator is a tensor, or the number of examples where nothing is weighted.
    """

    numerator: Tensor
    denominator: Tensor | float


def per_example(
    returned: Any, batch: int, where: str, dtype: np.dtype | None = None
) -> tuple[Tensor, Tensor | None]:
    """What a loss or metric returned, as values (batch,) and weights (batch,) or None.

    Values alone are averaged over the other axes; values with weights are summed, both.  dtype: of the values when they are
    no floats.
    """
    values, weights = returned if isinstance(returned, tuple) and len(returned) == 2 else (returned, None)
    found: list[Tensor | None] = []
    for tensor in (values, weights):
        if tensor is None:
            found.append(None)
            continue
        tensor = as_tensor(tensor, where)
        if tensor.shape[:1] != (batch,):
            lead = "a single number" if not tensor.shape else f"shape {show_shape(tensor.shape)}"
            raise ShapeError(
                f"{where} must give one value per example, (batch, …), but for a batch of {batch} it gave {lead}; "
                "averaging over examples is done for it, with their weights"
            )
        if not is_float(tensor.dtype):
            tensor = FUNCTIONS["cast"](tensor, dtype or np.dtype(np.float32))
        if tensor.ndim > 1:
            tensor = FUNCTIONS["mean" if weights is None else "sum"](
                tensor, axis=tuple(range(1, tensor.ndim))
            )
        found.append(tensor)
    return found[0], found[1]  # type: ignore[return-value]


def aligned(scores: Tensor, target: Tensor) -> Tensor:
    """Targets (N,) as (N, 1) for scores of that shape."""
    if scores.shape[-1:] == (1,) and target.shape == scores.shape[:-1]:
        return FUNCTIONS["reshape"](target, scores.shape)
    return target


def ratio(values: Tensor, own: Tensor | None, weight: Tensor | None, where: str | None) -> Ratio:
    """Sums over the examples; ``where`` names the average whose weights must not sum to zero."""
    if weight is not None:
        values = values * weight
        own = weight if own is None else own * weight
    if own is None:
        return Ratio(FUNCTIONS["sum"](values), float(values.shape[0]))
    total = FUNCTIONS["sum"](own) if where is None else total_weight(own, where)
    return Ratio(FUNCTIONS["sum"](values), total)
