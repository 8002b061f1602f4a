"""Layers of the standard plugin."""
