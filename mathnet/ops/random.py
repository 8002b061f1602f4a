"""Random draws inside plans: a function of (seed, stream, step, element), never of batching, threads or recomputation.

The public functions are those of :mod:`mathnet.random`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.graph.dim import product
from mathnet.graph.op import Op, register
from mathnet.graph.tensor import Spec, Tensor


class RandomDraw(Op):
    """Inputs: the step (float64, rank 0) and, inside of a loop, the index of its turn.

    Attributes: shape, dtype; seed (of the runtime or trainer) and stream (of the layer and draw), 64-bit keys; the distribution's numbers.
    """

    effects = frozenset({"random"})
    domain = "none: a draw"

    def infer(self, *specs: Spec, shape: tuple, dtype: np.dtype, **attrs: Any) -> Spec:  # type: ignore[override]
        return Spec(tuple(shape), np.dtype(dtype))

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], **attrs: Any
    ) -> Sequence[Tensor | None]:
        return (None,) * len(inputs)

    def lower(
        self, emit: Any, inputs: Any, outputs: Any, shape: tuple, dtype: np.dtype, **attrs: Any
    ) -> None:  # type: ignore[override]
        if outputs[0].size:
            counters = [emit.cast(v, np.float64) for v in inputs]
            emit.kernel(
                self.name, counters, outputs, real=dtype, n=product(shape), has_index=len(inputs) - 1, **attrs
            )


class RandomUniform(RandomDraw):
    __doc__ = f"Uniform on [low, high).  {RandomDraw.__doc__}"
    name, formula = "random_uniform", "U(low, high)"


class RandomNormal(RandomDraw):
    __doc__ = f"Normal with mean and std.  {RandomDraw.__doc__}"
    name, formula = "random_normal", "N(mean, std²)"


class RandomBernoulli(RandomDraw):
    __doc__ = f"1 with the given probability, else 0.  {RandomDraw.__doc__}"
    name, formula = "random_bernoulli", "1 with probability p, else 0"


UNIFORM, NORMAL, BERNOULLI = register(RandomUniform()), register(RandomNormal()), register(RandomBernoulli())
