"""Plugin objects that break one promise each.  Every check of the kit must catch its own."""

from testing.mutants import (  # noqa: F401  each enters its objects into the table
    agreement,
    callbacks,
    derivatives,
    distributions,
    layers,
    losses,
    naming_and_storage,
    optimizers,
    shapes,
)
from testing.mutants.distributions import Gaussian
from testing.mutants.table import MUTANTS

__all__ = ["MUTANTS", "Gaussian"]
