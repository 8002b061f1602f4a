"""Learning-rate schedules: ``mn.schedules.Cosine(initial=0.1, steps=1000)``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("schedule")
