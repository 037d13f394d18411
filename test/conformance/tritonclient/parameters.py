"""Request parameters and headers reach the model (Triton's L0_parameters), optional inputs (L0_optional_input), credentials."""

import asyncio
import json

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from harness import Responses, check, equal, main, raises
from tritonclient.grpc.auth import BasicAuth
from tritonclient.http.auth import BasicAuth as HttpBasicAuth
from tritonclient.utils import InferenceServerException

PARAMETERS = {"s": "text", "i": -(2**62), "f": 0.5, "b": True}
TOLD = [["b", "true", "boolean"], ["f", "0.5", "number"], ["i", str(-(2**62)), "bigint"], ["s", "text", "string"]]
HEADERS = {"x-mine": "a b"}


def text(module, word="ok"):
    made = module.InferInput("TEXT", [1], "BYTES")
    made.set_data_from_numpy(np.array([word.encode()], np.object_))
    return [made]


def told(result):
    said = json.loads(result.as_numpy("TOLD")[0])
    said["parameters"].sort()
    return said


def is_right(said):
    equal(said["parameters"], TOLD)
    equal(said["headers"], [["x-mine", "a b"]])


@check
def parameters_of_every_type_reach_the_model_over_grpc_and_http(at):
    for module, client in (
        (grpc, grpc.InferenceServerClient(at.grpc)),
        (http, http.InferenceServerClient(at.http)),
    ):
        with client:
            is_right(told(client.infer("told", text(module), parameters=PARAMETERS, headers=dict(HEADERS))))


@check
def so_they_do_over_asyncio(at):
    async def run():
        async with grpc_aio.InferenceServerClient(at.grpc) as client:
            is_right(told(await client.infer("told", text(grpc), parameters=PARAMETERS, headers=dict(HEADERS))))
        async with http_aio.InferenceServerClient(at.http) as client:
            is_right(told(await client.infer("told", text(http), parameters=PARAMETERS, headers=dict(HEADERS))))

    asyncio.run(run())


@check
def so_they_do_in_streams(at):
    responses = Responses()
    with grpc.InferenceServerClient(at.grpc) as client:
        client.start_stream(responses, headers=dict(HEADERS))
        client.async_stream_infer("told", text(grpc), parameters=PARAMETERS)
        is_right(told(responses.next()))
        client.stop_stream()


@check
def reserved_names_are_refused(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        for name in ("sequence_id", "priority", "binary_data_output", "triton_other"):
            raises(InferenceServerException, lambda: client.infer("told", text(grpc), parameters={name: 1}))
    with http.InferenceServerClient(at.http) as client:
        body = {"inputs": [], "parameters": {"triton_other": 1}}
        response = client._post("v2/models/told/infer", json.dumps(body), None, None)
        equal(response.status_code, 400)


@check
def inputs_that_are_optional_may_be_left_out(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        equal(told(client.infer("told", []))["inputs"], 0)
        equal(told(client.infer("told", text(grpc)))["inputs"], 1)
        more = grpc.InferInput("MORE", [2], "FP32")
        more.set_data_from_numpy(np.array([1, 2], np.float32))
        equal(told(client.infer("told", [*text(grpc), more]))["inputs"], 2)


@check
def credentials_of_the_clients_plugins_arrive(at):
    for module, client, plugin in (
        (grpc, grpc.InferenceServerClient(at.grpc), BasicAuth("user", "secret")),
        (http, http.InferenceServerClient(at.http), HttpBasicAuth("user", "secret")),
    ):
        with client:
            client.register_plugin(plugin)
            assert told(client.infer("told", text(module)))["word"] == "ok"


@check
def requests_compressed_with_gzip_and_deflate_are_read(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        for algorithm in ("gzip", "deflate"):
            equal(told(client.infer("told", text(grpc, "x" * 3000), compression_algorithm=algorithm))["word"], "x" * 3000)
    with http.InferenceServerClient(at.http) as client:
        for algorithm in ("gzip", "deflate"):
            options = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}
            equal(told(client.infer("told", text(http, "x" * 3000), **options))["word"], "x" * 3000)


if __name__ == "__main__":
    main()
