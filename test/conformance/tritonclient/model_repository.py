"""tritonclient against the repository of test/system/triton-repository.test.ts: configurations, batches, ensembles."""

import queue

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import TIMEOUT_S, Responses, check, equal, main, raises
from tritonclient.utils import InferenceServerException

ROW = np.array([[1, 2, 3, 4]], np.float32)


def made(module, name, array):
    tensor = module.InferInput(name, list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return tensor


def clients(at):
    yield grpc, grpc.InferenceServerClient(at.grpc)
    yield http, http.InferenceServerClient(at.http)


@check
def metadata_has_the_batch_first(at):
    for module, client in clients(at):
        told = client.get_model_metadata("mean", **({"as_json": True} if module is grpc else {}))
        shapes = [[int(dim) for dim in tensor["shape"]] for tensor in told["inputs"] + told["outputs"]]
        equal(shapes, [[-1, 3, 2, 2], [-1, 3]], module.__name__)
        equal(told["versions"], ["1", "3"], module.__name__)


@check
def configuration_is_whole_and_alike(at):
    over_grpc = grpc.InferenceServerClient(at.grpc).get_model_config("mean").config
    equal(over_grpc.max_batch_size, 4)
    equal(list(over_grpc.input[0].dims), [3, 2, 2])
    equal(list(over_grpc.dynamic_batching.preferred_batch_size), [2, 4])
    equal(over_grpc.version_policy.all.ByteSize(), 0)
    equal(over_grpc.WhichOneof("scheduling_choice"), "dynamic_batching")
    equal(over_grpc.parameters["note"].string_value, "hello")
    equal(over_grpc.instance_group[0].name, "mean_0")
    over_http = http.InferenceServerClient(at.http).get_model_config("mean")
    equal(over_http["max_batch_size"], 4)
    equal(over_http["input"][0]["dims"], [3, 2, 2])
    equal(over_http["backend"], over_grpc.backend)
    equal(over_http["instance_group"][0]["kind"], "KIND_CPU")
    equal(over_http["version_policy"], {"all": {}})


@check
def what_is_left_out_is_completed(at):
    config = grpc.InferenceServerClient(at.grpc).get_model_config("plain").config
    equal([config.backend, config.default_model_filename, config.max_batch_size], ["onnxruntime", "model.onnx", 0])
    equal([tensor.name for tensor in config.input], ["A", "B"])


@check
def batches_are_checked(at):
    for module, client in clients(at):
        result = client.infer("mean", [made(module, "image", np.ones((3, 3, 2, 2), np.float32))])
        equal(result.as_numpy("mean"), np.ones((3, 3), np.float32))
        error = raises(
            InferenceServerException, lambda: client.infer("mean", [made(module, "image", np.ones((5, 3, 2, 2), np.float32))])
        )
        equal("inference request batch-size must be <= 4 for 'mean'" in str(error), True, str(error))
        error = raises(
            InferenceServerException, lambda: client.infer("mean", [made(module, "image", np.ones((1, 3, 2, 9), np.float32))])
        )
        equal("Expected [-1,3,2,2], got [1,3,2,9]. NOTE: Setting a non-zero max_batch_size" in str(error), True, str(error))


@check
def an_ensemble_is_one_inference(at):
    for module, client in clients(at):
        result = client.infer("thrice", [made(module, "X", ROW)], request_id="7")
        equal(result.as_numpy("Z"), ROW * 3)
        response = result.get_response(as_json=True) if module is grpc else result.get_response()
        equal([response["model_name"], response["model_version"], response["id"]], ["thrice", "1", "7"])
        error = raises(InferenceServerException, lambda: client.infer("thrice", [made(module, "Y", ROW)]))
        equal("unexpected inference input 'Y' for model 'thrice'" in str(error), True, str(error))


@check
def an_ensemble_tells_its_steps(at):
    config = grpc.InferenceServerClient(at.grpc).get_model_config("thrice").config
    equal(config.platform, "ensemble")
    equal([step.model_name for step in config.ensemble_scheduling.step], ["plain", "plain"])
    equal(dict(config.ensemble_scheduling.step[1].input_map), {"A": "twice", "B": "X"})


@check
def models_and_ensembles_share_a_stream(at):
    """Triton's rules: any of them in any request, answered in their order, each response the last of its request."""
    client = grpc.InferenceServerClient(at.grpc)
    responses = Responses()
    client.start_stream(responses)
    client.async_stream_infer("thrice", [made(grpc, "X", ROW)], request_id="a")
    client.async_stream_infer("plain", [made(grpc, "A", ROW), made(grpc, "B", ROW)], request_id="b")
    client.async_stream_infer("thrice", [made(grpc, "X", np.ones((2, 4), np.float32))], request_id="c")
    client.async_stream_infer("thrice", [made(grpc, "X", ROW + 1)], request_id="d")
    for request_id, output, expected in [("a", "Z", ROW * 3), ("b", "SUM", ROW * 2)]:
        result = responses.next()
        equal(result.get_response().id, request_id)
        equal(result.as_numpy(output), expected)
        equal(result.get_response().parameters["triton_final_response"].bool_param, True)
    equal("unexpected shape for input 'X' for model 'thrice'" in str(responses.next_error()), True)
    equal(responses.next().as_numpy("Z"), (ROW + 1) * 3)
    client.stop_stream()


@check
def graphs_and_runtimes_are_served(at):
    client = grpc.InferenceServerClient(at.grpc)
    for name, expected in [("pass", ROW), ("gain", ROW * 5)]:
        tensor = made(grpc, "input", ROW)
        equal(client.infer(name, [tensor]).as_numpy("output"), expected, name)
    equal(client.get_model_metadata("pass").versions, ["2"])
    equal(client.get_model_config("gain").config.parameters["factor"].string_value, "5")


@check
def index_has_all_with_their_reasons(at):
    index = grpc.InferenceServerClient(at.grpc).get_model_repository_index().models
    states = {(model.name, model.version): model.state for model in index}
    equal(states[("mean", "3")], "READY")
    equal(states[("broken", "1")], "UNAVAILABLE")
    equal(("mean", "2") in states, False)
    reason = next(model.reason for model in index if model.name == "broken")
    equal(reason.startswith("broken/config.pbtxt:2: backend: \"tensorflow\" given"), True, reason)
    reason = next(model.reason for model in index if model.name == "cold")
    equal(reason.startswith("failed to run warmup sample 'late': "), True, reason)


@check
def warm_up_counts_nowhere(at):
    stats = grpc.InferenceServerClient(at.grpc).get_inference_statistics("warm").model_stats[0]
    equal([stats.execution_count, stats.inference_count], [0, 0])


@check
def equal_requests_are_remembered(at):
    client = grpc.InferenceServerClient(at.grpc)
    for row in [ROW, ROW, ROW + 1, ROW]:
        result = client.infer("cached", [made(grpc, "A", row), made(grpc, "B", row)])
        equal(result.as_numpy("SUM"), row * 2)
    stats = client.get_inference_statistics("cached").model_stats[0]
    equal(stats.execution_count, 2)


@check
def outputs_become_classes_with_labels(at):
    image = np.zeros((2, 3, 2, 2), np.float32)
    image[0, 1], image[0, 2], image[1, 2] = 3, 2, 5
    expected = np.array([[b"3.000000:1:green", b"2.000000:2:blue"], [b"5.000000:2:blue", b"0.000000:0:red"]], object)
    for module, client in clients(at):
        for more in ({},) if module is grpc else ({}, {"binary_data": False}):
            wanted = [module.InferRequestedOutput("mean", class_count=2, **more)]
            result = client.infer("mean", [made(module, "image", image)], outputs=wanted)
            equal(result.as_numpy("mean").tolist(), expected.tolist() if not more else [[each.decode() for each in row] for row in expected.tolist()], module.__name__)  # fmt: skip
        inputs = [made(module, name, ROW) for name in ("A", "B")]
        for count in (1, 9):
            result = client.infer("named", inputs, outputs=[module.InferRequestedOutput("SUM", class_count=count)])
            classes = [b"8.000000:3", b"6.000000:2:fish", b"4.000000:1:dog", b"2.000000:0:cat"]
            equal(result.as_numpy("SUM").tolist(), classes[:count], module.__name__)
        result = client.infer("twice", [made(module, "X", ROW)], outputs=[module.InferRequestedOutput("Z", class_count=2)])
        equal(result.as_numpy("Z").tolist(), [b"8.000000:3", b"6.000000:2:fish"], module.__name__)
        # A runtime, whose configuration names no tensors.
        result = client.infer("gain", [made(module, "input", ROW)], outputs=[module.InferRequestedOutput("output", class_count=1)])
        equal(result.as_numpy("output").tolist(), [b"20.000000:3"], module.__name__)
        # Remembered responses are whole ones.
        for count in (1, 2, 1):
            result = client.infer("cached", inputs, outputs=[module.InferRequestedOutput("SUM", class_count=count)])
            equal(result.as_numpy("SUM").shape, (count,))
        error = raises(InferenceServerException, lambda: client.infer("named", inputs, outputs=[module.InferRequestedOutput("X", class_count=1)]))
        assert "unexpected inference output 'X' for model 'named'" in error.message(), error


@check
def a_stream_gives_classes(at):
    results = queue.Queue()
    client = grpc.InferenceServerClient(at.grpc)
    client.start_stream(lambda result, error: results.put(error or result.as_numpy("SUM").tolist()))
    wanted = [grpc.InferRequestedOutput("SUM", class_count=1)]
    client.async_stream_infer("named", [made(grpc, name, ROW) for name in ("A", "B")], outputs=wanted)
    equal(results.get(timeout=TIMEOUT_S), [b"8.000000:3"])
    client.stop_stream()


if __name__ == "__main__":
    main()
