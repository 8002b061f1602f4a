"""Two-dimensional convolution (cross-correlation) and its two transposes; each is the derivative of the others.

The functions that users call stand in :mod:`mathnet.ops.convolution_forms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from mathnet.graph.op import Op, count, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.convolution_algorithm import keeps_transformed, kernel_of, transforms_first
from mathnet.ops.matmul import ACTIVATION_CODES
from mathnet.ops.windows import Padding, Pair, folded, out_size, unfolded
from mathnet.ops.winograd_weights import transformation, transformed_weights


def _taps(
    x: np.ndarray, size: Pair, kernel: Pair, stride: Pair, padding: Padding, dilation: Pair
) -> np.ndarray:
    """x under every window, (N, C, kh, kw, out_h, out_w): a view of the padded array, written to by the transposes."""
    out = out_size("conv2d", size, kernel, stride, padding, dilation)
    n, c, h, w = x.strides
    strides = (n, c, h * dilation[0], w * dilation[1], h * stride[0], w * stride[1])
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:2], *kernel, *out), strides)


def _padded(x: np.ndarray, padding: Padding) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *padding))


class Convolution(Op):
    """Common parts of the three operations: the descriptor of the kernels and the count of multiplications."""

    @staticmethod
    def fields(
        x: tuple,
        weight: tuple,
        y: tuple,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        bias: Any = None,
        activation: str | None = None,
    ) -> dict[str, int]:
        n, c, h, w = x
        return {
            "n": n,
            "c": c,
            "h": h,
            "w": w,
            "o": weight[0],
            "kh": weight[2],
            "kw": weight[3],
            "stride_h": stride[0],
            "stride_w": stride[1],
            "pad_top": padding[0][0],
            "pad_bottom": padding[0][1],
            "pad_left": padding[1][0],
            "pad_right": padding[1][1],
            "dilation_h": dilation[0],
            "dilation_w": dilation[1],
            "groups": groups,
            "out_h": y[2],
            "out_w": y[3],
            "bias": int(bias is not None),
            "activation": ACTIVATION_CODES[activation],
        }

    @staticmethod
    def multiplications(weight: Spec, y: Spec) -> int:
        known = [s if isinstance(s, int) else 1 for s in (y.shape[0], *y.shape[2:], *weight.shape)]
        return int(np.prod(known, dtype=np.int64))

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(8)
        result = []
        for x_shape, w_shape, stride, padding, dilation, groups in [
            ((2, 3, 6, 5), (4, 3, 3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1), 1),
            ((1, 2, 7, 7), (3, 2, 3, 2), (2, 1), ((0, 1), (2, 0)), (1, 2), 1),
            ((2, 4, 5, 5), (6, 2, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), 2),
            ((2, 5, 4, 4), (3, 5, 1, 1), (1, 1), ((0, 0), (0, 0)), (1, 1), 1),
            ((2, 16, 5, 7), (17, 16, 3, 3), (1, 1), ((1, 1), (0, 2)), (1, 1), 1),
            ((1, 16, 4, 6), (16, 16, 5, 5), (1, 1), ((2, 2), (3, 1)), (1, 1), 1),
            ((1, 16, 6, 7), (16, 16, 3, 3), (1, 1), ((2, 2), (1, 1)), (2, 1), 1),
            ((1, 32, 9, 6), (32, 32, 3, 3), (2, 2), ((1, 1), (0, 1)), (1, 1), 1),
            ((2, 2, 3, 30), (16, 2, 3, 7), (1, 2), ((1, 1), (2, 3)), (1, 1), 1),
        ]:
            attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
            result.append(self.sample(rng.uniform(-1, 1, x_shape), rng.uniform(-1, 1, w_shape), attrs))
        return result

    def sample(
        self, x: np.ndarray, weight: np.ndarray, attrs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]]:
        return (x, weight), attrs


class Conv2D(Convolution):
    """y[n,o,i,j] = Σ_{c,a,b} x[n, c, i·s+a·d−p, j·s+b·d−p] · w[o,c,a,b], with zeros outside of x.

    x (N, C, H, W), w (O, C/groups, kh, kw) → y (N, O, H', W').  ``exact``: only kernels that sum these products as they stand.
    """

    name, formula, onnx = "conv2d", "Σ x[i·s+a·d-p, j·s+b·d-p]·w[a,b]", "Conv"
    absorbs = ("bias", "activation")
    bias_axis = 1

    def infer(
        self,
        x: Spec,
        weight: Spec,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        exact: bool = False,
    ) -> Spec:  # type: ignore[override]
        out = out_size(self.name, x.shape[2:], weight.shape[2:], stride, padding, dilation)
        return Spec((x.shape[0], weight.shape[0], *out), x.dtype)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor | None:  # type: ignore[override]
        if mapped[1]:
            return None
        return unfolded(self(folded(inputs[0]), inputs[1], **attrs), n)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        x, weight = inputs
        return BACKWARD_INPUT(dy, weight, size=x.shape[2:], **attrs), BACKWARD_WEIGHT(
            x, dy, kernel=weight.shape[2:], **attrs
        )

    def lower(
        self,
        emit: Any,
        inputs: Any,
        outputs: Any,
        bias: Any = None,
        activation: str | None = None,
        exact: bool = False,
        **attrs: Any,
    ) -> None:
        x, weight = (emit.dense(v) for v in inputs)
        fields = self.fields(
            x.shape, weight.shape, outputs[0].shape, bias=bias, activation=activation, **attrs
        )
        groups, stride = attrs["groups"], attrs["stride"]
        if outputs[0].size:
            kernel = kernel_of("forward", fields, exact)
            if keeps_transformed(kernel, fields):
                transformed = emit.prepare(
                    weight,
                    (kernel, groups, stride),
                    partial(transformed_weights, groups=groups, stride=stride[0]),
                )
                if transformed is None and transforms_first(fields):
                    what, shape = transformation(weight.shape, str(weight.dtype), groups, stride[0])
                    transformed = emit.temporary(shape, weight.dtype)
                    emit.kernel("winograd_weights", [weight], [transformed], **what)
                if transformed is not None:
                    kernel, weight = f"{kernel}_prepared", transformed
            emit.kernel(kernel, [x, weight] if bias is None else [x, weight, bias], outputs, **fields)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        bytes_moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return 2 * self.multiplications(inputs[1], outputs[0]), bytes_moved

    def oracle(
        self,
        x: np.ndarray,
        weight: np.ndarray,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        exact: bool = False,
    ) -> np.ndarray:  # type: ignore[override]
        parts = [
            np.einsum(
                "ncabij,ocab->noij",
                _taps(_padded(xg, padding), x.shape[2:], weight.shape[2:], stride, padding, dilation),
                wg,
            )
            for xg, wg in zip(np.split(x, groups, 1), np.split(weight, groups, 0))
        ]
        return np.concatenate(parts, 1)


class Conv2DBackwardInput(Convolution):
    """The transpose of conv2d in x: dx[n,c,·] gathers dy[n,o,·]·w[o,c,·] from every window that saw it.  ``size``: (H, W) of x."""

    name, formula, onnx = (
        "conv2d_backward_input",
        "Σ dy·w over the windows that cover an element",
        "ConvTranspose",
    )

    def infer(
        self,
        dy: Spec,
        weight: Spec,
        size: tuple,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        exact: bool = False,
    ) -> Spec:  # type: ignore[override]
        return Spec((dy.shape[0], weight.shape[1] * groups, *size), dy.dtype)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor | None:  # type: ignore[override]
        if mapped[1]:
            return None
        return unfolded(self(folded(inputs[0]), inputs[1], **attrs), n)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], size: tuple, **attrs: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        cotangent, weight = inputs
        return CONV2D(dy, weight, **attrs), BACKWARD_WEIGHT(dy, cotangent, kernel=weight.shape[2:], **attrs)

    def lower(
        self, emit: Any, inputs: Any, outputs: Any, size: tuple, exact: bool = False, **attrs: Any
    ) -> None:  # type: ignore[override]
        dy, weight = (emit.dense(v) for v in inputs)
        if not dy.size:
            emit.fill(outputs[0], 0)
        else:
            fields = self.fields(outputs[0].shape, weight.shape, dy.shape, **attrs)
            emit.kernel(kernel_of("backward_input", fields, exact), [dy, weight], outputs, **fields)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        bytes_moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return 2 * self.multiplications(inputs[1], inputs[0]), bytes_moved

    def oracle(
        self,
        dy: np.ndarray,
        weight: np.ndarray,
        size: tuple,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        exact: bool = False,
    ) -> np.ndarray:  # type: ignore[override]
        (top, bottom), (left, right) = padding
        parts = []
        for dyg, wg in zip(np.split(dy, groups, 1), np.split(weight, groups, 0)):
            dx = np.zeros((dy.shape[0], wg.shape[1], size[0] + top + bottom, size[1] + left + right))
            taps = np.einsum("noij,ocab->ncabij", dyg, wg)
            windows = _taps(dx, size, weight.shape[2:], stride, padding, dilation)
            for a in range(weight.shape[2]):
                for b in range(weight.shape[3]):
                    windows[:, :, a, b] += taps[:, :, a, b]
            parts.append(dx[:, :, top : top + size[0], left : left + size[1]])
        return np.concatenate(parts, 1)

    def sample(
        self, x: np.ndarray, weight: np.ndarray, attrs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]]:
        return (np.cos(CONV2D.oracle(x, weight, **attrs)), weight), {"size": x.shape[2:], **attrs}


class Conv2DBackwardWeight(Convolution):
    """The transpose of conv2d in w: dw[o,c,a,b] = Σ_{n,i,j} dy[n,o,i,j]·x under window (i, j) at tap (a, b).  ``kernel``: (kh, kw)."""

    name, formula = "conv2d_backward_weight", "Σ dy·x over examples and windows"

    def infer(
        self,
        x: Spec,
        dy: Spec,
        kernel: tuple,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        exact: bool = False,
    ) -> Spec:  # type: ignore[override]
        return Spec((dy.shape[1], x.shape[1] // groups, *kernel), x.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], kernel: tuple, **attrs: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, cotangent = inputs
        return BACKWARD_INPUT(cotangent, dy, size=x.shape[2:], **attrs), CONV2D(x, dy, **attrs)

    def lower(
        self, emit: Any, inputs: Any, outputs: Any, kernel: tuple, exact: bool = False, **attrs: Any
    ) -> None:  # type: ignore[override]
        x, dy = (emit.dense(v) for v in inputs)
        if not dy.size:
            emit.fill(outputs[0], 0)
        else:
            fields = self.fields(x.shape, outputs[0].shape, dy.shape, **attrs)
            emit.kernel(kernel_of("backward_weight", fields, exact), [x, dy], outputs, **fields)

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        bytes_moved = sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))
        return 2 * self.multiplications(outputs[0], inputs[1]), bytes_moved

    def oracle(
        self,
        x: np.ndarray,
        dy: np.ndarray,
        kernel: tuple,
        stride: Pair,
        padding: Padding,
        dilation: Pair,
        groups: int,
        exact: bool = False,
    ) -> np.ndarray:  # type: ignore[override]
        parts = [
            np.einsum(
                "ncabij,noij->ocab",
                _taps(_padded(xg, padding), x.shape[2:], kernel, stride, padding, dilation),
                dyg,
            )
            for xg, dyg in zip(np.split(x, groups, 1), np.split(dy, groups, 1))
        ]
        return np.concatenate(parts, 0)

    def sample(
        self, x: np.ndarray, weight: np.ndarray, attrs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]]:
        return (x, np.cos(CONV2D.oracle(x, weight, **attrs))), {"kernel": weight.shape[2:], **attrs}


CONV2D = register(Conv2D())
BACKWARD_INPUT, BACKWARD_WEIGHT = register(Conv2DBackwardInput()), register(Conv2DBackwardWeight())
