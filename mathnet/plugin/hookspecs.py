"""The hooks of mathnet.  A plugin is a module whose functions of these names are marked with ``@mn.hookimpl``.

Every hook returns either a list of decorated objects, or a dict ``{key: "module:object"}`` of references that are imported
when their key is first used.
"""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("mathnet")
hookimpl = pluggy.HookimplMarker("mathnet")

Records = Sequence[Any] | Mapping[str, str]


@hookspec
def mathnet_activations() -> Records:
    """Activation functions ``f(x, **settings)``.

    @mn.activation("swish")
    def swish(x, beta=1.0):
        return x * mn.sigmoid(beta * x)

    @mn.hookimpl
    def mathnet_activations():
        return [swish]
    """


@hookspec
def mathnet_regularizers() -> Records:
    """Penalties ``f(w, **settings)`` of one weight tensor.

    @mn.regularizer("group_lasso")
    def group_lasso(w, strength=1e-3):
        return strength * mn.sum(mn.sqrt(mn.sum(mn.square(w), axis=0) + 1e-12))

    @mn.hookimpl
    def mathnet_regularizers():
        return [group_lasso]
    """


@hookspec
def mathnet_constraints() -> Records:
    """Projections ``f(w, **settings)`` that are applied to a weight after each update.

    @mn.constraint("below_one")
    def below_one(w):
        return mn.minimum(w, 1.0)

    @mn.hookimpl
    def mathnet_constraints():
        return [below_one]
    """


@hookspec
def mathnet_losses() -> Records:
    """Losses ``f(y_pred, y_true, **settings)`` with one value per example.

    @mn.loss("fourth_power")
    def fourth_power(y_pred, y_true):
        return mn.mean((y_pred - y_true) ** 4, axis=1)

    @mn.hookimpl
    def mathnet_losses():
        return [fourth_power]
    """


@hookspec
def mathnet_metrics() -> Records:
    """Metrics ``f(y_pred, y_true, **settings)`` with one value per example, or subclasses of ``mn.Metric``.

    @mn.metric("within")
    def within(y_pred, y_true, tolerance=0.1):
        return mn.mean(mn.abs(y_pred - y_true) < tolerance, axis=1)

    @mn.hookimpl
    def mathnet_metrics():
        return [within]
    """


@hookspec
def mathnet_schedules() -> Records:
    """Schedules ``f(step, **settings)`` of a learning rate or another hyper-parameter.

    @mn.schedule("inverse_root")
    def inverse_root(step, initial=0.1):
        return initial / mn.sqrt(1.0 + step)

    @mn.hookimpl
    def mathnet_schedules():
        return [inverse_root]
    """


@hookspec
def mathnet_initializers() -> Records:
    """Initializers ``f(shape, rng, **settings)`` that return an array; rng: numpy.random.Generator.

    @mn.initializer("rademacher")
    def rademacher(shape, rng, scale=0.1):
        return scale * rng.choice([-1.0, 1.0], size=shape)

    @mn.hookimpl
    def mathnet_initializers():
        return [rademacher]
    """


@hookspec
def mathnet_optimizers() -> Records:
    """Optimizers: classes with ``init(param)`` and ``update(param, grad, state, learning_rate)``, or ``minimize``: see "Training".

    @mn.optimizer("sign_descent")
    class SignDescent:
        def __init__(self, learning_rate=1e-3):
            self.learning_rate = learning_rate

        def init(self, param):
            return {}

        def update(self, param, grad, state, learning_rate):
            return param - learning_rate * mn.sign(grad), {}

    @mn.hookimpl
    def mathnet_optimizers():
        return [SignDescent]
    """


@hookspec
def mathnet_layers() -> Records:
    """Layers: subclasses of ``mn.Layer``.

    @mn.layer("scale")
    class Scale(mn.Layer):
        def build(self, input_shape):
            self.scale = self.param("scale", input_shape[1:], "ones")

        def call(self, x, training=False):
            return x * self.scale

    @mn.hookimpl
    def mathnet_layers():
        return [Scale]
    """


@hookspec
def mathnet_callbacks() -> Records:
    """Callbacks: subclasses of ``mn.Callback``.

    @mn.callback("log")
    class Log(mn.Callback):
        def on_epoch_end(self, trainer, epoch, logs):
            print(epoch, logs["loss"])

    @mn.hookimpl
    def mathnet_callbacks():
        return [Log]
    """


@hookspec
def mathnet_ops() -> Records:
    """Operations: subclasses of ``mn.HostOp`` (NumPy code), or functions built from other operations; found as ``mn.ops.<key>``.

    @mn.op("sort_rows")
    class SortRows(mn.HostOp):
        def shape(self, x):
            return x.shape

        def forward(self, x):
            return np.sort(x, axis=1)

    @mn.hookimpl
    def mathnet_ops():
        return [SortRows]
    """


@hookspec
def mathnet_distributions() -> Records:
    """Probability distributions: classes with ``log_prob(x)`` and ``sample(shape=(), seed=None)``.

    @mn.distribution("half_line")
    class HalfLine:
        def __init__(self, rate=1.0):
            self.rate = rate

        def log_prob(self, x):
            return mn.where(x >= 0.0, mn.log(self.rate) - self.rate * x, -np.inf)

        def sample(self, shape=(), seed=None):
            return np.random.default_rng(seed).exponential(1.0 / self.rate, shape)

    @mn.hookimpl
    def mathnet_distributions():
        return [HalfLine]
    """


@hookspec
def mathnet_formats() -> Records:
    """File formats: classes with ``suffixes`` and ``write(model, path)``, ``read(path)`` or both.

    @mn.format("weights_text")
    class WeightsText:
        suffixes = (".txt",)

        def write(self, model, path):
            with open(path, "w") as file:
                for name, array in model.parameters.items():
                    print(name, array.shape, file=file)

    @mn.hookimpl
    def mathnet_formats():
        return [WeightsText]
    """


@hookspec
def mathnet_reports() -> Records:
    """Study reports: functions of a model or a trainer that return ``mn.Report(text, data)`` or a text.

    @mn.report("largest_weights")
    def largest_weights(model, count=3):
        largest = {name: float(np.abs(w).max()) for name, w in model.parameters.items()}
        ranked = sorted(largest, key=largest.get, reverse=True)[:count]
        return mn.Report("\\n".join(f"{name}: {largest[name]:.4g}" for name in ranked), largest)

    @mn.hookimpl
    def mathnet_reports():
        return [largest_weights]
    """
