"""Over-fitting, measured: the error of many trainings split into bias, variance and noise.

Trained on a random sample D, a model predicts f(x; D). The mean squared error at a new measurement y = g(x) + ε is exactly
    E(y − f)² = (g − E f)² + E(f − E f)² + E ε² = bias² + variance + noise (Geman, Bienenstock & Doursat, 1992).
Polynomials show it by degree, a network by what holds it back: penalties Σ|w| (L1) and Σw² (L2) on its weights, dropout.

usage: python examples/overfitting.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

NOISE, POINTS = 0.5, 20


def truth(x: np.ndarray) -> np.ndarray:
    return np.sin(3 * x)


def polynomial(x: np.ndarray, y: np.ndarray, new: np.ndarray, degree: int) -> np.ndarray:
    """The least-squares polynomial of a sample, in Legendre's basis, at new points."""
    basis = [np.polynomial.legendre.legvander(points, degree) for points in (x, new)]
    return basis[1] @ mn.linalg.lstsq(basis[0], y)


def network(x: np.ndarray, y: np.ndarray, new: np.ndarray, penalty: object, dropout: float) -> np.ndarray:
    """A network of two layers of 32 units, trained on a sample, at new points."""
    mn.seed(0)
    layers = [mn.layers.Dense(32, "tanh", kernel_regularizer=penalty), mn.layers.Dropout(dropout)]
    layers += [mn.layers.Dense(32, "tanh", kernel_regularizer=penalty), mn.layers.Dense(1)]
    model = mn.Sequential(layers, input_shape=(1,))
    trainer = mn.Trainer(model, "mse", mn.optimizers.Adam(1e-2), seed=0)
    trainer.steps(x[:, None], y, batch_size=POINTS, count=2000)
    return model.predict(new[:, None])[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer samples")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()
    rng, samples, new = np.random.default_rng(0), 10 if settings.small else 50, np.linspace(-1, 1, 101)
    x = rng.uniform(-1, 1, (samples, POINTS))
    y = truth(x) + NOISE * rng.standard_normal(x.shape)
    fits = {f"{d}": np.array([polynomial(a, b, new, d) for a, b in zip(x, y)]) for d in range(1, 8)}
    l1, l2 = mn.regularizers.L1(3e-3), mn.regularizers.L2(1e-2)
    for name, way in {"free": (None, 0), "L1": (l1, 0), "L2": (l2, 0), "drop": (None, 0.3)}.items():
        fits[name] = np.array([network(a, b, new, *way) for a, b in zip(x, y)])
    bias = {name: np.mean((fit.mean(axis=0) - truth(new)) ** 2) for name, fit in fits.items()}
    variance = {name: np.mean(fit.var(axis=0)) for name, fit in fits.items()}
    error = {name: bias[name] + variance[name] for name in fits}

    figure = Figure(figsize=(12, 4), layout="constrained")
    free, held, parts = figure.subplots(1, 3)
    for axes, name in ((free, "free"), (held, "L2")):
        axes.plot(new, fits[name].T, "tab:blue", linewidth=0.5)
        axes.plot(new, truth(new), "k")
        axes.set(title=f"networks of {samples} samples, {name}", ylim=(-3, 3))
    parts.bar(list(fits), list(bias.values()), label="bias²")
    parts.bar(list(fits), list(variance.values()), bottom=list(bias.values()), label="variance")
    parts.set(title=f"by degree, and networks; noise {NOISE**2}", ylim=(0, 1))
    parts.legend()
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "overfitting.png")
    best = min(error[f"{d}"] for d in range(1, 8))
    print(f"bias² + variance {error['L2']:.3f} < {error['free']:.3f} without L2; best polynomial {best:.3f}")


if __name__ == "__main__":
    main()
