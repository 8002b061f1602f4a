"""The samples that operations bring, as graphs: one node over inputs of the samples' shapes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import mathnet.ops  # noqa: F401  (fills the table)
from mathnet.graph.graph import Graph
from mathnet.graph.op import LEAVES, OPS, Op, input_tensor
from mathnet.graph.tensor import Spec, Tensor


class Sample(NamedTuple):
    """One operation on one set of operands."""

    op: Op
    arrays: tuple[np.ndarray, ...]
    attrs: dict[str, Any]

    def inputs(self, real: Any = np.float64) -> list[Tensor]:
        return [
            input_tensor(Spec(a.shape, np.dtype(real) if a.dtype.kind == "f" else a.dtype), f"x{k}")
            for k, a in enumerate(self.arrays)
        ]

    def build(self, inputs: list[Tensor]) -> tuple[Tensor, ...]:
        made = self.op(*inputs, **self.attrs)
        return made if isinstance(made, tuple) else (made,)

    def graph(self, real: Any = np.float64) -> Graph:
        inputs = self.inputs(real)
        return Graph(inputs, self.build(inputs), name=self.op.name)

    def values(self, real: Any = np.float64) -> list[np.ndarray]:
        """The operands in the type that the graph's inputs have."""
        return [a.astype(real) if a.dtype.kind == "f" else a for a in self.arrays]


#: Operations that hold graphs, or not all of whose results have a derivative: their own test modules cover them.
WITHOUT_SAMPLES = {
    "custom_vjp",
    "scan",
    "eigvals",
    "cond",
    "while_loop",
    "ended",
    "fixed_point",
    "linear_solve",
}


def operations() -> list[Op]:
    """Every operation that the package defines, without leaves and those that have test modules of their own."""
    found = [op for op in OPS.values() if op not in LEAVES and op.name not in WITHOUT_SAMPLES]
    return [op for op in found if type(op).__module__.startswith("mathnet.ops.")]


def samples() -> list[Any]:
    """Every sample of every operation, for ``pytest.mark.parametrize``."""
    import pytest

    return [
        pytest.param(Sample(op, tuple(np.asarray(a) for a in arrays), attrs), id=f"{op.name}-{k}")
        for op in operations()
        for k, (arrays, attrs) in enumerate(op.samples())
    ]
