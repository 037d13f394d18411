"""tritonclient.http and tritonclient.http.aio."""

import asyncio

import numpy as np
import tritonclient.http as http
import tritonclient.http.aio as http_aio
from harness import ARRAYS, TIMEOUT_S, check, equal, main, raises
from tritonclient.utils import InferenceServerException

FP32 = np.array([1.5, -2], np.float32)
# Without a form in JSON: no number for them, or bytes that are no UTF-8.
NOT_IN_JSON = ("FP16", "BF16", "BYTES")


def tensor(array, datatype, name="INPUT0", binary=True):
    made = http.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def output(name="OUTPUT0", binary=True):
    return http.InferRequestedOutput(name, binary_data=binary)


@check
def server_and_models_are_ready(at):
    with http.InferenceServerClient(at.http) as client:
        equal(client.is_server_live(), True, "live")
        equal(client.is_server_ready(), True, "ready")
        equal(client.is_model_ready("identity"), True)
        equal(client.is_model_ready("identity", "1"), True)
        equal(client.is_model_ready("nobody"), False)


@check
def metadata_config_and_statistics(at):
    with http.InferenceServerClient(at.http) as client:
        assert client.get_server_metadata()["name"]
        words = client.get_model_metadata("words")
        equal(words["inputs"], [{"name": "prompt", "datatype": "BYTES", "shape": [1]}])
        config = client.get_model_config("words")
        equal(config["name"], "words")
        equal(config["model_transaction_policy"]["decoupled"], True)
        names = {stats["name"] for stats in client.get_inference_statistics()["model_stats"]}
        assert {"identity", "words", "counter"} <= names, names
        (stats,) = client.get_inference_statistics("identity")["model_stats"]
        equal(stats["name"], "identity")
        error = raises(InferenceServerException, lambda: client.get_model_metadata("nobody"))
        equal(error.status(), "404")


@check
def every_datatype_in_binary(at):
    with http.InferenceServerClient(at.http) as client:
        for datatype, array in ARRAYS.items():
            result = client.infer("identity", [tensor(array, datatype)], request_id=datatype)
            equal(result.as_numpy("OUTPUT0"), array, datatype)
            equal(result.get_response()["id"], datatype)


@check
def every_datatype_in_json(at):
    texts = np.array(["a\0b", "", "grün", '"\\/\n'], np.object_)
    arrays = {name: array for name, array in ARRAYS.items() if name not in NOT_IN_JSON}
    with http.InferenceServerClient(at.http) as client:
        for datatype, array in arrays.items():
            result = client.infer(
                "identity", [tensor(array, datatype, binary=False)], outputs=[output(binary=False)]
            )
            assert "data" in result.get_output("OUTPUT0"), datatype
            equal(result.as_numpy("OUTPUT0"), array, datatype)
        result = client.infer("identity", [tensor(texts, "BYTES", binary=False)], outputs=[output(binary=False)])
        equal(result.get_output("OUTPUT0")["data"], texts.tolist())


@check
def mixed_forms(at):
    with http.InferenceServerClient(at.http) as client:
        result = client.infer(
            "identity",
            [tensor(FP32, "FP32"), tensor(FP32 * 2, "FP32", "INPUT1", binary=False)],
            outputs=[output("OUTPUT1", binary=True), output("OUTPUT0", binary=False)],
        )
        equal([o["name"] for o in result.get_response()["outputs"]], ["OUTPUT1", "OUTPUT0"])
        equal(result.as_numpy("OUTPUT0"), FP32)
        equal(result.as_numpy("OUTPUT1"), FP32 * 2)


@check
def compression_both_ways(at):
    array = np.zeros(10_000, np.float32)
    with http.InferenceServerClient(at.http) as client:
        for algorithm in ("gzip", "deflate"):
            for binary in (True, False):
                result = client.infer(
                    "identity",
                    [tensor(array, "FP32", binary=binary)],
                    outputs=[output(binary=binary)],
                    request_compression_algorithm=algorithm,
                    response_compression_algorithm=algorithm,
                )
                equal(result.as_numpy("OUTPUT0"), array, f"{algorithm}, binary {binary}")


@check
def async_infer(at):
    with http.InferenceServerClient(at.http, concurrency=4) as client:
        under_way = [client.async_infer("identity", [tensor(FP32 + i, "FP32")]) for i in range(8)]
        for i, call in enumerate(under_way):
            equal(call.get_result().as_numpy("OUTPUT0"), FP32 + np.float32(i))


@check
def errors_have_a_status_and_a_text(at):
    with http.InferenceServerClient(at.http) as client:
        for model, name, status in (("nobody", "INPUT0", "404"), ("sensor_gru", "OTHER", "400"), ("words", "prompt", "501")):
            array, datatype = (np.array([b"a"], np.object_), "BYTES") if model == "words" else (FP32, "FP32")
            call = lambda: client.infer(model, [tensor(array, datatype, name)])
            error = raises(InferenceServerException, call)
            equal(error.status(), status, f"{model}: {error.message()}")
            assert error.message(), model


@check
def asyncio_client(at):
    async def body():
        async with http_aio.InferenceServerClient(at.http) as client:
            equal(await client.is_server_live(), True)
            equal(await client.is_model_ready("identity"), True)
            equal((await client.get_model_metadata("identity"))["name"], "identity")
            await client.get_inference_statistics()
            results = await asyncio.gather(*(client.infer("identity", [tensor(FP32, "FP32")]) for _ in range(8)))
            for result in results:
                equal(result.as_numpy("OUTPUT0"), FP32)

    asyncio.run(asyncio.wait_for(body(), TIMEOUT_S))


main()
