"""Activation functions by name: ``mn.activations.get("swish", beta=2.0)``, ``mn.activations.relu(x)``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("activation")
