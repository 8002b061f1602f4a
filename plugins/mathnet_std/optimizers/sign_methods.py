"""Rprop and Lion: steps that take the sign of the gradient or of its mean."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("rprop")
class Rprop:
    """Every weight has a step size s: s ← s·raise while the sign of its gradient stays, s·lower when it changes; θ ← θ − s sign(g).

    learning_rate: the first s (changes of it later have no effect); lower, raise_by: the factors; smallest, largest: limits of s.  After a
    change of sign the weight rests for one step.  For whole batches.  Formulas and defaults as in PyTorch.
    Source: Riedmiller and Braun, A Direct Adaptive Method for Faster Backpropagation Learning, ICNN 1993.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.Rprop(), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        lower: float = 0.5,
        raise_by: float = 1.2,
        smallest: float = 1e-6,
        largest: float = 50.0,
    ) -> None:
        self.learning_rate = rate("Rprop", learning_rate)
        self.lower = number("Rprop", "lower", lower, below=1.0)
        self.raise_by = number("Rprop", "raise_by", raise_by)
        self.smallest = number("Rprop", "smallest", smallest)
        self.largest = number("Rprop", "largest", largest)
        if self.raise_by <= 1.0:
            raise mn.ArgumentError(f"Rprop: raise_by must be above 1, not {raise_by!r}")
        if not 0.0 < self.smallest <= self.largest:
            raise mn.ArgumentError(
                f"Rprop: 0 < smallest ≤ largest must hold, not {smallest!r} and {largest!r}"
            )

    def init(self, param: Any) -> dict[str, Any]:
        return {"previous": mn.zeros_like(param), "size": mn.zeros_like(param)}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        agreement = mn.sign(grad) * mn.sign(state["previous"])
        size = mn.where(state["size"] > 0.0, state["size"], learning_rate)  # 0: not yet set
        size = size * mn.where(agreement > 0.0, self.raise_by, mn.where(agreement < 0.0, self.lower, 1.0))
        size = mn.minimum(mn.maximum(size, self.smallest), self.largest)
        grad = mn.where(agreement < 0.0, 0.0, grad)
        return param - size * mn.sign(grad), {"previous": grad, "size": size}


@mn.optimizer("lion", yields=True)
class Lion:
    """θ ← (1 − ηλ)θ − η sign(β₁m + (1 − β₁)g), m ← β₂m + (1 − β₂)g.

    learning_rate η: number or schedule; beta1, beta2; weight_decay λ, decoupled.  Every weight moves by η, so that η is usually 3 to 10
    times smaller than Adam's and λ larger.  Source: Chen et al., Symbolic Discovery of Optimization Algorithms, NeurIPS 2023.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.Lion(1e-3), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-4,
        beta1: float = 0.9,
        beta2: float = 0.99,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = rate("Lion", learning_rate)
        self.beta1 = number("Lion", "beta1", beta1, below=1.0)
        self.beta2 = number("Lion", "beta2", beta2, below=1.0)
        self.weight_decay = number("Lion", "weight_decay", weight_decay)
        self._decays = self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"mean": mn.zeros_like(param)}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            param = param * (1.0 - learning_rate * self.weight_decay)
        direction = mn.sign(self.beta1 * state["mean"] + (1.0 - self.beta1) * grad)
        mean = self.beta2 * state["mean"] + (1.0 - self.beta2) * grad
        return param - learning_rate * direction, {"mean": mean}
