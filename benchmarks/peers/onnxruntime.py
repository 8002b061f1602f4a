"""The inference workloads in ONNX Runtime.  Importing this module without it, or without onnx, raises ImportError."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

Step = Callable[[], list[np.ndarray]]
_options = onnxruntime.SessionOptions()


def set_threads(threads: int) -> None:
    _options.intra_op_num_threads = threads


def mlp_inference(parameters: Mapping[str, np.ndarray], x: np.ndarray) -> Step:
    """784-128-10 as Gemm, Relu, Gemm with the given weights."""
    named = {"w": "hidden/kernel", "b": "hidden/bias", "v": "logits/kernel", "c": "logits/bias"}
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "v", "c"], ["y"]),
    ]
    return _session(nodes, {short: np.array(parameters[name]) for short, name in named.items()}, x)


def cnn_inference(x: np.ndarray) -> Step:
    """Two blocks of convolution, relu and max pooling, and two dense layers."""
    weights = _weights(
        k=(32, 1, 3, 3), a=(32,), l=(64, 32, 3, 3), b=(64,), w=(64 * 49, 128), c=(128,), v=(128, 10), d=(10,)
    )
    nodes = [
        *_block("x", "k", "a", "one"),
        *_block("one", "l", "b", "two"),
        helper.make_node("Flatten", ["two"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "c"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "v", "d"], ["y"]),
    ]
    return _session(nodes, weights, x)


def _block(source: str, kernel: str, bias: str, target: str) -> list[NodeProto]:
    return [
        helper.make_node("Conv", [source, kernel, bias], [f"{target}c"], pads=[1] * 4),
        helper.make_node("Relu", [f"{target}c"], [f"{target}r"]),
        helper.make_node("MaxPool", [f"{target}r"], [target], kernel_shape=[2, 2], strides=[2, 2]),
    ]


def lstm_inference(x: np.ndarray) -> Step:
    """LSTM 16 → 32 over (T, 1, 16), the last state through a dense layer of 4."""
    weights = _weights(w=(1, 128, 16), r=(1, 128, 32), v=(32, 4), d=(4,))
    weights["b"] = np.zeros((1, 256), np.float32)
    weights["shape"] = np.array([1, 32])
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["", "state"], hidden_size=32),
        helper.make_node("Reshape", ["state", "shape"], ["h"]),
        helper.make_node("Gemm", ["h", "v", "d"], ["y"]),
    ]
    return _session(nodes, weights, np.ascontiguousarray(np.swapaxes(x, 0, 1)))


def _weights(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape, np.float32) * np.float32(0.05) for name, shape in shapes.items()}


def _session(nodes: Sequence[NodeProto], weights: Mapping[str, np.ndarray], x: np.ndarray) -> Step:
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "network", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString(), _options)
    return lambda: session.run(None, {"x": x})
