"""The order in which training sees the rows of its data."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Run(NamedTuple):
    """Consecutive steps of one batch size: ``rows`` holds ``batch`` row numbers per step."""

    rows: np.ndarray
    batch: int

    @property
    def steps(self) -> int:
        return len(self.rows) // self.batch


BLOCK = 8192  # row numbers that are drawn at once, for the sake of tiny data


class Order:
    """A position in endless epochs over the rows of some data; the order within epoch e is a function of (seed, e, number of rows).

    epoch: epochs completed; position: rows of the current one already seen.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epoch = 0
        self.position = 0
        self._rows: tuple[int, bool] | None = None
        self._drawn: tuple[tuple, np.ndarray] | None = None

    def _block(self) -> tuple[np.ndarray, int]:
        """The orders of some epochs around the current one, (epochs, rows), and which of them is the current one's."""
        assert self._rows is not None
        rows, shuffle = self._rows
        epochs = max(1, BLOCK // rows)
        block, index = divmod(self.epoch, epochs)
        key = (rows, self.seed, block) if shuffle else (rows,)
        if self._drawn is None or self._drawn[0] != key:
            drawn = np.tile(np.arange(rows, dtype=np.int64), (epochs, 1))
            if shuffle:
                bits = np.random.Philox(key=np.array([self.seed, block], np.uint64))
                np.random.Generator(bits).permuted(drawn, axis=1, out=drawn)
            self._drawn = (key, drawn)
        return self._drawn[1], index

    def begin(self, rows: int, shuffle: bool = True) -> None:
        """Goes on with data of ``rows`` rows; a half-seen epoch of other data counts as over."""
        if self._rows is not None and self._rows != (rows, shuffle) and self.position:
            self.epoch, self.position = self.epoch + 1, 0
        self._rows = (rows, shuffle)

    def next_run(self, batch: int, limit: int, across: bool = False) -> Run:
        """The next steps, at most ``limit``: full batches of this epoch, or the one smaller batch that ends it.

        across: also those of the next epochs, where no smaller batch lies between.
        """
        assert self._rows is not None
        rows, _ = self._rows
        drawn, index = self._block()
        if across and rows % batch == 0 and self.position % batch == 0:
            left = (len(drawn) - index) * rows - self.position
            start = index * rows + self.position
            return Run(drawn.reshape(-1)[start : start + min(left // batch, limit) * batch], batch)
        order = drawn[index]
        full = min((rows - self.position) // batch, limit)
        if full:
            return Run(order[self.position : self.position + full * batch], batch)
        return Run(order[self.position :], rows - self.position)

    def advance(self, rows: int) -> bool:
        """Notes that so many rows were seen; True when that ends an epoch."""
        assert self._rows is not None
        epochs, self.position = divmod(self.position + rows, self._rows[0])
        self.epoch += epochs
        return epochs > 0

    def leave(self) -> None:
        """Goes over to data that somebody else orders; a half-seen epoch counts as over."""
        if self.position:
            self.epoch += 1
        self.position, self._rows = 0, None

    def end_epoch(self) -> None:
        """Notes the end of an epoch of such data."""
        self.epoch += 1

    def state(self) -> dict[str, Any]:
        return {"seed": self.seed, "epoch": self.epoch, "position": self.position, "rows": self._rows}

    def restore(self, state: dict[str, Any]) -> None:
        self.seed, self.epoch, self.position = state["seed"], state["epoch"], state["position"]
        self._rows = tuple(state["rows"]) if state["rows"] is not None else None  # type: ignore[assignment]
