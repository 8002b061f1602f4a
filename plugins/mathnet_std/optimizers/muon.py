"""Muon: momentum whose matrices are made orthogonal."""

import math
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate

#: Coefficients of the quintic a x + b x³ + c x⁵, steep at 0: singular values end near 1, between 0.7 and 1.2.
QUINTIC = (3.4445, -4.775, 2.0315)


@mn.optimizer("muon")
class Muon:
    """For matrices b ← μ b + (1 − μ)g, θ ← (1 − ηλ)θ − η √max(1, q/p) · O, O the Newton–Schulz orthogonalisation of (1 − μ)g + μ b.

    O: X₀ = G/max(‖G‖, ε), then ``iterations`` times X ← aX + (bA + cA²)X with A = XXᵀ (the smaller product), which brings all
    singular values near 1.  p inputs, q outputs: the last axis of a parameter is its outputs, the others together are its inputs.
    Vectors and scalars take AdamW steps with vector_rate · η, vector_beta1, vector_beta2 and vector_epsilon; so should embeddings and
    the last layer, by a Trainer of their own.  learning_rate η: number or schedule; momentum μ; nesterov=False takes b alone;
    weight_decay λ, decoupled.  Formulas and defaults for matrices as in PyTorch, which computes O in bfloat16, here in the type of the
    weights.  Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(4, activation="tanh"), mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=mn.optimizers.Muon(0.02), epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        momentum: float = 0.95,
        nesterov: bool = True,
        iterations: int = 5,
        weight_decay: float = 0.1,
        epsilon: float = 1e-7,
        vector_rate: float = 1.0,
        vector_beta1: float = 0.9,
        vector_beta2: float = 0.95,
        vector_epsilon: float = 1e-10,
    ) -> None:
        self.learning_rate = rate("Muon", learning_rate)
        self.momentum = number("Muon", "momentum", momentum, below=1.0)
        self.nesterov = bool(nesterov)
        if isinstance(iterations, bool) or not isinstance(iterations, (int, np.integer)) or iterations < 1:
            raise mn.ArgumentError(f"Muon: iterations must be an integer from 1, not {iterations!r}")
        self.iterations = iterations
        self.weight_decay = number("Muon", "weight_decay", weight_decay)
        self.epsilon = number("Muon", "epsilon", epsilon)
        self.vector_rate = number("Muon", "vector_rate", vector_rate)
        self.vector_beta1 = number("Muon", "vector_beta1", vector_beta1, below=1.0)
        self.vector_beta2 = number("Muon", "vector_beta2", vector_beta2, below=1.0)
        self.vector_epsilon = number("Muon", "vector_epsilon", vector_epsilon)
        self._decays = self.weight_decay > 0.0

    def init(self, param: Any) -> dict[str, Any]:
        if len(param.shape) > 1:
            return {"velocity": mn.zeros_like(param)}
        return {"mean": mn.zeros_like(param), "square": mn.zeros_like(param), "step": 0.0}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if len(param.shape) < 2:
            return self._vector(param, grad, state, learning_rate * self.vector_rate)
        velocity = self.momentum * state["velocity"] + (1.0 - self.momentum) * grad
        moved = (1.0 - self.momentum) * grad + self.momentum * velocity if self.nesterov else velocity
        inputs, outputs = math.prod(param.shape[:-1]), param.shape[-1]
        direction = mn.reshape(
            orthogonal(mn.reshape(moved, (inputs, outputs)), self.iterations, self.epsilon), param.shape
        )
        scale = learning_rate * math.sqrt(max(1.0, outputs / max(inputs, 1)))
        return self._decayed(param, learning_rate) - scale * direction, {"velocity": velocity}

    def _decayed(self, param: Any, learning_rate: Any) -> Any:
        return param * (1.0 - learning_rate * self.weight_decay) if self._decays else param

    def _vector(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        step = state["step"] + 1.0
        mean = self.vector_beta1 * state["mean"] + (1.0 - self.vector_beta1) * grad
        square = self.vector_beta2 * state["square"] + (1.0 - self.vector_beta2) * mn.square(grad)
        scale = learning_rate / (1.0 - self.vector_beta1**step)
        correction = 1.0 / mn.sqrt(1.0 - self.vector_beta2**step)
        new = self._decayed(param, learning_rate) - scale * mean / (
            mn.sqrt(square) * correction + self.vector_epsilon
        )
        return new, {"mean": mean, "square": square, "step": step}


def orthogonal(matrix: Any, iterations: int, epsilon: Any) -> Any:
    """About U Vᵀ of a matrix U S Vᵀ, by a quintic Newton–Schulz iteration."""
    a, b, c = QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = mn.transpose(matrix) if tall else matrix
    x = x / mn.maximum(mn.sqrt(mn.sum(mn.square(x))), epsilon)
    for _ in range(iterations):
        product = x @ mn.transpose(x)
        x = a * x + (b * product + c * (product @ product)) @ x
    return mn.transpose(x) if tall else x
