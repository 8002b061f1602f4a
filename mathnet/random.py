"""Random draws: arrays at once outside of tracing, draws of the plan's generator inside.

A draw is a function of (seed, layer path and number of the draw, step, element): batching, threads and recomputation do not change
it.  Outside of a Trainer, seed and step are the Runtime's: :func:`mathnet.seed` starts them anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError
from mathnet.graph.dim import Dim
from mathnet.graph.dtypes import FLOAT32, FLOAT64, graph_dtype, is_float
from mathnet.graph.op import OPS, as_tensor
from mathnet.graph.tensor import Tensor
from mathnet.graph.trace import current_trace, loop_position

__all__ = ["bernoulli", "normal", "uniform"]


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, *, dtype: Any = None, like: Any = None) -> Any:
    """Draws from the normal distribution of the given mean and standard deviation.

    shape: int or tuple, unknown sizes included; dtype: float32 (default) or float64; like: an array or tensor whose element type is
    taken, and which makes the result a tensor if it is one.  Raises ArgumentError for a negative stddev.

    >>> import mathnet as mn
    >>> mn.random.normal((2, 3)).shape
    (2, 3)
    """
    _number("normal", "mean", mean)
    if _number("normal", "stddev", stddev) < 0:
        raise ArgumentError(f"random.normal: stddev must not be negative, but it is {stddev}")
    return _draw("random_normal", shape, dtype, like, mean=float(mean), std=float(stddev))


def uniform(shape: Any, low: float = 0.0, high: float = 1.0, *, dtype: Any = None, like: Any = None) -> Any:
    """Draws from the uniform distribution on [low, high).  Arguments as in :func:`normal`.

    >>> import mathnet as mn
    >>> mn.random.uniform(4, low=-1.0).dtype
    dtype('float32')
    """
    if _number("uniform", "high", high) < _number("uniform", "low", low):
        raise ArgumentError(f"random.uniform: high={high} lies below low={low}")
    return _draw("random_uniform", shape, dtype, like, low=float(low), high=float(high))


def bernoulli(shape: Any, probability: float = 0.5, *, dtype: Any = None, like: Any = None) -> Any:
    """Ones with the given probability, zeros else, as floats.  Other arguments as in :func:`normal`.

    >>> import mathnet as mn
    >>> mn.random.bernoulli((3,), 1.0)
    array([1., 1., 1.], dtype=float32)
    """
    if not 0 <= _number("bernoulli", "probability", probability) <= 1:
        raise ArgumentError(
            f"random.bernoulli: probability must lie between 0 and 1, but it is {probability}"
        )
    return _draw("random_bernoulli", shape, dtype, like, probability=float(probability))


def _number(name: str, argument: str, value: Any) -> float:
    if isinstance(value, Tensor) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentError(
            f"random.{name}: {argument} must be a number, not {value!r}; scale the draw instead"
        )
    return float(value)


def _draw(op: str, shape: Any, dtype: Any, like: Any, **attrs: float) -> Any:
    name = op.replace("_", ".")
    shape = _shape(name, shape)
    trace = current_trace()
    if trace is None and not isinstance(like, Tensor):
        from mathnet.functions import run

        return run(lambda: _node(op, shape, _dtype(name, dtype, like), attrs), (), {}, name)
    return _node(op, shape, _dtype(name, dtype, like), attrs)


def _node(op: str, shape: tuple, dtype: np.dtype, attrs: dict[str, Any]) -> Tensor:
    import mathnet.ops  # noqa: F401  (fills the table)
    from mathnet.plugin.host import current_runtime

    trace = current_trace()
    if trace is None:
        runtime = current_runtime()
        step = as_tensor(np.array(runtime.next_count(), FLOAT64))
        return OPS[op](*_counters(step), shape=shape, dtype=dtype, seed=runtime.seed, stream=0, **attrs)
    if trace.step is None:  # outside of a Trainer: the Runtime's seed and counter
        runtime = current_runtime()
        trace.seed = runtime.seed
        trace.step = as_tensor(np.array(runtime.next_count(), FLOAT64))
    stream = trace.next_stream()
    return OPS[op](*_counters(trace.step), shape=shape, dtype=dtype, seed=trace.seed, stream=stream, **attrs)


def _counters(step: Tensor) -> tuple[Tensor, ...]:
    position = loop_position.get()
    return (step,) if position is None else (step, position)


def _shape(name: str, shape: Any) -> tuple:
    sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    found: list[Any] = []
    for size in sizes:
        if isinstance(size, Dim):
            found.append(size)
            continue
        try:
            found.append(size.__index__())
        except (AttributeError, TypeError):
            raise ArgumentError(f"{name}: shape must hold integers, not {size!r}") from None
        if found[-1] < 0:
            raise ArgumentError(f"{name}: shape {tuple(sizes)} has a negative size")
    return tuple(found)


def _dtype(name: str, dtype: Any, like: Any) -> np.dtype:
    if dtype is None:
        if like is None:
            return FLOAT32
        found = like.dtype if hasattr(like, "dtype") else np.asarray(like).dtype
        return graph_dtype(found, name) if np.dtype(found).kind == "f" else FLOAT32
    found = graph_dtype(dtype, name)
    if not is_float(found):
        raise DTypeError(
            f"{name}: dtype must be float32 or float64, not {found}; convert the draw with mn.cast"
        )
    return found
