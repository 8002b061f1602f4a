"""Report: what a study report returns, a text for people and the data of its figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError


@dataclasses.dataclass(frozen=True)
class Report:
    """A text, and the numbers and arrays behind it by name; ``str(report)`` is the text.

    Raises ArgumentError when the text is no str or the data are no mapping with names as keys.

    >>> import mathnet as mn
    >>> report = mn.Report("two weights", {"norms": np.array([1.0, 0.5])})
    >>> print(report)
    two weights
    >>> report.as_dict()
    {'text': 'two weights', 'data': {'norms': [1.0, 0.5]}}
    """

    text: str
    data: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ArgumentError(f"Report: the text must be a str, not {self.text!r}")
        if not isinstance(self.data, Mapping) or any(not isinstance(name, str) for name in self.data):
            raise ArgumentError(f"Report: the data must be a dict with names as keys, not {self.data!r}")

    @classmethod
    def of(cls, result: Any, key: str) -> Report:
        """What the report ``key`` returned, as a Report; ArgumentError when it is neither one nor a text."""
        if isinstance(result, str):
            return cls(result)
        if not isinstance(result, cls):
            raise ArgumentError(
                f"report {key!r} returned {type(result).__name__}; mn.Report or a text is expected"
            )
        return result

    def __str__(self) -> str:
        return self.text

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: arrays as lists."""
        return {"text": self.text, "data": _plain(self.data)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
