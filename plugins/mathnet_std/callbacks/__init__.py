"""Callbacks of the standard plugin."""
