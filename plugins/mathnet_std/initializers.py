"""Initial weights: functions ``(shape, rng, **settings)`` → ndarray; rng: numpy.random.Generator.

Weights of rank 2 have the shape (in, out), those of higher rank (out, in, *window).
Sources: Glorot and Bengio, 2010; He et al., 2015; LeCun et al., 1998.  The normal forms are not truncated (as in PyTorch).
"""

import math
from typing import Any

import numpy as np

import mathnet as mn

Shape = tuple[int, ...]


def fans(shape: Shape) -> tuple[int, int]:
    """Inputs and outputs that one weight of this shape connects."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def _uniform(shape: Shape, rng: np.random.Generator, variance: float) -> np.ndarray:
    limit = math.sqrt(3.0 * variance)
    return rng.uniform(-limit, limit, shape)


def _normal(shape: Shape, rng: np.random.Generator, variance: float) -> np.ndarray:
    return math.sqrt(variance) * rng.standard_normal(shape)


@mn.initializer("zeros")
def zeros(shape: Shape, rng: Any) -> np.ndarray:
    """0 everywhere.

    >>> import mathnet as mn
    >>> mn.initializers.get("zeros")((2, 2), None)
    array([[0., 0.],
           [0., 0.]])
    """
    return np.zeros(shape)


@mn.initializer("ones")
def ones(shape: Shape, rng: Any) -> np.ndarray:
    """1 everywhere.

    >>> import mathnet as mn
    >>> mn.initializers.get("ones")((2, 2), None)
    array([[1., 1.],
           [1., 1.]])
    """
    return np.ones(shape)


@mn.initializer("constant")
def constant(shape: Shape, rng: Any, value: float = 0.0) -> np.ndarray:
    """``value`` everywhere; an array of the weight's shape is taken too.

    >>> import mathnet as mn
    >>> mn.initializers.Constant(0.5)((2, 2), None)
    array([[0.5, 0.5],
           [0.5, 0.5]])
    """
    return np.broadcast_to(np.asarray(value, float), shape).copy()


@mn.initializer("uniform")
def uniform(shape: Shape, rng: np.random.Generator, low: float = -0.05, high: float = 0.05) -> np.ndarray:
    """Evenly between ``low`` and ``high``.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.Uniform(0.0, 1.0)((100, 100), np.random.default_rng(0))
    >>> bool(w.min() >= 0.0), bool(w.max() <= 1.0)
    (True, True)
    """
    return rng.uniform(low, high, shape)


@mn.initializer("normal")
def normal(shape: Shape, rng: np.random.Generator, mean: float = 0.0, std: float = 0.05) -> np.ndarray:
    """Normal with the given mean and standard deviation.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.Normal(mean=3.0)((100, 100), np.random.default_rng(0))
    >>> round(float(w.mean()), 2), round(float(w.std()), 2)
    (3.0, 0.05)
    """
    return rng.normal(mean, std, shape)


@mn.initializer("glorot_uniform")
def glorot_uniform(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Uniform with variance gain²·2/(in + out).

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("glorot_uniform")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.081
    """
    return _uniform(shape, rng, gain**2 * 2.0 / max(sum(fans(shape)), 1))


@mn.initializer("glorot_normal")
def glorot_normal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Normal with variance gain²·2/(in + out).

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("glorot_normal")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.081
    """
    return _normal(shape, rng, gain**2 * 2.0 / max(sum(fans(shape)), 1))


@mn.initializer("he_uniform")
def he_uniform(shape: Shape, rng: np.random.Generator, gain: float = math.sqrt(2.0)) -> np.ndarray:
    """Uniform with variance gain²/in.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("he_uniform")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.1
    """
    return _uniform(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("he_normal")
def he_normal(shape: Shape, rng: np.random.Generator, gain: float = math.sqrt(2.0)) -> np.ndarray:
    """Normal with variance gain²/in.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("he_normal")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.1
    """
    return _normal(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("lecun_uniform")
def lecun_uniform(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Uniform with variance gain²/in.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("lecun_uniform")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.07
    """
    return _uniform(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("lecun_normal")
def lecun_normal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Normal with variance gain²/in.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("lecun_normal")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.07
    """
    return _normal(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("orthogonal")
def orthogonal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """gain · a matrix with orthonormal columns or, if it is wider than high, rows; the axes after the first count as one.

    A vector is a row.  Source: Saxe et al., Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear Neural Networks, 2014.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("orthogonal")((4, 3), np.random.default_rng(0))
    >>> bool(np.allclose(w.T @ w, np.eye(3)))
    True
    """
    rows = shape[0] if len(shape) > 1 else 1
    columns = math.prod(shape[1:] if len(shape) > 1 else shape)
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)  # every orthogonal matrix is equally likely
    return gain * (q if rows >= columns else q.T).reshape(shape)
