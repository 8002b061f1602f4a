"""Predictions for any number of rows, over few plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet.errors import ArgumentError, ShapeError
from mathnet.graph.dim import Dim, evaluate
from mathnet.model.inputs import match

if TYPE_CHECKING:
    from mathnet.model.model import Model


def predict(model: Model, x: Any, batch_size: int) -> Any:
    """See :meth:`Model.predict`.

    Full batches run with one plan; what remains is filled up to a power of two by repeating its last row, so a service
    that sees every number of rows builds few plans.  Outputs with a batch axis have the same bits for any batch.
    """
    check_batch_size(batch_size)
    arrays = model.arrays(x)
    sizes = match(model.inputs, arrays, model.input_names, model._owner)
    dim = shared_batch(model)
    rows = sizes.get(dim, 0) if dim is not None else 0
    if dim is None or rows == 0:
        return model(x)
    results: list[np.ndarray] | None = None
    for start in range(0, rows, batch_size):
        stop = min(start + batch_size, rows)
        size = stop - start if stop - start == batch_size else min(power_of_two(stop - start), batch_size)
        outputs = model.run([fill(a[start:stop], size) for a in arrays], {**sizes, dim: size})
        if stop - start == rows:
            return model._nested([o[:rows] if size != rows else o for o in outputs])
        if results is None:
            results = [np.empty((rows, *o.shape[1:]), o.dtype) for o in outputs]
        for whole, part in zip(results, outputs):
            whole[start:stop] = part[: stop - start]
    assert results is not None
    return model._nested(results)


def shared_batch(model: Model) -> Dim | None:
    """The free size that is axis 0 of every input and output, and nowhere else; None when rows cannot be split."""
    lead = model.inputs[0].shape[0] if model.inputs[0].shape else None
    if not isinstance(lead, Dim):
        return None
    for tensor in (*model.inputs, *model.outputs):
        if tensor.shape[:1] != (lead,):
            return None
        if any(isinstance(s, Dim) and evaluate(s, {lead: 1}) != s for s in tensor.shape[1:]):
            return None
    return lead


def fill(rows: np.ndarray, size: int) -> np.ndarray:
    """``rows`` with its last row repeated until there are ``size``."""
    if len(rows) == size:
        return rows
    filled = np.empty((size, *rows.shape[1:]), rows.dtype)
    filled[: len(rows)] = rows
    filled[len(rows) :] = rows[-1]
    return filled


def power_of_two(count: int) -> int:
    """The smallest power of two that is not below ``count``."""
    return 1 << (count - 1).bit_length()


def check_batch_size(batch_size: Any) -> None:
    if isinstance(batch_size, bool) or not hasattr(batch_size, "__index__") or batch_size < 1:
        raise ArgumentError(f"batch_size must be a positive integer, not {batch_size!r}")


def check_rows(arrays: Sequence[np.ndarray], names: Sequence[str]) -> int:
    """The number of rows that all arrays have; an error when they differ or there are none."""
    counts = [len(a) for a in arrays]
    for name, count in zip(names, counts):
        if count != counts[0]:
            raise ShapeError(
                f"{name} has {count} rows, but {names[0]} has {counts[0]}; every array needs one row per example"
            )
    if counts[0] == 0:
        raise ShapeError(f"{names[0]} has no rows; at least one example is needed")
    return counts[0]
