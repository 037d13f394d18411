"""Holds a conversation: waits for each answer before it says the next. The argument is the gRPC address, localhost:9000 if none."""

import queue
import sys

import numpy as np
import tritonclient.grpc as grpc

ADDRESS = sys.argv[1] if len(sys.argv) > 1 else "localhost:9000"
answers = queue.Queue()
with grpc.InferenceServerClient(ADDRESS) as client:
    client.start_stream(lambda result, error: answers.put(error or result))
    for turn, text in enumerate(["good morning", "how are you today"], 1):
        message = grpc.InferInput("message", [1], "BYTES")
        message.set_data_from_numpy(np.array([text.encode()], np.object_))
        # The server then says when the answer to this request is complete.
        client.async_stream_infer("chat", [message], request_id=str(turn), enable_empty_final_response=True)
        words = []
        while True:
            answer = answers.get(timeout=30)
            if isinstance(answer, Exception):
                raise answer
            if answer.get_response().parameters["triton_final_response"].bool_param:
                break
            words.append(answer.as_numpy("word").item().decode())
        print(*words)
