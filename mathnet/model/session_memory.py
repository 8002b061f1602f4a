"""What layers see of a session while one of its calls is traced; see :class:`mathnet.graph.trace.Memory`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.dtypes import BOOL, INT64
from mathnet.graph.op import FUNCTIONS, OPS, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import current_trace
from mathnet.store import Variable, allocate

COUNTED = "counted"  # name of the numbers of steps that a mask did not hide


@dataclass
class States:
    """The variables of a session, by layer and name; of each kept sequence one for every room that it has had."""

    plain: dict[tuple[int, str], Variable] = field(default_factory=dict)
    kept: dict[tuple[int, str, int], Variable] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Variable]:
        yield from self.plain.values()
        yield from self.kept.values()

    def clear(self) -> None:
        self.plain.clear()
        self.kept.clear()

    def move(self, old: int, new: int, batch: int) -> None:
        """What is kept in a room of ``old`` places is copied to one of ``new`` places."""
        for (owner, name, room), variable in self.kept.items():
            source = self.kept.get((owner, name, old))
            if room == new and source is not None:
                _places(variable, batch)[:, :old] = _places(source, batch)

    def forget_behind(self, positions: dict[int, int], batch: int) -> None:
        """Zeros behind the places that were counted: whatever a call that failed has left there."""
        for (owner, _, _), variable in self.kept.items():
            counted = self.plain.get((owner, COUNTED))
            seen = np.full(batch, positions.get(owner, 0)) if counted is None else counted.array
            for row, start in zip(_places(variable, batch), seen):
                row[start:] = 0


def _places(variable: Variable, batch: int) -> np.ndarray:
    """(N, places, …) of the memory of a sequence, whose last row takes what is hidden."""
    rows = variable.array[:-1]
    return rows.reshape(batch, len(rows) // batch, *rows.shape[1:])


class SessionMemory:
    """The memory of one traced call.  length: places that the session has at most; room: places that this call can fill."""

    def __init__(self, length: int, room: int, states: States) -> None:
        self.length, self.room, self.states = length, room, states
        #: of each layer that counts positions, the number at the start of the call, and how many positions the call adds
        self.places: dict[int, Tensor] = {}
        self.counts: dict[int, int] = {}
        self.limited: dict[int, str] = {}

    def recall(self, owner: Any, name: str, shape: tuple, dtype: Any) -> Tensor:
        key = (id(owner), name)
        if key not in self.states.plain:
            self.states.plain[key] = _state(owner, name, shape, dtype)
        variable = self.states.plain[key]
        if variable.shape != tuple(shape):
            raise ShapeError(
                f"{variable.name!r} was left with shape {show_shape(variable.shape)}, but this call of the session wants "
                f"{show_shape(tuple(shape))}; open another session for inputs of another kind"
            )
        return variable.__mathnet_tensor__()

    def remember(self, owner: Any, name: str, value: Tensor) -> None:
        variable = self.states.plain[id(owner), name]
        _assign(
            variable, value if value.dtype == variable.dtype else FUNCTIONS["cast"](value, variable.dtype)
        )

    def advance(self, owner: Any, count: int, limited: bool = True, mask: Tensor | None = None) -> Tensor:
        key = id(owner)
        if limited:
            self.limited[key] = owner.name or owner.key
        if key not in self.places:
            self.places[key] = input_tensor(Spec((), INT64), "position")
            self.counts[key] = 0
        start = self.places[key] + self.counts[key] if self.counts[key] else self.places[key]
        self.counts[key] += count
        if mask is None:
            return start
        _check_mask(owner, mask)
        counted = self.recall(owner, COUNTED, (mask.shape[0],), INT64)
        self.remember(owner, COUNTED, counted + FUNCTIONS["sum"](FUNCTIONS["cast"](mask, INT64), axis=1))
        return counted

    def keep(
        self, owner: Any, name: str, values: Tensor, places: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        batch, steps, *features = values.shape
        hidden = batch * self.room  # the row behind all places
        key = (id(owner), name, self.room)
        if key not in self.states.kept:
            self.states.kept[key] = _state(owner, name, (hidden + 1, *features), values.dtype)
        variable = self.states.kept[key]
        if variable.shape != (hidden + 1, *features):
            raise ShapeError(
                f"{variable.name!r} was kept with the features {show_shape(variable.shape[1:])}, but this call of the session has "
                f"{show_shape(tuple(features))}; open another session for inputs of another kind"
            )
        rows = FUNCTIONS["expand_dims"](np.arange(batch) * self.room, 1) + places
        if mask is not None:
            _check_mask(owner, mask)
            rows = FUNCTIONS["where"](mask, rows, hidden)
        flat = FUNCTIONS["reshape"](values, (batch * steps, *features))
        if flat.dtype != variable.dtype:
            flat = FUNCTIONS["cast"](flat, variable.dtype)
        index = FUNCTIONS["reshape"](rows, (batch * steps,))
        table = OPS["keep_rows"](variable.__mathnet_tensor__(), flat, index)
        _assign(variable, table)
        return FUNCTIONS["reshape"](table[:hidden], (batch, self.room, *features))


def _check_mask(owner: Any, mask: Tensor) -> None:
    if mask.ndim != 2 or mask.dtype != BOOL:
        raise (DTypeError if mask.ndim == 2 else ShapeError)(
            f"{owner.name or owner.key}: within a session a mask (N, T) of bools says which steps of this call count, "
            f"not {mask.dtype} {show_shape(mask.shape)}"
        )


def _state(owner: Any, name: str, shape: tuple, dtype: Any) -> Variable:
    (variable,) = allocate([f"session/{owner.name or owner.key}/{name}"], [tuple(shape)], dtype, "slot")
    return variable


def _assign(variable: Variable, value: Tensor) -> None:
    trace = current_trace()
    assert trace is not None
    trace.assign(variable, value)
