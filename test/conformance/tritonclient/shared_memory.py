"""Tensors in system shared memory, with tritonclient's own utilities: sync and asyncio, gRPC and HTTP."""

import asyncio
import os
import threading
import uuid

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.grpc.aio as grpc_aio
import tritonclient.http as http
import tritonclient.http.aio as http_aio
import tritonclient.utils.shared_memory as shm
from harness import ARRAYS, Responses, check, equal, main, raises
from tritonclient.utils import InferenceServerException, serialized_byte_size, serialize_byte_tensor, triton_to_np_dtype

FP32 = np.array([1.5, -2, np.inf], np.float32)


class Region:
    """A region of its own, registered with a client of either protocol until the end."""

    def __init__(self, client, size=256):
        self.name = f"millrace-{uuid.uuid4()}"
        self.key = f"/{self.name}"
        self.client = client
        self.size = size

    def __enter__(self):
        self.handle = shm.create_shared_memory_region(self.name, self.key, self.size)
        self.client.register_system_shared_memory(self.name, self.key, self.size)
        return self

    def __exit__(self, *_):
        self.client.unregister_system_shared_memory(self.name)
        shm.destroy_shared_memory_region(self.handle)

    def put(self, array, offset=0):
        shm.set_shared_memory_region(self.handle, [array], offset)

    def array(self, datatype, shape, offset=0):
        return shm.get_contents_as_numpy(self.handle, datatype, shape, offset)


def shared_input(module, region, array, datatype, offset=0, name="INPUT", size=None):
    made = module.InferInput(name, list(array.shape), datatype)
    made.set_shared_memory(region.name, array.nbytes if size is None else size, offset)
    return made


def shared_output(module, region, size, offset, name="OUTPUT"):
    made = module.InferRequestedOutput(name)
    made.set_shared_memory(region.name, size, offset)
    return made


def clients(at):
    return [(grpc, grpc.InferenceServerClient(at.grpc)), (http, http.InferenceServerClient(at.http))]


@check
def every_numeric_datatype_goes_through_shared_memory(at):
    for module, client in clients(at):
        with client, Region(client) as region:
            for datatype, array in ARRAYS.items():
                if datatype in ("BF16", "BYTES"):
                    continue
                region.put(array)
                inputs = [shared_input(module, region, array, datatype)]
                outputs = [shared_output(module, region, array.nbytes, 128)]
                result = client.infer(f"identity_{datatype.lower()}", inputs, outputs=outputs)
                given = result.get_output("OUTPUT")
                shape = given["shape"] if module is http else given.shape
                equal(list(shape), list(array.shape), datatype)
                equal(region.array(triton_to_np_dtype(datatype), array.shape, 128), array, datatype)
                only_input = client.infer(f"identity_{datatype.lower()}", inputs).as_numpy("OUTPUT")
                equal(only_input, array, f"{datatype} in the response")


@check
def texts_go_through_shared_memory(at):
    array = np.array([b"ab", b"", "grün".encode()], np.object_)
    serialized = serialize_byte_tensor(array)
    for module, client in clients(at):
        with client, Region(client) as region:
            region.put(serialized)
            size = serialized_byte_size(serialized)
            inputs = [shared_input(module, region, array, "BYTES", size=size)]
            client.infer("bytes", inputs, outputs=[shared_output(module, region, 100, 100)])
            equal(region.array(np.object_, [3], 100), array)
            wrong = [shared_input(module, region, array, "BYTES", size=size - 1)]
            error = raises(InferenceServerException, lambda: client.infer("bytes", wrong))
            assert "incomplete string data" in error.message(), error


@check
def inputs_in_shared_memory_mix_with_inputs_in_the_request(at):
    a, b = np.array([[1, 2, 3, 4]], np.float32), np.array([[10, 20, 30, 40]], np.float32)
    for module, client in clients(at):
        with client, Region(client) as region:
            for shared_name, shared, name, array in (("A", a, "B", b), ("B", b, "A", a)):
                region.put(shared, 16)
                given = module.InferInput(name, [1, 4], "FP32")
                given.set_data_from_numpy(array)
                placed = shared_input(module, region, shared, "FP32", 16, shared_name)
                for inputs in ([given, placed], [placed, given]):
                    equal(client.infer("add", inputs).as_numpy("SUM"), a + b)


@check
def both_protocols_share_regions(at):
    (_, over_grpc), (_, over_http) = clients(at)
    with over_grpc, over_http, Region(over_grpc) as region:
        [listed] = over_http.get_system_shared_memory_status(region.name)
        equal(listed, {"name": region.name, "key": region.key, "offset": 0, "byte_size": 256})
        region.put(FP32)
        result = over_http.infer("identity_fp32", [shared_input(http, region, FP32, "FP32")])
        equal(result.as_numpy("OUTPUT"), FP32)
        over_http.unregister_system_shared_memory(region.name)
        regions = over_grpc.get_system_shared_memory_status().regions
        assert region.name not in regions, regions


@check
def asyncio_clients_use_shared_memory(at):
    async def over(module, aio, address):
        async with aio.InferenceServerClient(address) as client:
            name = f"millrace-{uuid.uuid4()}"
            handle = shm.create_shared_memory_region(name, f"/{name}", 64)
            try:
                await client.register_system_shared_memory(name, f"/{name}", 64)
                shm.set_shared_memory_region(handle, [FP32])
                given = module.InferInput("INPUT", [3], "FP32")
                given.set_shared_memory(name, FP32.nbytes)
                wanted = module.InferRequestedOutput("OUTPUT")
                wanted.set_shared_memory(name, FP32.nbytes, 32)
                await client.infer("identity_fp32", [given], outputs=[wanted])
                equal(shm.get_contents_as_numpy(handle, np.float32, [3], 32), FP32)
                await client.unregister_system_shared_memory(name)
            finally:
                shm.destroy_shared_memory_region(handle)

    asyncio.run(over(grpc, grpc_aio, at.grpc))
    asyncio.run(over(http, http_aio, at.http))


@check
def python_runtimes_read_and_write_shared_memory(at):
    array = np.array([3, -4, 5], np.int64)
    for module, client in clients(at):
        with client, Region(client) as region:
            region.put(array)
            inputs = [shared_input(module, region, array, "INT64", name="x")]
            client.infer("py_echo", inputs, outputs=[shared_output(module, region, 24, 64, "x")])
            equal(region.array(np.int64, [3], 64), array)
            error = raises(
                InferenceServerException,
                lambda: client.infer("py_echo", inputs, outputs=[shared_output(module, region, 8, 64, "x")]),
            )
            assert "(8 bytes) should be at least 24 bytes" in error.message(), error


@check
def streams_use_shared_memory(at):
    responses = Responses()
    with grpc.InferenceServerClient(at.grpc) as client, Region(client) as region:
        region.put(FP32)
        client.start_stream(responses)
        outputs = [shared_output(grpc, region, FP32.nbytes, 64)]
        client.async_stream_infer("identity_fp32", [shared_input(grpc, region, FP32, "FP32")], outputs=outputs)
        responses.next()
        equal(region.array(np.float32, [3], 64), FP32)
        values = np.array([7, 8], np.int32)
        region.put(values, 128)
        client.async_stream_infer("each", [shared_input(grpc, region, values, "INT32", 128, "IN")])
        equal([int(responses.next().as_numpy("OUT")[0]) for _ in range(2)], [7, 8])
        client.async_stream_infer("each", [shared_input(grpc, region, values, "INT32", 255, "IN")])
        assert "Invalid offset + byte size" in responses.next_error().message()
        into_region = [shared_output(grpc, region, 4, 64, "OUT")]
        client.async_stream_infer("each", [shared_input(grpc, region, values, "INT32", 128, "IN")], outputs=into_region)
        assert "cannot write its responses to shared memory" in responses.next_error().message()
        client.stop_stream()


@check
def unregistering_waits_for_requests_under_way(at):
    array = np.ones([512, 1024], np.float32)
    with grpc.InferenceServerClient(at.grpc) as client, Region(client, 2 * array.nbytes) as region:
        region.put(array)
        done, results = threading.Event(), []

        def finish(result, error):
            results.append(error or result)
            done.set()

        inputs = [shared_input(grpc, region, array, "FP32")]
        outputs = [shared_output(grpc, region, array.nbytes, array.nbytes)]
        client.async_infer("slow", inputs, finish, outputs=outputs)
        while client.get_inference_statistics("slow").model_stats[0].execution_count == 0 and not results:
            client.unregister_system_shared_memory(region.name)
            break
        assert done.wait(30), "no answer"
        answer = results[0]
        # It was found before it was unregistered, and so was the place of its output; or it came too late.
        if isinstance(answer, InferenceServerException):
            equal(answer.status(), "StatusCode.NOT_FOUND")
        else:
            assert region.array(np.float32, [512, 1024], array.nbytes).any(), "no output was written"
        error = raises(InferenceServerException, lambda: client.infer("slow", inputs))
        equal(error.status(), "StatusCode.NOT_FOUND")


@check
def errors_say_what_is_wrong(at):
    for module, client in clients(at):
        with client, Region(client, 64) as region:
            def infer(offset=0, size=12, name=None):
                given = module.InferInput("INPUT", [3], "FP32")
                given.set_shared_memory(name or region.name, size, offset)
                return raises(InferenceServerException, lambda: client.infer("identity_fp32", [given])).message()

            for message, text in (
                (infer(name="nobody"), "Unable to find shared memory region: 'nobody'"),
                (infer(offset=65), f"Invalid offset for shared memory region: '{region.name}'"),
                (infer(offset=60), f"Invalid offset + byte size for shared memory region: '{region.name}'"),
                (infer(size=8), "Expected 12, got 8"),
            ):
                assert text in message, message

            def register(name, key, size):
                call = lambda: client.register_system_shared_memory(name, key, size)
                return raises(InferenceServerException, call).message()

            for message, text in (
                (register(region.name, region.key, 64), "already in manager"),
                (register("other", "/nobody-has-this", 64), "Unable to open shared memory region"),
                (register("other", "/../etc/passwd", 64), "Unable to open shared memory region"),
                (register("other", region.key, 65), "invalid args"),
            ):
                assert text in message, message


@check
def cuda_memory_is_refused_and_none_is_listed(at):
    for module, client in clients(at):
        with client:
            status = client.get_cuda_shared_memory_status()
            equal(list(status if module is http else status.regions), [])
            client.unregister_cuda_shared_memory()
            client.unregister_cuda_shared_memory("nobody")
            handle = b"AAAA" if module is http else b"\0" * 64
            call = lambda: client.register_cuda_shared_memory("x", handle, 0, 64)
            assert "register system shared memory" in raises(InferenceServerException, call).message()


if __name__ == "__main__":
    assert os.path.isdir("/dev/shm"), "shared memory needs Linux"
    main()
