"""Initial weights: ``mn.initializers.HeNormal()``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("initializer")
