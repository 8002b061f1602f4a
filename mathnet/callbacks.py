"""Callbacks of a training: ``mn.callbacks.EarlyStopping(patience=3)``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("callback")
