"""Study reports by name: ``print(mn.reports.get("weights")(model))``."""

from mathnet.plugin.namespace import namespace

__getattr__, __dir__, get = namespace("report")
