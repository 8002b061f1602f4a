"""Two networks play a game: one draws digits from noise, the other tells them from real ones.

usage: python examples/gan_digits.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

NOISE = 16


def mlp(inputs: int, outputs: int, dropout: float, activation: str | None = None) -> mn.Model:
    first, second = (mn.layers.Dense(128, activation="leaky_relu") for _ in range(2))
    drop, last = mn.layers.Dropout, mn.layers.Dense(outputs, activation=activation)
    return mn.Sequential([first, drop(dropout), second, drop(dropout), last], input_shape=(inputs,))


def score(judge: mn.Model, pictures: np.ndarray) -> float:
    """exp of the mean of KL(p(digit | picture) ‖ p(digit)): 10 where each is surely one digit and all are equally frequent."""
    p = mn.softmax(judge.predict(pictures)).astype(float)
    return float(np.exp(np.mean(np.sum(mn.xlogy(p, p / p.mean(0)), axis=1))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer rounds of the game")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    mn.seed(0)
    rng = np.random.default_rng(0)
    images, labels = mn.data.digits()
    x = images.reshape(-1, 64).astype("float32") / 8 - 1  # −1 … 1, like tanh
    generator, discriminator = mlp(NOISE, 64, 0.0, activation="tanh"), mlp(64, 1, 0.3)

    # The value of the game is E log D(x) + E log(1 − D(G(z))) with D = σ(score): the discriminator maximises it.  Against the best
    # discriminator it is twice the Jensen-Shannon divergence of real and drawn pictures less log 4.  The generator maximises log D(G(z))
    # instead of minimising log(1 − D(G(z))), which hardly changes where it loses (Goodfellow et al., 2014).  −log σ(s) = softplus(−s).
    def drawn(real):
        return generator(mn.random.normal((real.shape[0], NOISE), like=real))

    # A trainer moves the weights of its own model only, whichever others its function calls.
    detect = mn.Trainer(discriminator, None, mn.optimizers.Adam(5e-4, beta1=0.5), seed=1)
    detect.define(lambda model, real: mn.mean(mn.softplus(-model(real)) + mn.softplus(model(drawn(real)))))
    deceive = mn.Trainer(generator, None, mn.optimizers.Adam(5e-4, beta1=0.5), seed=2)
    deceive.define(lambda model, real: mn.mean(mn.softplus(-discriminator(drawn(real)))))
    rounds = 1200 if settings.small else 10000
    shown, stages = rng.normal(size=(16, NOISE)), {}
    for count in range(1, rounds + 1):
        real = x[rng.integers(0, len(x), 64)]
        detect.step(real)
        deceive.step(real)
        if count in (rounds // 50, rounds // 10, rounds):
            stages[f"round {count}"] = generator.predict(shown)

    # The judge is a classifier of real digits.  The baseline is a normal distribution with the mean and covariances of the pixels.
    judge = mlp(64, 10, 0.3)
    mn.Trainer(judge, "cross_entropy", "adam", seed=0).fit(x, labels, batch_size=32, epochs=20)
    normal = rng.multivariate_normal(x.mean(0), np.cov(x.T), 1000).clip(-1, 1)
    pictures = {"network": generator.predict(rng.normal(size=(1000, NOISE))), "normal": normal, "real": x}
    scores = {name: score(judge, batch) for name, batch in pictures.items()}

    stages["nearest real"] = x[np.square(stages[f"round {rounds}"][:, None] - x).sum(2).argmin(1)]
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (name, batch) in zip(figure.subplots(4, 1), stages.items()):
        axes.imshow(np.hstack(batch.reshape(-1, 8, 8)), cmap="gray_r", vmin=-1, vmax=1)
        axes.set(xticks=[], yticks=[], title=name)
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "gan_digits.png")
    print("score {network:.2f} > {normal:.2f} of a Gaussian; real digits {real:.2f}".format(**scores))


if __name__ == "__main__":
    main()
