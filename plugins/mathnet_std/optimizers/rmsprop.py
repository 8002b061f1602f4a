"""RMSprop: steps scaled by a running mean square of the gradient."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("rmsprop")
class RMSprop:
    """v ← ρv + (1 − ρ)g², u = g / (√v + ε); θ ← θ − η u, or with momentum μ: b ← μ b + u, θ ← θ − η b.

    learning_rate η: number or schedule; rho, epsilon (outside of the root, as in PyTorch), momentum; weight_decay λ: adds λ θ to g;
    centered: the running variance g² − (mean g)² in place of v.  Source: Tieleman and Hinton, Coursera lecture 6.5, 2012.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> optimizer = mn.optimizers.RMSprop(1e-3, momentum=0.9)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=optimizer, epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        rho: float = 0.99,
        epsilon: float = 1e-8,
        momentum: float = 0.0,
        centered: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = rate("RMSprop", learning_rate)
        self.rho = number("RMSprop", "rho", rho, below=1.0)
        self.epsilon = number("RMSprop", "epsilon", epsilon)
        self.momentum = number("RMSprop", "momentum", momentum)
        self.weight_decay = number("RMSprop", "weight_decay", weight_decay)
        self.centered = bool(centered)
        self._moves, self._decays = self.momentum > 0.0, self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        names = ["square", *(["mean"] if self.centered else []), *(["velocity"] if self._moves else [])]
        return {name: mn.zeros_like(param) for name in names}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            grad = grad + self.weight_decay * param
        square = self.rho * state["square"] + (1.0 - self.rho) * mn.square(grad)
        new_state, spread = {"square": square}, square
        if self.centered:
            new_state["mean"] = self.rho * state["mean"] + (1.0 - self.rho) * grad
            spread = square - mn.square(new_state["mean"])
        step = grad / (mn.sqrt(spread) + self.epsilon)
        if self._moves:
            step = new_state["velocity"] = self.momentum * state["velocity"] + step
        return param - learning_rate * step, new_state
