"""The history of a training: figures by name, one per epoch."""

from __future__ import annotations

import csv
import os
from typing import Any

import numpy as np

from mathnet.plugin.callback import Callback


class History(dict[str, list[Any]]):
    """A mapping from "loss", "val_loss", the metrics, … to lists of one figure per epoch.

    A figure is a float; of metrics such as ``confusion_matrix``, or ``f1`` with average=None, an array.

    >>> history = History({"loss": [0.5, 0.25]})
    >>> history.arrays()["loss"]
    array([0.5 , 0.25])
    """

    def arrays(self) -> dict[str, np.ndarray]:
        """The figures as float64 arrays (epochs,), those of metrics with arrays (epochs, …)."""
        return {name: np.array(values, np.float64) for name, values in self.items()}

    def to_csv(self, path: str | os.PathLike) -> None:
        """Writes a header and one line per epoch; figures that an epoch lacks are left empty.

        An array takes a column for each element, named by its index: ``f1[0]``, ``confusion_matrix[0,1]``.
        Raises OSError when the file cannot be written.
        """
        epochs = max(map(len, self.values()), default=0)
        lines = [
            Callback.columns({n: v[epoch] for n, v in self.items() if epoch < len(v)})
            for epoch in range(epochs)
        ]
        names = list(
            dict.fromkeys(
                name for n in self for line in lines for name in line if name.partition("[")[0] == n
            )
        )
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *(names or self)])
            for epoch, line in enumerate(lines):
                writer.writerow([epoch, *(repr(line[n]) if n in line else "" for n in names)])
