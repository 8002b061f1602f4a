"""Normalisation: values brought to mean 0 and variance 1 over some axes, then scaled and shifted.

Layer, RMS, group and instance normalisation are forms of one operation (:mod:`mathnet.ops.row_norm`), batch normalisation in training
is another (:mod:`mathnet.ops.batch_norm`); for inference it is an elementwise expression, which the plan fuses with its neighbours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import is_float, promote
from mathnet.graph.op import OPS, as_tensor, constant, graph_function, normalize_axes, normalize_axis
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import sqrt, square
from mathnet.ops.batch_norm import BATCH_NORM
from mathnet.ops.comparison import maximum
from mathnet.ops.reduction import extent, mean, sum_
from mathnet.ops.row_norm import ROW_NORM
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


def _settings(name: str, eps: Any) -> float:
    if isinstance(eps, bool) or not isinstance(eps, (int, float, np.integer, np.floating)) or not eps >= 0:
        raise ArgumentError(f"{name}: eps must be a number ≥ 0, not {eps!r}")
    return float(eps)


def _of_one_type(tensors: list[Tensor]) -> list[Tensor]:
    dtype, _ = promote([t.spec for t in tensors])
    return [t if t.dtype == dtype else OPS["cast"](t, dtype=dtype) for t in tensors]


def _normalized(
    name: str,
    x: Tensor,
    axis: int,
    parameters: dict[str, Any],
    sizes: tuple,
    first: int,
    eps: Any,
    centred: bool = True,
) -> Tensor:
    """x normalised over its axes from ``axis`` on; parameters of shape ``sizes`` lie along its axes from ``first`` on."""
    given = [
        _along(name, argument, value, sizes, x, first)
        for argument, value in parameters.items()
        if value is not None
    ]
    return ROW_NORM(
        *_of_one_type([x, *given]),
        axis=axis,
        centred=centred,
        weight=parameters["weight"] is not None,
        bias=parameters.get("bias") is not None,
        eps=_settings(name, eps),
    )[0]


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
    if isinstance(correction, bool) or not isinstance(correction, (int, np.integer)) or correction < 0:
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
    parameters = {"weight": weight, "bias": bias}
    return _normalized("layer_norm", x, axes[0], parameters, shape, axes[0], eps)


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
    return _normalized("rms_norm", x, axes[0], {"weight": weight}, shape, axes[0], eps, centred=False)


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
    if isinstance(num_groups, bool) or not isinstance(num_groups, (int, np.integer)) or num_groups < 1:
        raise ArgumentError(f"group_norm: num_groups must be a positive int, not {num_groups!r}")
    if isinstance(channels, Dim) or channels % num_groups:
        raise ShapeError(
            f"group_norm: {channels} channels of x {show_shape(x.shape)} cannot be divided into {num_groups} groups"
        )
    parts = (num_groups, channels // num_groups)
    parameters = {"weight": weight, "bias": bias}
    for argument, value in parameters.items():
        if value is not None:
            parameters[argument] = reshape(_along("group_norm", argument, value, (channels,), x, 1), parts)
    grouped = reshape(x, (x.shape[0], *parts, *x.shape[2:]))
    return reshape(_normalized("group_norm", grouped, 2, parameters, parts, 1, eps), x.shape)


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
    return _normalized("instance_norm", x, 2, {"weight": weight, "bias": bias}, (x.shape[1],), 1, eps)


@graph_function
def batch_norm(
    x: Any,
    running_mean: Any = None,
    running_var: Any = None,
    weight: Any = None,
    bias: Any = None,
    axis: int = 1,
    eps: float = 1e-5,
    return_moments: bool = False,
) -> Any:
    """(x − mean) / √(variance + eps) · weight + bias with one mean and variance for each position along ``axis``.

    With running_mean and running_var these are used (the form for inference); without them, the mean and the variance of x itself over
    all other axes (the form for training).  All four parameters have the shape (C) of that axis.
    return_moments, for training: also the mean and the unbiased variance Σ(x − mean)²/(n − 1), which running values follow.
    Source: Ioffe and Szegedy, Batch Normalization, 2015.

    >>> import numpy as np, mathnet as mn
    >>> mn.batch_norm(np.array([[1.0, 4.0], [3.0, 8.0]]), eps=0.0)
    array([[-1., -1.],
           [ 1.,  1.]])
    """
    x = _input("batch_norm", x)
    at = normalize_axis("batch_norm", axis, x.ndim)
    sizes = (x.shape[at],)
    eps = _settings("batch_norm", eps)
    if (running_mean is None) != (running_var is None):
        raise ArgumentError("batch_norm: running_mean and running_var are given together or not at all")
    if running_mean is None:
        given = [
            reshape(_along("batch_norm", argument, value, sizes, x, at), sizes)
            for argument, value in (("weight", weight), ("bias", bias))
            if value is not None
        ]
        y, center, variance = BATCH_NORM(
            *_of_one_type([x, *given]), axis=at, weight=weight is not None, bias=bias is not None, eps=eps
        )
        if not return_moments:
            return y
        n = extent(x, [k for k in range(x.ndim) if k != at])
        return y, center, variance * (n / maximum(n - 1, 1))
    if return_moments:
        raise ArgumentError(
            "batch_norm: return_moments belongs to training, without running_mean and running_var"
        )
    # One factor and one summand for each channel: two operations on every element of x.
    center = _along("batch_norm", "running_mean", running_mean, sizes, x, at)
    scale = 1.0 / sqrt(_along("batch_norm", "running_var", running_var, sizes, x, at) + eps)
    if weight is not None:
        scale = scale * _along("batch_norm", "weight", weight, sizes, x, at)
    shift = -center * scale
    if bias is not None:
        shift = shift + _along("batch_norm", "bias", bias, sizes, x, at)
    return x * scale + shift
