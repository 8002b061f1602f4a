"""Distributions: samples, density, distribution function, moments, entropy and fitting against each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.errors import GradientError
from mathnet.testing.derivative import compare_derivatives
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require

COUNT = 20_000
#: Standard errors by which an estimate from samples may differ.
ERRORS = 6.0


def _drawn(subject: Subject) -> list[tuple[Any, np.ndarray]]:
    """(distribution, samples) for each way to make one."""
    found = []
    for sample in subject.samples:
        made = subject.make(sample)
        found.append((made, np.asarray(made.sample((COUNT,), seed=1))))
    return found


def _numbers(made: Any, values: np.ndarray) -> bool:
    """Whether it is a distribution of single numbers."""
    return values.shape == (COUNT,) and np.shape(made.sample((), seed=0)) == ()


def _whole(values: np.ndarray) -> bool:
    return bool(np.all(values == np.round(values)))


def _value(made: Any, name: str) -> np.ndarray | None:
    """A property or a method without arguments, where the class has it."""
    if not hasattr(type(made), name) and not hasattr(made, name):
        return None
    found = getattr(made, name)
    return np.asarray(found() if callable(found) else found, np.float64)


def _reparameterised(made: Any) -> tuple[int, ...] | None:
    """The shape of three differentiable draws; None where there are none, or a GradientError says so."""
    if not hasattr(made, "rsample"):
        return None
    try:
        return np.shape(made.rsample((3,), seed=0))
    except GradientError:
        return None


@check("distribution")
def sampling(subject: Subject) -> None:
    """``sample(shape, seed)`` has the shape asked for before that of one draw; a seed fixes the draws."""
    with subject.entered():
        for made, values in _drawn(subject):
            one = np.shape(made.sample((), seed=0))
            for shape in ((), (3,), (2, 3), (0,)):
                found = np.shape(made.sample(shape, seed=0))
                require(
                    found == (*shape, *one),
                    f"sample({shape}) has the shape {found} instead of {(*shape, *one)}",
                )
            require(np.array_equal(values, made.sample((COUNT,), seed=1)), "the same seed gives other draws")
            if np.ptp(values) > 0:
                require(
                    not np.array_equal(values, made.sample((COUNT,), seed=2)),
                    "another seed gives the same draws",
                )
            found = _reparameterised(made)
            require(found in (None, (3, *one)), "rsample has another shape than sample")


@check("distribution")
def log_density(subject: Subject) -> None:
    """``log_prob`` is finite at every draw, in both float types, and never NaN, outside of the support neither."""
    with subject.entered():
        for made, values in _drawn(subject):
            lp = np.asarray(made.log_prob(values))
            one = np.shape(made.sample((), seed=0))
            require(
                lp.shape == (COUNT,) or (one and lp.shape == values.shape),
                f"log_prob of {values.shape} has the shape {lp.shape}",
            )
            if not np.isfinite(lp).all():
                raise AssertionError(
                    f"log_prob is {lp[~np.isfinite(lp)][0]} at the draw {values[~np.isfinite(lp)][0]}"
                )
            if _numbers(made, values):
                far = np.array([-1e6, -1e3, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 1e3, 1e6])
                found = np.asarray(made.log_prob(far))
                if np.isnan(found).any():
                    raise AssertionError(
                        f"log_prob is NaN at {far[np.isnan(found)][0]:g}; outside of the support it is −∞"
                    )
            if values.dtype.kind == "f":
                single = np.asarray(made.log_prob(values.astype(np.float32)))
                close = np.isclose(
                    single,
                    np.asarray(made.log_prob(values.astype(np.float32).astype(float))),
                    rtol=1e-3,
                    atol=1e-3,
                )
                require(close.mean() > 0.999, "log_prob in float32 differs from that in float64")


@check("distribution")
def density_against_samples(subject: Subject) -> None:
    """Between two quantiles of the draws lies the probability that the density says, and that ``cdf`` says."""
    with subject.entered():
        for made, values in _drawn(subject):
            if not _numbers(made, values) or np.ptp(values) == 0:
                continue
            low, high = np.quantile(values, [0.1, 0.9], method="nearest")
            share = float(np.mean((values >= low) & (values <= high)))
            slack = ERRORS * np.sqrt(0.25 / COUNT)
            if _whole(values):
                at = np.arange(low, high + 1.0)
                mass = float(np.sum(np.exp(np.asarray(made.log_prob(at), float))))
                below = low - 1.0
            else:
                nodes, weights = np.polynomial.legendre.leggauss(200)
                at = 0.5 * (high - low) * (nodes + 1.0) + low
                mass = float(
                    0.5 * (high - low) * np.sum(weights * np.exp(np.asarray(made.log_prob(at), float)))
                )
                below = low
            require(
                abs(mass - share) <= slack,
                f"the density gives {mass:.4f} to [{low:.4g}, {high:.4g}], but {share:.4f} of the draws lie there",
            )
            if hasattr(made, "cdf"):
                between = float(np.asarray(made.cdf(high)) - np.asarray(made.cdf(below)))
                require(
                    abs(between - mass) <= 1e-4 * max(1.0, mass),
                    f"cdf gives {between:.6f} to [{low:.4g}, {high:.4g}], the density {mass:.6f}",
                )
                grid = np.asarray(made.cdf(np.sort(values)[:: COUNT // 50]), float)
                require(
                    (np.diff(grid) >= -1e-12).all() and (grid >= 0).all() and (grid <= 1 + 1e-12).all(),
                    "cdf does not rise from 0 to 1",
                )


@check("distribution")
def moments(subject: Subject) -> None:
    """mean, variance and stddev agree with the draws, entropy with the mean of −log_prob."""
    with subject.entered():
        for made, values in _drawn(subject):
            mean, variance, deviation = (_value(made, name) for name in ("mean", "variance", "stddev"))
            spread = values.std(axis=0)
            if (
                mean is not None
                and np.isfinite(mean).all()
                and (variance is None or np.isfinite(variance).all())
            ):
                _agree("mean", mean, values.mean(axis=0), spread / np.sqrt(COUNT))
            if variance is not None and np.isfinite(variance).all() and variance.shape == spread.shape:
                squares = np.square(values - values.mean(axis=0))
                heavy = squares.std(axis=0) / np.sqrt(COUNT) + 1e-3 * spread**2
                _agree("variance", variance, values.var(axis=0), heavy)
                if deviation is not None:
                    require(
                        np.allclose(deviation**2, variance, rtol=1e-5),
                        f"stddev² is {deviation**2}, but variance {variance}",
                    )
            entropy = _value(made, "entropy")
            if entropy is not None and np.isfinite(entropy).all():
                surprise = -np.asarray(made.log_prob(values), float)
                _agree("entropy", entropy, surprise.mean(axis=0), surprise.std(axis=0) / np.sqrt(COUNT))


def _agree(what: str, claimed: np.ndarray, estimate: np.ndarray, error: np.ndarray) -> None:
    require(
        np.all(np.abs(claimed - estimate) <= ERRORS * error + 1e-6 * (1.0 + np.abs(claimed))),
        f"{what} is {claimed}, but {COUNT} draws give {estimate} ± {error}",
    )


@check("distribution")
def derivative_of_the_density(subject: Subject) -> None:
    """The derivative of ``log_prob`` agrees with finite differences, where the draws are no whole numbers."""
    with subject.entered():
        for made, values in _drawn(subject):
            if values.dtype.kind != "f" or _whole(values) or not _numbers(made, values):
                continue
            inside = np.sort(values.astype(float))[COUNT // 20 :: COUNT // 12]
            compare_derivatives(lambda x, made=made: made.log_prob(x), [inside], ["x"], 1, subject.note)


@check("distribution")
def fitting(subject: Subject) -> None:
    """``fit`` finds parameters under which the draws are at least as probable as under the true ones."""
    fit = getattr(subject.record.object, "fit", None)
    if fit is None:
        return
    with subject.entered():
        for made, values in _drawn(subject):
            data = values[:2000]
            found = fit(data)
            require(isinstance(found, subject.record.object), f"fit() returned {type(found).__name__}")
            likelihood = [float(np.mean(np.asarray(d.log_prob(data), float))) for d in (found, made)]
            require(
                likelihood[0] >= likelihood[1] - 1e-5 * (1.0 + abs(likelihood[1])),
                f"the fitted distribution gives its data a mean log-likelihood of {likelihood[0]:.6f}, the true one {likelihood[1]:.6f}",
            )
