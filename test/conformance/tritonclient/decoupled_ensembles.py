"""tritonclient against the server of test/system/triton-decoupled-ensembles.test.ts: steps that answer more than once."""

import json
import queue
import urllib.error
import urllib.request

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import TIMEOUT_S, check, equal, main, raises
from tritonclient.utils import InferenceServerException


def made(count, module=grpc):
    tensor = module.InferInput("X", [1], "INT32")
    tensor.set_data_from_numpy(np.array([count], np.int32))
    return [tensor]


def asked(at, model, counts, final=True):
    """All that comes for these requests: (request id, values by output, whether it is the last), or a text of a fault."""
    came = queue.Queue()
    client = grpc.InferenceServerClient(at.grpc)
    client.start_stream(lambda result, error: came.put(error.message() if error else result))
    for i, count in enumerate(counts):
        client.async_stream_infer(model, made(count), request_id=str(i), enable_empty_final_response=final)
    answers = []
    ends = 0
    while ends < len(counts):
        result = came.get(timeout=TIMEOUT_S)
        if isinstance(result, str):
            ends += 1
            answers.append(result)
            continue
        response = result.get_response()
        is_last = response.parameters["triton_final_response"].bool_param
        ends += is_last
        values = {output.name: int(result.as_numpy(output.name)[0]) for output in response.outputs}
        answers.append((response.id, values, is_last))
    client.stop_stream()
    return answers


def numbers(answers, id="0"):
    faults = [answer for answer in answers if isinstance(answer, str)]
    assert id != "0" or faults == [], faults
    return [answer[1]["Y"] for answer in answers if answer[0] == id and answer[1]]


@check
def each_answer_of_a_step_flows_on(at):
    answers = asked(at, "each", [3])
    equal(answers, [("0", {"Y": 0}, False), ("0", {"Y": 10}, False), ("0", {"Y": 20}, False), ("0", {}, True)])


@check
def no_answer_is_an_empty_final_one(at):
    equal(asked(at, "each", [0]), [("0", {}, True)])


@check
def answers_of_many_keep_their_order(at):
    equal(numbers(asked(at, "each", [500])), [10 * i for i in range(500)])


@check
def requests_of_a_stream_have_their_own_answers(at):
    answers = asked(at, "each", [2, 3, 0, 4])
    for id, count in enumerate([2, 3, 0, 4]):
        equal(numbers(answers, str(id)), [10 * i for i in range(count)], str(id))
    equal(sorted(id for id, _, is_last in answers if is_last), ["0", "1", "2", "3"])


@check
def one_such_step_after_another(at):
    equal(numbers(asked(at, "twice", [3])), [0, 1, 2] * 3)


@check
def an_ensemble_within_an_ensemble(at):
    equal(numbers(asked(at, "nested", [3])), [0, 100, 200])


@check
def a_graph_and_python_as_such_steps(at):
    equal(numbers(asked(at, "graph", [5])), [60, 70, 80])
    equal(numbers(asked(at, "python", [3])), [0, 10, 20])


@check
def outputs_of_one_step_stay_together(at):
    answers = asked(at, "pairs", [3])
    equal([values for _, values, is_last in answers if not is_last], [{"Y": i * 10, "N": 3} for i in range(3)])


@check
def a_fault_is_told_after_what_came_before_and_the_stream_goes_on(at):
    equal(asked(at, "fussy", [13]), [*(("0", {"Y": i * 10}, False) for i in range(5)), "in ensemble 'fussy', five is too much"])
    answers = asked(at, "each", [-2, 1])
    assert "in ensemble 'each', no more of it" in answers, answers
    equal(numbers(answers, "1"), [0])


@check
def max_inflight_requests_holds_the_producer_back(at):
    """The step behind is slow; the producer is ahead of it by the limit and what a stream makes ahead."""
    equal(numbers(asked(at, "limited", [30])), [1 if i == 0 else 0 for i in range(30)])


@check
def unary_calls_are_refused_with_the_policy(at):
    error = raises(InferenceServerException, lambda: grpc.InferenceServerClient(at.grpc).infer("each", made(1)))
    assert "ModelInfer RPC doesn't support models with decoupled transaction policy" in error.message(), error
    error = raises(InferenceServerException, lambda: http.InferenceServerClient(at.http).infer("each", made(1, http)))
    assert "HTTP end point doesn't support models with decoupled transaction policy" in error.message(), error


@check
def the_configuration_says_so(at):
    client = grpc.InferenceServerClient(at.grpc)
    is_decoupled = lambda name: client.get_model_config(name).config.model_transaction_policy.decoupled
    equal({name: is_decoupled(name) for name in ("each", "nested", "plain")}, {"each": True, "nested": True, "plain": False})


@check
def inputs_that_do_not_come_as_often_are_refused_at_load(at):
    reasons = {each.name: each.reason for each in grpc.InferenceServerClient(at.grpc).get_model_repository_index().models}
    for name in ("uneven", "mixed"):
        text = f"in ensemble {name}, step of model '{name}' receives inputs originated from different decoupled models"
        assert text in reasons[name], reasons


@check
def events_over_http(at):
    request = urllib.request.Request(f"http://{at.http}/v2/models/each/generate_stream", json.dumps({"X": 2}).encode())
    lines = [line for line in urllib.request.urlopen(request, timeout=TIMEOUT_S).read().decode().split("\n") if line]
    equal([json.loads(line.removeprefix("data: "))["Y"] for line in lines], [0, 10])


@check
def a_client_that_leaves_ends_the_steps(at):
    came = queue.Queue()
    client = grpc.InferenceServerClient(at.grpc)
    client.start_stream(lambda result, error: came.put(error or result))
    client.async_stream_infer("each", made(1_000_000))
    came.get(timeout=TIMEOUT_S)
    client.stop_stream(cancel_requests=True)
    equal(numbers(asked(at, "each", [2])), [0, 10])


if __name__ == "__main__":
    main()
