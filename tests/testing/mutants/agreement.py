"""Objects that break a promise about one result whatever the element type, the call, the threads or the memory."""

import itertools

import numpy as np
from testing.mutants.table import caught_by

import mathnet as mn
from mathnet import Sample
from mathnet.plugin.host import current_runtime


@caught_by("float_types")
@mn.layer("always_double")
class AlwaysDouble(mn.Layer):
    """Computes in float64, whatever the input is."""

    def call(self, x):
        return mn.cast(x, "float64") * 2.0


@caught_by("float_types_of_derivatives")
@mn.activation("fragile")
def fragile(x):
    """Its derivative divides zero by zero for large x in float32."""
    return mn.log(mn.exp(200.0 * x) + 1.0) / 200.0


_calls = itertools.count()


class _Changing(mn.HostOp):
    """Another value at every call."""

    def shape(self, x):
        return x.shape

    def forward(self, x):
        return x + float(next(_calls))

    def vjp(self, dy, x, *, out):
        return (dy,)


@caught_by("determinism")
@mn.layer("restless")
class Restless(mn.Layer):
    """Another value at every call."""

    def call(self, x):
        return _Changing()(x)


@caught_by("determinism")
@mn.regularizer("counting")
def counting(w):
    """A global counter leaks into the value."""
    return mn.sum(mn.square(w)) * (1.0 + next(_calls))


class _MemoryOrder(mn.HostOp):
    """Remembers what it has seen, so that other inputs in between change the value."""

    def __init__(self):
        self.largest = 0.0

    def shape(self, x):
        return x.shape

    def forward(self, x):
        self.largest = max(self.largest, float(np.max(x)) if x.size else 0.0)
        return x / (1.0 + self.largest)

    def vjp(self, dy, x, *, out):
        return (dy,)


_remembering = _MemoryOrder()


@caught_by("determinism")
@mn.layer("remembering", samples=[Sample(np.array([[0.1, -3.0], [0.2, -0.5]]))])
class Remembering(mn.Layer):
    """State outside of the instance."""

    def call(self, x):
        return _remembering(x)


@caught_by("arrays_and_tensors")
@mn.activation("two_faced")
def two_faced(x):
    """Something else for arrays than in a graph."""
    return np.tanh(x) if isinstance(x, np.ndarray) else mn.tanh(x) * 1.001


@caught_by("thread_agreement")
@mn.activation("counts_threads")
def counts_threads(x):
    """Another value with another number of threads."""
    return x * float(current_runtime().threads)


class _Scribbling(mn.HostOp):
    """Writes to its input."""

    def shape(self, x):
        return x.shape

    def forward(self, x):
        y = x * 2.0
        if x.flags.writeable:
            x[...] = 0.0
        return y

    def vjp(self, dy, x, *, out):
        return (2.0 * dy,)


@caught_by("memory_layout")
@mn.op("scribbling")
class Scribbling(_Scribbling):
    """Writes to its input."""
