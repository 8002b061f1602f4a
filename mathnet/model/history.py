"""The history of a training: figures by name, one per epoch."""

from __future__ import annotations

import csv
import os

import numpy as np


class History(dict[str, list[float]]):
    """A mapping from "loss", "val_loss", the metrics, … to lists of one float per epoch.

    >>> history = History({"loss": [0.5, 0.25]})
    >>> history.arrays()["loss"]
    array([0.5 , 0.25])
    """

    def arrays(self) -> dict[str, np.ndarray]:
        """The figures as float64 arrays (epochs,)."""
        return {name: np.array(values, np.float64) for name, values in self.items()}

    def to_csv(self, path: str | os.PathLike) -> None:
        """Writes a header and one line per epoch; figures that an epoch lacks are left empty.

        Raises OSError when the file cannot be written.
        """
        with open(path, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *self])
            for epoch in range(max(map(len, self.values()), default=0)):
                cells = [repr(float(v[epoch])) if epoch < len(v) else "" for v in self.values()]
                writer.writerow([epoch, *cells])
