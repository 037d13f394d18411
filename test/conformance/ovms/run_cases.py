"""Runs cases with tritonclient: the JSON on standard input names the server, "grpc", and their file in this folder, "cases".

Prints {"<test> <name>": "ok" or what came instead}; the format of a case is in stream-case.ts.
"""

import json
import pathlib
import sys

import numpy as np
import tritonclient.grpc as grpc


def to_input(name, value):
    array = np.array([value] if isinstance(value, list) else [value or 0], np.float32)
    made = grpc.InferInput(name, list(array.shape), "FP32")
    made.set_data_from_numpy(array)
    if value == "":
        made._raw_content = b""  # the client refuses to make what the server must refuse
    return made


def parameters_of(request):
    timestamp = {"OVMS_MP_TIMESTAMP": int(request["timestamp"])} if "timestamp" in request else {}
    return {**request.get("parameters", {}), **timestamp}


def run(address, case):
    """The errors, results and status of one stream; a result is (outputs, timestamp, name, version)."""
    errors, results, status = [], [], None

    def on_message(result, error):
        nonlocal status
        if error is None:
            response = result.get_response()
            outputs = {output.name: result.as_numpy(output.name).ravel().tolist() for output in response.outputs}
            timestamp = response.parameters["OVMS_MP_TIMESTAMP"].int64_param
            results.append((outputs, timestamp, response.model_name, response.model_version))
        elif error.status() is None:
            errors.append(error.message())
        else:
            status = (error.status(), error.message())

    client = grpc.InferenceServerClient(address)
    client.start_stream(on_message)
    for request in case["requests"]:
        client.async_stream_infer(
            request.get("servable", case["graph"]),
            [to_input(*item) for item in request["inputs"].items()],
            model_version=request.get("version", ""),
            parameters=parameters_of(request),
        )
    client.stop_stream()
    client.close()
    return errors, results, status


def expected(case):
    errors = [response["error"] for response in case["responses"] if "error" in response]
    results = [
        (
            {
                name: np.array(value, np.float32).ravel().tolist()
                for name, value in response["outputs"].items()
            },
            int(response["timestamp"]),
            case["graph"],
            "1",
        )
        for response in case["responses"]
        if "outputs" in response
    ]
    return errors, results


CODES = {0: None, 3: "StatusCode.INVALID_ARGUMENT", 5: "StatusCode.NOT_FOUND", 9: "StatusCode.FAILED_PRECONDITION", 14: "StatusCode.UNAVAILABLE"}


def main():
    given = json.load(sys.stdin)
    outcomes = {}
    for case in json.loads((pathlib.Path(__file__).parent / given["cases"]).read_text()):
        errors, results, status = run(given["grpc"], case)
        code, text = status or (None, "")
        wanted = expected(case)
        if case.get("anyOrder"):
            results.sort(key=repr)
            wanted[1].sort(key=repr)
        same = (errors, results) == wanted and code == CODES[case["status"]["code"]]
        same = same and case["status"].get("text", "") in text
        outcomes[f"{case['test']} {case['name']}"] = "ok" if same else repr((errors, results, status))
    print(json.dumps(outcomes))


main()
