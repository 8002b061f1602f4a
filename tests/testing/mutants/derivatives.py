"""Objects that break a promise about derivatives, and what activations promise of them."""

from testing.mutants.table import caught_by, slope

import mathnet as mn
from mathnet import Sample


@caught_by("derivative")
@mn.activation("wrong_factor")
def wrong_factor(x):
    """x² with the derivative 2.001x."""
    return slope(lambda dy, x: 2.001 * dy * x)(x)


@caught_by("derivative")
@mn.op("forgotten_broadcast", samples=[Sample((3, 4), (4,))])
class ForgottenBroadcast(mn.HostOp):
    """x + b whose derivative by b is that of one row instead of the sum over rows."""

    def shape(self, x, b):
        return x.shape

    def forward(self, x, b):
        return x + b

    def vjp(self, dy, x, b, *, out):
        return dy, dy[0]


@caught_by("derivative")
@mn.regularizer("sign_lost")
def sign_lost(w):
    """Σw² with the opposite derivative."""
    return mn.sum(slope(lambda dy, x: -2.0 * dy * x)(w))


@caught_by("second_derivative")
@mn.activation("wrong_curvature")
def wrong_curvature(x):
    """x³ whose derivative forgets that it depends on x twice."""
    return mn.custom_vjp(lambda x: x**3, lambda dy, x, out: 3.0 * dy * x * mn.stop_gradient(x))(x)


@caught_by("derivative_in_training")
@mn.layer("wrong_in_training")
class WrongInTraining(mn.Layer):
    """Right for predictions only."""

    def call(self, x, training=False):
        return slope(lambda dy, x: 3.0 * dy * x)(x) * 2.0 if training else x * x


@caught_by("surrogate")
@mn.activation("no_way_through", gradient="surrogate")
def no_way_through(x):
    """A step whose declared derivative is zero."""
    return mn.custom_vjp(lambda x: mn.sign(x), lambda dy, x, out: 0.0 * dy)(x)


@caught_by("surrogate")
@mn.activation("not_linear", gradient="surrogate")
def not_linear(x):
    """A rule that squares the cotangent."""
    return mn.custom_vjp(lambda x: mn.sign(x), lambda dy, x, out: dy * dy)(x)


@caught_by("kinks")
@mn.activation("outside_at_the_kink")
def outside_at_the_kink(x):
    """|x| with the derivative 7 at 0."""
    rule = mn.custom_vjp(
        lambda x: mn.abs(x), lambda dy, x, out: dy * mn.where(mn.equal(x, 0.0), 7.0, mn.sign(x))
    )
    return rule(x)


@caught_by("promises")
@mn.activation("claims_bounds", promises="bounded")
def claims_bounds(x):
    """Not bounded."""
    return x * mn.sigmoid(x)


@caught_by("promises")
@mn.activation("claims_monotony", promises="monotone")
def claims_monotony(x):
    """Not monotone."""
    return x * mn.sigmoid(x)


@caught_by("promises")
@mn.activation("claims_symmetry", promises="odd")
def claims_symmetry(x):
    """Not odd."""
    return mn.softplus(x)


@caught_by("shape_is_kept")
@mn.activation("summing")
def summing(x):
    """Loses an axis."""
    return mn.sum(x, axis=-1)
