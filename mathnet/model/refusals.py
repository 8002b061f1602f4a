"""Data that a plan refused, worded for the user: which input or loss, which row, which value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet._kernels import runner
from mathnet.errors import DataError, MathnetError
from mathnet.graph.tensor import Spec
from mathnet.plan import Plan


def checks_of(arrays: Sequence[np.ndarray | Spec], inputs: int, targets: int) -> dict[int, Any]:
    """Float targets are checked for NaN; the range of indices is checked by the operations that use them."""
    return {k: "nan" for k in range(inputs, inputs + targets) if arrays[k].dtype.kind == "f"}


def refused(
    error: runner.StatusError,
    plan: Plan,
    names: Sequence[str],
    data: Sequence[np.ndarray],
    rows: np.ndarray | None = None,
) -> MathnetError:
    """The exception for a refusal.

    names, data: of the plan's inputs (of a batch, or with ``rows`` the whole data and the numbers of the batch's rows).
    """
    if error.input is not None:
        items = max(1, int(np.prod(data[error.input].shape[1:])))
        number = error.position // items
        where = f"row {_number(number, rows)}" + (f", element {error.position % items}" if items > 1 else "")
        return DataError(
            f"{names[error.input]}: {_value(error)} in {where}; nothing was changed by this step"
        )
    worded = plan.worded(error)
    row = _row_of_value(error, data, rows)
    if row is not None and row != error.position:
        worded.args = (f"{worded} (row {row} of the data)",)
    return worded


def _value(error: runner.StatusError) -> str:
    return "NaN" if error.code == runner.STATUS_CODES["nan"] else f"the value {error.value:g}"


def _number(row: int, rows: np.ndarray | None) -> int:
    return int(row if rows is None else rows[row])


def _row_of_value(
    error: runner.StatusError, data: Sequence[np.ndarray], rows: np.ndarray | None
) -> int | None:
    """The row of the whole data whose label is the refused value, when the position counts labels of the batch."""
    if (
        error.code != runner.STATUS_CODES["index_out_of_range"]
        or rows is None
        or not 0 <= error.position < len(rows)
    ):
        return None
    row = int(rows[error.position])
    return row if any(a.ndim == 1 and a.dtype.kind == "i" and a[row] == error.value for a in data) else None
