"""SGD and SGDW: gradient descent with momentum."""

from typing import Any

import mathnet as mn
from mathnet_std.optimizers.settings import number, rate


@mn.optimizer("sgd")
class SGD:
    """θ ← θ − η g; with momentum μ: v ← μ v + g, θ ← θ − η v, and with Nesterov's θ ← θ − η (g + μ v).

    learning_rate η: number or schedule; momentum μ; nesterov; weight_decay λ: adds λ θ to g.  Formulas as in PyTorch.
    Source: Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.
    A momentum or weight decay of 0 leaves its term out of the plan, so raise it in the constructor and not later.

    >>> import numpy as np, mathnet as mn
    >>> optimizer = mn.optimizers.SGD(mn.schedules.Cosine(0.1, steps=1000), momentum=0.9)
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=optimizer, epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        name = type(self).__name__
        self.learning_rate = rate(name, learning_rate)
        self.momentum = number(name, "momentum", momentum)
        self.weight_decay = number(name, "weight_decay", weight_decay)
        self.nesterov = bool(nesterov)
        self._moves, self._decays = self.momentum > 0.0, self.weight_decay > 0.0
        if self.nesterov and not self._moves:
            raise mn.ArgumentError(f"{name}: nesterov=True needs a momentum above 0")

    def init(self, param: Any) -> dict[str, Any]:
        return {"velocity": mn.zeros_like(param)} if self._moves else {}

    def update(
        self, param: Any, grad: Any, state: dict[str, Any], learning_rate: Any
    ) -> tuple[Any, dict[str, Any]]:
        if self._decays:
            param, grad = self._decay(param, grad, learning_rate)
        if not self._moves:
            return param - learning_rate * grad, {}
        velocity = self.momentum * state["velocity"] + grad
        step = grad + self.momentum * velocity if self.nesterov else velocity
        return param - learning_rate * step, {"velocity": velocity}

    def _decay(self, param: Any, grad: Any, learning_rate: Any) -> tuple[Any, Any]:
        return param, grad + self.weight_decay * param


@mn.optimizer("sgdw")
class SGDW(SGD):
    """SGD with decoupled weight decay: θ ← (1 − ηλ)θ before the step, so that momentum does not gather the decay.

    Arguments as in SGD, with weight_decay λ 1e-2 (as in AdamW).  Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization,
    ICLR 2019, algorithm 1, with its schedule multiplier in η.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> optimizer = mn.optimizers.SGDW(0.1, momentum=0.9, weight_decay=1e-3)
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer=optimizer, epochs=2)
    """

    def __init__(
        self,
        learning_rate: Any = 1e-2,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(learning_rate, momentum, nesterov, weight_decay)

    def _decay(self, param: Any, grad: Any, learning_rate: Any) -> tuple[Any, Any]:
        return param * (1.0 - learning_rate * self.weight_decay), grad
