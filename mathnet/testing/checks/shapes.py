"""Shapes: what the shape rule says against what is computed, empty batches, examples alone and together."""

from __future__ import annotations

from typing import Any

import numpy as np

from mathnet.graph.dim import Dim, show_shape
from mathnet.graph.graph import Graph
from mathnet.graph.op import input_tensor
from mathnet.graph.tensor import Spec
from mathnet.graph.tree import flatten
from mathnet.plugin.host_op import HostOp
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require, require_same
from mathnet.testing.trial import BY_ROWS, ROWS, WHOLE, Trial, row_trials, trials


@check(*BY_ROWS)
def shape_rule(subject: Subject) -> None:
    """The shapes that the graph promises for a free batch size are those that are computed for 5, 1 and 2 examples."""
    for trial in row_trials(subject):
        promised = [tensor.spec for tensor in trial.model().outputs]
        for rows in (ROWS, 1, 2):
            values = trial.run(trial.inputs(rows=rows))
            for position, (spec, value) in enumerate(zip(promised, values)):
                wanted = tuple(rows if isinstance(size, Dim) else size for size in spec.shape)
                require(
                    value.shape == wanted and value.dtype == spec.dtype,
                    f"output {position} was promised as {spec.dtype}{show_shape(spec.shape)}, but for {rows} examples it is "
                    f"{value.dtype}{value.shape}",
                )


@check(*WHOLE)
def shape_of_the_result(subject: Subject) -> None:
    """The shape and type rule of the graph agrees with what is computed."""
    for trial in trials(subject):
        inputs = trial.inputs()
        with subject.entered():
            tensors = [input_tensor(Spec(a.shape, a.dtype)) for a in inputs]
            outputs = [t for t in flatten(trial.callable("")(*tensors))[0] if hasattr(t, "spec")]
            Graph(tensors, outputs).verify()
        for tensor, value in zip(outputs, trial.run(inputs)):
            require(
                tensor.shape == value.shape and tensor.dtype == value.dtype,
                f"the shape rule says {tensor.dtype}{show_shape(tensor.shape)}, but {value.dtype}{value.shape} is computed",
            )
        if subject.record.is_class and subject.kind == "op" and issubclass(subject.record.object, HostOp):
            _host_results(subject, trial, inputs)


def _host_results(subject: Subject, trial: Trial, inputs: list[np.ndarray]) -> None:
    """What a HostOp returns before it is converted."""
    host: Any = subject.record.object()
    raw = host.forward(*inputs, **trial.sample.config)
    for value in raw if isinstance(raw, (tuple, list)) else (raw,):
        wanted = host.dtype(*[Spec(a.shape, a.dtype) for a in inputs], **trial.sample.config)
        if not isinstance(wanted, (tuple, list)):
            require(
                np.asarray(value).dtype == np.dtype(wanted),
                f"forward() returned {np.asarray(value).dtype} for {', '.join(str(a.dtype) for a in inputs)}, but dtype() says "
                f"{np.dtype(wanted)}",
            )


@check(*BY_ROWS)
def zero_size(subject: Subject) -> None:
    """No examples in, no examples out."""
    for trial in row_trials(subject):
        for dtype in ("float32", "float64"):
            whole = trial.run(trial.inputs(dtype))
            for empty, full in zip(trial.run(trial.inputs(dtype, rows=0)), whole):
                require(
                    empty.shape == (0, *full.shape[1:]),
                    f"no examples give the shape {empty.shape} instead of {(0, *full.shape[1:])}",
                )
            trial.direct(trial.inputs(dtype, rows=0))


@check("regularizer", "constraint")
def zero_size_weight(subject: Subject) -> None:
    """A weight without elements is no error; its penalty is finite."""
    for trial in trials(subject):
        (weight,) = trial.inputs()
        (result,) = trial.run([weight[:0]])
        require(np.isfinite(result).all(), f"a weight of shape {weight[:0].shape} gives {result}")


@check("op", advice=True)
def zero_size_operands(subject: Subject) -> None:
    """Operands without elements are no error."""
    for trial in trials(subject):
        if any(a.ndim == 0 for a in trial.inputs()):
            continue
        trial.run([a[:0] for a in trial.inputs()])


@check(*BY_ROWS)
def batch_invariance(subject: Subject) -> None:
    """An example gives the same bits alone, in a batch, and in another order."""
    for trial in row_trials(subject):
        for dtype in ("float32", "float64"):
            inputs = trial.inputs(dtype)
            together = trial.run(inputs)
            apart = [trial.run([a[k : k + 1] for a in inputs]) for k in range(ROWS)]
            backward = trial.run([np.ascontiguousarray(a[::-1]) for a in inputs])
            for position, whole in enumerate(together):
                alone = np.concatenate([part[position] for part in apart])
                for other, how in ((alone, "alone"), (backward[position][::-1], "in another order")):
                    require_same(
                        other,
                        whole,
                        f"examples give other bits {how} than in a batch ({dtype}); does a sum or a mean run over the batch axis?",
                    )
