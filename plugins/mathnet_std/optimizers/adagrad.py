"""Adagrad and Adadelta: steps scaled by the gradients seen so far."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("adagrad")
class Adagrad:
    """s ← s + g², θ ← θ − η/(1 + (t − 1)γ) · g / (√s + ε).

    learning_rate η: number or schedule; rate_decay γ; initial: of s; epsilon; weight_decay λ: adds λ θ to g.  Formulas and defaults as
    in PyTorch.  Source: Duchi, Hazan and Singer, Adaptive Subgradient Methods, JMLR 12, 2011.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.Adagrad(0.1), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        rate_decay: float = 0.0,
        initial: float = 0.0,
        epsilon: float = 1e-10,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = rate("Adagrad", learning_rate)
        self.rate_decay = number("Adagrad", "rate_decay", rate_decay)
        self.initial = number("Adagrad", "initial", initial)
        self.epsilon = number("Adagrad", "epsilon", epsilon)
        self.weight_decay = number("Adagrad", "weight_decay", weight_decay)
        self._slows, self._decays = self.rate_decay > 0.0, self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"sum": mn.zeros_like(param) + self.initial, **({"step": 0.0} if self._slows else {})}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            grad = grad + self.weight_decay * param
        new = {"sum": state["sum"] + mn.square(grad)}
        if self._slows:
            learning_rate = learning_rate / (1.0 + state["step"] * self.rate_decay)
            new["step"] = state["step"] + 1.0
        return param - learning_rate * grad / (mn.sqrt(new["sum"]) + self.epsilon), new


@mn.optimizer("adadelta")
class Adadelta:
    """v ← ρv + (1 − ρ)g², δ = g √(u + ε)/√(v + ε), u ← ρu + (1 − ρ)δ², θ ← θ − η δ.

    learning_rate η: number or schedule; rho, epsilon (inside of the roots); weight_decay λ: adds λ θ to g.  Formulas and defaults as in
    PyTorch.  Source: Zeiler, Adadelta: An Adaptive Learning Rate Method, 2012.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.Adadelta(), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        rho: float = 0.9,
        epsilon: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        self.learning_rate = rate("Adadelta", learning_rate)
        self.rho = number("Adadelta", "rho", rho, below=1.0)
        self.epsilon = number("Adadelta", "epsilon", epsilon)
        self.weight_decay = number("Adadelta", "weight_decay", weight_decay)
        self._decays = self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"square": mn.zeros_like(param), "change": mn.zeros_like(param)}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            grad = grad + self.weight_decay * param
        square = self.rho * state["square"] + (1.0 - self.rho) * mn.square(grad)
        delta = mn.sqrt(state["change"] + self.epsilon) / mn.sqrt(square + self.epsilon) * grad
        change = self.rho * state["change"] + (1.0 - self.rho) * mn.square(delta)
        return param - learning_rate * delta, {"square": square, "change": change}
