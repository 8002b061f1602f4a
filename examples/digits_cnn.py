"""A convolutional network reads handwritten digits.

usage: python examples/digits_cnn.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn


def network() -> mn.Model:
    """Images (N, 1, 8, 8) → a score for each digit (N, 10)."""
    image = mn.Input((1, 8, 8), name="image")
    # A convolution slides one 3×3 filter over the image: y[i, j] = Σ w[a, b]·x[i + a, j + b].  It finds a stroke wherever it is.
    h = mn.layers.Conv2D(16, 3, padding="same", activation="relu", name="edges")(image)
    h = mn.layers.Conv2D(32, 3, padding="same", activation="relu")(h)
    h = mn.layers.MaxPool2D(2)(h)  # keeps the largest of 2×2 neighbours: small shifts no longer matter
    h = mn.layers.Conv2D(64, 3, padding="same", activation="relu")(h)
    h = mn.layers.MaxPool2D(2)(h)
    h = mn.layers.Flatten()(h)
    h = mn.layers.Dropout(0.5)(
        h
    )  # half of the features, drawn anew for each image, are set to zero in training
    return mn.Model(image, mn.layers.Dense(10)(h))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer epochs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    mn.seed(0)  # initial weights
    images, labels = mn.data.digits()
    x = images[:, None].astype("float32") / 16
    order = np.random.default_rng(0).permutation(len(x))
    test, train = order[:360], order[360:]

    # Cross-entropy is −log of the probability softmax(scores)[label]: maximum likelihood for a choice out of ten.
    linear = mn.Sequential([mn.layers.Flatten(), mn.layers.Dense(10)], input_shape=(1, 8, 8))
    cnn, accuracy = network(), {}
    for name, model in {"linear": linear, "network": cnn}.items():
        trainer = mn.Trainer(model, "cross_entropy", mn.optimizers.Adam(2e-3), seed=0)
        trainer.fit(x[train], labels[train], batch_size=32, epochs=4 if settings.small else 40)
        figures = model.evaluate(x[test], labels[test], loss="cross_entropy", metrics=["accuracy"])
        accuracy[name] = figures["accuracy"]
    predicted = cnn.predict(x[test]).argmax(1)
    confusion = np.zeros((10, 10), int)
    np.add.at(confusion, (labels[test], predicted), 1)

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subfigures(1, 2)
    left.suptitle("The filters of the first layer")
    filters = cnn.parameters["edges/kernel"]  # (16, 1, 3, 3), a live view of the weights
    for axes, weights in zip(left.subplots(4, 4).flat, filters[:, 0]):
        axes.imshow(weights, cmap="RdBu", vmin=-abs(filters).max(), vmax=abs(filters).max())
        axes.set(xticks=[], yticks=[])
    axes = right.subplots()
    axes.imshow(np.log1p(confusion), cmap="Blues")
    for (true, guess), count in np.ndenumerate(confusion):
        axes.text(
            guess, true, count or "", ha="center", va="center", color="tab:red" if true != guess else "white"
        )
    axes.set(xlabel="predicted", ylabel="true", xticks=range(10), yticks=range(10), title="Held-out digits")
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "digits_cnn.png")
    print(f"accuracy {accuracy['network']:.3f} > {accuracy['linear']:.3f} of a linear model")


if __name__ == "__main__":
    main()
