"""L-BFGS: quasi-Newton steps from a short history of gradients."""

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.optimizers.line_search import Trial, strong_wolfe
from mathnet_std.optimizers.settings import count, number, start_of


@mn.optimizer("lbfgs")
class LBFGS:
    """θ ← θ − a H g; H approximates the inverse Hessian from the last ``history`` changes of θ and g; a by a line search (strong Wolfe).

    A step of the Trainer does up to ``iterations`` iterations on its batch, fewer when max |g| ≤ tolerance_gradient or the loss falls by
    less than tolerance_change relative to max(1, |loss|).  history: pairs that are kept, from step to step; evaluations: of loss and
    gradient, at most, in a line search; c1, c2: the constants of the Wolfe conditions.  For whole batches and small nets, best in
    float64.  Pairs without positive curvature are left out; a direction that does not descend makes the history begin anew.
    Source: Nocedal and Wright, Numerical Optimization, 2006, algorithms 7.4 and 7.5.

    >>> import numpy as np, mathnet as mn
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> model = mn.Sequential([mn.layers.Dense(8, activation="tanh"), mn.layers.Dense(1)], input_shape=(1,))
    >>> history = model.fit(x, x**2, loss="mse", optimizer=mn.optimizers.LBFGS(), epochs=5, batch_size=20)
    >>> history["loss"][-1] < 1e-2
    True
    """

    def __init__(
        self,
        iterations: int = 20,
        history: int = 10,
        evaluations: int = 25,
        c1: float = 1e-4,
        c2: float = 0.9,
        tolerance_gradient: float = 1e-9,
        tolerance_change: float = 1e-12,
    ) -> None:
        self.iterations = count("LBFGS", "iterations", iterations)
        self.history = count("LBFGS", "history", history)
        self.evaluations = count("LBFGS", "evaluations", evaluations)
        self.c1 = number("LBFGS", "c1", c1, below=1.0)
        self.c2 = number("LBFGS", "c2", c2, below=1.0)
        if not self.c1 < self.c2:
            raise mn.ArgumentError(f"LBFGS: c1 must be below c2, not {c1!r} and {c2!r}")
        self.tolerance_gradient = number("LBFGS", "tolerance_gradient", tolerance_gradient)
        self.tolerance_change = number("LBFGS", "tolerance_change", tolerance_change)

    def init(self, theta: Any) -> dict[str, Any]:
        shape = (self.history, len(theta))
        return {"moves": np.zeros(shape), "changes": np.zeros(shape), "pairs": 0}

    def minimize(self, evaluate: Any, theta: Any, state: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        moves, changes, pairs = state["moves"], state["changes"], int(state["pairs"])
        value, slope = start_of("LBFGS", evaluate, theta)
        for _ in range(self.iterations):
            if np.max(np.abs(slope)) <= self.tolerance_gradient:
                break
            direction = -_product(slope, moves[:pairs], changes[:pairs])
            descent = float(slope @ direction)
            if not descent < -1e-12 * np.linalg.norm(slope) * np.linalg.norm(direction):
                pairs, direction, descent = 0, -slope, -float(slope @ slope)

            def along(step: float, theta: Any = theta, direction: Any = direction) -> Trial:
                found, gradient = evaluate(theta + step * direction)
                return Trial(step, found, float(gradient @ direction), gradient)

            first = 1.0 if pairs else min(1.0, 1.0 / float(np.sum(np.abs(slope))))
            start = Trial(0.0, value, descent, slope)
            found = strong_wolfe(along, start, first, self.c1, self.c2, self.evaluations)
            if found is None:
                if not pairs:
                    break
                pairs = 0  # once more from here, down the gradient
                continue
            move, change = found.step * direction, found.gradient - slope
            if move @ change > 1e-10 * np.linalg.norm(move) * np.linalg.norm(change):
                pairs = min(pairs + 1, self.history)
                moves[1:pairs], changes[1:pairs] = moves[: pairs - 1].copy(), changes[: pairs - 1].copy()
                moves[0], changes[0] = move, change
            theta, slope, before, value = theta + move, found.gradient, value, found.value
            if before - value <= self.tolerance_change * max(1.0, math.fabs(value)):
                break
        return theta, {"moves": moves, "changes": changes, "pairs": pairs}


def _product(slope: Any, moves: Any, changes: Any) -> Any:
    """H·slope by two loops over the pairs, newest first."""
    result, factors = slope.copy(), []
    for move, change in zip(moves, changes):
        factor = (move @ result) / (move @ change)
        factors.append(factor)
        result -= factor * change
    if len(moves):
        result *= (moves[0] @ changes[0]) / (changes[0] @ changes[0])
    for move, change, factor in reversed(list(zip(moves, changes, factors))):
        result += (factor - (change @ result) / (move @ change)) * move
    return result
