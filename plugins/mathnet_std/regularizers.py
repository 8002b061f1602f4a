"""Penalties on a weight tensor w, added to the loss."""

from typing import Any

import mathnet as mn


@mn.regularizer("l1")
def l1(w: Any, strength: float = 0.01) -> Any:
    """strength · Σ|w|; the derivative at 0 is 0.

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.L1(0.5)(np.array([1.0, -3.0])))
    2.0
    """
    return strength * mn.sum(mn.abs(w))


@mn.regularizer("l2")
def l2(w: Any, strength: float = 0.01) -> Any:
    """strength · Σw².

    >>> import numpy as np, mathnet as mn
    >>> float(mn.regularizers.L2(0.5)(np.array([1.0, -3.0])))
    5.0
    """
    return strength * mn.sum(mn.square(w))
