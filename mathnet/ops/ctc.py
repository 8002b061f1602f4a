"""Connectionist temporal classification: the likelihood of a sequence of labels that is shorter than the sequence of scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, DTypeError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import INT64
from mathnet.graph.op import FUNCTIONS, OPS, as_tensor, graph_function
from mathnet.graph.tensor import Tensor
from mathnet.ops.comparison import equal, less, logical_or, maximum, where
from mathnet.ops.cross_entropy import labels_in_range, log_probabilities
from mathnet.ops.exponential import exp, log
from mathnet.ops.filled import full_like, one_hot, zeros_like
from mathnet.ops.matmul import matmul
from mathnet.ops.padding import pad
from mathnet.ops.reduction import logsumexp
from mathnet.ops.scan import scan
from mathnet.ops.shape import expand_dims, moveaxis, reshape, stack, transpose

#: Stands for log 0: sums of it stay finite in float32, so no derivative becomes NaN.
_LOG_ZERO = -1e30


def _integers(name: str, argument: str, value: Any, shape: tuple) -> Tensor:
    found = as_tensor(value, f"{name}: {argument}")
    if found.dtype.kind not in "iu":
        raise DTypeError(f"{name}: {argument} must be integers, not {found.dtype}")
    if found.shape != shape:
        raise ShapeError(
            f"{name}: {argument} must have shape {show_shape(shape)}, not {show_shape(found.shape)}"
        )
    return found if found.dtype == INT64 else OPS["cast"](found, dtype=INT64)


@graph_function
def ctc_loss(
    log_probs: Any,
    targets: Any,
    input_lengths: Any = None,
    target_lengths: Any = None,
    blank: int = 0,
    zero_infinity: bool = False,
) -> Tensor:
    """−log Σ Π_t p_t(π_t) over all paths π that become the target when repeats are merged and blanks dropped.

    log_probs (N, T, C): logarithms of probabilities (from ``mn.log_softmax``); targets (N, S) int64, of which the first
    target_lengths (N) count (None: all), as do the first input_lengths (N) steps (None: all) → (N).  The sum runs over the forward
    variables of the target with blanks in between, in logarithms.  A target that no path can give costs inf, or 0 with zero_infinity,
    and has no derivative then.  A label or a length out of range is a DataError.  PyTorch's function takes (T, N, C) and averages.
    Source: Graves et al., Connectionist Temporal Classification, ICML 2006.

    >>> import numpy as np, mathnet as mn
    >>> mn.ctc_loss(np.log(np.full((1, 2, 2), 0.5)), [[1]])       # paths 01, 10 and 11
    array([0.28768207])
    """
    scores = log_probabilities("ctc_loss", log_probs)
    if scores.ndim != 3 or isinstance(scores.shape[2], Dim):
        raise ShapeError(
            f"ctc_loss: log_probs must have the axes (N, T, C), but the shape is {show_shape(scores.shape)}"
        )
    examples, steps, classes = scores.shape
    labels = as_tensor(targets, "ctc_loss: targets")
    if labels.ndim != 2 or isinstance(labels.shape[1], Dim):
        raise ShapeError(
            f"ctc_loss: targets must have the axes (N, S) with a known S, but the shape is {show_shape(labels.shape)}"
        )
    length = labels.shape[1]
    labels = _integers("ctc_loss", "targets", labels, (examples, length))
    if isinstance(blank, bool) or not isinstance(blank, (int, np.integer)) or not 0 <= blank < classes:
        raise ArgumentError(f"ctc_loss: blank must be a class from 0 to {classes - 1}, not {blank!r}")
    if target_lengths is not None:
        target_lengths = _integers("ctc_loss", "target_lengths", target_lengths, (examples,))
        target_lengths = labels_in_range(target_lengths, length + 1)
        labels = where(less(np.arange(length), expand_dims(target_lengths, 1)), labels, blank)
    if input_lengths is not None:
        input_lengths = _integers("ctc_loss", "input_lengths", input_lengths, (examples,))
        if not isinstance(steps, Dim):
            input_lengths = labels_in_range(input_lengths, steps + 1)
        input_lengths = expand_dims(input_lengths, 1)

    # blank, label, blank, label, …, blank: a path stays, steps on, or skips a blank between two different labels.
    labels = labels_in_range(labels, classes)
    spaced = reshape(stack([full_like(labels, blank), labels], axis=2), (examples, 2 * length))
    extended = pad(spaced, ((0, 0), (0, 1)), constant_values=blank)
    emissions = matmul(
        maximum(scores, _LOG_ZERO), transpose(one_hot(extended, classes, dtype=scores.dtype), (0, 2, 1))
    )
    zero = zeros_like(extended, dtype=scores.dtype)
    if length:
        stays = logical_or(equal(extended[:, 2:], blank), equal(extended[:, 2:], extended[:, :-2]))
        skip = where(stays, full_like(zero[:, 2:], _LOG_ZERO), zero[:, 2:])
        skip = pad(skip, ((0, 0), (2, 0)), constant_values=_LOG_ZERO)
    else:
        skip = full_like(zero, _LOG_ZERO)
    start = where(equal(np.arange(2 * length + 1), 0), zero, _LOG_ZERO)

    def step(carry: Any, emission: Any) -> Any:
        alpha, turn = carry
        before = _shifted(alpha, 1)
        skipped = _shifted(alpha, 2) + skip
        largest = FUNCTIONS["stop_gradient"](maximum(maximum(alpha, before), skipped))
        total = exp(alpha - largest) + exp(before - largest) + exp(skipped - largest)
        new = largest + log(total) + emission
        if input_lengths is not None:
            new = where(less(turn, input_lengths), new, alpha)
        return (new, turn + 1), None

    (alpha, _), _ = scan(step, (start, as_tensor(np.array(0))), moveaxis(emissions, 1, 0))
    ends = as_tensor(np.array(length)) if target_lengths is None else expand_dims(target_lengths, 1)
    places = np.arange(2 * length + 1)
    final = where(logical_or(equal(places, ends * 2), equal(places, ends * 2 - 1)), alpha, _LOG_ZERO)
    likelihood = logsumexp(final, axis=1)
    return where(less(likelihood, 0.1 * _LOG_ZERO), 0.0 if zero_infinity else float("inf"), -likelihood)


def _shifted(alpha: Tensor, places: int) -> Tensor:
    """Values that come from ``places`` positions before."""
    if alpha.shape[1] <= places:
        return full_like(alpha, _LOG_ZERO)
    return pad(alpha[:, :-places], ((0, 0), (places, 0)), constant_values=_LOG_ZERO)
