"""Objects that break a promise about shapes, and examples that depend on each other."""

import numpy as np
from testing.mutants.table import caught_by

import mathnet as mn
from mathnet import Sample


class _Narrow(mn.HostOp):
    """Promises one column less than it computes with a free batch size."""

    def shape(self, x):
        return (x.shape[0], x.shape[1] - (0 if isinstance(x.shape[0], int) else 1))

    def forward(self, x):
        return x.copy()

    def vjp(self, dy, x, *, out):
        return (dy,)


@caught_by("shape_rule")
@mn.layer("narrow")
class Narrow(mn.Layer):
    """A shape rule that is off by one."""

    def call(self, x):
        return _Narrow()(x)


@caught_by("shape_of_the_result")
@mn.op("doubles")
class Doubles(mn.HostOp):
    """Returns float64 for float32."""

    def shape(self, x):
        return x.shape

    def forward(self, x):
        return 2.0 * x.astype(np.float64)

    def vjp(self, dy, x, *, out):
        return (2.0 * dy,)


@caught_by("sample")
@mn.op("off_by_one")
class OffByOne(mn.HostOp):
    """Promises one column too many."""

    def shape(self, x):
        return (x.shape[0], x.shape[1] + 1)

    def forward(self, x):
        return x


@caught_by("zero_size")
@mn.activation("scaled_by_maximum")
class ScaledByMaximum(mn.Layer):
    """Fails without examples."""

    def call(self, x):
        return _NoEmpty()(x)


class _NoEmpty(mn.HostOp):
    def shape(self, x):
        return x.shape

    def forward(self, x):
        return x + 0.0 * x[0, 0]

    def vjp(self, dy, x, *, out):
        return (dy,)


@caught_by("zero_size_weight")
@mn.regularizer("mean_square")
def mean_square(w):
    """A mean of nothing is NaN."""
    return mn.mean(mn.square(w))


@caught_by("zero_size_operands")
@mn.op("minus_minimum")
class MinusMinimum(mn.HostOp):
    """There is no least element of nothing."""

    def shape(self, x):
        return x.shape

    def forward(self, x):
        return x - x.min()


@caught_by("batch_invariance")
@mn.layer("centered", samples=[Sample((4,))])
class Centered(mn.Layer):
    """Subtracts the mean of the batch."""

    def call(self, x):
        return x - mn.mean(x, axis=0, keepdims=True)


@caught_by("batch_invariance")
@mn.loss("normalized_error")
def normalized_error(y_pred, y_true):
    """Divides by the whole batch's size of the targets."""
    return mn.mean(mn.square(y_pred - y_true), axis=1) / mn.sum(mn.square(y_true))
