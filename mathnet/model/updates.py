"""Updates: an optimizer traced once per parameter, with its state laid out like the parameters.

Moments of a layer lie in one segment with the offsets of the layer's weights, so that the plan can run one instruction over all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mathnet.errors import ArgumentError, GraphError, ShapeError
from mathnet.graph.dim import show_shape
from mathnet.graph.graph import Graph, walk
from mathnet.graph.op import FUNCTIONS, INPUT, VARIABLE, as_tensor, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import Trace
from mathnet.graph.tree import Structure, flatten, unflatten
from mathnet.model.rule import Rules
from mathnet.model.slots import HyperParameters, slot
from mathnet.plan import compile_graph
from mathnet.plugin.blame import blamed
from mathnet.store import Variable, allocate


class Trained(NamedTuple):
    """A parameter in training: its path in the model, its variable, and the optimizer's state for it."""

    name: str
    variable: Variable
    structure: Structure
    state: list[Variable]


class _Leaf(NamedTuple):
    """One initial value in an optimizer's state of one parameter."""

    name: str
    value: Any  # a number, or an array
    variable: Variable  # the parameter that it belongs to


class Updates:
    """What an optimizer does to the parameters of a model.

    groups: settings that differ for some parameters, see :class:`~mathnet.model.rule.Rules`.  Float arguments of the optimizer's
    constructor become slots of ``hyper``; numbers in its state become scalar slots, one for all parameters where they develop
    alike (a step count), else one each.
    """

    def __init__(
        self,
        optimizer: Any,
        parameters: Sequence[tuple[str, Variable]],
        hyper: HyperParameters,
        groups: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.rules = Rules(optimizer, [name for name, _ in parameters], hyper, groups)
        self.used = self.rules.common.used
        structures, leaves = self._initial(parameters)
        states = self._allocate(leaves)
        self.trained = [Trained(n, v, s, state) for (n, v), s, state in zip(parameters, structures, states)]
        self._try(leaves, hyper)

    # ---- state ---------------------------------------------------------------------------------------------------------
    def _initial(
        self, parameters: Sequence[tuple[str, Variable]]
    ) -> tuple[list[Structure], list[list[_Leaf]]]:
        """What ``init`` gives for each parameter, computed."""
        structures, found, pending = [], [], []
        for name, variable in parameters:
            with Trace() as trace:
                rule = self.rules.of(name)
                with blamed(rule.used, "init"):
                    state = rule.used.init(_named(trace, name, variable))
            values, structure = flatten(state)
            structures.append(structure)
            found.append([_Leaf(leaf, value, variable) for leaf, value in zip(leaf_names(structure), values)])
            pending += [
                as_tensor(value)
                for value in values
                if not isinstance(value, (bool, int, float, np.ndarray, np.generic))
            ]
        graph = Graph((), pending, name="optimizer state")
        computed = iter(compile_graph(graph)([]) if pending else [])
        return structures, [
            [leaf._replace(value=self._value(leaf, computed)) for leaf in leaves] for leaves in found
        ]

    def _value(self, leaf: _Leaf, computed: Any) -> Any:
        if isinstance(leaf.value, (bool, int, float)):
            return float(leaf.value)
        if not isinstance(leaf.value, (np.ndarray, np.generic)):
            return next(computed)
        array = np.asarray(leaf.value)
        return float(array) if array.shape == () else array

    def _allocate(self, leaves: list[list[_Leaf]]) -> list[list[Variable]]:
        """Variables for the initial values: like-shaped ones beside each other as their parameters are, scalars shared."""
        blocks: dict[tuple, dict[int, Variable]] = {}
        shared: dict[tuple[str, float], Variable] = {}
        states = []
        for listed in leaves:
            state = []
            for name, value, variable in listed:
                if isinstance(value, float):
                    if (name, value) not in shared:
                        shared[name, value] = slot(name, value)
                    state.append(shared[name, value])
                elif value.shape == variable.shape:
                    key = (id(variable.segment), name, value.dtype)
                    if key not in blocks:
                        blocks[key] = _like_segment(variable, name, value.dtype)
                    place = blocks[key][variable.offset]
                    place.array[...] = value
                    state.append(place)
                else:
                    (place,) = allocate([name], [value.shape], value.dtype, "slot")
                    place.array[...] = value
                    state.append(place)
            states.append(state)
        return states

    def _try(self, leaves: list[list[_Leaf]], hyper: HyperParameters) -> None:
        """Traces every update once with stand-in gradients: finds a broken optimizer early, and scalars that cannot be shared.

        Scalars with one starting value stay equal for ever when their new value is the same expression of them for all
        parameters, without a parameter or gradient in it.  If that fails for one, every parameter gets scalars of its own.
        Settings that no update reads must not be set later, as that would do nothing.
        """
        with Trace() as trace:
            gradients = [
                input_tensor(Spec(t.variable.shape, t.variable.dtype), "gradient") for t in self.trained
            ]
            updates = [self._update(trace, t, g, trace.read(_STEP)) for t, g in zip(self.trained, gradients)]
        self._refuse_unread([t for new, state in updates for t in (new, *state)], hyper)
        developments: dict[int, set[Any]] = {}
        for trained, (_, new_state) in zip(self.trained, updates):
            for variable, tensor in zip(trained.state, new_state):
                if variable.spec.weak:
                    developments.setdefault(id(variable), set()).add(self._development(tensor))
        if all(len(found) == 1 and None not in found for found in developments.values()):
            return
        for index, (trained, listed) in enumerate(zip(self.trained, leaves)):
            state = [slot(f.name, f.value) if v.spec.weak else v for v, f in zip(trained.state, listed)]
            self.trained[index] = trained._replace(state=state)

    def _refuse_unread(self, tensors: Sequence[Tensor], hyper: HyperParameters) -> None:
        """Settings that the traced updates do not depend on may not be changed."""
        read = {id(node.attrs["variable"]) for node in walk(tensors) if node.op is VARIABLE}
        for rule in self.rules:
            for setting, variable in rule.slots.items():
                if id(variable) not in read:
                    hyper.refuse(
                        variable,
                        f"{rule.label} computes without {setting}, because it was {float(variable.array):g} when the Trainer was made; "
                        f"give {setting} to the optimizer when making it",
                    )

    def _development(self, tensor: Tensor) -> Any:
        """The structure of a scalar's new value; None when it depends on a parameter or gradient."""
        for node in walk([tensor]):
            if node.op is INPUT or (node.op is VARIABLE and not node.attrs["variable"].spec.weak):
                return None
        return Graph((), [tensor]).key()

    @property
    def named_state(self) -> dict[str, Variable]:
        """Every variable of the state by name, a shared one once; for checkpoints."""
        named: dict[str, Variable] = {}
        seen: set[int] = set()
        for trained in self.trained:
            for leaf, variable in zip(leaf_names(trained.structure), trained.state):
                if id(variable) not in seen:
                    seen.add(id(variable))
                    named[f"{trained.name}/{leaf}"] = variable
        return named

    @property
    def parameters(self) -> list[tuple[str, Variable]]:
        """The trained parameters with their names."""
        return [(trained.name, trained.variable) for trained in self.trained]

    # ---- tracing -------------------------------------------------------------------------------------------------------
    def trace(
        self, trace: Trace, gradients: Sequence[Tensor | None], step: Tensor
    ) -> list[tuple[Variable, Tensor]]:
        """New values of the parameters and of the state; a parameter without gradient keeps both."""
        updates: list[tuple[Variable, Tensor]] = []
        done: set[int] = set()
        for trained, gradient in zip(self.trained, gradients):
            if gradient is None:
                continue
            new, new_state = self._update(trace, trained, gradient, step)
            updates.append((trained.variable, new))
            for variable, tensor in zip(trained.state, new_state):
                if id(variable) not in done:
                    done.add(id(variable))
                    updates.append((variable, tensor))
        return updates

    def _update(
        self, trace: Trace, trained: Trained, gradient: Tensor, step: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        rule = self.rules.of(trained.name)
        where = f"{rule.label} on {trained.name!r}"
        param = _named(trace, trained.name, trained.variable)
        state = unflatten(trained.structure, [trace.read(v) for v in trained.state])
        try:
            with blamed(rule.used, "update"):
                returned = rule.within(trace).update(param, gradient, state, rule.rate_at(trace, step))
        except GraphError as error:
            raise GraphError(
                f"{where}: {error}. Float arguments of its constructor are tensors here; those that decide what is computed are "
                'declared static: @mn.optimizer("key", static=("momentum",))'
            ) from error
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise ArgumentError(
                f"{where}: update must return (new_param, new_state), not {type(returned).__name__}"
            )
        new, new_state = returned
        leaves, structure = flatten(new_state)
        if structure != trained.structure:
            raise ArgumentError(
                f"{where}: update returned the state {_shown(structure)}, but init made {_shown(trained.structure)}"
            )
        constraint = trained.variable.constraint
        if constraint is not None:
            new = constraint(new)
        names = leaf_names(structure)
        checked = [_fit(leaf, v, f"{where}: state {n!r}") for leaf, v, n in zip(leaves, trained.state, names)]
        return _fit(new, trained.variable, where), checked


_STEP = slot("step")  # stands for the step while an optimizer is tried


def leaf_names(structure: Structure, prefix: str = "") -> list[str]:
    """A name for each leaf of a nest: the keys, or positions, on the way to it."""
    if structure.kind == "leaf":
        return [prefix or "state"]
    keys = structure.keys or range(len(structure.children))
    start = prefix + "." if prefix else ""
    return [
        name for key, child in zip(keys, structure.children) for name in leaf_names(child, f"{start}{key}")
    ]


def _named(trace: Trace, name: str, variable: Variable) -> Tensor:
    """The parameter as an optimizer sees it: ``param.name`` is its path."""
    tensor = trace.read(variable)
    if tensor.node.op is VARIABLE and "name" not in tensor.node.attrs:
        tensor.node.attrs["name"] = name
    return tensor


def _like_segment(variable: Variable, name: str, dtype: Any) -> dict[int, Variable]:
    """New variables at the offsets of the segment in which ``variable`` lies, by offset."""
    segment = variable.segment
    shapes = [array.shape for array in segment.arrays]
    made = allocate([name] * len(shapes), shapes, dtype, "slot")
    return dict(zip(segment.offsets, made))


def beside(variables: Sequence[Variable], name: str) -> list[Variable]:
    """A new variable for each of ``variables``, laid out in memory as they are."""
    blocks: dict[tuple[int, Any], dict[int, Variable]] = {}
    for variable in variables:
        key = (id(variable.segment), variable.dtype)
        if key not in blocks:
            blocks[key] = _like_segment(variable, name, variable.dtype)
    return [blocks[id(v.segment), v.dtype][v.offset] for v in variables]


def _fit(value: Any, variable: Variable, where: str) -> Tensor:
    tensor = as_tensor(value, where)
    if tensor.shape != variable.shape:
        raise ShapeError(
            f"{where}: the new value has shape {show_shape(tensor.shape)}, but the old one has {show_shape(variable.shape)}"
        )
    return tensor if tensor.dtype == variable.dtype else FUNCTIONS["cast"](tensor, variable.dtype)


def _shown(structure: Structure) -> str:
    return "{" + ", ".join(leaf_names(structure)) + "}"
