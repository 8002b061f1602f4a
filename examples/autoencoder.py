"""An autoencoder squeezes images of 64 pixels through two numbers; principal components do the same with straight lines.

usage: python examples/autoencoder.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

CODE = 2


def networks() -> tuple[mn.Model, mn.Model]:
    """The encoder (N, 64) → (N, 2), and the way through the code and back (N, 64) → (N, 64)."""
    # With linear layers alone the best decoder spans the plane of the first two principal components (Baldi and Hornik, 1989); what
    # bends the plane into a surface through the data is the activation between them.
    wide, narrow = [mn.layers.Dense(units, activation="gelu") for units in (128, 64)], mn.layers.Dense(CODE)
    encoder = mn.Sequential([*wide, narrow], input_shape=(64,), name="encoder")
    layers = [mn.layers.Dense(units, activation="gelu") for units in (64, 128)]
    decoder = mn.Sequential([*layers, mn.layers.Dense(64)], input_shape=(CODE,), name="decoder")
    image = mn.Input((64,), name="image")
    return encoder, mn.Model(image, decoder(encoder(image)))  # a model is a layer, and shares its weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer epochs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    mn.seed(0)
    images, labels = mn.data.digits()
    x = images.reshape(-1, 64).astype("float32") / 16
    order = np.random.default_rng(0).permutation(len(x))
    test, train = order[:360], order[360:]

    encoder, both = networks()
    trainer = mn.Trainer(both, "mse", mn.optimizers.AdamW(1e-3, weight_decay=1e-2), seed=0)
    target = x[train]  # what goes in is to come out
    trainer.fit(x[train], target, epochs=15 if settings.small else 150, batch_size=32)
    pca = mn.linalg.pca(x[train], CODE)

    codes = {"autoencoder": encoder.predict(x[test]), "components": pca.transform(x[test])}
    again = {"autoencoder": both.predict(x[test]), "components": pca.inverse_transform(codes["components"])}
    error = {name: np.mean((guess - x[test]) ** 2) for name, guess in again.items()}

    figure = Figure(figsize=(12, 7), layout="constrained")
    maps, rows = figure.subfigures(2, 1, height_ratios=(3, 2))
    for axes, (name, code) in zip(maps.subplots(1, 2), codes.items()):
        points = axes.scatter(*code.T, c=labels[test], cmap="tab10", s=12)
        axes.set(title=f"Held-out digits on two numbers: {name}", xticks=[], yticks=[])
    maps.colorbar(points, ticks=range(10), label="digit")
    where = [np.flatnonzero(labels[test] == digit)[0] for digit in range(10)]
    for axes, (name, pictures) in zip(rows.subplots(3, 1), {"held out": x[test], **again}.items()):
        axes.imshow(np.hstack(pictures[where].reshape(-1, 8, 8)), cmap="gray_r", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "autoencoder.png")
    print("squared error {autoencoder:.4f} < {components:.4f} of two principal components".format(**error))


if __name__ == "__main__":
    main()
