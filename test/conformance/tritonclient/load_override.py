"""tritonclient against the server of test/system/triton-load.test.ts: loads with a configuration and files of their own."""

import base64
import json
import os
import urllib.error
import urllib.request

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import check, equal, main, raises
from tritonclient.utils import InferenceServerException

MODELS = os.path.join(os.path.dirname(__file__), "../../fixtures/models")
DYNAMIC = open(os.path.join(MODELS, "dynamic.onnx"), "rb").read()
ADD = open(os.path.join(MODELS, "add.onnx"), "rb").read()


def clients(at):
    return [grpc.InferenceServerClient(at.grpc), http.InferenceServerClient(at.http)]


def config_of(client, name):
    told = client.get_model_config(name, **({"as_json": True} if isinstance(client, grpc.InferenceServerClient) else {}))
    return told.get("config", told)


def most_rows(client, name="mean"):
    return config_of(client, name).get("max_batch_size", 0)


def states(client):
    index = client.get_model_repository_index(**({"as_json": True} if isinstance(client, grpc.InferenceServerClient) else {}))
    return {each["name"]: each["state"] for each in (index["models"] if isinstance(index, dict) else index)}


def add_row(client, name):
    module = grpc if isinstance(client, grpc.InferenceServerClient) else http
    inputs = []
    for each in ("A", "B"):
        tensor = module.InferInput(name=each, shape=[1, 4], datatype="FP32")
        tensor.set_data_from_numpy(np.array([[1, 2, 3, 4]], np.float32))
        inputs.append(tensor)
    return client.infer(name, inputs).as_numpy("SUM").tolist()


def refused(client, *args, **kwargs):
    return raises(InferenceServerException, lambda: client.load_model(*args, **kwargs))


@check
def only_what_was_named_loads_at_the_start(at):
    for client in clients(at):
        found = states(client)
        equal(found["mean"], "READY")
        equal(found["plain"], "UNAVAILABLE")
        equal(found["thrice"], "UNAVAILABLE")


@check
def a_configuration_counts_until_another_one_or_an_unload(at):
    for client in clients(at):
        equal(most_rows(client), 4)
        client.load_model("mean", config=json.dumps({"backend": "onnxruntime", "max_batch_size": 2}))
        equal(most_rows(client), 2)
        # As protobuf has it: other names, and numbers as texts.
        client.load_model("mean", config='{"backend": "onnxruntime", "maxBatchSize": "3", "input": null}')
        equal(most_rows(client), 3)
        client.load_model("mean")
        equal(most_rows(client), 3)
        client.load_model("mean", config=json.dumps({"max_batch_size": 7}))
        client.load_model("mean")
        equal(most_rows(client), 7)
        client.unload_model("mean")
        client.load_model("mean")
        equal(most_rows(client), 4)


@check
def the_configuration_that_a_client_reads_loads_again(at):
    for client in clients(at):
        config = config_of(client, "mean")
        client.load_model("mean", config=json.dumps({**config, "max_batch_size": 5}))
        equal({**config_of(client, "mean"), "max_batch_size": 4}, config)
        client.unload_model("mean")
        client.load_model("mean")


@check
def a_fault_of_a_configuration_names_the_field_and_keeps_what_served(at):
    for client in clients(at):
        client.load_model("mean", config='{"max_batch_size": 6}')
        for config, told in (
            ("{nope", "load parameter 'config': JSON expected"),
            ("[]", "load parameter 'config': a JSON object expected"),
            ('{"max_batch_sise": 3}', 'ModelConfig has no field "max_batch_sise"; did you mean "max_batch_size"?'),
            ('{"max_batch_size": "x"}', 'max_batch_size: "x" given, a whole number of 32 bits expected'),
            ('{"max_batch_size": {"a": 1}}', "max_batch_size: an object given, a whole number of 32 bits expected"),
            ('{"name": "other"}', "unexpected directory name 'mean' for model 'other'"),
            ('{"input": {"name": "image"}}', "input: "),
            ('{"backend": "python"}', "TritonPythonModel"),
            ('{"input": [{"name": "none", "data_type": "TYPE_FP32", "dims": [1]}]}', "none"),
            ('{"model_warmup": [{"name": "w", "inputs": {"image": {"data_type": "TYPE_FP32", "dims": [3, 2, 2],'
             ' "input_data_file": "../../../../etc/passwd"}}}]}', "a file in the model's folder"),
        ):  # fmt: skip
            error = refused(client, "mean", config=config)
            assert "load failed for model 'mean'" in error.message() and told in error.message(), error
            assert error.status() in ("StatusCode.INVALID_ARGUMENT", "400"), error
            equal(most_rows(client), 6, config)
            equal(states(client)["mean"], "READY")
        client.unload_model("mean")
        client.load_model("mean")


@check
def files_make_a_model_that_the_repository_does_not_have(at):
    config = json.dumps({"backend": "onnxruntime"})
    for client in clients(at):
        client.load_model("fresh", config=config, files={"file:1/model.onnx": ADD, "file:3/model.onnx": ADD})
        equal(client.get_model_metadata("fresh", **({"as_json": True} if isinstance(client, grpc.InferenceServerClient) else {}))["versions"], ["3"])  # fmt: skip
        equal(add_row(client, "fresh"), [[2, 4, 6, 8]])
        error = refused(client, "fresh")
        assert "failed to load 'fresh', failed to poll from model repository" in error.message(), error
        equal(add_row(client, "fresh"), [[2, 4, 6, 8]], "it serves on")
        error = refused(client, "fresh", config=config, files={"file:1/model.onnx": b"nonsense"})
        assert "load failed for model 'fresh'" in error.message(), error
        equal(add_row(client, "fresh"), [[2, 4, 6, 8]], "it serves on")
        client.unload_model("fresh")
        equal(client.is_model_ready("fresh"), False)
        refused(client, "fresh")


@check
def files_stand_in_for_those_of_the_repository(at):
    for client in clients(at):
        client.load_model("plain")
        client.load_model("plain", config="{}", files={"file:7/model.onnx": DYNAMIC})
        equal([each["name"] for each in config_of(client, "plain")["input"]], ["image"])
        client.load_model("plain")
        equal(add_row(client, "plain"), [[2, 4, 6, 8]])
        client.unload_model("plain")


@check
def files_are_checked(at):
    for client in clients(at):
        # The client itself asks for a configuration beside them.
        for path in ("../x/model.onnx", "/tmp/model.onnx", "1/../../model.onnx", "", "1//model.onnx", "1\\model.onnx"):
            error = refused(client, "fresh", config="{}", files={f"file:{path}": ADD})
            assert f"load parameter 'file:{path}': a path within the model" in error.message(), error
        error = refused(client, "fresh", config="{}", files={"file:1": ADD, "file:1/model.onnx": ADD})
        assert "load parameter 'file:1'" in error.message(), error
        for name in ("..", "a/b", ".hidden"):
            if isinstance(client, grpc.InferenceServerClient):
                error = refused(client, name, config="{}", files={"file:1/model.onnx": ADD})
                assert f"model name {json.dumps(name)}" in error.message(), error
        for backend, file in (("millrace_runtime", "model.js"), ("millrace", "graph.pbtxt")):
            config = json.dumps({"backend": backend})
            error = refused(client, "fresh", config=config, files={f"file:1/{file}": b"x"})
            assert "an ONNX model expected; put code into the model repository" in error.message(), error
        equal("fresh" in states(client), False)


def post(at, model, parameters):
    request = urllib.request.Request(
        f"http://{at.http}/v2/repository/models/{model}/load", json.dumps({"parameters": parameters}).encode()
    )
    try:
        return urllib.request.urlopen(request).status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


@check
def parameters_of_rest_are_checked(at):
    text = base64.b64encode(ADD).decode()
    for parameters, told in (
        ({"file:1/model.onnx": text}, "load parameter 'file:1/model.onnx' needs load parameter 'config' beside it"),
        ({"config": "{}", "file:1/model.onnx": "!!!"}, "load parameter 'file:1/model.onnx': base64 expected"),
        ({"config": "{}", "file:1/model.onnx": 3}, "invalid value type for load parameter 'file:1/model.onnx'"),
        ({"config": {}}, "invalid value type for load parameter 'config', expected string_param."),
        ({"configuration": "{}"}, "unrecognized load parameter 'configuration'."),
    ):
        code, error = post(at, "fresh", parameters)
        equal(code, 400, error)
        assert told in error, error
    equal(post(at, "fresh", {"config": "{}", "file:1/model.onnx": text})[0], 200)
    grpc.InferenceServerClient(at.grpc).unload_model("fresh")


@check
def an_ensemble_loads_the_models_of_its_steps(at):
    for client in clients(at):
        client.load_model("thrice")
        equal(states(client)["plain"], "READY")
        client.unload_model("thrice", unload_dependents=True)
        equal(states(client)["plain"], "UNAVAILABLE")


@check
def requests_go_on_while_a_model_is_loaded_with_other_configurations(at):
    client = grpc.InferenceServerClient(at.grpc)
    client.load_model("plain")
    for batch in range(10):
        client.load_model("plain", config=json.dumps({"parameters": {"n": {"string_value": str(batch)}}}))
        equal(add_row(client, "plain"), [[2, 4, 6, 8]])
    client.unload_model("plain")


if __name__ == "__main__":
    main()
