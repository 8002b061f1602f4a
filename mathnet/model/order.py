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


class Order:
    """A position in endless epochs over ``rows`` rows; the order within epoch e is a function of (seed, e).

    epoch: epochs completed; position: rows of the current one already seen.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.epoch = 0
        self.position = 0
        self._rows: tuple[int, bool] | None = None
        self._permutation: tuple[tuple, np.ndarray] | None = None

    def permutation(self, rows: int, shuffle: bool = True) -> np.ndarray:
        """Row numbers in the order of the current epoch."""
        key = (rows, shuffle, self.seed, self.epoch)
        if self._permutation is None or self._permutation[0] != key:
            generator = np.random.Generator(
                np.random.Philox(key=np.array([self.seed, self.epoch], np.uint64))
            )
            made = generator.permutation(rows) if shuffle else np.arange(rows)
            self._permutation = (key, made.astype(np.int64, copy=False))
        return self._permutation[1]

    def begin(self, rows: int, shuffle: bool = True) -> None:
        """Goes on with data of ``rows`` rows; a half-seen epoch of other data counts as over."""
        if self._rows is not None and self._rows != (rows, shuffle) and self.position:
            self.epoch, self.position = self.epoch + 1, 0
        self._rows = (rows, shuffle)

    def next_run(self, batch: int, limit: int) -> Run:
        """The next steps of this epoch, at most ``limit``: full batches, or the one smaller batch that ends the epoch."""
        assert self._rows is not None
        rows, shuffle = self._rows
        order = self.permutation(rows, shuffle)
        full = min((rows - self.position) // batch, limit)
        if full:
            return Run(order[self.position : self.position + full * batch], batch)
        return Run(order[self.position :], rows - self.position)

    def advance(self, rows: int) -> bool:
        """Notes that so many rows were seen; True when that ends the epoch."""
        assert self._rows is not None
        self.position += rows
        if self.position < self._rows[0]:
            return False
        self.epoch, self.position = self.epoch + 1, 0
        return True

    def state(self) -> dict[str, Any]:
        return {"seed": self.seed, "epoch": self.epoch, "position": self.position, "rows": self._rows}

    def restore(self, state: dict[str, Any]) -> None:
        self.seed, self.epoch, self.position = state["seed"], state["epoch"], state["position"]
        self._rows = tuple(state["rows"]) if state["rows"] is not None else None  # type: ignore[assignment]
