"""Layers: ``mn.layers.Dense(10, activation="relu")``; also ``from mathnet.layers import Dense``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("layer")
