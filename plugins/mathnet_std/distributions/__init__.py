"""Probability distributions: densities, moments, samples, and fits by maximum likelihood."""
