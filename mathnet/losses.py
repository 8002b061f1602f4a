"""Losses by name: ``mn.losses.MSE()``, ``mn.losses.get("cross_entropy")``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("loss")
