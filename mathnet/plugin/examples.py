"""What losses and metrics are given when they are called on data: arrays, lists of numbers, or tensors of a trace."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import DTypeError
from mathnet.graph.dtypes import BOOL, FLOAT64, graph_dtype
from mathnet.graph.tensor import Tensor


def examples(value: Any, where: str) -> Any:
    """Scores or targets as a dense array of a type that a graph knows; bools become 0.0 and 1.0.  A tensor stays what it is."""
    if isinstance(value, Tensor) or hasattr(value, "__mathnet_tensor__"):
        return value
    try:
        array = np.asarray(value)
    except ValueError:  # rows of different lengths
        raise DTypeError(f"{where}: {type(value).__name__} is no array of numbers") from None
    dtype = graph_dtype(array.dtype, where)
    return np.require(array, FLOAT64 if dtype == BOOL else dtype, ["C_CONTIGUOUS", "ALIGNED"])
