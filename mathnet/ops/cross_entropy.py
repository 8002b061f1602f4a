"""Cross-entropy of scores against class indices or class probabilities, and the same of log-probabilities; one value per example."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mathnet.errors import DTypeError, ShapeError
from mathnet.graph.dim import Dim, product, show_shape
from mathnet.graph.dtypes import INT64, is_float
from mathnet.graph.op import FUNCTIONS, OPS, Op, as_tensor, batched, count, graph_function, register
from mathnet.graph.tensor import Node, Spec, Tensor
from mathnet.ops.comparison import where
from mathnet.ops.filled import one_hot
from mathnet.ops.indexing import take
from mathnet.ops.reduction import sum_


def _log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - np.max(z, -1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), -1, keepdims=True))


def _chosen(targets: np.ndarray, classes: int) -> np.ndarray:
    """Class probabilities for indices; probabilities pass through."""
    return np.eye(classes)[targets] if targets.dtype.kind == "i" else targets


def _kernel_name(targets: Any, direction: str) -> str:
    return f"cross_entropy_{'index' if targets.dtype == INT64 else 'dense'}_{direction}"


class CrossEntropy(Op):
    """−Σ_c p_c log softmax(z)_c over the last axis; p is one for the class of an index, else the given probabilities.

    Inputs: logits (…, C); targets: int64 (…) or probabilities (…, C).  Output (…).
    """

    name, formula, onnx = "cross_entropy", "-Σ_c p_c·log softmax(z)_c", "SoftmaxCrossEntropyLoss"

    def infer(self, logits: Spec, targets: Spec) -> Spec:  # type: ignore[override]
        wanted = logits.shape[:-1] if targets.dtype == INT64 else logits.shape
        if targets.shape != wanted:
            kind = "class indices" if targets.dtype == INT64 else "class probabilities"
            raise ShapeError(
                f"cross_entropy: {kind} of shape {show_shape(targets.shape)} do not fit to scores of shape {show_shape(logits.shape)}; "
                f"expected {show_shape(wanted)}, or integer indices of shape {show_shape(logits.shape[:-1])}"
            )
        return Spec(logits.shape[:-1], logits.dtype)

    def batch(self, n: Any, inputs: Sequence[Tensor], mapped: Sequence[bool], **attrs: Any) -> Tensor:  # type: ignore[override]
        return self(*[batched(x, n, m) for x, m in zip(inputs, mapped)], **attrs)

    def vjp(
        self, dy: Any, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]
    ) -> Sequence[Tensor | None]:  # type: ignore[override]
        logits, targets = inputs
        d_targets = None
        if is_float(targets.dtype):
            column = OPS["reshape"](dy, shape=(*dy.shape, 1))
            d_targets = -(column * OPS["log_softmax"](logits, axis=logits.ndim - 1))
        return CROSS_ENTROPY_BACKWARD(dy, logits, targets, outputs[0]), d_targets

    def kept(self, logits: Spec, targets: Spec) -> tuple[Spec, ...]:
        """The softmax, which the derivative needs."""
        return (Spec(logits.shape, logits.dtype),)

    def lower(self, emit: Any, inputs: Any, outputs: Any) -> None:  # type: ignore[override]
        self.lower_keeping(emit, inputs, (*outputs, emit.temporary(inputs[0].shape, inputs[0].dtype)))

    def lower_keeping(self, emit: Any, inputs: Any, outputs: Any) -> None:
        logits, targets = emit.dense(inputs[0]), inputs[1]
        targets = emit.dense(targets if targets.dtype == INT64 else emit.cast(targets, logits.dtype))
        rows = product(logits.shape[:-1])
        if rows:
            emit.kernel(
                _kernel_name(targets, "forward"),
                [logits, targets],
                outputs,
                rows=rows,
                classes=logits.shape[-1],
            )

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str | None:
        return f"cross_entropy: the label {int(value)} of example {position} is out of range for the number of classes"

    def cost(self, inputs: Sequence[Spec], outputs: Sequence[Spec], **attrs: Any) -> tuple[int, int]:
        n = count(inputs[0])
        return 6 * n, 2 * n * inputs[0].dtype.itemsize

    def oracle(self, logits: np.ndarray, targets: np.ndarray) -> np.ndarray:  # type: ignore[override]
        return -np.sum(_chosen(targets, logits.shape[-1]) * _log_softmax(logits), -1)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        rng = np.random.default_rng(6)
        z, p = rng.uniform(-3, 3, (4, 5)), rng.uniform(0, 1, (4, 5))
        return [
            ((z, np.array([0, 4, 2, 2])), {}),
            ((z, p / p.sum(1, keepdims=True)), {}),
            ((z.reshape(2, 2, 5), np.array([[0, 1], [4, 3]])), {}),
        ]


class CrossEntropyBackward(Op):
    """dlogits = dl·(softmax(z)·Σp − p).  The loss itself is an input only so that the softmax kept beside it can be found."""

    name, formula = "cross_entropy_backward", "dl·(softmax(z)·Σp - p)"

    def infer(self, dl: Spec, logits: Spec, targets: Spec, losses: Spec) -> Spec:  # type: ignore[override]
        return Spec(logits.shape, logits.dtype)

    def expansion(self, dl: Tensor, logits: Tensor, targets: Tensor, losses: Tensor) -> Tensor:  # type: ignore[override]
        probabilities = OPS["softmax"](logits, axis=logits.ndim - 1)
        column = OPS["reshape"](dl, shape=(*dl.shape, 1))
        if targets.dtype == INT64:
            return column * (
                probabilities - FUNCTIONS["one_hot"](targets, logits.shape[-1], dtype=logits.dtype)
            )
        total = OPS["sum"](targets, axis=(targets.ndim - 1,), keepdims=True)
        return column * (probabilities * total - targets)

    def uses_kept(self, node: Node) -> Node | None:
        _, logits, targets, losses = node.inputs
        forward = losses.node
        same = forward.op is CROSS_ENTROPY and forward.inputs[0] is logits and forward.inputs[1] is targets
        return forward if same else None

    def lower(self, emit: Any, inputs: Any, outputs: Any, kept: Any = None) -> None:  # type: ignore[override]
        dl, logits, targets, _ = inputs
        targets = emit.dense(targets if targets.dtype == INT64 else emit.cast(targets, logits.dtype))
        rows, classes = product(logits.shape[:-1]), logits.shape[-1]
        if not rows:
            return
        if kept is None:
            kept = (emit.temporary(logits.shape, logits.dtype),)
            emit.kernel("softmax_forward", [emit.dense(logits)], kept, outer=rows, axis=classes, inner=1)
        emit.kernel(
            _kernel_name(targets, "backward"),
            [emit.dense(dl), kept[0], targets],
            outputs,
            rows=rows,
            classes=classes,
        )

    def message(self, code: int, position: int, value: float, **attrs: Any) -> str | None:
        return CROSS_ENTROPY.message(code, position, value)

    def oracle(
        self, dl: np.ndarray, logits: np.ndarray, targets: np.ndarray, losses: np.ndarray
    ) -> np.ndarray:  # type: ignore[override]
        p = _chosen(targets, logits.shape[-1])
        return dl[..., None] * (np.exp(_log_softmax(logits)) * p.sum(-1, keepdims=True) - p)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [
            ((np.linspace(-1, 1, y.size).reshape(y.shape), z, t, y), {}) for z, t, y in _forward_samples()
        ]


CROSS_ENTROPY, CROSS_ENTROPY_BACKWARD = register(CrossEntropy()), register(CrossEntropyBackward())


def _forward_samples() -> list[tuple[np.ndarray, ...]]:
    return [(*arrays, CROSS_ENTROPY.oracle(*arrays)) for arrays, _ in CROSS_ENTROPY.samples()]


@graph_function
def cross_entropy(logits: Any, targets: Any) -> Tensor:
    """−Σ_c p_c log softmax(logits)_c over the last axis, one value per example.

    logits (…, C): scores; targets: class indices (…), int64, or class probabilities (…, C).  Returns (…).
    Raises ShapeError when the shapes do not fit and DataError for an index outside of 0 … C−1.

    >>> import mathnet as mn
    >>> mn.cross_entropy([[0.0, 0.0]], [1])
    array([0.69314718])
    """
    logits, targets = as_tensor(logits, "cross_entropy: logits"), as_tensor(targets, "cross_entropy: targets")
    if not is_float(logits.dtype):
        raise DTypeError(
            f"cross_entropy: the scores have element type {logits.dtype}; a float type is needed"
        )
    if logits.ndim == 0:
        raise ShapeError("cross_entropy: the scores need an axis of classes")
    return CROSS_ENTROPY(
        logits,
        targets if is_float(targets.dtype) or targets.dtype == INT64 else OPS["cast"](targets, dtype=INT64),
    )


def log_probabilities(name: str, value: Any) -> Tensor:
    """The first operand of a loss of log-probabilities."""
    scores = as_tensor(value, f"{name}: log_probs")
    if not is_float(scores.dtype):
        raise DTypeError(f"{name}: log_probs have element type {scores.dtype}; a float type is needed")
    return scores


def labels_in_range(labels: Tensor, classes: int) -> Tensor:
    """The labels; one outside of 0 … classes − 1 ends the run with an error."""
    return take(np.arange(classes), labels)


@graph_function
def nll_loss(log_probs: Any, targets: Any) -> Tensor:
    """−log_probs[target]: the negative log-likelihood of class indices, one value for each.

    log_probs (…, C), targets (…) int64 → (…).  ``mn.cross_entropy`` is this of ``mn.log_softmax``.  An index outside of 0 … C−1 is a
    DataError.

    >>> import numpy as np, mathnet as mn
    >>> mn.nll_loss(np.log([[0.25, 0.75]]), [1])
    array([0.28768207])
    """
    scores = log_probabilities("nll_loss", log_probs)
    if scores.ndim == 0 or isinstance(scores.shape[-1], Dim):
        raise ShapeError(
            f"nll_loss: log_probs of shape {show_shape(scores.shape)} need a last axis of classes"
        )
    classes = scores.shape[-1]
    labels = as_tensor(targets, "nll_loss: targets")
    if labels.dtype != INT64:
        raise DTypeError(f"nll_loss: targets must be integers, not {labels.dtype}")
    if labels.shape != scores.shape[:-1]:
        raise ShapeError(
            f"nll_loss: targets must have shape {show_shape(scores.shape[:-1])}, not {show_shape(labels.shape)}"
        )
    chosen = one_hot(labels_in_range(labels, classes), classes, dtype=np.bool_)
    return -sum_(where(chosen, scores, 0.0), axis=-1)
