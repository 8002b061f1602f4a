"""Objects that break a promise about names, docstrings, samples, settings and files."""

import itertools

from testing.mutants.table import caught_by

import mathnet as mn


@caught_by("names")
@mn.activation("lower", name="lower")
def lower(x):
    """x²."""
    return x * x


@caught_by("docstring")
@mn.activation("silent")
def silent(x):
    return x * x


@caught_by("sample")
@mn.layer("demanding")
class Demanding(mn.Layer):
    """Takes settings that nobody can guess."""

    def __init__(self, mapping, name=None):
        self.mapping = dict(mapping)


@caught_by("sample")
@mn.activation("not_finite")
def not_finite(x):
    """NaN below zero."""
    return mn.sqrt(x - 100.0)


@caught_by("config_round_trip")
@mn.optimizer("forgetful")
class Forgetful:
    """Does not keep its decay."""

    def __init__(self, learning_rate=0.01, decay=0.5):
        self.learning_rate, self.rate = learning_rate, decay

    def init(self, param):
        return {}

    def update(self, param, grad, state, learning_rate):
        return param - learning_rate * grad, {}


@caught_by("save_and_load")
@mn.layer("not_its_settings")
class NotItsSettings(mn.Layer):
    """Takes a size that is not among its settings."""

    sizes = itertools.count(2)

    def __init__(self, name=None):
        self.width = next(NotItsSettings.sizes)

    def build(self, input_shape):
        self.kernel = self.param("kernel", (input_shape[-1], self.width))

    def call(self, x):
        return x @ self.kernel
