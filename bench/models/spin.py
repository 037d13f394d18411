"""Writes spin/1/model.onnx: multiplies a 256 x 256 matrix by itself `n` times, so that a run takes as long as asked.

n INT64 [1] -> y FP32 [1]. Needs the package onnx.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE = 256
body = helper.make_graph(
    [
        helper.make_node("MatMul", ["matrix", "factor"], ["matrix_next"]),
        helper.make_node("Identity", ["condition"], ["condition_next"]),
    ],
    "body",
    [
        helper.make_tensor_value_info("iteration", TensorProto.INT64, []),
        helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
        helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [SIZE, SIZE]),
    ],
    [
        helper.make_tensor_value_info("condition_next", TensorProto.BOOL, []),
        helper.make_tensor_value_info("matrix_next", TensorProto.FLOAT, [SIZE, SIZE]),
    ],
)
graph = helper.make_graph(
    [
        helper.make_node("ConstantOfShape", ["sides"], ["ones"], value=helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])),
        helper.make_node("Squeeze", ["n"], ["trips"]),
        helper.make_node("Loop", ["trips", "", "ones"], ["turned"], body=body),
        helper.make_node("ReduceMean", ["turned"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "line"], ["y"]),
    ],
    "spin",
    [helper.make_tensor_value_info("n", TensorProto.INT64, [1])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    [
        numpy_helper.from_array(np.array([SIZE, SIZE], np.int64), "sides"),
        numpy_helper.from_array(np.array([1], np.int64), "line"),
        # A matrix of equal values whose rows add up to 1: the numbers neither grow nor vanish, and the file stays small.
        numpy_helper.from_array(np.array(1 / SIZE, np.float32), "value"),
        numpy_helper.from_array(np.array([SIZE, SIZE], np.int64), "square"),
    ],
)
graph.node.insert(0, helper.make_node("Expand", ["value", "square"], ["factor"]))
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
path = pathlib.Path(__file__).parent / "spin" / "1" / "model.onnx"
path.parent.mkdir(parents=True, exist_ok=True)
onnx.save(model, path)
