"""Writes dense/1/model.onnx: eight layers of 2048 × 2048 whose weights are made at load, so that the file is small.

x FP32 [n, 2048] -> y FP32 [n, 2048]. One row has to read all weights (128 MiB) for little arithmetic, so a batch gains much.
Needs the package onnx.
"""

import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, LAYERS = 2048, 8
side = numpy_helper.from_array(np.array([SIZE, SIZE], np.int64), "sides")
nodes, last = [], "x"
for layer in range(LAYERS):
    # Another value each, or the optimiser would keep one matrix for all layers.
    cell = helper.make_tensor("cell", TensorProto.FLOAT, [1], [(1 + layer / 1024) / SIZE])
    nodes.append(helper.make_node("ConstantOfShape", ["sides"], [f"weights{layer}"], value=cell))
    nodes.append(helper.make_node("MatMul", [last, f"weights{layer}"], [f"product{layer}"]))
    last = "y" if layer == LAYERS - 1 else f"x{layer}"
    nodes.append(helper.make_node("Relu", [f"product{layer}"], [last]))
graph = helper.make_graph(
    nodes,
    "dense",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZE])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", SIZE])],
    [side],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
model.ir_version = 9
onnx.checker.check_model(model)
path = pathlib.Path(__file__).parent / "dense/1/model.onnx"
path.parent.mkdir(parents=True, exist_ok=True)
onnx.save(model, path)
