"""A smooth maximum for mathnet, computed by a compiled kernel."""

import numpy as np

import mathnet as mn
from mathnet_smoothmax import _kernels

SAMPLES = [mn.Sample((3, 4), (3, 4)), mn.Sample((5,), (5,), sharpness=2.5)]
DERIVATIVE_SAMPLES = [mn.Sample((3, 4), (3, 4), (3, 4)), mn.Sample((5,), (5,), (5,), sharpness=2.5)]


def _same_shape(key, *inputs):
    first = inputs[0].shape
    for position, other in enumerate(inputs[1:], 1):
        if other.shape != first:
            raise mn.ShapeError(
                f"{key}: operand {position} has shape {other.shape}, but operand 0 has {first}"
            )
    return first


def _size(x):
    return int(np.prod(x.shape, dtype=np.int64))


@mn.op("smooth_maximum", samples=SAMPLES)
class SmoothMaximum(mn.KernelOp):
    """log(e^(s·x) + e^(s·y)) / s for each element, s the sharpness: max(x, y) with its corner rounded off.

    x, y: of one shape, float32 or float64.  sharpness > 0.

    >>> import mathnet as mn
    >>> float(mn.ops.smooth_maximum(1.0, 1.0))  # doctest: +SKIP
    1.693147180559945
    """

    tables = _kernels
    formula = "log(exp(s*x) + exp(s*y)) / s"

    def shape(self, x, y, *, sharpness=1.0):
        if not sharpness > 0:
            raise mn.ArgumentError(f"smooth_maximum: sharpness must be positive, not {sharpness!r}")
        return _same_shape("smooth_maximum", x, y)

    def fields(self, x, y, *, sharpness=1.0):
        return {"n": _size(x), "sharpness": float(sharpness)}

    def vjp(self, dy, x, y, *, out, sharpness=1.0):
        return smooth_maximum_derivative(dy, x, y, sharpness=sharpness)


@mn.op("smooth_maximum_derivative", samples=DERIVATIVE_SAMPLES)
class SmoothMaximumDerivative(mn.KernelOp):
    """The cotangents (g·w, g·(1 − w)) of x and y, with w = σ(s·(x − y)): the derivative of smooth_maximum, by a kernel of its own."""

    tables = _kernels

    def shape(self, g, x, y, *, sharpness=1.0):
        shape = _same_shape("smooth_maximum_derivative", g, x, y)
        return [shape, shape]

    def fields(self, g, x, y, *, sharpness=1.0):
        return {"n": _size(x), "sharpness": float(sharpness)}

    def vjp(self, dy, g, x, y, *, out, sharpness=1.0):
        """Second derivatives: an expression, so that all further ones are there too."""
        by_x, by_y = dy
        w = mn.sigmoid(sharpness * (x - y))
        slope = g * (by_x - by_y) * sharpness * w * (1.0 - w)
        return by_x * w + by_y * (1.0 - w), slope, -slope


smooth_maximum = SmoothMaximum()
smooth_maximum_derivative = SmoothMaximumDerivative()


@mn.activation("smooth_relu", promises="monotone")
def smooth_relu(x, sharpness=4.0):
    """log(1 + e^(s·x)) / s: the smooth maximum of x and 0."""
    return smooth_maximum(x, mn.zeros_like(x), sharpness=sharpness)


@mn.hookimpl
def mathnet_ops():
    return [SmoothMaximum, SmoothMaximumDerivative]


@mn.hookimpl
def mathnet_activations():
    return [smooth_relu]
