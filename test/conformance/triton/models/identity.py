"""Writes identity/1/model.onnx: INPUT0 FP32 [n] -> OUTPUT0, as Triton's identity has it. Needs the package onnx."""

import pathlib

import onnx
from onnx import TensorProto, helper

graph = helper.make_graph(
    [helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])],
    "identity",
    [helper.make_tensor_value_info("INPUT0", TensorProto.FLOAT, ["n"])],
    [helper.make_tensor_value_info("OUTPUT0", TensorProto.FLOAT, ["n"])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model)
onnx.save(model, pathlib.Path(__file__).parent / "identity" / "1" / "model.onnx")
