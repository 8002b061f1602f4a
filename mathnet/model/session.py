"""Session: calls of a model that continue one another.  It owns the states of recurrent layers and the caches of attention."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from mathnet.errors import ArgumentError, GraphError, ShapeError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import INT64
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import Trace, current_trace
from mathnet.model.calls import BoundCall, Recent
from mathnet.model.inputs import BATCH, match
from mathnet.store import Variable, allocate

PLANS = 16  # lengths of input whose plans a session keeps


class _Memory:
    """What layers see of a session while one of its calls is traced; see :class:`mathnet.graph.trace.Memory`."""

    def __init__(self, length: int, variables: dict[tuple[int, str], Variable]) -> None:
        self.length = length
        self.variables = variables
        self.places: dict[
            int, Tensor
        ] = {}  # of each layer that counts positions, the number at the start of the call
        self.counts: dict[int, int] = {}  # and how many positions the call adds
        self.limited: dict[int, str] = {}

    def recall(self, owner: Any, name: str, shape: tuple, dtype: Any) -> Tensor:
        key = (id(owner), name)
        if key not in self.variables:
            (self.variables[key],) = allocate(
                [f"session/{owner.name or owner.key}/{name}"], [shape], dtype, "slot"
            )
        variable = self.variables[key]
        if variable.shape != tuple(shape):
            raise ShapeError(
                f"{variable.name!r} was left with shape {show_shape(variable.shape)}, but this call of the session wants "
                f"{show_shape(tuple(shape))}; open another session for inputs of another kind"
            )
        return variable.__mathnet_tensor__()

    def remember(self, owner: Any, name: str, value: Tensor) -> None:
        trace = current_trace()
        assert trace is not None
        variable = self.variables[id(owner), name]
        trace.assign(
            variable, value if value.dtype == variable.dtype else FUNCTIONS["cast"](value, variable.dtype)
        )

    def advance(self, owner: Any, count: int, limited: bool = True) -> Tensor:
        key = id(owner)
        if limited:
            self.limited[key] = owner.name or owner.key
        if key not in self.places:
            self.places[key] = input_tensor(Spec((), INT64), "position")
            self.counts[key] = 0
        start = self.places[key] + self.counts[key] if self.counts[key] else self.places[key]
        self.counts[key] += count
        return start


class _Bound:
    """The plan of a session's call on inputs of given sizes, and the positions that it takes and adds."""

    def __init__(self, session: Session, sizes: Mapping[Dim, int]) -> None:
        model = session.model
        self.memory = memory = _Memory(session.length, session._variables)
        with Trace(seed=model.runtime.seed, memory=memory) as trace:
            graph = model.graph.bind(sizes, training=False)
        own = {id(v) for v in memory.variables.values()}
        updates = [(variable, value) for variable, value in trace.updates.items() if id(variable) in own]
        inputs = [*graph.inputs, *memory.places.values()]
        graph = Graph(inputs, graph.outputs, updates, name=f"session of {session._owner}")
        # Not model.settled: a frozen model would take the states for constants.
        self.call = BoundCall(
            model.constants.settle(graph), _mismatch, model.runtime, lambda error, plan, _: plan.worded(error)
        )


class Session:
    """Calls of a model that continue one another: ``with model.session(batch=1) as s: y1 = s(x1); y2 = s(x2)``.

    batch: the number of sequences side by side, the same in every call; length: how many positions attention layers keep of each.
    Each call gives the part of the sequence that comes next, of any number of steps.  Recurrent layers with stateful=True start where
    the call before ended, with the bits that one call on the whole sequence gives.  Causal self-attention keeps keys and values of
    all positions seen; position encodings go on counting; both give what one call on the whole sequence gives, up to rounding.
    All other layers see the part alone.  Training steps between calls change the weights for the calls that follow.

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
        self._variables: dict[tuple[int, str], Variable] = {}
        self._positions: dict[int, int] = {}
        self._bound: Recent[_Bound] = Recent(PLANS)

    def __call__(self, *inputs: Any) -> Any:
        """The outputs for the next part of the sequences; inputs as of the model."""
        with self._lock:
            return self._run(inputs[0] if len(inputs) == 1 else inputs)

    def _run(self, x: Any) -> Any:
        if self.closed:
            raise GraphError(f"the session of {self._owner} is closed; open another one with model.session()")
        model = self.model
        arrays = model.arrays(x)
        sizes = match(model.inputs, arrays, model.input_names, self._owner)
        given = sizes.get(BATCH, self.batch)
        if given != self.batch:
            raise ShapeError(
                f"the session of {self._owner} was opened for batch={self.batch}, but {given} rows were given"
            )
        if 0 in sizes.values():
            raise ShapeError(f"the session of {self._owner} was given an input without elements")
        bound = self._bound.get(tuple(sizes.items()), lambda: _Bound(self, sizes))
        memory = bound.memory
        starts = {key: self._positions.get(key, 0) for key in memory.places}
        for key, layer in memory.limited.items():
            end = starts[key] + memory.counts[key]
            if end > self.length:
                raise ArgumentError(
                    f"the session of {self._owner} was opened for length={self.length} positions, but layer {layer!r} would see {end}; "
                    "open it with a larger length"
                )
        outputs = bound.call.run([*arrays, *[np.array(start, np.int64) for start in starts.values()]])
        for key, start in starts.items():
            self._positions[key] = start + memory.counts[key]
        return model._nested(outputs)

    def reset(self) -> None:
        """Forgets what was seen: the next call is a first one."""
        for variable in self._variables.values():
            variable.array[...] = 0
        self._positions.clear()

    def close(self) -> None:
        """Frees states and caches; a second time does nothing."""
        self.closed = True
        self._variables.clear()
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
