"""Session: calls of a model that continue one another.  It owns the states of recurrent layers and the caches of attention."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from threading import Lock
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, GraphError, ShapeError
from mathnet.graph.dim import Dim
from mathnet.graph.graph import Graph
from mathnet.graph.trace import Trace
from mathnet.model.calls import BoundCall, Recent
from mathnet.model.inputs import BATCH, match
from mathnet.model.session_memory import SessionMemory, States

PLANS = 16  # lengths of input whose plans a session keeps
ROOM = 64  # places that caches have at first; they double when they are full


class _Bound:
    """The plan of a session's call on inputs of given sizes, and the positions that it takes and adds."""

    def __init__(self, session: Session, sizes: Mapping[Dim, int], room: int) -> None:
        model, states = session.model, session._states
        self.memory = memory = SessionMemory(session.length, room, states)
        with Trace(seed=model.runtime.seed, memory=memory) as trace:
            graph = model.graph.bind(sizes, training=False)
        own = {id(v) for v in states}
        updates = [(variable, value) for variable, value in trace.updates.items() if id(variable) in own]
        inputs = [*graph.inputs, *memory.places.values()]
        graph = Graph(inputs, graph.outputs, updates, name=f"session of {session._owner}")
        # Not model.settled: a frozen model would take the states for constants.
        self._graph, self._runtime = model.constants.settle(graph), model.runtime

    @cached_property
    def call(self) -> BoundCall:
        return BoundCall(self._graph, _mismatch, self._runtime, lambda error, plan, _: plan.worded(error))


class Session:
    """Calls of a model that continue one another: ``with model.session(batch=1) as s: y1 = s(x1); y2 = s(x2)``.

    batch: the number of sequences side by side, the same in every call; length: how many positions attention layers keep of each.
    Each call gives the part of the sequence that comes next, of any number of steps.  Recurrent layers with stateful=True start where
    the call before ended; causal self-attention keeps keys and values of all positions seen; position encodings go on counting: the
    parts have the bits that one call on the whole sequence gives.  A step costs the same wherever it stands, but for attention, which
    reads what was kept: caches begin small and double when they are full, and a call writes its own steps only.
    All other layers see the part alone.  Training steps between calls change the weights for the calls that follow.

    Sequences of different lengths side by side: give attention and position encodings ``mask=`` (N, T) bool, True where a step counts.
    Hidden steps are not kept and take no position, so each row goes on as if it were alone.

    One session may be used by several threads; its calls then run one at a time.  ``reset()`` starts anew, ``close()`` (or the
    end of ``with``) frees the states.  Raises GraphError after that, ShapeError for another batch size, ArgumentError when more than
    ``length`` positions are given to attention; the states are then as before the call.

    >>> import mathnet as mn
    >>> x = mn.Input((None, 3))
    >>> model = mn.Model(x, mn.layers.LSTM(4, return_sequences=True, stateful=True)(x))
    >>> steps = np.ones((1, 5, 3), np.float32)
    >>> with model.session(batch=1) as s:
    ...     parts = [s(steps[:, :2]), s(steps[:, 2:])]
    >>> bool(np.all(np.concatenate(parts, axis=1) == model(steps)))
    True
    """

    def __init__(self, model: Any, batch: int = 1, length: int = 1024) -> None:
        self.model, self._owner = model, model._owner
        self.batch = _positive(self._owner, "batch", batch)
        self.length = _positive(self._owner, "length", length)
        self.closed = False
        self._lock = Lock()
        self._states = States()
        self._positions: dict[int, int] = {}
        self._room = min(ROOM, self.length)
        self._bound: Recent[_Bound] = Recent(PLANS)

    def __call__(self, *inputs: Any) -> Any:
        """The outputs for the next part of the sequences; inputs as of the model."""
        with self._lock:
            return self._run(inputs[0] if len(inputs) == 1 else inputs)

    def plan(self, *inputs: Any) -> Any:
        """The plan of a call on such inputs at this point of the sequences; its ``explain()`` tells what a call costs."""
        with self._lock:
            bound, _ = self._bind(self._arrays(inputs[0] if len(inputs) == 1 else inputs))
            return bound.call.plan

    def _arrays(self, x: Any) -> list[np.ndarray]:
        if self.closed:
            raise GraphError(f"the session of {self._owner} is closed; open another one with model.session()")
        return self.model.arrays(x)

    def _run(self, x: Any) -> Any:
        arrays = self._arrays(x)
        bound, starts = self._bind(arrays)
        memory = bound.memory
        if memory.room > self._room:
            self._states.move(self._room, memory.room, self.batch)
            self._room = memory.room
        try:
            outputs = bound.call.run([*arrays, *[np.array(start, np.int64) for start in starts.values()]])
        except BaseException:
            self._states.forget_behind(self._positions, self.batch)
            raise
        for key, start in starts.items():
            self._positions[key] = start + memory.counts[key]
        return self.model._nested(outputs)

    def _bind(self, arrays: list[np.ndarray]) -> tuple[_Bound, dict[int, int]]:
        """What runs a call on such arrays, and the positions of its layers at the start."""
        model = self.model
        sizes = match(model.inputs, arrays, model.input_names, self._owner)
        given = sizes.get(BATCH, self.batch)
        if given != self.batch:
            raise ShapeError(
                f"the session of {self._owner} was opened for batch={self.batch}, but {given} rows were given"
            )
        if 0 in sizes.values():
            raise ShapeError(f"the session of {self._owner} was given an input without elements")
        room = self._room
        while True:  # how many places the layers take is known when they are traced
            bound = self._bound.get((room, *sizes.items()), partial(_Bound, self, sizes, room))
            memory = bound.memory
            starts = {key: self._positions.get(key, 0) for key in memory.places}
            ends = {key: starts[key] + memory.counts[key] for key in memory.limited}
            for key, end in ends.items():
                if end > self.length:
                    raise ArgumentError(
                        f"the session of {self._owner} was opened for length={self.length} positions, but layer "
                        f"{memory.limited[key]!r} would see {end}; open it with a larger length"
                    )
            needed = self._enough(max(ends.values(), default=0))
            if needed <= room:
                return bound, starts
            room = needed

    def _enough(self, places: int) -> int:
        """A room for so many places: the present one, doubled until it is large enough."""
        room = self._room
        while room < places:
            room *= 2
        return min(room, self.length)

    def reset(self) -> None:
        """Forgets what was seen: the next call is a first one."""
        for variable in self._states:
            variable.array[...] = 0
        self._positions.clear()
        self._room = min(ROOM, self.length)

    def close(self) -> None:
        """Frees states and caches; a second time does nothing."""
        self.closed = True
        self._states.clear()
        self._positions.clear()
        self._bound.clear()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else f"batch {self.batch}, length {self.length}"
        return f"<Session of {self._owner}: {state}>"


def _positive(owner: str, argument: str, value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise ArgumentError(f"{owner}.session: {argument} must be a positive integer, not {value!r}")
    return value.__index__()


def _mismatch(*arrays: Any) -> Any:
    raise ShapeError(f"a session's plan was called with {len(arrays)} arrays that do not fit it")
