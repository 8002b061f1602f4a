"""Every exception and warning that mathnet raises.

Messages name the operation or layer, the argument, the shapes and the way out.
``MathnetError`` is the root; each class is also the built-in kind that callers would expect to catch.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class MathnetError(Exception):
    """Root of all mathnet exceptions."""


class ShapeError(MathnetError, ValueError):
    """Ranks or sizes do not fit."""


class DTypeError(MathnetError, TypeError):
    """An element type is not supported where it was given."""


class ArgumentError(MathnetError, ValueError):
    """An argument has a value outside of what the operation or layer takes."""


class DataError(MathnetError, ValueError):
    """Data hold a value that cannot be right: a label out of range, a NaN target, weights that sum to zero."""


class GraphError(MathnetError, TypeError):
    """A symbolic tensor was used where Python or NumPy needs a value, or a graph is not well formed."""


class GradientError(MathnetError):
    """A derivative does not exist, or a gradient check failed."""


class FileFormatError(MathnetError, ValueError):
    """A file is not what its reader expects."""


class PluginError(MathnetError):
    """A plugin is broken, ambiguous or not allowed."""


class UnknownKeyError(MathnetError, LookupError):
    """No object is registered under a name."""


class CheckError(MathnetError, AssertionError):
    """A plugin object fails checks of the conformance kit; ``failures`` holds (kind, key, check, message) of each."""

    def __init__(self, message: str, failures: Iterable[tuple[str, str, str, str]] = ()) -> None:
        super().__init__(message)
        self.failures = list(failures)


class PluginWarning(UserWarning):
    """A plugin could not be used; everything else goes on."""


class TrainingWarning(UserWarning):
    """A training goes on, but something is wrong with it, such as gradients that vanish."""


def require_function(argument: str, value: object, instead: str = "") -> None:
    """Raises ArgumentError when ``value`` cannot be called; ``instead`` says what to use for such a value."""
    if not callable(value):
        raise ArgumentError(f"{argument} must be a function, not {type(value).__name__}{instead}")


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the names in ``known`` nearest to ``name``, or an empty string."""
    found = difflib.get_close_matches(str(name), [str(k) for k in known], n=3, cutoff=0.55)
    return f" (did you mean {' or '.join(repr(f) for f in found)}?)" if found else ""
