"""tritonclient against the server of test/system/triton-ensembles.test.ts: steps that are runtimes and graphs."""

import queue

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import TIMEOUT_S, check, equal, main, raises
from tritonclient.utils import InferenceServerException

ROW = np.array([[1, 2, 3, 4]], np.float32)


def made(module, array=ROW):
    tensor = module.InferInput("X", list(array.shape), "FP32")
    tensor.set_data_from_numpy(array)
    return [tensor]


def clients(at):
    yield grpc, grpc.InferenceServerClient(at.grpc)
    yield http, http.InferenceServerClient(at.http)


@check
def steps_may_be_runtimes_graphs_and_models(at):
    # (2 X + X) through a graph, then + 1 in Python.
    for module, client in clients(at):
        equal(client.infer("mixed", made(module)).as_numpy("Z"), ROW * 3 + 1, module.__name__)
        equal(client.infer("nested", made(module)).as_numpy("Z"), (ROW * 3 + 1) * 3 + 1, module.__name__)


@check
def parameters_and_ids_reach_the_steps(at):
    for module, client in clients(at):
        result = client.infer("mixed", made(module), parameters={"gain": 5}, request_id="seven")
        equal(result.as_numpy("Z"), ROW * 6 + 1, module.__name__)
        equal(result.as_numpy("ID").tolist(), [b"seven"], module.__name__)


@check
def a_stream_on_such_an_ensemble_is_answered_in_order(at):
    results = queue.Queue()
    client = grpc.InferenceServerClient(at.grpc)
    client.start_stream(lambda result, error: results.put(error or result.as_numpy("Z").tolist()))
    for at_once in range(20):
        client.async_stream_infer("mixed", made(grpc, ROW * at_once))
    equal([results.get(timeout=TIMEOUT_S) for _ in range(20)], [(ROW * at_once * 3 + 1).tolist() for at_once in range(20)])
    client.stop_stream()


@check
def a_fault_of_a_step_names_the_ensemble(at):
    for module, client in clients(at):
        error = raises(InferenceServerException, lambda: client.infer("mixed", made(module), parameters={"fail": "no luck"}))
        assert "in ensemble 'mixed', " in error.message() and "no luck" in error.message(), error
        error = raises(InferenceServerException, lambda: client.infer("mixed", made(module), parameters={"forget": True}))
        assert "in ensemble 'mixed', 'gain' gave" in error.message() and 'output "output" expected' in error.message(), error
        equal(client.infer("mixed", made(module)).as_numpy("Z"), ROW * 3 + 1)


@check
def steps_count_in_the_statistics_of_their_servables(at):
    client = grpc.InferenceServerClient(at.grpc)
    counts = lambda: {
        name: client.get_inference_statistics(name).model_stats[0].execution_count for name in ("gain", "pass", "more")
    }
    before = counts()
    client.infer("mixed", made(grpc))
    equal({name: count - before[name] for name, count in counts().items()}, {"gain": 1, "pass": 1, "more": 1})


@check
def unknown_tensors_of_a_step_are_refused_at_load(at):
    index = grpc.InferenceServerClient(at.grpc).get_model_repository_index().models
    # Triton's rule holds where a configuration names them.
    assert "is mapping to non-existing input Q in model gain" in {each.name: each.reason for each in index}["wrong"]


if __name__ == "__main__":
    main()
