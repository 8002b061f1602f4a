"""Trials: an object used in the way of one sample, as a function of arrays that the common checks can run.

Objects that treat examples one by one (activations, layers, losses, metrics that are functions) run as models over a free batch size,
the others (regularizers, constraints, operations, the sums of a ``mn.Metric``) as traced functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mathnet.derivatives import grad
from mathnet.functions import function
from mathnet.graph.tree import flatten
from mathnet.model import Input, Model
from mathnet.plugin.metric import figure_of, sums_of
from mathnet.plugin.records import Sample
from mathnet.testing.subject import Subject

#: Examples of an ordinary trial, and elements of one that occupies several threads.
ROWS, MANY = 5, 200_000
BY_ROWS = ("activation", "layer", "loss", "metric")
WHOLE = ("regularizer", "constraint", "op")
#: What the positions are called in messages.
NAMES = {
    "activation": ("x",),
    "loss": ("y_pred", "y_true"),
    "metric": ("y_pred", "y_true"),
    "regularizer": ("w",),
    "constraint": ("w",),
}

Leaves = list[np.ndarray]


class Trial:
    """A subject and a sample; see the module."""

    by_rows: bool  # axis 0 of the inputs runs over examples
    per_example = True  # and of the outputs too, where it does

    def __init__(self, subject: Subject, sample: Sample) -> None:
        self.subject, self.sample = subject, sample

    def inputs(self, dtype: str = "float32", rows: int = ROWS) -> Leaves:
        """The sample's inputs: floats in ``dtype``, drawn in float64 where the sample gives shapes."""
        rng = np.random.default_rng(7)
        found = []
        for given in self.sample.inputs:
            if isinstance(given, tuple):
                array = rng.standard_normal((rows, *given) if self.by_rows else given)
            else:
                array = np.asarray(given)
                if self.by_rows:
                    array = array[np.arange(rows) % len(array)]
            found.append(array.astype(dtype) if array.dtype.kind == "f" else array)
        return found

    def name(self, position: int) -> str:
        names = NAMES.get(self.subject.kind, ())
        return names[position] if position < len(names) else f"input {position}"

    def run(self, inputs: Sequence[np.ndarray], threads: int = 1, fresh: bool = False) -> Leaves:
        """The outputs; fresh: of a new object instead of the one that earlier runs of this trial used."""
        raise NotImplementedError

    def direct(self, inputs: Sequence[np.ndarray]) -> Leaves:
        """The outputs of a new object that is called on arrays, without a graph around it."""
        with self.subject.entered():
            return [np.asarray(y) for y in flatten(self.callable("")(*inputs))[0]]

    def smooth(self, training: bool = False) -> tuple[Callable, Leaves, list[str]]:
        """A function for derivatives, its float64 arguments and their names."""
        raise NotImplementedError

    def gradients(self, dtype: str) -> Leaves:
        """Gradients of a weighted sum of all outputs by the float inputs."""
        inputs = self.inputs(dtype)
        moving = [k for k, array in enumerate(inputs) if array.dtype.kind == "f"]
        with self.subject.entered():
            call = self.callable(dtype)

            def total(*values: Any) -> Any:
                whole = list(inputs)
                for k, value in zip(moving, values):
                    whole[k] = value
                return weighted_sum(call(*whole))

            return [
                np.asarray(g)
                for g in function(grad(total, tuple(range(len(moving)))))(*[inputs[k] for k in moving])
            ]

    def callable(self, dtype: str) -> Callable:
        """The object as a function of its inputs; within the subject's Runtime."""
        raise NotImplementedError


def weighted_sum(outputs: Any) -> Any:
    """A number from all elements of all float outputs, each with a weight of its own: plain sums of some outputs are constant."""
    import mathnet as mn

    total: Any = None
    for position, y in enumerate(flatten(outputs)[0]):
        if y.dtype.kind == "f":
            weights = np.random.default_rng(position).uniform(0.5, 1.5, y.shape).astype(y.dtype)
            term = mn.sum(y * weights)
            total = term if total is None else total + term
    return total


class RowTrial(Trial):
    by_rows = True

    def model(self, dtype: str = "float32", threads: int = 1, fresh: bool = False) -> Model:
        """The object over ``mn.Input``s; weights are drawn from the same seed each time."""
        key = (id(self.sample), dtype, threads)
        if fresh or key not in self.subject.cache:
            with self.subject.entered(threads):
                model = self._model(dtype)
            if fresh:
                return model
            self.subject.cache[key] = model
        return self.subject.cache[key]

    def _model(self, dtype: str) -> Model:
        tensors = [
            Input(array.shape[1:], dtype=array.dtype.name if array.dtype.kind != "i" else "int64")
            for array in self.inputs(dtype)
        ]
        outputs = flatten(self.callable(dtype)(*tensors))[0]
        return Model(alone(tensors), alone(outputs))

    def callable(self, dtype: str) -> Callable:
        made = self.subject.make(self.sample)
        if self.subject.kind == "layer" or hasattr(made, "named_variables"):
            return lambda *values: made(alone(list(values)))
        return made

    def run(self, inputs: Sequence[np.ndarray], threads: int = 1, fresh: bool = False) -> Leaves:
        floats = [a.dtype.name for a in inputs if a.dtype.kind == "f"]
        model = self.model(floats[0] if floats else "float32", threads, fresh)
        with self.subject.entered(threads):
            results = model.predict(alone(list(inputs)), batch_size=max(len(inputs[0]), 1))
        return [np.asarray(y) for y in flatten(results)[0]]

    def smooth(self, training: bool = False) -> tuple[Callable, Leaves, list[str]]:
        model = self.model("float64")
        inputs = self.inputs("float64")
        moving = [k for k, array in enumerate(inputs) if array.dtype.kind == "f"]
        weights = dict(model.parameters)
        names = [self.name(k) for k in moving] + [f"weight {name!r}" for name in weights]

        def call(*values: Any) -> Any:
            whole: list[Any] = list(inputs)
            for k, value in zip(moving, values):
                whole[k] = value
            return model.apply(dict(zip(weights, values[len(moving) :])), alone(whole), training=training)

        point = [np.asarray(a, np.float64) for a in (*[inputs[k] for k in moving], *weights.values())]
        return call, point, names


class WholeTrial(Trial):
    by_rows = False

    def callable(self, dtype: str) -> Callable:
        record = self.subject.record
        if record.kind != "op":
            return self.subject.make(self.sample)
        made = record.object() if record.is_class else record.object
        return lambda *values: made(*values, **self.sample.config)

    def run(self, inputs: Sequence[np.ndarray], threads: int = 1, fresh: bool = False) -> Leaves:
        with self.subject.entered(threads):
            results = function(self.callable(""))(*inputs)
        return [np.asarray(y) for y in flatten(results)[0]]

    def smooth(self, training: bool = False) -> tuple[Callable, Leaves, list[str]]:
        inputs = self.inputs("float64")
        moving = [k for k, array in enumerate(inputs) if array.dtype.kind == "f"]
        made = self.callable("float64")

        def call(*values: Any) -> Any:
            whole: list[Any] = list(inputs)
            for k, value in zip(moving, values):
                whole[k] = value
            return made(*whole)

        return call, [np.asarray(inputs[k], np.float64) for k in moving], [self.name(k) for k in moving]


class SumsTrial(Trial):
    """The sums of a ``mn.Metric``, of examples of weight 1 unless told otherwise."""

    by_rows = True
    per_example = False

    def callable(self, dtype: str) -> Callable:
        made = self.subject.make(self.sample)

        def call(y_pred: Any, y_true: Any, weight: Any = None) -> Any:
            return sums_of(made, y_pred, y_true, np.ones(y_pred.shape[:1]) if weight is None else weight)

        return call

    def run(self, inputs: Sequence[np.ndarray], threads: int = 1, fresh: bool = False) -> Leaves:
        weight = () if len(inputs) > 2 else (np.ones(len(inputs[0])),)
        with self.subject.entered(threads):
            results = function(self.callable(""))(*inputs, *weight)
        return [np.asarray(y) for y in flatten(results)[0]]

    def figure(self, sums: Leaves) -> np.ndarray:
        """What the metric makes of sums."""
        return np.asarray(figure_of(self.subject.make(self.sample), sums))


def trial_of(subject: Subject, sample: Sample) -> Any:
    """The trial of one sample."""
    if subject.kind == "metric" and subject.record.is_class:
        return SumsTrial(subject, sample)
    return (RowTrial if subject.kind in BY_ROWS else WholeTrial)(subject, sample)


def trials(subject: Subject) -> list[Any]:
    """One trial per sample."""
    if "trials" not in subject.cache:
        subject.cache["trials"] = [trial_of(subject, sample) for sample in subject.samples]
    return subject.cache["trials"]


def row_trials(subject: Subject) -> list[Any]:
    """The trials whose outputs have one row per example."""
    return [trial for trial in trials(subject) if trial.per_example]


def alone(items: list) -> Any:
    """The one item of a list of one, else the list."""
    return items[0] if len(items) == 1 else items
