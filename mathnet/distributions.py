"""Probability distributions: ``mn.distributions.Normal(0.0, 1.0).log_prob(x)``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("distribution")
