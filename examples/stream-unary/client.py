"""Streams three chunks of numbers and prints the one answer; the argument is the gRPC address, localhost:9000 if there is none."""

import queue
import sys

import numpy as np
import tritonclient.grpc as grpc

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "localhost:9000"
answers = queue.Queue()
with grpc.InferenceServerClient(ADDRESS) as client:
    client.start_stream(lambda result, error: answers.put(error or result))
    for numbers in ([1, 2, 3], [4], [10, 4]):
        chunk = grpc.InferInput("chunk", [len(numbers)], "FP32")
        chunk.set_data_from_numpy(np.array(numbers, np.float32))
        client.async_stream_infer("summary", [chunk])
    client.stop_stream()  # no more requests: that is when the answer comes

answer = answers.get_nowait()
if isinstance(answer, Exception):
    raise answer
print(*(f"{name} {answer.as_numpy(name).item():g}" for name in ("count", "mean", "max")), sep=", ")
