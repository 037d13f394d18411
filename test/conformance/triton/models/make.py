"""Writes identity/1/model.onnx and counter/1/model.onnx, as Triton's models have it. Needs the package onnx.

identity: INPUT0 FP32 [n] -> OUTPUT0. counter: OUTPUT0 FP32 [n, 1] and STATE_OUT are INPUT0 + STATE; START and CORRID say which row is
in which sequence.
"""

import pathlib

import onnx
from onnx import TensorProto, helper

FOLDER = pathlib.Path(__file__).parent


def save(name, nodes, inputs, outputs):
    graph = helper.make_graph(nodes, name, inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = FOLDER / name / "1" / "model.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)


def row(name, datatype):
    return helper.make_tensor_value_info(name, datatype, ["n", 1])


save(
    "identity",
    [helper.make_node("Identity", ["INPUT0"], ["OUTPUT0"])],
    [helper.make_tensor_value_info("INPUT0", TensorProto.FLOAT, ["n"])],
    [helper.make_tensor_value_info("OUTPUT0", TensorProto.FLOAT, ["n"])],
)
save(
    "counter",
    [
        helper.make_node("Add", ["INPUT0", "STATE"], ["OUTPUT0"]),
        helper.make_node("Identity", ["OUTPUT0"], ["STATE_OUT"]),
    ],
    [
        row("INPUT0", TensorProto.FLOAT),
        row("STATE", TensorProto.FLOAT),
        row("START", TensorProto.INT32),
        row("CORRID", TensorProto.UINT64),
    ],
    [row("OUTPUT0", TensorProto.FLOAT), row("STATE_OUT", TensorProto.FLOAT)],
)
