"""The way in for everything that has a name: records, hooks, the registry and the Runtime that owns them.

Hooks run when a name is looked up, never on the way through a step.
"""
