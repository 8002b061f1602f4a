"""Two-dimensional pooling: maxima and means of windows, with derivatives of any order.

The functions that users call stand in :mod:`mathnet.ops.pooling_forms`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import UINT8
from mathnet.graph.op import Op, batched, count, register
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.ops.windows import Padding, Pair, folded, out_size, unfolded

LARGEST_WINDOW = 255  # the place of the maximum inside its window is kept in one byte


def _windows(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding, outside: float) -> np.ndarray:
    """(N, C, out_h, out_w, kh, kw): the padded x under every window, as a view."""
    padded = np.pad(np.asarray(x, np.float64), ((0, 0), (0, 0), *padding), constant_values=outside)
    out = out_size("pooling", x.shape[2:], kernel, stride, padding)
    n, c, h, w = padded.strides
    return np.lib.stride_tricks.as_strided(
        padded, (*x.shape[:2], *out, *kernel), (n, c, h * stride[0], w * stride[1], h, w)
    )


class Pooling(Op):
    """Common parts: x (N, C, H, W) → y (N, C, H', W')."""

    def infer(self, x: Spec, kernel: Pair, stride: Pair, padding: Padding, **attrs: Any) -> Spec:  # type: ignore[override]
        if 0 in x.shape[2:]:
            raise ShapeError(
                f"{self.name}: x has shape {show_shape(x.shape)}, an empty picture, of which no window holds an element"
            )
        return Spec((*x.shape[:2], *out_size(self.name, x.shape[2:], kernel, stride, padding)), x.dtype)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        made = [folded(batched(x, n, m)) for x, m in zip(inputs, mapped)]
        return unfolded(self(*made, **attrs), n)

    @staticmethod
    def fields(
        x: tuple, y: tuple, kernel: Pair, stride: Pair, padding: Padding, **extra: Any
    ) -> dict[str, int]:
        return {
            "planes": x[0] * x[1],
            "h": x[2],
            "w": x[3],
            "kh": kernel[0],
            "kw": kernel[1],
            "stride_h": stride[0],
            "stride_w": stride[1],
            "pad_top": padding[0][0],
            "pad_bottom": padding[0][1],
            "pad_left": padding[1][0],
            "pad_right": padding[1][1],
            "out_h": y[2],
            "out_w": y[3],
            **{key: int(value) for key, value in extra.items()},
        }

    def cost(
        self, inputs: Sequence[Spec], outputs: Sequence[Spec], kernel: Pair = (1, 1), **attrs: Any
    ) -> tuple[int, int]:
        small = min((inputs[0], outputs[0]), key=count)
        return count(small) * kernel[0] * kernel[1], sum(
            count(s) * s.dtype.itemsize for s in (*inputs, *outputs)
        )

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        x = np.random.default_rng(9).permutation(2 * 3 * 7 * 6).reshape(2, 3, 7, 6) / 50.0
        cases = [
            ((2, 2), (2, 2), ((0, 0), (0, 0))),
            ((3, 3), (2, 2), ((1, 1), (1, 1))),
            ((3, 2), (1, 2), ((0, 1), (1, 0))),
        ]
        return [self.sample(x, {"kernel": k, "stride": s, "padding": p, **self.extra}) for k, s, p in cases]

    extra: dict[str, Any] = {}

    def sample(self, x: np.ndarray, attrs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return (x,), attrs


class MaxPool2D(Pooling):
    """The largest element of each window; padding never wins; of equal elements the first in row order counts, a NaN wins."""

    name, formula, onnx = "max_pool2d", "max x over the window", "MaxPool"

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (MAX_POOL2D_BACKWARD(dy, inputs[0], outputs[0], **attrs),)

    def kept(self, x: Spec, **attrs: Any) -> tuple[Spec, ...]:
        """The place of each maximum inside its window."""
        return (Spec(self.infer(x, **attrs).shape, UINT8),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, **attrs: Any) -> None:
        x = emit.dense(inputs[0])
        if outputs[0].size:
            emit.kernel("max_pool2d_values", [x], outputs, **self.fields(x.shape, outputs[0].shape, **attrs))

    def lower_keeping(self, emit: Any, inputs: Any, outputs: Any, **attrs: Any) -> None:
        x = emit.dense(inputs[0])
        if outputs[0].size:
            emit.kernel("max_pool2d_forward", [x], outputs, **self.fields(x.shape, outputs[0].shape, **attrs))

    def oracle(self, x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> np.ndarray:  # type: ignore[override]
        return _windows(x, kernel, stride, padding, -np.inf).max((4, 5))


class _WithPlaces(Pooling):
    """Operations on the places of maxima: they take the places that the forward pass kept, or find them again."""

    def uses_kept(self, node: Node) -> Node | None:
        forward = node.inputs[2].node
        same = (
            forward.op is MAX_POOL2D and forward.inputs[0] is node.inputs[1] and forward.attrs == node.attrs
        )
        return forward if same else None

    def places(self, emit: Any, x: Any, kept: Any, shape: tuple, attrs: dict[str, Any]) -> Any:
        if kept is not None:
            return kept[0]
        y, offsets = emit.temporary(shape, x.dtype), emit.temporary(shape, UINT8)
        emit.kernel(
            "max_pool2d_forward", [emit.dense(x)], [y, offsets], **self.fields(x.shape, shape, **attrs)
        )
        return offsets

    @staticmethod
    def chosen(x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding) -> np.ndarray:
        """Flat index into x of every window's first maximum."""
        flat = _windows(x, kernel, stride, padding, -np.inf)
        n, c, oh, ow = flat.shape[:4]
        place = flat.reshape(n, c, oh, ow, -1).argmax(-1)
        row = place // kernel[1] + stride[0] * np.arange(oh)[:, None] - padding[0][0]
        column = place % kernel[1] + stride[1] * np.arange(ow) - padding[1][0]
        plane = np.arange(n * c).reshape(n, c, 1, 1)
        return (plane * x.shape[2] + row) * x.shape[3] + column


class MaxPool2DBackward(_WithPlaces):
    """dx: every element of dy at the place of its window's maximum.  Inputs dy, x, y."""

    name, formula = "max_pool2d_backward", "dy at the place of the maximum"

    def infer(self, dy: Spec, x: Spec, y: Spec, **attrs: Any) -> Spec:  # type: ignore[override]
        return Spec(x.shape, x.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return MAX_POOL2D_GATHER(dy, inputs[1], inputs[2], **attrs), None, None

    def lower(self, emit: Any, inputs: Any, outputs: Any, kept: Any = None, **attrs: Any) -> None:
        dy, x, _ = inputs
        if not dy.size:
            emit.fill(outputs[0], 0)
            return
        places = self.places(emit, x, kept, dy.shape, attrs)
        emit.kernel(
            "max_pool2d_backward",
            [emit.dense(dy), places],
            outputs,
            **self.fields(x.shape, dy.shape, **attrs),
        )

    def oracle(self, dy: np.ndarray, x: np.ndarray, y: np.ndarray, **attrs: Any) -> np.ndarray:  # type: ignore[override]
        dx = np.zeros(x.size)
        np.add.at(dx, self.chosen(x, **attrs).reshape(-1), dy.reshape(-1))
        return dx.reshape(x.shape)

    def sample(self, x: np.ndarray, attrs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        y = MAX_POOL2D.oracle(x, **attrs)
        return (np.cos(y), x, y), attrs


class MaxPool2DGather(_WithPlaces):
    """The elements of g at the places of x's window maxima: the transpose of the backward pass.  Inputs g, x, y."""

    name, formula = "max_pool2d_gather", "g at the place of the maximum of x"

    def infer(self, g: Spec, x: Spec, y: Spec, **attrs: Any) -> Spec:  # type: ignore[override]
        return Spec(y.shape, g.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return MAX_POOL2D_BACKWARD(dy, inputs[1], inputs[2], **attrs), None, None

    def lower(self, emit: Any, inputs: Any, outputs: Any, kept: Any = None, **attrs: Any) -> None:
        g, x, _ = inputs
        if outputs[0].size:
            places = self.places(emit, x, kept, outputs[0].shape, attrs)
            emit.kernel(
                "max_pool2d_gather",
                [emit.dense(g), places],
                outputs,
                **self.fields(x.shape, outputs[0].shape, **attrs),
            )

    def oracle(self, g: np.ndarray, x: np.ndarray, y: np.ndarray, **attrs: Any) -> np.ndarray:  # type: ignore[override]
        return g.reshape(-1)[self.chosen(x, **attrs)]

    def sample(self, x: np.ndarray, attrs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return (np.cos(x), x, MAX_POOL2D.oracle(x, **attrs)), attrs


class AvgPool2D(Pooling):
    """The mean of each window; ``count_include_pad`` says whether padding counts as zeros or not at all."""

    name, formula, onnx = "avg_pool2d", "mean of x over the window", "AveragePool"
    extra = {"count_include_pad": False}

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (AVG_POOL2D_BACKWARD(dy, size=inputs[0].shape[2:], **attrs),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, **attrs: Any) -> None:
        x = emit.dense(inputs[0])
        if outputs[0].size:
            emit.kernel("avg_pool2d_forward", [x], outputs, **self.fields(x.shape, outputs[0].shape, **attrs))

    @staticmethod
    def counts(
        size: tuple, kernel: Pair, stride: Pair, padding: Padding, count_include_pad: bool
    ) -> np.ndarray:
        inside = _windows(np.ones((1, 1, *size)), kernel, stride, padding, float(count_include_pad))
        return inside.sum((4, 5))

    def oracle(
        self, x: np.ndarray, kernel: Pair, stride: Pair, padding: Padding, count_include_pad: bool
    ) -> np.ndarray:  # type: ignore[override]
        total = _windows(x, kernel, stride, padding, 0.0).sum((4, 5))
        return total / self.counts(x.shape[2:], kernel, stride, padding, count_include_pad)


class AvgPool2DBackward(Pooling):
    """The transpose of avg_pool2d: every element of dy shared out over its window.  ``size``: (H, W) of x."""

    name, formula = "avg_pool2d_backward", "Σ dy / n over the windows that cover an element"
    extra = {"count_include_pad": False}

    def infer(self, dy: Spec, size: tuple, **attrs: Any) -> Spec:  # type: ignore[override]
        return Spec((*dy.shape[:2], *size), dy.dtype)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], size: tuple, **attrs: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        return (AVG_POOL2D(dy, **attrs),)

    def lower(self, emit: Any, inputs: Any, outputs: Any, size: tuple, **attrs: Any) -> None:  # type: ignore[override]
        dy = emit.dense(inputs[0])
        if dy.size:
            emit.kernel(
                "avg_pool2d_backward", [dy], outputs, **self.fields(outputs[0].shape, dy.shape, **attrs)
            )
        else:
            emit.fill(outputs[0], 0)

    def oracle(
        self,
        dy: np.ndarray,
        size: tuple,
        kernel: Pair,
        stride: Pair,
        padding: Padding,
        count_include_pad: bool,
    ) -> np.ndarray:  # type: ignore[override]
        (top, bottom), (left, right) = padding
        share = dy / AvgPool2D.counts(size, kernel, stride, padding, count_include_pad)
        dx = np.zeros((*dy.shape[:2], size[0] + top + bottom, size[1] + left + right))
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                rows, columns = (
                    slice(i * stride[0], i * stride[0] + kernel[0]),
                    slice(j * stride[1], j * stride[1] + kernel[1]),
                )
                dx[:, :, rows, columns] += share[:, :, i : i + 1, j : j + 1]
        return dx[:, :, top : top + size[0], left : left + size[1]]

    def sample(self, x: np.ndarray, attrs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return (np.cos(AVG_POOL2D.oracle(x, **attrs)),), {"size": x.shape[2:], **attrs}


MAX_POOL2D, MAX_POOL2D_BACKWARD, MAX_POOL2D_GATHER = (
    register(MaxPool2D()),
    register(MaxPool2DBackward()),
    register(MaxPool2DGather()),
)
AVG_POOL2D, AVG_POOL2D_BACKWARD = register(AvgPool2D()), register(AvgPool2DBackward())
