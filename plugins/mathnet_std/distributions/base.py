"""What the distributions share: parameters, supports, samples, fitting."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

import mathnet as mn
from mathnet_std.distributions.drawing import Source
from mathnet_std.distributions.likelihood import Fit, standard_errors

TINY = np.finfo(np.float64).tiny
#: The least scale that a network can predict, so that a likelihood cannot grow without bound.
TINY_SCALE = 1e-6


class Distribution:
    """A distribution with array or tensor parameters, which broadcast; a subclass states its parameters and its functions.

    ``parameters`` names the parameters in the constructor's order; ``fitted`` is None, or after :meth:`fit` the likelihood and the standard
    errors.  ``log_prob`` is −∞ outside of the support.
    """

    parameters: ClassVar[tuple[str, ...]] = ()
    #: Axes of one draw: 0 for numbers, 1 for vectors.
    event_rank: ClassVar[int] = 0
    #: Why there is no :meth:`rsample`; empty where there is one.
    no_reparameterisation: ClassVar[str] = ""
    fitted: Fit | None = None

    # ---- to be given by a subclass ----

    def log_prob(self, x: Any) -> Any:
        """log of the density (of the probability, for discrete distributions) at x."""
        raise TypeError(f"{type(self).__name__} has no density")

    def _draw(self, source: Source, shape: tuple) -> Any:
        """Draws of the given shape before that of one draw; differentiable in the parameters where that is possible."""
        raise TypeError(f"{type(self).__name__} has no samples")

    # ---- the same for all ----

    @property
    def variance(self) -> Any:
        """The variance of each number."""
        raise mn.MathnetError(f"{type(self).__name__}: the variance has no closed form")

    @property
    def stddev(self) -> Any:
        """√variance."""
        return mn.sqrt(self.variance)

    @property
    def batch_shape(self) -> tuple:
        """The shape that the parameters broadcast to, without the axes of one draw."""
        shapes = [shape_of(value) for value in self.values()]
        return np.broadcast_shapes(*[s[: len(s) - self.event_rank] for s in shapes]) if shapes else ()

    def values(self) -> list[Any]:
        return [getattr(self, name) for name in self.parameters]

    def sample(self, shape: int | tuple = (), seed: int | None = None) -> Any:
        """Draws of ``shape`` + the shape of the parameters, without a derivative.

        seed: None draws from the Runtime (``mn.seed``), or the generator of the plan that is traced; a whole number fixes the draws.
        """
        return mn.stop_gradient(self._draw(self._source(seed), self._shape(shape)))

    def rsample(self, shape: int | tuple = (), seed: int | None = None) -> Any:
        """Draws like :meth:`sample` that are differentiable in the parameters (reparameterised).

        Raises GradientError for distributions whose draws jump.
        """
        if self.no_reparameterisation:
            raise mn.GradientError(
                f"{type(self).__name__}.rsample: {self.no_reparameterisation}; use sample and the score function estimator "
                "(mn.expectation_gradient with method='score')"
            )
        return self._draw(self._source(seed), self._shape(shape))

    def _source(self, seed: Any) -> Source:
        return Source(seed, traced=any(isinstance(value, mn.Tensor) for value in self.values()))

    def _shape(self, shape: Any) -> tuple:
        sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        if any(isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0 for n in sizes):
            raise mn.ArgumentError(f"{type(self).__name__}: shape must hold integers ≥ 0, not {shape!r}")
        return (*sizes, *self.batch_shape)

    @classmethod
    def _finish(cls, made: Any, samples: np.ndarray, weights: np.ndarray, **fit: Any) -> Any:
        """``made`` with what is known about the fit."""
        made.fitted = standard_errors(made, samples, weights, **fit)
        return made

    @classmethod
    def from_scores(cls, scores: Any, targets: Any) -> Any:
        """The distribution that a network's ``scores`` stand for, as the loss ``nll`` takes them; ``targets`` give the shape of a draw.

        Positive parameters are softplus or exp of scores; two parameters are the halves of the last axis.
        """
        raise mn.ArgumentError(
            f"nll: {cls.__name__} does not say which scores are its parameters; give a function of the scores that returns one"
        )

    def kl_divergence(self, other: Any) -> Any:
        """KL(self ‖ other) = E[log self − log other] in closed form.

        Raises ArgumentError, naming the pair, where no closed form is known here.
        """
        from mathnet_std.distributions.divergence import kl_divergence

        return kl_divergence(self, other)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_shown(getattr(self, name))}" for name in self.parameters)
        return f"{type(self).__name__}({shown})"


def _shown(value: Any) -> str:
    return (
        repr(value)
        if shape_of(value) == () or isinstance(value, mn.Tensor)
        else f"array of shape {shape_of(value)}"
    )


def shape_of(value: Any) -> tuple:
    """The shape of a tensor, an array, a list or a number."""
    return tuple(value.shape) if hasattr(value, "shape") else np.shape(value)


def parameter(
    owner: str, name: str, value: Any, condition: Callable[[Any], Any] | None = None, words: str = ""
) -> Any:
    """A parameter as float: tensors as they are, arrays as float arrays, numbers as floats; ``condition`` must hold for arrays."""
    if isinstance(value, mn.Tensor):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise mn.DTypeError(f"{owner}: {name} must be numbers, not {array.dtype}")
    array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    if condition is not None and not np.all(condition(array)):
        raise mn.ArgumentError(f"{owner}: {name} must be {words}, but it is {_worst(array, condition)}")
    return float(array) if array.ndim == 0 else array


def _worst(array: np.ndarray, condition: Callable[[Any], Any]) -> str:
    wrong = array[~np.broadcast_to(condition(array), array.shape)]
    return f"{wrong.ravel()[0]:g}"


def positive(owner: str, name: str, value: Any) -> Any:
    return parameter(owner, name, value, lambda a: (a > 0) & np.isfinite(a), "positive and finite")


def real(owner: str, name: str, value: Any) -> Any:
    return parameter(owner, name, value, np.isfinite, "finite")


def probability(owner: str, name: str, value: Any) -> Any:
    return parameter(owner, name, value, lambda a: (a >= 0) & (a <= 1), "from 0 to 1")


def either(owner: str, probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        raise mn.ArgumentError(f"{owner}: give either probs or logits, and not both")


def halves(owner: str, scores: Any, targets: Any) -> tuple[Any, Any]:
    """The two halves of the last axis of scores (…, 2·d) for targets (…, d), or (…, 2) for targets (…)."""
    have, want = shape_of(scores), shape_of(targets)
    if have == (*want, 2):
        return scores[..., 0], scores[..., 1]
    if want and have[:-1] == want[:-1] and have[-1] == 2 * want[-1]:
        return scores[..., : want[-1]], scores[..., want[-1] :]
    raise mn.ShapeError(
        f"nll: {owner} takes scores (…, 2·d) for targets (…, d), or (…, 2) for targets (…), but they have the shapes "
        f"({', '.join(map(str, have))}) and ({', '.join(map(str, want))})"
    )


def argument(owner: str, x: Any) -> Any:
    """What a density is taken at: tensors as they are, arrays as floats."""
    if isinstance(x, mn.Tensor):
        return x if np.dtype(x.dtype).kind == "f" else mn.cast(x, "float64")
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise mn.DTypeError(f"{owner}: x must be numbers, not {array.dtype}")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def within(inside: Any, x: Any, value: Any, outside: float = -math.inf) -> Any:
    """``value`` where x lies inside of the support, ``outside`` elsewhere; NaN stays NaN."""
    return mn.where(inside, value, mn.where(mn.isnan(x), math.nan, outside))


def whole(x: Any) -> Any:
    return mn.equal(mn.floor(x), x)


def samples_and_weights(
    owner: str, samples: Any, weights: Any, event_rank: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Data for a fit as float64: all draws along the first axis, and a weight each (ones by default)."""
    data = np.asarray(samples)
    if data.dtype.kind not in "fiub":
        raise mn.DTypeError(f"{owner}.fit: samples must be numbers, not {data.dtype}")
    data = data.astype(np.float64)
    if data.ndim != 1 + event_rank:
        wanted = "(n,)" if event_rank == 0 else "(n, d)"
        raise mn.ShapeError(f"{owner}.fit: samples must have the shape {wanted}, not {data.shape}")
    given = np.ones(len(data)) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (len(data),):
        raise mn.ShapeError(f"{owner}.fit: weights must have the shape {(len(data),)}, not {given.shape}")
    if not np.all(given >= 0) or not np.isfinite(given).all() or given.sum() == 0:
        raise mn.ArgumentError(f"{owner}.fit: weights must be finite and not negative, and not all 0")
    if not np.isfinite(data).all():
        raise mn.ArgumentError(f"{owner}.fit: samples hold NaN or infinite numbers; drop them")
    kept = given > 0
    return data[kept], given[kept]


def require(owner: str, holds: Any, words: str) -> None:
    """An error for samples that the distribution cannot have."""
    if not np.all(holds):
        raise mn.ArgumentError(f"{owner}.fit: samples must be {words}")
