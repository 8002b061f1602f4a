"""Metrics by name: ``mn.metrics.Accuracy()``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("metric")
