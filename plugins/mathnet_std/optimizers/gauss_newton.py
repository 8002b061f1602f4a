"""Levenberg–Marquardt and natural gradient: damped steps with the generalized Gauss–Newton matrix."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.optimizers.settings import count, number, start_of


@mn.optimizer("levenberg_marquardt")
class LevenbergMarquardt:
    """θ ← θ + p with (G + λI) p = −g, G = Jᵀ H J the generalized Gauss–Newton matrix: J of the model's outputs, H of the loss in them.

    G is never formed: conjugate gradients solve by products (jvp, then vjp), at most ``products`` of them (None: twice the number of
    parameters).  For ``mse`` this is the method of Levenberg and Marquardt for least squares; penalties on weights count with their
    own Hessian.  λ falls when the quadratic model was good and rises when it was not; a p that does not lower the loss is not taken,
    but tried again with a larger λ, ``trials`` times a step at most.  damping: the first λ.  A step of the Trainer does up to
    ``iterations`` iterations on its batch, fewer when max |g| ≤ tolerance_gradient.  For whole batches and small nets, best in
    float64.  Sources: Nielsen, Damping Parameter in Marquardt's Method, 1999; Schraudolph, Fast Curvature Matrix-Vector Products,
    Neural Computation 14, 2002.

    >>> import numpy as np, mathnet as mn
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(1,))
    >>> optimizer = mn.optimizers.LevenbergMarquardt()
    >>> history = model.fit(x, x**2, loss="mse", optimizer=optimizer, epochs=20, batch_size=20)
    >>> history["loss"][-1] < 1e-3
    True
    """

    def __init__(
        self,
        damping: float = 1e-3,
        iterations: int = 1,
        products: int | None = None,
        trials: int = 12,
        tolerance_gradient: float = 1e-9,
    ) -> None:
        self.damping = number("LevenbergMarquardt", "damping", damping)
        if self.damping == 0.0:
            raise mn.ArgumentError("LevenbergMarquardt: damping must be above 0, so that it can be raised")
        self.iterations = count("LevenbergMarquardt", "iterations", iterations)
        self.products = None if products is None else count("LevenbergMarquardt", "products", products)
        self.trials = count("LevenbergMarquardt", "trials", trials)
        self.tolerance_gradient = number("LevenbergMarquardt", "tolerance_gradient", tolerance_gradient)

    def init(self, theta: Any) -> dict[str, Any]:
        return {"damping": self.damping}

    def minimize(self, evaluate: Any, theta: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        damping = float(state["damping"])
        value, slope = start_of("LevenbergMarquardt", evaluate, theta)
        limit = 2 * len(theta) if self.products is None else self.products
        for _ in range(self.iterations):
            if np.max(np.abs(slope)) <= self.tolerance_gradient:
                break
            raising, moved = 2.0, False
            for _ in range(self.trials):

                def product(v: Any, theta: Any = theta, damping: float = damping) -> Any:
                    return evaluate.ggn(theta, v) + damping * v

                step, residual = solved(product, slope, 1e-8, limit)
                # g·p + ½ p·G·p, with (G + λI)p = −g + residual
                model = 0.5 * float(slope @ step + step @ residual - damping * (step @ step))
                found, gradient = evaluate(theta + step)
                good = model < 0.0 and math.isfinite(found) and bool(np.isfinite(gradient).all())
                ratio = (value - found) / -model if good else -math.inf
                if ratio > 0.0:
                    theta, value, slope, moved = theta + step, found, gradient, True
                    damping = max(damping * max(1.0 / 3.0, 1.0 - (2.0 * min(ratio, 1.0) - 1.0) ** 3), 1e-15)
                    break
                damping, raising = min(damping * raising, 1e15), 2.0 * raising
            if not moved:
                break
        return theta, {"damping": damping}


@mn.optimizer("natural_gradient")
class NaturalGradient:
    """θ ← θ − η (F + λI)⁻¹ g, F the Fisher information of the model's distribution over targets, averaged over the batch's inputs.

    F is taken as the generalized Gauss–Newton matrix Jᵀ H J, which equals it where the loss is the negative log likelihood of an
    exponential family in its natural parameters: ``mse`` (a Gaussian, up to the factor of its variance), ``cross_entropy`` and
    ``binary_cross_entropy`` of logits.  Penalties on weights count with their own Hessian.  F is never formed: conjugate gradients solve
    by products, at most ``products`` of them, to a residual of ``tolerance``·‖g‖.  learning_rate η: a number; damping λ.  One gradient
    a step and no search: unlike levenberg_marquardt it also goes with small batches, given a small η or a large λ.
    Sources: Amari, Natural Gradient Works Efficiently in Learning, Neural Computation 10, 1998; Martens, New Insights and
    Perspectives on the Natural Gradient Method, JMLR 21, 2020.

    >>> import numpy as np, mathnet as mn
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(1,))
    >>> optimizer = mn.optimizers.NaturalGradient(0.5, damping=1e-2)
    >>> history = model.fit(x, x**2, loss="mse", optimizer=optimizer, epochs=20, batch_size=20)
    >>> history["loss"][-1] < 1e-2
    True
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        damping: float = 1e-2,
        products: int = 50,
        tolerance: float = 1e-4,
    ) -> None:
        self.learning_rate = number("NaturalGradient", "learning_rate", learning_rate)
        self.damping = number("NaturalGradient", "damping", damping)
        self.products = count("NaturalGradient", "products", products)
        self.tolerance = number("NaturalGradient", "tolerance", tolerance)

    def init(self, theta: Any) -> dict[str, Any]:
        return {}

    def minimize(self, evaluate: Any, theta: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        _, slope = start_of("NaturalGradient", evaluate, theta)
        step, _ = solved(
            lambda v: evaluate.ggn(theta, v) + self.damping * v, slope, self.tolerance, self.products
        )
        return theta + self.learning_rate * step, state


def solved(product: Callable[[Any], Any], slope: Any, tolerance: float, limit: int) -> tuple[Any, Any]:
    """(p, A p + slope) with A p ≈ −slope by conjugate gradients; they end early where A is not positive.

    Then p is the solution so far, or −slope when there is none: a direction that descends.
    """
    step, residual = np.zeros_like(slope), slope.copy()
    direction, square = -slope, float(slope @ slope)
    goal = tolerance * tolerance * square
    for index in range(limit):
        if square <= goal or square == 0.0:
            break
        bent = product(direction)
        curvature = float(direction @ bent)
        if not curvature > 0.0 or not math.isfinite(square / curvature):
            if index == 0:
                return direction, slope + bent
            break
        length = square / curvature
        step, residual = step + length * direction, residual + length * bent
        before, square = square, float(residual @ residual)
        direction = -residual + (square / before) * direction
    return step, residual
