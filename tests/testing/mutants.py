"""Plugin objects that break one promise each: check name → mutants.  Every check of the kit must catch its own."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import mathnet as mn
from mathnet import Sample
from mathnet.plugin.host import current_runtime

#: (check that must catch it, the object)
MUTANTS: list[tuple[str, Any]] = []


def caught_by(check: str):
    def add(obj):
        MUTANTS.append((check, obj))
        return obj

    return add


def slope(rule):
    """x² with the derivative rule(dy, x)."""
    return mn.custom_vjp(lambda x: x * x, lambda dy, x, out: rule(dy, x))


# ---- any kind ----
@caught_by("names")
@mn.activation("lower", name="lower")
def lower(x):
    """x²."""
    return x * x


@caught_by("docstring")
@mn.activation("silent")
def silent(x):
    return x * x


@caught_by("sample")
@mn.layer("demanding")
class Demanding(mn.Layer):
    """Takes settings that nobody can guess."""

    def __init__(self, mapping, name=None):
        self.mapping = dict(mapping)


@caught_by("sample")
@mn.activation("not_finite")
def not_finite(x):
    """NaN below zero."""
    return mn.sqrt(x - 100.0)


# ---- shapes ----
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


# ---- agreement ----
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


# ---- derivatives ----
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


# ---- storage ----
@caught_by("config_round_trip")
@mn.optimizer("forgetful")
class Forgetful:
    """Does not keep its decay."""

    def __init__(self, learning_rate=0.01, decay=0.5):
        self.learning_rate, self.rate = learning_rate, decay

    def init(self, param):
        return {}

    def update(self, param, grad, state, learning_rate):
        return param - learning_rate * grad, {}


@caught_by("save_and_load")
@mn.layer("not_its_settings")
class NotItsSettings(mn.Layer):
    """Takes a size that is not among its settings."""

    sizes = itertools.count(2)

    def __init__(self, name=None):
        self.width = next(NotItsSettings.sizes)

    def build(self, input_shape):
        self.kernel = self.param("kernel", (input_shape[-1], self.width))

    def call(self, x):
        return x @ self.kernel


# ---- layers ----
@caught_by("build")
@mn.layer("rebuilt")
class Rebuilt(mn.Layer):
    """New weights at every call."""

    def call(self, x):
        self.inner = mn.layers.Dense(2)
        return self.inner(x)


_shared: dict[str, Any] = {}


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


# ---- losses and metrics ----
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


_turn = itertools.count()


@caught_by("weights_are_repeats")
@mn.loss("position_dependent")
def position_dependent(y_pred, y_true):
    """Weighs examples by their place in the batch."""
    place = mn.cumsum(mn.ones_like(y_pred[:, 0]), axis=0)
    return mn.mean(mn.square(y_pred - y_true), axis=1) * place


# ---- penalties ----
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


# ---- optimizers ----
class _Optimizer:
    def __init__(self, learning_rate=0.05):
        self.learning_rate = learning_rate

    def init(self, param):
        return {"m": mn.zeros_like(param)}

    def update(self, param, grad, state, learning_rate):
        m = 0.5 * state["m"] + grad
        return param - learning_rate * m, {"m": m}


@caught_by("quadratic")
@mn.optimizer("uphill")
class Uphill(_Optimizer):
    """The wrong sign."""

    def update(self, param, grad, state, learning_rate):
        return param + learning_rate * grad, state


@caught_by("rosenbrock")
@mn.optimizer("stops_early")
class StopsEarly(_Optimizer):
    """Stops after 40 steps."""

    def init(self, param):
        return {"step": 0.0}

    def update(self, param, grad, state, learning_rate):
        active = mn.where(state["step"] < 40.0, 1.0, 0.0)
        return param - mn.minimum(learning_rate, 1e-3) * active * grad, {"step": state["step"] + 1.0}


class _Ticks(mn.HostOp):
    """Counts its calls."""

    count = 0

    def shape(self, x):
        return x.shape

    def forward(self, x):
        _Ticks.count += 1
        return x * (1.0 + 1e-3 * (_Ticks.count % 7))


@caught_by("exact_resume")
@mn.optimizer("secret_state")
class SecretState(_Optimizer):
    """Keeps state where no checkpoint sees it."""

    def update(self, param, grad, state, learning_rate):
        return super().update(param, _Ticks()(grad), state, learning_rate)


@caught_by("runs_are_apart")
@mn.optimizer("shared_state")
class SharedState(_Optimizer):
    """One counter for all trainings."""

    def update(self, param, grad, state, learning_rate):
        return super().update(param, _Ticks()(grad), state, learning_rate)


@caught_by("zero_gradient")
@mn.optimizer("normalized")
class Normalized(_Optimizer):
    """Divides by the gradient's norm."""

    def update(self, param, grad, state, learning_rate):
        return param - learning_rate * grad / mn.sqrt(mn.sum(mn.square(grad))), state


# ---- schedules and initializers ----
@caught_by("rate")
@mn.schedule("runs_out")
def runs_out(step, initial=0.1):
    """Negative in the end."""
    return initial - 1e-5 * step


@caught_by("rate")
@mn.schedule("with_memory")
def with_memory(step, initial=0.1):
    """Depends on how often it was asked."""
    return initial / (1.0 + next(_turn))


@caught_by("rate_in_a_graph")
@mn.schedule("chooses_in_python")
def chooses_in_python(step, initial=0.1):
    """Decides while it is traced."""
    return initial if isinstance(step, float) and step < 5.0 else initial * 0.5


@caught_by("initial_weights")
@mn.initializer("transposed")
def transposed(shape, rng):
    """Another shape."""
    return rng.standard_normal(shape[::-1])


@caught_by("drawn_from_the_generator")
@mn.initializer("global_state")
def global_state(shape, rng):
    """Ignores its generator."""
    return np.random.standard_normal(shape)


@caught_by("drawn_from_the_generator")
@mn.initializer("one_array")
def one_array(shape, rng, _kept={}):  # noqa: B006  that is the mutant
    """Hands out the same array again."""
    return _kept.setdefault(shape, np.zeros(shape))


# ---- callbacks ----
@caught_by("a_training")
@mn.callback("once_only")
class OnceOnly(mn.Callback):
    """Fails in its second training."""

    used = False

    def on_train_begin(self, trainer):
        if self.used:
            raise RuntimeError("used before")
        self.used = True


@caught_by("state_round_trip")
@mn.callback("unstorable")
class Unstorable(mn.Callback):
    """A state that no checkpoint can hold."""

    def state(self):
        return {"lock": object()}


@caught_by("state_round_trip")
@mn.callback("loses_its_state")
class LosesItsState(mn.Callback):
    """Forgets its count."""

    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, trainer, epoch, logs):
        self.epochs += 1

    def state(self):
        return {"epochs": self.epochs}


# ---- distributions ----
@mn.distribution("normal_of_the_kit")
class Gaussian:
    """A right one, from which the mutants differ in one method."""

    def __init__(self, loc=1.0, scale=2.0):
        self.loc, self.scale = loc, scale

    def log_prob(self, x):
        return -0.5 * mn.square((x - self.loc) / self.scale) - np.log(self.scale * np.sqrt(2 * np.pi))

    def sample(self, shape=(), seed=None):
        return np.random.default_rng(seed).normal(self.loc, self.scale, shape)

    def cdf(self, x):
        return 0.5 * (1.0 + mn.erf((x - self.loc) / (self.scale * np.sqrt(2.0))))

    def entropy(self):
        return 0.5 * np.log(2 * np.pi * np.e * self.scale**2)

    @property
    def mean(self):
        return self.loc

    @property
    def variance(self):
        return self.scale**2

    @property
    def stddev(self):
        return self.scale

    @classmethod
    def fit(cls, samples, weights=None):
        return cls(float(np.mean(samples)), float(np.std(samples)))


def distribution(check, key, **methods):
    caught_by(check)(mn.distribution(key)(type("Mutant", (Gaussian,), {"__doc__": "A mutant.", **methods})))


distribution("sampling", "wrong_shape", sample=lambda self, shape=(), seed=None: np.zeros(3))
distribution(
    "sampling",
    "no_seed",
    sample=lambda self, shape=(), seed=None: np.random.default_rng().normal(self.loc, self.scale, shape),
)
distribution(
    "log_density",
    "nan_far_away",
    log_prob=lambda self, x: Gaussian.log_prob(self, x) + 0.0 * mn.log(x + 20.0),
)
distribution("density_against_samples", "too_much", log_prob=lambda self, x: Gaussian.log_prob(self, x) + 0.1)
distribution("density_against_samples", "wrong_cdf", cdf=lambda self, x: Gaussian.cdf(self, x - 0.1))
distribution("moments", "wrong_mean", mean=property(lambda self: self.loc + 0.2))
distribution("moments", "wrong_variance", variance=property(lambda self: 1.2 * self.scale**2))
distribution("moments", "wrong_stddev", stddev=property(lambda self: self.scale**2))
distribution("moments", "wrong_entropy", entropy=lambda self: 2.0)
distribution(
    "derivative_of_the_density",
    "wrong_score",
    log_prob=lambda self, x: mn.custom_vjp(
        lambda x: Gaussian.log_prob(self, x), lambda dy, x, out: -1.01 * dy * x
    )(x),
)
distribution("fitting", "lazy_fit", fit=classmethod(lambda cls, samples, weights=None: cls(0.0, 1.0)))


# ---- formats and reports ----
@caught_by("write_and_read")
@mn.format("elsewhere")
class Elsewhere:
    """Adds a suffix of its own."""

    suffixes = (".else",)

    def write(self, model, path):
        with open(path + ".txt", "w") as file:
            file.write("x")


@caught_by("write_and_read")
@mn.format("destructive")
class Destructive(Elsewhere):
    """Zeroes the model that it writes."""

    def write(self, model, path):
        with open(path, "w") as file:
            file.write("x")
        for values in model.parameters.values():
            values[...] = 0.0


@caught_by("missing_files")
@mn.format("credulous")
class Credulous:
    """Takes any file for a model."""

    suffixes = (".any",)

    def read(self, path):
        return None


@caught_by("report")
@mn.report("silent_report")
def silent_report(model):
    """Says nothing."""
    return mn.Report("")


@caught_by("report")
@mn.report("changing_report")
def changing_report(model):
    """Another text each time."""
    return f"report {next(_turn)}"
