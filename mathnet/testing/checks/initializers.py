"""Initializers: arrays of the asked shape, drawn from the given generator alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require

SHAPES: tuple[tuple[int, ...], ...] = ((4, 4), (6, 4), (5,), (4, 3, 3, 3), (2, 3, 4), (0, 3), (3, 0))


@check("initializer")
def initial_weights(subject: Subject) -> None:
    """An array of the asked shape, finite, of any rank from 1 up and without elements too."""
    for sample in subject.samples:
        with subject.entered():
            made: Any = subject.make(sample)
            fitting = 0
            for shape in SHAPES:
                try:
                    values = np.asarray(made(shape, np.random.default_rng(5)))
                except ValueError as error:
                    subject.note(f"shape {shape} is refused: {error}")
                    continue
                fitting += 1
                require(values.shape == shape, f"for the shape {shape} it returned {values.shape}")
                require(values.dtype.kind in "fiu", f"it returned elements of type {values.dtype}")
                require(
                    np.isfinite(values).all(), f"for the shape {shape} it returned values that are not finite"
                )
            require(fitting, f"it refuses each of the shapes {SHAPES}")


@check("initializer")
def drawn_from_the_generator(subject: Subject) -> None:
    """The same generator gives the same weights, whatever NumPy's global state is, which stays as it is."""
    for sample in subject.samples:
        with subject.entered():
            made: Any = subject.make(sample)
            shape = next(s for s in SHAPES if _takes(made, s))
            kept = np.random.get_state()
            draws = []
            try:
                for seed in (1, 2):
                    np.random.seed(seed)
                    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
                    draws.append(np.array(made(shape, np.random.default_rng(5))))
                    after = np.random.get_state()[1]  # type: ignore[index]
                    require(np.array_equal(before, after), "it draws from numpy.random; draw from rng")
            finally:
                np.random.set_state(kept)
            require(
                np.array_equal(draws[0], draws[1]), "the same generator gives other weights the second time"
            )
            first, second = (made(shape, np.random.default_rng(5)) for _ in range(2))
            require(not np.shares_memory(first, second), "two weights share one array")


def _takes(made: Any, shape: tuple[int, ...]) -> bool:
    try:
        made(shape, np.random.default_rng(5))
    except ValueError:
        return False
    return True
