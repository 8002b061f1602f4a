"""Optimizers: ``mn.optimizers.Adam(1e-3)``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("optimizer")
