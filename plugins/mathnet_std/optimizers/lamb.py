"""LAMB: Adam's direction at a length that the size of each parameter sets."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("lamb")
class LAMB:
    """u = m̂/(√v̂ + ε) + λ θ with Adam's m̂ and v̂; θ ← θ − η ‖θ‖/‖u‖ · u, the quotient being 1 where a norm is 0.

    The norms are those of a whole parameter, such as a kernel.  learning_rate η: number or schedule; beta1, beta2, epsilon; weight_decay λ.
    For large batches.  Source: You et al., Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, ICLR 2020,
    algorithm 2, with φ(z) = z and bias correction.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.LAMB(1e-2), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = rate("LAMB", learning_rate)
        self.beta1 = number("LAMB", "beta1", beta1, below=1.0)
        self.beta2 = number("LAMB", "beta2", beta2, below=1.0)
        self.epsilon = number("LAMB", "epsilon", epsilon)
        self.weight_decay = number("LAMB", "weight_decay", weight_decay)
        self._decays = self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"mean": mn.zeros_like(param), "square": mn.zeros_like(param), "step": 0.0}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        step = state["step"] + 1.0
        mean = self.beta1 * state["mean"] + (1.0 - self.beta1) * grad
        square = self.beta2 * state["square"] + (1.0 - self.beta2) * mn.square(grad)
        root = mn.sqrt(square) * (1.0 / mn.sqrt(1.0 - self.beta2**step))
        direction = mean * (1.0 / (1.0 - self.beta1**step)) / (root + self.epsilon)
        if self._decays:
            direction = direction + self.weight_decay * param
        size, length = mn.sqrt(mn.sum(mn.square(param))), mn.sqrt(mn.sum(mn.square(direction)))
        both = mn.logical_and(size > 0.0, length > 0.0)
        trust = mn.where(both, size / mn.where(both, length, 1.0), 1.0)
        return param - learning_rate * trust * direction, {"mean": mean, "square": square, "step": step}
