"""Optimizers of the standard plugin: formulas and defaults of PyTorch."""
