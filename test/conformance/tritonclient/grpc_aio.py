"""tritonclient.grpc.aio."""

import asyncio

import numpy as np
import tritonclient.grpc.aio as aio
from harness import TIMEOUT_S, check, equal, main
from tritonclient.utils import InferenceServerException


def number(value, name="input"):
    made = aio.InferInput(name, [1], "FP32")
    made.set_data_from_numpy(np.array([value], np.float32))
    return [made]


def run(at, body):
    async def with_client():
        async with aio.InferenceServerClient(at.grpc) as client:
            await asyncio.wait_for(body(client), TIMEOUT_S)

    asyncio.run(with_client())


@check
def control_calls_and_infer(at):
    async def body(client):
        equal(await client.is_server_live(), True)
        equal(await client.is_server_ready(), True)
        equal(await client.is_model_ready("counter"), True)
        equal((await client.get_model_metadata("identity")).name, "identity")
        equal((await client.get_model_config("identity")).config.name, "identity")
        results = await asyncio.gather(*(client.infer("identity", number(i, "INPUT0")) for i in range(8)))
        equal([float(result.as_numpy("OUTPUT0")[0]) for result in results], [float(i) for i in range(8)])
        try:
            await client.infer("nobody", number(1, "INPUT0"))
        except InferenceServerException as error:
            equal(error.status(), "StatusCode.NOT_FOUND")
        else:
            raise AssertionError("no error for an unknown model")

    run(at, body)


@check
def stream_infer_request_by_request(at):
    """Each request is sent after the answer to the one before: an answer must not wait for the next request."""

    async def body(client):
        answered = asyncio.Queue()

        async def requests():
            for value in (1, 2, 3):
                yield {"model_name": "counter", "inputs": number(value), "request_id": str(value)}
                await answered.get()

        sums = []
        async for result, error in client.stream_infer(requests()):
            equal(error, None)
            sums.append(float(result.as_numpy("output")[0]))
            answered.put_nowait(None)
        equal(sums, [1, 3, 6])

    run(at, body)


@check
def an_error_message_leaves_the_stream_open(at):
    async def body(client):
        async def requests():
            yield {"model_name": "counter", "inputs": number(1)}
            yield {"model_name": "counter", "inputs": number(1, "other")}
            yield {"model_name": "counter", "inputs": number(2)}

        sums, errors = [], []
        async for result, error in client.stream_infer(requests()):
            if error is None:
                sums.append(float(result.as_numpy("output")[0]))
            else:
                errors.append(error.message())
        equal(sums, [1, 3])
        equal(len(errors), 1, str(errors))

    run(at, body)


@check
def cancelling_a_stream(at):
    async def body(client):
        async def requests():
            yield {"model_name": "counter", "inputs": number(1)}
            await asyncio.Event().wait()

        responses = client.stream_infer(requests())
        result, error = await anext(aiter(responses))
        equal(error, None)
        equal(float(result.as_numpy("output")[0]), 1.0)
        equal(responses.cancel(), True)
        try:
            await anext(aiter(responses))
        except (asyncio.CancelledError, StopAsyncIteration):
            pass
        equal(await client.is_server_live(), True)

    run(at, body)


main()
