"""Element types and the one promotion table.

Types that a graph knows: ``bool``, ``int64``, ``float32``, ``float64`` (and ``uint8`` for window offsets inside plans).
Python and NumPy scalars are *weak*: they take the type of the arrays they meet.  Integers and bools take the float's type.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mathnet.errors import DTypeError

BOOL, INT64, FLOAT32, FLOAT64, UINT8 = (np.dtype(n) for n in ("bool", "int64", "float32", "float64", "uint8"))
# Types of arrays; those of bytes are integers like any, so they become int64.
_ARRAYS = frozenset((BOOL, INT64, FLOAT32, FLOAT64))
_RANK = {BOOL: 0, UINT8: 1, INT64: 1, FLOAT32: 2, FLOAT64: 3}
_KIND = {BOOL: 0, UINT8: 1, INT64: 1, FLOAT32: 2, FLOAT64: 2}


def is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f"


def graph_dtype(dtype: object, where: str) -> np.dtype:
    """The graph's type for an array of ``dtype``: float16 → float32, every integer → int64, any byte order; others are refused by name."""
    if isinstance(dtype, np.dtype) and dtype in _ARRAYS:
        return dtype
    try:
        found = np.dtype(dtype).newbyteorder("=")  # type: ignore[call-overload]
    except TypeError:
        raise DTypeError(
            f"{where}: {dtype!r} is no element type; use float32, float64, int64 or bool"
        ) from None
    if found in _ARRAYS:
        return found
    if found.kind in "iu":
        return INT64
    if found == np.float16:
        return FLOAT32
    raise DTypeError(
        f"{where}: elements of type {found} are not supported; convert to float32, float64, int64 or bool"
    )


def promote(specs: Iterable) -> tuple[np.dtype, bool]:
    """Common type of ``specs`` (anything with ``dtype`` and ``weak``) and whether it is still weak."""
    strong = weak = None
    for spec in specs:
        if spec.weak:
            if weak is None or _RANK[spec.dtype] > _RANK[weak]:
                weak = spec.dtype
        elif strong is None or _RANK[spec.dtype] > _RANK[strong]:
            strong = spec.dtype
    if strong is None:
        return weak, True  # type: ignore[return-value]
    if weak is not None and _KIND[weak] > _KIND[strong]:
        return weak, False
    return strong, False
