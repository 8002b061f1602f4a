"""The convolutions that users call: over one, two or three axes, and transposed; all run on the two-dimensional operations.

One axis is a picture of one row.  Three axes become one convolution over the last two, in which the taps along the first stand
beside the channels, so every output is still one chain of multiplications and additions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import is_float, promote
from mathnet.graph.op import OPS, as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.convolution import BACKWARD_INPUT, CONV2D
from mathnet.ops.elementwise import match
from mathnet.ops.padding import PAD
from mathnet.ops.shape import SLICE, concatenate, expand_dims, reshape, transpose
from mathnet.ops.windows import Numbers, Sides, numbers, out_size, padding_of

_AXES = {1: "three axes (N, C, T)", 2: "four axes (N, C, H, W)", 3: "five axes (N, C, D, H, W)"}


def _operands(name: str, axes: int, x: Any, weight: Any, groups: int) -> tuple[Tensor, Tensor]:
    """x and weight as tensors of one float type, with as many axes as they must have."""
    x, weight = as_tensor(x, f"{name}: x"), as_tensor(weight, f"{name}: weight")
    for argument, tensor in (("x", x), ("weight", weight)):
        if tensor.ndim != axes + 2:
            words = _AXES[axes] if argument == "x" else _AXES[axes].partition(" (")[0]
            raise ShapeError(
                f"{name}: {argument} must have {words}, but its shape is {show_shape(tensor.shape)}"
            )
    if not (is_float(x.dtype) and is_float(weight.dtype)):
        raise DTypeError(
            f"{name}: x has element type {x.dtype} and weight {weight.dtype}; float types are needed, use mn.cast"
        )
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ArgumentError(f"{name}: groups must be a positive int, not {groups!r}")
    dtype, _ = promote((x.spec, weight.spec))
    first, second = (t if t.dtype == dtype else OPS["cast"](t, dtype=dtype) for t in (x, weight))
    return first, second


def _biased(name: str, y: Tensor, bias: Any) -> Tensor:
    """y (N, F, …) plus bias (F)."""
    if bias is None:
        return y
    bias, filters = as_tensor(bias, f"{name}: bias"), y.shape[1]
    if bias.shape != (filters,):
        raise ShapeError(f"{name}: bias must have shape ({filters},), not {show_shape(bias.shape)}")
    return OPS["add"](y, match(reshape(bias, (1, filters, *(1,) * (y.ndim - 2))), y))


def _convolve(
    name: str,
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
    exact: bool,
) -> Tensor:
    x, weight = _operands(name, axes, x, weight, groups)
    (examples, channels), filters = x.shape[:2], weight.shape[0]
    if isinstance(channels, Dim) or channels != weight.shape[1] * groups or filters % groups:
        raise ShapeError(
            f"{name}: x of shape {show_shape(x.shape)} and weight of shape {show_shape(weight.shape)} do not fit with groups={groups}: "
            f"x has {channels} channels, weight takes {weight.shape[1]}·{groups}"
        )
    strides = numbers(name, "stride", stride, axes)
    dilations = numbers(name, "dilation", dilation, axes)
    window = weight.shape[2:]
    if axes == 1 and isinstance(padding, str) and padding == "causal":
        sides: Sides = ((dilations[0] * (window[0] - 1), 0),)
    else:
        sides = padding_of(name, padding, x.shape[2:], window, strides, dilations)
    out = out_size(name, x.shape[2:], window, strides, sides, dilations)
    if axes == 1:
        x, weight = expand_dims(x, 2), expand_dims(weight, 2)
        strides, dilations, sides = (1, *strides), (1, *dilations), ((0, 0), *sides)
    elif axes == 3:
        x = _depth_beside_channels(x, weight.shape[2], out[0], strides[0], sides[0], dilations[0])
        weight = reshape(weight, (filters, weight.shape[1] * weight.shape[2], *weight.shape[3:]))
        strides, dilations, sides = strides[1:], dilations[1:], sides[1:]
    y = CONV2D(x, weight, stride=strides, padding=sides, dilation=dilations, groups=groups, exact=bool(exact))
    y = _biased(name, y, bias)
    if axes == 1:
        return reshape(y, (*y.shape[:2], y.shape[3]))
    if axes == 3:
        y = reshape(y, (examples, out[0], *y.shape[1:]))
        return transpose(y, (0, 2, 1, 3, 4))
    return y


def _depth_beside_channels(
    x: Tensor, taps: int, out: Any, stride: int, side: tuple[int, int], dilation: int
) -> Tensor:
    """x (N, C, D, H, W) as (N·out, C·taps, H, W): for every window along D its planes, channel by channel."""
    n, c, _, h, w = x.shape
    if any(side):
        x = PAD(x, width=((0, 0), (0, 0), side, (0, 0), (0, 0)), value=0.0)
    planes = []
    for tap in range(taps):
        part = SLICE(
            x, starts=(0, 0, tap * dilation, 0, 0), steps=(1, 1, stride, 1, 1), sizes=(n, c, out, h, w)
        )
        planes.append(expand_dims(transpose(part, (0, 2, 1, 3, 4)), 3))
    return reshape(concatenate(planes, 3), (n * out, c * taps, h, w))


@graph_function
def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    exact: bool = False,
) -> Tensor:
    """Cross-correlation along one axis, y[n,o,i] = Σ_{c,a} x[n, c, i·s+a·d−p]·w[o,c,a], as in PyTorch.

    x (N, C, T), weight (O, C/groups, k), bias (O) → (N, O, T').  padding: int, (before, after), "valid", "same" or "causal" (zeros
    before only, so that y[i] sees x[0 … i·s]).  exact: no difference, sums along one axis are direct.  Raises ShapeError, DTypeError or
    ArgumentError naming the argument.

    >>> import numpy as np, mathnet as mn
    >>> mn.conv1d(np.arange(4.0).reshape(1, 1, 4), np.ones((1, 1, 2)), padding="causal")
    array([[[0., 1., 3., 5.]]])
    """
    return _convolve("conv1d", 1, x, weight, bias, stride, padding, dilation, groups, exact)


@graph_function
def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    exact: bool = False,
) -> Tensor:
    """Two-dimensional cross-correlation, as in PyTorch.

    x (N, C, H, W), weight (O, C/groups, kh, kw), bias (O) → (N, O, H', W').  stride, dilation: int or pair; padding: int, pair,
    ((top, bottom), (left, right)), "valid" or "same".  Raises ShapeError, DTypeError or ArgumentError naming the argument.

    3×3 and 5×5 kernels with stride 1, dilated or not, and 16 channels or more, and 3×3 kernels with stride 2 and 32, run by Winograd's
    minimal filtering (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016): about twice the rounding of direct
    sums.  It works on tiles of up to 4×4 outputs, so NaN and infinity reach every output of a tile that sees them, infinity perhaps
    as NaN.  First layers and other wide kernels, where it pays,
    have tiles of 4 outputs along their rows in the forward pass, with 2 to 2.5 times the rounding.  ``exact=True`` sums the products
    as they stand, in derivatives too.

    >>> import numpy as np, mathnet as mn
    >>> mn.conv2d(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))[0, 0]
    array([[4., 4.],
           [4., 4.]])
    """
    return _convolve("conv2d", 2, x, weight, bias, stride, padding, dilation, groups, exact)


@graph_function
def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    exact: bool = False,
) -> Tensor:
    """Three-dimensional cross-correlation, as in PyTorch.

    x (N, C, D, H, W), weight (O, C/groups, kd, kh, kw), bias (O) → (N, O, D', H', W').  stride, dilation: int or triple; padding: int,
    triple, nest of pairs, "valid" or "same"; exact: as in :func:`conv2d`.  Raises ShapeError, DTypeError or
    ArgumentError naming the argument.

    >>> import numpy as np, mathnet as mn
    >>> mn.conv3d(np.ones((1, 1, 2, 2, 3)), np.ones((1, 1, 2, 2, 2)))
    array([[[[[8., 8.]]]]])
    """
    return _convolve("conv3d", 3, x, weight, bias, stride, padding, dilation, groups, exact)


def _transposed(
    name: str,
    axes: int,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
    exact: bool,
) -> Tensor:
    x, weight = _operands(name, axes, x, weight, groups)
    if isinstance(x.shape[1], Dim) or x.shape[1] != weight.shape[0] or weight.shape[0] % groups:
        raise ShapeError(
            f"{name}: x of shape {show_shape(x.shape)} and weight of shape {show_shape(weight.shape)} do not fit with groups={groups}: "
            f"axis 0 of weight must have the {x.shape[1]} channels of x, in {groups} equal groups"
        )
    strides = numbers(name, "stride", stride, axes)
    dilations = numbers(name, "dilation", dilation, axes)
    extra = numbers(name, "output_padding", output_padding, axes, 0)
    for e, s, d in zip(extra, strides, dilations):
        if e >= max(s, d):
            raise ArgumentError(
                f"{name}: output_padding {extra} must be smaller than the stride {strides} or the dilation {dilations}"
            )
    spans = tuple([d * (k - 1) + 1 for d, k in zip(dilations, weight.shape[2:])])
    if isinstance(padding, str) and padding == "same":
        sides, more = _same_transposed(spans, strides)
        extra = tuple([a + b for a, b in zip(extra, more)])
    else:
        sides = padding_of(name, padding, x.shape[2:], weight.shape[2:], strides, dilations)
    # Fewer than a stride are rows that no window step reaches; of more, what the padding would have cut off comes first, then zeros.
    inside = tuple([e if e < s else 0 for e, s in zip(extra, strides)])
    beyond = tuple([e - i for e, i in zip(extra, inside)])
    cut = tuple([(before, max(after - e, 0)) for (before, after), e in zip(sides, beyond)])
    zeros = tuple([(0, max(e - after, 0)) for (_, after), e in zip(sides, beyond)])
    size = tuple(
        [
            (n - 1) * s + span - sum(side) + i
            for n, s, span, side, i in zip(x.shape[2:], strides, spans, cut, inside)
        ]
    )
    if any(not isinstance(n, Dim) and n < 1 for n in size):
        raise ShapeError(
            f"{name}: x of shape {show_shape(x.shape)} with padding {sides} leaves an output of size {show_shape(size)}"
        )
    if axes == 1:
        x, weight = expand_dims(x, 2), expand_dims(weight, 2)
        strides, dilations, cut, size = (1, *strides), (1, *dilations), ((0, 0), *cut), (1, *size)
    y = BACKWARD_INPUT(
        x,
        weight,
        size=size,
        stride=strides,
        padding=cut,
        dilation=dilations,
        groups=groups,
        exact=bool(exact),
    )
    if axes == 1:
        y = reshape(y, (*y.shape[:2], y.shape[3]))
    if any(after for _, after in zeros):
        y = PAD(y, width=((0, 0), (0, 0), *zeros), value=0.0)
    return _biased(name, y, bias)


def _same_transposed(spans: Numbers, strides: Numbers) -> tuple[Sides, Numbers]:
    """Padding and output padding with which n elements become n·stride."""
    sides = tuple([(max(k - s, 0) // 2, max(k - s, 0) - max(k - s, 0) // 2) for k, s in zip(spans, strides)])
    return sides, tuple([max(s - k, 0) for k, s in zip(spans, strides)])


@graph_function
def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    exact: bool = False,
) -> Tensor:
    """The transpose of :func:`conv1d`: y[n, o, i·s+a·d−p] += x[n,c,i]·w[c,o,a], as in PyTorch.

    x (N, C, T), weight (C, O/groups, k), bias (O) → (N, O, T') with T' = (T − 1)·s + d·(k − 1) + 1 − padding + output_padding.
    padding: what is cut off, an int, (before, after), "valid" or "same" (T' = T·s); exact: no difference.

    >>> import numpy as np, mathnet as mn
    >>> mn.conv_transpose1d(np.array([[[1.0, 2.0]]]), np.ones((1, 1, 2)), stride=2)
    array([[[1., 1., 2., 2.]]])
    """
    return _transposed(
        "conv_transpose1d", 1, x, weight, bias, stride, padding, output_padding, groups, dilation, exact
    )


@graph_function
def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    exact: bool = False,
) -> Tensor:
    """The transpose of :func:`conv2d`, y[n, o, i·s+a·d−p, j·s+b·d−p] += x[n,c,i,j]·w[c,o,a,b], as in PyTorch.

    x (N, C, H, W), weight (C, O/groups, kh, kw), bias (O) → (N, O, H', W') with H' = (H − 1)·s + d·(kh − 1) + 1 − padding +
    output_padding.  padding: what is cut off, an int, a pair, ((top, bottom), (left, right)), "valid" or "same" (H' = H·s);
    output_padding: rows and columns added at the end, fewer than the stride or the dilation; exact: as in :func:`conv2d`.

    >>> import numpy as np, mathnet as mn
    >>> mn.conv_transpose2d(np.ones((1, 1, 1, 2)), np.ones((1, 1, 2, 2)))[0, 0]
    array([[1., 2., 1.],
           [1., 2., 1.]])
    """
    return _transposed(
        "conv_transpose2d", 2, x, weight, bias, stride, padding, output_padding, groups, dilation, exact
    )
