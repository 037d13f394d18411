"""Loading and unloading over the protocol (Triton's L0_lifecycle)."""

import threading

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import check, equal, main, raises
from tritonclient.utils import InferenceServerException

MODELS = ("identity_int8", "identity_int16", "identity_uint8")


def infer(client, model):
    datatype = model.removeprefix("identity_").upper()
    made = grpc.InferInput("INPUT", [1], datatype)
    made.set_data_from_numpy(np.array([7], datatype.lower()))
    return int(client.infer(model, [made]).as_numpy("OUTPUT")[0])


def states(client):
    return {each.name: (each.state, each.reason) for each in client.get_model_repository_index().models}


@check
def a_model_is_unloaded_and_loaded_again(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        client.unload_model("identity_int8")
        equal(states(client)["identity_int8"], ("UNAVAILABLE", "unloaded"))
        equal(client.is_model_ready("identity_int8"), False)
        error = raises(InferenceServerException, lambda: infer(client, "identity_int8"))
        equal(error.status(), "StatusCode.NOT_FOUND")
        assert "has no available versions" in error.message(), error
        equal(infer(client, "identity_int16"), 7, "another model")
        client.load_model("identity_int8")
        equal(infer(client, "identity_int8"), 7)
    with http.InferenceServerClient(at.http) as client:
        client.unload_model("identity_int8", unload_dependents=True)
        equal(client.is_model_ready("identity_int8"), False)
        client.load_model("identity_int8")
        equal(client.is_model_ready("identity_int8"), True)


@check
def names_that_are_none_are_refused_or_nothing(at):
    for client in (grpc.InferenceServerClient(at.grpc), http.InferenceServerClient(at.http)):
        with client:
            client.unload_model("nobody")
            for name in ("nobody", "..", "a b"):
                error = raises(InferenceServerException, lambda: client.load_model(name))
                assert "failed to poll from model repository" in error.message(), error
            for more in ({"config": "{}"}, {"config": "{}", "files": {"file:1/model.onnx": b"x"}}):
                error = raises(InferenceServerException, lambda: client.load_model("identity_int8", **more))
                assert "--model_control_mode explicit" in error.message(), error


@check
def loading_and_unloading_from_many_clients_stays_consistent(at):
    def hammer(model):
        with grpc.InferenceServerClient(at.grpc) as client:
            for _ in range(5):
                client.unload_model(model)
                try:
                    client.load_model(model)
                except InferenceServerException as error:
                    assert "unloaded" in error.message(), error  # by another client, while it loaded

    threads = [threading.Thread(target=hammer, args=[model]) for model in (*MODELS, MODELS[0])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with grpc.InferenceServerClient(at.grpc) as client:
        for model in MODELS:
            client.load_model(model)
            equal(states(client)[model], ("READY", ""))
            equal(infer(client, model), 7)


@check
def a_reload_serves_all_the_while(at):
    faults = []
    over = threading.Event()

    def ask():
        with grpc.InferenceServerClient(at.grpc) as client:
            while not over.is_set():
                try:
                    infer(client, "identity_uint8")
                except InferenceServerException as error:
                    faults.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    with grpc.InferenceServerClient(at.grpc) as client:
        for _ in range(5):
            client.load_model("identity_uint8")
    over.set()
    asking.join()
    equal(faults, [])


if __name__ == "__main__":
    main()
