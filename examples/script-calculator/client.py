"""Streams to the graphs of this example; the argument is the server's gRPC address, localhost:9000 if there is none."""

import queue
import sys

import numpy as np
import tritonclient.grpc as grpc

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "localhost:9000"


def stream(graph, input_name, datatype, values, answers, **options):
    """Sends one request for each value, and gives the results in the order of their arrival."""
    results = queue.Queue()
    with grpc.InferenceServerClient(ADDRESS) as client:
        client.start_stream(lambda result, error: results.put(error or result))
        for value in values:
            tensor = grpc.InferInput(input_name, [1], datatype)
            tensor.set_data_from_numpy(value)
            client.async_stream_infer(graph, [tensor], **options)
        for _ in range(answers):
            result = results.get(timeout=30)
            if isinstance(result, Exception):
                raise result
            yield result


values = [np.array([value], np.float32) for value in (1, 2, 3, 4, 1000)]
means = stream("smooth", "value", "FP32", values, len(values), parameters={"window": 2})
print("means:", *(float(result.as_numpy("mean")[0]) for result in means))

numbers = stream("countdown", "from", "INT32", [np.array([3], np.int32)], 4)
print("countdown:", *(int(result.as_numpy("number")[0]) for result in numbers))
