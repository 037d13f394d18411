"""Decoupled models: counts, final responses, order within and across requests, errors (Triton's L0_decoupled)."""

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http
from harness import Responses, check, equal, main, raises
from tritonclient.utils import InferenceServerException


def vector(name, values, datatype):
    dtype = {"INT32": np.int32, "UINT32": np.uint32}[datatype]
    made = grpc.InferInput(name, [len(values)], datatype)
    made.set_data_from_numpy(np.array(values, dtype))
    return made


def repeat(values, delays=None):
    delays = [0] * len(values) if delays is None else delays
    return [vector("IN", values, "INT32"), vector("DELAY", delays, "UINT32")]


class Stream:
    def __init__(self, at, **options):
        self.responses = Responses()
        self.client = grpc.InferenceServerClient(at.grpc)
        self.client.start_stream(self.responses, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def ask(self, model, inputs, **options):
        self.client.async_stream_infer(model, inputs, **options)

    def take(self, count):
        """`count` responses as (id, OUT or None, is final)."""
        return [told(self.responses.next().get_response()) for _ in range(count)]


def told(response):
    value = np.frombuffer(response.raw_output_contents[0], np.int32)[0] if response.outputs else None
    final = response.parameters["triton_final_response"].bool_param
    return response.id, None if value is None else int(value), final


@check
def zero_one_and_five_responses_to_a_request(at):
    for count in (0, 1, 5):
        with Stream(at) as stream:
            stream.ask("each", [vector("IN", range(count), "INT32")], request_id="a")
            stream.ask("each", [vector("IN", [99], "INT32")], request_id="b")
            expected = [("a", value, False) for value in range(count)] + [("b", 99, False)]
            equal(stream.take(count + 1), expected, f"{count} responses")


@check
def five_requests_side_by_side_each_in_its_own_order(at):
    with Stream(at) as stream:
        for request in range(5):
            stream.ask("repeat", repeat([10 * request + at for at in range(5)]), request_id=str(request))
        taken = stream.take(25)
        for request in range(5):
            own = [value for name, value, _ in taken if name == str(request)]
            equal(own, [10 * request + at for at in range(5)], f"request {request}")


@check
def as_many_final_responses_as_requests_where_they_are_asked_for(at):
    with Stream(at) as stream:
        for count in (0, 1, 5):
            ask = {"request_id": f"r{count}", "enable_empty_final_response": True}
            stream.ask("each", [vector("IN", range(count), "INT32")], **ask)
            taken = stream.take(count + 1)
            equal([final for _, _, final in taken], [False] * count + [True], f"{count} responses")
            equal([name for name, _, _ in taken], [f"r{count}"] * (count + 1))
            equal(taken[-1][1], None, "outputs of the final response")


@check
def requests_interleave_and_a_quick_one_overtakes(at):
    with Stream(at) as stream:
        stream.ask("repeat", repeat([1, 2, 3], [0, 300, 300]), request_id="slow")
        stream.ask("repeat", repeat([4, 5], [150, 0]), request_id="quick")
        equal([name for name, _, _ in stream.take(5)], ["slow", "quick", "quick", "slow", "slow"])


@check
def other_models_answer_meanwhile(at):
    with Stream(at) as stream:
        stream.ask("repeat", repeat([1, 2], [0, 300]), request_id="slow")
        equal(stream.take(1), [("slow", 1, False)])
        given = grpc.InferInput("INPUT", [1], "INT32")
        given.set_data_from_numpy(np.array([7], np.int32))
        stream.ask("identity_int32", [given], request_id="model")
        stream.ask("each", [vector("IN", [8], "INT32")], request_id="other")
        taken = stream.take(3)
        assert ("model", 7, True) in taken and ("other", 8, False) in taken, taken
        equal(taken[-1], ("slow", 2, False))


@check
def unary_inference_is_refused_with_the_policy_text(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        error = raises(InferenceServerException, lambda: client.infer("repeat", repeat([1])))
        equal(error.status(), "StatusCode.UNIMPLEMENTED")
        assert "ModelInfer RPC doesn't support models with decoupled transaction policy" in error.message()
    with http.InferenceServerClient(at.http) as client:
        given = http.InferInput("IN", [1], "INT32")
        given.set_data_from_numpy(np.array([1], np.int32))
        error = raises(InferenceServerException, lambda: client.infer("each", [given]))
        equal(error.status(), "501")
        assert "HTTP end point doesn't support models with decoupled transaction policy" in error.message()


@check
def an_error_of_the_models_own_keeps_its_text(at):
    with Stream(at) as stream:
        stream.ask("repeat", [vector("IN", [1, 2], "INT32"), vector("DELAY", [0], "UINT32")])
        error = stream.responses.next_error()
        assert "expected IN and DELAY shape to match" in error.message(), error


@check
def an_error_of_one_request_leaves_the_stream_to_the_others(at):
    def told(word):
        made = grpc.InferInput("TEXT", [1], "BYTES")
        made.set_data_from_numpy(np.array([word.encode()], np.object_))
        return [made]

    with Stream(at) as stream:
        for word in ("one", "fail", "three"):
            stream.ask("told", told(word), request_id=word)
        assert stream.responses.next().get_response().id == "one"
        assert "it was told to fail" in stream.responses.next_error().message()
        assert stream.responses.next().get_response().id == "three"


@check
def with_triton_grpc_error_it_ends_the_call_with_its_status(at):
    def told(word):
        made = grpc.InferInput("TEXT", [1], "BYTES")
        made.set_data_from_numpy(np.array([word.encode()], np.object_))
        return [made]

    with Stream(at, headers={"triton_grpc_error": "true"}) as stream:
        stream.ask("told", told("fail"))
        error = stream.responses.next_error()
        equal(error.status(), "StatusCode.INTERNAL")
        assert "it was told to fail" in error.message()


if __name__ == "__main__":
    main()
