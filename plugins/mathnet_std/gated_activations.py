"""Activations that combine the elements along an axis into fewer: gates, and the maximum of pieces."""

from typing import Any

import numpy as np

import mathnet as mn


def _halves(name: str, x: Any, axis: int) -> tuple[Any, Any]:
    """The values and their gates."""
    if x.shape[axis] % 2:
        raise mn.ShapeError(
            f"{name}: axis {axis} has {x.shape[axis]} elements; it must hold as many gates as values, so their number must be even"
        )
    values, gates = mn.split(x, 2, axis=axis)
    return values, gates


@mn.activation("glu", name="GLU", promises="narrows")
def glu(x: Any, axis: int = -1) -> Any:
    """y = a·σ(b), where a is the first half of x along ``axis`` and b the second.

    x (…, 2·d) → (…, d).  Source: Dauphin et al., Language Modeling with Gated Convolutional Networks, ICML 2017.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.GLU()(np.array([2.0, 4.0, 0.0, 0.0]))
    array([1., 2.])
    """
    values, gates = _halves("glu", x, axis)
    return values * mn.sigmoid(gates)


@mn.activation("swiglu", name="SwiGLU", promises="narrows")
def swiglu(x: Any, axis: int = -1) -> Any:
    """y = a·silu(b), where a is the first half of x along ``axis`` and b the second.

    x (…, 2·d) → (…, d).  The gate is the second half, as in glu; weights of a model that has it first have their halves exchanged.
    Source: Shazeer, GLU Variants Improve Transformer, 2020.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.SwiGLU()(np.array([2.0, 4.0, 1.0, 0.0])).round(4)
    array([1.4621, 0.    ])
    """
    values, gates = _halves("swiglu", x, axis)
    return values * mn.silu(gates)


@mn.activation("geglu", name="GEGLU", promises="narrows")
def geglu(x: Any, axis: int = -1, approximate: str = "none") -> Any:
    """y = a·gelu(b), where a is the first half of x along ``axis`` and b the second.

    x (…, 2·d) → (…, d); approximate as in gelu.  The gate is the second half, as in glu; weights of a model that has it first have
    their halves exchanged.  Source: Shazeer, GLU Variants Improve Transformer, 2020.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.GEGLU()(np.array([2.0, 4.0, 1.0, 0.0])).round(4)
    array([1.6827, 0.    ])
    """
    values, gates = _halves("geglu", x, axis)
    return values * mn.gelu(gates, approximate)


@mn.activation("maxout", promises="narrows")
def maxout(x: Any, pieces: int = 2, axis: int = -1) -> Any:
    """y = the maximum of each ``pieces`` elements that follow each other along ``axis``.

    x (…, pieces·d) → (…, d).  After a linear layer y is convex and piecewise linear, a learned activation.  The derivative of equal
    pieces is shared by them.  Source: Goodfellow et al., Maxout Networks, ICML 2013.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.Maxout(2)(np.array([1.0, 3.0, -2.0, -5.0]))
    array([ 3., -2.])
    """
    axis = axis % len(x.shape)
    size = x.shape[axis]
    if isinstance(pieces, bool) or not isinstance(pieces, (int, np.integer)) or pieces < 1 or size % pieces:
        raise mn.ShapeError(
            f"maxout: axis {axis} has {size} elements, which must be a multiple of pieces, a positive integer; it is {pieces!r}"
        )
    grouped = mn.reshape(x, (*x.shape[:axis], size // pieces, pieces, *x.shape[axis + 1 :]))
    return mn.max(grouped, axis=axis + 1)
