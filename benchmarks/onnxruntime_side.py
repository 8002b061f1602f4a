"""The workloads in ONNX Runtime.  Importing this module without it, or without onnx, raises ImportError."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def mlp_inference(
    parameters: Mapping[str, np.ndarray], x: np.ndarray, threads: int
) -> Callable[[], list[np.ndarray]]:
    """784-128-10 as Gemm, Relu, Gemm with the given weights."""
    named = {"w": "hidden/kernel", "b": "hidden/bias", "v": "logits/kernel", "c": "logits/bias"}
    initializers = [
        numpy_helper.from_array(np.array(parameters[name]), short) for short, name in named.items()
    ]
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "v", "c"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "mlp", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda: session.run(None, {"x": x})
