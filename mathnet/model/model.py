"""Model: a graph of layers with named weights, called like a function and used like a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from mathnet._kernels import runner
from mathnet.errors import ArgumentError, GraphError, ShapeError, nearest
from mathnet.graph.dim import Dim, evaluate_shape, show_shape
from mathnet.graph.graph import Graph
from mathnet.graph.op import INPUT, as_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import Trace, current_trace
from mathnet.graph.tree import flatten, unflatten
from mathnet.model.calls import BoundCall, Constants, Recent
from mathnet.model.checks import check_inputs, check_owned, check_reachable
from mathnet.model.description import freeze_graph, thaw_graph
from mathnet.model.history import History
from mathnet.model.inputs import arrange, cast_to, convert, match
from mathnet.model.naming import mapping_keys, name_layers, name_variables, refuse_equal, unique
from mathnet.model.parameters import VariableMapping
from mathnet.plan import Plan
from mathnet.plugin.bases import LAYER_CALL, Layer
from mathnet.plugin.host import current_runtime
from mathnet.store import Variable

PLANS = 32  # signatures whose plans a model keeps


class Model(Layer):
    """The computation from ``inputs`` to ``outputs``, with the weights of the layers in between.

    inputs: what :func:`Input` returned, or a list, tuple or mapping of such; outputs: tensors computed from them, alike.
    Raises GraphError when an output needs an Input that is not among ``inputs``, ArgumentError for equal names.

    ``model(x)`` computes on arrays in inference mode at the lowest latency; on tensors it is a layer.  ``model(x, training=True)`` uses
    batch statistics and dropout (running statistics keep their values: only training steps change them).  Several inputs are given as
    a list, or as a mapping by name; several outputs come back in the form in which ``outputs`` was given.  ShapeError or DTypeError
    names the input when arrays do not fit.
    Any number of threads may call one model at once; a call beside a training step may see old and new weights mixed.
    Models pickle and copy.

    >>> import mathnet as mn
    >>> x = mn.Input((4,))
    >>> model = mn.Model(x, mn.layers.Dense(3)(x))
    >>> model(np.zeros((2, 4), np.float32)).shape
    (2, 3)
    >>> list(model.parameters)
    ['dense/kernel', 'dense/bias']
    """

    __slots__ = ("_call",)  # what a call of the model calls, see the end of this file
    _prepared: dict | None = None  # of a frozen model: weights in the form that kernels read fastest

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name)
        self.config = {"name": name}
        given, self._input_structure = flatten(inputs)
        wanted, self._output_structure = flatten(outputs)
        owner = f"Model {name!r}" if name else "Model"
        check_inputs(given, owner)
        for tensor in wanted:
            if not isinstance(tensor, Tensor):
                raise GraphError(
                    f"{owner}: an output must be a tensor made from the inputs, not {type(tensor).__name__}"
                )
        if not wanted:
            raise ArgumentError(f"{owner} has no outputs")
        stems = [t.node.attrs.get("name") or "input" for t in given]
        refuse_equal(
            [t.node.attrs["name"] for t in given if t.node.attrs.get("name")], f"{owner}: two inputs are"
        )
        self._set(
            Graph(given, wanted, name=name or "model"),
            mapping_keys(self._input_structure) or unique(stems),
            owner,
        )

    def _set(self, graph: Graph, input_names: list[str], owner: str) -> None:
        """Everything that follows from the graph."""
        self._graph, self.input_names = graph, input_names
        check_reachable(graph, owner)
        found = {id(n.attrs["layer"]): n.attrs["layer"] for n in graph.all_nodes if n.op is LAYER_CALL}
        self._layers = name_layers(list(found.values()), owner)
        self.output_names = mapping_keys(self._output_structure) or unique(
            [self._stem(t) for t in graph.outputs]
        )
        self._named = dict(name_variables(self._layers))
        check_owned(graph, {id(v) for v in self._named.values()}, owner)
        self.built = True
        self._prepare()

    def _prepare(self) -> None:
        """What belongs to this process only: plans, locks."""
        self.runtime = current_runtime()
        self.lock = runner.StepLock()
        self.constants = Constants()
        self._bound: Recent[BoundCall] = Recent(PLANS)
        self._call: Callable[..., Any] = self._rebind

    def _stem(self, tensor: Tensor) -> str:
        layer = tensor.node.attrs.get("layer")
        return next((name for name, held in self._layers.items() if held is layer), tensor.name or "output")

    # ---- what it holds -----------------------------------------------------------------------------------------------
    @property
    def graph(self) -> Graph:
        """The symbolic graph; its batch size is free."""
        return self._graph

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return self._graph.inputs

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return self._graph.outputs

    @property
    def input(self) -> Any:
        """The inputs in the form in which they were given."""
        return unflatten(self._input_structure, self.inputs)

    @property
    def output(self) -> Any:
        """The outputs in the form in which they were given."""
        return unflatten(self._output_structure, self.outputs)

    def results(self, name: str) -> list[Any]:
        """What the layer of that name gives in this model, once for each of its calls: outputs for another Model.

        >>> import mathnet as mn
        >>> model = mn.Sequential([mn.layers.Dense(3, name="first"), mn.layers.Dense(1)], input_shape=(2,))
        >>> features = mn.Model(model.input, model.results("first")[0])
        >>> features([[0.0, 0.0]]).shape
        (1, 3)
        """
        layer = self.layer(name)
        found = []
        for node in self.graph.all_nodes:
            if node.op is LAYER_CALL and node.attrs["layer"] is layer:
                attrs = node.attrs
                specs = [t.spec for t in node.inputs]
                _, nest = layer._infer(specs, attrs["structure"], attrs["tensors"], attrs["keywords"])
                found.append(unflatten(nest, node.outputs))
        return found

    def submodel(self, name: str) -> Model:
        """The model from the inputs to what the layer of that name gives; it shares the weights.

        Raises ArgumentError when the layer is called several times; choose among ``results(name)`` then.
        """
        found = self.results(name)
        if len(found) != 1:
            raise ArgumentError(
                f"{self._owner}: layer {name!r} is called {len(found)} times; choose one: "
                f"mn.Model(model.input, model.results({name!r})[0])"
            )
        return Model(self.input, found[0])

    @property
    def layers(self) -> list[Layer]:
        """The layers in the order in which data pass through them."""
        return list(self._layers.values())

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        if name not in self._layers:
            raise ArgumentError(f"{self._owner} has no layer {name!r}{nearest(name, self._layers)}")
        return self._layers[name]

    @property
    def sublayers(self) -> dict[str, Layer]:
        return dict(self._layers)

    def named_variables(self) -> Iterator[tuple[str, Variable]]:
        yield from self._named.items()

    @property
    def parameters(self) -> VariableMapping:  # type: ignore[override]
        """Weights by name, as live arrays: ``model.parameters["dense/kernel"]``; assignment copies in."""
        return VariableMapping({n: v for n, v in self._named.items() if v.kind == "parameter"}, "parameter")

    @property
    def statistics(self) -> VariableMapping:  # type: ignore[override]
        """Running values by name, as live arrays."""
        return VariableMapping({n: v for n, v in self._named.items() if v.kind == "statistic"}, "statistic")

    @property
    def dtype(self) -> np.dtype:
        """The float type in which the model computes: that of its first float output."""
        floats = [t.dtype for t in (*self.outputs, *self.inputs) if t.dtype.kind == "f"]
        return floats[0] if floats else np.dtype(np.float32)

    @property
    def _owner(self) -> str:
        return f"model {self.name!r}" if self.name else "model"

    # ---- calling -----------------------------------------------------------------------------------------------------
    def _rebind(self, *inputs: Any, training: bool | None = None) -> Any:
        """A call that the plan at hand does not fit: converts the arrays, finds or makes their plan."""
        x = inputs[0] if len(inputs) == 1 else inputs
        if any(isinstance(leaf, Tensor) or hasattr(leaf, "__mathnet_tensor__") for leaf in flatten(x)[0]):
            return super().__call__(x, **({} if training is None else {"training": training}))
        arrays = self.arrays(x)
        sizes = match(self.inputs, arrays, self.input_names, self._owner)
        if 0 in sizes.values():  # no plan for results without elements
            empty = [np.zeros(evaluate_shape(t.shape, sizes), t.dtype) for t in self.outputs]
            if not any(array.size for array in empty):
                return self._nested(empty)
        bound = self.bound(sizes, training=bool(training))
        if training:
            arrays = [*arrays, np.array(float(self.runtime.next_count()))]
        elif self._output_structure.kind in ("leaf", "tuple"):
            self._call = bound.call
        return self._nested(bound.run(arrays))

    def arrays(self, x: Any) -> list[np.ndarray]:
        """``x`` as one array per input, of the input's element type."""
        items = arrange(x, self.input_names, f"{self._owner}: input")
        return [
            convert(item, tensor.dtype, f"{self._owner}: input {name!r}")
            for item, tensor, name in zip(items, self.inputs, self.input_names)
        ]

    def bound(self, sizes: Mapping[Dim, int], training: bool = False) -> BoundCall:
        """The plan for given sizes, made at first use.  In training mode its last input is the number of the draw."""
        return self._bound.get((tuple(sizes.items()), training), lambda: self._bind(sizes, training))

    def _bind(self, sizes: Mapping[Dim, int], training: bool) -> BoundCall:
        step = INPUT(spec=Spec((), np.dtype(np.float64)), name="draw")
        with Trace(training=training, seed=self.runtime.seed, step=step):
            graph = self.graph.bind(sizes, training=training)
        inputs = [*graph.inputs, step] if training else graph.inputs
        shown = ", ".join(f"{dim} {size}" for dim, size in sizes.items())
        graph = Graph(inputs, graph.outputs, name=f"{self.name or 'model'}({shown})")
        return BoundCall(self.settled(graph), self._rebind, self.runtime, _worded, prepared=self._prepared)

    def settled(self, graph: Graph) -> Graph:
        """A bound graph ready for its plan."""
        return self.constants.settle(graph)

    def run(self, arrays: Sequence[np.ndarray], sizes: Mapping[Dim, int]) -> list[np.ndarray]:
        """The outputs in inference mode for arrays that fit already."""
        return self.bound(sizes).run(arrays)

    def _nested(self, outputs: Sequence[Any]) -> Any:
        return unflatten(self._output_structure, outputs)

    def call(self, x: Any, training: bool = False) -> Any:
        """The outputs as tensors within the current trace: how a model is a layer."""
        outputs = self.traced(x, training)
        return self._nested(outputs)

    def traced(self, x: Any, training: bool) -> list[Tensor]:
        items = arrange(x, self.input_names, f"{self._owner}: input")
        given = []
        for item, tensor, name in zip(items, self.inputs, self.input_names):
            where = f"{self._owner}: input {name!r}"
            given.append(cast_to(as_tensor(item, where), tensor.dtype, where))
        sizes = match(self.inputs, given, self.input_names, self._owner)
        trace = current_trace()
        assert trace is not None
        with _mode(trace, training):
            return list(self.graph.bind(sizes, given, training=training).outputs)

    def apply(self, parameters: Mapping[str, Any], x: Any, training: bool = False) -> Any:
        """The model as a function of its weights: the outputs for ``x`` with ``parameters`` in place of its own.

        parameters: mapping from names to arrays or tensors; weights and running values that it lacks are the model's own.
        Raises ArgumentError for an unknown name, ShapeError for a wrong shape.

        >>> import mathnet as mn
        >>> inputs = mn.Input((2,))
        >>> model = mn.Model(inputs, mn.layers.Dense(1)(inputs))
        >>> x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
        >>> slope = mn.grad(lambda p: mn.mean(mn.square(model.apply(p, x) - y)))(model.parameters)
        >>> slope["dense/kernel"].shape
        (2, 1)
        """
        from mathnet.functions import apply

        for name in parameters:
            if name not in self._named:
                raise ArgumentError(
                    f"{self._owner}.apply: no weight is named {name!r}{nearest(name, self._named)}"
                )
        return apply(lambda p, data: self._applied(p, data, training))(dict(parameters), x)

    def _applied(self, parameters: Mapping[str, Tensor], x: Any, training: bool) -> Any:
        outer = current_trace()
        seed, step = (outer.seed, outer.step) if outer is not None else (self.runtime.seed, None)
        with Trace(training=training, seed=seed, step=step) as trace:
            for name, value in parameters.items():
                tensor, variable = as_tensor(value, name), self._named[name]
                if tensor.shape != variable.shape:
                    raise ShapeError(
                        f"{self._owner}.apply: {name!r} has shape {show_shape(variable.shape)}, "
                        f"but a value of shape {show_shape(tensor.shape)} was given"
                    )
                trace.substitute(variable, tensor)
            return self.call(x, training)

    # ---- what models do, each in a file of its own -------------------------------------------------------------------
    def predict(self, x: Any, batch_size: int = 256) -> Any:
        """The outputs for any number of rows, ``batch_size`` at a time; the same bits as ``model(x)``.

        Zero rows give outputs of zero rows.
        """
        from mathnet.model.predict import predict

        return predict(self, x, batch_size)

    def trainer(self, loss: Any, optimizer: Any, **options: Any) -> Any:
        """A :class:`~mathnet.model.trainer.Trainer` of this model."""
        from mathnet.model.trainer import Trainer

        return Trainer(self, loss, optimizer, **options)

    def fit(
        self,
        x: Any,
        y: Any = None,
        loss: Any = None,
        optimizer: Any = None,
        metrics: Sequence[Any] = (),
        epochs: int = 1,
        batch_size: int = 32,
        sample_weight: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        callbacks: Sequence[Any] = (),
        shuffle: bool = True,
        seed: int = 0,
        clip_norm: float | None = None,
        loss_weights: Any = None,
        progress: bool | None = None,
        class_weight: Any = None,
        validation_freq: int = 1,
        steps_per_epoch: int | None = None,
        **options: Any,
    ) -> History:
        """Trains; returns the history: a mapping from "loss", "val_loss", the metrics, … to one float per epoch.

        It is ``Trainer(model, loss, optimizer, …, **options).fit(x, y, …)``; see there.
        """
        for name, given in (("loss", loss), ("optimizer", optimizer)):
            if given is None:
                raise ArgumentError(
                    f"fit: {name} is missing; give both, as in model.fit(x, y, loss, optimizer), "
                    "or define a step: mn.Trainer(model, None, optimizer).define(…)"
                )
        trainer = self.trainer(
            loss, optimizer, metrics=metrics, seed=seed, clip_norm=clip_norm, loss_weights=loss_weights, **options
        )  # fmt: skip
        return trainer.fit(
            x, y, epochs=epochs, batch_size=batch_size, sample_weight=sample_weight, validation_split=validation_split,
            validation_data=validation_data, callbacks=callbacks, shuffle=shuffle, progress=progress,
            class_weight=class_weight, validation_freq=validation_freq, steps_per_epoch=steps_per_epoch,
        )  # fmt: skip

    def evaluate(
        self,
        x: Any,
        y: Any,
        loss: Any,
        metrics: Sequence[Any] = (),
        sample_weight: Any = None,
        batch_size: int = 256,
        loss_weights: Any = None,
    ) -> dict[str, float]:
        """ "loss" and metrics on data in inference mode: Σ w·l / Σ w plus penalties; metrics are averaged with the weights."""
        from mathnet.model.evaluate import Evaluator
        from mathnet.model.objective import Objective

        return Evaluator(self, Objective(self, loss, metrics, loss_weights)).run(
            x, y, sample_weight, batch_size
        )

    def session(self, batch: int = 1, length: int = 1024) -> Any:
        """A :class:`~mathnet.model.session.Session`: calls that continue one another, with the states and caches of its layers.

        batch: how many sequences run side by side; length: how many positions attention layers keep of each.
        """
        from mathnet.model.session import Session

        return Session(self, batch, length)

    def save(self, path: Any) -> None:
        """Writes graph and weights to one safetensors file, atomically: a failed save leaves an old file as it was."""
        from mathnet.model.files import save

        save(self, path)

    def save_weights(self, path: Any) -> None:
        """Writes the weights alone, by name, to ``.npz`` or ``.safetensors``."""
        from mathnet.model.transfer import save_weights

        save_weights(self, path)

    def load_weights(self, path: Any, rename: Any = None, partial: bool = False) -> Any:
        """Copies weights in by name from a model file, a safetensors file or a ``.npz``; returns a report.

        rename: {prefix in the file: prefix in the model} or a function; partial: take what fits instead of raising FileFormatError.

        >>> import mathnet as mn
        >>> old = mn.Sequential([mn.layers.Dense(4, name="hidden")], input_shape=(3,))
        >>> old.save("old.mathnet")
        >>> new = mn.Sequential([mn.layers.Dense(4, name="first"), mn.layers.Dense(2, name="out")], input_shape=(3,))
        >>> new.load_weights("old.mathnet", rename={"hidden/": "first/"}, partial=True).missing
        ['out/kernel', 'out/bias']
        """
        from mathnet.model.transfer import load_weights

        return load_weights(self, path, rename, partial)

    def freeze(self) -> Model:
        """An independent copy for inference only: weights cannot be written, and what follows from them alone is computed beforehand.

        >>> import mathnet as mn
        >>> inputs = mn.Input((2,))
        >>> frozen = mn.Model(inputs, mn.layers.Dense(1)(inputs)).freeze()
        >>> frozen.parameters["dense/bias"].flags.writeable
        False
        """
        from mathnet.model.freeze import freeze

        return freeze(self)

    def summary(self) -> str:
        """A table of the layers with their output shapes and numbers of weights; FLOPs and memory of one example."""
        from mathnet.model.summary import summary

        return summary(self)

    # ---- copies ------------------------------------------------------------------------------------------------------
    def __getstate__(self) -> dict[str, Any]:
        return {
            "name": self.name, "config": self.config, "nodes": freeze_graph(self._graph),
            "inputs": self._input_structure, "outputs": self._output_structure, "input_names": self.input_names,
            "trainable": self.trainable,
        }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name, self.config = state["name"], state["config"]
        self._variables, self._dtype, self._shapes = {}, None, {}
        self._trainable, self._untrained = state.get("trainable", True), set()
        self._input_structure, self._output_structure = state["inputs"], state["outputs"]
        self._set(thaw_graph(state["nodes"], self.name or "model"), state["input_names"], self._owner)

    def __repr__(self) -> str:
        counted = sum(v.array.size for v in self._named.values() if v.kind == "parameter")
        return f"<{type(self).__name__}{f' {self.name!r}' if self.name else ''}: {len(self._layers)} layers, {counted:,} weights>"


# ``model(x)`` is the hottest call that there is, and a Python frame around it costs as much as a small network.  So ``__call__`` is
# the slot itself: calling a model calls the object in it, which is the latest plan's Call, or ``_rebind`` before there is one.
Model.__call__ = Model._call  # type: ignore[method-assign, assignment, misc]


def _worded(error: runner.StatusError, plan: Plan, arguments: tuple) -> BaseException:
    return plan.worded(error)


@contextmanager
def _mode(trace: Trace, training: bool) -> Iterator[None]:
    before, trace.training = trace.training, training
    try:
        yield
    finally:
        trace.training = before
