"""Objects that break a promise about layers."""

from testing.mutants.table import caught_by

import mathnet as mn
from mathnet import Sample


@caught_by("build")
@mn.layer("rebuilt")
class Rebuilt(mn.Layer):
    """New weights at every call."""

    def call(self, x):
        self.inner = mn.layers.Dense(2)
        return self.inner(x)


_shared: dict = {}


@caught_by("instances_are_apart")
@mn.layer("shared")
class Shared(mn.Layer):
    """All instances have one inner layer."""

    def __init__(self, name=None):
        self.inner = _shared.setdefault("dense", mn.layers.Dense(2))

    def call(self, x):
        return self.inner(x)


@caught_by("instances_are_apart")
@mn.layer("counting_class")
class CountingClass(mn.Layer):
    """Counts in the class."""

    uses = 0

    def call(self, x):
        CountingClass.uses += 1
        return x * 2.0


class _Writes(mn.HostOp):
    def __init__(self, variable):
        self.variable = variable

    def shape(self, x):
        return x.shape

    def forward(self, x):
        self.variable.array[...] += 1.0
        return x * 1.0

    def vjp(self, dy, x, *, out):
        return (dy,)


@caught_by("prediction_changes_nothing")
@mn.layer("drifting")
class Drifting(mn.Layer):
    """Moves a running value when it predicts."""

    def build(self, input_shape):
        self.seen = self.state("seen", (1,))

    def call(self, x):
        return _Writes(self.seen)(x)


@caught_by("training_step")
@mn.layer("explosive")
class Explosive(mn.Layer):
    """Not finite in training."""

    def build(self, input_shape):
        self.scale = self.param("scale", (1,), "ones")

    def call(self, x, training=False):
        return x * self.scale * (1e30 * 1e30 if training else 1.0)


@caught_by("masks")
@mn.layer("deaf_to_masks", samples=[Sample((4, 3))])
class DeafToMasks(mn.Layer):
    """Takes a mask and ignores it."""

    def call(self, x, mask=None):
        return mn.sum(x, axis=1)
