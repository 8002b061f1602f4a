"""Rows brought to mean 0 and variance 1: the operations behind layer, RMS, group and instance normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import ShapeError
from mathnet.graph.dim import product, show_shape
from mathnet.graph.op import OPS, Op, count, register
from mathnet.graph.tensor import Spec, Tensor
from mathnet.ops.arithmetic import sqrt, square
from mathnet.ops.elementwise import unbroadcast
from mathnet.ops.reduction import MEAN, extent, spread

Axes = tuple[int, ...]


def _axes(x: Any, axis: int) -> Axes:
    return tuple(range(axis, x.ndim))


def _layout(x: Any, axis: int, parameters: tuple) -> dict[str, Any]:
    """Sizes for the kernels; parameters: the shape of weight and bias, () where there are none."""
    rows, n = product(x.shape[:axis]), product(x.shape[axis:])
    if not parameters:
        return {"rows": rows, "n": n, "run": n, "period": 1}
    split = axis - (len(x.shape) - len(parameters))  # axes of the parameters that distinguish rows
    return {
        "rows": rows,
        "n": n,
        "run": n // product(parameters[split:]),
        "period": product(parameters[:split]),
    }


class _RowNorm(Op):
    """Common parts.  Attributes: axis, the first of the normalised axes, which reach to the last one; centred, whether the mean is
    taken off; weight, bias: whether these are among the inputs; eps.

    weight and bias have one shape, that of some of the last axes of x and then ones (weights of whole runs of elements).
    """

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        return 8 * count(inputs[0]), sum(count(s) * s.dtype.itemsize for s in (*inputs, *outputs))


class RowNorm(_RowNorm):
    """(x − mean) / √(variance + eps) · weight + bias; also the mean (if centred) and the variance, or the mean square, of each row."""

    name, formula = "row_norm", "(x - mean)/√(variance + eps)·weight + bias, mean, variance"

    def infer(  # type: ignore[override]
        self, x: Spec, *parameters: Spec, axis: int, centred: bool, weight: bool, bias: bool, eps: float
    ) -> tuple[Spec, ...]:
        if 0 in x.shape[axis:]:
            raise ShapeError(
                f"{self.name}: x of shape {show_shape(x.shape)} has no elements from axis {axis} on"
            )
        for p in parameters:
            lead = len(x.shape) - len(p.shape)
            ones = next((k for k in range(len(p.shape), 0, -1) if p.shape[k - 1] != 1), 0)
            if not 0 <= lead <= axis or p.shape[:ones] != x.shape[lead : lead + ones] or p.dtype != x.dtype:
                raise ShapeError(
                    f"{self.name}: parameters {p!r} do not fit to x {x!r} normalised from axis {axis} on"
                )
        statistic = Spec(x.shape[:axis], x.dtype)
        return (Spec(x.shape, x.dtype), *(statistic,) * (2 if centred else 1))

    def expansion(  # type: ignore[override]
        self, x: Tensor, *parameters: Tensor, axis: int, centred: bool, weight: bool, bias: bool, eps: float
    ) -> tuple[Tensor, ...]:
        axes, means = _axes(x, axis), []
        if centred:
            mean = MEAN(x, axis=axes, keepdims=False)
            means.append(mean)
            x = x - spread(mean, x, axes)
        variance = MEAN(square(x), axis=axes, keepdims=False)
        y = x * (1.0 / sqrt(spread(variance, x, axes) + eps))
        if weight:
            y = y * parameters[0]
        return (y + parameters[-1] if bias else y), *means, variance

    def vjp(
        self,
        dy: Any,
        inputs: tuple[Tensor, ...],
        outputs: tuple[Tensor, ...],
        **attrs: Any,
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        x, axes = inputs[0], _axes(inputs[0], attrs["axis"])
        found: list[Tensor | None] = [None] * len(inputs)
        if dy[0] is not None:
            made = ROW_NORM_BACKWARD(dy[0], *inputs, *outputs[1:], **attrs)
            found = list(made) if isinstance(made, tuple) else [made]
        centred = x - spread(outputs[1], x, axes) if attrs["centred"] else x
        if dy[-1] is not None:  # the mean's own derivative drops out, because Σ (x − mean) = 0
            part = centred * (spread(dy[-1], x, axes) * (2.0 / extent(x, axes)))
            found[0] = part if found[0] is None else found[0] + part
        if attrs["centred"] and dy[1] is not None:
            part = OPS["broadcast_to"](spread(dy[1], x, axes) * (1.0 / extent(x, axes)), shape=x.shape)
            found[0] = part if found[0] is None else found[0] + part
        return found

    def lower(  # type: ignore[override]
        self,
        emit: Any,
        inputs: Any,
        outputs: Any,
        axis: int,
        centred: bool,
        weight: bool,
        bias: bool,
        eps: float,
    ) -> None:
        dense = [emit.dense(v) for v in inputs]
        layout = _layout(inputs[0], axis, inputs[1].shape if weight or bias else ())
        switches = {"centred": int(centred), "weight": int(weight), "bias": int(bias)}
        emit.kernel("row_norm_forward", dense, outputs, **layout, **switches, eps=eps)

    def oracle(  # type: ignore[override]
        self,
        x: np.ndarray,
        *parameters: np.ndarray,
        axis: int,
        centred: bool,
        weight: bool,
        bias: bool,
        eps: float,
    ) -> tuple[np.ndarray, ...]:
        axes = _axes(x, axis)
        mean = x.mean(axes, keepdims=True) if centred else 0.0
        variance = np.mean((x - mean) ** 2, axes, keepdims=True)
        y = (x - mean) / np.sqrt(variance + eps)
        y = y * (parameters[0] if weight else 1.0) + (parameters[-1] if bias else 0.0)
        statistics = (np.mean(x, axes), np.squeeze(variance, axes))
        return (y, *statistics) if centred else (y, statistics[1])

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [((x, *parameters), attrs) for x, parameters, attrs in _samples()]


class RowNormBackward(_RowNorm):
    """The cotangents of x, weight and bias from that of y; with x̂ = (x − mean)/√(variance + eps) and g = dy·weight:
    (g − mean g − x̂·mean(g·x̂))/√(variance + eps), Σ dy·x̂ and Σ dy.  mean and variance are those that the forward pass gave."""

    name, formula = "row_norm_backward", "(g - mean g - x̂·mean(g·x̂))/√(variance + eps), Σ dy·x̂, Σ dy"

    def infer(self, dy: Spec, x: Spec, *rest: Spec, weight: bool, bias: bool, **attrs: Any) -> Any:  # type: ignore[override]
        parameters = rest[: weight + bias]
        specs = [Spec(s.shape, x.dtype) for s in (x, *parameters)]
        return tuple(specs) if parameters else specs[0]

    def expansion(  # type: ignore[override]
        self,
        dy: Tensor,
        x: Tensor,
        *rest: Tensor,
        axis: int,
        centred: bool,
        weight: bool,
        bias: bool,
        eps: float,
    ) -> Any:
        axes = _axes(x, axis)

        def mean(z: Tensor) -> Tensor:
            return MEAN(z, axis=axes, keepdims=True)

        scale = 1.0 / sqrt(spread(rest[-1], x, axes) + eps)
        normal = (x - spread(rest[-2], x, axes) if centred else x) * scale
        g = dy * rest[0] if weight else dy
        centre = g - mean(g) if centred else g
        found = [scale * (centre - normal * mean(g * normal))]
        if weight:
            found.append(unbroadcast(dy * normal, rest[0]))
        if bias:
            found.append(unbroadcast(dy, rest[int(weight)]))
        return tuple(found) if len(found) > 1 else found[0]

    def lower(  # type: ignore[override]
        self,
        emit: Any,
        inputs: Any,
        outputs: Any,
        axis: int,
        centred: bool,
        weight: bool,
        bias: bool,
        eps: float,
    ) -> None:
        used = inputs[: 2 + weight] + inputs[2 + weight + bias :]
        layout = _layout(inputs[1], axis, inputs[2].shape if weight or bias else ())
        switches = {"centred": int(centred), "weight": int(weight), "bias": int(bias)}
        emit.kernel(
            "row_norm_backward", [emit.dense(v) for v in used], outputs, **layout, **switches, eps=eps
        )

    def oracle(  # type: ignore[override]
        self,
        dy: np.ndarray,
        x: np.ndarray,
        *rest: np.ndarray,
        axis: int,
        centred: bool,
        weight: bool,
        bias: bool,
        eps: float,
    ) -> Any:
        axes = _axes(x, axis)
        wide = (*x.shape[:axis], *(1,) * len(axes))
        scale = 1 / np.sqrt(rest[-1].reshape(wide) + eps)
        normal = (x - (rest[-2].reshape(wide) if centred else 0.0)) * scale
        g = dy * (rest[0] if weight else 1.0)
        centre = g - (np.mean(g, axes, keepdims=True) if centred else 0.0)
        found = [scale * (centre - normal * np.mean(g * normal, axes, keepdims=True))]
        for like, part in zip(rest, ([dy * normal] if weight else []) + ([dy] if bias else [])):
            ones = tuple(k for k in range(-like.ndim, 0) if like.shape[k] == 1)
            lead = tuple(range(x.ndim - like.ndim))
            found.append(np.sum(np.sum(part, ones, keepdims=True), lead))
        return tuple(found) if len(found) > 1 else found[0]

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        found = []
        for x, parameters, attrs in _samples():
            dy = np.linspace(-1, 1, x.size).reshape(x.shape) ** 3
            found.append(((dy, x, *parameters, *ROW_NORM.oracle(x, *parameters, **attrs)[1:]), attrs))
        return found


def _samples() -> list[tuple[np.ndarray, tuple, dict[str, Any]]]:
    """(x, parameters, attributes): as for layer, RMS, group and instance normalisation."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, (2, 3, 4, 5))
    found = []
    for axis, shape, centred, weight, bias in [
        (3, (5,), True, True, True),
        (2, (4, 5), True, False, True),
        (3, (5,), False, True, False),
        (2, (3, 1, 1), True, True, True),
        (1, (3, 1, 1), True, True, False),
        (2, (), False, False, False),
    ]:
        attrs = {"axis": axis, "centred": centred, "weight": weight, "bias": bias, "eps": 1e-3}
        found.append((x, tuple(rng.uniform(0.5, 1.5, (weight + bias, *shape))), attrs))
    return found


ROW_NORM, ROW_NORM_BACKWARD = register(RowNorm()), register(RowNormBackward())
