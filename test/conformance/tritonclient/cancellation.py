"""Clients that cancel or run out of time (Triton's L0_request_cancellation, L0_client_timeout, L0_grpc_state_cleanup)."""

import asyncio
import threading
import time

import grpc as grpcio
import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
from harness import Responses, check, equal, main, raises
from tritonclient.utils import InferenceServerException

WELL_BEFORE_S = 8  # the model takes ten


def text(word, module=grpc):
    made = module.InferInput("TEXT", [1], "BYTES")
    made.set_data_from_numpy(np.array([word.encode()], np.object_))
    return [made]


def answers(client):
    """The server still serves."""
    assert b"ok" in client.infer("told", text("ok")).as_numpy("TOLD")[0]


class Callback:
    def __init__(self):
        self.calls = []
        self.called = threading.Event()

    def __call__(self, result, error):
        self.calls.append(error or result)
        self.called.set()

    def first(self):
        assert self.called.wait(WELL_BEFORE_S), "no callback"
        return self.calls[0]


@check
def async_infer_is_cancelled_at_once(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        callback = Callback()
        context = client.async_infer("told", text("slow"), callback)
        time.sleep(0.2)
        context.cancel()
        error = callback.first()
        equal(error.status(), "StatusCode.CANCELLED")
        assert "Locally cancelled by application!" in error.message(), error
        answers(client)


@check
def cancel_that_races_with_completion_calls_back_once(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        for delay in (0, 0.0005, 0.001, 0.002, 0.005) * 4:
            callback = Callback()
            context = client.async_infer("told", text("ok"), callback)
            time.sleep(delay)
            context.cancel()
            callback.first()
            time.sleep(0.01)
            equal(len(callback.calls), 1, "callbacks")
        answers(client)


@check
def stop_stream_cancels_what_is_under_way_with_one_callback(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        responses = Responses()
        client.start_stream(responses)
        for _ in range(32):
            client.async_stream_infer("told", text("slow"))
        time.sleep(0.2)
        started = time.monotonic()
        client.stop_stream(cancel_requests=True)
        assert time.monotonic() - started < WELL_BEFORE_S
        equal(responses.next_error().status(), "StatusCode.CANCELLED")
        assert responses.queue.empty(), "one callback expected"
        answers(client)


@check
def asyncio_calls_and_streams_are_cancelled(at):
    async def run():
        async with grpc_aio.InferenceServerClient(at.grpc) as client:
            call = asyncio.create_task(client.infer("told", text("slow")))
            await asyncio.sleep(0.2)
            call.cancel()
            try:
                await call
            except asyncio.CancelledError:
                pass
            else:
                raise AssertionError("the call was answered")

            async def requests():
                yield {"model_name": "told", "inputs": text("slow")}
                await asyncio.sleep(60)

            iterator = client.stream_infer(requests())
            pending = asyncio.create_task(iterator.__anext__())
            await asyncio.sleep(0.2)
            iterator.cancel()
            try:
                await asyncio.wait_for(pending, WELL_BEFORE_S)
            except (asyncio.CancelledError, grpcio.aio.AioRpcError):
                pass
            else:
                raise AssertionError("the stream was answered")
            assert await client.is_server_ready()

    asyncio.run(run())


@check
def deadlines_of_calls_and_streams_say_deadline_exceeded(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        error = raises(InferenceServerException, lambda: client.infer("told", text("slow"), client_timeout=0.3))
        equal(error.status(), "StatusCode.DEADLINE_EXCEEDED")
        equal(error.message().lower(), "deadline exceeded")  # gRPC's own spelling changes with what notices first
        callback = Callback()
        client.async_infer("told", text("slow"), callback, client_timeout=0.3)
        equal(callback.first().message().lower(), "deadline exceeded")
        responses = Responses()
        client.start_stream(responses, stream_timeout=0.5)
        client.async_stream_infer("told", text("slow"))
        equal(responses.next_error().message().lower(), "deadline exceeded")
        client.stop_stream()
        client.infer("told", text("ok"), client_timeout=10)


@check
def the_http_client_times_out_and_the_next_call_works(at):
    with http.InferenceServerClient(at.http, network_timeout=0.5) as client:
        raises(Exception, lambda: client.infer("told", text("slow", http)))
    with http.InferenceServerClient(at.http) as client:
        client.infer("told", text("ok", http))


@check
def every_other_call_heeds_its_timeout(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        calls = {
            "is_server_live": (), "is_server_ready": (), "get_server_metadata": (),
            "get_model_metadata": ("told",), "get_model_config": ("told",), "get_model_repository_index": (),
            "get_inference_statistics": (), "get_trace_settings": (), "update_trace_settings": ("told",), "get_log_settings": (),
            "get_system_shared_memory_status": (), "get_cuda_shared_memory_status": (),
            "unregister_system_shared_memory": ("nobody",), "unregister_cuda_shared_memory": ("nobody",),
        }
        for name, args in calls.items():
            method = getattr(client, name)
            try:
                method(*args, client_timeout=1e-9)  # some are answered all the same
            except InferenceServerException as error:
                equal(error.status(), "StatusCode.DEADLINE_EXCEEDED", name)
            method(*args, client_timeout=20)


@check
def closing_clients_in_the_middle_of_streams_does_no_harm(at):
    for _ in range(10):
        client = grpc.InferenceServerClient(at.grpc)
        client.start_stream(Responses())
        client.async_stream_infer("told", text("slow"))
        client._stream._response_iterator.cancel()
        client.close()
    with grpc.InferenceServerClient(at.grpc) as client:
        answers(client)


@check
def nothing_is_left_of_calls_however_they_ended(at):
    with grpc.InferenceServerClient(at.grpc) as client:
        for _ in range(5):
            raises(InferenceServerException, lambda: client.infer("told", text("slow"), client_timeout=0.05))
            raises(InferenceServerException, lambda: client.infer("told", text("fail")))
            answers(client)
    with http.InferenceServerClient(at.http) as client:
        deadline = time.monotonic() + 20
        while True:
            page = client._get("metrics", None, None).read().decode()
            gauges = [line for line in page.splitlines() if line.startswith('nv_inference_pending_request_count{model="told"')]
            if gauges and all(line.endswith(" 0") for line in gauges):
                return
            assert time.monotonic() < deadline, gauges
            time.sleep(0.1)


@check
def keepalive_settings_of_all_sizes_work(at):
    for time_ms in (2**31 - 1, 50):
        options = grpc.KeepAliveOptions(time_ms, 20000, True, 0)
        with grpc.InferenceServerClient(at.grpc, keepalive_options=options) as client:
            for _ in range(3):
                answers(client)
                time.sleep(0.12)


if __name__ == "__main__":
    main()
