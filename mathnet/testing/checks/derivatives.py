"""First and second derivatives against finite differences; declared straight-through derivatives against their rules."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.derivatives import vjp
from mathnet.errors import GradientError
from mathnet.graph.tree import flatten
from mathnet.plugin.host_op import HostOp
from mathnet.testing.derivative import compare_derivatives
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import trials

KINDS = ("activation", "layer", "loss", "regularizer", "op")


def _checked(subject: Subject, order: int) -> None:
    for trial in trials(subject):
        call, point, names = trial.smooth()
        if point and any(y.dtype.kind == "f" for y in trial.run(trial.inputs("float64"))):
            with subject.entered():
                compare_derivatives(call, point, names, order, subject.note)


def _host(subject: Subject) -> type | None:
    made = subject.record.object
    return made if subject.record.is_class and issubclass(made, HostOp) else None


@check(*KINDS)
def derivative(subject: Subject) -> None:
    """In float64 the first derivative agrees with finite differences along random directions, by every input and weight."""
    made: Any = subject.record.object
    if subject.record.gradient == "surrogate":
        return  # ``surrogate`` looks at it
    if subject.kind == "op" and subject.record.is_class and made.vjp is None:
        subject.note("derivative: it has no vjp, so it is an error to ask for one")
        return
    _checked(subject, 1)


@check(*KINDS)
def second_derivative(subject: Subject) -> None:
    """The second derivative agrees with finite differences of the first, or is refused by name."""
    if subject.record.gradient == "surrogate" or _host(subject) is not None:
        return  # host operations are first order
    try:
        _checked(subject, 2)
    except GradientError as error:
        if "first derivative only" in str(error) or "has no derivative" in str(error):
            subject.note(f"second derivative: refused ({error})")
        else:
            raise


@check("layer")
def derivative_in_training(subject: Subject) -> None:
    """In training mode too, where the layer computes something else there and draws nothing at random."""
    for trial in trials(subject):
        call, point, names = trial.smooth(training=True)
        quiet, _, _ = trial.smooth()
        with subject.entered():
            twice = [[np.asarray(y) for y in flatten(call(*point))[0]] for _ in range(2)]
            inference = [np.asarray(y) for y in flatten(quiet(*point))[0]]
            if not point or not _equal(*twice) or _equal(twice[0], inference):
                continue
            compare_derivatives(call, point, names, 1, subject.note)


def _equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(a, b))


@check(*KINDS)
def surrogate(subject: Subject) -> None:
    """What is declared ``gradient="surrogate"`` has the derivative of its own rule: finite, linear in the cotangent."""
    if subject.record.gradient != "surrogate":
        return
    for trial in trials(subject):
        call, point, names = trial.smooth()
        with subject.entered():
            value, pullback = vjp(call, *point)
            rng = np.random.default_rng(11)
            cotangents = [rng.standard_normal(np.shape(y)) for y in flatten(value)[0]]
            dy: Any = cotangents[0] if len(cotangents) == 1 else tuple(cotangents)
            twice: Any = 2.0 * cotangents[0] if len(cotangents) == 1 else tuple(2.0 * c for c in cotangents)
            first, doubled = _tuple(pullback(dy)), _tuple(pullback(twice))
            declared = _declared(subject, trial, dy, point)
        for name, a, b in zip(names, first, doubled):
            require(np.isfinite(a).all(), f"the declared derivative by {name} is not finite")
            require(
                np.allclose(2.0 * a, b, rtol=1e-9),
                f"the declared derivative by {name} is not linear in the cotangent",
            )
        require(
            any(np.any(a) for a in first),
            "the declared derivative is zero everywhere, so nothing can be learned through it",
        )
        for name, a, b in zip(names, first, declared or first):
            require(
                b is None or np.allclose(a, b, rtol=1e-9, atol=1e-12),
                f"the derivative by {name} is not what its vjp() returns",
            )


def _declared(subject: Subject, trial: Any, dy: Any, point: list[np.ndarray]) -> list[Any] | None:
    """What the rule itself gives, where it can be called by itself."""
    host: Any = _host(subject)
    if host is None:
        return None
    made = host()
    out = made.forward(*point, **trial.sample.config)
    return list(_tuple(made.vjp(dy, *point, out=out, **trial.sample.config)))


def _tuple(value: Any) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
