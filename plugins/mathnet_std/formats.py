"""Formats: files of other programs."""

from typing import Any

import numpy as np

import mathnet as mn


@mn.format("npz")
class NPZ:
    """NumPy's archive of the weights and running values, by name; it holds no layers, so it is written only.

    >>> import mathnet as mn
    >>> mn.formats.get("npz").suffixes
    ('.npz',)
    """

    suffixes = (".npz",)

    def write(self, model: Any, path: str) -> None:
        values = {**dict(model.parameters.items()), **dict(model.statistics.items())}
        with open(path, "wb") as target:
            np.savez(target, **{name: np.asarray(value) for name, value in values.items()})  # type: ignore[arg-type]
