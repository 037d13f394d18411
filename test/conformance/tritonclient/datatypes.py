"""The edges of datatypes over gRPC, HTTP binary and HTTP JSON (Triton's L0_nan_inf, L0_nullchar_string, L0_string_io,
L0_infer_zero, L0_scalar_io, L0_input_validation)."""

import json
import struct

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import ARRAYS, check, equal, main, raises
from tritonclient.utils import InferenceServerException


def through(module, client, model, array, datatype, names=("INPUT", "OUTPUT"), **binary):
    made = module.InferInput(names[0], list(array.shape), datatype)
    if module is http:
        made.set_data_from_numpy(array, binary_data=binary.get("binary", True))
        outputs = [http.InferRequestedOutput(names[1], binary_data=binary.get("binary", True))]
        return client.infer(model, [made], outputs=outputs).as_numpy(names[1])
    made.set_data_from_numpy(array)
    return client.infer(model, [made]).as_numpy(names[1])


def clients(at):
    return [(grpc, grpc.InferenceServerClient(at.grpc)), (http, http.InferenceServerClient(at.http))]


def post(at, model, body, headers=None):
    with http.InferenceServerClient(at.http) as client:
        response = client._post(f"v2/models/{model}/infer", body, headers, None)
        return response.status_code, response.read().decode("utf-8", "surrogateescape")


@check
def every_datatype_survives_at_its_limits(at):
    for module, client in clients(at):
        with client:
            for datatype, array in ARRAYS.items():
                if datatype in ("BF16", "BYTES"):
                    continue
                equal(through(module, client, f"identity_{datatype.lower()}", array, datatype), array, datatype)


@check
def json_carries_all_of_them_but_fp16_exactly(at):
    with http.InferenceServerClient(at.http) as client:
        for datatype, array in ARRAYS.items():
            if datatype in ("BF16", "BYTES", "FP16", "FP32"):
                continue
            equal(through(http, client, f"identity_{datatype.lower()}", array, datatype, binary=False), array, datatype)


@check
def nan_and_infinities_pass_in_json(at):
    body = '{"inputs":[{"name":"INPUT","datatype":"FP32","shape":[4],"data":[NaN,Infinity,-Infinity,-0.0]}]}'
    status, text = post(at, "identity_fp32", body)
    equal(status, 200, text)
    assert '"data":[NaN,Infinity,-Infinity,-0.0]' in text, text


@check
def sixty_four_bit_integers_are_exact_in_json(at):
    for datatype, numbers in (
        ("INT64", [-(2**63), 2**63 - 1, 2**53 + 1]),
        ("UINT64", [2**64 - 1, 2**53 + 1]),
    ):
        inputs = [{"name": "INPUT", "datatype": datatype, "shape": [len(numbers)], "data": numbers}]
        status, text = post(at, f"identity_{datatype.lower()}", json.dumps({"inputs": inputs}))
        equal(status, 200, text)
        equal(json.loads(text)["outputs"][0]["data"], numbers)


@check
def integers_beyond_their_datatype_are_refused(at):
    for datatype, number in (("INT64", 2**63), ("UINT64", -1), ("UINT64", 2**64), ("INT8", 128), ("UINT8", 256), ("INT32", 1.5)):
        inputs = [{"name": "INPUT", "datatype": datatype, "shape": [1], "data": [number]}]
        status, text = post(at, f"identity_{datatype.lower()}", json.dumps({"inputs": inputs}))
        equal(status, 400, f"{datatype} {number}: {text}")


@check
def half_precision_has_no_json_form(at):
    status, text = post(at, "identity_fp16", '{"inputs":[{"name":"INPUT","datatype":"FP16","shape":[1],"data":[1]}]}')
    equal(status, 400)
    assert "FP16" in text and "binary" in text, text


@check
def texts_of_all_kinds_survive(at):
    array = np.array([b"", "grün ✓".encode(), b"a" * 700, b'"quoted" \\ \n'], np.object_)
    for module, client in clients(at):
        with client:
            equal(through(module, client, "bytes", array, "BYTES"), array)
    with http.InferenceServerClient(at.http) as client:
        equal([text.encode() for text in through(http, client, "bytes", array, "BYTES", binary=False)], list(array))


@check
def bytes_with_nul_and_without_utf8_survive_in_runtimes(at):
    array = np.array([b"a\0b", b"\xff\xfe", b"\0"], np.object_)
    for module, client in clients(at):
        with client:
            equal(through(module, client, "py_echo", array, "BYTES", ("x", "x")), array)


@check
def zero_elements_and_rank_zero_survive(at):
    for module, client in clients(at):
        with client:
            equal(through(module, client, "identity_int64", np.zeros([0], np.int64), "INT64"), np.zeros([0], np.int64))
            equal(through(module, client, "bytes", np.array([], np.object_), "BYTES"), np.array([], np.object_))
            scalar = np.array(7, np.int32)
            equal(through(module, client, "py_echo", scalar, "INT32", ("x", "x")), scalar)
            empty = np.zeros([2, 0, 3], np.float32)
            equal(through(module, client, "py_echo", empty, "FP32", ("x", "x")), empty)


@check
def faults_of_byte_sizes_and_elements_say_what_was_expected(at):
    def infer(model, datatype, shape, raw):
        made = grpc.InferInput("INPUT", shape, datatype)
        made._raw_content = raw
        return raises(InferenceServerException, lambda: client.infer(model, [made], request_id="7")).message()

    prefix = "[request id: 7] input byte size mismatch for input 'INPUT' for model"
    two = struct.pack("<I1sI1s", 1, b"a", 1, b"b")
    with grpc.InferenceServerClient(at.grpc) as client:
        for message, text in (
            (infer("identity_fp32", "FP32", [2], b"1234"), f"{prefix} 'identity_fp32'. Expected 8, got 4"),
            (infer("identity_int64", "INT64", [1], b"1" * 9), f"{prefix} 'identity_int64'. Expected 8, got 9"),
            (infer("bytes", "BYTES", [1], b"\x01\0"), "incomplete string length indicator"),
            (infer("bytes", "BYTES", [1], b"\x05\0\0\0ab"), "incomplete string data"),
            (infer("bytes", "BYTES", [3], two), "expected 3 string elements"),
            (infer("bytes", "BYTES", [1], two), "unexpected number of string elements 2"),
            (infer("identity_fp32", "FP32", [1, 2], b"12345678"), "unexpected shape for input 'INPUT'"),
            (infer("identity_fp32", "INT32", [1], b"1234"), "data-type is 'INT32', but model 'identity_fp32' expects 'FP32'"),
        ):
            assert text in message, message


@check
def missing_inputs_are_named(at):
    a = grpc.InferInput("A", [1, 4], "FP32")
    a.set_data_from_numpy(np.zeros([1, 4], np.float32))
    with grpc.InferenceServerClient(at.grpc) as client:
        message = raises(InferenceServerException, lambda: client.infer("add", [a])).message()
        assert "expected 2 inputs but got 1 inputs for model 'add'. Got input(s) ['A'], but missing required input(s) ['B']" in message


if __name__ == "__main__":
    main()
