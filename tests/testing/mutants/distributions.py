"""Objects that break a promise about distributions."""

import numpy as np
from testing.mutants.table import caught_by

import mathnet as mn


@mn.distribution("normal_of_the_kit")
class Gaussian:
    """A right one, from which the mutants differ in one method."""

    def __init__(self, loc=1.0, scale=2.0):
        self.loc, self.scale = loc, scale

    def log_prob(self, x):
        return -0.5 * mn.square((x - self.loc) / self.scale) - np.log(self.scale * np.sqrt(2 * np.pi))

    def sample(self, shape=(), seed=None):
        return np.random.default_rng(seed).normal(self.loc, self.scale, shape)

    def cdf(self, x):
        return 0.5 * (1.0 + mn.erf((x - self.loc) / (self.scale * np.sqrt(2.0))))

    def entropy(self):
        return 0.5 * np.log(2 * np.pi * np.e * self.scale**2)

    @property
    def mean(self):
        return self.loc

    @property
    def variance(self):
        return self.scale**2

    @property
    def stddev(self):
        return self.scale

    @classmethod
    def fit(cls, samples, weights=None):
        return cls(float(np.mean(samples)), float(np.std(samples)))


def distribution(check, key, **methods):
    caught_by(check)(mn.distribution(key)(type("Mutant", (Gaussian,), {"__doc__": "A mutant.", **methods})))


distribution("sampling", "wrong_shape", sample=lambda self, shape=(), seed=None: np.zeros(3))
distribution(
    "sampling",
    "no_seed",
    sample=lambda self, shape=(), seed=None: np.random.default_rng().normal(self.loc, self.scale, shape),
)
distribution(
    "log_density",
    "nan_far_away",
    log_prob=lambda self, x: Gaussian.log_prob(self, x) + 0.0 * mn.log(x + 20.0),
)
distribution("density_against_samples", "too_much", log_prob=lambda self, x: Gaussian.log_prob(self, x) + 0.1)
distribution("density_against_samples", "wrong_cdf", cdf=lambda self, x: Gaussian.cdf(self, x - 0.1))
distribution("moments", "wrong_mean", mean=property(lambda self: self.loc + 0.2))
distribution("moments", "wrong_variance", variance=property(lambda self: 1.2 * self.scale**2))
distribution("moments", "wrong_stddev", stddev=property(lambda self: self.scale**2))
distribution("moments", "wrong_entropy", entropy=lambda self: 2.0)
distribution(
    "derivative_of_the_density",
    "wrong_score",
    log_prob=lambda self, x: mn.custom_vjp(
        lambda x: Gaussian.log_prob(self, x), lambda dy, x, out: -1.01 * dy * x
    )(x),
)
distribution("fitting", "lazy_fit", fit=classmethod(lambda cls, samples, weights=None: cls(0.0, 1.0)))
