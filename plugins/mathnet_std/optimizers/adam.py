"""Adam and AdamW: steps scaled by running moments of the gradient."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("adam")
class Adam:
    """m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², θ ← θ − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε).

    learning_rate η: number or schedule; beta1, beta2, epsilon; weight_decay λ: adds λ θ to g.  Formulas and defaults as in PyTorch;
    the corrections 1 − βᵗ are computed in float64.  Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> optimizer = mn.optimizers.Adam(1e-3, weight_decay=0.1)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=optimizer, epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        name = type(self).__name__
        self.learning_rate = rate(name, learning_rate)
        self.beta1 = number(name, "beta1", beta1, below=1.0)
        self.beta2 = number(name, "beta2", beta2, below=1.0)
        self.epsilon = number(name, "epsilon", epsilon)
        self.weight_decay = number(name, "weight_decay", weight_decay)
        self._decays = self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"mean": mn.zeros_like(param), "square": mn.zeros_like(param), "step": 0.0}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            param, grad = self._decay(param, grad, learning_rate)
        step = state["step"] + 1.0
        mean = self.beta1 * state["mean"] + (1.0 - self.beta1) * grad
        square = self.beta2 * state["square"] + (1.0 - self.beta2) * mn.square(grad)
        scale = learning_rate / (1.0 - self.beta1**step)
        correction = 1.0 / mn.sqrt(1.0 - self.beta2**step)
        new = param - scale * mean / (mn.sqrt(square) * correction + self.epsilon)
        return new, {"mean": mean, "square": square, "step": step}

    def _decay(self, param: Any, grad: Any, learning_rate: Any) -> tuple[Any, Any]:
        return param, grad + self.weight_decay * param


@mn.optimizer("adamw")
class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← (1 − ηλ)θ before the step.

    Arguments as in Adam, with weight_decay 1e-2.  Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> optimizer = mn.optimizers.AdamW(1e-3, weight_decay=0.1)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=optimizer, epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, weight_decay)

    def _decay(self, param: Any, grad: Any, learning_rate: Any) -> tuple[Any, Any]:
        return param * (1.0 - learning_rate * self.weight_decay), grad
