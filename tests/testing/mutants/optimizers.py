"""Objects that break a promise about optimizers, schedules and initializers."""

import itertools

import numpy as np
from testing.mutants.table import caught_by

import mathnet as mn

_turn = itertools.count()


class _Optimizer:
    def __init__(self, learning_rate=0.05):
        self.learning_rate = learning_rate

    def init(self, param):
        return {"m": mn.zeros_like(param)}

    def update(self, param, grad, state, learning_rate):
        m = 0.5 * state["m"] + grad
        return param - learning_rate * m, {"m": m}


@caught_by("quadratic")
@mn.optimizer("uphill")
class Uphill(_Optimizer):
    """The wrong sign."""

    def update(self, param, grad, state, learning_rate):
        return param + learning_rate * grad, state


@caught_by("rosenbrock")
@mn.optimizer("stops_early")
class StopsEarly(_Optimizer):
    """Stops after 40 steps."""

    def init(self, param):
        return {"step": 0.0}

    def update(self, param, grad, state, learning_rate):
        active = mn.where(state["step"] < 40.0, 1.0, 0.0)
        return param - mn.minimum(learning_rate, 1e-3) * active * grad, {"step": state["step"] + 1.0}


class _Ticks(mn.HostOp):
    """Counts its calls."""

    count = 0

    def shape(self, x):
        return x.shape

    def forward(self, x):
        _Ticks.count += 1
        return x * (1.0 + 1e-3 * (_Ticks.count % 7))


@caught_by("exact_resume")
@mn.optimizer("secret_state")
class SecretState(_Optimizer):
    """Keeps state where no checkpoint sees it."""

    def update(self, param, grad, state, learning_rate):
        return super().update(param, _Ticks()(grad), state, learning_rate)


@caught_by("runs_are_apart")
@mn.optimizer("shared_state")
class SharedState(_Optimizer):
    """One counter for all trainings."""

    def update(self, param, grad, state, learning_rate):
        return super().update(param, _Ticks()(grad), state, learning_rate)


@caught_by("zero_gradient")
@mn.optimizer("normalized")
class Normalized(_Optimizer):
    """Divides by the gradient's norm."""

    def update(self, param, grad, state, learning_rate):
        return param - learning_rate * grad / mn.sqrt(mn.sum(mn.square(grad))), state


@caught_by("rate")
@mn.schedule("runs_out")
def runs_out(step, initial=0.1):
    """Negative in the end."""
    return initial - 1e-5 * step


@caught_by("rate")
@mn.schedule("with_memory")
def with_memory(step, initial=0.1):
    """Depends on how often it was asked."""
    return initial / (1.0 + next(_turn))


@caught_by("rate_in_a_graph")
@mn.schedule("chooses_in_python")
def chooses_in_python(step, initial=0.1):
    """Decides while it is traced."""
    return initial if isinstance(step, float) and step < 5.0 else initial * 0.5


@caught_by("initial_weights")
@mn.initializer("transposed")
def transposed(shape, rng):
    """Another shape."""
    return rng.standard_normal(shape[::-1])


@caught_by("drawn_from_the_generator")
@mn.initializer("global_state")
def global_state(shape, rng):
    """Ignores its generator."""
    return np.random.standard_normal(shape)


@caught_by("drawn_from_the_generator")
@mn.initializer("one_array")
def one_array(shape, rng, _kept={}):  # noqa: B006  that is the mutant
    """Hands out the same array again."""
    return _kept.setdefault(shape, np.zeros(shape))
