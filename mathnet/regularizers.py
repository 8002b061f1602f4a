"""Penalties on weights: ``mn.regularizers.L2(1e-4)``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("regularizer")
