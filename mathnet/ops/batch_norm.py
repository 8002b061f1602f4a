"""Batch normalisation in training: each position along one axis brought to mean 0 and variance 1 over all other axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.op import OPS, Op, count, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.arithmetic import sqrt, square
from mathnet.ops.matmul import ACTIVATION_CODES
from mathnet.ops.reduction import MEAN, SUM, extent, spread

Axes = tuple[int, ...]


def _others(x: Any, axis: int) -> Axes:
    return tuple([k for k in range(x.ndim) if k != axis])


def _layout(x: Any, axis: int) -> dict[str, Any]:
    """Sizes for the kernels."""
    shape = x.shape
    return {"outer": product(shape[:axis]), "channels": shape[axis], "inner": product(shape[axis + 1 :])}


class _BatchNorm(Op):
    """Common parts.  Attributes: axis of the channels; weight, bias: whether these are among the inputs, of shape (C); eps."""

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 8 * count(inputs[0]), sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))


class BatchNorm(_BatchNorm):
    """(x − mean) / √(variance + eps) · weight + bias; also the mean and the variance of each channel."""

    name, formula = "batch_norm", "(x - mean)/√(variance + eps)·weight + bias, mean, variance"
    absorbs = ("activation",)

    def infer(  # type: ignore[override]
        self, x: Spec, *parameters: Spec, axis: int, weight: bool, bias: bool, eps: float
    ) -> tuple[Spec, ...]:
        if 0 in (*x.shape[:axis], *x.shape[axis + 1 :]):
            raise ShapeError(
                f"{self.name}: x of shape {show_shape(x.shape)} has no elements beside axis {axis}, so no mean and variance"
            )
        for p in parameters:
            if p != Spec((x.shape[axis],), x.dtype):
                raise ShapeError(
                    f"{self.name}: parameter {p!r} does not fit to x {x!r} with channels on axis {axis}"
                )
        return Spec(x.shape, x.dtype), *(Spec((x.shape[axis],), x.dtype),) * 2

    def expansion(  # type: ignore[override]
        self, x: Tensor, *parameters: Tensor, axis: int, weight: bool, bias: bool, eps: float
    ) -> tuple[Tensor, ...]:
        others = _others(x, axis)
        mean = MEAN(x, axis=others, keepdims=False)
        x = x - spread(mean, x, others)
        variance = MEAN(square(x), axis=others, keepdims=False)
        scale = 1.0 / sqrt(variance + eps)
        if weight:
            scale = scale * parameters[0]
        y = x * spread(scale, x, others)
        return (y + spread(parameters[-1], x, others) if bias else y), mean, variance

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, others = inputs[0], _others(inputs[0], attrs["axis"])
        found: list[Tensor | None] = [None] * len(inputs)
        if dy[0] is not None:
            made = BATCH_NORM_BACKWARD(dy[0], *inputs, *outputs[1:], **attrs)
            found = list(made) if isinstance(made, tuple) else [made]
        if dy[1] is not None:
            part = OPS["broadcast_to"](spread(dy[1], x, others) * (1.0 / extent(x, others)), shape=x.shape)
            found[0] = part if found[0] is None else found[0] + part
        if dy[2] is not None:  # the mean's own derivative drops out, because Σ (x − mean) = 0
            part = (x - spread(outputs[1], x, others)) * (
                spread(dy[2], x, others) * (2.0 / extent(x, others))
            )
            found[0] = part if found[0] is None else found[0] + part
        return found

    def lower(  # type: ignore[override]
        self,
        emit: Any,
        inputs: Any,
        outputs: Any,
        axis: int,
        weight: bool,
        bias: bool,
        eps: float,
        activation: str | None = None,
    ) -> None:
        emit.kernel(
            "batch_norm_forward",
            [emit.dense(v) for v in inputs],
            outputs,
            **_layout(inputs[0], axis),
            weight=int(weight),
            bias=int(bias),
            activation=ACTIVATION_CODES[activation],
            eps=eps,
        )

    def oracle(  # type: ignore[override]
        self, x: np.ndarray, *parameters: np.ndarray, axis: int, weight: bool, bias: bool, eps: float
    ) -> tuple[np.ndarray, ...]:
        last = np.moveaxis(x, axis, -1)
        rows = last.reshape(-1, x.shape[axis])
        mean, variance = rows.mean(0), rows.var(0)
        y = (last - mean) / np.sqrt(variance + eps)
        y = y * (parameters[0] if weight else 1.0) + (parameters[-1] if bias else 0.0)
        return np.moveaxis(y, -1, axis), mean, variance

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((x, *parameters), attrs) for x, parameters, attrs in _samples()]


class BatchNormBackward(_BatchNorm):
    """The cotangents of x, weight and bias from that of y; with x̂ = (x − mean)/√(variance + eps):
    weight·(dy − mean dy − x̂·mean(dy·x̂))/√(variance + eps), Σ dy·x̂ and Σ dy.  mean and variance are those of the forward pass."""

    name, formula = "batch_norm_backward", "w·(dy - mean dy - x̂·mean(dy·x̂))/√(variance + eps), Σ dy·x̂, Σ dy"

    def infer(self, dy: Spec, x: Spec, *rest: Spec, weight: bool, bias: bool, **attrs: Any) -> Any:  # type: ignore[override]
        parameters = rest[: weight + bias]
        specs = [Spec(s.shape, x.dtype) for s in (x, *parameters)]
        return tuple(specs) if parameters else specs[0]

    def expansion(  # type: ignore[override]
        self, dy: Tensor, x: Tensor, *rest: Tensor, axis: int, weight: bool, bias: bool, eps: float
    ) -> Any:
        others = _others(x, axis)
        scale = spread(1.0 / sqrt(rest[-1] + eps), x, others)
        normal = (x - spread(rest[-2], x, others)) * scale
        total, product_ = (SUM(z, axis=others, keepdims=False) for z in (dy, dy * normal))
        share = 1.0 / extent(x, others)
        dx = scale * (dy - spread(total * share, x, others) - normal * spread(product_ * share, x, others))
        if weight:
            dx = dx * spread(rest[0], x, others)
        found = (dx, *([product_] if weight else []), *([total] if bias else []))
        return found if len(found) > 1 else dx

    def lower(  # type: ignore[override]
        self, emit: Any, inputs: Any, outputs: Any, axis: int, weight: bool, bias: bool, eps: float
    ) -> None:
        used = inputs[: 2 + weight] + inputs[2 + weight + bias :]
        emit.kernel(
            "batch_norm_backward",
            [emit.dense(v) for v in used],
            outputs,
            **_layout(inputs[1], axis),
            weight=int(weight),
            bias=int(bias),
            activation=ACTIVATION_CODES[None],
            eps=eps,
        )

    def oracle(  # type: ignore[override]
        self,
        dy: np.ndarray,
        x: np.ndarray,
        *rest: np.ndarray,
        axis: int,
        weight: bool,
        bias: bool,
        eps: float,
    ) -> Any:
        dy, x = np.moveaxis(dy, axis, -1), np.moveaxis(x, axis, -1)
        others = tuple(range(x.ndim - 1))
        scale = 1 / np.sqrt(rest[-1] + eps)
        normal = (x - rest[-2]) * scale
        total, products = dy.sum(others), (dy * normal).sum(others)
        dx = scale * (dy - dy.mean(others) - normal * (dy * normal).mean(others))
        dx = np.moveaxis(dx * (rest[0] if weight else 1.0), -1, axis)
        found = (dx, *([products] if weight else []), *([total] if bias else []))
        return found if len(found) > 1 else dx

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        found = []
        for x, parameters, attrs in _samples():
            dy = np.linspace(-1, 1, x.size).reshape(x.shape) ** 3
            found.append(((dy, x, *parameters, *BATCH_NORM.oracle(x, *parameters, **attrs)[1:]), attrs))
        return found


def _samples() -> list[tuple[np.ndarray, tuple, dict[str, Any]]]:
    """(x, parameters, attributes)."""
    rng = np.random.default_rng(8)
    found = []
    for shape, axis, weight, bias in [
        ((3, 4, 2, 3), 1, True, True),
        ((6, 5), 1, True, True),
        ((2, 3, 4), 2, False, True),
        ((3, 4, 5), 0, True, False),
        ((7, 3), 1, False, False),
    ]:
        attrs = {"axis": axis, "weight": weight, "bias": bias, "eps": 1e-3}
        parameters = tuple(rng.uniform(0.5, 1.5, (weight + bias, shape[axis])))
        found.append((rng.uniform(-2, 2, shape), parameters, attrs))
    return found


BATCH_NORM, BATCH_NORM_BACKWARD = register(BatchNorm()), register(BatchNormBackward())
