"""Objects that break a promise about losses, metrics, regularizers and constraints."""

from testing.mutants.table import caught_by

import mathnet as mn


@caught_by("one_value_per_example")
@mn.metric("mean_of_everything")
def mean_of_everything(y_pred, y_true):
    """Averages over the examples too, and says so for each of two."""
    return mn.stack([mn.mean(y_pred - y_true)] * 2)


@caught_by("one_value_per_example")
@mn.loss("one_number")
def one_number(y_pred, y_true):
    """Averages over the examples too."""
    return mn.mean(mn.square(y_pred - y_true))


@caught_by("sums_add_up")
@mn.metric("mean_of_batches")
class MeanOfBatches(mn.Metric):
    """Divides in each batch."""

    def sums(self, y_pred, y_true, weight):
        return (mn.sum(weight * mn.abs(y_pred - y_true)[:, 0]) / mn.sum(weight),)

    def result(self, mean):
        return mean


@caught_by("weights_are_repeats")
@mn.metric("squared_weights")
class SquaredWeights(mn.Metric):
    """Weighs an example with the square of its weight."""

    def sums(self, y_pred, y_true, weight):
        weight = mn.square(weight)
        return mn.sum(weight * mn.abs(y_pred - y_true)[:, 0]), mn.sum(weight)

    def result(self, total, count):
        return total / count


@caught_by("zero_weights")
@mn.metric("counts_rows")
class CountsRows(mn.Metric):
    """Divides by the number of rows, whatever their weights."""

    def sums(self, y_pred, y_true, weight):
        return mn.sum(weight * mn.abs(y_pred - y_true)[:, 0]), mn.sum(mn.ones_like(weight))

    def result(self, total, count):
        return total / count


@caught_by("weights_are_repeats")
@mn.loss("position_dependent")
def position_dependent(y_pred, y_true):
    """Weighs examples by their place in the batch."""
    place = mn.cumsum(mn.ones_like(y_pred[:, 0]), axis=0)
    return mn.mean(mn.square(y_pred - y_true), axis=1) * place


@caught_by("penalty_is_a_number")
@mn.regularizer("one_per_column")
def one_per_column(w):
    """A vector."""
    return mn.sum(mn.square(w), axis=0)


@caught_by("derivative_at_zero")
@mn.regularizer("plain_norm")
def plain_norm(w):
    """√Σw², whose derivative at zero is 0/0."""
    return mn.power(mn.sum(mn.square(w)), 0.5)


@caught_by("penalty_promises")
@mn.regularizer("not_zero", promises="zero_at_zero")
def not_zero(w):
    """1 + Σw²."""
    return 1.0 + mn.sum(mn.square(w))


@caught_by("penalty_promises")
@mn.regularizer("negative", promises=("non_negative",))
def negative(w):
    """Σw."""
    return mn.sum(w)


@caught_by("projection")
@mn.constraint("shrinking")
def shrinking(w):
    """No projection."""
    return 0.5 * w
