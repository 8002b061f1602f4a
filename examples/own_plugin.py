"""One's own plugin, from the formula to the file: an activation, a layer and a loss are checked, trained, saved and loaded.

`mathnet new-plugin NAME` writes what a distribution needs besides; plugins/mathnet-swish in the repository is one.

usage: python examples/own_plugin.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn


@mn.activation("snake")
def snake(x, frequency=1.0):
    """x + sin²(f·x)/f: it grows like x and waves on (Ziyin, Hartwig & Ueda, NeurIPS 2020)."""
    return x + mn.square(mn.sin(frequency * x)) / frequency


@mn.layer("waves")
class Waves(mn.Layer):
    """snake(x·W + b) with a learned frequency of each unit."""

    def __init__(self, units, name=None):
        self.units = units

    def build(self, input_shape):
        self.kernel = self.param("kernel", (input_shape[-1], self.units), "glorot_uniform")
        self.bias = self.param("bias", (self.units,), "zeros")
        self.frequency = self.param("frequency", (self.units,), mn.initializers.Constant(3.0))

    def call(self, x, training=False):
        return snake(x @ self.kernel + self.bias, self.frequency)


@mn.loss("cauchy")
def cauchy(y_pred, y_true):
    """Mean of log(1 + e²), −log of a Cauchy density: wild errors count for little."""
    return mn.mean(mn.log1p(mn.square(y_pred - y_true)), axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer epochs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that picture and model go to")
    settings = parser.parse_args()
    settings.out.mkdir(parents=True, exist_ok=True)
    for plugin in (snake, Waves, cauchy):
        mn.testing.check_plugin(plugin)  # derivatives, shapes, element types, files and much more
        mn.register(plugin)  # a distribution returns it from a hook instead; its key is a name from here on
    print(mn.formula("snake"))
    x = np.linspace(-3, 6, 901, dtype=np.float32)[:, None]
    y, rng, seen = x / 2 + np.sin(3 * x), np.random.default_rng(0), x[:, 0] < 3
    noisy = y + 0.1 * rng.standard_normal(y.shape, np.float32) + 3 * (rng.random(y.shape) < 0.1)
    mn.seed(0)
    model = mn.Sequential([mn.layers.Waves(32), mn.layers.Dense(1)], input_shape=(1,))
    adam, epochs = mn.optimizers.Adam(1e-2), 100 if settings.small else 300
    history = model.fit(x[seen], noisy[seen], "cauchy", adam, epochs=epochs, seed=0)
    model.save(settings.out / "own_plugin.mathnet")  # names "waves", its version and module; holds no code
    with mn.Runtime(plugins=[Waves], autoload=False):  # without Waves: an error that says what is missing
        again = mn.load(settings.out / "own_plugin.mathnet")
    assert np.array_equal(again(x), model(x))
    line = np.polyval(np.polyfit(x[seen, 0], noisy[seen, 0], 1), x)
    errors = [np.sqrt(np.mean(np.square(guess - y)[~seen])) for guess in (again(x), line)]
    function, training, result = Figure(figsize=(12, 4), layout="constrained").subplots(1, 3)
    function.plot(x, snake(x), x, mn.grad(lambda x: mn.sum(snake(x)))(x))
    function.set(title="snake and its derivative")
    training.semilogy(history["loss"])
    training.set(xlabel="epoch", ylabel="cauchy")
    result.plot(x[seen], noisy[seen], ".", x, again(x))
    result.figure.savefig(settings.out / "own_plugin.png")
    print(f"error beyond what it saw {errors[0]:.2f} < {errors[1]:.2f} of a straight line")


if __name__ == "__main__":
    main()
