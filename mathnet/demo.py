"""The main job of ``mathnet demo``: a small convolutional network learns the bundled handwritten digits.

The program is written as a user would write it, against the public names only.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.data import digits

EPOCHS = 20
BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class DemoResult:
    """accuracy: share of the held-out fifth that is right; seconds: of training; model, figure: paths (figure None without matplotlib)."""

    accuracy: float
    seconds: float
    model: str
    figure: str | None


def split(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training images (1438, 1, 8, 8) float32 in 0…1 and labels, then the held-out fifth; rows are shuffled by ``seed`` first."""
    images, labels = digits()
    order = np.random.default_rng(seed).permutation(len(images))
    images = images[order, np.newaxis].astype(np.float32) / 16
    labels = labels[order]
    held_out = len(images) // 5
    return images[held_out:], labels[held_out:], images[:held_out], labels[:held_out]


def build() -> Any:
    """The network: (N, 1, 8, 8) → logits (N, 10)."""
    image = mn.Input((1, 8, 8), name="image")
    h = mn.layers.Conv2D(16, 3, padding="same", activation="relu", name="edges")(image)
    h = mn.layers.Conv2D(32, 3, padding="same", activation="relu", name="strokes")(h)
    h = mn.layers.MaxPool2D(2)(h)
    h = mn.layers.Conv2D(64, 3, padding="same", activation="relu", name="parts")(h)
    h = mn.layers.MaxPool2D(2)(h)
    h = mn.layers.Flatten()(h)
    h = mn.layers.Dropout(0.5)(h)
    return mn.Model(image, mn.layers.Dense(10, name="logits")(h), name="digits")


def run(out: Path, seed: int = 0, epochs: int = EPOCHS, progress: bool | None = None) -> DemoResult:
    """Trains, measures on the held-out fifth, writes ``digits.mathnet`` and, where matplotlib is installed, ``digits.png`` into ``out``.

    The learning rate falls to a third after each two fifths of the training.  progress: show a bar; None: on a terminal only.
    Everything depends on ``seed`` alone: the split, the initial weights, the order of the examples and the dropout.
    """
    x, y, x_test, y_test = split(seed)
    with mn.Runtime(autoload=False, seed=seed):
        model = build()
        start = time.perf_counter()
        steps = -(-len(x) // BATCH_SIZE) * epochs
        rate = mn.schedules.get("step", initial=2e-3, step_size=max(1.0, steps * 0.4), gamma=0.3)
        history = model.fit(
            x,
            y,
            loss="cross_entropy",
            optimizer=mn.optimizers.Adam(rate),
            metrics=["accuracy"],
            epochs=epochs,
            batch_size=BATCH_SIZE,
            validation_data=(x_test, y_test),
            seed=seed,
            progress=progress,
        )
        seconds = time.perf_counter() - start
        predicted = model.predict(x_test).argmax(axis=1)
        out.mkdir(parents=True, exist_ok=True)
        file = out / "digits.mathnet"
        model.save(file)
        figure = draw(out / "digits.png", history, model.parameters["edges/kernel"], y_test, predicted)
    return DemoResult(
        float(np.mean(predicted == y_test)), seconds, str(file), None if figure is None else str(figure)
    )


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: int = 10) -> np.ndarray:
    """Counts (classes, classes): row = true class, column = predicted class.

    >>> confusion(np.array([0, 1, 1]), np.array([0, 1, 0]), classes=2).tolist()
    [[1, 0], [1, 1]]
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def draw(
    path: Path, history: Any, filters: np.ndarray, labels: np.ndarray, predicted: np.ndarray
) -> Path | None:
    """Writes the figure: curves, the first layer's filters (F, 1, 3, 3), the confusion matrix.  None where matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        return None
    figure = Figure(figsize=(13, 4), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display and leaves the user's backend alone
    curves, learned, matrix = figure.subplots(1, 3)

    epochs = np.arange(1, len(history["loss"]) + 1)
    curves.plot(epochs, history["loss"], color="tab:blue", label="loss")
    curves.plot(epochs, history["val_loss"], color="tab:blue", linestyle="--", label="loss, held out")
    curves.set(xlabel="epoch", ylabel="cross entropy", yscale="log", title="Training")
    right = curves.twinx()
    right.plot(epochs, history["val_accuracy"], color="tab:orange", label="accuracy, held out")
    right.set_ylabel("accuracy")
    lines = [*curves.get_lines(), *right.get_lines()]
    curves.legend(
        lines,
        [line.get_label() for line in lines],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.15),
        ncols=3,
        fontsize="small",
    )
    curves.locator_params(axis="x", integer=True)

    learned.imshow(tiles(filters[:, 0]), cmap="RdBu", vmin=-np.abs(filters).max(), vmax=np.abs(filters).max())
    learned.set(title=f"The {len(filters)} filters of the first layer", xticks=[], yticks=[])

    counts = confusion(labels, predicted)
    matrix.imshow(np.log1p(counts), cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            matrix.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                color="white" if count > counts.max() / 4 else "black",
            )
    matrix.set(
        title="Confusion matrix", xlabel="predicted", ylabel="true", xticks=range(10), yticks=range(10)
    )

    figure.savefig(path, dpi=120)
    return path


def tiles(images: np.ndarray) -> np.ndarray:
    """Images (F, H, W) side by side in a near-square grid with a line of NaN between them: shown as background."""
    count, height, width = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for index, image in enumerate(images):
        top, left = index // columns * (height + 1) + 1, index % columns * (width + 1) + 1
        sheet[top : top + height, left : left + width] = image
    return sheet
