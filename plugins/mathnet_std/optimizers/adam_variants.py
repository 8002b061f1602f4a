"""Variants of Adam: AMSGrad, NAdam, RAdam and Adamax."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.adam import Adam
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("amsgrad")
class AMSGrad(Adam):
    """Adam whose divisor never falls: v̂ ← max(v̂, v), θ ← θ − η/(1 − β₁ᵗ) · m / (√v̂/√(1 − β₂ᵗ) + ε).

    Arguments as in Adam; formula as in PyTorch's ``Adam(amsgrad=True)``.  Source: Reddi, Kale and Kumar, On the Convergence of Adam and
    Beyond, ICLR 2018.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.AMSGrad(1e-2), epochs=2)
    """

    def init(self, param: Any) -> dict[str, Any]:
        return {**super().init(param), "largest": mn.zeros_like(param)}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            param, grad = self._decay(param, grad, learning_rate)
        step = state["step"] + 1.0
        mean = self.beta1 * state["mean"] + (1.0 - self.beta1) * grad
        square = self.beta2 * state["square"] + (1.0 - self.beta2) * mn.square(grad)
        largest = mn.maximum(state["largest"], square)
        scale = learning_rate / (1.0 - self.beta1**step)
        correction = 1.0 / mn.sqrt(1.0 - self.beta2**step)
        new = param - scale * mean / (mn.sqrt(largest) * correction + self.epsilon)
        return new, {"mean": mean, "square": square, "step": step, "largest": largest}


class _Moments:
    """Settings and moments that the variants share; ``decoupled``: θ ← (1 − ηλ)θ in place of g + λ θ."""

    def __init__(
        self,
        learning_rate: Any,
        beta1: float,
        beta2: float,
        epsilon: float,
        weight_decay: float,
        decoupled: bool = False,
    ) -> None:
        name = type(self).__name__
        self.learning_rate = rate(name, learning_rate)
        self.beta1 = number(name, "beta1", beta1, below=1.0)
        self.beta2 = number(name, "beta2", beta2, below=1.0)
        self.epsilon = number(name, "epsilon", epsilon)
        self.weight_decay = number(name, "weight_decay", weight_decay)
        self.decoupled = bool(decoupled)
        self._decays = self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        return {"mean": mn.zeros_like(param), "square": mn.zeros_like(param), "step": 0.0}

    def _decayed(self, param: Any, grad: Any, learning_rate: Any) -> tuple[Any, Any]:
        if not self._decays:
            return param, grad
        if self.decoupled:
            return param * (1.0 - learning_rate * self.weight_decay), grad
        return param, grad + self.weight_decay * param

    def _moments(self, grad: Any, state: dict[str, Any]) -> dict[str, Any]:
        return {
            "mean": self.beta1 * state["mean"] + (1.0 - self.beta1) * grad,
            "square": self.beta2 * state["square"] + (1.0 - self.beta2) * mn.square(grad),
            "step": state["step"] + 1.0,
        }


@mn.optimizer("nadam")
class NAdam(_Moments):
    """Adam with Nesterov's momentum, whose coefficient grows: μₜ = β₁(1 − ½·0.96^(tψ)).

    m, v as in Adam, Mₜ = μ₁⋯μₜ, d = √v/√(1 − β₂ᵗ) + ε; θ ← θ − η (1 − μₜ)/(1 − Mₜ) g/d − η μₜ₊₁/(1 − Mₜμₜ₊₁) m/d.
    learning_rate η: number or schedule; beta1, beta2, epsilon; momentum_decay ψ; weight_decay λ: adds λ θ to g, or with ``decoupled``
    θ ← (1 − ηλ)θ before the step.  Formulas and defaults as in PyTorch.  Source: Dozat, Incorporating Nesterov Momentum into Adam,
    ICLR workshop 2016.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.NAdam(2e-3), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled: bool = False,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, weight_decay, decoupled)
        self.momentum_decay = number("NAdam", "momentum_decay", momentum_decay)

    def init(self, param: Any) -> dict[str, Any]:
        return {**super().init(param), "product": 1.0}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        param, grad = self._decayed(param, grad, learning_rate)
        new = self._moments(grad, state)
        step = new["step"]
        now, later = self._momentum(step), self._momentum(step + 1.0)
        product = new["product"] = state["product"] * now
        divisor = mn.sqrt(new["square"]) * (1.0 / mn.sqrt(1.0 - self.beta2**step)) + self.epsilon
        here = learning_rate * (1.0 - now) / (1.0 - product)
        ahead = learning_rate * later / (1.0 - product * later)
        return param - (here * grad + ahead * new["mean"]) / divisor, new

    def _momentum(self, step: Any) -> Any:
        return self.beta1 * (1.0 - 0.5 * 0.96 ** (step * self.momentum_decay))


@mn.optimizer("radam")
class RAdam(_Moments):
    """Adam that takes plain momentum steps until the variance of its divisor is tractable, and then rectified ones.

    ρ∞ = 2/(1 − β₂) − 1, ρ = ρ∞ − 2tβ₂ᵗ/(1 − β₂ᵗ), m̂ = m/(1 − β₁ᵗ).  For ρ > 5: θ ← θ − η r m̂ √(1 − β₂ᵗ)/(√v + ε) with
    r² = (ρ − 4)(ρ − 2)ρ∞ / ((ρ∞ − 4)(ρ∞ − 2)ρ), else θ ← θ − η m̂.
    learning_rate η: number or schedule; beta1, beta2, epsilon; weight_decay λ: adds λ θ to g, or with ``decoupled`` θ ← (1 − ηλ)θ
    before the step.  Formulas and defaults as in PyTorch.  Source: Liu et al., On the Variance of the Adaptive Learning Rate and
    Beyond, ICLR 2020.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.RAdam(1e-3), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled: bool = False,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, weight_decay, decoupled)

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        param, grad = self._decayed(param, grad, learning_rate)
        new = self._moments(grad, state)
        step = new["step"]
        power = self.beta2**step
        limit = 2.0 / (1.0 - self.beta2) - 1.0
        length = limit - 2.0 * step * power / (1.0 - power)
        # Both are at least 5 wherever the rectified step is taken; elsewhere they keep the root from a negative number.
        longest, long = mn.maximum(limit, 5.0), mn.maximum(length, 5.0)
        rectified = mn.sqrt(
            (long - 4.0) * (long - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * long)
        )
        scaled = rectified * mn.sqrt(1.0 - power) / (mn.sqrt(new["square"]) + self.epsilon)
        mean = (learning_rate / (1.0 - self.beta1**step)) * new["mean"]
        return param - mean * mn.where(length > 5.0, scaled, 1.0), new


@mn.optimizer("adamax")
class Adamax(_Moments):
    """Adam with a running maximum in place of the root mean square: u ← max(β₂u, |g| + ε), θ ← θ − η/(1 − β₁ᵗ) · m/u.

    learning_rate η: number or schedule; beta1, beta2, epsilon; weight_decay λ: adds λ θ to g.  Formulas and defaults as in PyTorch.
    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, section 7.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.Adamax(2e-3), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 2e-3,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, weight_decay)

    def init(self, param: Any) -> dict[str, Any]:
        return {"mean": mn.zeros_like(param), "largest": mn.zeros_like(param), "step": 0.0}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        param, grad = self._decayed(param, grad, learning_rate)
        step = state["step"] + 1.0
        mean = self.beta1 * state["mean"] + (1.0 - self.beta1) * grad
        largest = mn.maximum(self.beta2 * state["largest"], mn.abs(grad) + self.epsilon)
        new = param - (learning_rate / (1.0 - self.beta1**step)) * mean / largest
        return new, {"mean": mean, "largest": largest, "step": step}
