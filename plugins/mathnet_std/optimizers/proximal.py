"""Proximal gradient descent: an L1 penalty that gives exact zeros."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("proximal_sgd")
class ProximalSGD:
    """θ ← soft(θ − η d, ηλ) with soft(z, t) = sign(z) max(|z| − t, 0): minimises loss + λ‖θ‖₁ and sets small weights to exactly 0.

    d = g, or with momentum μ: v ← μ v + g, d = v.  learning_rate η: number or schedule; momentum; l1 λ.  The loss that is reported is
    without λ‖θ‖₁.  Weights that must not shrink, such as biases, get ``groups={"*/bias": {"l1": 0.0}}`` of the Trainer.  (The
    regularizer ``l1`` adds λ sign(θ) to the gradient instead, which leaves small weights around 0.)
    Source: Beck and Teboulle, A Fast Iterative Shrinkage-Thresholding Algorithm, SIAM J. Imaging Sciences 2, 2009, equation 1.4 (ISTA).

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> optimizer = mn.optimizers.ProximalSGD(0.1, l1=10.0)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=optimizer, epochs=9)
    >>> model.parameters["dense/kernel"].ravel().tolist()
    [0.0, 0.0]
    """

    def __init__(self, learning_rate: Any = 1e-2, l1: float = 1e-3, momentum: float = 0.0) -> None:
        self.learning_rate = rate("ProximalSGD", learning_rate)
        self.l1 = number("ProximalSGD", "l1", l1)
        self.momentum = number("ProximalSGD", "momentum", momentum)
        self._moves = self.momentum > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"velocity": mn.zeros_like(param)} if self._moves else {}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        new: dict[str, Any] = {}
        if self._moves:
            grad = new["velocity"] = self.momentum * state["velocity"] + grad
        moved = param - learning_rate * grad
        return mn.sign(moved) * mn.maximum(mn.abs(moved) - learning_rate * self.l1, 0.0), new
