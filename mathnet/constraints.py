"""Projections of weights after an update, from plugins."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("constraint")
