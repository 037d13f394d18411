"""What no client library sends: raw HTTP, generate and its events (Triton's L0_http, L0_data_compression)."""

import gzip
import http.client
import json
import struct
import threading
import time
import zlib

import numpy as np
from harness import check, equal, main

MANY = 4


def call(at, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(at.http, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict((k.lower(), v) for k, v in response.getheaders()), response.read()
    finally:
        connection.close()


def refused(at, status, text, path, body, headers=None):
    actual, _, answer = call(at, "POST", path, body, headers)
    equal(actual, status, answer)
    assert text in json.loads(answer)["error"], answer
    is_alive(at)


def is_alive(at):
    equal(call(at, "GET", "/v2/health/ready")[0], 200)


def infer_body(shape=(2,), data=(1, 2), **more):
    return json.dumps({"inputs": [{"name": "INPUT", "datatype": "FP32", "shape": list(shape), "data": data}], **more})


FP32 = "/v2/models/identity_fp32/infer"


@check
def raw_binary_request_for_a_model_with_one_input(at):
    headers = {"Inference-Header-Content-Length": "0"}
    status, told, body = call(at, "POST", FP32, struct.pack("<2f", 1, 2), headers)
    equal(status, 200)
    equal(body[int(told["inference-header-content-length"]) :], struct.pack("<2f", 1, 2))
    refused(at, 400, "exactly 1 expected", "/v2/models/add/infer", b"\0" * 32, headers)


@check
def a_raw_text_gets_its_length_prefix(at):
    status, told, body = call(at, "POST", "/v2/models/bytes/infer", b"word", {"Inference-Header-Content-Length": "0"})
    equal(status, 200, body)
    equal(body[int(told["inference-header-content-length"]) :], b"\x04\0\0\0word")


@check
def chunked_bodies_are_read_however_small_their_chunks(at):
    connection = http.client.HTTPConnection(at.http, timeout=20)
    body = infer_body().encode()
    connection.request("POST", FP32, iter([bytes([byte]) for byte in body]), {"Transfer-Encoding": "chunked"}, encode_chunked=True)
    response = connection.getresponse()
    equal(response.status, 200, response.read())
    connection.close()


@check
def shapes_and_sizes_that_overflow_are_refused(at):
    for shape in ([2**40, 2**40], [2**52], [2**30, 2**30, 0, 2**50, 2**50]):
        refused(at, 400, "maximum size" if 0 not in shape else "", FP32, infer_body(shape))
    for dim in (2**62, 2**64):
        refused(at, 400, "an integer of 0 or more expected", FP32, infer_body([dim]))


@check
def a_negative_dimension_is_refused(at):
    refused(at, 400, "an integer of 0 or more expected", FP32, infer_body([-1]))


@check
def a_body_over_the_limit_is_refused(at):
    body = gzip.compress(b'{"inputs":[' + b" " * (65 * 2**20) + b"]}", 1)
    actual, _, answer = call(at, "POST", FP32, body, {"Content-Encoding": "gzip"})
    equal(actual, 413)
    assert b"exceeds the maximum allowed" in answer, answer
    is_alive(at)


@check
def data_may_be_nested_fifty_deep_and_not_more_than_a_hundred(at):
    deep = lambda depth: "[" * depth + "1" + "]" * depth
    body = lambda depth: f'{{"inputs":[{{"name":"INPUT","datatype":"FP32","shape":[1],"data":{deep(depth)}}}]}}'
    equal(call(at, "POST", FP32, body(50))[0], 200)
    refused(at, 400, "", FP32, body(120))
    refused(at, 400, "", FP32, body(250_000))


@check
def outputs_requested_twice_are_refused(at):
    refused(at, 400, "already exists in request", FP32, infer_body(outputs=[{"name": "OUTPUT"}, {"name": "OUTPUT"}]))


@check
def an_index_request_that_is_no_boolean_is_refused(at):
    refused(at, 400, "ready", "/v2/repository/index", '{"ready":"yes"}')
    refused(at, 400, "", "/v2/repository/index", '{"ready":' + "[" * 250_000 + "]" * 250_000 + "}")


@check
def header_lengths_out_of_range_are_refused(at):
    for text in ("99999999999999999999", "-1", "abc", "1e3", "200"):
        refused(at, 400, "", FP32, infer_body(), {"Inference-Header-Content-Length": text})
    refused(at, 413, "exceeds the maximum", FP32, infer_body(), {"Inference-Header-Content-Length": "4294967296"})


@check
def requests_and_responses_are_compressed_also_with_binary_data(at):
    head = json.dumps(
        {
            "inputs": [{"name": "INPUT", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": 8}}],
            "outputs": [{"name": "OUTPUT", "parameters": {"binary_data": True}}],
        }
    ).encode()
    raw = head + struct.pack("<2f", 1, 2)
    for encoding, pack, unpack in (("gzip", gzip.compress, gzip.decompress), ("deflate", zlib.compress, zlib.decompress)):
        headers = {
            "Inference-Header-Content-Length": str(len(head)),
            "Content-Encoding": encoding,
            "Accept-Encoding": encoding,
        }
        status, told, body = call(at, "POST", FP32, pack(raw), headers)
        equal(status, 200, body)
        equal(told["content-encoding"], encoding)
        equal(unpack(body)[int(told["inference-header-content-length"]) :], struct.pack("<2f", 1, 2))
    refused(at, 400, "", FP32, b"no gzip", {"Content-Encoding": "gzip"})


GENERATE = "/v2/models/words/generate"
STREAM = "/v2/models/words/generate_stream"


@check
def generate_takes_text_and_gives_text_with_the_id_if_there_is_one(at):
    equal(json.loads(call(at, "POST", GENERATE, '{"prompt":"one"}')[2]), {"model_name": "words", "model_version": "1", "output": "one"})
    answer = json.loads(call(at, "POST", GENERATE, '{"id":"7","prompt":"one"}')[2])
    equal(answer["id"], "7")
    assert "id" not in json.loads(call(at, "POST", GENERATE, '{"id":"","prompt":"one"}')[2])
    refused(at, 400, "", GENERATE, '{"id":7,"prompt":"one"}')


@check
def generate_leaves_out_inputs_that_are_optional(at):
    answer = json.loads(call(at, "POST", "/v2/models/told/generate", "{}")[2])
    equal(json.loads(answer["TOLD"])["inputs"], 0)


@check
def events_have_their_form_and_their_number(at):
    status, told, body = call(at, "POST", STREAM, '{"prompt":"one two three"}')
    equal((status, told["content-type"]), (200, "text/event-stream; charset=utf-8"))
    events = body.decode().split("\n\n")
    equal(events[-1], "")
    equal([json.loads(event.removeprefix("data: "))["output"] for event in events[:-1]], ["one", " two", " three"])


@check
def events_come_as_they_are_made(at):
    connection = http.client.HTTPConnection(at.http, timeout=20)
    connection.request("POST", STREAM, '{"prompt":"one two","delay_s":1}')
    response = connection.getresponse()
    first = response.readline()
    came = time.monotonic()
    assert b"one" in first, first
    rest = response.read()
    assert b"two" in rest and time.monotonic() - came > 0.5, rest
    connection.close()


@check
def missing_inputs_of_generate_are_json_errors(at):
    for path in (GENERATE, STREAM):
        refused(at, 400, "expected 1 inputs but got 0 inputs", path, "{}")


@check
def the_wrong_type_names_the_first_key_at_fault(at):
    refused(at, 400, "prompt", GENERATE, '{"prompt":1,"x":{}}')
    refused(at, 400, "parameter 'x' has invalid type", GENERATE, '{"x":{"a":1},"prompt":1}')


@check
def keys_given_twice_are_refused(at):
    refused(at, 400, "", GENERATE, '{"prompt":"a","prompt":"b"}')


@check
def errors_before_and_within_events(at):
    status, told, body = call(at, "POST", "/v2/models/told/generate_stream", '{"TEXT":"fail"}')
    equal(status, 500)
    assert "it was told to fail" in json.loads(body)["error"], body
    status, _, body = call(at, "POST", "/v2/models/nobody/generate_stream", '{"prompt":"a"}')
    equal(status, 404)


@check
def generate_wants_exactly_one_response(at):
    refused(at, 400, "exactly 1 response", GENERATE, '{"prompt":"one two"}')
    refused(at, 400, "exactly 1 response", "/v2/models/each/generate", '{"IN":[]}')


@check
def parameters_merge_and_must_be_an_object(at):
    answer = json.loads(call(at, "POST", "/v2/models/told/generate", '{"TEXT":"a","parameters":{"n":1,"s":"x"}}')[2])
    equal(sorted(json.loads(answer["TOLD"])["parameters"]), [["n", "1", "bigint"], ["s", "x", "string"]])
    refused(at, 400, "parameters", "/v2/models/told/generate", '{"TEXT":"a","parameters":3}')
    refused(at, 400, "parameters", "/v2/models/told/generate", '{"TEXT":"a","parameters":{"a":{"b":1}}}')


@check
def clients_that_leave_events_and_a_crowd_do_no_harm(at):
    for _ in range(10):
        connection = http.client.HTTPConnection(at.http, timeout=20)
        connection.request("POST", STREAM, '{"prompt":"one two three","delay_s":5}')
        connection.getresponse().readline()
        connection.close()
    statuses = []

    def many():
        for body, path in (('{"prompt":"one"}', GENERATE), ('{"prompt":"one two"}', STREAM), ("{}", GENERATE)) * 8:
            statuses.append(call(at, "POST", path, body)[0])

    threads = [threading.Thread(target=many) for _ in range(MANY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(sorted(set(statuses)), [200, 400])
    is_alive(at)


@check
def an_output_without_elements_is_an_empty_array(at):
    answer = json.loads(call(at, "POST", "/v2/models/identity_int64/generate", '{"INPUT":[]}')[2])
    equal(answer["OUTPUT"], [])


if __name__ == "__main__":
    main()
