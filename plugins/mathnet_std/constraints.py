"""Constraints: the admissible weight nearest to w, applied after each update.

Norms are taken along ``axis`` (as in Keras): 0 for kernels (in, out) of Dense layers, one norm for each unit; (1, 2, 3) for kernels
(out, in, height, width) of Conv2D layers, one norm for each filter.
"""

from typing import Any

import mathnet as mn

TINY = 1e-7  # norms below count as this: zero weights stay zero


def _norms(w: Any, axis: Any) -> Any:
    axis = tuple(axis) if isinstance(axis, (tuple, list)) else axis
    return mn.sqrt(mn.sum(mn.square(w), axis=axis, keepdims=True))


@mn.constraint("non_negative")
def non_negative(w: Any) -> Any:
    """max(w, 0).

    >>> import numpy as np, mathnet as mn
    >>> mn.constraints.NonNegative()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """
    return mn.maximum(w, 0.0)


@mn.constraint("max_norm")
def max_norm(w: Any, max_value: float = 2.0, axis: Any = 0) -> Any:
    """w · min(1, max_value/‖w‖), the norm along ``axis``.

    Source: Srivastava et al., Dropout, JMLR 2014.

    >>> import numpy as np, mathnet as mn
    >>> mn.constraints.MaxNorm(1.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(4)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    if not max_value >= 0:
        raise mn.ArgumentError(f"max_norm: max_value must be a number from 0, not {max_value!r}")
    return w * mn.minimum(1.0, max_value / mn.maximum(_norms(w, axis), TINY))


@mn.constraint("unit_norm")
def unit_norm(w: Any, axis: Any = 0) -> Any:
    """w/‖w‖, the norm along ``axis``; zero weights stay zero.

    >>> import numpy as np, mathnet as mn
    >>> mn.constraints.UnitNorm()(np.array([[3.0, 0.3], [4.0, 0.4]])).round(4)
    array([[0.6, 0.6],
           [0.8, 0.8]])
    """
    return w / mn.maximum(_norms(w, axis), TINY)


@mn.constraint("min_max")
def min_max(w: Any, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> Any:
    """w · (1 − rate + rate·limited(‖w‖)/‖w‖), the norm along ``axis`` limited to [min_value, max_value] (Keras: MinMaxNorm).

    rate: how far each update goes there, 0 to 1; zero weights stay zero.  To limit the elements themselves pass a function:
    ``kernel_constraint=lambda w: mn.clip(w, -1.0, 1.0)``.

    >>> import numpy as np, mathnet as mn
    >>> mn.constraints.MinMax(1.0, 2.0)(np.array([[3.0, 0.3], [4.0, 0.4]])).round(4)
    array([[1.2, 0.6],
           [1.6, 0.8]])
    """
    if not 0 <= min_value <= max_value or not 0 <= rate <= 1:
        raise mn.ArgumentError(
            f"min_max: 0 ≤ min_value ≤ max_value and 0 ≤ rate ≤ 1 must hold, but they are {min_value!r}, {max_value!r} and {rate!r}"
        )
    norms = _norms(w, axis)
    wanted = mn.clip(norms, min_value, max_value)
    return w * ((1.0 - rate) + rate * (wanted / mn.maximum(norms, TINY)))
