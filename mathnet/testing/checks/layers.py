"""Layers: building, instances apart from each other, training, masks."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.graph.dim import Dim
from mathnet.graph.tree import flatten
from mathnet.testing.small_models import Descent, squares
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require
from mathnet.testing.trial import ROWS, alone, trials


@check("layer")
def build(subject: Subject) -> None:
    """The first call makes the weights, a second one uses the same; names are unique, weights have the input's float type."""
    for trial in trials(subject):
        for dtype in ("float32", "float64"):
            with subject.entered():
                layer = subject.make(trial.sample)
                require(isinstance(layer, mn.Layer), "it is no mn.Layer")
                inputs = [
                    mn.Input(a.shape[1:], dtype=a.dtype.name if a.dtype.kind != "i" else "int64")
                    for a in trial.inputs(dtype)
                ]
                layer(alone(inputs))
                before = list(layer.named_variables())
                layer(alone(trial.inputs(dtype)))
                after = list(layer.named_variables())
            require(layer.built, "it is not built after a call; does __init__ or build() set self.built?")
            require(
                [name for name, _ in before] == [name for name, _ in after]
                and all(a is b for (_, a), (_, b) in zip(before, after)),
                "a second call made weights again; make them in build()",
            )
            floats = {a.dtype for a in trial.inputs(dtype) if a.dtype.kind == "f"}
            for name, variable in after:
                require(
                    not floats or variable.dtype in floats or variable.dtype.kind != "f",
                    f"weight {name!r} has the type {variable.dtype} for {dtype} inputs",
                )


@check("layer")
def instances_are_apart(subject: Subject) -> None:
    """Training one instance changes nothing of another one, and nothing of the class."""
    for trial in trials(subject):
        with subject.entered():
            class_before = _class_state(subject.record.object)
            first, second = trial.model(fresh=True), trial.model(fresh=True)
            inputs = alone(trial.inputs())
            before = [np.array(y) for y in flatten(second(inputs))[0]]
            shared = {id(v) for _, v in first.named_variables()} & {
                id(v) for _, v in second.named_variables()
            }
            require(not shared, "two instances share weights")
            _train(first, trial.inputs())
            for a, b in zip(flatten(second(inputs))[0], before):
                require(
                    np.array_equal(a, b, equal_nan=b.dtype.kind == "f"),
                    "training one instance changes what another one computes",
                )
            require(
                _class_state(subject.record.object) == class_before,
                "using it changes attributes of the class; keep state in the instance (self.state)",
            )


def _class_state(made: type) -> dict[str, str]:
    return {
        name: repr(value)
        for name, value in vars(made).items()
        if not callable(value) and not name.startswith("__")
    }


@check("layer")
def prediction_changes_nothing(subject: Subject) -> None:
    """Predicting leaves weights and running values as they are."""
    for trial in trials(subject):
        model = trial.model()
        before = {name: np.array(v.array) for name, v in model.named_variables()}
        trial.run(trial.inputs())
        for name, variable in model.named_variables():
            require(
                np.array_equal(before[name], variable.array, equal_nan=True), f"a prediction changed {name!r}"
            )


@check("layer")
def training_step(subject: Subject) -> None:
    """Two training steps change a weight; all stay finite, the losses too; the same seed gives the same weights."""
    for trial in trials(subject):
        with subject.entered():
            ends = []
            for _ in range(2):
                model = trial.model(fresh=True)
                before = {name: np.array(values) for name, values in model.parameters.items()}
                losses = _train(model, trial.inputs())
                if losses is None:
                    return
                require(np.isfinite(losses).all(), f"training gives the losses {losses}")
                ends.append({name: np.array(values) for name, values in model.parameters.items()})
            require(
                any(not np.array_equal(before[name], values) for name, values in ends[0].items()),
                "two training steps change no weight; does call() use the weights that build() makes?",
            )
            for name, values in ends[0].items():
                require(
                    np.isfinite(values).all(), f"after two training steps the weight {name!r} is not finite"
                )
                require(
                    np.array_equal(values, ends[1][name]),
                    f"two trainings with the same seed differ in {name!r}",
                )


def _train(model: mn.Model, inputs: list[np.ndarray]) -> list[float] | None:
    """Two steps of gradient descent towards zero; None when there is nothing to train."""
    outputs = [t for t in model.outputs if t.dtype.kind == "f"]
    if not outputs or not len(model.parameters):
        return None
    objective = (
        model
        if len(outputs) == len(model.outputs) == 1
        else mn.Model(model.inputs if len(model.inputs) > 1 else model.inputs[0], outputs[0])
    )
    target = outputs[0].shape[1:]
    if any(isinstance(size, Dim) for size in target):
        return None
    trainer = mn.Trainer(objective, loss=squares, optimizer=Descent(), seed=3)
    return [trainer.step(alone(inputs), np.zeros((ROWS, *target), np.float32)) for _ in range(2)]


@check("layer")
def masks(subject: Subject) -> None:
    """A layer that takes ``mask``: a mask of ones changes nothing, and what is masked out has no influence on the rest."""
    if "mask" not in inspect.signature(subject.record.object.call).parameters:
        return
    for trial in trials(subject):
        arrays = trial.inputs("float64")
        if arrays[-1].ndim < 3 or any(a.dtype.kind != "f" for a in arrays):
            continue
        with subject.entered():
            layer = subject.make(trial.sample)
            plain = _float_leaves(layer(alone(arrays)))
            masked, steps = len(arrays) - 1, arrays[-1].shape[1]  # keys and values come last
            try:
                ones = _float_leaves(layer(alone(arrays), mask=np.ones((ROWS, steps), bool)))
            except mn.ShapeError:
                masked, steps = 0, arrays[0].shape[1]
                ones = _float_leaves(layer(alone(arrays), mask=np.ones((ROWS, steps), bool)))
            for a, b in zip(plain, ones):
                require(
                    np.allclose(a, b, rtol=1e-9, atol=1e-12), "a mask of ones gives other values than no mask"
                )
            mask = np.ones((ROWS, steps), bool)
            mask[::2, -1] = False
            other = copy.deepcopy(arrays)
            other[masked][::2, -1] += 1.0
            for a, b in zip(
                _float_leaves(layer(alone(arrays), mask=mask)), _float_leaves(layer(alone(other), mask=mask))
            ):
                if (
                    masked == 0 and a.ndim > 2 and a.shape[1] == steps
                ):  # the masked step's own output is nobody's
                    a, b = a[:, :-1], b[:, :-1]
                require(
                    np.allclose(a, b, rtol=1e-9, atol=1e-12),
                    "a step that the mask excludes changes the other outputs",
                )


def _float_leaves(value: Any) -> list[np.ndarray]:
    return [np.asarray(y) for y in flatten(value)[0] if np.asarray(y).dtype.kind == "f"]
