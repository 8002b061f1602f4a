"""Random draws inside plans: a function of (seed, stream, step, element), never of batching, threads or recomputation.

The public functions are those of :mod:`mathnet.random`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.graph.dim import product
from mathnet.graph.dtypes import FLOAT32, FLOAT64
from mathnet.graph.op import Op, register
from mathnet.graph.tensor import Spec, Tensor

_WORD = np.uint64(0xFFFFFFFF)
DRAW_BYTES = 24  # of what the kernels know of a draw: key, step, index, threshold


def philox(counter: Sequence[Any], key: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """Philox4x32-10 (Salmon et al., 2011): four 32-bit words for every counter of four words, under a key of two."""
    a, b, c, d = (np.asarray(word, np.uint64) & _WORD for word in counter)
    k0, k1 = (np.asarray(word, np.uint64) & _WORD for word in key)
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (q >> np.uint64(32)) ^ b ^ k0, q & _WORD, (p >> np.uint64(32)) ^ d ^ k1, p & _WORD
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & _WORD, (k1 + np.uint64(0xBB67AE85)) & _WORD
    return a, b, c, d


def words(n: int, seed: int, stream: int, step: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower 32 random bits of the elements 0 … n−1 of a draw."""
    low, high = (lambda x: x & 0xFFFFFFFF), (lambda x: x >> 32 & 0xFFFFFFFF)
    key = philox((low(stream), high(stream), high(step), high(index)), (low(seed), high(seed)))[:2]
    element = np.arange(n, dtype=np.uint64)
    block = element // np.uint64(32) * np.uint64(8) + element % np.uint64(8)
    word = (element % np.uint64(32) // np.uint64(8)).astype(np.int64)
    halves = []
    for half in (0, 1):
        top = block >> np.uint64(32) | np.uint64(half << 31)
        four = np.stack(philox((block, top, block * 0 + low(step), block * 0 + low(index)), key))
        halves.append(four[word, np.arange(n)])
    return halves[0], halves[1]


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

    def oracle(
        self, *counters: np.ndarray, shape: tuple, dtype: np.dtype, seed: int, stream: int, **attrs: Any
    ) -> np.ndarray:
        step = int(counters[0])
        index = int(counters[1]) if len(counters) > 1 else 0
        n = int(np.prod(shape, dtype=np.int64))
        bits = words(n + -n % 16, seed, stream, step, index)  # whole pairs of the normal distribution
        return self.values(*bits, **attrs)[:n].reshape(shape)

    def values(self, upper: np.ndarray, lower: np.ndarray, **attrs: Any) -> np.ndarray:
        """The draw in float64, from the random bits of its elements; each distribution has its own."""
        raise TypeError(f"operation {self.name!r} has no oracle")

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        key = {"seed": 2**40 + 7, "stream": 2**63 + 5, **self.numbers}
        return [
            ((np.array(3.0),), {"shape": (5, 40), "dtype": FLOAT64, **key}),
            ((np.array(2.0**33), np.array(1.0)), {"shape": (33,), "dtype": FLOAT32, **key}),
            ((np.array(0.0),), {"shape": (0, 2), "dtype": FLOAT32, **key}),
        ]

    numbers: ClassVar[dict[str, float]]


class RandomUniform(RandomDraw):
    __doc__ = f"Uniform on [low, high).  {RandomDraw.__doc__}"
    name, formula = "random_uniform", "U(low, high)"
    numbers = {"low": -1.0, "high": 3.0}

    def values(self, upper: np.ndarray, lower: np.ndarray, low: float, high: float) -> np.ndarray:  # type: ignore[override]
        bits = upper * np.uint64(1 << 21) + (lower >> np.uint64(11))
        return low + (high - low) * (bits.astype(np.float64) * 2.0**-53)


class RandomNormal(RandomDraw):
    __doc__ = f"Normal with mean and std.  {RandomDraw.__doc__}"
    name, formula = "random_normal", "N(mean, std²)"
    numbers = {"mean": 0.5, "std": 2.0}

    def values(self, upper: np.ndarray, lower: np.ndarray, mean: float, std: float) -> np.ndarray:  # type: ignore[override]
        u = ((upper.astype(np.float64) * 2.0**32 + lower + 0.5) * 2.0**-64).reshape(-1, 2, 8)
        radius, angle = std * np.sqrt(-2 * np.log(u[:, 0])), 2 * np.pi * u[:, 1]
        return mean + np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


class RandomBernoulli(RandomDraw):
    __doc__ = f"1 with the given probability, else 0.  {RandomDraw.__doc__}"
    name, formula = "random_bernoulli", "1 with probability p, else 0"
    numbers = {"probability": 0.3}

    def values(self, upper: np.ndarray, lower: np.ndarray, probability: float) -> np.ndarray:  # type: ignore[override]
        return (upper < int(probability * 2.0**32)).astype(np.float64)

    def drawn(self, emit: Any, inputs: Any, shape: tuple, dtype: np.dtype, **attrs: Any) -> Any:
        """A view whose elements elementwise programs draw as they read them, with the bits that :meth:`lower` writes."""
        counters = [emit.cast(v, np.float64) for v in inputs]
        draw = emit.temporary((DRAW_BYTES,), np.bool_)
        emit.kernel(
            "bernoulli_draw",
            counters,
            [draw],
            real=dtype,
            n=product(shape),
            has_index=len(inputs) - 1,
            **attrs,
        )
        return emit.drawn(draw, shape)


UNIFORM, NORMAL, BERNOULLI = register(RandomUniform()), register(RandomNormal()), register(RandomBernoulli())
