"""Newton's method in a trust region, by products with the Hessian."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.optimizers.settings import count, number, start_of


@mn.optimizer("newton_cg")
class NewtonCG:
    """θ ← θ + p, p about the minimum of the loss's quadratic model g·p + ½ p·∇²f·p within ‖p‖ ≤ r, by conjugate gradients.

    The Hessian is never formed; negative curvature is followed to the border of the region (Steihaug).  The residual of p is at most
    min(½, √‖g‖)·‖g‖, after at most ``products`` products (None: as many as there are parameters).  r grows when the model was good and
    shrinks when it was not; a p that does not lower the loss is not taken, but tried again with a smaller r, ``trials`` times a
    step at most.  A step of the Trainer does up to ``iterations`` iterations on its batch, fewer when max |g| ≤ tolerance_gradient.
    radius: the first r; largest_radius.  For whole batches and small nets, best in float64.
    Source: Nocedal and Wright, Numerical Optimization, 2006, algorithms 4.1 and 7.2.

    >>> import numpy as np, mathnet as mn
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(1,))
    >>> history = model.fit(x, x**2, loss="mse", optimizer=mn.optimizers.NewtonCG(), epochs=20, batch_size=20)
    >>> history["loss"][-1] < 1e-2
    True
    """

    def __init__(
        self,
        iterations: int = 1,
        products: int | None = None,
        trials: int = 10,
        radius: float = 1.0,
        largest_radius: float = 1000.0,
        tolerance_gradient: float = 1e-9,
    ) -> None:
        self.iterations = count("NewtonCG", "iterations", iterations)
        self.products = None if products is None else count("NewtonCG", "products", products)
        self.trials = count("NewtonCG", "trials", trials)
        self.radius = number("NewtonCG", "radius", radius)
        self.largest_radius = number("NewtonCG", "largest_radius", largest_radius)
        if not 0.0 < self.radius <= self.largest_radius:
            raise mn.ArgumentError(
                f"NewtonCG: 0 < radius ≤ largest_radius must hold, not {radius!r} and {largest_radius!r}"
            )
        self.tolerance_gradient = number("NewtonCG", "tolerance_gradient", tolerance_gradient)

    def init(self, theta: Any) -> dict[str, Any]:
        return {"radius": self.radius}

    def minimize(self, evaluate: Any, theta: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        radius = float(state["radius"])
        value, slope = start_of("NewtonCG", evaluate, theta)
        limit = len(theta) if self.products is None else self.products
        for _ in range(self.iterations):
            if np.max(np.abs(slope)) <= self.tolerance_gradient:
                break
            size = float(np.linalg.norm(slope))
            moved = False
            for _ in range(self.trials):

                def product(v: Any, theta: Any = theta) -> Any:
                    return evaluate.hvp(theta, v)

                step, model = steihaug(product, slope, radius, min(0.5, math.sqrt(size)) * size, limit)
                found, gradient = evaluate(theta + step)
                ratio = (value - found) / -model if model < 0.0 and math.isfinite(found) else -math.inf
                length = float(np.linalg.norm(step))
                if not ratio >= 0.25:
                    radius = 0.25 * length
                elif ratio > 0.75 and length >= 0.99 * radius:
                    radius = min(2.0 * radius, self.largest_radius)
                if ratio > 1e-4 and np.isfinite(gradient).all():
                    theta, value, slope, moved = theta + step, found, gradient, True
                    break
                if radius <= 1e-14:
                    break
            if not moved:
                radius = max(radius, 1e-8)  # room for the next batch
                break
        return theta, {"radius": radius}


def steihaug(
    product: Callable[[Any], Any], slope: Any, radius: float, tolerance: float, limit: int
) -> tuple[Any, float]:
    """(p, slope·p + ½ p·B·p) with p about the minimum of that model within the radius; B by its products with vectors."""
    step, curved = np.zeros_like(slope), np.zeros_like(slope)  # p, and B p
    residual, direction = slope.copy(), -slope
    square = float(residual @ residual)
    for _ in range(limit):
        bent = product(direction)
        curvature = float(direction @ bent)
        length = square / curvature if curvature > 0.0 else math.inf
        if not math.isfinite(length) or np.linalg.norm(step + length * direction) >= radius:
            length = _to_border(step, direction, radius)
            step, curved = step + length * direction, curved + length * bent
            break
        step, curved = step + length * direction, curved + length * bent
        residual = residual + length * bent
        before, square = square, float(residual @ residual)
        if math.sqrt(square) <= tolerance:
            break
        direction = -residual + (square / before) * direction
    return step, float(slope @ step + 0.5 * step @ curved)


def _to_border(step: Any, direction: Any, radius: float) -> float:
    """The positive τ with ‖step + τ direction‖ = radius."""
    a, b = float(direction @ direction), float(step @ direction)
    c = radius * radius - float(step @ step)
    return (-b + math.sqrt(max(b * b + a * c, 0.0))) / a
