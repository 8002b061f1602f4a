"""The checks, one file per kind of promise; importing them fills the table in the order in which they run."""

from mathnet.testing.checks import (  # noqa: I001  the order is that in which checks run
    naming as naming,
    samples as samples,
    shapes as shapes,
    agreement as agreement,
    derivatives as derivatives,
    kernels as kernels,
    storage as storage,
    activations as activations,
    layers as layers,
    losses as losses,
    penalties as penalties,
    optimizers as optimizers,
    schedules as schedules,
    initializers as initializers,
    callbacks as callbacks,
    distributions as distributions,
    files as files,
)
