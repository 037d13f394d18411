"""tritonclient.grpc, streams: the running sum of the graph `counter`, the words of `words`."""

import numpy as np
import tritonclient.grpc as grpc
from harness import Responses, check, equal, main

TIMESTAMP = "OVMS_MP_TIMESTAMP"


def number(value, name="input"):
    made = grpc.InferInput(name, [1], "FP32")
    made.set_data_from_numpy(np.array([value], np.float32))
    return [made]


def prompt(text):
    made = grpc.InferInput("prompt", [1], "BYTES")
    made.set_data_from_numpy(np.array([text.encode()], np.object_))
    return [made]


def sum_of(result):
    return float(result.as_numpy("output")[0])


def timestamp_of(result):
    return result.get_response().parameters[TIMESTAMP].int64_param


class Stream:
    """A client with one open stream, half-closed and closed at the end."""

    def __init__(self, at, **options):
        self.responses = Responses()
        self.client = grpc.InferenceServerClient(at.grpc)
        self.client.start_stream(self.responses, **options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def send(self, value, timestamp=None, **options):
        if timestamp is not None:
            options["parameters"] = {TIMESTAMP: timestamp}
        self.client.async_stream_infer("counter", number(value), **options)

    def sums(self, count):
        return [sum_of(self.responses.next()) for _ in range(count)]


@check
def a_graph_keeps_its_state_for_the_life_of_the_stream(at):
    for _ in range(2):  # and begins anew with the next one
        with Stream(at) as stream:
            for value in (1, 2, 3):
                stream.send(value)
            equal(stream.sums(3), [1, 3, 6])


@check
def automatic_timestamps_count_from_zero(at):
    with Stream(at) as stream:
        for value in (1, 2, 3):
            stream.send(value, request_id=f"r{value}")
        results = [stream.responses.next() for _ in range(3)]
        equal([timestamp_of(result) for result in results], [0, 1, 2])
        equal([result.get_response().id for result in results], ["r1", "r2", "r3"])
        equal({result.get_response().model_name for result in results}, {"counter"})


@check
def manual_timestamps_come_back_and_automatic_ones_go_on_from_them(at):
    beyond_doubles = 2**60 + 1
    with Stream(at) as stream:
        stream.send(1, timestamp=10)
        stream.send(2, timestamp=20)
        stream.send(3)
        stream.send(4, timestamp=beyond_doubles)
        results = [stream.responses.next() for _ in range(4)]
        equal([timestamp_of(result) for result in results], [10, 20, 21, beyond_doubles])
        equal([sum_of(result) for result in results], [1, 3, 6, 10])


@check
def a_timestamp_that_does_not_grow_ends_the_stream(at):
    with Stream(at) as stream:
        stream.send(1, timestamp=10)
        equal(stream.sums(1), [1])
        stream.send(2, timestamp=10)
        equal(stream.responses.next_error().status(), "StatusCode.INVALID_ARGUMENT")


@check
def streams_do_not_share_state(at):
    with Stream(at) as one, Stream(at) as other:
        one.send(1)
        other.send(100)
        equal(one.sums(1), [1])
        equal(other.sums(1), [100])
        one.send(2)
        other.send(200)
        equal(one.sums(1), [3])
        equal(other.sums(1), [300])


@check
def a_wrong_name_is_answered_and_the_stream_lives_on(at):
    with Stream(at) as stream:
        stream.send(1)
        equal(stream.sums(1), [1])
        stream.client.async_stream_infer("counter", number(5, name="other"))
        error = stream.responses.next_error()
        equal(error.status(), None, "status of an error_message")
        assert error.message(), "text"
        stream.client.async_stream_infer("nobody", number(5))
        equal(stream.responses.next_error().status(), None)
        stream.send(2)
        result = stream.responses.next()
        equal(sum_of(result), 3.0)
        equal(timestamp_of(result), 1, "the clock stood still")


@check
def stop_stream_waits_for_every_response(at):
    with Stream(at) as stream:
        for value in range(1, 51):
            stream.send(value)
        stream.client.stop_stream()
        equal(stream.responses.queue.qsize(), 50)
        equal(stream.sums(50)[-1], 1275.0)


@check
def compressed_streams(at):
    with Stream(at, compression_algorithm="gzip") as stream:
        for value in (1, 2):
            stream.send(value)
        equal(stream.sums(2), [1, 3])


@check
def one_request_many_responses(at):
    with Stream(at) as stream:
        stream.client.async_stream_infer("words", prompt("one two three"), request_id="w")
        results = [stream.responses.next() for _ in range(3)]
        equal([result.as_numpy("output").tolist() for result in results], [[b"one"], [b" two"], [b" three"]])
        equal({result.get_response().id for result in results}, {"w"})


@check
def a_model_answers_in_the_order_of_the_requests(at):
    with Stream(at) as stream:
        for i in range(50):
            stream.client.async_stream_infer("identity", number(i, name="INPUT0"), request_id=str(i))
        results = [stream.responses.next() for _ in range(50)]
        equal([result.get_response().id for result in results], [str(i) for i in range(50)])
        equal([float(result.as_numpy("OUTPUT0")[0]) for result in results], [float(i) for i in range(50)])


@check
def cancelling_ends_the_stream_at_once(at):
    with Stream(at) as stream:
        stream.client.async_stream_infer("words", prompt("a b"), parameters={"delay_s": 3600})
        equal(stream.responses.next().as_numpy("output").tolist(), [b"a"])
        stream.client.stop_stream(cancel_requests=True)
        equal(stream.responses.next_error().status(), "StatusCode.CANCELLED")
        equal(stream.client.is_server_live(), True)


@check
def the_deadline_ends_the_stream(at):
    with Stream(at, stream_timeout=1) as stream:
        stream.client.async_stream_infer("words", prompt("a b"), parameters={"delay_s": 3600})
        equal(stream.responses.next().as_numpy("output").tolist(), [b"a"])
        equal(stream.responses.next_error().status(), "StatusCode.DEADLINE_EXCEEDED")


@check
def a_stream_without_requests_ends_well(at):
    with Stream(at) as stream:
        stream.client.stop_stream()
        equal(stream.responses.queue.qsize(), 0)


main()
