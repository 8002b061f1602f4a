"""A regression that says how sure it is: the course of diabetes a year ahead, with intervals.

usage: python examples/tabular_uncertainty.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_diabetes

import mathnet as mn


def network(x: np.ndarray, y: np.ndarray, epochs: int) -> mn.Model:
    """Ten measurements → mean μ and logarithm of the variance s of a normal distribution."""
    mn.seed(0)
    # The loss is −log of the density of y: ½(s + (y − μ)²·e⁻ˢ) and a constant.  An error costs less where s is large, but s itself costs:
    # its minimum is the true spread.  The logarithm needs no constraint.  Zeros to begin with: the same normal for every patient.
    hidden, scores = mn.layers.Dense(64, activation="tanh"), mn.layers.Dense(2, kernel_initializer="zeros")
    model = mn.Sequential([hidden, mn.layers.Dropout(0.5), scores], input_shape=(10,))
    trainer = mn.Trainer(model, "gaussian_nll", mn.optimizers.AdamW(1e-3, weight_decay=0.1), seed=0)
    trainer.fit(x, y, epochs=epochs, batch_size=32)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer epochs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    x, progress = load_diabetes(return_X_y=True)
    # Five parts, each judged by a network that has learned from the four others: every patient is held out once.
    fold = np.random.default_rng(0).permutation(len(x)) % 5
    predicted = {name: np.empty((2, len(x))) for name in ("network", "linear")}  # means and deviations
    for part in range(5):
        test, train = fold == part, fold != part
        centre, unit = progress[train].mean(), progress[train].std()
        inputs, y = (x - x[train].mean(0)) / x[train].std(0), (progress - centre) / unit
        model = network(inputs[train], y[train], epochs=40 if settings.small else 150)
        μ, s = model.predict(inputs[test]).T
        predicted["network"][:, test] = centre + unit * μ, unit * np.exp(0.5 * s)
        # The baseline: least squares, which is maximum likelihood with one variance for everybody.
        columns = np.column_stack([inputs, np.ones(len(x))])
        weights = mn.linalg.lstsq(columns[train], y[train])
        deviation = np.sqrt(np.sum((y - columns @ weights)[train] ** 2) / (train.sum() - 11))
        predicted["linear"][0, test] = centre + unit * columns[test] @ weights
        predicted["linear"][1, test] = unit * deviation

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    μ, σ = predicted["network"][:, order := np.argsort(predicted["network"][0])]
    left.plot(μ, label="mean and 90 % interval")
    left.fill_between(range(len(x)), μ - 1.645 * σ, μ + 1.645 * σ, alpha=0.3)
    left.plot(progress[order], "k.", markersize=3, label="held-out patients")
    left.set(xlabel="patients, by predicted mean", ylabel="progression of the disease")
    left.legend(loc="upper left")
    nominal, likelihood, inside = np.linspace(0, 1, 51), {}, {}
    for name, (μ, σ) in predicted.items():
        normal = mn.distributions.Normal(μ, σ)
        likelihood[name] = np.mean(normal.log_prob(progress))
        central = abs(2 * normal.cdf(progress) - 1)  # uniform on 0…1 where the distributions are right
        inside[name] = 100 * np.mean(central < 0.9)
        right.plot(nominal, [np.mean(central <= share) for share in nominal], label=name)
    right.plot([0, 1], [0, 1], "k:")
    right.set(
        xlabel="nominal share of a central interval", ylabel="share of patients in it", title="Calibration"
    )
    right.legend()
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "tabular_uncertainty.png")
    print("log-likelihood {network:.3f} > {linear:.3f} of least squares;".format(**likelihood), end=" ")
    print("in the 90% interval: {network:.1f}% (least squares {linear:.1f}%)".format(**inside))


if __name__ == "__main__":
    main()
