"""Initial weights: functions ``(shape, rng, **settings)`` → ndarray; rng: numpy.random.Generator.

Weights of rank 2 have the shape (in, out), those of higher rank (out, in, *window).
Sources: Glorot and Bengio, 2010; He et al., 2015; LeCun et al., 1998.  The normal forms are not truncated (as in PyTorch).
"""

import math
from typing import Any

import numpy as np

import mathnet as mn

Shape = tuple[int, ...]
#: The standard deviation of a standard normal law that is cut off at ±2: √(1 − 4φ(2)/(2Φ(2) − 1)).
CUT_NORMAL_STD = 0.8796256610342398


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


def _named_as_draws(config: dict[str, Any], version: int) -> dict[str, Any]:
    """Version 1 had ``std`` for what draws, noise and Keras call ``stddev``."""
    return {"stddev" if name == "std" else name: value for name, value in config.items()}


@mn.initializer("normal", version=2, upgrade=_named_as_draws)
def normal(shape: Shape, rng: np.random.Generator, mean: float = 0.0, stddev: float = 0.05) -> np.ndarray:
    """Normal with the given mean and the standard deviation stddev.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.Normal(mean=3.0)((100, 100), np.random.default_rng(0))
    >>> round(float(w.mean()), 2), round(float(w.std()), 2)
    (3.0, 0.05)
    """
    return rng.normal(mean, stddev, shape)


@mn.initializer("glorot_uniform")
def glorot_uniform(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Uniform with variance gain²·2/(in + out).

    gain: 1; 5/3 suits tanh (as in PyTorch's calculate_gain).  Source: Glorot and Bengio, Understanding the Difficulty of Training
    Deep Feedforward Neural Networks, AISTATS 2010.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("glorot_uniform")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.081
    """
    return _uniform(shape, rng, gain**2 * 2.0 / max(sum(fans(shape)), 1))


@mn.initializer("glorot_normal")
def glorot_normal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Normal with variance gain²·2/(in + out).

    gain: 1; 5/3 suits tanh (as in PyTorch's calculate_gain).  Source: Glorot and Bengio, Understanding the Difficulty of Training
    Deep Feedforward Neural Networks, AISTATS 2010.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("glorot_normal")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.081
    """
    return _normal(shape, rng, gain**2 * 2.0 / max(sum(fans(shape)), 1))


@mn.initializer("he_uniform")
def he_uniform(shape: Shape, rng: np.random.Generator, gain: float = math.sqrt(2.0)) -> np.ndarray:
    """Uniform with variance gain²/in.

    gain: √2, which suits relu.  Source: He et al., Delving Deep into Rectifiers, ICCV 2015.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("he_uniform")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.1
    """
    return _uniform(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("he_normal")
def he_normal(shape: Shape, rng: np.random.Generator, gain: float = math.sqrt(2.0)) -> np.ndarray:
    """Normal with variance gain²/in.

    gain: √2, which suits relu.  Source: He et al., Delving Deep into Rectifiers, ICCV 2015.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("he_normal")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.1
    """
    return _normal(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("lecun_uniform")
def lecun_uniform(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Uniform with variance gain²/in.

    gain: 1.  Source: LeCun et al., Efficient BackProp, 1998.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.get("lecun_uniform")((200, 100), np.random.default_rng(0))
    >>> round(float(w.std()), 3)
    0.07
    """
    return _uniform(shape, rng, gain**2 / max(fans(shape)[0], 1))


@mn.initializer("lecun_normal")
def lecun_normal(shape: Shape, rng: np.random.Generator, gain: float = 1.0) -> np.ndarray:
    """Normal with variance gain²/in.

    gain: 1.  Source: LeCun et al., Efficient BackProp, 1998.

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


@mn.initializer("truncated_normal", version=2, upgrade=_named_as_draws)
def truncated_normal(
    shape: Shape, rng: np.random.Generator, mean: float = 0.0, stddev: float = 0.05
) -> np.ndarray:
    """Normal, drawn again where it is further than 2·stddev from the mean (as in Keras).

    stddev is that of the normal law before the cut; what is drawn has 0.8796 of it.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.TruncatedNormal(stddev=1.0)((100, 100), np.random.default_rng(0))
    >>> bool(abs(w).max() <= 2.0), round(float(w.std()), 2)
    (True, 0.88)
    """
    return mean + stddev * _cut_normal(shape, rng)


def _cut_normal(shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Standard normal numbers, those beyond 2 drawn again."""
    drawn = np.asarray(rng.standard_normal(shape))
    while (beyond := np.abs(drawn) > 2.0).any():
        drawn[beyond] = rng.standard_normal(int(beyond.sum()))
    return drawn


@mn.initializer("variance_scaling")
def variance_scaling(
    shape: Shape,
    rng: np.random.Generator,
    scale: float = 1.0,
    mode: str = "fan_in",
    distribution: str = "truncated_normal",
) -> np.ndarray:
    """Numbers of the variance scale/n; mode says what n is: "fan_in", "fan_out" or their mean "fan_avg".

    distribution: "truncated_normal" (of this variance after the cut at 2 standard deviations), "untruncated_normal" or "uniform".
    Names and defaults are Keras's, whose he_normal, for example, is ``VarianceScaling(2.0)``.

    >>> import numpy as np, mathnet as mn
    >>> w = mn.initializers.VarianceScaling(2.0, "fan_out")((100, 200), np.random.default_rng(0))
    >>> round(float(w.std()), 2)
    0.1
    """
    inputs, outputs = fans(shape)
    counts = {"fan_in": inputs, "fan_out": outputs, "fan_avg": (inputs + outputs) / 2}
    if mode not in counts or not scale > 0:
        raise mn.ArgumentError(
            f"variance_scaling: mode must be 'fan_in', 'fan_out' or 'fan_avg' and scale above 0, not {mode!r} and {scale!r}"
        )
    variance = scale / max(counts[mode], 1)
    if distribution == "uniform":
        return _uniform(shape, rng, variance)
    if distribution == "untruncated_normal":
        return _normal(shape, rng, variance)
    if distribution == "truncated_normal":
        return math.sqrt(variance) / CUT_NORMAL_STD * _cut_normal(shape, rng)
    raise mn.ArgumentError(
        "variance_scaling: distribution must be 'truncated_normal', 'untruncated_normal' or 'uniform', "
        f"not {distribution!r}"
    )


@mn.initializer("identity")
def identity(shape: Shape, rng: Any, gain: float = 1.0) -> np.ndarray:
    """gain on the diagonal of a matrix, else 0: a Dense layer begins as y = gain·x.

    Raises ShapeError for weights that are no matrix.

    >>> import mathnet as mn
    >>> mn.initializers.Identity()((2, 3), None)
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """
    if len(shape) != 2:
        raise mn.ShapeError(f"identity: a matrix can be one, a weight of shape {shape} cannot; see dirac")
    return gain * np.eye(*shape)


@mn.initializer("dirac")
def dirac(shape: Shape, rng: Any, groups: int = 1) -> np.ndarray:
    """1 in the middle of each filter's window at its own channel, else 0: a convolution begins as the identity (as in PyTorch).

    Weights (out, in/groups, *window); of more outputs than inputs those beyond are 0.
    Raises ShapeError for weights without a window, or outputs that groups do not divide.

    >>> import mathnet as mn
    >>> mn.initializers.Dirac()((2, 2, 3), None)[0]
    array([[0., 1., 0.],
           [0., 0., 0.]])
    """
    if len(shape) < 3 or groups < 1 or shape[0] % groups:
        raise mn.ShapeError(
            f"dirac: weights (out, in/groups, *window) are needed, with out a multiple of groups={groups}, not the shape {shape}"
        )
    values = np.zeros(shape)
    each = shape[0] // groups
    middle = tuple(size // 2 for size in shape[2:])
    for group in range(groups if 0 not in shape else 0):
        for channel in range(min(each, shape[1])):
            values[(group * each + channel, channel, *middle)] = 1.0
    return values
