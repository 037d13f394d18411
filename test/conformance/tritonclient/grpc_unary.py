"""tritonclient.grpc, unary calls."""

import time

import numpy as np
import tritonclient.grpc as grpc
from harness import ARRAYS, TIMEOUT_S, Responses, check, equal, main, raises
from tritonclient.utils import InferenceServerException


def tensor(array, datatype, name="INPUT0"):
    made = grpc.InferInput(name, list(array.shape), datatype)
    made.set_data_from_numpy(array)
    return made


FP32 = np.array([1.5, -2], np.float32)


@check
def server_and_models_are_ready(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        equal(client.is_server_live(), True, "live")
        equal(client.is_server_ready(), True, "ready")
        for model in ("identity", "words", "counter"):
            equal(client.is_model_ready(model), True, model)
            equal(client.is_model_ready(model, "1"), True, f"{model} 1")
        equal(client.is_model_ready("nobody"), False, "nobody")
        equal(client.is_model_ready("identity", "9"), False, "identity 9")


@check
def metadata(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        server = client.get_server_metadata()
        assert server.name and server.version, server
        words = client.get_model_metadata("words")
        equal(words.name, "words")
        equal([(i.name, i.datatype, list(i.shape)) for i in words.inputs], [("prompt", "BYTES", [1])])
        equal([(o.name, o.datatype, list(o.shape)) for o in words.outputs], [("output", "BYTES", [1])])
        counter = client.get_model_metadata("counter", "1", as_json=True)
        equal(counter["inputs"], [{"name": "input", "datatype": "FP32", "shape": ["1"]}])
        equal(counter["versions"], ["1"])
        error = raises(InferenceServerException, lambda: client.get_model_metadata("nobody"))
        equal(error.status(), "StatusCode.NOT_FOUND")


@check
def config(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        words = client.get_model_config("words").config
        equal(words.name, "words")
        equal(words.model_transaction_policy.decoupled, True, "words is decoupled")
        equal([i.name for i in words.input], ["prompt"])
        identity = client.get_model_config("identity", as_json=True)["config"]
        equal(identity["name"], "identity")


@check
def statistics(at):
    def count(client):
        (stats,) = client.get_inference_statistics("identity").model_stats
        return stats.inference_count, stats.inference_stats.success.count

    with grpc.InferenceServerClient(at.grpc) as client:
        before = count(client)
        client.infer("identity", [tensor(FP32, "FP32")])
        deadline = time.monotonic() + TIMEOUT_S  # they may lag behind the answer
        while count(client) != (before[0] + 1, before[1] + 1):
            assert time.monotonic() < deadline, (before, count(client))
            time.sleep(0.02)
        names = {stats.name for stats in client.get_inference_statistics().model_stats}
        assert {"identity", "words", "counter"} <= names, names


@check
def every_datatype_comes_back_as_it_went(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        for datatype, array in ARRAYS.items():
            result = client.infer("identity", [tensor(array, datatype)], request_id=datatype)
            equal(result.as_numpy("OUTPUT0"), array, datatype)
            equal(result.get_output("OUTPUT0").datatype, datatype)
            equal(result.get_response().id, datatype)
            equal(result.get_response().model_name, "identity")


@check
def empty_tensors(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        for datatype, array in (("FP32", np.zeros([0], np.float32)), ("BYTES", np.zeros([0], np.object_))):
            result = client.infer("identity", [tensor(array, datatype)])
            equal(list(result.get_output("OUTPUT0").shape), [0], datatype)


@check
def several_inputs_and_a_chosen_output(at):
    inputs = [tensor(FP32, "FP32"), tensor(np.array([b"x"], np.object_), "BYTES", "INPUT1")]
    with grpc.InferenceServerClient(at.grpc) as client:
        both = client.infer("identity", inputs)
        equal(both.as_numpy("OUTPUT0"), FP32)
        equal(both.as_numpy("OUTPUT1"), np.array([b"x"], np.object_))
        one = client.infer("identity", inputs, outputs=[grpc.InferRequestedOutput("OUTPUT1")])
        equal([o.name for o in one.get_response().outputs], ["OUTPUT1"])


@check
def tensors_beyond_grpcs_usual_limit(at):
    array = np.arange(4_000_000, dtype=np.float32)
    with grpc.InferenceServerClient(at.grpc) as client:
        equal(client.infer("identity", [tensor(array, "FP32")]).as_numpy("OUTPUT0"), array)


@check
def compressed_requests(at):
    array = np.zeros(10_000, np.float32)
    with grpc.InferenceServerClient(at.grpc) as client:
        for algorithm in ("gzip", "deflate"):
            result = client.infer("identity", [tensor(array, "FP32")], compression_algorithm=algorithm)
            equal(result.as_numpy("OUTPUT0"), array, algorithm)


@check
def headers_and_parameters_are_taken(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        client.infer(
            "identity",
            [tensor(FP32, "FP32")],
            headers={"x-note": "1"},
            parameters={"text": "a", "count": 2, "flag": True, "share": 0.5},
            priority=1,
            timeout=10_000_000,
        )


@check
def async_infer(at):
    responses = Responses()
    with grpc.InferenceServerClient(at.grpc) as client:
        for i in range(8):
            client.async_infer("identity", [tensor(FP32 + i, "FP32")], responses, request_id=str(i))
        got = {result.get_response().id: result.as_numpy("OUTPUT0") for result in (responses.next() for _ in range(8))}
    for i in range(8):
        equal(got[str(i)], FP32 + np.float32(i), f"request {i}")


@check
def errors_have_a_status_and_a_text(at):
    wrong_shape = grpc.InferInput("INPUT0", [3], "FP32")
    wrong_shape._raw_content = FP32.tobytes()
    cases = [
        ("nobody", [tensor(FP32, "FP32")], "NOT_FOUND"),
        ("identity", [wrong_shape], "INVALID_ARGUMENT"),
        ("sensor_gru", [tensor(FP32, "FP32", "OTHER")], "INVALID_ARGUMENT"),
        ("words", [tensor(np.array([b"a"], np.object_), "BYTES", "prompt")], "UNIMPLEMENTED"),
    ]
    with grpc.InferenceServerClient(at.grpc) as client:
        for model, inputs, code in cases:
            error = raises(InferenceServerException, lambda: client.infer(model, inputs))
            equal(error.status(), f"StatusCode.{code}", f"{model}: {error.message()}")
            assert error.message(), model


@check
def unary_deadline(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        big = np.zeros(2**22, np.float32)  # 16 MiB cannot be there and back in so short a time
        call = lambda: client.infer("identity", [tensor(big, "FP32")], client_timeout=1e-4)
        equal(raises(InferenceServerException, call).status(), "StatusCode.DEADLINE_EXCEEDED")
        equal(client.is_server_live(), True, "live after it")


main()
