"""CSVLog: one line of figures per epoch in a file."""

import csv
import os
from typing import Any

import mathnet as mn
from mathnet_std.callbacks.settings import file_path


@mn.callback("csv_log")
class CSVLog(mn.Callback):
    """Writes epoch, loss and metrics of every epoch to ``path`` as comma-separated values, with a header.

    An array, such as of the metric confusion_matrix, takes a column for each element, ``confusion_matrix[0,1]``.
    append: go on after what the file holds already (its header must be the same).
    Raises OSError when the file cannot be written.

    >>> from pathlib import Path
    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1)], input_shape=(2,))
    >>> log = mn.callbacks.CSVLog("history.csv")
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer="sgd", epochs=2, callbacks=[log])
    >>> Path("history.csv").read_text().split()[0]
    'epoch,loss'
    """

    def __init__(self, path: Any, append: bool = False) -> None:
        self.path, self.append = file_path("CSVLog", path), append
        self._begun = self._restored = False

    def on_train_begin(self, trainer: Any) -> None:
        goes_on = self.append or self._restored  # a resumed training adds to its own lines
        self._begun = goes_on and os.path.exists(self.path) and os.path.getsize(self.path) > 0
        self._restored = False

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        figures = self.columns(logs)
        names = ["epoch", *figures]
        if self._begun:
            with open(self.path, newline="") as file:
                header = next(csv.reader(file))
            if header != names:
                raise mn.DataError(
                    f"CSVLog: {self.path} has the columns {', '.join(header)}, but this training gives {', '.join(names)}"
                )
        with open(self.path, "a" if self._begun else "w", newline="") as file:
            writer = csv.writer(file)
            if not self._begun:
                writer.writerow(names)
            writer.writerow([epoch, *map(repr, figures.values())])
        self._begun = True

    def state(self) -> dict[str, Any]:
        return {"begun": self._begun}

    def restore(self, state: dict[str, Any]) -> None:
        self._begun = self._restored = bool(state["begun"])
