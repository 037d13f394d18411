"""Makes the tiny models in test/fixtures/models/ (a few bytes each, but for `slow`, whose weight is computed at run time).

    python scripts/models/fixtures.py
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper, numpy_helper

FOLDER = Path(__file__).resolve().parents[2] / "test/fixtures/models"
value, node = helper.make_tensor_value_info, helper.make_node


def save(name, nodes, inputs, outputs, constants=(), check=True):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    if check:
        onnx.checker.check_model(model)
    path = FOLDER / f"{name}.onnx"
    onnx.save(model, path)
    return path


def identity(name, datatype, shape):
    save(f"identity_{name}", [node("Identity", ["INPUT"], ["OUTPUT"])], [value("INPUT", datatype, shape)],
         [value("OUTPUT", datatype, shape)])


def slow(size=1024, rows=512, repeats=80):
    """[512, 1024] times a matrix of ones / 1024, 80 times over: some 0.4 s on one core, or more, and nothing to fold at load."""
    constants = [
        numpy_helper.from_array(np.array([size, size], np.int64), "shape"),
        numpy_helper.from_array(np.float32(0), "zero"),
        numpy_helper.from_array(np.float32(1 / size), "cell"),
        numpy_helper.from_array(np.array([0, 0], np.int64), "corner"),
        numpy_helper.from_array(np.array([1, 1], np.int64), "corner_end"),
        numpy_helper.from_array(np.array([0, 1], np.int64), "axes"),
    ]
    nodes = [  # the matrix depends on the input, so the optimiser cannot store it (4 MB) nor fold the chain
        node("Slice", ["INPUT", "corner", "corner_end", "axes"], ["first"]),
        node("Mul", ["first", "zero"], ["nothing"]),
        node("Add", ["nothing", "cell"], ["one_cell"]),
        node("Expand", ["one_cell", "shape"], ["matrix"]),
    ]
    last = "INPUT"
    for i in range(repeats):
        name = "OUTPUT" if i == repeats - 1 else f"x{i}"
        nodes.append(node("MatMul", [last, "matrix"], [name]))
        last = name
    save("slow", nodes, [value("INPUT", T.FLOAT, [rows, size])], [value("OUTPUT", T.FLOAT, [rows, size])], constants)


def steady(size=192, turns=600):
    """[n, m] passed through, beside a chain of products of matrices whose time (tens of ms) does not depend on n."""
    body = helper.make_graph(
        [node("MatMul", ["matrix", "factor"], ["matrix_next"]), node("Identity", ["on"], ["on_next"])],
        "body",
        [value("turn", T.INT64, []), value("on", T.BOOL, []), value("matrix", T.FLOAT, [size, size])],
        [value("on_next", T.BOOL, []), value("matrix_next", T.FLOAT, [size, size])],
    )
    constants = [
        numpy_helper.from_array(np.array([size, size], np.int64), "sides"),
        numpy_helper.from_array(np.array(turns, np.int64), "turns"),
        numpy_helper.from_array(np.float32(0), "zero"),
    ]
    cell = helper.make_tensor("cell_value", T.FLOAT, [1], [1 / size])
    nodes = [
        node("ConstantOfShape", ["sides"], ["factor"], value=cell),
        node("Loop", ["turns", "", "factor"], ["turned"], body=body),
        node("ReduceMean", ["turned"], ["mean"], keepdims=0),
        node("Mul", ["mean", "zero"], ["nothing"]),
        node("Add", ["INPUT", "nothing"], ["OUTPUT"]),
    ]
    save("steady", nodes, [value("INPUT", T.FLOAT, ["n", "m"])], [value("OUTPUT", T.FLOAT, ["n", "m"])], constants)


def stuck():
    """The mean of a picture [height, width, 3]; a run whose picture begins with a bright value never ends."""
    body = helper.make_graph(
        [node("Identity", ["on"], ["on_next"]), node("Add", ["sum", "one"], ["sum_next"])],
        "body",
        [value("turn", T.INT64, []), value("on", T.BOOL, []), value("sum", T.INT64, [])],
        [value("on_next", T.BOOL, []), value("sum_next", T.INT64, [])],
    )
    constant = lambda name, number: numpy_helper.from_array(np.array(number, np.int64), name)
    constants = [constant("origin", [0, 0, 0]), constant("bright", 128), constant("for_ever", 2**62), constant("never", 0),
                 constant("one", 1), numpy_helper.from_array(np.float32(0), "zero")]
    nodes = [
        node("GatherND", ["INPUT", "origin"], ["first_8"]),
        node("Cast", ["first_8"], ["first"], to=T.INT64),
        node("Less", ["first", "bright"], ["is_dark"]),
        node("Where", ["is_dark", "never", "for_ever"], ["turns"]),
        node("Loop", ["turns", "", "never"], ["turned"], body=body),
        node("Cast", ["turned"], ["waited"], to=T.FLOAT),
        node("Mul", ["waited", "zero"], ["nothing"]),
        node("Cast", ["INPUT"], ["values"], to=T.FLOAT),
        node("ReduceMean", ["values"], ["mean"], keepdims=0),
        node("Add", ["mean", "nothing"], ["OUTPUT"]),
    ]
    save("stuck", nodes, [value("INPUT", T.UINT8, ["height", "width", 3])], [value("OUTPUT", T.FLOAT, [])], constants)


def sequences():
    """The sum of a sequence's inputs, as its state, with the control tensors and the rows of the run; and texts as ids."""
    rows = lambda name, datatype, columns=1: value(name, datatype, ["rows", columns])
    flags = ["START", "READY", "END"]
    nodes = [
        node("Add", ["INPUT", "STATE_IN"], ["SUM"]),
        node("Identity", ["SUM"], ["STATE_OUT"]),
        *[node("Cast", [flag], [f"{flag}_64"], to=T.INT64) for flag in flags],
        node("Shape", ["INPUT"], ["size"], start=0, end=1),
        node("Mul", ["CORRID", "zero"], ["no_rows"]),
        node("Add", ["no_rows", "size"], ["ROWS"]),
        node("Concat", [f"{flag}_64" for flag in flags] + ["CORRID", "ROWS"], ["CONTROLS"], axis=1),
    ]
    inputs = [rows("INPUT", T.FLOAT), rows("STATE_IN", T.FLOAT), *[rows(flag, T.INT32) for flag in flags],
              rows("CORRID", T.INT64)]
    outputs = [rows("SUM", T.FLOAT), rows("STATE_OUT", T.FLOAT), rows("CONTROLS", T.INT64, 5)]
    save("sequence_sum", nodes, inputs, outputs, [numpy_helper.from_array(np.array([[0]], np.int64), "zero")])
    nodes = [node("Identity", [a], [b]) for a, b in (("INPUT", "OUTPUT"), ("CORRID", "ID"), ("START", "STARTED"))]
    save("sequence_text", nodes, [rows("INPUT", T.FLOAT), rows("CORRID", T.STRING), rows("START", T.BOOL)],
         [rows("OUTPUT", T.FLOAT), rows("ID", T.STRING), rows("STARTED", T.BOOL)])


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    datatypes = {
        "bool": T.BOOL, "uint8": T.UINT8, "uint16": T.UINT16, "uint32": T.UINT32, "uint64": T.UINT64, "int8": T.INT8,
        "int16": T.INT16, "int32": T.INT32, "int64": T.INT64, "fp16": T.FLOAT16, "fp32": T.FLOAT, "fp64": T.DOUBLE,
        "bytes": T.STRING,
    }
    for name, datatype in datatypes.items():
        identity(name, datatype, ["n"])
    identity("fixed_fp32", T.FLOAT, [1, 4])
    identity("bf16", T.BFLOAT16, ["n"])
    fixed = [value(name, T.FLOAT, [1, 4]) for name in ("A", "B", "SUM")]
    added = save("add", [node("Add", ["A", "B"], ["SUM"])], fixed[:2], fixed[2:])
    dynamic = ["batch", 3, "height", "width"]
    save("dynamic", [node("ReduceMean", ["image"], ["mean"], axes=[2, 3], keepdims=0)],
         [value("image", T.FLOAT, dynamic)], [value("mean", T.FLOAT, ["batch", 3])])
    slow()
    steady()
    stuck()
    sequences()
    save("unknown_operator", [node("Frobnicate", ["INPUT"], ["OUTPUT"])], [value("INPUT", T.FLOAT, [1])],
         [value("OUTPUT", T.FLOAT, [1])], check=False)
    (FOLDER / "truncated.onnx").write_bytes(added.read_bytes()[:60])
    (FOLDER / "not_onnx.onnx").write_bytes(b"This is a text that somebody gave the wrong name.\n" * 4)


if __name__ == "__main__":
    main()
