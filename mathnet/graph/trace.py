"""The state of one tracing: mode, assignments of variables, random streams.

A Trace is active while user functions and layers run on tensors (``with trace:``).  It is context-local, so threads and
coroutines trace independently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, Protocol

from mathnet.errors import GraphError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.op import VARIABLE
from mathnet.graph.tensor import Tensor

_active: ContextVar[Trace | None] = ContextVar("mathnet_trace", default=None)
#: Inside of the body of a loop: the number of the iteration, a tensor that draws depend on.
loop_position: ContextVar[Tensor | None] = ContextVar("mathnet_loop_position", default=None)


class Memory(Protocol):
    """What layers keep from one call of a session to the next; see :class:`mathnet.model.session.Session`."""

    length: int

    def recall(self, owner: Any, name: str, shape: tuple, dtype: Any) -> Tensor:
        """What the calls before left under ``name`` of the layer ``owner``; zeros in the first one."""

    def remember(self, owner: Any, name: str, value: Tensor) -> None:
        """Leaves ``value`` for the next call."""

    def advance(self, owner: Any, count: int, limited: bool = True, mask: Tensor | None = None) -> Tensor:
        """The number of positions that ``owner`` has seen in calls before, to which this call adds ``count``.

        limited: whether ``length`` positions are all that there is room for.  mask (N, count) bool: which steps take a position; then the
        numbers (N) of each sequence.
        """

    def keep(
        self, owner: Any, name: str, values: Tensor, places: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """``values`` (N, T, …) put at ``places`` (T) or (N, T) int64 of a sequence that grows; returns all places (N, room, …).

        Nothing else is copied, so a call costs what it adds.  The room is at least the largest number of positions that ``advance`` has
        counted.  What stands behind the positions counted so far is undefined: do not let it reach a result.  mask (N, T) bool: what is
        put at all.
        """


class Trace:
    """One tracing.

    training: the mode that layers see; seed: the key of all draws; step: the tensor (rank 0, float64) that makes draws differ from
    step to step; memory: that of a session, where the call belongs to one.  ``updates`` maps variables to the tensors last assigned to
    them; ``losses`` collects penalties that layers add.
    """

    def __init__(
        self,
        training: bool = False,
        seed: int = 0,
        step: Tensor | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.training, self.seed, self.step, self.memory = training, seed, step, memory
        self.updates: dict[Any, Tensor] = {}
        self.losses: list[Tensor] = []
        self._reads: dict[Any, Tensor] = {}
        self._path: list[str] = []
        self._draws: dict[str, int] = {}
        self._tokens: list[Token] = []
        self.frozen_state: str | None = (
            None  # set inside bodies of scan: the reason why assignments are refused
        )

    def __enter__(self) -> Trace:
        self._tokens.append(_active.set(self))
        return self

    def __exit__(self, *exception: object) -> None:
        _active.reset(self._tokens.pop())

    def read(self, variable: Any) -> Tensor:
        """The variable's value at this point of the trace: the last assigned one, else the stored one."""
        if variable in self.updates:
            return self.updates[variable]
        if variable not in self._reads:
            self._reads[variable] = VARIABLE(spec=variable.spec, variable=variable)
        return self._reads[variable]

    def substitute(self, variable: Any, tensor: Tensor) -> None:
        """Makes reads of ``variable`` give ``tensor``: how a model becomes a function of its parameters."""
        self._reads[variable] = tensor

    def assign(self, variable: Any, value: Tensor) -> None:
        """Records an assignment; it takes effect when a training step commits."""
        if self.frozen_state is not None:
            raise GraphError(f"{variable.name!r} cannot be assigned {self.frozen_state}")
        if value.shape != variable.spec.shape:
            raise ShapeError(
                f"{variable.name!r} has shape {show_shape(variable.spec.shape)}, "
                f"but a value of shape {show_shape(value.shape)} is assigned to it"
            )
        self.updates[variable] = value

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names the layer whose call is traced; draws inside depend on the path of these names."""
        self._path.append(name)
        try:
            yield
        finally:
            self._path.pop()

    @property
    def path(self) -> str:
        return "/".join(self._path)

    def next_stream(self) -> int:
        """The key of the next draw: a function of the layer path and the number of draws made there before."""
        path = self.path
        index = self._draws.get(path, 0)
        self._draws[path] = index + 1
        return stream(path, index)


def stream(path: str, index: int) -> int:
    """64-bit key of draw ``index`` of the layer at ``path``."""
    return int.from_bytes(hashlib.blake2b(f"{path}\0{index}".encode(), digest_size=8).digest(), "little")


def current_trace() -> Trace | None:
    return _active.get()
