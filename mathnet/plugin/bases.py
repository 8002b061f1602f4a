"""Base classes that plugins extend: Layer here, HostOp, KernelOp, Callback and Metric in their own files.  Layer calls are graph nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Self

import numpy as np

import mathnet.ops  # noqa: F401  fills the table in which the operators of tensors look their operations up
from mathnet.errors import ArgumentError, DTypeError, GraphError, MathnetError, ShapeError, UnknownKeyError
from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.dtypes import FLOAT32, is_float
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, Op, as_tensor, input_tensor, register
from mathnet.graph.tensor import Spec, Tensor, user_site
from mathnet.graph.trace import Memory, Trace, current_trace
from mathnet.graph.tree import Structure, flatten, unflatten
from mathnet.plugin.blame import blame
from mathnet.plugin.callback import Callback
from mathnet.plugin.host import current_runtime
from mathnet.plugin.host_op import HostOp
from mathnet.plugin.kernel_op import KernelOp
from mathnet.plugin.metric import Metric
from mathnet.plugin.records import Configured, record_of, snake_case
from mathnet.store import Variable, allocate

__all__ = [
    "LAYER_CALL",
    "Callback",
    "Configured",
    "HostOp",
    "KernelOp",
    "Layer",
    "LayerCall",
    "Metric",
    "array_of",
]


_reserve: ContextVar[Callable[[str, tuple[int, ...], np.dtype], None] | None] = ContextVar(
    "mathnet_reserve", default=None
)


@contextmanager
def reserved_weights(reserve: Callable[[str, tuple[int, ...], np.dtype], None]) -> Iterator[None]:
    """Within it new weights stay zero, for somebody who has their values; ``reserve`` is told of each one first and may refuse."""
    token = _reserve.set(reserve)
    try:
        yield
    finally:
        _reserve.reset(token)


class Layer:
    """A part of a model with weights of its own.

    A subclass gives ``call(x, training=False)`` and, when it has weights, ``build(input_shape)``, which makes them with
    ``self.param`` and ``self.state``.  ``build`` runs once, when the layer first meets an input; with several inputs it is given a
    list of shapes, and ``call`` a list of tensors.  Constructor arguments are captured in ``config`` (what a model file stores), so
    ``super().__init__()`` may be left out.  Layers held as attributes, or in lists, tuples or dicts of them, are sublayers.

    A layer called on a tensor becomes a node of the graph; called on an array it computes at once.  Weights take the float type of
    the first input.

    >>> import mathnet as mn
    >>> class Scale(mn.Layer):
    ...     def build(self, input_shape):
    ...         self.scale = self.param("scale", input_shape[1:], "ones")
    ...     def call(self, x):
    ...         return x * self.scale
    >>> Scale()(mn.Input((3,))).shape
    (batch, 3)
    """

    name: str | None
    config: dict[str, Any]
    built: bool
    _variables: dict[str, Variable]
    _dtype: np.dtype | None
    _shapes: dict[Any, tuple[tuple[Spec, ...], Structure]]
    _trainable: bool
    _untrained: set[str]  # weights made with trainable=False, which stay so

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = object.__new__(cls)
        self.config = _captured(cls, args, kwargs)
        name = self.config.get("name")
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ArgumentError(f"{cls.__name__}: name must be a non-empty string without '/', not {name!r}")
        self.name = name
        self.built = False
        self._variables = {}
        self._dtype = None
        self._shapes = {}
        self._trainable = True
        self._untrained = set()
        return self

    def __init__(self, name: str | None = None) -> None:
        if name is not None:
            self.name = name

    # ---- for subclasses to write -----------------------------------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        """Makes the weights; input_shape: shape of the input with its batch axis, or a list of shapes."""

    def call(self, x: Any) -> Any:
        """The computation on tensors; takes ``training`` too when the layer behaves differently in training."""
        raise GraphError(f"layer {type(self).__name__} has no method call(x)")

    # ---- for subclasses to use -------------------------------------------------------------------------------------------
    def param(
        self,
        name: str,
        shape: Any,
        initializer: Any = "glorot_uniform",
        regularizer: Any = None,
        constraint: Any = None,
        trainable: bool = True,
    ) -> Variable:
        """A weight: made in ``build`` (or ``__init__``), trained unless ``trainable`` is False, stored in model files.

        initializer: key, object or function ``(shape, rng) → array``; regularizer, constraint: key, object or function of the weight.
        """
        registry = current_runtime().registry
        variable = self._variable(name, shape, initializer, "parameter")
        if not trainable:
            self._untrained.add(name)
        variable.trainable = bool(trainable) and self._trainable
        variable.regularizer = registry.resolve("regularizer", regularizer, f"regularizer of weight {name!r}")
        variable.constraint = registry.resolve("constraint", constraint, f"constraint of weight {name!r}")
        return variable

    def state(self, name: str, shape: Any, initializer: Any = "zeros") -> Variable:
        """A running value (such as a mean) that training changes through :meth:`assign` and model files store."""
        return self._variable(name, shape, initializer, "statistic")

    def assign(self, state: Variable, value: Any) -> None:
        """Gives ``state`` a new value within ``call``; a training step commits it, a prediction does not."""
        trace = current_trace()
        if trace is None:
            raise GraphError(
                f"{self._label}: assign works within call(); outside, use {state.name!r}.assign(value)"
            )
        tensor = as_tensor(value, f"value assigned to {state.name!r}")
        trace.assign(state, tensor if tensor.dtype == state.dtype else FUNCTIONS["cast"](tensor, state.dtype))

    def add_loss(self, value: Any) -> None:
        """Adds a penalty to the loss within ``call``: a number, or one value for each example, which is averaged over them.

        It is reported with the penalties on weights, in training and in evaluation.
        """
        trace = current_trace()
        if trace is None:
            raise GraphError(f"{self._label}: add_loss works within call()")
        tensor = as_tensor(value, f"{self._label}: penalty")
        if tensor.ndim > 1:
            raise ShapeError(
                f"a penalty is a number or one value for each example, not a tensor of shape {show_shape(tensor.shape)}"
            )
        trace.losses.append(tensor)

    @property
    def session(self) -> Memory | None:
        """Within ``call``: the memory of the session that the call belongs to (``recall``, ``remember``, ``advance``,
        ``keep``), else None."""
        trace = current_trace()
        return None if trace is None else trace.memory

    def _variable(self, name: str, shape: Any, initializer: Any, kind: str) -> Variable:
        what = f"{'weight' if kind == 'parameter' else 'state'} {name!r}"
        if self.built:
            raise GraphError(f"{what} must be made in build() or __init__(), before the layer is used")
        if not isinstance(name, str) or not name or "/" in name:
            raise ArgumentError(f"{what}: the name must be a non-empty string without '/'")
        if name in self._variables:
            raise ArgumentError(f"{what} exists already")
        sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        for size in sizes:
            if isinstance(size, Dim):
                raise ShapeError(
                    f"{what} has the shape {show_shape(sizes)}, in which {size} is not known; give the input a fixed size there"
                )
            if isinstance(size, bool) or not hasattr(size, "__index__") or size.__index__() < 0:
                raise ShapeError(f"{what}: {sizes!r} is no shape; a tuple of sizes is expected")
        sizes = tuple(size.__index__() for size in sizes)
        dtype = FLOAT32 if self._dtype is None else self._dtype
        reserve = _reserve.get()
        if reserve is not None:
            reserve(f"layer {self._label!r}: {what}", sizes, dtype)
        (variable,) = allocate([f"{self._label}/{name}"], [sizes], dtype, kind)
        runtime = current_runtime()
        make = (
            None
            if reserve is not None
            else runtime.registry.resolve("initializer", initializer, f"{what}: initializer")
        )
        if make is not None:
            values = np.asarray(make(sizes, runtime.generator()))
            if values.shape != sizes:
                raise ShapeError(
                    f"{what} has the shape {show_shape(sizes)}, but its initializer returned an array of shape {show_shape(values.shape)}"
                )
            variable.array[...] = values
        self._variables[name] = variable
        return variable

    # ---- what it holds -----------------------------------------------------------------------------------------------------
    @property
    def key(self) -> str:
        """The registered key, or the class's name in snake_case: the stem of automatic names."""
        record = record_of(type(self))
        return record.key if record is not None else snake_case(type(self).__name__)

    @property
    def sublayers(self) -> dict[str, Layer]:
        """Layers held as attributes or in lists, tuples and dicts of them, by name: their own, else the attribute's."""
        found: dict[str, Layer] = {}
        seen: set[int] = {id(self)}

        def add(name: str, value: Any) -> None:
            if isinstance(value, Layer):
                if id(value) in seen:
                    return
                seen.add(id(value))
                name = value.name or name
                if name in found:
                    raise ArgumentError(
                        f"{self._label} holds two sublayers named {name!r}; give one of them another name="
                    )
                found[name] = value
            elif isinstance(value, (list, tuple)):
                for index, item in enumerate(value):
                    add(f"{name}_{index}", item)
            elif isinstance(value, dict):
                for key, item in value.items():
                    add(f"{name}_{key}", item)

        for attribute, value in vars(self).items():
            if attribute not in _OWN:
                add(attribute, value)
        return found

    def named_variables(self) -> Iterator[tuple[str, Variable]]:
        """(path within this layer, variable): ``kernel``, ``inner/kernel``, …"""
        yield from self._variables.items()
        for name, layer in self.sublayers.items():
            for path, variable in layer.named_variables():
                yield f"{name}/{path}", variable

    @property
    def variables(self) -> list[Variable]:
        return [variable for _, variable in self.named_variables()]

    @property
    def parameters(self) -> list[Variable]:
        """Weights of this layer and its sublayers."""
        return [variable for variable in self.variables if variable.kind == "parameter"]

    @property
    def statistics(self) -> list[Variable]:
        """Running values of this layer and its sublayers."""
        return [variable for variable in self.variables if variable.kind == "statistic"]

    @property
    def trainable(self) -> bool:
        """Whether a Trainer that is made now trains the weights; setting it sets all sublayers too.

        A layer with running values, such as a batch normalisation, computes in inference mode while it is not trainable.
        Copies and pickles hold the setting, model files do not.
        """
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if not isinstance(value, (bool, np.bool_)):
            raise ArgumentError(f"{self._label}: trainable must be True or False, not {value!r}")
        self._trainable = bool(value)
        for name, variable in self._variables.items():
            if variable.kind == "parameter":
                variable.trainable = self._trainable and name not in self._untrained
        for layer in self.sublayers.values():
            layer.trainable = self._trainable

    @property
    def _label(self) -> str:
        return self.name or self.key

    # ---- calling -------------------------------------------------------------------------------------------------------------
    def __call__(self, x: Any, *more: Any, **keywords: Any) -> Any:
        """Tensors in: a node (or, within a trace, the computation itself); arrays in: the result at once."""
        if more:
            names = [n for n in _call_parameters(type(self).call)[1:] if n != "**"]
            if len(more) > len(names) or not keywords.keys().isdisjoint(names[: len(more)]):
                raise ArgumentError(
                    f"{self._label}: {len(more) + 1} arguments were given, but it is called as layer(x, {', '.join(names)}); "
                    "several inputs are a list, layer([a, b])"
                )
            keywords = {**dict(zip(names, more)), **keywords}
        tensors = {key: value for key, value in keywords.items() if _is_value(value)}
        static = {key: value for key, value in keywords.items() if key not in tensors}
        leaves, structure = flatten(x)
        leaves += tensors.values()
        symbolic = any(isinstance(leaf, Tensor) or hasattr(leaf, "__mathnet_tensor__") for leaf in leaves)
        with _Located(self, x):
            if current_trace() is not None:
                inputs = [as_tensor(leaf, "input") for leaf in leaves]
                return self._run(inputs, structure, tuple(tensors), static)
            if symbolic:
                inputs = [as_tensor(leaf, "input") for leaf in leaves]
                outputs = LAYER_CALL(
                    *inputs, layer=self, structure=structure, tensors=tuple(tensors), keywords=static
                )
                outputs = outputs if isinstance(outputs, tuple) else (outputs,)
                _, result = self._infer([t.spec for t in inputs], structure, tuple(tensors), static)
                return unflatten(result, outputs)
            arrays = [array_of(leaf, "input") for leaf in leaves]
            return self._compute(arrays, structure, tuple(tensors), static)

    def _run(
        self, inputs: list[Tensor], structure: Structure, tensors: tuple[str, ...], keywords: dict[str, Any]
    ) -> Any:
        """``call`` on tensors within the current trace; builds first where that is still to be done."""
        trace = current_trace()
        assert trace is not None
        cut = len(inputs) - len(tensors)
        x = unflatten(structure, inputs[:cut])
        arguments = {**keywords, **dict(zip(tensors, inputs[cut:]))}
        self._ensure_built(inputs[:cut], structure)
        takes = _call_parameters(type(self).call)
        if "training" in takes or "**" in takes:
            arguments.setdefault("training", trace.training)
            if not self._trainable and any(v.kind == "statistic" for v in self._variables.values()):
                arguments["training"] = False
        elif "training" in arguments:
            del arguments["training"]  # every layer may be told the mode; most do not care
        with trace.scope(self._label), _Located(self, x):
            return self.call(x, **arguments)

    def _ensure_built(self, inputs: list[Tensor], structure: Structure) -> None:
        if self.built:
            return
        floats = [t.dtype for t in inputs if is_float(t.dtype) and not t.spec.weak]
        self._dtype = floats[0] if floats else FLOAT32
        before = dict(self._variables)
        shapes = [t.shape for t in inputs]
        try:
            self.build(shapes[0] if structure.kind == "leaf" else shapes)
        except BaseException:
            self._variables = before  # so that a corrected call can build again
            raise
        self._pack()
        self.built = True

    def _pack(self) -> None:
        """Moves the variables into one segment per kind: an update of a layer's weights is one pass over memory."""
        for kind in ("parameter", "statistic"):
            mine = [v for v in self._variables.values() if v.kind == kind]
            if not mine:
                continue
            places = allocate([v.name for v in mine], [v.shape for v in mine], self._dtype, kind)
            for variable, place in zip(mine, places):
                place.array[...] = variable.array
                variable.array, variable.segment, variable.offset, variable.spec = (
                    place.array,
                    place.segment,
                    place.offset,
                    place.spec,
                )

    def _infer(
        self, specs: list[Spec], structure: Structure, tensors: tuple[str, ...], keywords: dict[str, Any]
    ) -> tuple[tuple[Spec, ...], Structure]:
        """Specs of the outputs and how they are nested, found by tracing ``call`` once."""
        key = (tuple(specs), structure, tensors, tuple(sorted((k, repr(v)) for k, v in keywords.items())))
        if key not in self._shapes:
            with Trace(training=bool(keywords.get("training", False))):
                outputs = self._run([input_tensor(spec) for spec in specs], structure, tensors, keywords)
            leaves, result = _tensors(self, outputs)
            self._shapes[key] = (tuple(leaf.spec for leaf in leaves), result)
        return self._shapes[key]

    def _compute(
        self,
        arrays: list[np.ndarray],
        structure: Structure,
        tensors: tuple[str, ...],
        keywords: dict[str, Any],
    ) -> Any:
        """``call`` on arrays: traced, then run by the plan of that structure.  States keep their values."""
        runtime = current_runtime()
        inputs = [input_tensor(Spec(a.shape, a.dtype)) for a in arrays]
        with Trace(training=bool(keywords.get("training", False))):
            outputs = self._run(inputs, structure, tensors, keywords)
        leaves, result = _tensors(self, outputs)
        graph = Graph(inputs, leaves, name=self._label)
        values = runtime.plan_for(graph)(arrays, [node.attrs["array"] for node in graph.captures])
        return unflatten(result, values)

    def __getstate__(self) -> dict[str, Any]:
        return {
            **vars(self),
            "_shapes": {},
        }  # inferred shapes hold sizes that mean nothing in another process

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{key}={value!r}" for key, value in self.config.items() if value is not None and key != "name"
        )
        return f"<{type(self).__name__} {self._label!r}{': ' + settings if settings else ''}>"


class _Located:
    """Names a layer, its input and the user's line in errors that come out of it; the innermost layer is named."""

    def __init__(self, layer: Layer, x: Any) -> None:
        self.layer, self.x = layer, x

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        layer = self.layer
        what = f"layer {layer._label!r} ({type(layer).__name__})"
        if isinstance(error, (ShapeError, DTypeError, ArgumentError, UnknownKeyError)):
            if getattr(error, "layer", None) is None:
                site = user_site()
                where = f" ({site[0]}, line {site[1]})" if site else ""
                error.args = (f"{what} on {_shown(self.x)}: {error}{where}",)
                error.layer = layer  # type: ignore[union-attr]
        record = record_of(type(layer))
        if isinstance(error, Exception) and record is not None:
            blame(error, record)
        if isinstance(error, Exception) and not isinstance(error, MathnetError):
            note = f"in {what} from {type(layer).__module__}, on {_shown(self.x)}"
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)


#: Attributes of the base class: no sublayer is looked for in them.
_OWN = frozenset({"name", "config", "built", "_variables", "_dtype", "_shapes", "_trainable", "_untrained"})


class LayerCall(Op):
    """The node of a layer call.

    Attributes: layer; structure: how the inputs are nested in its first argument; tensors: names of keyword arguments that
    are tensors (the last inputs); keywords: the other keyword arguments.  ``Graph.bind`` traces into it.
    """

    name = "layer_call"
    formula = "the layer's call(x)"
    without_derivative = (
        "while a model is put together a layer is not differentiated: move the transform into the call of a Layer of your own, "
        "or differentiate the finished model"
    )

    def infer(  # type: ignore[override]
        self,
        *specs: Spec,
        layer: Layer,
        structure: Structure,
        tensors: tuple[str, ...] = (),
        keywords: dict[str, Any],
    ) -> Any:
        found, _ = layer._infer(list(specs), structure, tensors, keywords)
        return found[0] if len(found) == 1 else found

    def trace(
        self,
        inputs: tuple[Tensor, ...],
        mode: dict[str, Any],
        layer: Layer,
        structure: Structure,
        tensors: tuple[str, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> tuple[Tensor, ...]:
        """The nodes that the call stands for, in the mode of the current trace."""
        if current_trace() is None:
            with Trace(training=bool(mode.get("training", False))):
                return self.trace(inputs, mode, layer, structure, tensors, keywords)
        outputs = layer._run(list(inputs), structure, tensors, dict(keywords or {}))
        return tuple(_tensors(layer, outputs)[0])


LAYER_CALL: Any = register(LayerCall())


def _tensors(layer: Layer, outputs: Any) -> tuple[list[Tensor], Structure]:
    """What ``call`` returned, as tensors and the way they are nested."""
    leaves, structure = flatten(outputs)
    if not leaves:
        raise GraphError(
            f"layer {layer._label!r}: call() returned {outputs!r}; a tensor or a nest of tensors is expected"
        )
    return [as_tensor(leaf, "output") for leaf in leaves], structure


def array_of(value: Any, where: str) -> np.ndarray:
    """An array of a type that graphs know, C-contiguous; other types are refused by name."""
    from mathnet.graph.dtypes import graph_dtype

    array = np.asarray(value)
    return np.require(array, graph_dtype(array.dtype, where), ["C_CONTIGUOUS", "ALIGNED"])


def _is_value(value: Any) -> bool:
    return isinstance(value, (Tensor, np.ndarray)) or hasattr(value, "__mathnet_tensor__")


def _shown(x: Any) -> str:
    shapes = [
        f"{leaf.dtype}{show_shape(tuple(leaf.shape))}"
        for leaf in flatten(x)[0]
        if hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    ]
    return f"input of {' and '.join(shapes)}" if shapes else f"input {x!r}"


@lru_cache(maxsize=1024)
def _call_parameters(call: Callable) -> tuple[str, ...]:
    """Names of the arguments of a layer's ``call`` after self; ``**`` stands for any other keyword."""
    found = list(inspect.signature(call).parameters.values())[1:]
    return tuple("**" if p.kind is p.VAR_KEYWORD else p.name for p in found)


@lru_cache(maxsize=1024)
def _init_signature(init: Callable) -> inspect.Signature:
    return inspect.signature(init)


def _captured(cls: type[Layer], args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments by name, defaults included.  Wrong ones are left to the constructor's own error."""
    signature = _init_signature(cls.__init__)
    try:
        bound = signature.bind(None, *args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    config: dict[str, Any] = {}
    for name, value in list(bound.arguments.items())[1:]:
        if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD:
            config.update(value)
        else:
            config[name] = value
    return config
