"""Normalisation: values brought to mean 0 and variance 1 over some axes, then scaled and shifted.

Each is an expression of sums and elementwise operations, which the plan fuses; derivatives of any order follow.
"""

from __future__ import annotations

from typing import Any

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import is_float
from mathnet.graph.op import as_tensor, constant, graph_function, normalize_axes, normalize_axis
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import sqrt, square
from mathnet.ops.comparison import maximum
from mathnet.ops.reduction import mean, spread, sum_
from mathnet.ops.shape import reshape

Axes = tuple[int, ...]


def _input(name: str, x: Any, least: int = 1) -> Tensor:
    x = as_tensor(x, f"{name}: x")
    if not is_float(x.dtype):
        raise DTypeError(f"{name}: x has element type {x.dtype}; a float type is needed, use mn.cast")
    if x.ndim < least:
        raise ShapeError(f"{name}: x must have at least {least} axes, but its shape is {show_shape(x.shape)}")
    return x


def _along(name: str, argument: str, value: Any, sizes: tuple, x: Tensor, first: int) -> Tensor:
    """A parameter of shape ``sizes`` laid along the axes of x from ``first`` on, to broadcast with x."""
    value = as_tensor(value, f"{name}: {argument}")
    if value.shape != sizes:
        raise ShapeError(
            f"{name}: {argument} must have shape {show_shape(sizes)} for x of shape {show_shape(x.shape)}, "
            f"not {show_shape(value.shape)}"
        )
    return reshape(value, (*sizes, *(1,) * (x.ndim - first - len(sizes))))


def _scaled(name: str, y: Tensor, weight: Any, bias: Any, sizes: tuple, first: int) -> Tensor:
    if weight is not None:
        y = y * _along(name, "weight", weight, sizes, y, first)
    if bias is not None:
        y = y + _along(name, "bias", bias, sizes, y, first)
    return y


def _standardized(x: Tensor, axes: Axes, eps: Any) -> Tensor:
    centered = x - mean(x, axis=axes, keepdims=True)
    return centered * (1.0 / sqrt(mean(square(centered), axis=axes, keepdims=True) + eps))


def _normalized_axes(name: str, x: Tensor, normalized_shape: Any) -> tuple[Axes, tuple]:
    """The last axes of x, whose sizes must be ``normalized_shape``."""
    shape = tuple(normalized_shape) if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not shape or x.shape[x.ndim - len(shape) :] != shape or len(shape) > x.ndim:
        raise ShapeError(
            f"{name}: the last axes of x must have the sizes normalized_shape={show_shape(shape)}, "
            f"but x has shape {show_shape(x.shape)}"
        )
    return tuple(range(x.ndim - len(shape), x.ndim)), shape


@graph_function
def moments(x: Any, axis: Any = None, keepdims: bool = False, correction: int = 0) -> tuple[Tensor, Tensor]:
    """Mean and variance over ``axis`` (None: all axes): m = Σx/n and Σ(x − m)²/(n − correction).

    correction: 0 for the variance of the values themselves, 1 for the unbiased estimate; the divisor is at least 1.

    >>> import numpy as np, mathnet as mn
    >>> m, v = mn.moments(np.array([1.0, 2.0, 3.0]), correction=1)
    >>> float(m), float(v)
    (2.0, 1.0)
    """
    x = _input("moments", x, 0)
    axes = normalize_axes("moments", axis, x.ndim)
    if isinstance(correction, bool) or not isinstance(correction, int) or correction < 0:
        raise ArgumentError(f"moments: correction must be an int ≥ 0, not {correction!r}")
    center = mean(x, axis=axes, keepdims=True)
    squares = square(x - center)
    if correction == 0:
        variance = mean(squares, axis=axes, keepdims=keepdims)
    else:
        left = product(tuple([x.shape[a] for a in axes])) - correction
        divisor = max(left, 1) if isinstance(left, int) else maximum(constant(left), 1)  # type: ignore[arg-type]
        variance = sum_(squares, axis=axes, keepdims=keepdims) / divisor
    return (center if keepdims else reshape(center, variance.shape)), variance


@graph_function
def layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """(x − mean) / √(variance + eps) · weight + bias over the last axes of each example, as in PyTorch.

    x (…, *normalized_shape); weight, bias of shape normalized_shape.  Source: Ba, Kiros and Hinton, Layer Normalization, 2016.

    >>> import numpy as np, mathnet as mn
    >>> mn.layer_norm(np.array([[1.0, 3.0]]), 2, eps=0.0)
    array([[-1.,  1.]])
    """
    x = _input("layer_norm", x)
    axes, shape = _normalized_axes("layer_norm", x, normalized_shape)
    return _scaled("layer_norm", _standardized(x, axes, eps), weight, bias, shape, axes[0])


@graph_function
def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float = 1e-6) -> Tensor:
    """x / √(mean x² + eps) · weight over the last axes of each example, as in PyTorch (where eps is the type's by default).

    Shapes as in :func:`layer_norm`.  Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> import numpy as np, mathnet as mn
    >>> mn.rms_norm(np.array([[3.0, -3.0]]), 2, eps=0.0)
    array([[ 1., -1.]])
    """
    x = _input("rms_norm", x)
    axes, shape = _normalized_axes("rms_norm", x, normalized_shape)
    y = x * (1.0 / sqrt(mean(square(x), axis=axes, keepdims=True) + eps))
    return _scaled("rms_norm", y, weight, None, shape, axes[0])


@graph_function
def group_norm(x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Each example's channels in ``num_groups`` groups, each group brought to mean 0 and variance 1, as in PyTorch.

    x (N, C, …); weight, bias (C).  Source: Wu and He, Group Normalization, 2018.

    >>> import numpy as np, mathnet as mn
    >>> mn.group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), 2, eps=0.0)
    array([[-1.,  1., -1.,  1.]])
    """
    x = _input("group_norm", x, 2)
    channels = x.shape[1]
    if isinstance(num_groups, bool) or not isinstance(num_groups, int) or num_groups < 1:
        raise ArgumentError(f"group_norm: num_groups must be a positive int, not {num_groups!r}")
    if isinstance(channels, Dim) or channels % num_groups:
        raise ShapeError(
            f"group_norm: {channels} channels of x {show_shape(x.shape)} cannot be divided into {num_groups} groups"
        )
    grouped = reshape(x, (x.shape[0], num_groups, channels // num_groups, *x.shape[2:]))
    y = reshape(_standardized(grouped, tuple(range(2, grouped.ndim)), eps), x.shape)
    return _scaled("group_norm", y, weight, bias, (channels,), 1)


@graph_function
def instance_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """Each channel of each example brought to mean 0 and variance 1, as in PyTorch.

    x (N, C, …) with at least three axes; weight, bias (C).  Source: Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.

    >>> import numpy as np, mathnet as mn
    >>> mn.instance_norm(np.array([[[1.0, 3.0], [5.0, 9.0]]]), eps=0.0)
    array([[[-1.,  1.],
            [-1.,  1.]]])
    """
    x = _input("instance_norm", x, 3)
    y = _standardized(x, tuple(range(2, x.ndim)), eps)
    return _scaled("instance_norm", y, weight, bias, (x.shape[1],), 1)


@graph_function
def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    axis: int = 1,
    eps: float = 1e-5,
) -> Tensor:
    """(x − mean) / √(variance + eps) · weight + bias with one mean and variance for each position along ``axis``.

    With running_mean and running_var these are used (the form for inference); without them, the mean and the variance of x itself over
    all other axes (the form for training).  All four parameters have the shape (C) of that axis.
    Source: Ioffe and Szegedy, Batch Normalization, 2015.

    >>> import numpy as np, mathnet as mn
    >>> mn.batch_norm(np.array([[1.0, 4.0], [3.0, 8.0]]), eps=0.0)
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    x = _input("batch_norm", x)
    at = normalize_axis("batch_norm", axis, x.ndim)
    sizes = (x.shape[at],)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("batch_norm: running_mean and running_var are given together or not at all")
    if running_mean is None:
        others = tuple([k for k in range(x.ndim) if k != at])
        center = mean(x, axis=others, keepdims=True)
        centered = x - center
        scale = 1.0 / sqrt(spread(mean(square(centered), axis=others), x, others) + eps)
        if weight is not None:
            scale = scale * _along("batch_norm", "weight", weight, sizes, x, at)
        return _scaled("batch_norm", centered * scale, None, bias, sizes, at)
    # One factor and one summand for each channel: two operations on every element of x.
    center = _along("batch_norm", "running_mean", running_mean, sizes, x, at)
    scale = 1.0 / sqrt(_along("batch_norm", "running_var", running_var, sizes, x, at) + eps)
    if weight is not None:
        scale = scale * _along("batch_norm", "weight", weight, sizes, x, at)
    shift = -center * scale
    if bias is not None:
        shift = shift + _along("batch_norm", "bias", bias, sizes, x, at)
    return x * scale + shift
